//! Reading a bus through memory that can't be written: what is read is whole, in order and complete or said to be missed; who reads
//! needs no right to write, and leaves no trace.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use messenger::bus::{
    JoinError, MessageId, ObserveError, Observed, SourceId, Start, Tag, WaitStrategy, record_len,
};
use messenger::shared::{Reader, SharedBus, SharedFault};
use rustix::fs::{Gid, Uid};

use crate::kit::{Other, TAG, forever, fresh, say, until};

/// The ring's length where it is to be lapped.
const RING: u64 = 1 << 15;
/// How many records are sent there.
const SENT: u64 = 200_000;

/// What a child does for these tests, if `role` is one of theirs.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    match role {
        "floods" => {
            let bus = SharedBus::open(name).unwrap();
            let mut publisher = bus.bus().publisher().unwrap();
            say("ready");
            std::io::stdin().read_exact(&mut [0]).unwrap();
            for number in 0..SENT {
                publisher.send(TAG, &payload(0, number)).unwrap();
                rest(number);
            }
            say(bus.bus().tail());
            forever();
        }
        // Two at a time, some of whose claims are aborted.
        "floods-by-two" => {
            let bus = SharedBus::open(name).unwrap();
            say("ready");
            std::thread::scope(|scope| {
                for source in 1..=2 {
                    let mut publisher = bus.bus().publisher().unwrap();
                    scope.spawn(move || {
                        let source = source << 8 | std::process::id() as u16 & 0xFF;
                        let tag = Tag::new(SourceId::new(source), MessageId::new(1));
                        for number in 0.. {
                            publisher.send(tag, &payload(source, number)).unwrap();
                            if number % 7 == 0 {
                                drop(publisher.claim(tag, 50).unwrap());
                            }
                            rest(number);
                        }
                    });
                }
            });
        }
        "reads-as-nobody" => as_nobody(name),
        _ => return false,
    }
    true
}

fn mix(n: u64) -> u64 {
    let n = n.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    n ^ n >> 29
}

/// The length of a payload, and where in the noise it begins.
fn shape(source: u16, number: u64) -> (usize, usize) {
    let mixed = mix(number << 16 | u64::from(source));
    // Most are short; some are as long as they can be.
    let len = match mixed % 64 {
        0 => RING / 4,
        n if n < 8 => 8 + mixed / 64 % 2000,
        _ => 8 + mixed / 64 % 200,
    };
    (len as usize, (mixed >> 32) as usize)
}

/// Payloads that differ in length and in what stands where: the number, then some of the same noise.
fn payload(source: u16, number: u64) -> Vec<u8> {
    static NOISE: OnceLock<Vec<u8>> = OnceLock::new();
    let noise = NOISE.get_or_init(|| (0..RING).flat_map(|n| mix(n).to_ne_bytes()).collect());
    let (len, from) = shape(source, number);
    let mut payload = number.to_le_bytes().to_vec();
    payload.extend_from_slice(&noise[from % (noise.len() / 2)..][..len - 8]);
    payload
}

/// Lets a reader catch up now and then.
fn rest(number: u64) {
    if number % 64 == 63 {
        std::thread::sleep(Duration::from_micros(100));
    }
}

fn number_of(payload: &[u8]) -> u64 {
    u64::from_le_bytes(*payload.first_chunk().unwrap())
}

/// Where the records of a single publisher stand: what it should find.
#[derive(Default)]
struct Place {
    number: u64,
    position: u64,
}

impl Place {
    fn len(&self) -> u64 {
        record_len(shape(0, self.number).0) as u64
    }

    /// Where the record really begins: past the padding, if it does not fit before the ring's end.
    fn begin(&self) -> u64 {
        if self.position % RING + self.len() > RING {
            return self.position.next_multiple_of(RING);
        }
        self.position
    }

    fn next(&mut self) {
        self.position = self.begin() + self.len();
        self.number += 1;
    }
}

