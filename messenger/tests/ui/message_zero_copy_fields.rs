//! Fields that are not plain data.
use messenger::{Message, Plain};

#[derive(Clone, Copy)]
struct Other(u8);

#[derive(Clone, Message)]
#[message(id = 1, codec = zero_copy)]
#[repr(C)]
struct Fields {
    other: Other,
    several: [[Other; 2]; 2],
    pointer: *const u8,
    text: String,
}

#[derive(Plain)]
#[repr(C)]
struct Part {
    changes: std::cell::Cell<u8>,
}

fn main() {}
