mod common;

use common::*;
use messenger::messenger;

messenger! {
    pub Game(most: u64)
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
