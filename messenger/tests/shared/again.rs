//! A table that runs in several processes on a journal, what they did there done again: replayed, and restored.

use std::borrow::Borrow;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use messenger::bus::Start;
use messenger::journal::{JournalConfig, Reader};
use messenger::shared::{SharedBus, SharedOptions};
use messenger::{
    Handle, Handler, Lifecycle, Message, Outbox, Receive, Replay, Replayed, Result, Running, Timer,
    messenger,
};

use crate::kit::{Other, fresh, say, until, wait_for_a_byte};

mod replay;
mod restore;

/// An input.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 1, codec = zero_copy)]
#[repr(C)]
struct Number {
    n: u64,
}

/// The answer to it, with what its sender could be told by nobody else.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 2, codec = zero_copy)]
#[repr(C)]
struct Answer {
    n: u64,
    /// How many numbers its sender has got.
    count: u64,
    nanos: u64,
    token: u64,
}

/// A timer has fired so often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 3, codec = zero_copy)]
#[repr(C)]
struct Tick {
    number: u64,
    count: u64,
}

/// Something that nothing on the journal is the cause of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 4, codec = zero_copy)]
#[repr(C)]
struct Idle {
    turns: u64,
}

/// What the answers come to so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 5, codec = zero_copy)]
#[repr(C)]
struct Sum {
    sum: u64,
}

/// The test.
#[derive(Handler)]
#[handler(id = 1, sends(Number))]
struct Boss;

#[derive(Handler)]
#[handler(id = 2, lifecycle, sends(Answer, Tick, Idle))]
struct Counter {
    config: Config,
    count: u64,
    ticks: u64,
    turns: u64,
    timer: Option<Timer>,
}

impl Counter {
    fn new(config: &Config) -> Self {
        let config = config.clone();
        let (count, ticks, turns, timer) = (0, 0, 0, None);
        Self {
            config,
            count,
            ticks,
            turns,
            timer,
        }
    }
}

impl Handle<Number> for Counter {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        self.count += 1;
        if self.timer.is_none() {
            self.timer = Some(out.timer(Duration::from_micros(200)));
        }
        let n = m.n + u64::from(m.n >= self.config.shift);
        for _ in 0..self.config.answers {
            let nanos = out.now().duration_since(UNIX_EPOCH)?.as_nanos() as u64;
            let (count, token) = (self.count, out.random());
            out.send(&Answer {
                n,
                count,
                nanos,
                token,
            })?;
        }
        Ok(())
    }
}

impl Lifecycle for Counter {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let (number, count) = (0, out.random());
        out.send(&Tick { number, count })
    }
    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.turns += 1;
        match self.turns % 5 {
            3 => out.send(&Idle { turns: self.turns }),
            _ => Ok(()),
        }
    }
    fn on_timer(&mut self, timer: Timer, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(self.timer.take(), Some(timer));
        self.ticks += 1;
        let (number, count) = (self.ticks, self.count);
        out.send(&Tick { number, count })
    }
    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let (number, count) = (u64::MAX, self.count);
        out.send(&Tick { number, count })
    }
}

#[derive(Handler)]
#[handler(id = 3, sends(Sum))]
struct Adder {
    sum: u64,
}

impl Handle<Answer> for Adder {
    fn handle(&mut self, m: &Answer, out: &mut Outbox<'_, Self>) -> Result {
        self.sum += m.n;
        out.send(&Sum { sum: self.sum })
    }
}

/// One of a pool.
#[derive(Handler)]
#[handler(id = 4, sends(Sum))]
struct Hand;

impl Handle<Number> for Hand {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Sum { sum: m.n })
    }
}

messenger! {
    Again(config: Config);
    Counting:
        handlers: [ counter: Counter = Counter::new(config) ]
        routes: [ Boss, Number: [counter] ]
    Adding:
        handlers: [ adder: Adder = Adder { sum: 0 } ]
        routes: [ Counter, Answer: [adder] ]
    Crew (pool = true, batch = 4):
        handlers: [ hand: Hand = Hand ]
        routes: [ Boss, Number: [hand] ]
    outside: [ Boss ]
    drop: [ Counter, Tick; Counter, Idle; Adder, Sum; Hand, Sum ]
}

/// All but the pool.
const ALONE: [messenger::WorkerId<Again>; 2] = [Again::COUNTING, Again::ADDING];

/// What a build does.
#[derive(Clone)]
struct Config {
    /// From this number on its answers are others.
    shift: u64,
    /// How many it gives to each.
    answers: u64,
}

const USUAL: Config = Config {
    shift: u64::MAX,
    answers: 1,
};

