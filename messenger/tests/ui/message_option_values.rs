//! Values of options that can't be read.
use messenger::{Handler, Message};
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
#[message(id = 1 codec = bincode)]
struct NoComma;

#[derive(Message, Serialize, Deserialize)]
#[message(id = 2; codec = bincode)]
struct Semicolon;

#[derive(Message, Serialize, Deserialize)]
#[message(id = 3 +, codec = bincode)]
struct Half;

#[derive(Message, Serialize, Deserialize)]
#[message(id = 4, codec = bincode, crate = "messenger")]
struct Quoted;

#[derive(Handler)]
#[handler(id = 1 + )]
struct HalfToo;

#[derive(Handler)]
#[handler(id = 2, crate = "messenger")]
struct QuotedToo;

fn main() {}
