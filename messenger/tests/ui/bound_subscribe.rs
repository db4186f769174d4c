mod common;

use common::*;
use messenger::bus::{Bus, BusConfig};
use messenger::messenger;

messenger! {
    Game;
    Court:
        handlers: [ ping: Ping = Ping, pong: Pong = Pong ]
        routes: [ Ping, Ball: [pong], Pong, Back: [ping] ]
}

fn main() {
    let bus = Bus::new(BusConfig::bytes(4096)).unwrap();
    let game = Game::builder(&bus).run().unwrap();
    game.subscribe::<Ball>().unwrap();
    game.subscribe::<(String,)>().unwrap();
    game.subscribe::<(Ball, Back)>().unwrap().receive().unwrap();
}
