//! What is old goes, as the policy says, and never under a reader's feet.

use std::time::{Duration, Instant, SystemTime};

use messenger::bus::{ClaimError, JoinError, ObserveError, Publisher, Start};
use messenger::journal::{CursorError, Journal, JournalConfig, JournalFault, Reader, Retention};

use crate::kit::{Dir, small, tag};
use crate::until::until;

const SEGMENT: u64 = 4096;

fn segments(dir: &std::path::Path) -> usize {
    let entries = std::fs::read_dir(dir).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".segment")).count()
}

/// Sends `count` records of 256 bytes, so that 16 fill a segment, unless there is a note of the time.
fn send(publisher: &mut Publisher, count: u64) -> u64 {
    let mut last = 0;
    for n in 0..count {
        last = publisher.send(tag(1), &[n as u8; 240]).unwrap();
    }
    last
}

/// Without notes of the time, so that everything stands where one can tell.
fn plain() -> JournalConfig {
    small().time_resolution(Duration::ZERO)
}

#[test]
fn by_bytes() {
    let dir = Dir::new("by-bytes");
    let journal = dir.open(plain().retain(Retention::all().at_most(4 * SEGMENT)));
    let mut publisher = journal.bus().publisher().unwrap();
    let last = send(&mut publisher, 16 * 20 + 1);
    assert_eq!(last, 20 * SEGMENT);
    // The tail is 256 bytes into the 20th: four segments before that begin in the 16th.
    until("trimmed", || journal.oldest() == 16 * SEGMENT);
    until("removed", || segments(&dir) <= 6);
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let record = subscriber.try_next().unwrap().unwrap();
    assert_eq!(record.position(), 16 * SEGMENT);
    // As the tail stands still, so does the floor.
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(journal.oldest(), 16 * SEGMENT);
}

#[test]
fn by_age() {
    let dir = Dir::new("by-age");
    let age = Duration::from_millis(600);
    let journal = dir.open(small().retain(Retention::all().until_older_than(age)));
    let mut publisher = journal.bus().publisher().unwrap();
    let begun = Instant::now();
    send(&mut publisher, 160);
    std::thread::sleep(Duration::from_millis(150));
    let oldest = journal.oldest();
    assert!(oldest == 0 || begun.elapsed() > age, "too young to go");
    std::thread::sleep(age);
    // Younger ones, which stay when the others have gone.
    let young = send(&mut publisher, 64);
    until("gone", || journal.oldest() >= 8 * SEGMENT);
    assert!(journal.oldest() <= young);
    // What is in use stays, however old.
    std::thread::sleep(age + Duration::from_millis(300));
    assert!(journal.oldest() <= journal.bus().tail());
    assert!(segments(&dir) >= 1);
    send(&mut publisher, 1);
}

/// Segments that were made long before anything was written to them, as with more of them ahead, or by one who wrote little.
#[test]
fn what_is_young_stays_in_old_segments() {
    let dir = Dir::new("old-segments");
    let age = Duration::from_millis(1500);
    let journal = dir.open(small().ahead(8));
    until("made", || segments(&dir) >= 8);
    journal.close().unwrap();
    std::thread::sleep(age);
    let journal = dir.open(small().retain(Retention::all().until_older_than(age)));
    let mut publisher = journal.bus().publisher().unwrap();
    let begun = Instant::now();
    send(&mut publisher, 80);
    std::thread::sleep(Duration::from_millis(300));
    let oldest = journal.oldest();
    assert!(oldest == 0 || begun.elapsed() > age, "{oldest}");
    send(&mut publisher, 80);
    until("gone", || journal.oldest() >= 5 * SEGMENT);
    assert!(begun.elapsed() > age, "too young to go");
}

#[test]
fn what_all_have_passed() {
    let dir = Dir::new("passed");
    let journal = dir.open(plain().retain(Retention::all().until_passed()));
    let mut publisher = journal.bus().publisher().unwrap();
    send(&mut publisher, 160);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(journal.oldest(), 0, "with nobody to pass it, all stays");
    let mut cursor = journal.cursor("reports").unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    while subscriber.try_next().unwrap().is_some() {}
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(journal.oldest(), 0, "the cursor has not passed it");
    cursor.store(3 * SEGMENT + 256).unwrap();
    until("passed by both", || journal.oldest() == 3 * SEGMENT);
    // A cursor counts also when nobody holds it.
    drop((cursor, subscriber));
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(journal.oldest(), 3 * SEGMENT);
    journal.remove_cursor("reports").unwrap();
    let mut behind = journal.cursor("behind").unwrap();
    assert_eq!(behind.position(), 3 * SEGMENT, "a new one is at the oldest");
    behind.store(9 * SEGMENT).unwrap();
    until("passed", || journal.oldest() == 9 * SEGMENT);
}

