//! Zero-copy messages that borrow, in other shapes than a head and a tail.
use messenger::Message;

#[derive(Message)]
#[message(id = 1, codec = zero_copy)]
struct OnlyHead<'a> {
    head: &'a u64,
}

#[derive(Message)]
#[message(id = 2, codec = zero_copy)]
struct TailFirst<'a> {
    tail: &'a [u8],
    head: &'a u64,
}

#[derive(Message)]
#[message(id = 3, codec = zero_copy)]
struct OwnedHead<'a> {
    head: u64,
    tail: &'a [u8],
}

#[derive(Message)]
#[message(id = 4, codec = zero_copy)]
struct TwoHeads<'a> {
    first: &'a u64,
    second: &'a u64,
    tail: &'a [u8],
}

#[derive(Message)]
#[message(id = 5, codec = zero_copy)]
struct Mutable<'a> {
    head: &'a mut u64,
    tail: &'a [u8],
}

#[derive(Message)]
#[message(id = 6, codec = zero_copy)]
struct Text<'a> {
    text: &'a str,
}

fn main() {}
