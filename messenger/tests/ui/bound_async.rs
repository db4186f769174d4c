mod common;

use common::*;
use messenger::{AsyncHandler, Handler, messenger};

/// Handles nothing.
#[derive(Handler)]
#[handler(id = 9)]
pub struct Client;

impl AsyncHandler for Client {}

messenger! {
    Game;
    outside: [ Http ]
    Court:
        handlers: [
            client: async Client = Client,
            other: async Client as 10 = Tap,
            // `Tap` is a handler, but not an async one.
            tap: async Tap = Tap,
        ]
        routes: [ Http, Ball: [client] ]
}

fn main() {}
