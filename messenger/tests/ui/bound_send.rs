mod common;

use common::*;
use messenger::{Handle, Outbox, Result};

impl Handle<Quote> for Ping {
    fn handle(&mut self, quote: &Quote, out: &mut Outbox<'_, Self>) -> Result {
        out.send(quote)
    }
}

fn main() {}
