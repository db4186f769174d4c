use messenger::Handler;

#[derive(Handler)]
#[handler(id = 9, lifecycle)]
pub struct A;

fn main() {}
