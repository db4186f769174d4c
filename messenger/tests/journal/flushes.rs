//! How many flushes there are: publishers share them, and an idle journal leaves the disk alone.
#![cfg(feature = "fault")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use messenger::bus::Start;
use messenger::journal::{JournalConfig, Retention, SyncPolicy};

use crate::kit::{Dir, small, tag};
use crate::until::until;
#[cfg(target_os = "linux")]
use {
    crate::durability::{is_counted, written},
    messenger::journal::Journal,
};

static PANICKED: AtomicBool = AtomicBool::new(false);

/// How many publishers there are that are to share flushes, and how many of them wait for one.
static TOGETHER: AtomicU64 = AtomicU64::new(0);
static WAITING: AtomicU64 = AtomicU64::new(0);

/// What is done once, as the cursor of the second name is flushed in a journal `meanwhile`.
static MEANWHILE: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

/// A disk with a file of this name beside the segments fails.
const REFUSES: &str = "refuses";

/// How many flushes of segments, or of cursors, there were in `dir` since this was asked first.
fn flushes(dir: &Path) -> u64 {
    static FLUSHES: OnceLock<Mutex<HashMap<PathBuf, u64>>> = OnceLock::new();
    let counts = FLUSHES.get_or_init(|| {
        messenger::fault::on_flush(Box::new(|path| {
            let segment = path.extension().is_some_and(|end| end == "segment");
            let counts = |dir: &&Path| segment || dir.ends_with("cursors");
            let Some(dir) = path.parent().filter(counts) else {
                return Ok(());
            };
            if let Some(counts) = FLUSHES.get() {
                *counts.lock().unwrap().entry(dir.to_owned()).or_default() += 1;
            }
            if dir.to_string_lossy().contains("-panics-") && !PANICKED.swap(true, Ordering::Relaxed)
            {
                panic!("once");
            }
            if dir.to_string_lossy().contains("-group-") {
                // On a fast disk, or a busy machine, it would be luck that others come meanwhile.
                let begun = Instant::now();
                let some_are_late =
                    || WAITING.load(Ordering::Relaxed) < TOGETHER.load(Ordering::Relaxed);
                while some_are_late() && begun.elapsed() < Duration::from_secs(1) {
                    std::thread::sleep(Duration::from_micros(500));
                }
            }
            if dir.to_string_lossy().contains("-meanwhile-") && path.ends_with("second") {
                let meanwhile = MEANWHILE.lock().unwrap().take();
                meanwhile.into_iter().for_each(|work| work());
            }
            match dir.join(REFUSES).exists() {
                true => Err(std::io::Error::from_raw_os_error(5)),
                false => Ok(()),
            }
        }));
        Mutex::default()
    });
    counts.lock().unwrap().get(dir).copied().unwrap_or(0)
}

/// One long segment, so that a flush is one file's.
fn long() -> JournalConfig {
    JournalConfig::new().segment_bytes(1 << 22)
}

#[test]
fn an_idle_journal_leaves_the_disk_alone() {
    let dir = Dir::new("idle");
    let _ = flushes(&dir);
    let interval = Duration::from_millis(20);
    let bytes = u64::MAX;
    let policy = SyncPolicy::Every { bytes, interval };
    let journal = dir.open(small().sync(policy));
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..10 {
        publisher.send(tag(n), b"a few bytes").unwrap();
    }
    // These, and notes of the time after them: at most one after each. From then on nothing.
    let mut before = 0;
    until("nothing is flushed any more", || {
        before = flushes(&dir);
        std::thread::sleep(interval * 10);
        before > 0 && flushes(&dir) == before
    });
    assert!(before <= 20, "{before}");
}

#[test]
fn one_who_panics_as_he_flushes_leaves_it_to_others() {
    let dir = Dir::new("panics");
    let _ = flushes(&dir);
    let journal = dir.open(long());
    let mut publisher = journal.bus().publisher().unwrap();
    let last = publisher.send(tag(1), b"a few bytes").unwrap();
    std::thread::scope(|scope| {
        assert!(scope.spawn(|| journal.sync()).join().is_err());
    });
    let synced = journal.wait_synced(last, Some(Duration::from_secs(120)));
    assert!(synced.unwrap());
}

