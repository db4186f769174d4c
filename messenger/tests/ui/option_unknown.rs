mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court (waits = block, panic = stop, color = 3):
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
