//! Where readers begin and go on: named cursors, positions, times; and following one that another process writes.

use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant, SystemTime};

use messenger::bus::{MessageId, SourceId, Start, Tag, WaitStrategy};
use messenger::journal::{CursorError, Item, Journal, JournalFault, Reader, verify};

use crate::child;
use crate::kit::{Dir, payload, quiet, small, tag};

fn number(payload: &[u8]) -> u64 {
    u64::from_le_bytes(*payload.first_chunk().unwrap())
}

/// Takes up to `most` numbers from where the cursor says, and stores where it got to after each third one.
fn work(journal: &Journal, done: &mut Vec<u64>, most: usize) {
    let mut cursor = journal.cursor("worker").unwrap();
    let mut subscriber = journal
        .bus()
        .subscribe(Start::At(cursor.position()))
        .unwrap();
    for n in 0..most {
        let Some(record) = subscriber.try_next().unwrap() else {
            return;
        };
        done.push(number(record.payload()));
        if n % 3 == 2 {
            // Where the next one begins: what is stored is done.
            cursor.store(subscriber.position()).unwrap();
            cursor.sync().unwrap();
        }
    }
}

#[test]
fn a_worker_that_is_ended_anywhere_does_everything_at_least_once() {
    let dir = Dir::new("at-least-once");
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..200_u64 {
        publisher.send(tag(1), &n.to_le_bytes()).unwrap();
    }
    drop(publisher);
    journal.close().unwrap();
    let mut done = Vec::new();
    for run in 0.. {
        // The journal is opened anew each time, as by a process that was killed.
        let journal = dir.open(small());
        let before = done.len();
        work(&journal, &mut done, 7 + run % 5);
        if done.len() == before || done.last() == Some(&199) {
            break;
        }
    }
    let mut next = 0;
    let mut again = 0;
    for &n in &done {
        assert!(n <= next, "{n} came where {next} had not: one was skipped");
        again += u64::from(n < next);
        next = next.max(n + 1);
    }
    assert_eq!(next, 200);
    assert!(
        again > 0,
        "the test ended no run between a store and the next"
    );
    let repeated = done.len() as u64 - 200;
    assert_eq!(again, repeated);
}

#[test]
fn a_cursor_may_be_moved_back_and_is_held_by_one() {
    let dir = Dir::new("rewind");
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    let positions: Vec<_> = (0..50_u64)
        .map(|n| publisher.send(tag(1), &n.to_le_bytes()).unwrap())
        .collect();
    let mut cursor = journal.cursor("reports").unwrap();
    assert_eq!(cursor.position(), 0);
    for position in [positions[40], positions[10]] {
        cursor.store(position).unwrap();
        let mut reader = Reader::open(&dir).unwrap();
        reader.seek(cursor.position()).unwrap();
        let entry = reader.next().unwrap().unwrap();
        assert_eq!(positions[number(entry.payload) as usize], position);
    }
    let error = journal.cursor("reports").unwrap_err();
    assert!(matches!(&error, CursorError::Held { name } if name == "reports"));
    assert_eq!(
        error.to_string(),
        "the cursor `reports` is held by another reader or process: end that one, or take a cursor of another name"
    );
    let mut other = journal.cursor("audit").unwrap();
    other.store(positions[3]).unwrap();
    let error = other.store(positions[3] + 1).unwrap_err();
    assert!(matches!(error, CursorError::Position { .. }), "{error}");
    let listed: Vec<_> = journal
        .cursors()
        .unwrap()
        .into_iter()
        .map(|info| (info.name, info.position))
        .collect();
    let expected = [
        ("audit".to_owned(), positions[3]),
        ("reports".into(), positions[10]),
    ];
    assert_eq!(listed, expected);
    let error = journal.remove_cursor("audit").unwrap_err();
    assert!(matches!(error, CursorError::Held { .. }));
    drop((cursor, other));
    journal.remove_cursor("audit").unwrap();
    let error = journal.remove_cursor("audit").unwrap_err();
    assert!(matches!(error, CursorError::Missing { .. }));
    assert!(matches!(
        journal.cursor("../schema").unwrap_err(),
        CursorError::Name { .. }
    ));
    drop(publisher);
    journal.close().unwrap();
    // It is there when the journal is opened again.
    let journal = dir.open(small());
    let cursor = journal.cursor("reports").unwrap();
    assert_eq!(cursor.position(), positions[10]);
}

