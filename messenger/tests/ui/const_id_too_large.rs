mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping as 70_000 = Ping ]
        routes: []
    drop: [ ping, Ball ]
}

fn main() {}
