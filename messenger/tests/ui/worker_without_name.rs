mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    "Court":
        handlers: [ ping: Ping = Ping ]
        routes: [ Pong, Back: [ping] ]
    Court-Two:
        handlers: [ pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong] ]
}

fn main() {}
