//! A bus whose file is damaged, before it is opened or while it is used: whoever uses it gets errors, or what is still sound; none
//! panics, waits for ever or dies.
//!
//! `MESSENGER_SHARED_DAMAGES` says how many damages are tried, and `MESSENGER_SEED` with which seed they begin. All are done
//! by children, in whom a signal can be survived.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use messenger::bus::{MessageId, SourceId, Start, Tag, WaitStrategy};
use messenger::shared::{SharedBus, SharedError, SharedFault, SharedOptions};

use crate::kit::fresh;
use crate::numbers::{Rng, cases, first_seed};

/// By which a child is told what to do: the first seed, how many, and its directory.
const VARIABLE: &str = "MESSENGER_SHARED_DAMAGE";
const NAME: &str = "damaged";
/// The longest that one case may take.
const PATIENCE: Duration = Duration::from_secs(120);

const PAGE: u64 = 4096;
/// The bytes of the first page that its checksum covers; it stands after them. It covers those from the next number on, too.
const CHECKED: u64 = 12 * 8;
const CHECKED_FROM: usize = 64 * 8;

fn options(dir: &Path) -> SharedOptions {
    let options = SharedBus::options().bytes(1024).members(8).processes(3);
    options
        .workers(3)
        .schema_bytes(256)
        .keep(true)
        .directory(dir)
}

fn path(dir: &Path) -> PathBuf {
    dir.join(format!("messenger.{NAME}"))
}

fn tag() -> Tag {
    Tag::new(SourceId::new(1), MessageId::new(1))
}

/// A bus with records, as it is when all have left.
fn left(dir: &Path) -> Vec<u8> {
    let bus = options(dir).create(NAME).unwrap();
    fill(&bus);
    drop(bus);
    take(dir)
}

/// The same, as it is when all are killed: with a claim half filled, and slots that are taken.
fn died(dir: &Path) -> Vec<u8> {
    let bus = options(dir).create(NAME).unwrap();
    fill(&bus);
    let _subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let _observer = bus.bus().observe(Start::Newest).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut run = publisher.reserve(128).unwrap();
    run.send(tag(), b"first").unwrap();
    let _claim = run.claim(tag(), 40).unwrap();
    // (With the descriptor that this closes its locks go, but nobody else is there.)
    take(dir)
}

fn fill(bus: &SharedBus) {
    let mut publisher = bus.bus().publisher().unwrap();
    for len in 0..20 {
        publisher.send(tag(), &vec![len; len.into()]).unwrap();
    }
    bus.admit(&"source\t3\tClock\n".parse().unwrap()).unwrap();
}

fn take(dir: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path(dir)).unwrap();
    std::fs::remove_file(path(dir)).unwrap();
    bytes
}

/// Writes somewhere what was not there.
struct Damage {
    rng: Rng,
    len: u64,
}

impl Damage {
    /// Where a part of the file begins, and how long it is: the first page, entries, schema, words of the bus, ring, or all.
    fn part(&mut self) -> (u64, u64) {
        let ring = self.len - 1024;
        let all = [
            (0, 20 * 8),
            (0, 20 * 8),
            (PAGE, 6 * 256),
            (2 * PAGE, 512),
            (3 * PAGE, 1024),
            (3 * PAGE + 1024, ring - 3 * PAGE - 1024),
            (ring, 1024),
            (0, self.len),
        ];
        self.rng.pick(&all)
    }

    /// A word that is wrong, perhaps only a little.
    fn word(&mut self, was: u64) -> u64 {
        match self.rng.below(9) {
            0 => 0,
            1 => u64::MAX,
            2 => self.rng.next(),
            3 => 1 << self.rng.below(64),
            4 => was.wrapping_add(16 * self.rng.below(5)),
            5 => was.wrapping_sub(16 * self.rng.below(5)),
            6 => was.wrapping_add(1 << self.rng.below(64)),
            7 => self.rng.below(1 << 14),
            _ => was ^ 1 << self.rng.below(64),
        }
    }

    fn words(&mut self, file: &File) {
        for _ in 0..1 + self.rng.below(4) {
            let (from, len) = self.part();
            let at = from + self.rng.below(len / 8) * 8;
            let mut bytes = [0; 8];
            if file.read_exact_at(&mut bytes, at).is_ok() {
                let word = self.word(u64::from_le_bytes(bytes));
                file.write_all_at(&word.to_le_bytes(), at).unwrap();
            }
        }
    }

    fn noise(&mut self, file: &File) {
        let (from, len) = self.part();
        let at = from + self.rng.below(len);
        let len = 1 + self.rng.below(from + len - at);
        let bytes: Vec<u8> = (0..len).map(|_| self.rng.next() as u8).collect();
        file.write_all_at(&bytes, at).unwrap();
    }