#[test]
fn publishers_share_flushes() {
    const THREADS: u64 = 8;
    const EACH: u64 = 100;
    let dir = Dir::new("group");
    let _ = flushes(&dir);
    let journal = dir.open(long().sync(SyncPolicy::EachRecord));
    let before = flushes(&dir);
    TOGETHER.store(THREADS, Ordering::Relaxed);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut last = 0;
            while !stop.load(Ordering::Relaxed) {
                let synced = journal.synced();
                assert!(synced >= last, "the watermark only grows");
                last = synced;
            }
        });
        let publishers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let mut publisher = journal.bus().publisher().unwrap();
                    for n in 0..EACH {
                        WAITING.fetch_add(1, Ordering::Relaxed);
                        let position = publisher.send(tag(n as u16), &[7; 64]).unwrap();
                        WAITING.fetch_sub(1, Ordering::Relaxed);
                        assert!(journal.synced() >= position + 80);
                    }
                    TOGETHER.fetch_sub(1, Ordering::Relaxed);
                })
            })
            .collect();
        for publisher in publishers {
            publisher.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        watch.join().unwrap();
    });
    let flushed = flushes(&dir) - before;
    println!("{} records, {flushed} flushes", THREADS * EACH);
    assert!(flushed * 2 < THREADS * EACH, "{flushed} flushes");
    assert!(flushed > 0);

    // One publisher alone shares with nobody.
    let before = flushes(&dir);
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..20 {
        publisher.send(tag(n), &[7; 64]).unwrap();
    }
    assert!(flushes(&dir) - before >= 20);
}

/// After a loss of power a cursor is to say no position that has been given up since it passed it.
#[test]
fn what_cursors_have_passed_goes_once_they_are_flushed() {
    let dir = Dir::new("passed");
    let cursors = dir.join("cursors");
    let _ = flushes(&cursors);
    let config = small().retain(Retention::all().until_passed());
    let journal = dir.open(config.time_resolution(Duration::ZERO));
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..100 {
        publisher.send(tag(n), &[1; 240]).unwrap();
    }
    let mut cursor = journal.cursor("mine").unwrap();
    let before = flushes(&cursors);
    cursor.store(3 * 4096).unwrap();
    until("what it has passed", || journal.oldest() == 3 * 4096);
    let after = flushes(&cursors);
    assert!(after > before);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(flushes(&cursors), after, "there is nothing more to go");
}

/// Also if it goes for being more than is kept, and another has not passed it.
#[test]
fn what_one_cursor_has_passed_goes_once_it_is_flushed() {
    let dir = Dir::new("passed-by-one");
    let cursors = dir.join("cursors");
    let _ = flushes(&cursors);
    let retain = Retention::all().until_passed().at_most(8 * 4096);
    let journal = dir.open(small().retain(retain).time_resolution(Duration::ZERO));
    let _slow = journal.cursor("slow").unwrap();
    let mut mine = journal.cursor("mine").unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let mut send = |records| {
        for n in 0..records {
            publisher.send(tag(n), &[1; 240]).unwrap();
        }
    };
    send(6 * 16);
    mine.store(5 * 4096).unwrap();
    let before = flushes(&cursors);
    send(6 * 16);
    until("more than the most", || journal.oldest() > 0);
    assert!(flushes(&cursors) > before);
}

/// Nor does what goes without them, for then it is not there for who comes back to one that was set back.
#[test]
fn whatever_goes_the_cursors_are_flushed_before() {
    let (most, plain) = (4 * 4096, small().time_resolution(Duration::ZERO));
    for config in [
        plain.retain(Retention::all().at_most(most)),
        plain.bound(most),
    ] {
        let dir = Dir::new("passed-by-the-way");
        let cursors = dir.join("cursors");
        let _ = flushes(&cursors);
        let journal = dir.open(config);
        let mut publisher = journal.bus().publisher().unwrap();
        let mut send = |records| {
            for n in 0..records {
                publisher.send(tag(n), &[1; 240]).unwrap();
            }
        };
        send(3 * 16);
        let mut cursor = journal.cursor("mine").unwrap();
        cursor.store(2 * 4096).unwrap();
        let before = flushes(&cursors);
        send(10 * 16);
        until("gone", || {
            journal.stats().segments < 8 && journal.oldest() > 0
        });
        assert!(flushes(&cursors) > before);
        // Also by hand.
        let (before, oldest) = (flushes(&cursors), journal.oldest());
        cursor.store(oldest + 4096).unwrap();
        until("trimmed", || journal.trim(oldest + 4096).unwrap() > oldest);
        assert!(flushes(&cursors) > before);
        // Where that can't be, who does not wait for them does not wait for that.
        std::fs::write(cursors.join(REFUSES), "").unwrap();
        let oldest = journal.oldest();
        send(10 * 16);
        until("gone", || {
            journal.stats().segments < 8 && journal.oldest() > oldest
        });
    }
}

/// One reads on, and says so by a cursor that has been flushed just before.
#[test]
fn what_is_read_as_the_cursors_are_flushed_stays_until_they_are_again() {
    let dir = Dir::new("meanwhile");
    let cursors = dir.join("cursors");
    let _ = flushes(&cursors);
    let retain = Retention::all().at_most(4 * 4096);
    let journal = dir.open(small().retain(retain).time_resolution(Duration::ZERO));
    let subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..12 * 16 {
        publisher.send(tag(n), &[1; 240]).unwrap();
    }
    let reader = (subscriber, journal.cursor("first").unwrap());
    let _second = journal.cursor("second").unwrap();
    let reader = Arc::new(Mutex::new(reader));
    let read = {
        let reader = Arc::clone(&reader);
        move |records| {
            let (subscriber, cursor) = &mut *reader.lock().unwrap();
            assert_eq!(subscriber.poll(records, |_| ()), Ok(records));
            cursor.store(subscriber.position()).unwrap();
        }
    };
    let (on, (tell, told)) = (read.clone(), std::sync::mpsc::channel());
    let counted = cursors.clone();
    *MEANWHILE.lock().unwrap() = Some(Box::new(move || {
        on(10 * 16);
        tell.send(flushes(&counted)).unwrap();
    }));
    read(2 * 16);
    let before = told.recv_timeout(Duration::from_secs(60)).unwrap();
    until("gone", || journal.oldest() == 8 * 4096);
    assert!(flushes(&cursors) > before);
}

