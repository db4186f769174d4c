mod common;

use common::*;
use messenger::testing::Harness;

fn main() {
    let mut ping = Harness::new(Ping);
    ping.handle(&Ball(1)).unwrap();
    ping.expect_sent::<Quote>().unwrap();
}
