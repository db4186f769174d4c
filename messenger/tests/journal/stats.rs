//! How a journal stands, said while it runs, from inside and from outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use messenger::bus::{Publisher, Start, WaitStrategy};
use messenger::journal::{Journal, JournalConfig, JournalStats, Reader, Retention};

use crate::kit::{Dir, small, tag};
use crate::until::until;

const SEGMENT: u64 = 4096;

/// Without notes of the time but the test's own.
fn plain() -> JournalConfig {
    small().time_resolution(Duration::ZERO)
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_795_752_000 + seconds)
}

fn outside(dir: &Dir) -> JournalStats {
    Reader::open(dir).unwrap().stats().unwrap()
}

fn finished(journal: &Journal) -> JournalStats {
    until("walked over", || {
        let stats = journal.stats();
        stats.finished == stats.newest
    });
    journal.stats()
}

/// Unless it was said, so many as hold a MiB, up to 4.
#[test]
fn short_segments_are_made_ahead_by_the_mib() {
    for (segment, ahead) in [(64 << 10, 4), (512 << 10, 2), (2 << 20, 1)] {
        let dir = Dir::new("ahead");
        let journal = dir.open(JournalConfig::new().segment_bytes(segment));
        let mut publisher = journal.bus().publisher().unwrap();
        publisher.send(tag(1), b"wants them").unwrap();
        until("made ahead", || journal.stats().segments > ahead);
        assert_eq!(journal.stats().segments, 1 + ahead);
    }
}

#[test]
fn says_how_much_there_is_and_how_far_it_is_synced() {
    let dir = Dir::new("stands");
    let journal = dir.open(plain());
    let empty = journal.stats();
    assert_eq!((empty.segments, empty.disk_bytes), (1, 4096 + SEGMENT));
    assert_eq!((empty.oldest, empty.newest, empty.synced), (0, 0, 0));
    assert_eq!((empty.oldest_time, empty.newest_time), (None, None));
    assert_eq!((empty.flushes, empty.longest_flush), (0, Duration::ZERO));
    assert_eq!((empty.unsynced_since, empty.ahead), (None, SEGMENT));

    let mut publisher = journal.bus().publisher().unwrap();
    let send = |publisher: &mut Publisher, count: u64| {
        for _ in 0..count {
            publisher.send(tag(1), &[1; 240]).unwrap();
        }
    };
    send(&mut publisher, 8);
    assert_eq!(journal.stats().unsynced_since, None, "none has been noted");
    journal.note_time(&mut publisher, at(1)).unwrap();
    send(&mut publisher, 40);
    journal.note_time(&mut publisher, at(2)).unwrap();
    until("made ahead", || journal.stats().segments == 5);
    let stats = finished(&journal);
    let tail = journal.bus().tail();
    assert_eq!((stats.oldest, stats.newest, stats.synced), (0, tail, 0));
    assert_eq!(stats.disk_bytes, 5 * (4096 + SEGMENT));
    assert_eq!(stats.ahead, 5 * SEGMENT - tail);
    let times = (stats.oldest_time, stats.newest_time, stats.unsynced_since);
    assert_eq!(times, (Some(at(1)), Some(at(2)), Some(at(1))));
    assert_eq!(outside(&dir), stats);

    journal.sync().unwrap();
    let stats = journal.stats();
    assert_eq!((stats.synced, stats.unsynced_since), (tail, None));
    assert_eq!(stats.flushes, 1);
    assert!(stats.longest_flush > Duration::ZERO);
    // A note of the time is nothing that waits.
    journal.note_time(&mut publisher, at(3)).unwrap();
    assert_eq!(journal.stats().unsynced_since, None);
    send(&mut publisher, 1);
    journal.note_time(&mut publisher, at(4)).unwrap();
    assert_eq!(journal.stats().unsynced_since, Some(at(4)));
    // A claim that is being filled holds back what is finished.
    let mut open = publisher.claim(tag(1), 8).unwrap();
    open.zeroed();
    assert!(journal.stats().finished < journal.stats().newest);
    open.commit().unwrap();
    let before = finished(&journal);

    // What goes counts no more, and its time is that of what stays.
    journal.trim(3 * SEGMENT).unwrap();
    let stats = journal.stats();
    assert_eq!((stats.segments, stats.oldest), (2, 3 * SEGMENT));
    assert_eq!(stats.oldest_time, Some(at(2)));
    assert_eq!(stats.newest, before.newest);
    let seen = outside(&dir);
    // The files know of a flush by the next one.
    assert!(seen.synced <= stats.synced);
    assert_eq!(seen.flushes, 1);
    drop(publisher);
    journal.close().unwrap();
    let closed = outside(&dir);
    assert_eq!(
        (closed.synced, closed.unsynced_since),
        (closed.newest, None)
    );
    assert_eq!(closed.flushes, 2);
    // Those of before are another's.
    let journal = dir.open(plain());
    assert_eq!(journal.stats().flushes, 0);
    assert_eq!(journal.stats().newest_time, Some(at(4)));
}

