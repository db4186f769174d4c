mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court (wait = blok, on_panic = abort, on_error = , pin):
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {}
