//! An id of more than 16 bits in an enum of ids.
use messenger::messenger_id_enum;

messenger_id_enum! {
    enum Mid {
        Ball = 70_000,
    }
}

fn main() {}
