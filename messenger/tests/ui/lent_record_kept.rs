use messenger::bus::{Bus, BusConfig, Start};

fn main() {
    let bus = Bus::new(BusConfig::bytes(4096)).unwrap();
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    let first = subscriber.try_next();
    let second = subscriber.try_next();
    drop((first, second));
}
