//! A bus whose file is written meanwhile, by who keeps to nothing, while one looks at it and reads it: each call ends, and gives what can be.
//!
//! Who looks is a child, in whom a signal can be survived, and for whom nobody waits for ever.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use memmap2::MmapRaw;
use messenger::bus::{ObserveError, Start};
use messenger::journal::JournalConfig;
use messenger::shared::{SharedBus, SharedOptions};

use crate::kit::{Other, TAG, fresh, say, until};

/// For how long a child looks at least; it goes on until it has seen all that can be seen.
const LONG: Duration = Duration::from_secs(2);

fn file_of(name: &str) -> PathBuf {
    shm().join(format!("messenger.{name}"))
}

fn journal_of(name: &str) -> PathBuf {
    shm().join(format!("messenger-journal-{name}"))
}

fn shm() -> &'static Path {
    Path::new("/dev/shm")
}

/// What a child does for these tests, if `role` is one of theirs.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    match role {
        "looks-at-sizes" => look_at_sizes(name),
        "looks-at-a-ring" => look_at_anything(name, ring(name)),
        "looks-at-a-journal" => look_at_anything(name, journal(name)),
        _ => return false,
    }
    true
}

/// Has a child do `role` with a bus that `options` make, with records, and which nobody uses.
fn a_child_ends_well(role: &str, name: &str, options: &SharedOptions) {
    let bus = options.clone().keep(true).create(name).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    for len in 0..40 {
        publisher.send(TAG, &vec![len; len.into()]).unwrap();
    }
    bus.admit(&"source\t3\tClock\n".parse().unwrap()).unwrap();
    drop((publisher, bus));
    let mut other = Other::start(role, name);
    let mut ended = None;
    until("the end of one who looks", || {
        ended = other.child.try_wait().unwrap();
        ended.is_some()
    });
    assert!(ended.unwrap().success(), "{ended:?}");
    println!("{}", other.line());
    std::fs::remove_file(file_of(name)).unwrap();
}

/// Seeded numbers: xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// Words of a file that are written meanwhile.
struct Part {
    /// By which they are written as fast as can be.
    map: MmapRaw,
    /// What the file was before.
    sound: Vec<u8>,
    words: Range<u64>,
    /// Whether a word stays as it was written until it is written again. Else it is right again at once, or nothing else could be looked at.
    stays: bool,
}

impl Part {
    fn of(path: &Path, words: impl FnOnce(u64) -> Range<u64>, stays: bool) -> Self {
        let sound = std::fs::read(path).unwrap();
        let file = File::options().read(true).write(true).open(path);
        Self {
            map: MmapRaw::map_raw(&file.unwrap()).unwrap(),
            words: words(sound.len() as u64 / 8),
            sound,
            stays,
        }
    }

    fn right(&self, word: u64) -> u64 {
        let bytes = &self.sound[word as usize * 8..][..8];
        u64::from_le_bytes(bytes.try_into().unwrap())
    }

    fn put(&self, word: u64, value: u64) {
        let at = word as usize * 8;
        assert!(at + 8 <= self.map.len());
        // SAFETY: inside the mapping, as just checked, and aligned; nobody here uses the word otherwise.
        let word = unsafe { AtomicU64::from_ptr(self.map.as_mut_ptr().add(at).cast()) };
        word.store(value, Relaxed);
    }

    fn write(&self, random: &mut Random) {
        let word = self.words.start + random.next() % (self.words.end - self.words.start);
        let right = self.right(word);
        let value = match random.next() % 20 {
            0 => random.next(),
            1 => u64::MAX << (random.next() % 64),
            2 => random.next() % (1 << (random.next() % 10)),
            3 => right.wrapping_add(1 << (random.next() % 64)),
            _ => right,
        };
        self.put(word, value);
        if !self.stays {
            self.put(word, right);
        }
    }
}

/// What is said of processes and workers, of which the buses here have room for four each.
const ENTRIES: Range<u64> = 512..512 + 2 * 4 * 32;

fn options() -> SharedOptions {
    let options = SharedBus::options().bytes(1024).members(4);
    options.processes(4).workers(4)
}

/// The parts of the file of a bus with a ring of 1024 bytes.
fn ring(name: &str) -> Vec<Part> {
    let path = file_of(name);
    // The bus's words and its ring: from the page before the ring on.
    let from = |len| len - 512 - 128;
    vec![
        Part::of(&path, |_| 0..20, false),
        Part::of(&path, |_| ENTRIES, true),
        Part::of(&path, |len| ENTRIES.end..from(len), false),
        Part::of(&path, |len| from(len)..len, true),
        Part::of(&path, |len| from(len)..len, true),
    ]
}

