//! Visible and synced: who is promised what, when, and at what number of flushes.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use messenger::bus::{ClaimError, CommitError, Start};
use messenger::journal::{Journal, JournalConfig, JournalFault, SyncPolicy, verify};

use crate::kit::{Dir, small, tag};
use crate::until::until;

/// One long segment, so that a flush is one file's; and nothing is written but what is sent.
fn quiet() -> JournalConfig {
    let config = JournalConfig::new().segment_bytes(1 << 22);
    config.time_resolution(Duration::ZERO)
}

#[test]
fn on_demand_nothing_is_synced_until_it_is_asked_for() {
    let dir = Dir::new("on-demand");
    // A note of the time may stand before a record, and not be finished.
    let journal = dir.open(small().time_resolution(Duration::ZERO));
    let mut publisher = journal.bus().publisher().unwrap();
    let mut before = 0;
    for n in 0..200 {
        let position = publisher.send(tag(n), &[1; 100]).unwrap();
        assert!(journal.synced() <= position, "not asked for yet");
        if n % 7 == 0 {
            let synced = journal.sync().unwrap();
            assert!(synced > position && synced >= before);
            assert_eq!(journal.synced(), synced);
            before = synced;
        }
    }
    let last = publisher.send(tag(1), b"").unwrap();
    std::thread::sleep(Duration::from_millis(60));
    assert!(journal.synced() <= last);
    assert!(journal.wait_synced(last, None).unwrap());
    assert!(journal.synced() > last);
    // What is synced is known at once; what is not there never will be.
    assert!(journal.wait_synced(0, Some(Duration::ZERO)).unwrap());
    let begun = Instant::now();
    let later = journal.wait_synced(1 << 40, Some(Duration::from_millis(30)));
    assert!(!later.unwrap());
    assert!(begun.elapsed() >= Duration::from_millis(30));
}

#[test]
fn a_claim_that_is_being_filled_holds_up_what_comes_after_it() {
    let dir = Dir::new("held-up");
    let journal = dir.open(small().time_resolution(Duration::ZERO));
    let mut slow = journal.bus().publisher().unwrap();
    let mut quick = journal.bus().publisher().unwrap();
    let before = quick.send(tag(1), b"before").unwrap();
    let mut claim = slow.claim(tag(2), 4).unwrap();
    let after = quick.send(tag(3), b"after").unwrap();
    let held = claim.position();
    assert_eq!(journal.sync().unwrap(), held);
    assert!(journal.wait_synced(before, None).unwrap());
    let timeout = Some(Duration::from_millis(20));
    assert!(!journal.wait_synced(after, timeout).unwrap());
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| journal.wait_synced(after, None).unwrap());
        std::thread::sleep(Duration::from_millis(20));
        assert!(!waits.is_finished());
        claim.writer().put(b"done").unwrap();
        claim.commit().unwrap();
        assert!(waits.join().unwrap());
    });
    assert!(journal.synced() > after);
}

