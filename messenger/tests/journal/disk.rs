//! A disk that is full, or fails.
#![cfg(target_os = "linux")]

use std::path::Path;
use std::time::{Duration, Instant};

use messenger::bus::{ClaimError, Publisher, Start};
use messenger::journal::{Journal, JournalConfig, OpenFault, verify};

use crate::child;
use crate::kit::{Dir, finished, tag};
use crate::running;

/// Runs `test` once more as `part`, in a mount namespace of its own, with a disk of 1 MiB as its directory, or
/// says that this machine does not allow that.
pub(crate) fn on_small_disk(test: &str, part: &str) {
    let dir = Dir::new(part);
    std::fs::create_dir_all(&dir).unwrap();
    let place = dir.to_string_lossy().into_owned();
    let script = format!("mount -t tmpfs -o size=1m none {place} || exit 77; exec \"$@\"");
    let by = ["unshare", "-m", "--", "sh", "-c", &script, "sh"];
    let output = match child::command_under(&by, test, part, &dir).output() {
        Ok(output) => output,
        Err(error) => {
            return child::skipped(&format!("no `unshare` here: {error}"));
        }
    };
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    if err.contains("unshare failed") || output.status.code() == Some(77) {
        return child::skipped(&format!("no mount namespace, or no tmpfs, here: {err}"));
    }
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert!(out.contains("1 passed"), "{out}");
}

fn config() -> JournalConfig {
    JournalConfig::new().segment_bytes(1 << 16)
}

/// Sends until the disk is full. Gives how many were sent.
fn fill(publisher: &mut Publisher, from: u64) -> u64 {
    let begun = Instant::now();
    let mut n = from;
    loop {
        match publisher.send(tag(1), &n.to_le_bytes().repeat(50)) {
            Ok(_) => n += 1,
            Err(ClaimError::StorageFull { needed: 416 }) => return n,
            Err(error) => panic!("{error}"),
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "endless");
    }
}

