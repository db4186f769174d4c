//! A codec whose feature is off: one error, and none where the message is used.
use messenger::{DeserializeFrom, ExtendedMessage, Message};

#[derive(Message)]
#[message(id = 1, codec = postcard)]
struct Ball {
    n: u8,
}

fn both<M: ExtendedMessage + for<'a> DeserializeFrom<'a>>() {}

fn main() {
    both::<Ball>();
}
