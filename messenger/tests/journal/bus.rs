//! What a journal promises as a bus beyond what the contract suite asks of all: segments come and go, the keeper is a thread.

use std::fs::OpenOptions;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use messenger::bus::{
    ClaimError, CommitError, ObserveError, Publisher, ReadError, Start, Subscriber, WaitStrategy,
};
use messenger::journal::{Journal, JournalFault, LeftBy, Retention, SyncPolicy};

use crate::kit::{Dir, payload, quiet, small, tag};
use crate::until::until;

const LONG: Duration = Duration::from_secs(120);

/// Readers and publishers of a bounded journal are faster than its keeper, which walks behind them.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn what_all_have_read_goes_while_the_keeper_is_behind() {
    let dir = Dir::new("bounded");
    let journal = dir.open(quiet().bound(8192));
    let mut publisher = journal.bus().publisher().unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    for n in 0..20_000_u64 {
        let bytes = payload(n);
        publisher.try_send(tag(1), &bytes).unwrap();
        assert_eq!(subscriber.try_next().unwrap().unwrap().payload(), bytes);
        if n % 1000 == 0 {
            journal.sync().unwrap();
        }
    }
    assert!(journal.oldest() > 1 << 20);
    drop((publisher, subscriber));
    let oldest = journal.oldest();
    until("what was read goes", || {
        journal.trim(0).unwrap() >= oldest - 8192
    });
    until("about as many segments as the bound says", || {
        let files = std::fs::read_dir(&dir).unwrap();
        let segments = files.filter(|file| {
            let name = file.as_ref().unwrap().file_name();
            name.to_string_lossy().ends_with(".segment")
        });
        segments.count() <= 6
    });
    journal.close().unwrap();
    let journal = dir.open(quiet().bound(8192));
    assert_eq!(journal.recovery().left, LeftBy::Closing);
    assert_eq!(journal.recovery().dropped, None);
}

#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn a_sync_does_not_miss_what_was_given_up_unsynced() {
    let dir = Dir::new("unsynced");
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..1000 {
        publisher.send(tag(1), &payload(n)).unwrap();
    }
    assert_eq!(journal.synced(), 0);
    until("old segments go", || {
        journal.trim(u64::MAX).unwrap() > 50_000
    });
    let tail = journal.bus().tail();
    assert_eq!(journal.sync().unwrap(), tail);
    drop(publisher);
    journal.close().unwrap();
    assert_eq!(dir.open(quiet()).recovery().dropped, None);
}

/// The tail stands where a segment ends, all have read it, and all that can go has gone.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn a_journal_that_ends_where_a_segment_does_is_closed_and_opened() {
    let dir = Dir::new("edge");
    for round in 1..=4 {
        let journal = dir.open(quiet().retain(Retention::all().at_most(0)));
        assert_eq!(journal.recovery().dropped, None);
        let mut publisher = journal.bus().publisher().unwrap();
        for _ in 0..4096 / 64 {
            publisher.send(tag(1), &[1; 48]).unwrap();
        }
        assert_eq!(journal.bus().tail(), round * 4096);
        drop(publisher);
        until("old segments go", || {
            journal.trim(u64::MAX).unwrap() >= (round - 1) * 4096
        });
        journal.close().unwrap();
    }
}

/// A thread that holds a claim open and commits another behind it waits for itself: it is told, in place of hanging.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn a_commit_behind_the_own_open_claim_does_not_wait_for_ever() {
    let dir = Dir::new("open-claim");
    let journal = dir.open(quiet().sync(SyncPolicy::EachRecord));
    let mut first = journal.bus().publisher().unwrap();
    let mut second = journal.bus().publisher().unwrap();
    let mut claim = first.claim(tag(1), 5).unwrap();
    let error = second.send(tag(2), b"behind").unwrap_err();
    let ClaimError::NotSynced(not_synced) = error else {
        panic!("{error}");
    };
    assert!(not_synced.is_pending());
    let text = error.to_string();
    assert!(text.contains("a claim before it is still open"), "{text}");
    // The keeper did not wait, nor is anything broken: the claim is committed, and all of it synced.
    claim.writer().put(b"first").unwrap();
    claim.commit().unwrap();
    assert!(journal.synced() > not_synced.position());
    second.send(tag(2), b"after").unwrap();
    let mut claim = first.claim(tag(1), 1).unwrap();
    claim.writer().put(&[]).unwrap();
    assert!(matches!(
        claim.commit(),
        Err(CommitError::Incomplete { .. })
    ));
}

