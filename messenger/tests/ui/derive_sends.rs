mod common;

use common::*;
use messenger::Handler;

#[derive(Handler)]
#[handler(id = 9, sends(Ball, Ball))]
pub struct A;

#[derive(Handler)]
#[handler(id = 10, sends(String))]
pub struct B;

fn main() {}
