mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [
            #[cfg(feature = "ping")]
            ping: Ping = Ping,
            pong: Pong = Pong,
        ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
