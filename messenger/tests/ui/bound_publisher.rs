mod common;

use common::*;
use messenger::{Running, messenger};

messenger! {
    Game;
    outside: [ Http ]
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [
            Http, Ball: [pong],
            Ping, Ball: [pong],
            Pong, Back: [ping],
        ]
}

fn publish(game: &Running<Game>) {
    // Not listed in `outside`.
    let _ = game.publisher::<Tap>();
    // Not in what it sends.
    let _ = game.publisher::<Http>().unwrap().send(&Quote(1));
}

fn main() {}
