mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [
            ping: Ping = Ping,
            pong: String = String::new(),
        ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
