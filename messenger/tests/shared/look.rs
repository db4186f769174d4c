//! A bus as one sees it who does not use it.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::Duration;

use messenger::bus::Start;
use messenger::journal::JournalConfig;
use messenger::shared::{MemberKind, SharedBus, SharedFault};

use crate::kit::{Other, TAG, forever, fresh, say, until};

/// What a child does for these tests, if `role` is one of theirs.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    match role {
        "makes" => {
            let bus = SharedBus::create(name, 1 << 12).unwrap();
            let mut publisher = bus.bus().publisher().unwrap();
            let _subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
            for _ in 0..10 {
                publisher.send(TAG, b"hello").unwrap();
            }
            say("made");
            forever();
        }
        "looks" => {
            let look = SharedBus::look(shm(), name).unwrap();
            say(format_args!("{} used", look.look.unwrap().processes.len()));
            true
        }
        _ => false,
    }
}

fn shm() -> &'static Path {
    Path::new("/dev/shm")
}

#[test]
fn one_that_others_use_is_seen_and_not_touched() {
    let name = fresh();
    let mut other = Other::start("makes", &name);
    assert_eq!(other.line(), "made");
    let path = shm().join(format!("messenger.{name}"));
    let before = path.metadata().unwrap();
    let listed = SharedBus::list(shm()).unwrap();
    let listed = listed.iter().find(|listed| listed.name == name).unwrap();
    let look = listed.look.as_ref().unwrap();
    assert!(listed.in_use && look.removes && look.died.is_empty());
    assert_eq!((listed.bytes, listed.owner), (before.len(), before.uid()));
    let pids: Vec<_> = look.processes.iter().map(|p| p.pid).collect();
    assert_eq!(pids, [other.child.id()]);
    // Ten records of 5 bytes and a header, and a subscriber that has read none of them.
    let stats = &look.stats;
    assert_eq!((stats.head, stats.tail, stats.capacity), (0, 320, 4096));
    assert_eq!(look.sample, (10, 320));
    let subscriber = MemberKind::Subscriber {
        position: 0,
        lag: 320,
    };
    let kinds: Vec<_> = look.members.iter().map(|m| (m.place, m.kind)).collect();
    let idle = (Some(0), MemberKind::Idle);
    assert_eq!(kinds, [idle, idle, (Some(0), subscriber)]);
    let after = path.metadata().unwrap();
    assert_eq!(
        (before.mtime_nsec(), before.ctime_nsec()),
        (after.mtime_nsec(), after.ctime_nsec())
    );

    other.kill();
    until("its death", || {
        let listed = SharedBus::look(shm(), &name).unwrap();
        !listed.in_use
    });
    let look = SharedBus::look(shm(), &name).unwrap().look.unwrap();
    assert!(look.processes.is_empty());
    let died: Vec<_> = look.died.iter().map(|p| p.pid).collect();
    assert_eq!(died, [other.child.id()]);
    assert!(path.exists(), "a look removes nothing");
    SharedBus::remove(&name).unwrap();
    let error = SharedBus::look(shm(), &name).unwrap_err();
    assert!(matches!(error.fault(), SharedFault::Absent), "{error}");
}

#[test]
fn who_uses_it_sees_it_too() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let _subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    for _ in 0..3 {
        let look = SharedBus::look(shm(), &name).unwrap();
        assert!(look.in_use);
        assert_eq!(look.look.unwrap().processes, bus.processes());
        // It still has its place, as others see it.
        publisher.send(TAG, b"on").unwrap();
        let mut other = Other::start("looks", &name);
        assert_eq!(other.line(), "1 used");
    }
}