/// What holds old segments back may go at any time: then they go, and not when younger ones are old, too.
#[test]
fn what_is_old_goes_as_soon_as_it_has_been_passed() {
    let age = Duration::from_secs(3);
    let by_age = Retention::all().until_older_than(age);
    for retention in [by_age, by_age.until_passed()] {
        let dir = Dir::new("old-and-passed");
        let journal = dir.open(small().retain(retention));
        let mut publisher = journal.bus().publisher().unwrap();
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        let mut cursor = journal.cursor("mine").unwrap();
        send(&mut publisher, 16 * 5);
        std::thread::sleep(age + Duration::from_millis(100));
        let old = journal.bus().tail() & !(SEGMENT - 1);
        let begun = Instant::now();
        // Young ones, at which the keeper may look meanwhile.
        send(&mut publisher, 16 * 5);
        let tail = journal.bus().tail();
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(journal.oldest(), 0, "old, and not passed");
        while subscriber.try_next().unwrap().is_some() {}
        if retention != by_age {
            std::thread::sleep(Duration::from_millis(300));
            assert_eq!(journal.oldest(), 0, "the cursor has not passed it");
            cursor.store(2 * SEGMENT).unwrap();
            until("passed", || journal.oldest() == 2 * SEGMENT);
        }
        cursor.store(tail).unwrap();
        until("gone", || journal.oldest() >= old);
        std::thread::sleep(Duration::from_millis(300));
        let oldest = journal.oldest();
        assert!(oldest == old || begun.elapsed() > age, "too young to go");
        while subscriber.try_next().unwrap().is_some() {}
        cursor.store(journal.bus().tail()).unwrap();
        until("old by now", || journal.oldest() > old);
        assert!(begun.elapsed() > age, "too young to go");
    }
}

/// One that was copied from another journal says nothing of this one, however far it is there.
#[test]
fn what_a_cursor_of_another_journal_says_lets_nothing_go() {
    let other = Dir::new("other-journal");
    other
        .open(plain())
        .cursor("mine")
        .unwrap()
        .store(40 * SEGMENT)
        .unwrap();
    let dir = Dir::new("foreign-cursor");
    let journal = dir.open(plain().retain(Retention::all().until_passed()));
    std::fs::create_dir(dir.join("cursors")).unwrap();
    std::fs::copy(other.join("cursors/mine"), dir.join("cursors/mine")).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    send(&mut publisher, 160);
    std::thread::sleep(Duration::from_millis(250));
    assert_eq!(journal.oldest(), 0);
    let error = journal.cursors().unwrap_err();
    assert!(matches!(error, CursorError::OtherJournal { .. }), "{error}");
}

#[test]
fn no_more_than_the_most_is_kept_whatever_it_waits_for() {
    let hour = Duration::from_secs(3600);
    let most = Retention::all().at_most(4 * SEGMENT);
    for (retention, config) in [
        (most.until_passed(), plain()),
        (most.until_passed().until_older_than(hour), small()),
        (most.until_older_than(hour), small()),
    ] {
        let dir = Dir::new("most");
        let journal = dir.open(config.retain(retention));
        let mut publisher = journal.bus().publisher().unwrap();
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        let cursor = journal.cursor("behind").unwrap();
        send(&mut publisher, 16 * 20);
        std::thread::sleep(Duration::from_millis(250));
        assert_eq!(journal.oldest(), 0, "a subscriber has yet to read it");
        for _ in 0..16 * 2 {
            subscriber.try_next().unwrap().unwrap();
        }
        until("up to the subscriber", || journal.oldest() >= SEGMENT);
        assert!(journal.oldest() <= 2 * SEGMENT);
        while subscriber.try_next().unwrap().is_some() {}
        let oldest = |journal: &Journal| {
            let most = journal.bus().tail() - 4 * SEGMENT;
            most & !(SEGMENT - 1)
        };
        until("trimmed", || journal.oldest() == oldest(&journal));
        // Who comes back to the cursor is told.
        let mut reader = Reader::open(&dir).unwrap();
        let gone = reader.seek(cursor.position()).unwrap_err();
        assert!(matches!(
            gone.fault(),
            JournalFault::Gone { position: 0, .. }
        ));
        // What can't be told is waited for, as what has not come.
        std::fs::write(dir.join("cursors/damaged"), [0xFF; 8192]).unwrap();
        assert!(journal.cursors().is_err());
        drop(subscriber);
        send(&mut publisher, 16 * 20);
        until("trimmed", || journal.oldest() == oldest(&journal));
    }
}