#[test]
fn what_a_writer_laps_is_whole_and_in_order_or_said_to_be_missed() {
    let name = fresh();
    let bus = SharedBus::options().bytes(RING as usize).create(&name);
    let bus = bus.unwrap();
    let mut other = Other::start("floods", &name);
    assert_eq!(other.line(), "ready");
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    std::io::Write::write_all(other.child.stdin.as_mut().unwrap(), b"!").unwrap();

    let mut place = Place::default();
    let (mut payload, mut received, mut bytes, mut missed) = (Vec::new(), 0, 0, 0);
    let mut laps = 0;
    while place.number < SENT {
        let before = reader.position();
        let wait = Some(Instant::now() + Duration::from_secs(60));
        match reader.next_until(&mut payload, WaitStrategy::Block, wait, || false) {
            Ok(Some(Observed { position, tag })) => {
                assert_eq!((tag, position), (TAG, place.begin()));
                assert_eq!(number_of(&payload), place.number);
                assert_eq!(payload, self::payload(0, place.number), "not whole");
                // With the padding before it, if there was any.
                bytes += place.begin() + place.len() - place.position;
                place.next();
                received += 1;
                // Now and then it is too slow.
                if received % 2000 == 0 {
                    std::thread::sleep(Duration::from_millis(2));
                }
            }
            Ok(None) => panic!("nothing came at {before}"),
            Err(ObserveError::Lagged { skipped }) => {
                laps += 1;
                missed += skipped;
                // It may have stepped over padding before.
                let from = reader.position() - skipped;
                assert!([place.position, place.begin()].contains(&from));
                bytes += from - before;
                while place.position < reader.position() && place.begin() < reader.position() {
                    place.next();
                }
                // The floor may stand where padding ends.
                assert!([place.position, place.begin()].contains(&reader.position()));
                place.position = reader.position();
            }
            Err(error) => panic!("{error}"),
        }
    }
    println!("{received} of {SENT} received, {laps} times lapped, {missed} bytes missed");
    let tail: u64 = other.line().parse().unwrap();
    assert_eq!((reader.position(), reader.tail()), (tail, tail));
    assert_eq!(bytes + missed, tail, "received and missed are all");
    assert!(received > SENT / 1000 && laps > 10);
    // What it does stands nowhere.
    assert_eq!((bus.bus().stats().lagged, bus.processes().len()), (0, 2));
}

#[test]
fn what_many_write_at_a_time_is_whole_and_in_order() {
    let name = fresh();
    let bus = SharedBus::options().bytes(RING as usize).create(&name);
    let _bus = bus.unwrap();
    let mut others = [(); 2].map(|()| Other::start("floods-by-two", &name));
    for other in &mut others {
        assert_eq!(other.line(), "ready");
    }
    let mut reader = SharedBus::read(&name, Start::Newest).unwrap();
    let mut last = std::collections::HashMap::new();
    let (mut payload, mut received, mut laps, mut end) = (Vec::new(), 0, 0, reader.position());
    let begun = Instant::now();
    while received < 100_000 && begun.elapsed() < Duration::from_secs(20) {
        let before = reader.position();
        match reader.try_next(&mut payload) {
            Ok(Some(Observed { position, tag })) => {
                assert!(position >= end, "they come in order");
                end = reader.position();
                assert_eq!(end, position + record_len(payload.len()) as u64);
                let number = number_of(&payload);
                assert_eq!(payload, self::payload(tag.source.get(), number));
                let before = last.insert(tag.source, number);
                assert!(before.is_none_or(|before| before < number));
                received += 1;
            }
            Ok(None) => std::thread::yield_now(),
            Err(ObserveError::Lagged { skipped }) => {
                laps += 1;
                end = reader.position();
                // It may have stepped over what was aborted before.
                assert!(end >= before + skipped);
            }
            Err(error) => panic!("{error}"),
        }
    }
    println!(
        "{received} received of {} publishers, {laps} times lapped",
        last.len()
    );
    assert!(received > 1000 && last.len() == 4, "{received}");
}

/// What the system says that may be done with the pages of this process's mappings of a file.
fn mappings(file: &Path) -> Vec<String> {
    let inode = file.metadata().unwrap().ino().to_string();
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let fields = maps
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    // Addresses, rights, offset, device, inode, path: of a file that was made without a name its first one is told.
    let its = fields.filter(|fields| fields[4] == inode && fields[5].starts_with("/dev/shm/"));
    its.map(|fields| fields[1].to_owned()).collect()
}

#[test]
fn its_memory_cannot_be_written_and_nobody_sees_it() {
    let name = fresh();
    let mut other = Other::start("makes", &name);
    assert_eq!(other.line(), "made");
    let path = Path::new("/dev/shm").join(format!("messenger.{name}"));
    let before = std::fs::read(&path).unwrap();
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    assert_eq!(mappings(&path), ["r--s"]);
    let mut payload = Vec::new();
    for number in 0..10 {
        let observed = reader.try_next(&mut payload).unwrap().unwrap();
        assert_eq!((observed.position, observed.tag), (number * 32, TAG));
        assert_eq!(payload, b"hello");
    }
    let soon = Some(Instant::now() + Duration::from_millis(5));
    let next = reader.next_until(&mut payload, WaitStrategy::BlockNow, soon, || false);
    assert_eq!(next, Ok(None));
    assert_eq!(std::fs::read(&path).unwrap(), before, "it left no trace");
    drop(reader);
    assert!(mappings(&path).is_empty());
    other.kill();
    SharedBus::remove(&name).unwrap();
}

