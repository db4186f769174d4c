//! Ids that are numbers, but not of 16 bits.
use messenger::Message;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
#[message(id = 70_000, codec = bincode)]
struct TooLarge;

#[derive(Message, Serialize, Deserialize)]
#[message(id = -1, codec = bincode)]
struct Negative;

fn main() {}
