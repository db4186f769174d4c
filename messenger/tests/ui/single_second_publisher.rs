use messenger::bus::{Bus, BusConfig};

fn main() {
    let (bus, publisher) = Bus::single(BusConfig::bytes(4096)).unwrap();
    let second = bus.publisher();
    let third = publisher.clone();
    drop((publisher, second, third));
}
