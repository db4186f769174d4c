mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court (pin = "first", spill = -1, batch = 1.5, pool = 1):
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
