//! Padding inside, at the end and in a part, and too large an alignment.
use messenger::{Message, Plain};

#[derive(Clone, Copy, Message)]
#[message(id = 1, codec = zero_copy)]
#[repr(C)]
struct Inside {
    flag: bool,
    price: u64,
}

#[derive(Clone, Copy, Message)]
#[message(id = 2, codec = zero_copy)]
#[repr(C)]
struct AtTheEnd(u64, u16);

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Part {
    a: u16,
    b: u8,
}

#[derive(Clone, Copy, Message)]
#[message(id = 3, codec = zero_copy)]
#[repr(C, align(32))]
struct Wide([u64; 4]);

#[derive(Clone, Copy, Plain)]
#[repr(u8, align(4))]
enum Side {
    Buy,
    Sell,
}

fn main() {}
