//! prost makes owned messages only.
use messenger::Message;

#[derive(Message)]
#[message(id = 1, codec = prost)]
struct Note<'a> {
    text: &'a str,
}

fn main() {}