/// A process that runs some workers, in the words of the one that started it: `bus workers how shift answers`.
pub(crate) fn child_process(role: &str, rest: &str) -> bool {
    if role != "again" {
        return false;
    }
    let rest: Vec<&str> = rest.split(' ').collect();
    let [name, workers, how, shift, answers] = rest[..] else {
        panic!("{rest:?}");
    };
    let bus = SharedBus::open(name).unwrap();
    let (shift, answers) = (shift.parse().unwrap(), answers.parse().unwrap());
    let builder = Again::builder(&bus, Config { shift, answers });
    let builder = builder.only_named(workers.split('+')).unwrap();
    let builder = builder.start(Start::Oldest);
    let started = match how {
        "restore" => builder.restore().run(),
        _ => builder.run(),
    };
    match started {
        Ok(running) => {
            say("runs");
            wait_for_a_byte();
            let report = running.stop().unwrap();
            assert!(report.failures.is_empty(), "{report}");
            say("stopped");
        }
        Err(error) => say(error),
    }
    true
}

/// A bus over a journal, and the process that sends.
struct Place {
    bus: SharedBus,
    dir: PathBuf,
    running: Option<Running<Again>>,
}

impl Place {
    fn new() -> Self {
        Self::with(JournalConfig::new())
    }

    fn with(config: JournalConfig) -> Self {
        let name = fresh();
        let dir = std::env::temp_dir().join(format!("messenger-{name}-journal"));
        let bus = Self::options(&dir, config).create(&name).unwrap();
        let running = Again::builder(&bus, USUAL).outside().run().unwrap();
        let running = Some(running);
        Self { bus, dir, running }
    }

    fn options(dir: &Path, config: JournalConfig) -> SharedOptions {
        let options = SharedBus::options().journal(dir, config.segment_bytes(1 << 14));
        options.hold_for_workers(Duration::from_secs(600))
    }

    /// Starts a process that runs `workers`, perhaps killed at a point.
    fn start_at(&self, workers: &str, how: &str, config: &Config, fault: Option<&str>) -> Other {
        let Config { shift, answers } = config;
        let rest = format!("{} {workers} {how} {shift} {answers}", self.bus.name());
        Other::start_with("again", &rest, fault.map(|at| ("MESSENGER_FAULT", at)))
    }

    fn run(&self, workers: &str, how: &str) -> Other {
        self.run_as(workers, how, &USUAL)
    }

    fn run_as(&self, workers: &str, how: &str, config: &Config) -> Other {
        let mut other = self.start_at(workers, how, config, None);
        assert_eq!(other.line(), "runs");
        other
    }

    /// Sends these numbers, from a thread.
    fn send(&self, numbers: core::ops::RangeInclusive<u64>) -> thread::JoinHandle<()> {
        let running = self.running.as_ref().unwrap();
        let mut publisher = running.publisher::<Boss>().unwrap();
        thread::spawn(move || {
            for n in numbers {
                publisher.send(&Number { n }).unwrap();
                if n % 10 == 0 {
                    thread::sleep(Duration::from_micros(100));
                }
            }
        })
    }

    /// Waits until the last answer is one to `n`, and all of them have been added.
    fn wait(&self, n: u64) {
        until("the last answer", || {
            thread::sleep(Duration::from_millis(2));
            let answers = all::<Answer>(&self.dir, 2);
            answers.last().is_some_and(|it| it.1.n == n)
                && all::<Sum>(&self.dir, 3).len() >= answers.len()
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running = None;
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Replays what the workers did that run alone.
fn replay(dir: &Path, config: &Config) -> Replayed {
    let reader = Reader::open(dir).unwrap();
    let builder = Again::builder(&reader, config.clone()).only(ALONE);
    builder.replay(Replay::all()).unwrap()
}

/// That all that was done is done again, and nothing else; says how much that was, and how many messages were delivered for it.
fn done_again(dir: &Path, config: &Config) -> (u64, u64) {
    let replayed = replay(dir, config);
    assert!(replayed.is_exact(), "{replayed}");
    assert!(replayed.unrecorded.is_empty(), "{replayed}");
    (replayed.compared, replayed.messages())
}

/// All messages `M` of `source` in the journal, with their positions.
fn all<M: for<'a> Receive<'a> + Clone>(path: &Path, source: u16) -> Vec<(u64, M)> {
    let mut reader = Reader::open(path).unwrap();
    let mut all = Vec::new();
    while let Some(entry) = reader.next().unwrap() {
        if (entry.source().get(), entry.message()) == (source, M::ID) {
            let held = M::receive(entry.payload).unwrap();
            all.push((entry.position, held.borrow().clone()));
        }
    }
    all
}

/// Stops a process in good order.
fn stop(mut other: Other) {
    other.child.stdin.take().unwrap().write_all(b"!").unwrap();
    assert_eq!(other.line(), "stopped");
    assert!(other.child.wait().unwrap().success());
}

/// Where a process is killed that writes to a journal.
#[cfg(feature = "fault")]
const POINTS: [&str; 7] = [
    "intent",
    "claimed",
    "owned",
    "filled",
    "finished",
    "settled",
    "segment_named",
];

/// Waits until a process that is to be killed at a point is dead.
#[cfg(feature = "fault")]
fn dies(mut other: Other) {
    until("a death", || other.child.try_wait().unwrap().is_some());
}
