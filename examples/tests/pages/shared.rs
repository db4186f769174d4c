//! The code of `docs/shared-guide.md` that stands in no example. It is compiled and not run: it names a bus and a directory that are not the tests'.
#![expect(dead_code, reason = "the page shows it")]

use std::error::Error;

use messenger::bus::{Record, Tag};
use messenger_examples::market_data::messages::Quote;

fn using_it() -> Result<(), Box<dyn Error>> {
    use messenger::bus::{MessageId, SourceId, Tag};
    use messenger::shared::SharedBus;

    let tag = Tag::new(SourceId::new(1), MessageId::new(1)); // who sends, and what
    let shared = SharedBus::open_or_create("prices", 1 << 20)?; // a name, and the ring's length in bytes
    shared.bus().publisher()?.send(tag, b"hello")?;
    let changes = shared.membership(); // who comes, leaves and dies from now on
    // Later, and again and again:
    for change in changes.try_iter() {
        println!("{change}"); // "the process 4711 (`feed`) has died"; its parent is also told of what
    }
    Ok(())
}

fn evicted(
    shared: &messenger::shared::SharedBus,
    show: fn(&Record<'_>),
) -> Result<(), Box<dyn Error>> {
    use messenger::bus::{ReadError, Start, WaitStrategy};
    use std::time::Duration;

    let rest = Duration::from_secs(2);
    let mut subscriber = shared.bus().subscribe_evictable(Start::Newest, rest)?;
    loop {
        let there = subscriber.wait_until(WaitStrategy::Block, None, || false);
        match there.and_then(|_| subscriber.poll(256, |record| show(&record))) {
            Ok(_) => {}
            Err(ReadError::Evicted { position, skipped }) => {
                eprintln!("missed {skipped} bytes from {position} on");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

fn on_a_journal(tag: Tag) -> Result<(), Box<dyn Error>> {
    use messenger::journal::JournalConfig;
    use messenger::shared::SharedBus;

    let config = JournalConfig::new().segment_bytes(64 << 20);
    let options = SharedBus::options().journal("/var/lib/prices", config);
    let shared = options.open_or_create("prices")?;
    let journal = shared.journal().expect("it was made with one");
    let position = shared.bus().publisher()?.send(tag, b"kept")?;
    journal.wait_synced(position, None)?;
    Ok(())
}

fn only_reading(show: fn(&Quote)) -> Result<(), Box<dyn Error>> {
    use messenger::bus::{ObserveError, Start, WaitStrategy};
    use messenger::shared::SharedBus;
    use messenger::{Message, Receive};

    let mut reader = SharedBus::read("prices", Start::Oldest)?;
    let mut payload = Vec::new();
    loop {
        match reader.next_until(&mut payload, WaitStrategy::Block, None, || false) {
            Ok(Some(record)) if record.tag.message == Quote::ID => show(Quote::receive(&payload)?),
            Ok(_) => {}
            Err(ObserveError::Lagged { skipped }) => eprintln!("missed {skipped} bytes"),
            Err(error) => return Err(error.into()),
        }
    }
}