    /// What else can have become of a file that nobody has mapped.
    fn closed(&mut self, file: &File) {
        match self.rng.below(8) {
            0 => file.set_len(self.rng.below(self.len)).unwrap(),
            1 => {
                let more = 1 + self.rng.below(3 * PAGE);
                file.set_len(self.len + more).unwrap();
            }
            2 => self.noise(file),
            _ => self.words(file),
        }
        // In most cases the first page is what it says that it is.
        let mut first = [0; PAGE as usize];
        if !self.rng.one_in(4) && file.read_exact_at(&mut first, 0).is_ok() {
            let check = crc32c::crc32c(&first[..CHECKED as usize]);
            let check = u64::from(crc32c::crc32c_append(check, &first[CHECKED_FROM..]));
            let _ = file.write_all_at(&check.to_le_bytes(), CHECKED);
        }
    }
}

/// Does with the bus what can be done with it; what comes of it is nobody's affair.
fn use_it(dir: &Path, bus: &SharedBus, between: &mut dyn FnMut()) {
    let short = Duration::from_micros(200);
    let mut publishers = [bus.bus().publisher(), bus.bus().publisher()];
    let mut readers = [Start::Oldest, Start::Newest, Start::At(48)].map(|s| bus.bus().subscribe(s));
    let mut observer = bus.bus().observe(Start::Oldest);
    let mut read = [Start::Oldest, Start::At(100)].map(|s| options(dir).read(NAME, s));
    for round in 0..3 {
        for publisher in publishers.iter_mut().flatten() {
            for len in [0, 7, 100, 256] {
                let _ = publisher.try_send(tag(), &vec![round; len]);
            }
            publisher.set_wait(WaitStrategy::BlockNow);
            let _ = publisher.send_timeout(tag(), b"waits", short);
            if let Ok(mut run) = publisher.try_reserve(100) {
                let _ = run.send(tag(), b"one of several");
            }
        }
        between();
        let mut payload = Vec::new();
        for _ in 0..30 {
            if let Ok(observer) = &mut observer {
                let _ = observer.try_next(&mut payload);
            }
            for reader in read.iter_mut().flatten() {
                let _ = reader.try_next(&mut payload);
            }
        }
        for reader in readers.iter_mut().flatten() {
            let mut bytes = 0;
            let _ = reader.poll(50, |record| {
                bytes += record.payload().iter().map(|&b| u64::from(b)).sum::<u64>();
            });
            let _ = reader.next_timeout(WaitStrategy::BlockNow, short);
        }
        let _ = bus.bus().stats();
        let _ = format!("{:?} {:?}", bus.processes(), bus.workers());
        let _ = bus.schema().map(|schema| schema.to_string());
        let _ = bus.admit(&"source\t5\tOther\n".parse().unwrap());
        let _ = SharedBus::list(dir);
        let _ = bus.bus().publisher();
    }
}

/// Says whether the bus could be opened.
fn one(dir: &Path, seed: u64, images: &[Vec<u8>; 2]) -> bool {
    let mut rng = Rng(seed);
    let which = rng.below(3);
    let opened = if let Some(image) = images.get(which as usize) {
        let len = image.len() as u64;
        std::fs::write(path(dir), image).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(path(dir));
        Damage { rng, len }.closed(&file.unwrap());
        let _ = SharedBus::list(dir).map(|all| format!("{all:?}"));
        if let Ok(mut reader) = options(dir).read(NAME, Start::Oldest) {
            let mut payload = Vec::new();
            for _ in 0..100 {
                let _ = reader.try_next(&mut payload);
            }
        }
        let bus = options(dir).open(NAME);
        if let Ok(bus) = &bus {
            use_it(dir, bus, &mut || ());
        }
        let opened = bus.map(drop).is_ok();
        let _ = SharedBus::remove_in(dir, NAME);
        opened
    } else {
        let bus = options(dir).create(NAME).unwrap();
        let membership = bus.membership();
        fill(&bus);
        // It is not closed before the bus has gone, or the locks would go.
        let file = OpenOptions::new().read(true).write(true).open(path(dir));
        let file = file.unwrap();
        let len = file.metadata().unwrap().len();
        let mut damage = Damage { rng, len };
        use_it(dir, &bus, &mut || match damage.rng.below(4) {
            0 => damage.noise(&file),
            _ => damage.words(&file),
        });
        drop(bus);
        let _ = membership.try_iter().count();
        true
    };
    let _ = std::fs::remove_file(path(dir));
    opened
}

/// Does nothing but in a child.
#[test]
fn child_with_damaged_buses() {
    let Ok(text) = std::env::var(VARIABLE) else {
        return;
    };
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (first, count): (u64, u64) = (word().parse().unwrap(), word().parse().unwrap());
    let dir = Path::new(word());
    // Also where it is a thread's of the bus, whose panic nobody would learn of.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        usual(info);
        std::process::abort();
    }));
    static CASE: AtomicU64 = AtomicU64::new(0);
    std::thread::spawn(|| {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            std::thread::sleep(Duration::from_millis(50));
            let case = CASE.load(SeqCst);
            if case != seen {
                (seen, since) = (case, Instant::now());
            }
            assert!(since.elapsed() < PATIENCE, "it waits for ever");
        }
    });
    let images = [left(dir), died(dir)];
    let progress = File::create(dir.join("seed")).unwrap();
    let mut opened = 0;
    for seed in first..first + count {
        CASE.store(seed + 1, SeqCst);
        progress.write_all_at(&seed.to_le_bytes(), 0).unwrap();
        opened += u64::from(one(dir, seed, &images));
    }
    progress.write_all_at(&opened.to_le_bytes(), 0).unwrap();
}

