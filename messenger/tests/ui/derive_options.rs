use messenger::Handler;

#[derive(Handler)]
#[handler(id = 9, send(Reply), id = 10, colour = 3)]
pub struct A;

#[derive(Handler)]
#[handler(id, sends = Reply, lifecycle = true, name = B)]
pub struct B;

fn main() {}
