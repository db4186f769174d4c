//! Tails that can't follow their heads.
use messenger::Message;

#[derive(Message)]
#[message(id = 1, codec = zero_copy)]
struct Gap<'a> {
    head: &'a [u8; 5],
    tail: &'a [u64],
}

#[derive(Message)]
#[message(id = 2, codec = zero_copy)]
struct NoBytes<'a> {
    head: &'a u64,
    tail: &'a [()],
}

fn main() {}
