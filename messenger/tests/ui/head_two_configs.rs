mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game(a: u8, b: u8);
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
