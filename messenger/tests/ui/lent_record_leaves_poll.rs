use messenger::bus::{Bus, BusConfig, Start};

fn main() {
    let bus = Bus::new(BusConfig::bytes(4096)).unwrap();
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    let mut kept = None;
    let took = subscriber.poll(8, |record| kept = Some(record));
    drop((took, kept));
}
