mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [
            ping: Ping (mailbox = 8) = Ping,
            pong: Pong as = Pong,
        ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
