mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    outside: [ Http; Tap ]
    Court:
        handlers: [ ping: Ping = Ping; pong: Pong = Pong ]
        routes: [
            Ping, Ball: [pong];
            Pong, Back: [ping],
            Http, Ball: [pong],
        ]
}

fn main() {}
