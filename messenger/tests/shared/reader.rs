//! Reading a bus through memory that can't be written: who reads needs no right to write, and leaves no trace.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use messenger::bus::{JoinError, ObserveError, Start, WaitStrategy};
use messenger::shared::{Reader, SharedBus, SharedFault};

use crate::kit::{NOBODY, Other, TAG, become_nobody, fresh, say, until};

/// What a child does for these tests, if `role` is one of theirs.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    if role == "reads-as-nobody" {
        as_nobody(name);
    }
    role == "reads-as-nobody"
}

/// What a payload begins with.
pub(crate) fn number_of(payload: &[u8]) -> u64 {
    u64::from_le_bytes(*payload.first_chunk().unwrap())
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
    become_nobody();
    let fault = |error: messenger::shared::SharedError| match error.fault() {
        SharedFault::Foreign { .. } => "foreign".to_owned(),
        SharedFault::Refused { to_write, .. } => {
            let text = error.to_string();
            assert!(text.contains("belongs to the user 0 with the permissions 6"));
            assert_eq!(text.contains("`SharedBus::read`"), *to_write, "{text}");
            "permission denied".to_owned()
        }
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
    let denied = "permission denied";
    for (mode, group, read) in [
        (0o600, NOBODY, denied),
        (0o640, 0, denied),
        (0o640, NOBODY, "hello"),
        (0o644, 0, "hello"),
    ] {
        if !root {
            // Past the test harness, which would keep it to itself.
            use std::io::Write;
            let _ = writeln!(std::io::stderr(), "SKIPPED: this user can't become another");
            break;
        }
        let name = fresh();
        let options = SharedBus::options().mode(mode).group(group);
        let bus = options.create(&name).unwrap();
        bus.bus().publisher().unwrap().send(TAG, b"hello").unwrap();
        let mut other = Other::start("reads-as-nobody", &name);
        let untrusted = if read == denied { denied } else { "foreign" };
        assert_eq!(other.line(), untrusted);
        assert_eq!(other.line(), denied, "to open it");
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
