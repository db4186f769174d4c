//! Two processes that claim from the same position on, one of whom gets it: whose claim it is, is found out when either is dead, and a
//! live one is never robbed, however long it is stopped. Nor are others held up by one that is stopped behind the door.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use messenger::bus::{MessageId, SourceId, Start, Tag};
use rustix::process::{Pid, Signal, kill_process};

use crate::arena::alone;
use crate::kit::{Dir, again, stands_still, until};
use crate::left::check_nothing_but_files;
use crate::victim::{NAME, options};

const VARIABLE: &str = "MESSENGER_SHARED_TWIN";
const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

/// Does nothing but in a child: sends one record, in which it is stopped; or says what an id means, if the record were to be empty.
#[test]
fn sends_one() {
    let Ok(text) = std::env::var(VARIABLE) else {
        return;
    };
    let (len, dir) = text.split_once(' ').unwrap();
    let len: usize = len.parse().unwrap();
    let bus = options(Path::new(dir)).open(NAME).unwrap();
    if len == 0 {
        bus.admit(&"source\t1\tOne\n".parse().unwrap()).unwrap();
    }
    let mut publisher = bus.bus().publisher().unwrap();
    publisher.send(TAG, &vec![len as u8; len]).unwrap();
    drop(publisher);
    std::thread::sleep(Duration::from_secs(60));
}

/// A child that has stopped at a point of its claim.
struct Twin {
    child: Child,
    len: usize,
}

impl Twin {
    fn stopped_at(point: &str, len: usize, dir: &Dir) -> Self {
        let text = format!("{len} {}", dir.display());
        let child = again("twins::sends_one", VARIABLE, text)
            .env("MESSENGER_FAULT", format!("{point}:1:stop"))
            .spawn()
            .unwrap();
        stands_still(&child);
        Self { child, len }
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    fn go_on(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::CONT).unwrap();
    }
}

impl Drop for Twin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What becomes of the two: of the one that has only said what it tries to claim, and of the one that has got it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// The first one is killed, and then the other goes on.
    TrierDies,
    /// The other way round.
    OwnerDies,
    /// Both are killed, the first one first.
    BothDie,
    /// The other way round.
    BothDieOwnerFirst,
}

fn one(fate: Fate, tries: usize, owns: usize) {
    let context = format!("{fate:?}, {tries}, {owns}");
    let dir = Dir::new("shared-twins");
    let bus = options(&dir).create(NAME).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut next = || {
        let record = subscriber.try_next().unwrap();
        record.map(|record| record.payload().to_vec())
    };
    let mut trier = Twin::stopped_at("intent", tries, &dir);
    let mut owner = Twin::stopped_at("claimed", owns, &dir);
    let mut publisher = bus.bus().publisher().unwrap();
    publisher.send(TAG, b"behind").unwrap();
    // Long enough for whoever would rob a live one.
    let a_while = || std::thread::sleep(Duration::from_millis(30));
    let mut due = vec![b"behind".to_vec()];
    let payload = |twin: &Twin| vec![twin.len as u8; twin.len];
    match fate {
        Fate::TrierDies => {
            trier.kill();
            a_while();
            assert_eq!(next(), None, "{context}");
            owner.go_on();
            due.insert(0, payload(&owner));
        }
        Fate::OwnerDies => {
            owner.kill();
            a_while();
            trier.go_on();
            due.push(payload(&trier));
        }
        Fate::BothDie => {
            trier.kill();
            a_while();
            assert_eq!(next(), None, "{context}");
            owner.kill();
        }
        Fate::BothDieOwnerFirst => {
            owner.kill();
            a_while();
            trier.kill();
        }
    }
    for due in due {
        let mut seen = None;
        until("the next record", || {
            seen = next();
            seen.is_some()
        });
        assert_eq!(seen, Some(due), "{context}");
    }
    let dies = |twin| match fate {
        Fate::TrierDies => std::ptr::eq(twin, &trier),
        Fate::OwnerDies => std::ptr::eq(twin, &owner),
        Fate::BothDie | Fate::BothDieOwnerFirst => true,
    };
    // Of this process its own, its publisher and its subscriber; of each of the others its own, which has nothing else by now.
    let lives = [&trier, &owner].iter().filter(|twin| !dies(**twin)).count();
    until("the dead are settled", || {
        bus.processes().len() == 1 + lives && bus.bus().stats().members == 3 + lives
    });
    assert_eq!(next(), None, "{context}");
    let aborted = u64::from(fate != Fate::TrierDies);
    assert_eq!(bus.bus().stats().aborted, aborted, "{context}");
    drop((trier, owner));
    drop((bus, publisher, subscriber));
    check_nothing_but_files(&dir);
    assert!(dir.files().is_empty(), "{context}");
}

#[test]
fn of_two_at_one_position_no_live_one_is_robbed() {
    let _alone = alone();
    let fates = [
        Fate::TrierDies,
        Fate::OwnerDies,
        Fate::BothDie,
        Fate::BothDieOwnerFirst,
    ];
    for fate in fates {
        for (tries, owns) in [(40, 40), (40, 100), (100, 40)] {
            one(fate, tries, owns);
        }
    }
}

#[test]
fn one_stopped_behind_the_door_holds_up_no_record() {
    let _alone = alone();
    let dir = Dir::new("shared-door");
    let bus = options(&dir).create(NAME).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut claims = Twin::stopped_at("claimed", 40, &dir);
    let behind_the_door = Twin::stopped_at("schema_written", 0, &dir);
    bus.bus().publisher().unwrap().send(TAG, b"behind").unwrap();
    claims.kill();
    until("the record behind the hole", || {
        let record = subscriber.try_next().unwrap();
        record.is_some_and(|record| record.payload() == b"behind")
    });
    until("the dead is settled", || bus.processes().len() == 2);
    behind_the_door.go_on();
    until("what it had still to send", || {
        subscriber.try_next().unwrap().is_some()
    });
    let schema = bus.schema().unwrap();
    assert!(schema.to_string().contains("One"));
    drop((claims, behind_the_door));
    drop((bus, subscriber));
    check_nothing_but_files(&dir);
    assert!(dir.files().is_empty());
}
