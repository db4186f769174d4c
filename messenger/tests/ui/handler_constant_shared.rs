mod common;

use common::*;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ the_tap: Tap = Tap, theTap: Tap = Tap, ping: Ping = Ping ]
        routes: [ Ping, Ball: [the_tap, theTap] ]
}

fn main() {}
