//! A process number that comes again: what a dead process has left is not taken for that of the one that has its number now, nor the other way
//! round.
//!
//! All of it is in a namespace of process numbers of its own, where one can say which is the next.

use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

use messenger::bus::{Start, WaitStrategy};
#[cfg(feature = "zero_copy")]
use messenger::shared::SharedFault;
use messenger::shared::{Change, SharedBus};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::kit::{Other, TAG, fresh, say, until};
use crate::namespaces;

/// Who gets the number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// One that is not on the bus.
    Stranger,
    /// One that comes while nobody has found the dead one: it finds it itself, and gets another place.
    Beside,
    /// One that comes while another settles for the dead one.
    Meanwhile,
    /// One that comes when the dead one is settled, and gets its place, too.
    InItsPlace,
}

/// A bus, and who is on it when the number has come again.
struct Stage {
    name: String,
    /// It says who comes and who goes, and stood still while the next one came.
    attests: Other,
    next: Other,
    kind: Next,
}

impl Stage {
    /// One that does `role` dies, and another, which does `then` if it is on the bus, gets its number. Each of these has said that it is there.
    fn set(name: String, next: Next, [role, then]: [&str; 2], rest: &str) -> Self {
        let settles = next == Next::Meanwhile;
        let fault = settles.then_some(("MESSENGER_FAULT", "settling:1:stop"));
        let mut attests = Other::start_with("attests", &name, fault);
        assert_eq!(attests.line(), "made");
        let mut dead = Other::start(role, rest);
        let there = dead.line();
        let pid = dead.child.id();
        assert_eq!(attests.line(), format!("{pid} in 1"));
        if !settles {
            attests.signal("-STOP");
            stands_still(&attests);
        }
        dead.kill();
        if settles {
            stands_still(&attests);
        }
        if next == Next::InItsPlace {
            until("it is settled", || {
                SharedBus::open(&name).unwrap().processes().len() == 2
            });
        }
        choose(pid).unwrap();
        let joins = next != Next::Stranger;
        let mut other = if joins {
            Other::start(then, rest)
        } else {
            let mut command = Command::new("sleep");
            command.arg("60");
            Other::run(command, "sleeps", rest)
        };
        assert_eq!(other.child.id(), pid, "another was faster");
        if joins {
            assert_eq!(other.line(), there);
        }
        attests.signal("-CONT");
        Self {
            name,
            attests,
            next: other,
            kind: next,
        }
    }

    /// Whether the next one is on the bus.
    fn joins(&self) -> bool {
        self.kind != Next::Stranger
    }

    /// Comes to the bus, too.
    fn open(&self) -> SharedBus {
        let bus = SharedBus::open(&self.name).unwrap();
        let mut pids: Vec<_> = bus.processes().iter().map(|it| it.pid).collect();
        pids.sort_unstable();
        let mut due = vec![1, self.attests.child.id()];
        due.extend(self.joins().then(|| self.next.child.id()));
        due.sort_unstable();
        assert_eq!(pids, due);
        bus
    }

    /// What is told of the two, in good time or late: nothing of the one is told of the other. The next one dies, too, and who attests is the last.
    fn ends(mut self) {
        let mut due = vec!["Died { cause: None }, Some(0)".to_owned()];
        if self.joins() {
            let place = if self.kind == Next::InItsPlace { 1 } else { 2 };
            due.insert(0, format!("{} in {place}", self.next.child.id()));
        }
        // Who is being settled just then is told of later.
        let mut told: Vec<_> = due.iter().map(|_| self.attests.line()).collect();
        told.sort_unstable();
        assert_eq!(told, due);
        self.next.kill();
        if self.joins() {
            assert_eq!(self.attests.line(), "Died { cause: None }, Some(1)");
        }
        drop(self.attests.child.stdin.take());
        assert!(self.attests.child.wait().unwrap().success());
    }
}

/// Waits until it has been stopped. (In /proc, as it is mounted here, it has another number.)
fn stands_still(other: &Other) {
    let it = WaitId::Pid(Pid::from_child(&other.child));
    waitid(it, WaitIdOptions::STOPPED).unwrap();
}

/// Has the next process, or thread, of this namespace get the number `pid`, if nobody has it.
fn choose(pid: u32) -> std::io::Result<()> {
    std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())
}

/// What a child does for these tests, if `role` is one of theirs.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    if role != "attests" {
        return false;
    }
    let bus = SharedBus::create(name, 1 << 12).unwrap();
    let membership = bus.membership();
    say("made");
    let listening = std::thread::spawn(move || {
        let mut joined = Vec::new();
        for told in membership {
            let process = told.process;
            match told.change {
                // The one that has all others do what they do.
                _ if process.own_pid == 1 => {}
                Change::Joined => {
                    say(format_args!("{} in {}", process.pid, process.place));
                    joined.push(process);
                }
                change => {
                    let which = joined.iter().position(|it| *it == process);
                    say(format_args!("{change:?}, {which:?}"));
                }
            }
        }
    });
    let _ = std::io::stdin().read(&mut [0]);
    drop(bus);
    listening.join().unwrap();
    true
}

