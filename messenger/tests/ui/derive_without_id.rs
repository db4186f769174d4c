mod common;

use common::*;
use messenger::Handler;

#[derive(Handler)]
pub struct A;

#[derive(Handler)]
#[handler(sends(Ball))]
pub struct B;

#[derive(Handler)]
#[handler]
pub struct C;

fn main() {}
