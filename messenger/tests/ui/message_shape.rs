//! Types that can't be messages.
use messenger::Message;
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
#[message(id = 1, codec = bincode)]
struct Generic<T> {
    inner: T,
}

#[derive(Clone, Copy, Message)]
#[message(id = 2, codec = zero_copy)]
#[repr(C)]
struct Sized<const N: usize> {
    bytes: [u8; N],
}

#[derive(Clone, Copy, Message)]
#[message(id = 3, codec = zero_copy)]
#[repr(C)]
union Either {
    long: u64,
    double: f64,
}

#[derive(Clone, Copy, Message)]
#[message(id = 4, codec = zero_copy)]
#[repr(u8)]
enum Side {
    Buy,
    Sell,
}

fn main() {}