#[test]
fn a_bound_makes_a_ring_of_it() {
    let dir = Dir::new("bound");
    let bound = 4 * SEGMENT;
    let journal = dir.open(plain().bound(bound));
    let mut publisher = journal.bus().publisher().unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    // The whole bound fits, as soon as the keeper has made the segments, and no more.
    send(&mut publisher, 64);
    until("full", || {
        matches!(
            publisher.try_send(tag(1), &[0; 240]),
            Err(ClaimError::Full { needed: 256, capacity }) if capacity as u64 == bound
        )
    });
    assert_eq!(journal.bus().tail(), bound);
    let timed = publisher.send_timeout(tag(1), &[0; 240], Duration::from_millis(30));
    assert_eq!(timed, Err(ClaimError::Timeout { needed: 256 }));
    // As it is read there is room, and what was read goes.
    let reader = std::thread::spawn(move || {
        for _ in 0..64 * 20 {
            subscriber
                .next(messenger::bus::WaitStrategy::Block)
                .unwrap();
        }
        subscriber
    });
    send(&mut publisher, 64 * 19);
    let subscriber = reader.join().unwrap();
    until("trimmed", || segments(&dir) <= 6);
    drop(subscriber);
    // With nobody to read it is a ring that forgets.
    send(&mut publisher, 64 * 10);
    assert_eq!(journal.bus().tail(), 30 * bound);
    until("trimmed", || segments(&dir) <= 6);
    drop(publisher);
    journal.close().unwrap();
    let journal = dir.open(plain().bound(bound));
    assert_eq!(journal.recovery().tail, 30 * bound);
}

/// What was written under a longer bound, or none, is read under any.
#[test]
fn a_shorter_bound_takes_no_record_for_damage() {
    for closed in [false, true] {
        let dir = Dir::new("shorter-bound");
        let config = plain().segment_bytes(1 << 16);
        let journal = dir.open(config);
        let mut publisher = journal.bus().publisher().unwrap();
        let sent = [3, 8192, 100, (1 << 16) / 4, 5].map(|len| {
            let bytes = vec![len as u8; len];
            (publisher.send(tag(1), &bytes).unwrap(), bytes)
        });
        drop(publisher);
        let tail = journal.bus().tail();
        journal.close().unwrap();
        if !closed {
            // As in another boot, with nothing synced: only the checksums tell where it ends.
            std::fs::remove_file(dir.join("control")).unwrap();
            for entry in std::fs::read_dir(&dir).unwrap() {
                let segment = entry.unwrap().path();
                if segment.extension().is_none_or(|it| it != "segment") {
                    continue;
                }
                let mut bytes = std::fs::read(&segment).unwrap();
                bytes[128..144].fill(0);
                std::fs::write(&segment, bytes).unwrap();
            }
        }
        let journal = dir.open(config.bound(4096));
        let recovery = journal.recovery();
        assert_eq!((recovery.tail, &recovery.dropped), (tail, &None));
        let mut publisher = journal.bus().publisher().unwrap();
        assert_eq!(publisher.max_payload(), 1024);
        let error = publisher.try_send(tag(1), &[0; 1025]).unwrap_err();
        assert!(matches!(error, ClaimError::TooLarge { max: 1024, .. }));
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        for (position, bytes) in &sent {
            let record = subscriber.try_next().unwrap().unwrap();
            assert_eq!(
                (record.position(), record.payload()),
                (*position, &bytes[..])
            );
        }
        publisher.send(tag(1), &[7; 1024]).unwrap();
        assert_eq!(subscriber.try_next().unwrap().unwrap().payload(), [7; 1024]);
    }
}

#[test]
fn never_what_a_subscriber_has_yet_to_read_or_holds() {
    let dir = Dir::new("feet");
    let journal = dir.open(plain());
    let mut publisher = journal.bus().publisher().unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    send(&mut publisher, 16 * 10);
    assert_eq!(journal.trim(u64::MAX).unwrap(), 0, "nothing was read");
    for n in 0..16 * 3 {
        let record = subscriber.try_next().unwrap().unwrap();
        assert_eq!(record.payload(), [n as u8; 240]);
    }
    // The last record is lent: the segment it lies in stays.
    assert_eq!(journal.trim(u64::MAX).unwrap(), 2 * SEGMENT);
    let record = subscriber.try_next().unwrap().unwrap();
    assert_eq!(journal.trim(u64::MAX).unwrap(), 3 * SEGMENT);
    assert_eq!(record.payload(), [48; 240]);
    while subscriber.try_next().unwrap().is_some() {}
    drop(subscriber);
    assert!(journal.trim(u64::MAX).unwrap() >= 9 * SEGMENT);
    // Not beyond what is asked for, and never back.
    assert!(journal.trim(0).unwrap() >= 9 * SEGMENT);
}

