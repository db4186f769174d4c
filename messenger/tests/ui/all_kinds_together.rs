mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    outside: [ Http ]
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [
            Ping, Ball: [pnog],
            Pong, Back: [pong],
            Ping, Back: [ping],
        ]
}

fn main() {}
