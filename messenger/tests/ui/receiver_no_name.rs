mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong, tap: Tap = Tap ]
        routes: [
            Ping, Ball: [pong, 3, "tap"],
            Pong, Back: [ping tap],
        ]
}

fn main() {}
