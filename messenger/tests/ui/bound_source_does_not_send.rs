mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    outside: [ Http ]
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [
            Ping, Ball: [pong],
            Pong, Back: [ping],
            Http, Back: [ping],
        ]
    drop: [ Http, Ball ]
}

fn main() {}
