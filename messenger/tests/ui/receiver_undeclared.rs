mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [
            Ping, Ball: [pnog],
            Pong, Back: [database],
        ]
}

fn main() {}
