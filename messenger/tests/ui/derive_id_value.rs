use messenger::Handler;

#[derive(Handler)]
#[handler(id = 70_000)]
pub struct A;

#[derive(Handler)]
#[handler(id = "a")]
pub struct B;

fn main() {}