/// What a task holds, dropped by whoever wakes it.
struct Holder(Mutex<Held>);

#[derive(Default)]
struct Held {
    all: Option<(Journal, Publisher, Subscriber)>,
    /// The name of the thread that woke.
    woken_by: Option<String>,
}

impl Wake for Holder {
    fn wake(self: Arc<Self>) {
        let mut held = self.0.lock().unwrap();
        held.woken_by = std::thread::current().name().map(str::to_owned);
        let all = held.all.take();
        drop(held);
        drop(all);
    }
}

/// The keeper notes the time, and so wakes a task that drops all that kept the journal open: on the keeper's own thread.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn the_keeper_may_be_who_drops_the_last_handle() {
    let config = small().time_resolution(Duration::from_millis(1));
    let dir = Dir::new("last");
    for round in 0..5 {
        let start = Instant::now();
        let journal = loop {
            match Journal::open(&dir, config) {
                Ok(journal) => break journal,
                Err(error) => {
                    let text = error.to_string();
                    assert!(text.contains("open for writing already"), "{text}");
                    assert!(start.elapsed() < LONG, "the lock stays");
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
        };
        assert_eq!(journal.recovery().left == LeftBy::Closing, round > 0);
        let subscriber = journal.bus().subscribe(Start::Newest).unwrap();
        let publisher = journal.bus().publisher().unwrap();
        let mut all = Some((journal, publisher, subscriber));
        loop {
            let Some((_, publisher, subscriber)) = &mut all else {
                unreachable!()
            };
            publisher.send(tag(1), b"something happens").unwrap();
            // (A note may stand before it, and not be finished.)
            until("the record", || subscriber.try_next().unwrap().is_some());
            let holder = Arc::new(Holder(Mutex::default()));
            let waker = Waker::from(Arc::clone(&holder));
            let task = &mut Context::from_waker(&waker);
            assert!(subscriber.poll_next(task).unwrap().is_pending());
            let mut held = holder.0.lock().unwrap();
            if held.woken_by.is_some() {
                continue;
            }
            held.all = all.take();
            drop(held);
            // Unless the note came before the task slept.
            std::thread::sleep(Duration::from_millis(50));
            let mut held = holder.0.lock().unwrap();
            if let Some(by) = &held.woken_by {
                assert_eq!(by, "journal");
                break;
            }
            all = held.all.take();
        }
    }
}

struct Panics(AtomicUsize);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        // Without the hook's message.
        std::panic::resume_unwind(Box::new("a waker's bug"));
    }
}

#[test]
fn a_waker_that_panics_does_not_end_the_keeper() {
    let config = small().time_resolution(Duration::from_millis(1));
    let journal = Journal::in_memory(config.retain(Retention::all().at_most(4096))).unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Newest).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let panics = Arc::new(Panics(AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&panics));
    publisher.send(tag(1), b"something happens").unwrap();
    until("the record", || subscriber.try_next().unwrap().is_some());
    let mut task = Context::from_waker(&waker);
    if subscriber.poll_next(&mut task).unwrap().is_pending() {
        // By the keeper's note, if that has not been before.
        let start = Instant::now();
        while panics.0.load(Ordering::SeqCst) == 0 && start.elapsed() < Duration::from_millis(200) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    drop(subscriber);
    for n in 0..2000 {
        publisher.send(tag(1), &payload(n)).unwrap();
    }
    until("the keeper gives up old segments", || {
        journal.oldest() > 4096
    });
    drop(publisher);
    journal.close().unwrap();
}