#[test]
fn what_lies_behind_a_gap_is_not_ready() {
    let dir = Dir::new("behind-a-gap");
    let journal = dir.open(plain());
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(1), &[1; 240]).unwrap();
    drop(publisher);
    journal.close().unwrap();
    let before = outside(&dir);
    // As one of the journal's that nothing was written to.
    let path = |base: u64| dir.join(format!("{base:020}.segment"));
    let mut bytes = std::fs::read(path(0)).unwrap();
    bytes[4096..].fill(0);
    bytes[32..40].copy_from_slice(&(100 * SEGMENT).to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..64]);
    bytes[64..68].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(path(100 * SEGMENT), bytes).unwrap();
    let seen = outside(&dir);
    assert_eq!(seen.segments, before.segments + 1);
    assert_eq!((seen.newest, seen.ahead), (before.newest, before.ahead));
}

#[test]
fn the_journals_own_notes_say_when() {
    let begun = SystemTime::now();
    let journal = Journal::in_memory(small()).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(1), b"first").unwrap();
    until("noted", || journal.stats().oldest_time.is_some());
    until("noted", || journal.stats().unsynced_since.is_some());
    let first = journal.stats();
    assert_eq!(first.oldest_time, first.newest_time);
    assert!((begun..=SystemTime::now()).contains(&first.newest_time.unwrap()));
    publisher.send(tag(1), b"second").unwrap();
    until("noted", || journal.stats().newest_time > first.newest_time);
    assert_eq!(journal.stats().oldest_time, first.oldest_time);
}

#[test]
fn the_last_time_is_the_users_if_he_noted_it_last() {
    let journal = Journal::in_memory(small()).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(1), b"first").unwrap();
    until("noted", || journal.stats().newest_time.is_some());
    let mut seconds = 0;
    // The journal may note one more before it finds that it need not.
    until("noted last", || {
        seconds += 1;
        journal.note_time(&mut publisher, at(seconds)).unwrap();
        journal.stats().newest_time == Some(at(seconds))
    });
    publisher.send(tag(1), b"second").unwrap();
    until("noted", || journal.stats().newest_time != Some(at(seconds)));
}

/// Nothing of it stands in anybody's way, and it stands in nobody's.
#[test]
fn it_can_be_asked_for_while_all_goes_on() {
    let dir = Dir::new("asked");
    let retention = Retention::all().at_most(4 * SEGMENT);
    let journal = dir.open(small().retain(retention));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let mut publisher = journal.bus().publisher().unwrap();
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        let stop = &stop;
        scope.spawn(move || {
            for n in 0..20_000_u16 {
                publisher.send(tag(n % 7), &[7; 100]).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let soon = Duration::from_millis(5);
                let _ = subscriber.next_timeout(WaitStrategy::Block, soon).unwrap();
            }
        });
        while !stop.load(Ordering::Relaxed) {
            journal.sync().unwrap();
            let stats = journal.stats();
            assert!(stats.oldest <= stats.newest, "{stats:?}");
            assert!(stats.synced <= stats.finished, "{stats:?}");
            assert!(stats.finished <= stats.newest, "{stats:?}");
            assert!(stats.segments > 0, "{stats:?}");
            assert!(stats.synced == 0 || stats.flushes > 0, "{stats:?}");
            let seen = outside(&dir);
            assert!(seen.oldest <= seen.newest, "{seen:?}");
        }
    });
}
