mod common;

use common::*;
use messenger::{Handle, Handler, Outbox, Result};

#[derive(Handler)]
#[handler(id = 77)]
struct Keeper {
    last: Option<&'static Ball>,
}

impl Handle<Ball> for Keeper {
    fn handle(&mut self, ball: &Ball, _: &mut Outbox<'_, Self>) -> Result {
        self.last = Some(ball);
        Ok(())
    }
}

fn main() {}
