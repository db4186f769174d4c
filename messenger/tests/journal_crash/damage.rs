//! Files are damaged in every way: what is read is what was written, or an error. Nothing that was synced goes in silence.

use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use messenger::bus::{Start, Tag};
use messenger::journal::{Journal, JournalConfig, LeftBy, Reader};

use crate::harm::{change, damage, segments};
use crate::kit::{self, Dir, Rng, cases, first_seed};
use crate::power::copy_dir;

const SEGMENT: u64 = 4096;
const LONGEST: usize = 700;
/// How many times one journal is damaged, each time a copy of it.
const TRIES: u64 = 50;
/// What is taken for a hang.
const PATIENCE: Duration = Duration::from_secs(120);

/// A record: where it stands, whose it is.
type Known = (u64, u16, u64);

/// A journal to be damaged, and what is known of it.
struct Sample {
    root: Dir,
    records: Vec<Known>,
    salt: u64,
    /// Whether its words are to be trusted: the system has not been started since.
    same_boot: bool,
    closed: bool,
    cursor: u64,
}

impl Sample {
    fn new(rng: &mut Rng) -> Self {
        let root = Dir::in_memory("damage");
        let dir = root.join("live");
        let journal = Journal::create(&dir, config()).unwrap();
        let mut publisher = journal.bus().publisher().unwrap();
        let mut other = journal.bus().publisher().unwrap();
        let mut records = Vec::new();
        let mut cursor = journal.cursor("reader").unwrap();
        let count = 5 + rng.below(100);
        let synced = rng.below(count);
        for sequence in 0..count {
            let bytes = kit::payload(0, sequence, LONGEST);
            let position = publisher.send(kit::tag(0, sequence), &bytes).unwrap();
            records.push((position, 0, sequence));
            if rng.one_in(12) {
                drop(publisher.claim(kit::tag(7, 7), 60).unwrap());
                std::thread::sleep(Duration::from_millis(2));
            }
            if rng.one_in(8) {
                cursor.store(position).unwrap();
            }
            if sequence == synced {
                journal.sync().unwrap();
            }
        }
        let (closed, same_boot) = (rng.one_in(2), rng.one_in(2));
        let cursor = cursor.position();
        let kept = root.join("kept");
        if closed {
            drop((publisher, other));
            journal.close().unwrap();
            copy_dir(&dir, &kept);
        } else {
            let held = rng
                .one_in(2)
                .then(|| other.claim(kit::tag(8, 8), 80).unwrap());
            // When the keeper has nothing to do any more, and not while it does something.
            let control = || fs::read(dir.join("control")).unwrap();
            kit::until("nothing is done meanwhile", || {
                let _ = fs::remove_dir_all(&kept);
                std::thread::sleep(Duration::from_millis(8));
                let before = control();
                copy_dir(&dir, &kept);
                control() == before
            });
            drop(held);
        }
        if !same_boot {
            change(&kept.join("control"), |bytes| bytes[32..48].fill(0xB0));
        }
        let schema = fs::read_to_string(kept.join("schema")).unwrap();
        let salt = schema
            .lines()
            .find_map(|line| line.strip_prefix("salt\t"))
            .unwrap();
        Self {
            root,
            records,
            salt: u64::from_str_radix(salt, 16).unwrap(),
            same_boot,
            closed,
            cursor,
        }
    }
}

fn config() -> JournalConfig {
    JournalConfig::new()
        .segment_bytes(SEGMENT)
        .members(8)
        .time_resolution(Duration::from_millis(1))
}

/// What has become of a damaged journal.
#[derive(Default)]
struct Outcome {
    /// Why it could not be opened, or not be read to its end.
    error: Option<String>,
    found: Vec<Known>,
    dropped: Option<u64>,
    left: Option<LeftBy>,
}

fn known(position: u64, tag: Tag, bytes: &[u8]) -> Known {
    let publisher = tag.source.get().wrapping_sub(1);
    assert!(bytes.len() >= 8, "{tag:?} at {position} was never written");
    let sequence = kit::sequence_of(bytes);
    assert_eq!(tag, kit::tag(publisher, sequence), "at {position}");
    assert_eq!(
        bytes,
        kit::payload(publisher, sequence, LONGEST),
        "at {position}"
    );
    (position, publisher, sequence)
}