/// What the first process of a namespace does: it has one die that does `what`, and sees to what becomes of that.
pub(crate) fn happens(what: &str) {
    if let Err(error) = choose(300) {
        return say(format_args!(
            "SKIPPED: nobody can choose a process's number here: {error}"
        ));
    }
    let all = [
        Next::Stranger,
        Next::Beside,
        Next::Meanwhile,
        Next::InItsPlace,
    ];
    for next in all {
        if next == Next::Meanwhile && !cfg!(feature = "fault") {
            continue;
        }
        match what {
            "claims" => claims(next),
            "subscribes" => subscribes(next),
            #[cfg(feature = "zero_copy")]
            "works" => works(next),
            other => panic!("nobody does {other}"),
        }
    }
    say("done");
}

fn claims(next: Next) {
    let name = fresh();
    let mut stage = Stage::set(name.clone(), next, ["claims", "pauses"], &name);
    let bus = stage.open();
    bus.bus().publisher().unwrap().send(TAG, b"behind").unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    until("what it claimed is aborted", || {
        bus.bus().stats().aborted == 1
    });
    if stage.joins() {
        let wait = Duration::from_millis(100);
        let early = subscriber.next_timeout(WaitStrategy::Block, wait).unwrap();
        assert!(early.is_none(), "the next one is robbed");
        let stdin = stage.next.child.stdin.as_mut().unwrap();
        stdin.write_all(b"!").unwrap();
        let record = subscriber.next(WaitStrategy::Block).unwrap();
        assert_eq!(record.payload(), b"late!");
    }
    let record = subscriber.next(WaitStrategy::Block).unwrap();
    assert_eq!(record.payload(), b"behind");
    assert_eq!(bus.bus().stats().aborted, 1);
    drop((bus, subscriber));
    stage.ends();
}

fn subscribes(next: Next) {
    let name = fresh();
    let mut stage = Stage::set(name.clone(), next, ["subscribes"; 2], &name);
    let bus = stage.open();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut has_room = || {
        let twice_around = 2 * bus.bus().capacity() / 100;
        (0..twice_around).all(|_| publisher.try_send(TAG, &[0; 100]).is_ok())
    };
    if stage.joins() {
        until("only the next one subscribes", || {
            bus.bus().stats().subscribers.len() == 1
        });
        assert!(!has_room(), "the next one holds nobody back");
        std::thread::sleep(Duration::from_millis(100));
        assert!(!has_room(), "the next one holds nobody back any more");
        stage.next.kill();
    }
    until("the dead hold nobody back", has_room);
    drop((bus, publisher));
    stage.ends();
}

/// Of a worker.
#[cfg(feature = "zero_copy")]
fn works(next: Next) {
    let name = fresh();
    let dir = std::env::temp_dir().join(format!("messenger-{name}"));
    std::fs::create_dir(&dir).unwrap();
    let (worker, rest) = ("table:First", format!("{name} {} 0 0", dir.display()));
    let stage = Stage::set(name, next, [worker; 2], &rest);
    let bus = stage.open();
    let runs = || bus.workers().remove(0).process;
    let after = (!stage.joins()).then(|| {
        assert_eq!(runs(), None);
        let mut after = Other::start(worker, &rest);
        assert_eq!(after.line(), "runs");
        after
    });
    let pid = after.as_ref().unwrap_or(&stage.next).child.id();
    assert_eq!(runs().map(|process| process.pid), Some(pid));
    let refused = bus.forget_worker("Split.First").unwrap_err();
    let SharedFault::WorkerRuns { process, .. } = refused.fault() else {
        panic!("{refused}");
    };
    assert_eq!(process.pid, pid);
    drop((bus, after));
    stage.ends();
    std::fs::remove_dir_all(&dir).unwrap();
}

fn in_a_namespace(what: &str) {
    let Some(mut first) = namespaces::start(&["--pid"], "numbers", what) else {
        return;
    };
    let said = first.line();
    if said.starts_with("SKIPPED") {
        namespaces::skipped(&said);
    } else {
        assert_eq!(said, "done");
    }
    assert!(first.child.wait().unwrap().success());
}

#[test]
fn a_claim_of_a_dead_one_is_not_the_next_ones() {
    in_a_namespace("claims");
}

#[test]
fn a_dead_subscriber_is_not_the_next_ones() {
    in_a_namespace("subscribes");
}

#[cfg(feature = "zero_copy")]
#[test]
fn a_seat_of_a_dead_one_is_not_the_next_ones() {
    in_a_namespace("works");
}
