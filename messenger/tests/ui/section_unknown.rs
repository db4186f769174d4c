mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    outsiders: [ Http ]
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
    Stand:
        handler: [ tap: Tap = Tap ]
        routes: [ Ping, Ball: [tap], Http, Ball: [tap] ]
}

fn main() {}