/// A directory in memory that nobody else has.
fn dir(what: &str) -> PathBuf {
    let dir = Path::new("/dev/shm").join(format!("messenger-{what}-{}", fresh()));
    std::fs::create_dir(&dir).unwrap();
    dir
}

/// Runs `count` cases from `first` on; says how many could be opened.
fn child(first: u64, count: u64) -> Result<u64, String> {
    let dir = dir("damage");
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["mutations::child_with_damaged_buses", "--exact"])
        .args(["--nocapture", "--quiet"])
        .env(VARIABLE, format!("{first} {count} {}", dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let at = std::fs::read(dir.join("seed")).unwrap_or_default();
    std::fs::remove_dir_all(&dir).unwrap();
    let number = at
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    if child.status.success() {
        return Ok(number);
    }
    let said = String::from_utf8_lossy(&child.stderr);
    Err(format!("MESSENGER_SEED={number}: {}: {said}", child.status))
}

#[test]
fn a_damaged_bus_harms_nobody() {
    let cases = cases("MESSENGER_SHARED_DAMAGES", 10_000);
    let first = first_seed();
    let begun = Instant::now();
    const EACH: u64 = 250;
    let (next, opened) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let done = next.fetch_add(EACH, SeqCst);
                    if done >= cases {
                        return;
                    }
                    let ran = child(first + done, EACH.min(cases - done));
                    let count = ran.unwrap_or_else(|error| panic!("{error}"));
                    opened.fetch_add(count, SeqCst);
                }
            });
        }
    });
    let opened = opened.into_inner();
    println!(
        "{cases} damages in {:?}; {opened} could be opened",
        begun.elapsed()
    );
    assert!(opened > cases / 2 && opened < cases);
}

/// What each way to a bus says of the file, which nobody uses.
fn refusals(dir: &Path) -> [Option<Arc<SharedError>>; 3] {
    let listed = SharedBus::look(dir, NAME).unwrap();
    [
        options(dir).open(NAME).err().map(Arc::new),
        options(dir).read(NAME, Start::Oldest).err().map(Arc::new),
        listed.look.err(),
    ]
}

#[test]
fn no_bit_of_the_first_page_can_be_wrong_unseen() {
    let dir = dir("bits");
    let image = left(&dir);
    std::fs::write(path(&dir), &image).unwrap();
    let file = OpenOptions::new().write(true).open(path(&dir)).unwrap();
    assert!(refusals(&dir).iter().all(Option::is_none));
    // With the checksum itself, which is one word.
    let checked = (0..CHECKED + 8).chain(CHECKED_FROM as u64..PAGE);
    for at in checked {
        for bit in 0..8 {
            let wrong = image[at as usize] ^ 1 << bit;
            file.write_all_at(&[wrong], at).unwrap();
            for refused in refusals(&dir) {
                assert!(refused.is_some(), "byte {at}, bit {bit}");
            }
        }
        file.write_all_at(&image[at as usize..][..1], at).unwrap();
    }
    assert!(refusals(&dir).iter().all(Option::is_none));
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn no_position_can_lie_in_the_future_unseen() {
    let dir = dir("future");
    let image = left(&dir);
    let control = 3 * PAGE;
    let (tail, floor, limit) = (control, control + 128, control + 256);
    let was = |at: u64| u64::from_le_bytes(*image[at as usize..].first_chunk().unwrap());
    assert!(was(floor) <= was(tail) && was(tail) <= was(limit) && was(tail) > 0);
    for (what, at, position) in [
        ("tail", tail, was(limit) + 16),
        ("tail", tail, was(tail) + 1),
        ("tail", tail, 1 << 63),
        ("floor", floor, was(tail) + 16),
        ("floor", floor, u64::MAX),
        ("limit", limit, was(floor) + 1024 + 16),
        ("limit", limit, 1 << 62),
        ("tail", limit, 0),
    ] {
        let mut image = image.clone();
        image[at as usize..][..8].copy_from_slice(&position.to_le_bytes());
        std::fs::write(path(&dir), &image).unwrap();
        for refused in refusals(&dir) {
            let error = refused.unwrap_or_else(|| panic!("a {what} at {position}"));
            let SharedFault::Damaged { what: said, found } = error.fault() else {
                panic!("{error}");
            };
            assert_eq!(*said, what, "{position}: {found}");
            assert_eq!(
                error.fault().to_string(),
                format!(
                    "its {what} can't be {found}: something wrote over it; `create` replaces it once nobody uses it"
                )
            );
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
