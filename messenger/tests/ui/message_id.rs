//! Ids that are no numbers, stand twice, or are misspelt.
use messenger::{Message, messenger_id_enum};
use serde::{Deserialize, Serialize};

messenger_id_enum! {
    enum Mid {
        Ball = 1,
        Back = 1,
    }
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = "Ball", codec = bincode)]
struct Text;

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Bell, codec = bincode)]
struct Misspelt;

fn main() {}
