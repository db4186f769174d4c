//! Several mistakes in the options of several messages: all are reported, and none sets off others.
use messenger::{ExtendedMessage, Message};
use serde::{Deserialize, Serialize};

#[derive(Message, Serialize, Deserialize)]
#[message(codec = bincode)]
struct NoId;

#[derive(Message, Serialize, Deserialize)]
#[message(id = 2)]
struct NoCodec;

#[derive(Message, Serialize, Deserialize)]
#[message(id = 3, codec = json)]
struct OtherCodec;

#[derive(Message, Serialize, Deserialize)]
#[message(id = 4, codec = zerocopy)]
struct NearlyACodec;

#[derive(Message, Serialize, Deserialize)]
#[message(id = 5, codec = bincode, id = 6, nmae = "Ball", version = 2)]
struct Options;

#[derive(Message, Serialize, Deserialize)]
#[message(id, codec =, name = Ball)]
struct NoValues;

fn sends<M: ExtendedMessage>() {}

fn main() {
    sends::<NoId>();
    sends::<NoCodec>();
    sends::<OtherCodec>();
    sends::<NearlyACodec>();
    sends::<Options>();
    sends::<NoValues>();
}