#[test]
fn who_uses_the_bus_may_read_it_so_too() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    publisher.send(TAG, b"first").unwrap();
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    let rights = mappings(bus.path());
    assert!(rights.contains(&"r--s".to_owned()), "{rights:?}");
    // It still has its place, as others see it.
    let mut other = Other::start("looks", &name);
    assert_eq!(other.line(), "1 used");
    let mut payload = Vec::new();
    assert!(reader.try_next(&mut payload).unwrap().is_some());
    let until = Some(Instant::now() + Duration::from_secs(60));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(20));
            publisher.send(TAG, b"later").unwrap();
        });
        let next = reader.next_until(&mut payload, WaitStrategy::BlockNow, until, || false);
        assert!(next.unwrap().is_some());
        assert_eq!(payload, b"later");
    });
    drop((publisher, bus));
    assert!(reader.is_removed());
    assert_eq!(reader.try_next(&mut payload), Ok(None));
}

#[test]
fn it_begins_where_it_is_told() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    for number in 0..10_u64 {
        publisher.send(TAG, &number.to_le_bytes()).unwrap();
    }
    let mut payload = Vec::new();
    let mut first = |start| -> Option<u64> {
        let mut reader = SharedBus::read(&name, start).unwrap();
        let observed = reader.try_next(&mut payload).unwrap();
        observed.map(|_| number_of(&payload))
    };
    assert_eq!(first(Start::Oldest), Some(0));
    assert_eq!(first(Start::At(5 * 32)), Some(5));
    // With the first at or after it.
    assert_eq!(first(Start::At(5 * 32 + 1)), Some(6));
    assert_eq!(first(Start::Newest), None);
    let join_error = |start| match SharedBus::read(&name, start).unwrap_err().fault() {
        SharedFault::Join(error) => *error,
        fault => panic!("{fault}"),
    };
    let (position, tail) = (321, 320);
    let ahead = JoinError::Ahead { position, tail };
    assert_eq!(join_error(Start::At(position)), ahead);

    // Lapped before it has reached its start: what stood before that is not missed.
    let mut reader = SharedBus::read(&name, Start::At(9 * 32)).unwrap();
    let mut newest = SharedBus::read(&name, Start::Newest).unwrap();
    while bus.bus().stats().head == 0 {
        publisher.send(TAG, &[1; 8]).unwrap();
    }
    let head = bus.bus().stats().head;
    assert!(head > 320, "a step is longer than that");
    let lagged = |skipped| Err(ObserveError::Lagged { skipped });
    assert_eq!(reader.try_next(&mut payload), lagged(head - 9 * 32));
    assert_eq!(newest.try_next(&mut payload), lagged(head - 320));
    let observed = newest.try_next(&mut payload).unwrap().unwrap();
    assert_eq!(observed.position, head);
    assert!(matches!(join_error(Start::At(0)), JoinError::Gone { .. }));
}

#[test]
fn a_claim_of_a_dead_process_is_passed_when_another_has_settled_it() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    let mut other = Other::start("claims", &name);
    assert_eq!(other.line(), "claimed");
    bus.bus().publisher().unwrap().send(TAG, b"behind").unwrap();
    let mut payload = Vec::new();
    assert_eq!(reader.try_next(&mut payload), Ok(None), "it is open");
    other.kill();
    until("the record behind the hole", || {
        reader.try_next(&mut payload).unwrap().is_some()
    });
    assert_eq!(payload, b"behind");
}

/// This process's user becomes nobody, who may read the file, or not.
fn as_nobody(name: &str) {
    let nobody = 65534;
    rustix::thread::set_thread_groups(&[]).unwrap();
    rustix::thread::set_thread_gid(Gid::from_raw(nobody)).unwrap();
    rustix::thread::set_thread_uid(Uid::from_raw(nobody)).unwrap();
    let fault = |error: messenger::shared::SharedError| match error.fault() {
        SharedFault::Foreign { .. } => "foreign".to_owned(),
        SharedFault::System { source, .. } => source.kind().to_string(),
        fault => panic!("{fault}"),
    };
    say(fault(SharedBus::read(name, Start::Oldest).unwrap_err()));
    let options = SharedBus::options().trust_others(true);
    say(fault(options.open(name).unwrap_err()));
    match options.read(name, Start::Oldest) {
        Ok(reader) => say(first_of(reader)),
        Err(error) => say(fault(error)),
    }
}

