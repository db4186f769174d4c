mod common;

use common::*;
use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
use serde::{Deserialize, Serialize};

/// Has the id of `Ball`.
#[derive(Message, Serialize, Deserialize)]
#[message(id = 1, codec = bincode)]
pub struct Other;

#[derive(Handler)]
#[handler(id = 9, sends(Other))]
pub struct Sender;

impl Handle<Other> for Tap {
    fn handle(&mut self, _: &Other, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

messenger! {
    Game;
    outside: [ Sender ]
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
    Stand:
        handlers: [ tap: Tap = Tap ]
        routes: [ Sender, Other: [tap] ]
}

fn main() {}
