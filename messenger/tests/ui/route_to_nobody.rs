mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [
            Ping, Ball: [],
            Pong, Back: [ping],
        ]
}

fn main() {}