#[test]
fn an_observer_is_told_what_it_has_missed() {
    let dir = Dir::new("observed");
    let journal = dir.open(plain());
    let mut publisher = journal.bus().publisher().unwrap();
    let mut observer = journal.bus().observe(Start::Oldest).unwrap();
    send(&mut publisher, 16 * 10);
    let mut bytes = Vec::new();
    assert!(observer.try_next(&mut bytes).unwrap().is_some());
    assert_eq!(journal.trim(5 * SEGMENT).unwrap(), 5 * SEGMENT);
    let error = observer.try_next(&mut bytes).unwrap_err();
    let skipped = 5 * SEGMENT - 256;
    assert_eq!(error, ObserveError::Lagged { skipped });
    let observed = observer.try_next(&mut bytes).unwrap().unwrap();
    assert_eq!(observed.position, 5 * SEGMENT);
}

#[test]
fn readers_and_joiners_are_told_that_it_has_gone() {
    let dir = Dir::new("gone");
    let journal = dir.open(plain());
    let mut publisher = journal.bus().publisher().unwrap();
    send(&mut publisher, 16 * 10);
    let mut reader = Reader::open(&dir).unwrap();
    let mut other = Reader::open(&dir).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().position, 0);
    journal.trim(5 * SEGMENT).unwrap();
    // What it has mapped it reads to the end.
    for n in 1..16 {
        let entry = reader.next().unwrap().unwrap();
        assert_eq!(entry.position, n * 256);
    }
    let error = reader.next().unwrap_err();
    assert!(matches!(
        *error.fault(),
        JournalFault::Gone { position: SEGMENT, oldest } if oldest == 5 * SEGMENT
    ));
    assert_eq!(
        error.fault().to_string(),
        "position 4096 is not retained any more: go on at 20480, the oldest record there is, and know that what stood before is missed"
    );
    assert!(matches!(
        other.next().unwrap_err().fault(),
        JournalFault::Gone { position: 0, .. }
    ));
    assert!(matches!(
        other.seek(SEGMENT).unwrap_err().fault(),
        JournalFault::Gone {
            position: SEGMENT,
            ..
        }
    ));
    other.seek_oldest().unwrap();
    assert_eq!(other.next().unwrap().unwrap().position, 5 * SEGMENT);
    other.seek_time(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(other.next().unwrap().unwrap().position, 5 * SEGMENT);

    let join = journal.bus().subscribe(Start::At(SEGMENT)).unwrap_err();
    assert!(matches!(join, JoinError::Gone { .. }), "{join}");
    assert_eq!(
        join.to_string(),
        "position 4096 is not retained any more: start at 20480, the oldest record there is, and know that what stood before is missed"
    );
    let ahead = journal.bus().subscribe(Start::At(1 << 40)).unwrap_err();
    assert!(matches!(ahead, JoinError::Ahead { .. }), "{ahead}");
    let mut subscriber = journal.bus().subscribe(Start::At(5 * SEGMENT + 1)).unwrap();
    let record = subscriber.try_next().unwrap().unwrap();
    assert_eq!(record.position(), 5 * SEGMENT + 256);
}

#[test]
fn positions_go_on_after_all_that_was_given_up() {
    let dir = Dir::new("go-on");
    let mut expected = 0;
    for round in 0..4_u64 {
        let journal = dir.open(plain());
        assert_eq!(journal.bus().tail(), expected);
        let mut publisher = journal.bus().publisher().unwrap();
        // To the very end of a segment: then the last one there is has all been read.
        let last = send(&mut publisher, 16 * 3);
        expected = last + 256;
        assert_eq!(expected, (round + 1) * 3 * SEGMENT);
        let oldest = journal.trim(u64::MAX).unwrap();
        assert!(oldest <= expected && oldest + SEGMENT >= expected);
        let bus = journal.bus();
        assert!(bus.subscribe(Start::At(oldest)).is_ok());
        let mut subscriber = bus.subscribe(Start::At(expected)).unwrap();
        assert!(subscriber.try_next().unwrap().is_none());
        drop((publisher, subscriber));
        journal.close().unwrap();
        assert!(segments(&dir) >= 1);
    }
    // And with no word of the last process.
    std::fs::remove_file(dir.join("control")).unwrap();
    let journal = Journal::open(&dir, plain()).unwrap();
    assert_eq!(journal.bus().tail(), expected);
}