#[test]
fn what_is_no_bus_is_listed_with_what_is_wrong() {
    let name = fresh();
    let path = shm().join(format!("messenger.{name}"));
    std::fs::write(&path, vec![7; 8192]).unwrap();
    let listed = SharedBus::look(shm(), &name).unwrap();
    let error = listed.look.unwrap_err();
    assert!(matches!(error.fault(), SharedFault::NotABus), "{error}");
    assert!(!listed.in_use);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn who_keeps_it_does_not_remove_it() {
    let name = fresh();
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let path = bus.path().to_owned();
    drop(bus);
    assert!(!path.exists());
    let mut other = Other::start("makes", &name);
    assert_eq!(other.line(), "made");
    other.kill();
    drop(SharedBus::options().keep(true).open(&name).unwrap());
    assert!(path.exists());
    drop(SharedBus::open(&name).unwrap());
    assert!(!path.exists());
}

#[test]
fn whatever_stands_there_can_be_looked_at() {
    let name = fresh();
    let mut other = Other::start("makes", &name);
    assert_eq!(other.line(), "made");
    other.kill();
    let path = shm().join(format!("messenger.{name}"));
    let file = File::options().write(true).open(&path).unwrap();
    let sound = std::fs::read(&path).unwrap();
    let mut seed = 7_u64;
    let mut random = || {
        // xorshift64
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (mut looked, mut refused) = (0, 0);
    for turn in 0..4000 {
        let len = sound.len() as u64 / 8;
        let words = 1 + random() % 12;
        let mut written = Vec::new();
        for _ in 0..words {
            // Anywhere; in the words of the bus and its records; in those words that are not of a slot.
            let (first, number) = match turn % 3 {
                0 => (0, len),
                1 => (len - 4 * 512, 4 * 512),
                _ => (len - 4 * 512, 128),
            };
            let at = (first + random() % number) * 8;
            let word = match random() % 4 {
                0 => random(),
                1 => u64::MAX << (random() % 64),
                2 => random() % 512,
                _ => 1 << (random() % 64),
            };
            file.write_at(&word.to_le_bytes(), at).unwrap();
            written.push(at);
        }
        match SharedBus::look(shm(), &name).unwrap().look {
            Ok(look) => {
                looked += 1;
                assert!(look.sample.1 <= 4096 && look.members.len() <= 64);
            }
            Err(_) => refused += 1,
        }
        for at in written {
            let word = &sound[at as usize..][..8];
            file.write_at(word, at).unwrap();
        }
    }
    assert!(looked > 500 && refused > 500, "{looked}, {refused}");
    SharedBus::remove(&name).unwrap();
}

/// What a bus's file says of a journal is not followed wherever that leads.
#[test]
fn a_journal_that_is_none_keeps_nobody_waiting() {
    let name = fresh();
    let dir = shm().join(format!("messenger-journal-{name}"));
    let config = JournalConfig::new().segment_bytes(4096);
    let options = SharedBus::options().journal(&dir, config).keep(true);
    drop(options.create(&name).unwrap());
    let look = move |name: String| {
        let (to, from) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let _ = to.send(SharedBus::look(shm(), &name).unwrap().look);
        });
        let look = from.recv_timeout(Duration::from_secs(120));
        look.expect("it does not wait")
    };
    assert!(look(name.clone()).is_ok());
    let make = |command: &str, what: &[&str]| {
        let made = std::process::Command::new(command).args(what).status();
        assert!(made.unwrap().success());
    };
    for file in ["schema", "control"] {
        let (at, away) = (dir.join(file), dir.join("away"));
        std::fs::rename(&at, &away).unwrap();
        let path = at.to_str().unwrap();
        for (command, what) in [
            ("mkfifo", &[path][..]),
            ("ln", &["-s", "/dev/zero", path]),
            ("truncate", &["-s", "1T", path]),
        ] {
            make(command, what);
            let error = look(name.clone()).unwrap_err();
            assert!(matches!(error.fault(), SharedFault::Journal(_)), "{error}");
            std::fs::remove_file(&at).unwrap();
        }
        std::fs::rename(&away, &at).unwrap();
    }
    assert!(look(name.clone()).is_ok());
    // One of another user, if a file can be given to him here.
    let path = shm().join(format!("messenger.{name}"));
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_ok() {
        let error = look(name).unwrap_err();
        assert!(
            matches!(error.fault(), SharedFault::Foreign { owner: 12_345, .. }),
            "{error}"
        );
    }
    std::fs::remove_file(path).unwrap();
    std::fs::remove_dir_all(dir).unwrap();
}
