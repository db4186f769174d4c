//! On a journal: what the cursor of a worker says, which is to survive more than the worker's seat does.

use std::os::unix::fs::FileExt;

use messenger::bus::{MessageId, SourceId, Tag};

use super::*;

/// What the cursor of the first worker says, if there is one.
fn cursor(place: &Place) -> Option<u64> {
    let cursors = place.bus.journal().unwrap().cursors().unwrap();
    let cursor = cursors.into_iter().find(|it| it.name == "Split.First");
    cursor.map(|cursor| cursor.position)
}

#[test]
fn one_that_begins_again_does_not_say_what_is_not_synced() {
    let place = Place::on_a_journal();
    let mut first = place.run("First");
    place.send(1..=100).join().unwrap();
    place.wait("first", 100);
    until("its seat says so", || place.position() > Some(0));
    first.kill();
    let first = place.run("First");
    place.send(101..=200).join().unwrap();
    place.wait("first", 200);
    // Nobody has synced anything yet.
    assert_eq!(place.bus.journal().unwrap().synced(), 0);
    assert_eq!(cursor(&place), Some(0));
    stop(first);
    assert_eq!(cursor(&place), place.position());
    assert!(cursor(&place).unwrap() <= place.bus.journal().unwrap().synced());
}

#[test]
fn one_that_ends_does_not_say_what_is_not_synced() {
    let place = Place::on_a_journal();
    place.send(1..=10).join().unwrap();
    // Its answers stand behind a claim that is not finished.
    let tag = Tag::new(SourceId::new(9), MessageId::new(9));
    let mut publisher = place.bus.bus().publisher().unwrap();
    let claim = publisher.claim(tag, 8).unwrap();
    let first = Split::builder(&place.bus, place.config.clone());
    let first = first.only_named(["First"]).unwrap().start(Start::Oldest);
    let first = first.run().unwrap();
    place.wait("first", 10);
    // The report tells of the claim.
    let _ = first.stop();
    assert!(place.position() > Some(0));
    assert_eq!(cursor(&place), Some(0));
    drop(claim);
    stop(place.run("First"));
    assert_eq!(cursor(&place), place.position());
}

#[test]
fn one_that_could_not_start_has_not_begun() {
    let place = Place::on_a_journal();
    place.send(1..=10).join().unwrap();
    let bus = place.bus.bus();
    let mut others = Vec::new();
    while let Ok(other) = bus.observe(Start::Oldest) {
        others.push(other);
    }
    let run = || {
        let builder = Split::builder(&place.bus, place.config.clone());
        builder.only_named(["First"]).unwrap().run()
    };
    assert!(matches!(run(), Err(StartError::NoFreeSlot { .. })));
    assert_eq!(cursor(&place), None);
    drop(others);
    // So it begins where it is told to, with the first record after its start.
    let running = run().unwrap();
    place.send(11..=20).join().unwrap();
    place.wait("first", 20);
    running.stop().unwrap();
    assert_eq!(place.log("first"), (11..=20).collect::<Vec<u64>>());
}

#[test]
fn another_cursor_that_can_not_be_read_is_no_affair_of_a_worker() {
    let place = Place::on_a_journal();
    stop(place.run("First"));
    let journal = place.bus.journal().unwrap();
    let path = journal.path().unwrap().join("cursors/reports");
    std::fs::write(path, "x").unwrap();
    assert!(journal.cursors().is_err());
    for restores in [false, true] {
        let builder = Split::builder(&place.bus, place.config.clone());
        let builder = builder.only_named(["First"]).unwrap();
        let builder = if restores { builder.restore() } else { builder };
        builder.run().unwrap().stop().unwrap();
    }
}

#[test]
fn no_seat_says_more_than_the_journal_has() {
    let name = fresh();
    let options = Place::with_journal(&name).keep(true);
    let mut place = Place::on(options.create(&name).unwrap());
    let first = place.run("First");
    place.send(1..=10).join().unwrap();
    place.wait("first", 10);
    stop(first);
    place.running = None;
    let path = place.bus.path().to_owned();
    let other = SharedBus::create(&fresh(), 4096).unwrap();
    drop(std::mem::replace(&mut place.bus, other));
    // As if the journal had lost its end.
    let text = std::fs::read(&path).unwrap();
    let named = text.windows(11).position(|at| at == b"Split.First");
    let file = File::options().write(true).open(&path).unwrap();
    let at = named.unwrap() as u64 / 256 * 256 + 16;
    file.write_all_at(&(1_u64 << 20).to_le_bytes(), at).unwrap();
    place.bus = options.open(&name).unwrap();
    let ended = place.bus.journal().unwrap().recovery().tail;
    assert_eq!(place.position(), Some(ended));
    place.running = Some(
        Split::builder(&place.bus, place.config.clone())
            .outside()
            .run()
            .unwrap(),
    );
    // What would have been passed over.
    place.send(11..=20).join().unwrap();
    let first = place.run("First");
    assert_eq!(place.wait("first", 20), (1..=20).collect::<Vec<u64>>());
    stop(first);
    drop(place);
    SharedBus::remove(&name).unwrap();
}

/// Where nothing waits for its cursor, which lies far behind. Else it goes on there, or where somebody has set it back to.
#[test]
fn one_that_was_killed_goes_on_there_when_all_have_left() {
    for bound in [1 << 14, u64::MAX] {
        let name = fresh();
        let config = JournalConfig::new().segment_bytes(1 << 12).bound(bound);
        let dir = std::env::temp_dir().join(format!("messenger-{name}-journal"));
        let options = SharedBus::options().journal(dir, config);
        let mut place = Place::on(options.create(&name).unwrap());
        let mut first = place.run("First");
        place.send(1..=2000).join().unwrap();
        place.wait("first", 2000);
        until("its seat says so", || place.bus.workers()[0].lag == Some(0));
        first.kill();
        let position = place.position();
        place.running = None;
        let other = SharedBus::create(&fresh(), 4096).unwrap();
        drop(std::mem::replace(&mut place.bus, other));
        place.bus = options.create(&name).unwrap();
        if bound == u64::MAX {
            assert_eq!(cursor(&place), Some(0));
            continue;
        }
        assert_eq!(cursor(&place), position);
        place.running = Some(
            Split::builder(&place.bus, place.config.clone())
                .outside()
                .run()
                .unwrap(),
        );
        let first = place.run("First");
        place.send(2001..=2010).join().unwrap();
        assert_eq!(place.wait("first", 2010), (1..=2010).collect::<Vec<u64>>());
        stop(first);
    }
}
