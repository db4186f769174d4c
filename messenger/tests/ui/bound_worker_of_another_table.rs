mod common;

use common::*;
use messenger::bus::Bus;
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

messenger! {
    Other;
    Stand:
        handlers: [ tap: Tap = Tap ]
        routes: []
}

fn run(bus: Bus) {
    let _ = Game::builder(bus).only([Other::STAND]);
}

fn main() {}