/// Sends one more as soon as it is possible.
fn goes_on(publisher: &mut Publisher, n: u64) {
    let begun = Instant::now();
    while let Err(error) = publisher.send(tag(1), &n.to_le_bytes().repeat(50)) {
        assert!(matches!(error, ClaimError::StorageFull { .. }), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(60), "not again");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn holds(journal: &Journal, range: std::ops::Range<u64>) {
    finished(journal);
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut expected = None;
    while let Some(record) = subscriber.try_next().unwrap() {
        let n = u64::from_le_bytes(*record.payload().first_chunk().unwrap());
        assert_eq!(record.payload(), n.to_le_bytes().repeat(50));
        assert_eq!(n, expected.unwrap_or(n));
        assert!(range.start <= n, "the oldest is {n}");
        expected = Some(n + 1);
    }
    assert_eq!(expected, Some(range.end));
}

fn a_full_disk(dir: &Path) {
    // Something else that lies on the disk.
    let other = dir.join("other");
    std::fs::write(&other, vec![1; 200 << 10]).unwrap();
    let journal = Journal::open(dir.join("j"), config()).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let first = fill(&mut publisher, 0);
    assert!(first > 500, "{first}");
    // All that was committed is there, and stays.
    holds(&journal, 0..first);
    let text = publisher.try_send(tag(1), &[0; 400]).unwrap_err();
    assert_eq!(
        text.to_string(),
        "the disk is full: no segment could be had for a record of 416 bytes; free some space, or trim the journal, and send it again"
    );
    for wait in [Duration::ZERO, Duration::from_secs(100)] {
        let error = publisher.send_timeout(tag(1), &[0; 400], wait).unwrap_err();
        assert!(matches!(error, ClaimError::StorageFull { .. }), "{error}");
    }
    let error = publisher.reserve(416).unwrap_err();
    assert!(matches!(error, ClaimError::StorageFull { .. }), "{error}");

    // Space, by removing another file.
    std::fs::remove_file(&other).unwrap();
    goes_on(&mut publisher, first);
    let second = fill(&mut publisher, first + 1);
    holds(&journal, 0..second);

    // Space, by giving up what is old.
    let oldest = journal.trim(200_000).unwrap();
    assert_eq!(oldest, 3 << 16);
    goes_on(&mut publisher, second);
    let third = fill(&mut publisher, second + 1);
    assert!(third >= second + 300, "{second} {third}");
    holds(&journal, 1..third);

    // What is there can be flushed and closed on a full disk, and opened again when there is some space.
    journal.sync().unwrap();
    drop(publisher);
    let tail = journal.bus().tail();
    journal.close().unwrap();
    let verified = verify(dir.join("j"), |_| {}).unwrap();
    assert_eq!(verified.damage, []);
    // The closing may have noted the time.
    let noted = [tail, tail + 32];
    assert!(noted.contains(&verified.newest), "{}", verified.newest);
    let journal = Journal::open(dir.join("j"), config()).unwrap();
    holds(&journal, 1..third);
    journal.trim(tail).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    goes_on(&mut publisher, third);
}

#[test]
fn publishers_are_told_that_the_disk_is_full_and_go_on_when_it_is_not() {
    if let Some(dir) = child::is("full-disk") {
        return a_full_disk(&dir);
    }
    on_small_disk(
        "disk::publishers_are_told_that_the_disk_is_full_and_go_on_when_it_is_not",
        "full-disk",
    );
}

#[test]
fn publishers_that_wait_are_told_too() {
    if let Some(dir) = child::is("full-disk-waiting") {
        let journal = Journal::open(dir.join("j"), config()).unwrap();
        let publishers: Vec<_> = (0..4).map(|_| journal.bus().publisher().unwrap()).collect();
        // All meet the end of the disk, whoever wins the last place.
        let sent: u64 = std::thread::scope(|scope| {
            let threads: Vec<_> = publishers
                .into_iter()
                .map(|mut publisher| scope.spawn(move || fill(&mut publisher, 0)))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).sum()
        });
        finished(&journal);
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        let mut found = 0;
        while subscriber.try_next().unwrap().is_some() {
            found += 1;
        }
        assert_eq!(found, sent);
        return;
    }
    on_small_disk(
        "disk::publishers_that_wait_are_told_too",
        "full-disk-waiting",
    );
}

#[test]
fn a_handler_is_told_that_the_disk_is_full() {
    if let Some(dir) = child::is("full-disk-handler") {
        return running::on_a_full_disk(&dir.join("j"), |journal| {
            // As far as the workers have read.
            let begun = Instant::now();
            while journal.trim(u64::MAX).unwrap() == 0 {
                assert!(begun.elapsed() < Duration::from_secs(60));
                std::thread::sleep(Duration::from_millis(5));
            }
        });
    }
    on_small_disk(
        "disk::a_handler_is_told_that_the_disk_is_full",
        "full-disk-handler",
    );
}

#[test]
fn a_journal_that_a_full_disk_let_nobody_create_is_created_later() {
    if let Some(dir) = child::is("full-disk-creation") {
        let other = dir.join("other");
        // Room for all but a segment.
        std::fs::write(&other, vec![1; 980 << 10]).unwrap();
        for _ in 0..2 {
            let error = Journal::open(dir.join("j"), config()).unwrap_err();
            assert!(
                matches!(error.fault(), OpenFault::Segment { .. }),
                "{error}"
            );
        }
        std::fs::remove_file(&other).unwrap();
        let journal = Journal::open(dir.join("j"), config()).unwrap();
        let mut publisher = journal.bus().publisher().unwrap();
        publisher.send(tag(1), b"at last").unwrap();
        drop(publisher);
        journal.close().unwrap();
        let verified = verify(dir.join("j"), |_| {}).unwrap();
        assert_eq!((verified.records, verified.damage), (1, vec![]));
        return;
    }
    on_small_disk(
        "disk::a_journal_that_a_full_disk_let_nobody_create_is_created_later",
        "full-disk-creation",
    );
}

#[test]
fn a_disk_too_full_for_a_new_journal() {
    if let Some(dir) = child::is("full-disk-new") {
        let error = Journal::open(dir.join("j"), JournalConfig::new()).unwrap_err();
        let text = error.to_string();
        let said = "could not make a segment of 67108864 bytes: ";
        assert!(text.contains(said), "{text}");
        let todo = "; where there is no room for that, make the journal with shorter ones: `JournalConfig::segment_bytes`";
        assert!(text.ends_with(todo), "{text}");
        assert!(text.contains("No space left on device"), "{text}");
        // Asked for less it fits.
        std::fs::remove_dir_all(dir.join("j")).unwrap();
        Journal::open(dir.join("j"), config()).unwrap();
        return;
    }
    on_small_disk("disk::a_disk_too_full_for_a_new_journal", "full-disk-new");
}
