//! Structs without a layout of their own, and a packed one.
use messenger::{Message, Plain};

#[derive(Clone, Copy, Message)]
#[message(id = 1, codec = zero_copy)]
struct NoRepr {
    n: u64,
}

#[derive(Clone, Copy, Message)]
#[message(id = 2, codec = zero_copy)]
#[repr(C, packed)]
struct Packed {
    n: u64,
    flag: bool,
}

#[derive(Clone, Copy, Plain)]
enum NoInteger {
    Buy,
    Sell,
}

#[derive(Clone, Copy, Plain)]
#[repr(u8)]
enum WithFields {
    Nothing,
    Number(u8),
}

fn main() {}