/// A publisher's place among the members says what it has claimed: it is given back after that is finished.
#[test]
fn a_publisher_leaves_after_what_it_had_open() {
    struct Counts(messenger::bus::Bus, AtomicUsize);
    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0.stats().members, Ordering::SeqCst);
        }
    }
    let journal = Journal::in_memory(quiet()).unwrap();
    let bus = journal.bus();
    let mut publisher = bus.publisher().unwrap();
    std::mem::forget(publisher.claim(tag(1), 8).unwrap());
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    let counts = Arc::new(Counts(bus.clone(), AtomicUsize::new(0)));
    let waker = Waker::from(Arc::clone(&counts));
    assert!(
        subscriber
            .poll_next(&mut Context::from_waker(&waker))
            .unwrap()
            .is_pending()
    );
    let before = bus.stats().members;
    drop(publisher);
    assert_eq!(counts.1.load(Ordering::SeqCst), before);
    assert_eq!(bus.stats().members, before - 1);
}

/// The directory is gone, so that no segment can be made: that is the trouble of who needs one, and of nobody else.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn trouble_is_told_only_to_who_needs_a_segment() {
    let dir = Dir::new("trouble");
    let journal = dir.open(quiet().bound(4096));
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    for _ in 0..4096 / 64 {
        publisher.send(tag(1), &[1; 48]).unwrap();
    }
    assert!(matches!(
        publisher.try_send(tag(1), &[1; 48]),
        Err(ClaimError::Full { .. })
    ));
    // The keeper may be making a file in it.
    until("the directory goes", || {
        std::fs::remove_dir_all(&dir).is_ok()
    });
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(150) {
        let full = publisher.try_send(tag(1), &[1; 48]);
        assert!(matches!(full, Err(ClaimError::Full { .. })), "{full:?}");
        std::thread::sleep(Duration::from_millis(1));
    }
    // All of it read, there is room up to where there are segments; then the trouble is told, also to who waits for room.
    let mut sent = 0;
    let error = loop {
        while subscriber.try_next().unwrap().is_some() {}
        match publisher.send_timeout(tag(1), &[2; 48], LONG) {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 10_000);
    };
    assert!(
        matches!(error, ClaimError::Lost(lost) if lost.kind() == std::io::ErrorKind::NotFound),
        "{error:?}"
    );
    drop((publisher, subscriber));
    assert!(matches!(
        journal.close().unwrap_err().fault(),
        JournalFault::Sync(_)
    ));
}

/// A bit of a stamp turned over makes a record an aborted one, padding or nothing at all: that is no reason to step over it.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn what_a_flipped_stamp_hides_is_damage_to_live_readers() {
    let record = |place: usize| 4096 + place * 64;
    for flip in [1_u8, 1 ^ 2, 1 ^ 3, 0x10, 0x80] {
        for place in [0, 3, 9] {
            let dir = Dir::new("flip");
            let journal = dir.open(quiet());
            let mut publisher = journal.bus().publisher().unwrap();
            for n in 0..10 {
                publisher.send(tag(n), &[n as u8; 48]).unwrap();
            }
            drop(publisher);
            journal.close().unwrap();
            let name = format!("{:020}.segment", 0);
            let mut file = OpenOptions::new()
                .read(true)
                .write(true)
                .open(dir.join(name))
                .unwrap();
            let at = SeekFrom::Start(record(place) as u64);
            let mut byte = [0];
            file.seek(at).unwrap();
            file.read_exact(&mut byte).unwrap();
            file.seek(at).unwrap();
            file.write_all(&[byte[0] ^ flip]).unwrap();
            drop(file);

            let journal = dir.open(quiet());
            let damaged = ReadError::Damaged {
                position: place as u64 * 64,
            };
            let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
            let read = subscriber.poll(place, |_| ());
            assert_eq!(read, Ok(place));
            assert_eq!(
                subscriber.try_next().map(drop),
                Err(damaged),
                "flip {flip:x}"
            );
            let mut observer = journal.bus().observe(Start::Oldest).unwrap();
            let mut bytes = Vec::new();
            for _ in 0..place {
                assert!(observer.try_next(&mut bytes).unwrap().is_some());
            }
            let error = observer.try_next(&mut bytes).map(drop);
            assert_eq!(error, Err(ObserveError::Read(damaged)), "flip {flip:x}");
        }
    }
}