#[test]
fn what_is_trimmed_goes_once_the_cursors_are_flushed() {
    let dir = Dir::new("passed-and-trimmed");
    let cursors = dir.join("cursors");
    let _ = flushes(&cursors);
    let journal = dir.open(small().time_resolution(Duration::ZERO));
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..6 * 16 {
        publisher.send(tag(n), &[1; 240]).unwrap();
    }
    let mut cursor = journal.cursor("mine").unwrap();
    cursor.store(4 * 4096).unwrap();
    std::fs::write(cursors.join(REFUSES), "").unwrap();
    let error = journal.trim(2 * 4096).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("could not flush the cursors: "), "{text}");
    assert_eq!(journal.oldest(), 0);
    std::fs::remove_file(cursors.join(REFUSES)).unwrap();
    let before = flushes(&cursors);
    assert_eq!(journal.trim(2 * 4096).unwrap(), 2 * 4096);
    let after = flushes(&cursors);
    assert!(after > before);
    assert_eq!(journal.trim(2 * 4096).unwrap(), 2 * 4096);
    assert_eq!(flushes(&cursors), after, "there is nothing more to go");
}

#[test]
fn while_a_subscriber_keeps_all_there_is_no_cursor_is_flushed() {
    let dir = Dir::new("kept-by-one");
    let cursors = dir.join("cursors");
    let _ = flushes(&cursors);
    let retain = Retention::all().until_passed().at_most(4 * 4096);
    let journal = dir.open(small().retain(retain).time_resolution(Duration::ZERO));
    let mut cursor = journal.cursor("mine").unwrap();
    let _held = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..12 * 16 {
        publisher.send(tag(n), &[1; 240]).unwrap();
    }
    cursor.store(8 * 4096).unwrap();
    until("walked over", || {
        journal.stats().finished == journal.bus().tail()
    });
    let before = flushes(&cursors);
    std::thread::sleep(Duration::from_millis(400));
    assert_eq!(flushes(&cursors), before);
}

/// To the system what it could not write is unchanged from then on: another flush would do nothing, and say that all is well.
#[cfg(target_os = "linux")]
#[test]
fn what_an_opening_has_failed_to_clear_is_written_again_by_the_next() {
    for has_words in [true, false] {
        let (live, dir) = (Dir::new("live"), Dir::new("not-cleared"));
        let _ = flushes(&dir);
        let config = long().time_resolution(Duration::ZERO);
        let journal = live.open(config);
        let mut publisher = journal.bus().publisher().unwrap();
        let sent: Vec<_> = (0..40)
            .map(|n| publisher.send(tag(n), &[1; 50_000]).unwrap())
            .collect();
        // As a loss of power leaves it: a record is missing, and the words are those of another boot, or gone.
        std::fs::create_dir(&*dir).unwrap();
        let copy = |name: &str, changed: Option<usize>| {
            let mut bytes = std::fs::read(live.join(name)).unwrap();
            changed.into_iter().for_each(|at| bytes[at] ^= 1);
            std::fs::write(dir.join(name), bytes).unwrap();
        };
        copy("schema", None);
        let lost = 4096 + sent[20] as usize;
        copy("00000000000000000000.segment", Some(lost));
        if has_words {
            copy("control", Some(32));
        }
        drop((publisher, journal));
        if !is_counted(&dir) {
            return;
        }
        std::fs::write(dir.join(REFUSES), "").unwrap();
        let refused = Journal::open(&dir, config).unwrap_err().to_string();
        let expected = "flush a segment that was cleared";
        assert!(refused.contains(expected), "{refused}");
        std::fs::remove_file(dir.join(REFUSES)).unwrap();
        for entry in std::fs::read_dir(&dir).unwrap() {
            let file = std::fs::File::open(entry.unwrap().path()).unwrap();
            file.sync_all().unwrap();
        }
        let before = written();
        let journal = dir.open(config);
        assert_eq!(journal.bus().tail(), sent[20]);
        let again = written() - before;
        let cleared = sent[39] - sent[20];
        assert!(again >= cleared, "{again} bytes, words: {has_words}");
        drop(journal);
        // Once.
        let before = written();
        drop(dir.open(config));
        let more = written() - before;
        assert!(more < 1 << 20, "{more} bytes");
    }
}
