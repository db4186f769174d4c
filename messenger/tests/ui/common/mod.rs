//! The game that the tables in these tests get wrong.

use messenger::{Handle, Handler, Message, Outbox, Result, messenger_id_enum};
use serde::{Deserialize, Serialize};

messenger_id_enum! {
    pub enum Mid { Ball = 1, Back = 2, Quote = 3 }
    pub enum Hid { Ping = 1, Pong = 2, Tap = 3, Http = 4, Ping2 = 5 }
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Ball, codec = bincode)]
pub struct Ball(pub u8);

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Back, codec = bincode)]
pub struct Back(pub u8);

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Quote, codec = bincode)]
pub struct Quote(pub u8);

/// Sends `Ball`, takes `Back`.
#[derive(Handler)]
#[handler(id = Hid::Ping, sends(Ball))]
pub struct Ping;

impl Handle<Back> for Ping {
    fn handle(&mut self, _: &Back, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

/// Sends `Back`, takes `Ball`.
#[derive(Handler)]
#[handler(id = Hid::Pong, sends(Back))]
pub struct Pong;

impl Handle<Ball> for Pong {
    fn handle(&mut self, _: &Ball, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

/// Sends nothing, takes `Ball` and `Back`.
#[derive(Handler)]
#[handler(id = Hid::Tap)]
pub struct Tap;

impl Handle<Ball> for Tap {
    fn handle(&mut self, _: &Ball, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

impl Handle<Back> for Tap {
    fn handle(&mut self, _: &Back, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

/// Sends `Ball` from outside.
#[derive(Handler)]
#[handler(id = Hid::Http, sends(Ball))]
pub struct Http;
