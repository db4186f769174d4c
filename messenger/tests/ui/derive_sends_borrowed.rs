use messenger::Handler;

#[derive(messenger::Message, serde::Serialize, serde::Deserialize)]
#[message(id = 9, codec = bincode)]
pub struct Note<'a>(&'a str);

#[derive(Handler)]
#[handler(id = 9, sends(Note))]
pub struct A;

fn main() {}
