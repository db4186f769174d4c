mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
    Stand:
        handlers: [ ping2: Ping = Ping, tap: Tap as Hid::Pong = Tap ]
        routes: []
}

fn main() {}
