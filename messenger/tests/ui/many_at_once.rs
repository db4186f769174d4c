mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game(config: u8);
    Court (wait = often):
        handlers: [ ping: Ping, pong: Pong = Pong ]
        routes: [
            Ping, Ball: [pnog, pong],
            Pong Back: [ping],
            Ping, Ball: [pong],
        ]
    Court:
        handlers: [ pong: Tap = Tap ]
}

fn main() {}
