mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [
            Ball: [pong],
            Pong Back: [ping],
            Ping, : [pong],
        ]
}

fn main() {}
