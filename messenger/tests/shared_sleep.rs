//! Who sleeps on a shared bus is woken by other processes, and one that is killed as it sleeps or wakes takes nobody along.
#![cfg(all(feature = "shared", target_os = "linux", not(miri)))]

#[path = "support/fresh.rs"]
mod fresh;
#[path = "support/woken.rs"]
mod woken;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::task::Context;
use std::time::{Duration, Instant};

use messenger::bus::{MessageId, Publisher, SourceId, Start, Subscriber, Tag, WaitStrategy};
use messenger::shared::SharedBus;
use woken::Woken;

const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));
const ROUNDS: u64 = 2000;
/// What no one answers.
const ODD: [u8; 8] = u64::MAX.to_le_bytes();
/// Nobody waits so long unless a wake was lost.
const LONG: Duration = Duration::from_secs(240);

fn wait_of(name: &str) -> WaitStrategy {
    match name {
        "block" => WaitStrategy::Block,
        _ => WaitStrategy::BlockNow,
    }
}

/// A bus that is removed at the end.
struct Named(SharedBus);

impl Named {
    fn new(what: &str) -> Self {
        let name = fresh::fresh(&format!("sleep-{what}"));
        Self(SharedBus::create(&name, 4096).unwrap())
    }

    /// Another process, which runs `role` and has said that it is there.
    fn child(&self, role: &str, wait: &str) -> Child {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env("ROLE", role)
            .env("WAIT", wait)
            .env("BUS", self.0.name())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // It stays open, for what the child says at its end.
        let lines = BufReader::new(child.stdout.as_mut().unwrap()).lines();
        let mut here = lines
            .map_while(Result::ok)
            .skip_while(|l| !l.contains("here"));
        assert!(here.next().is_some(), "the child has come");
        child
    }
}

fn send(publisher: &mut Publisher, number: u64) {
    publisher.send(TAG, &number.to_le_bytes()).unwrap();
}

fn receive(subscriber: &mut Subscriber, wait: WaitStrategy) -> u64 {
    let start = Instant::now();
    let record = subscriber.next_timeout(wait, LONG).unwrap();
    // One who sleeps through what it waits for finds it when its time is over.
    let record = record.expect("nothing came");
    let waited = start.elapsed();
    assert!(waited < LONG / 2, "a wake was lost: {waited:?}");
    u64::from_le_bytes(record.payload().try_into().unwrap())
}

/// From now on no thread of this process finds memory for its stack.
fn let_no_thread_begin() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let size = size.unwrap().trim().trim_end_matches(" kB");
    // Something is left for all that is smaller than a stack.
    let kib = size.parse::<u64>().unwrap() + 1024;
    let limit = Rlimit {
        current: Some(kib << 10),
        ..getrlimit(Resource::As)
    };
    setrlimit(Resource::As, limit).unwrap();
    assert!(std::thread::Builder::new().spawn(|| ()).is_err());
}

/// What the other process does.
#[test]
#[ignore = "a part of the other tests"]
fn child() {
    let var = |name| std::env::var(name).unwrap_or_default();
    let wait = wait_of(&var("WAIT"));
    let bus = SharedBus::open(&var("BUS")).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Newest).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    println!("here");
    match &*var("ROLE") {
        // Answers each even number with the odd one after it.
        "answers" => loop {
            let number = receive(&mut subscriber, wait);
            if number == 2 * ROUNDS {
                break;
            }
            if number % 2 == 0 {
                send(&mut publisher, number + 1);
            }
        },
        // Waits as a task, and nobody could tell it what others publish.
        "looks" => {
            let_no_thread_begin();
            let (count, waker) = Woken::new();
            let asleep = subscriber.poll_next(&mut Context::from_waker(&waker));
            assert!(asleep.unwrap().is_pending());
            assert_eq!(count.get(), 1, "it is to look again");
        }
        // Sleeps and wakes until it is killed.
        _ => loop {
            let timeout = Duration::from_micros(50);
            let record = subscriber.next_timeout(wait, timeout).unwrap();
            // No more than that, or the bus is full of it, and the one who answers waits for itself to read on.
            if record.is_some_and(|r| r.payload() != ODD) {
                let _ = publisher.try_send(TAG, &ODD);
            }
        },
    }
}

fn two_processes_answer_each_other(wait: &str) {
    let bus = Named::new(wait);
    let mut child = bus.child("answers", wait);
    let mut subscriber = bus.0.bus().subscribe(Start::Newest).unwrap();
    let mut publisher = bus.0.bus().publisher().unwrap();
    for round in 0..ROUNDS {
        send(&mut publisher, 2 * round);
        while receive(&mut subscriber, wait_of(wait)) != 2 * round + 1 {}
    }
    send(&mut publisher, 2 * ROUNDS);
    assert!(child.wait().unwrap().success());
}

#[test]
fn two_processes_that_block_answer_each_other() {
    two_processes_answer_each_other("block");
}

#[test]
fn two_processes_that_block_at_once_answer_each_other() {
    two_processes_answer_each_other("now");
}

#[test]
fn a_task_that_no_thread_can_wake_looks_again() {
    let bus = Named::new("alone");
    let mut child = bus.child("looks", "now");
    assert!(child.wait().unwrap().success());
}

/// One is killed again and again as it sleeps and wakes, while two others answer each other. Nobody waits longer than a death
/// takes to be found.
#[test]
fn the_killed_take_nobody_along() {
    let bus = Named::new("killed");
    let mut answers = bus.child("answers", "now");
    let mut subscriber = bus.0.bus().subscribe(Start::Newest).unwrap();
    let mut publisher = bus.0.bus().publisher().unwrap();
    let mut longest = Duration::ZERO;
    let rounds_of_each = ROUNDS / 20;
    for killed in 0..20 {
        let wait = if killed % 2 == 0 { "now" } else { "block" };
        let mut child = bus.child("sleeps", wait);
        for round in killed * rounds_of_each..(killed + 1) * rounds_of_each {
            if round % rounds_of_each == rounds_of_each / 2 {
                child.kill().unwrap();
            }
            let start = Instant::now();
            send(&mut publisher, 2 * round);
            while receive(&mut subscriber, WaitStrategy::BlockNow) != 2 * round + 1 {}
            longest = longest.max(start.elapsed());
        }
        child.wait().unwrap();
    }
    send(&mut publisher, 2 * ROUNDS);
    assert!(answers.wait().unwrap().success());
    println!("longest round: {longest:?}");
    assert!(longest < LONG / 2, "{longest:?}");
}

impl Drop for Named {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0.path());
    }
}
