//! A head and a tail that are not plain data.
use messenger::Message;

struct Other(u8);

#[derive(Message)]
#[message(id = 1, codec = zero_copy)]
struct Book<'a> {
    head: &'a Other,
    tail: &'a [String],
}

fn main() {}
