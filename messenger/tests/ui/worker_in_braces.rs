mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court {
        handlers: [ ping: Ping = Ping ]
        routes: [ Pong, Back: [pnig] ]
    }
    Second (wait = block) {
        handlers: [ pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong] ]
    }
}

fn main() {}
