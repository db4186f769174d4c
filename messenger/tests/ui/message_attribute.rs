//! No attribute, an empty one, and one of the wrong form.
use messenger::Message;

#[derive(Message)]
struct Bare;

#[derive(Message)]
#[message]
struct Word;

#[derive(Message)]
#[message()]
struct Empty;

#[derive(Message)]
#[message = "bincode"]
struct Value;

fn main() {}
