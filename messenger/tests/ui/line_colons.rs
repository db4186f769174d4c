mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    outside: [ http: Http ]
    Court:
        handlers: [ ping: Ping := Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