/// What a subscriber has seen to be there, while it waited or when it joined, is checked when it is handed out.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn what_is_damaged_after_it_was_seen_is_not_handed_out() {
    for batches in [false, true] {
        let dir = Dir::new("seen");
        let journal = dir.open(quiet());
        let mut publisher = journal.bus().publisher().unwrap();
        for n in 0..10 {
            publisher.send(tag(n), &[n as u8; 48]).unwrap();
        }
        drop(publisher);
        journal.close().unwrap();

        let journal = dir.open(quiet());
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        let mut read = |max| {
            let count = if batches {
                subscriber.poll(max, |_| ())?
            } else {
                for _ in 0..max {
                    assert!(subscriber.try_next()?.is_some());
                }
                max
            };
            subscriber.wait_until(WaitStrategy::Spin, None, || true)?;
            Ok(count)
        };
        for (position, before) in [(0, 0), (4 * 64, 4)] {
            assert_eq!(read(before), Ok(before));
            let name = dir.join(format!("{:020}.segment", 0));
            let file = OpenOptions::new().write(true).open(name).unwrap();
            let write = |byte: u8| {
                let mut file = &file;
                file.seek(SeekFrom::Start(4096 + position + 20)).unwrap();
                file.write_all(&[byte]).unwrap();
            };
            write(0xFF);
            assert_eq!(read(1), Err(ReadError::Damaged { position }));
            write((position / 64) as u8);
        }
        assert_eq!(read(6), Ok(6));
    }
}

/// What this process has of a directory's files: open, and mapped.
#[cfg(target_os = "linux")]
fn in_use(dir: &Dir) -> (usize, usize) {
    let open = std::fs::read_dir("/proc/self/fd").unwrap();
    let open = open
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter(|path| path.starts_with(dir))
        .count();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let name = dir.to_string_lossy().into_owned();
    (
        open,
        maps.lines().filter(|line| line.contains(&name)).count(),
    )
}

#[cfg(target_os = "linux")]
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn files_and_mappings_do_not_pile_up() {
    let dir = Dir::new("piles");
    for _ in 0..5 {
        let journal = dir.open(quiet());
        let mut publisher = journal.bus().publisher().unwrap();
        let mut subscriber = journal.bus().subscribe(Start::Newest).unwrap();
        let mut observer = journal.bus().observe(Start::Newest).unwrap();
        for n in 0..20 * 4096 / 64_u64 {
            publisher.send(tag(1), &[n as u8; 48]).unwrap();
            assert!(subscriber.try_next().unwrap().is_some());
            assert!(observer.try_next(&mut Vec::new()).unwrap().is_some());
        }
        journal.sync().unwrap();
        // The lock is open; the control words, and of the segments those in use and ahead are mapped. (The keeper may still be making one.)
        until("what was left behind is unmapped", || {
            let (open, mapped) = in_use(&dir);
            open == 1 && mapped <= 6
        });
        // The members alone keep it.
        drop(journal);
        publisher.send(tag(1), b"still there").unwrap();
        drop(publisher);
        assert!(subscriber.try_next().unwrap().is_some());
        drop(subscriber);
        assert!(observer.try_next(&mut Vec::new()).unwrap().is_some());
        drop(observer);
        assert_eq!(in_use(&dir), (0, 0));
    }
}