#[test]
fn a_position_ahead_of_the_journal() {
    let dir = Dir::new("ahead");
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(1), b"one").unwrap();
    let mut reader = Reader::open(&dir).unwrap();
    let newest = reader.newest().unwrap();
    let error = reader.seek(1 << 30).unwrap_err();
    assert!(matches!(*error.fault(), JournalFault::Ahead { position, .. } if position == 1 << 30));
    assert_eq!(
        error.to_string(),
        format!(
            "the journal in {}: position 1073741824 lies ahead of the journal, which ends at {newest}: it is one of another journal, or of an end that this one has lost; open that one, or take a position up to {newest}",
            dir.display()
        )
    );
    // A failed seek leaves it where it was; where the journal ends is a place to wait.
    assert_eq!(reader.position(), 0);
    reader.seek(newest).unwrap();
    assert_eq!(reader.next().unwrap(), None);
    publisher.send(tag(2), b"two").unwrap();
    assert_eq!(reader.next().unwrap().unwrap().payload, b"two");
    reader.seek_newest().unwrap();
    assert_eq!(reader.next().unwrap(), None);
    reader.seek(1).unwrap();
    assert_eq!(reader.next().unwrap().unwrap().payload, b"two");
    reader.seek_oldest().unwrap();
    assert_eq!(reader.next().unwrap().unwrap().payload, b"one");
}

#[test]
fn a_time_is_found_to_within_the_resolution() {
    let dir = Dir::new("times");
    let resolution = Duration::from_millis(5);
    let journal = dir.open(small().time_resolution(resolution));
    let mut publisher = journal.bus().publisher().unwrap();
    let mut groups = Vec::new();
    for group in 0..6_u64 {
        let begun = SystemTime::now();
        let first = publisher.send(tag(0), &group.to_le_bytes()).unwrap();
        // More than one segment of them.
        let mut last = first;
        for _ in 0..40 {
            last = publisher.send(tag(1), &[group as u8; 150]).unwrap();
        }
        groups.push((begun, first));
        // Until the keeper has noted it, however busy the machine is.
        while journal.position_at(SystemTime::now()).unwrap() <= last {
            std::thread::sleep(resolution);
        }
    }
    let mut reader = Reader::open(&dir).unwrap();
    for (n, (begun, first)) in groups.iter().enumerate() {
        // Right at the group's beginning: nothing of it is missed, and nothing of those before is found.
        let position = journal.position_at(*begun).unwrap();
        reader.seek_time(*begun).unwrap();
        assert_eq!(reader.position(), position);
        let entry = reader.next().unwrap().unwrap();
        assert_eq!((entry.position, number(entry.payload)), (*first, n as u64));
        let mut subscriber = journal.bus().subscribe(Start::At(position)).unwrap();
        let record = subscriber.try_next().unwrap().unwrap();
        assert_eq!(record.position(), *first);
    }
    // Before all, and after all.
    assert_eq!(journal.position_at(SystemTime::UNIX_EPOCH).unwrap(), 0);
    let later = SystemTime::now() + Duration::from_secs(60);
    reader.seek_time(later).unwrap();
    assert_eq!(reader.next().unwrap(), None);
    let after = journal.position_at(later).unwrap();
    assert!(after > groups[5].1 && after <= journal.bus().tail());
    // The notes themselves say times between the groups.
    reader.seek_oldest().unwrap();
    let mut notes = 0;
    while let Some(item) = reader.next_item().unwrap() {
        notes += usize::from(matches!(item, Item::Note(_)));
    }
    assert!(notes >= 6, "{notes} notes");
    let (first, last) = verify(&dir, |_| {}).unwrap().times.unwrap();
    assert!(first >= groups[0].0 && last <= SystemTime::now());
    assert!(last >= groups[5].0);
}

