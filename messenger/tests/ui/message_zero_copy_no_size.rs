//! What has no size of its own, and what has no value.
use messenger::{Message, Plain};

#[derive(Message)]
#[message(id = 1, codec = zero_copy)]
#[repr(C)]
struct Slice {
    n: u8,
    rest: [u8],
}

#[derive(Clone, Copy, Plain)]
#[repr(u8)]
enum Nothing {}

fn main() {}
