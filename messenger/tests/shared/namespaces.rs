//! Processes in namespaces of their own, where the same number means different processes.

use std::io::{BufRead, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use messenger::bus::{Start, WaitStrategy};
use messenger::shared::{Change, SharedBus};

use crate::kit::{Other, TAG, forever, fresh, role, say};

/// Each in a namespace of process numbers of its own, and the other one in one of networks, too: what is told there is not heard here.
const SPACES: [&[&str]; 2] = [&["--pid"], &["--pid", "--net"]];

/// A program that runs another in namespaces of its own, if that can be had here.
fn unshare(spaces: &[&str]) -> Option<Command> {
    let as_who: [&[&str]; 2] = [&[], &["--user", "--map-root-user"]];
    for as_who in as_who {
        let command = || {
            let mut command = Command::new("unshare");
            command.args(as_who).args(spaces);
            command.args(["--fork", "--kill-child"]);
            command
        };
        let tried = command().arg("true").stderr(Stdio::null()).status();
        if tried.is_ok_and(|status| status.success()) {
            return Some(command());
        }
    }
    skipped("SKIPPED: this user can't have namespaces of its own");
    None
}

/// Says so past the test harness, which would keep it to itself.
pub(crate) fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "{why}");
}

/// Starts a child that does `role`, in namespaces of its own.
pub(crate) fn start(spaces: &[&str], role: &str, name: &str) -> Option<Other> {
    let mut command = unshare(spaces)?;
    command.arg(std::env::current_exe().unwrap());
    command.args(["namespaces::child_elsewhere", "--exact"]);
    command.args(["--nocapture", "--quiet"]);
    Some(Other::run(command, role, name))
}

/// Signals the process that `other`, which only started it, is about.
fn signal(other: &Other, signal: &str) {
    let parent = other.child.id().to_string();
    let sent = Command::new("pkill")
        .args([signal, "--parent", &parent])
        .status();
    assert!(sent.unwrap().success());
}

fn tell(other: &mut Other) {
    let stdin = other.child.stdin.as_mut().unwrap();
    stdin.write_all(b"go on\n").unwrap();
}

/// What a child does; a test that does nothing in the parent.
#[test]
fn child_elsewhere() {
    let Some((role, name)) = role() else { return };
    match role.as_str() {
        "claims" => claims(&SharedBus::open(&name).unwrap()),
        "numbers" => crate::same_pid::happens(&name),
        "watches" => watches(&SharedBus::create(&name, 1 << 12).unwrap()),
        other => panic!("no role {other}"),
    }
}

/// Claims, and commits when it is told to.
fn claims(bus: &SharedBus) {
    let mut publisher = bus.bus().publisher().unwrap();
    let mut claim = publisher.claim(TAG, 5).unwrap();
    claim.writer().put(b"la").unwrap();
    say(format_args!("claimed by {}", std::process::id()));
    std::io::stdin().read_exact(&mut [0]).unwrap();
    claim.writer().put(b"te!").unwrap();
    claim.commit().unwrap();
    forever();
}

/// Says what it is given after it was told that another has claimed, and how the other is seen.
fn watches(bus: &SharedBus) {
    let membership = bus.membership();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    say(format_args!("created by {}", std::process::id()));
    let mut lines = std::io::stdin().lock().lines();
    lines.next();
    let joined = membership.recv_timeout(Duration::from_secs(60)).unwrap();
    assert_eq!(joined.change, Change::Joined);
    say(format_args!(
        "joined: {} {}",
        joined.process.pid, joined.process.own_pid
    ));
    bus.bus().publisher().unwrap().send(TAG, b"behind").unwrap();
    let short = Duration::from_secs(1);
    let early = subscriber.next_timeout(WaitStrategy::Block, short).unwrap();
    say(format_args!("robbed: {}", early.is_some()));
    lines.next();
    let begun = Instant::now();
    loop {
        let long = Some(Instant::now() + Duration::from_secs(60));
        assert!(
            subscriber
                .wait_until(WaitStrategy::Block, long, || false)
                .unwrap()
        );
        let record = subscriber.try_next().unwrap().unwrap();
        say(String::from_utf8_lossy(record.payload()));
        if record.payload() == b"behind" {
            break;
        }
    }
    say(begun.elapsed().as_micros());
    // Of one that lives on nothing more is told.
    let told_in = match bus.bus().stats().aborted {
        0 => short,
        _ => Duration::from_secs(60),
    };
    let change = membership.recv_timeout(told_in).map(|told| told.change);
    say(format_args!(
        "{change:?}, {} are here",
        bus.processes().len()
    ));
    let stats = bus.bus().stats();
    say(format_args!(
        "{} members, {} aborted",
        stats.members, stats.aborted
    ));
    lines.next();
}

/// Two processes with the same number: one that has claimed, and one that waits for what is behind that.
fn two(spaces: &[&str]) -> Option<(Other, Other)> {
    let name = fresh();
    let mut watching = start(spaces, "watches", &name)?;
    assert_eq!(watching.line(), "created by 1");
    let mut claiming = start(spaces, "claims", &name)?;
    assert_eq!(claiming.line(), "claimed by 1");
    Some((watching, claiming))
}

/// Waits for the one that is killed, and then lets the other leave as the last.
fn end(mut watching: Other, mut claiming: Other) {
    claiming.child.wait().unwrap();
    tell(&mut watching);
    assert!(watching.child.wait().unwrap().success());
}

#[test]
fn one_of_two_with_the_same_number_recovers_the_other() {
    for spaces in SPACES {
        // On a busy machine it may take longer, but not each time.
        let mut waits = (0..5).map_while(|_| recovered(spaces));
        let soon = |waited: &Duration| *waited < Duration::from_secs(1);
        let Some(first) = waits.next() else {
            return;
        };
        assert!(
            soon(&first) || waits.any(|waited| soon(&waited)),
            "{first:?}"
        );
    }
}

/// For how long one of the two waited for what the other had claimed, who is killed.
fn recovered(spaces: &[&str]) -> Option<Duration> {
    let (mut watching, claiming) = two(spaces)?;
    tell(&mut watching);
    // The other can't be seen from there, but by the number that it has itself.
    assert_eq!(watching.line(), "joined: 0 1");
    assert_eq!(watching.line(), "robbed: false");
    signal(&claiming, "-KILL");
    tell(&mut watching);
    assert_eq!(watching.line(), "behind");
    let waited: u64 = watching.line().parse().unwrap();
    println!("{spaces:?}: it waited {waited} us");
    assert_eq!(watching.line(), "Ok(Died { cause: None }), 1 are here");
    // The subscriber, and the process itself.
    assert_eq!(watching.line(), "2 members, 1 aborted");
    end(watching, claiming);
    Some(Duration::from_micros(waited))
}

#[test]
fn one_that_is_stopped_elsewhere_is_not_robbed() {
    for spaces in SPACES {
        let Some((mut watching, mut claiming)) = two(spaces) else {
            return;
        };
        signal(&claiming, "-STOP");
        tell(&mut watching);
        assert_eq!(watching.line(), "joined: 0 1");
        assert_eq!(watching.line(), "robbed: false");
        signal(&claiming, "-CONT");
        tell(&mut claiming);
        tell(&mut watching);
        assert_eq!(watching.line(), "late!");
        assert_eq!(watching.line(), "behind");
        watching.line();
        assert_eq!(watching.line(), "Err(Timeout), 2 are here");
        assert_eq!(watching.line(), "4 members, 0 aborted");
        signal(&claiming, "-KILL");
        end(watching, claiming);
    }
}
