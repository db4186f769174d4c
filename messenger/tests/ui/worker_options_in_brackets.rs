mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court [wait = block]:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
    Second [wait = often]:
        handlers: [ tap: Tap = Tap ]
        routes: []
}

fn main() {}