fn first_of(mut reader: Reader) -> String {
    let mut payload = Vec::new();
    assert!(reader.try_next(&mut payload).unwrap().is_some());
    String::from_utf8(payload).unwrap()
}

#[test]
fn the_right_to_read_the_file_is_enough() {
    let root = rustix::process::geteuid().is_root();
    for (mode, read) in [
        (0o600, "permission denied"),
        (0o640, "permission denied"),
        (0o644, "hello"),
    ] {
        let name = fresh();
        let bus = SharedBus::options().mode(mode).create(&name).unwrap();
        bus.bus().publisher().unwrap().send(TAG, b"hello").unwrap();
        if !root {
            // Past the test harness, which would keep it to itself.
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "SKIPPED: this user can't become another");
            break;
        }
        let mut other = Other::start("reads-as-nobody", &name);
        let unread = ["foreign", "permission denied"][usize::from(mode != 0o644)];
        assert_eq!(other.line(), unread);
        assert_eq!(other.line(), "permission denied", "to open it");
        assert_eq!(other.line(), read, "{mode:o}");
        assert_eq!(bus.processes().len(), 1);
    }
    // One that its own user may not write.
    let name = fresh();
    let bus = SharedBus::options().mode(0o444).keep(true).create(&name);
    let bus = bus.unwrap();
    bus.bus().publisher().unwrap().send(TAG, b"hello").unwrap();
    let path = bus.path().to_owned();
    drop(bus);
    let reader = SharedBus::read(&name, Start::Oldest).unwrap();
    assert_eq!(mappings(&path), ["r--s"]);
    assert_eq!(first_of(reader), "hello");
    if !root {
        let error = SharedBus::open(&name).unwrap_err();
        assert!(
            matches!(error.fault(), SharedFault::System { .. }),
            "{error}"
        );
    }
    std::fs::remove_file(path).unwrap();
}

/// All that is read may be any bytes, and others the next moment: each call ends, and gives what can be.
#[test]
fn whatever_is_written_meanwhile_harms_nobody() {
    let name = fresh();
    let bus = SharedBus::options().bytes(1024).members(4).keep(true);
    let bus = bus.create(&name).unwrap();
    let (path, first, tail);
    {
        let mut publisher = bus.bus().publisher().unwrap();
        for len in 0..40 {
            publisher.send(TAG, &vec![len; len.into()]).unwrap();
        }
        (first, tail) = (bus.bus().stats().head, bus.bus().tail());
        path = bus.path().to_owned();
    }
    drop(bus);
    let sound = std::fs::read(&path).unwrap();
    let mut readers: Vec<_> = [Start::Oldest, Start::Newest, Start::At(first + 7)]
        .map(|start| SharedBus::read(&name, start).unwrap())
        .into();
    let (over, mut seen) = (AtomicBool::new(false), [0_u64; 4]);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let file = File::options().write(true).open(&path).unwrap();
            let mut seed = 11_u64;
            let mut random = move || {
                // xorshift64
                seed ^= seed << 13;
                seed ^= seed >> 7;
                seed ^= seed << 17;
                seed
            };
            // The bus's words and its ring: from the page before the slots' on.
            let from = sound.len() as u64 - 1024 - 4096;
            while !over.load(Relaxed) {
                let at = from + random() % ((sound.len() as u64 - from) / 8) * 8;
                let was = &sound[at as usize..][..8];
                let word = match random() % 6 {
                    0 => random(),
                    1 => u64::MAX << (random() % 64),
                    2 => random() % 512,
                    _ => u64::from_le_bytes(was.try_into().unwrap()),
                };
                file.write_at(&word.to_le_bytes(), at).unwrap();
            }
        });
        let begun = Instant::now();
        let mut payload = Vec::new();
        while begun.elapsed() < Duration::from_secs(2) {
            for reader in &mut readers {
                let came = reader.try_next(&mut payload);
                if let Ok(Some(_)) = came {
                    assert!(payload.len() <= 256);
                }
                seen[match came {
                    Ok(Some(_)) => 0,
                    Ok(None) => 1,
                    Err(ObserveError::Lagged { .. }) => 2,
                    Err(_) => 3,
                }] += 1;
            }
            // From the beginning again, if it can be.
            if let Ok(reader) = SharedBus::read(&name, Start::Oldest) {
                readers[0] = reader;
            }
        }
        over.store(true, Relaxed);
    });
    println!("{seen:?} records, nothing, lapped, errors; the bus ended at {tail}");
    assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
    std::fs::remove_file(path).unwrap();
}