#[test]
fn the_journal_itself_waits_for_nobodys_claim() {
    let dir = Dir::new("keeper");
    let resolution = Duration::from_millis(1);
    let config = small().sync(SyncPolicy::EachRecord);
    let journal = dir.open(config.time_resolution(resolution));
    let mut slow = journal.bus().publisher().unwrap();
    let mut quick = journal.bus().publisher().unwrap();
    let held = slow.claim(tag(1), 8).unwrap();
    // Meanwhile a note of the time comes to stand after that claim; and it is the same thread that makes more segments.
    for _ in 0..50 {
        let end = Some(Instant::now() + Duration::from_secs(120));
        for _ in 0..3 {
            drop(quick.claim_until(tag(2), 1000, end, || false).unwrap());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(journal.bus().tail() > 30 * 4096);
    drop(held);
}

#[test]
fn every_so_many_bytes() {
    let dir = Dir::new("by-count");
    let policy = SyncPolicy::Every {
        bytes: 10_000,
        interval: Duration::from_secs(3600),
    };
    let journal = dir.open(small().sync(policy));
    let mut publisher = journal.bus().publisher().unwrap();
    let first = publisher.send(tag(1), &[0; 1000]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(journal.synced(), 0, "1016 bytes are fewer than 10000");
    let mut last = first;
    for _ in 0..15 {
        last = publisher.send(tag(1), &[0; 1000]).unwrap();
    }
    until("synced by bytes", || journal.synced() > first + 10_000);
    assert!(last >= 15_000);
}

#[test]
fn every_so_often() {
    let dir = Dir::new("by-time");
    let interval = Duration::from_millis(80);
    let bytes = u64::MAX;
    let policy = SyncPolicy::Every { bytes, interval };
    let journal = dir.open(small().sync(policy));
    let mut publisher = journal.bus().publisher().unwrap();
    let mut shortest = Duration::MAX;
    for n in 0..5 {
        let begun = Instant::now();
        let position = publisher.send(tag(n), b"a few bytes").unwrap();
        until("synced by time", || journal.synced() > position);
        shortest = shortest.min(begun.elapsed());
    }
    // A disk may be slow.
    let flush = journal.stats().longest_flush;
    assert!(
        shortest < interval * 20 + 2 * flush,
        "{shortest:?}, {flush:?}"
    );
}

#[test]
fn each_record_is_synced_when_its_commit_returns() {
    let dir = Dir::new("each");
    let journal = dir.open(small().sync(SyncPolicy::EachRecord));
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..60 {
        let position = publisher.send(tag(n), &[3; 90]).unwrap();
        assert!(journal.synced() >= position + 16 + 96);
        let mut claim = publisher.claim(tag(n), 2).unwrap();
        claim.writer().put(b"ab").unwrap();
        let position = claim.commit().unwrap();
        assert!(journal.synced() >= position + 32);
    }
    // In a run each record by itself, too.
    let mut run = publisher.reserve(96).unwrap();
    let first = run.send(tag(1), b"1").unwrap();
    assert!(journal.synced() >= first + 32);
    run.send(tag(1), b"2").unwrap();
}

/// Takes the file of the segment in use away, as a disk that fails would.
fn break_disk(dir: &Path) -> (PathBuf, PathBuf) {
    let segment = dir.join(format!("{:020}.segment", 0));
    let aside = dir.join("taken-away");
    std::fs::rename(&segment, &aside).unwrap();
    (segment, aside)
}

#[test]
fn a_disk_that_fails_is_told_until_the_journal_is_opened_again() {
    let dir = Dir::new("fails");
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    let good = publisher.send(tag(1), b"good").unwrap();
    let synced = journal.sync().unwrap();
    assert!(synced > good);
    let lost = publisher.send(tag(2), b"not flushed").unwrap();
    let (segment, aside) = break_disk(&dir);
    let error = journal.sync().unwrap_err();
    assert!(matches!(error.fault(), JournalFault::Sync(_)));
    assert_eq!(
        error.to_string(),
        format!(
            "the journal in {}: could not be synced: the segment with position 0 can't be had: No such file or directory (os error 2); \
             see to what is wrong, and sync again; if that says the same, a flush has failed: open it again",
            dir.display()
        )
    );
    // Also when the disk is well again: what it did not take then may be lost though a later flush succeeds.
    std::fs::rename(&aside, &segment).unwrap();
    assert!(matches!(
        journal.sync().unwrap_err().fault(),
        JournalFault::Sync(_)
    ));
    let waited = journal.wait_synced(lost, Some(Duration::from_secs(5)));
    assert!(matches!(waited.unwrap_err().fault(), JournalFault::Sync(_)));
    // What had been synced is.
    assert!(journal.wait_synced(good, None).unwrap());
    assert_eq!(journal.synced(), synced);
    // It goes on as a bus, and what is sent is visible.
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    publisher.send(tag(3), b"visible").unwrap();
    for expected in [&b"good"[..], b"not flushed", b"visible"] {
        let record = subscriber.try_next().unwrap().unwrap();
        assert_eq!(record.payload(), expected);
    }
    drop((publisher, subscriber));
    assert!(matches!(
        journal.close().unwrap_err().fault(),
        JournalFault::Sync(_)
    ));
    // Opened again, it is flushed, with nothing lost: its process never died.
    let journal = dir.open(quiet());
    assert!(journal.sync().unwrap() > lost);
    assert_eq!(verify(&dir, |_| {}).unwrap().records, 3);
}

/// A journal whose first record is synced, and whose others a flush has failed to take, left by its writer; and where they stand.
fn after_a_failed_flush(dir: &Dir) -> Vec<u64> {
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(0), b"good").unwrap();
    journal.sync().unwrap();
    let sent = (1..40).map(|n| publisher.send(tag(n), &vec![n as u8; 50_000]).unwrap());
    let sent = sent.collect();
    let (segment, aside) = break_disk(dir);
    assert!(matches!(
        journal.sync().unwrap_err().fault(),
        JournalFault::Sync(_)
    ));
    std::fs::rename(&aside, &segment).unwrap();
    drop(publisher);
    assert!(matches!(
        journal.close().unwrap_err().fault(),
        JournalFault::Sync(_)
    ));
    sent
}

/// How many bytes this thread has had the system write to disks, by now or later.
#[cfg(target_os = "linux")]
pub(crate) fn written() -> u64 {
    let said = std::fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
    let mut lines = said.lines();
    let bytes = lines.find_map(|line| line.strip_prefix("write_bytes: "));
    bytes.map_or(0, |bytes| bytes.parse().unwrap())
}

/// Whether the system counts what is written in `dir`; if not, says so.
#[cfg(target_os = "linux")]
pub(crate) fn is_counted(dir: &Dir) -> bool {
    let before = written();
    std::fs::write(dir.join("other"), vec![1; 1 << 20]).unwrap();
    let is_counted = written() - before >= 1 << 20;
    if !is_counted {
        crate::child::skipped("the system does not count here what is written");
    }
    is_counted
}

/// The system takes what it could not write for written. A flush of that would do nothing, and say that all is well.
#[cfg(target_os = "linux")]
#[test]
fn what_a_flush_has_failed_to_take_is_written_again() {
    let dir = Dir::new("written-again");
    let sent = after_a_failed_flush(&dir);
    if !is_counted(&dir) {
        return;
    }
    let before = written();
    let journal = dir.open(quiet());
    let again = written() - before;
    assert!(again >= sent[38] - sent[0], "{again} bytes");
    assert!(journal.sync().unwrap() > sent[38]);
    drop(journal);
    // Once.
    let before = written();
    drop(dir.open(quiet()));
    let more = written() - before;
    assert!(more < 1 << 20, "{more} bytes");
}

/// Nor does it take a cursor that one could not flush who held it before.
#[cfg(target_os = "linux")]
#[test]
fn what_a_cursor_says_is_written_again_by_who_holds_it_next() {
    let dir = Dir::new("cursor-again");
    let journal = dir.open(quiet());
    let mut cursor = journal.cursor("mine").unwrap();
    cursor.store(32).unwrap();
    drop(cursor);
    let file = std::fs::File::open(dir.join("cursors/mine")).unwrap();
    file.sync_all().unwrap();
    if !is_counted(&dir) {
        return;
    }
    let before = written();
    let cursor = journal.cursor("mine").unwrap();
    let again = written() - before;
    assert!(again >= 4096, "{again} bytes");
    assert_eq!(cursor.position(), 32);
}

/// Nor is it there for certain: the system may have dropped it, and read what was there before.
#[test]
fn what_a_failed_flush_has_lost_is_given_up() {
    let dir = Dir::new("dropped");
    let sent = after_a_failed_flush(&dir);
    let segment = dir.join(format!("{:020}.segment", 0));
    let mut bytes = std::fs::read(&segment).unwrap();
    let page = (sent[20] as usize + 4096).next_multiple_of(4096);
    bytes[page..page + 4096].fill(0);
    std::fs::write(&segment, bytes).unwrap();
    let journal = dir.open(quiet());
    let dropped = journal.recovery().dropped.as_ref();
    assert_eq!(dropped.map(|dropped| dropped.from), Some(sent[20]));
    assert_eq!(journal.bus().tail(), sent[20]);
    journal.sync().unwrap();
    assert_eq!(verify(&dir, |_| {}).unwrap().records, 21);
}

/// What is to be synced lies in segments that are not mapped any more, and no file can be opened to map them.
#[cfg(target_os = "linux")]
#[test]
fn what_could_not_be_flushed_for_want_of_descriptors_is_flushed_later() {
    use crate::child;

    if let Some(dir) = child::is("descriptors") {
        let journal = Journal::open(dir, small()).unwrap();
        let mut publisher = journal.bus().publisher().unwrap();
        let mut last = 0;
        // The keeper may close a file just then, which is one that can be opened.
        let refused = (0..100).find_map(|_| {
            for n in 0..500 {
                last = publisher.send(tag(n), &[1; 112]).unwrap();
            }
            let mut files = Vec::new();
            while let Ok(file) = std::fs::File::open("/dev/null") {
                files.push(file);
            }
            journal.wait_synced(last, None).err()
        });
        let refused = refused.expect("no file can be opened").to_string();
        assert!(refused.contains("Too many open files"), "{refused}");
        assert!(journal.sync().unwrap() > last);
        drop(publisher);
        return journal.close().unwrap();
    }
    let dir = Dir::new("descriptors");
    let few = ["sh", "-c", "ulimit -n 64 && exec \"$@\"", "sh"];
    let test = "durability::what_could_not_be_flushed_for_want_of_descriptors_is_flushed_later";
    let output = child::command_under(&few, test, "descriptors", &dir).output();
    let output = output.unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("1 passed"), "{out}");
}

#[test]
fn a_commit_says_that_its_record_is_not_synced() {
    let dir = Dir::new("not-synced");
    let journal = dir.open(quiet().sync(SyncPolicy::EachRecord));
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(1), b"good").unwrap();
    let (segment, aside) = break_disk(&dir);
    let tail = journal.bus().tail();
    let mut claim = publisher.claim(tag(2), 3).unwrap();
    claim.writer().put(b"bad").unwrap();
    let at = claim.position();
    let Err(CommitError::NotSynced(error)) = claim.commit() else {
        panic!("it can't be synced");
    };
    assert_eq!(error.position(), at);
    assert!(at >= tail);
    assert_eq!(
        error.to_string(),
        format!(
            "the record is visible but not synced, nor is anything after it: the segment with position {at} can't be had: \
             No such file or directory (os error 2); see to what is wrong, and sync; if that says the same, a flush has failed: stop, and open the \
             journal again"
        )
    );
    std::fs::rename(&aside, &segment).unwrap();
    let again = publisher.send(tag(3), b"still bad");
    assert!(matches!(again, Err(ClaimError::NotSynced(_))), "{again:?}");
    // Each of them is visible.
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    for expected in [&b"good"[..], b"bad", b"still bad"] {
        let record = subscriber.try_next().unwrap().unwrap();
        assert_eq!(record.payload(), expected);
    }
    drop((publisher, subscriber));
    assert!(matches!(
        journal.close().unwrap_err().fault(),
        JournalFault::Sync(_)
    ));
    let journal = dir.open(quiet().sync(SyncPolicy::EachRecord));
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(4), b"good again").unwrap();
    assert_eq!(verify(&dir, |_| {}).unwrap().records, 4);
}

#[test]
fn closing_flushes_all_and_says_who_still_uses_it() {
    let dir = Dir::new("closing");
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    let last = publisher.send(tag(1), b"last").unwrap();
    let error = journal.clone().close().unwrap_err();
    assert!(matches!(error.fault(), JournalFault::InUse));
    assert_eq!(
        error.to_string(),
        format!(
            "the journal in {}: others still use its bus: drop its publishers and subscribers, or stop the messenger that runs on it",
            dir.display()
        )
    );
    drop(publisher);
    journal.close().unwrap();
    let verified = verify(&dir, |_| {}).unwrap();
    assert!(verified.synced > last && verified.synced == verified.newest);
    let journal = Journal::open(&dir, small()).unwrap();
    assert_eq!(journal.synced(), verified.synced);
}
