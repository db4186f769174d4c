mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [
            ping: Ping = Pong,
            pong: Pong = Some(Pong),
        ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