fn by_reader(dir: &Path) -> Outcome {
    let mut outcome = Outcome::default();
    let mut reader = match Reader::open(dir) {
        Ok(reader) => reader,
        Err(error) => {
            outcome.error = Some(error.to_string());
            return outcome;
        }
    };
    loop {
        match reader.next() {
            Ok(Some(entry)) => outcome
                .found
                .push(known(entry.position, entry.tag, entry.payload)),
            Ok(None) => return outcome,
            Err(error) => {
                outcome.error = Some(error.to_string());
                return outcome;
            }
        }
    }
}

/// Opens it for writing, and reads it. Writes some more, if all could be read, and says where.
fn by_journal(dir: &Path, cursor: u64) -> (Outcome, Vec<Known>) {
    let mut outcome = Outcome::default();
    let journal = match Journal::open_existing(dir, config()) {
        Ok(journal) => journal,
        Err(error) => {
            outcome.error = Some(error.to_string());
            return (outcome, Vec::new());
        }
    };
    let recovery = journal.recovery();
    outcome.dropped = recovery.dropped.as_ref().map(|dropped| dropped.from);
    outcome.left = Some(recovery.left);
    if let Ok(found) = journal.cursor("reader") {
        // Or it was lost, and made anew.
        assert!(
            [cursor, journal.oldest()].contains(&found.position()) || found.position() < cursor
        );
    }
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    loop {
        match subscriber.try_next() {
            Ok(Some(record)) => {
                outcome
                    .found
                    .push(known(record.position(), record.tag(), record.payload()));
            }
            Ok(None) => break,
            Err(error) => {
                outcome.error = Some(error.to_string());
                break;
            }
        }
    }
    let mut more = Vec::new();
    if outcome.error.is_none() {
        let mut publisher = journal.bus().publisher().unwrap();
        for sequence in 0..5 {
            let bytes = kit::payload(1, sequence, LONGEST);
            let position = publisher.send(kit::tag(1, sequence), &bytes).unwrap();
            more.push((position, 1, sequence));
        }
    }
    (outcome, more)
}

/// Up to where it can be known, from what is left of the files, that the journal was synced.
fn known_synced(dir: &Path, sample: &Sample) -> u64 {
    let mut synced = 0;
    for path in segments(dir) {
        let bytes = fs::read(path).unwrap();
        let Some(page) = bytes.first_chunk::<4096>() else {
            continue;
        };
        let word = |at: usize| u64::from_le_bytes(*page[at..].first_chunk().unwrap());
        let valid = word(136) == word(128) ^ sample.salt ^ 0x7379_6E63_6564_2121;
        if valid && word(128) % 16 == 0 {
            synced = synced.max(word(128));
        }
    }
    synced
}

/// One damaged copy of a sample.
fn try_one(sample: &Sample, rng: &mut Rng, counts: &Mutex<BTreeMap<&'static str, u64>>) {
    let dir = sample.root.join(format!("copy-{:016x}", rng.next()));
    copy_dir(&sample.root.join("kept"), &dir);
    let control = fs::read(dir.join("control")).unwrap();
    let mut what = vec![damage(&dir, rng)];
    if rng.one_in(4) {
        what.push(damage(&dir, rng));
    }
    let whole_control = fs::read(dir.join("control")).is_ok_and(|bytes| bytes == control);
    let synced = known_synced(&dir, sample);
    let oldest = segments(&dir).first().map_or(0, |path| {
        path.file_stem().unwrap().to_string_lossy().parse().unwrap()
    });
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let read = by_reader(&dir);
        check(sample, &read, &[], synced, oldest);
        let (opened, more) = by_journal(&dir, sample.cursor);
        // A journal that was closed says so, as long as that page is there; one that was not, as long as the system runs.
        let tail = sample.records.last().unwrap().0 + 1;
        let words = whole_control && (sample.closed || sample.same_boot);
        // And that nothing had been given up.
        let oldest = if words { 0 } else { oldest };
        if words && opened.dropped.is_none() {
            check(sample, &opened, &[], synced.max(tail), oldest);
        }
        check(sample, &opened, &[], synced, oldest);
        if opened.error.is_none() {
            // What comes later does not bring back what was given up.
            let mut all = opened.found.clone();
            all.extend(&more);
            let (again, _) = by_journal(&dir, sample.cursor);
            assert_eq!(again.error, None);
            assert_eq!(again.left, Some(LeftBy::Closing));
            assert_eq!(again.found, all, "opened again");
        }
        let complete = opened.found.len() == sample.records.len();
        match (&opened.left, &opened.error, opened.dropped) {
            (None, ..) => "refused",
            (Some(_), Some(_), _) => "found when read",
            (Some(_), None, Some(_)) => "dropped, and said so",
            (Some(_), None, None) if complete => "no harm",
            (Some(_), None, None) => "an end that nobody had synced",
        }
    }));
    match ran {
        Ok(outcome) => *counts.lock().unwrap().entry(outcome).or_default() += 1,
        Err(panic) => {
            eprintln!(
                "{what:?}; closed: {}, same boot: {}, synced {synced}; before: {}",
                sample.closed,
                sample.same_boot,
                sample.root.join("kept").display()
            );
            resume_unwind(panic);
        }
    }
    fs::remove_dir_all(&dir).unwrap();
}

