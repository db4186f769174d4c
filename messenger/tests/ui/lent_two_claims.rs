use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Tag};

fn main() {
    let bus = Bus::new(BusConfig::bytes(4096)).unwrap();
    let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    let mut publisher = bus.publisher().unwrap();
    let first = publisher.claim(tag, 8);
    let second = publisher.claim(tag, 8);
    drop((first, second));
}