/// Those of the file of a bus over a journal, and of the journal's.
fn journal(name: &str) -> Vec<Part> {
    let (path, dir) = (file_of(name), journal_of(name));
    let control = dir.join("control");
    let segment = dir.join("00000000000000000000.segment");
    vec![
        Part::of(&path, |_| 0..20, false),
        // What it says of the journal.
        Part::of(&path, |_| 64..90, false),
        Part::of(&path, |_| ENTRIES, true),
        Part::of(&dir.join("schema"), |len| 0..len, false),
        // Whose the words are; whether it was opened anew, and where; how far it has got; the words of the bus.
        Part::of(&control, |_| 0..12, false),
        Part::of(&control, |_| 12..17, true),
        Part::of(&control, |_| 17..72, true),
        Part::of(&control, |len| 512..len, true),
        Part::of(&segment, |_| 0..32, false),
        Part::of(&segment, |_| 512..1024, true),
    ]
}

/// Looks and reads while any words are written.
fn look_at_anything(name: &str, parts: Vec<Part>) {
    let stats = SharedBus::look(shm(), name).unwrap().look.unwrap().stats;
    let starts = [Start::Oldest, Start::Newest, Start::At(stats.head + 7)];
    let mut readers = starts.map(|start| SharedBus::read(name, start).unwrap());
    // It ends with the process.
    std::thread::spawn(move || {
        let mut random = Random(11);
        loop {
            let part = random.next() as usize % parts.len();
            parts[part].write(&mut random);
        }
    });
    let (begun, mut payload) = (Instant::now(), Vec::new());
    let mut seen = [0_u64; 6];
    while begun.elapsed() < LONG || seen.contains(&0) {
        for reader in &mut readers {
            let came = reader.try_next(&mut payload);
            if let Ok(Some(_)) = came {
                assert!(payload.len() <= 1024);
            }
            seen[match came {
                Ok(Some(_)) => 0,
                Ok(None) => 1,
                Err(ObserveError::Lagged { .. }) => 2,
                Err(_) => 3,
            }] += 1;
        }
        // From the beginning again, if it can be.
        if let Ok(reader) = SharedBus::read(name, Start::Oldest) {
            readers[0] = reader;
        }
        let look = SharedBus::look(shm(), name).unwrap().look;
        if let Ok(look) = &look {
            let there = [look.died.len(), look.members.len(), look.workers.len()];
            assert!(there.iter().all(|&there| there <= 4), "{there:?}");
        }
        seen[4 + usize::from(look.is_err())] += 1;
    }
    say(format_args!(
        "{seen:?} records, nothing, lapped, errors, looks, errors of these"
    ));
}

/// The number of a size's word in the first page, and what it may be more without another length of the file, if what is computed wraps around.
const SIZES: [(u64, u64); 4] = [(4, 1 << 57), (5, 1 << 56), (6, 1 << 56), (7, 1 << 63)];

/// Looks and reads while sizes are what they can't be, and right again.
fn look_at_sizes(name: &str) {
    let part = Part::of(&file_of(name), |_| 0..8, false);
    std::thread::spawn(move || {
        for (word, more) in SIZES.into_iter().cycle() {
            let right = part.right(word);
            for _ in 0..1000 {
                part.put(word, right.wrapping_add(more));
                part.put(word, right);
            }
        }
    });
    let (begun, mut looked) = (Instant::now(), [0_u64; 2]);
    while begun.elapsed() < LONG || looked.contains(&0) {
        let look = SharedBus::look(shm(), name).unwrap().look;
        if let Ok(look) = &look {
            assert_eq!(look.room, (4, 4, 4));
        }
        looked[usize::from(look.is_err())] += 1;
        let read = SharedBus::read(name, Start::Oldest);
        looked[usize::from(read.is_err())] += 1;
    }
    say(format_args!("{looked:?} looks, errors"));
}

#[test]
fn sizes_that_change_harm_nobody() {
    a_child_ends_well("looks-at-sizes", &fresh(), &options());
}

#[test]
fn whatever_is_written_meanwhile_harms_nobody() {
    a_child_ends_well("looks-at-a-ring", &fresh(), &options());
}

#[test]
fn whatever_is_written_to_a_journal_meanwhile_harms_nobody() {
    let name = fresh();
    let config = JournalConfig::new().segment_bytes(4096);
    let options = options().journal(journal_of(&name), config);
    a_child_ends_well("looks-at-a-journal", &name, &options);
    std::fs::remove_dir_all(journal_of(&name)).unwrap();
}