fn check(sample: &Sample, outcome: &Outcome, more: &[Known], synced: u64, oldest: u64) {
    let Outcome {
        error,
        found,
        dropped,
        left,
    } = outcome;
    if let Some(error) = error {
        // Names what and where.
        assert!(
            error.contains(|c: char| c.is_ascii_digit()) || error.contains('/'),
            "{error}"
        );
    }
    // All in a row, and none else.
    let begins = found.first().map_or(oldest, |first| first.0);
    let skipped = sample
        .records
        .iter()
        .take_while(|record| record.0 < begins)
        .count();
    let rest = &sample.records[skipped..];
    let same = found.iter().zip(rest).take_while(|(a, b)| a == b).count();
    assert_eq!(
        &found[same..],
        more,
        "after {same} records, {error:?}, {dropped:?}"
    );
    if error.is_some() && left.is_none() && found.is_empty() {
        return;
    }
    // Segments at the front may have been given up, for all that is known.
    assert!(
        sample.records[..skipped]
            .iter()
            .all(|record| record.0 < oldest),
        "the first {skipped} are skipped, and the oldest segment is {oldest}"
    );
    if error.is_none() {
        let lost = &rest[same..];
        assert!(
            lost.iter().all(|record| record.0 >= synced),
            "{lost:?} are lost, and all before {synced} was synced; dropped: {dropped:?}"
        );
    }
    if let (Some(dropped), Some(last)) = (dropped, found.last()) {
        assert!(
            last.0 < *dropped,
            "dropped from {dropped}, but there is {last:?}"
        );
    }
}

#[test]
fn no_damage_gives_a_wrong_record() {
    let wanted = cases("MESSENGER_DAMAGES", 10_000);
    let begun = Instant::now();
    let seeds = AtomicU64::new(first_seed());
    let counts = Mutex::default();
    let end = first_seed() + wanted.div_ceil(TRIES);
    let work = |working: &std::sync::mpsc::Sender<u64>| loop {
        let seed = seeds.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let mut rng = Rng(seed);
        let sample = Sample::new(&mut rng);
        for n in 0..TRIES {
            let _ = working.send(seed);
            let ran = catch_unwind(AssertUnwindSafe(|| try_one(&sample, &mut rng, &counts)));
            if let Err(panic) = ran {
                eprintln!("MESSENGER_SEED={seed}, case {n}");
                resume_unwind(panic);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (working, watched) = channel();
            scope.spawn(move || {
                let mut last = 0;
                loop {
                    match watched.recv_timeout(PATIENCE) {
                        Ok(seed) => last = seed,
                        Err(RecvTimeoutError::Disconnected) => return,
                        Err(RecvTimeoutError::Timeout) => {
                            eprintln!("a case of MESSENGER_SEED={last} hangs");
                            std::process::abort();
                        }
                    }
                }
            });
            let work = &work;
            scope.spawn(move || work(&working));
        }
    });
    let counts = counts.into_inner().unwrap();
    println!("{counts:?} in {:?}", begun.elapsed());
    assert!(wanted < 1000 || counts.len() == 5, "{counts:?}");
}
