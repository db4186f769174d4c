//! A serde message that lacks serde's derives, one that can't be decoded, and a prost message that is none.
use messenger::Message;
use serde::Serialize;

#[derive(Message)]
#[message(id = 1, codec = bincode)]
struct Neither {
    n: u8,
}

#[derive(Message, Serialize)]
#[message(id = 2, codec = postcard)]
struct OneWay {
    n: u8,
}

#[derive(Message)]
#[message(id = 3, codec = prost)]
struct NoProto {
    n: u8,
}

fn main() {}