/// Writes as it is told by a line each: how many records.
fn follow_child(dir: &std::path::Path) {
    let journal = Journal::open(dir, small()).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    println!("\nopen");
    let mut n = 0;
    for line in std::io::stdin().lock().lines() {
        for _ in 0..line.unwrap().parse().unwrap() {
            let tag = Tag::new(SourceId::new(1), MessageId::new(n as u16));
            publisher.send(tag, &payload(n)).unwrap();
            n += 1;
        }
    }
}

#[test]
fn a_reader_follows_what_another_process_writes_over_many_segments() {
    if let Some(dir) = child::is("follow") {
        return follow_child(&dir);
    }
    let dir = Dir::new("follow");
    let test = "cursors::a_reader_follows_what_another_process_writes_over_many_segments";
    let mut other = child::command(test, "follow", &dir).spawn().unwrap();
    let mut orders = other.stdin.take().unwrap();
    let mut lines = BufReader::new(other.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "open"));
    let mut reader = Reader::open(&dir).unwrap();
    let mut trusting = Reader::open(&dir).unwrap().trusting();
    let mut n = 0_u64;
    for (round, strategy) in [
        WaitStrategy::Spin,
        WaitStrategy::Yield,
        WaitStrategy::Block,
        WaitStrategy::BlockNow,
    ]
    .into_iter()
    .enumerate()
    {
        // Nothing comes: the deadline passes, or the one who asked does not want to wait any more.
        let deadline = loop {
            let deadline = Instant::now() + Duration::from_millis(60);
            if !reader.wait(strategy, Some(deadline), || false).unwrap() {
                break deadline;
            }
            // But for the note of the time.
            assert_eq!(reader.next().unwrap(), None);
        };
        assert!(Instant::now() >= deadline);
        assert!(!reader.wait(strategy, None, || true).unwrap());
        let count = 400 + round as u64;
        writeln!(orders, "{count}").unwrap();
        for _ in 0..count {
            let entry = loop {
                let limit = Some(Instant::now() + Duration::from_secs(120));
                assert!(reader.wait(strategy, limit, || false).unwrap(), "no {n}");
                // It may be a note that is there.
                if let Some(entry) = reader.next().unwrap() {
                    break entry;
                }
            };
            assert_eq!(entry.message().get(), n as u16);
            assert_eq!(entry.payload, payload(n));
            let same = trusting.next().unwrap().unwrap();
            assert_eq!(
                (same.position, same.payload),
                (entry.position, entry.payload)
            );
            n += 1;
        }
    }
    assert!(reader.position() > 40 * 4096, "over many segments");
    let verified = verify(&dir, |_| {}).unwrap();
    assert!(verified.live);
    assert_eq!((verified.records, verified.damage), (n, vec![]));
    drop(orders);
    assert!(other.wait().unwrap().success());
    assert_eq!(reader.next().unwrap(), None);
}

#[test]
fn a_cursor_says_no_more_than_the_journal_has() {
    let dir = Dir::new("set-back");
    let journal = dir.open(small());
    journal
        .bus()
        .publisher()
        .unwrap()
        .send(tag(1), b"one")
        .unwrap();
    let tail = journal.bus().tail();
    for (name, position) in [("before", 0), ("at", tail), ("beyond", tail + 4096)] {
        journal.cursor(name).unwrap().store(position).unwrap();
    }
    journal.close().unwrap();
    // As if it had lost its end: the next records get the positions of those.
    let journal = dir.open(small());
    let ended = journal.recovery().tail;
    let said = journal.cursors().unwrap();
    let said: Vec<_> = said.iter().map(|it| (&*it.name, it.position)).collect();
    assert_eq!(said, [("at", tail), ("before", 0), ("beyond", ended)]);
}
