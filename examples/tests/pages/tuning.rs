//! The code of `docs/tuning.md`.

use messenger::bus::{Bus, MessageId, SourceId, Start, Tag, WaitStrategy};
use std::error::Error;

const PRICE: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

fn many_at_once(bus: &Bus) -> Result<u64, Box<dyn Error>> {
    let mut subscriber = bus.subscribe(Start::Oldest)?;
    let mut publisher = bus.publisher()?;

    // Room for many, claimed at once.
    let mut run = publisher.reserve(64 << 10)?;
    for price in 1..=100_u64 {
        run.send(PRICE, &price.to_le_bytes())?;
    }
    drop(run);

    // All that is there, up to 1024 records; the room is given back once.
    subscriber.wait_until(WaitStrategy::Spin, None, || false)?;
    let mut sum = 0;
    subscriber.poll(1024, |record| {
        sum += record
            .payload()
            .iter()
            .map(|&byte| u64::from(byte))
            .sum::<u64>();
    })?;
    Ok(sum)
}

#[test]
fn runs_of_records_share_what_each_costs() {
    let bus = Bus::new(messenger::bus::BusConfig::bytes(4 << 20).prefault(true)).unwrap();
    assert_eq!(many_at_once(&bus).unwrap(), 5050);
}
