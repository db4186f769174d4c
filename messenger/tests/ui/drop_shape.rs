mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: []
    drop: [ Ping, Ball, Pong, Back ]
}

fn main() {}
