//! A table whose workers run in several processes, each of which goes on where the one before had got.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use messenger::bus::{Start, Tag};
use messenger::journal::{Journal, JournalConfig};
use messenger::shared::{Change, SharedBus, SharedFault, SharedOptions};
use messenger::{
    Handle, Handler, Lifecycle, Message, Outbox, PublishError, Result, Running, StartError,
    Subscription, messenger,
};

use crate::kit::{Other, fresh, say, until, wait_for_a_byte};

mod kept;
#[cfg(feature = "tokio")]
mod tasks;

/// What is to be doubled.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 1, codec = zero_copy)]
#[repr(C)]
struct Single {
    n: u64,
}

/// Twice a number, and so long that a few fill a ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 2, codec = zero_copy)]
#[repr(C)]
struct Double {
    twice: u64,
    filling: [u64; 7],
}

/// The test.
#[derive(Handler)]
#[handler(id = 1, sends(Single))]
struct Boss;

#[derive(Handler)]
#[handler(id = 2, lifecycle, sends(Double))]
struct Doubler {
    log: Log,
    /// How long each turn of its loop takes besides.
    pause: Duration,
    /// How many answers it gives to each.
    answers: u64,
}

#[derive(Handler)]
#[handler(id = 3)]
struct Listener {
    log: Log,
}

impl Handle<Single> for Doubler {
    fn handle(&mut self, m: &Single, out: &mut Outbox<'_, Self>) -> Result {
        self.log.add(m.n);
        let (twice, filling) = (2 * m.n, [0; 7]);
        for _ in 0..self.answers {
            out.send(&Double { twice, filling })?;
        }
        Ok(())
    }
}

impl Lifecycle for Doubler {
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        if !self.pause.is_zero() {
            thread::sleep(self.pause);
        }
        Ok(())
    }
}

impl Handle<Double> for Listener {
    fn handle(&mut self, m: &Double, _: &mut Outbox<'_, Self>) -> Result {
        self.log.add(m.twice);
        Ok(())
    }
}

messenger! {
    Split(config: Config);
    First:
        handlers: [ doubler: Doubler = config.doubler() ]
        routes: [ Boss, Single: [doubler] ]
    Second:
        handlers: [ listener: Listener = Listener { log: Log::open(&config.dir.join("second")) } ]
        routes: [ Doubler, Double: [listener] ]
    outside: [ Boss ]
}

/// Where the workers' logs are, and how the first one behaves.
#[derive(Clone)]
struct Config {
    dir: PathBuf,
    pause: Duration,
    answers: u64,
}

impl Config {
    fn doubler(&self) -> Doubler {
        Doubler {
            log: Log::open(&self.dir.join("first")),
            pause: self.pause,
            answers: self.answers,
        }
    }
}

/// The numbers that a handler got, in a file that survives its process.
struct Log(File);

impl Log {
    fn open(path: &Path) -> Self {
        Self(
            OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .unwrap(),
        )
    }

    fn add(&mut self, n: u64) {
        self.0.write_all(&n.to_le_bytes()).unwrap();
    }

    fn read(path: &Path) -> Vec<u64> {
        let bytes = std::fs::read(path).unwrap_or_default();
        assert_eq!(bytes.len() % 8, 0);
        let number = |bytes: &[u8]| bytes.iter().rfold(0, |n, byte| n << 8 | u64::from(*byte));
        bytes.chunks(8).map(number).collect()
    }
}

/// A process that runs some workers, in the words of the one that started it: `bus dir pause answers`.
pub(crate) fn child(workers: &str, rest: &str) {
    let rest: Vec<&str> = rest.split(' ').collect();
    let [name, dir, pause, answers] = rest[..] else {
        panic!("{rest:?}");
    };
    let bus = SharedBus::open(name).unwrap();
    let config = Config {
        dir: dir.into(),
        pause: Duration::from_millis(pause.parse().unwrap()),
        answers: answers.parse().unwrap(),
    };
    let builder = Split::builder(&bus, config).only_named(workers.split('+'));
    match builder.and_then(|builder| builder.start(Start::Oldest).run()) {
        Ok(running) => {
            say("runs");
            wait_for_a_byte();
            let report = running.stop().unwrap();
            assert!(report.failures.is_empty(), "{report}");
            say("stopped");
        }
        Err(error) => say(error),
    }
}

/// A bus, the directory of the logs, and the process that sends.
struct Place {
    bus: SharedBus,
    running: Option<Running<Split>>,
    config: Config,
}

impl Place {
    fn new(bytes: usize, hold: Duration) -> Self {
        let options = SharedBus::options().bytes(bytes).hold_for_workers(hold);
        Self::on(options.create(&fresh()).unwrap())
    }

    /// On a bus whose records lie in a journal, in its own directory of the logs.
    fn on_a_journal() -> Self {
        let name = fresh();
        Self::on(Self::with_journal(&name).create(&name).unwrap())
    }

    fn with_journal(name: &str) -> SharedOptions {
        let config = JournalConfig::new().segment_bytes(1 << 14);
        let dir = std::env::temp_dir().join(format!("messenger-{name}-journal"));
        SharedBus::options().journal(dir, config)
    }

    fn on(bus: SharedBus) -> Self {
        let dir = std::env::temp_dir().join(format!("messenger-{}", bus.name()));
        std::fs::create_dir(&dir).unwrap();
        let (pause, answers) = (Duration::ZERO, 1);
        let config = Config {
            dir,
            pause,
            answers,
        };
        let running = Split::builder(&bus, config.clone())
            .outside()
            .run()
            .unwrap();
        let running = Some(running);
        Self {
            bus,
            running,
            config,
        }
    }

    fn running(&self) -> &Running<Split> {
        self.running.as_ref().unwrap()
    }

    /// Starts a process that runs `workers`; says what it says first.
    fn start(&self, workers: &str) -> (Other, String) {
        let mut other = self.start_at(workers, None);
        let said = other.line();
        (other, said)
    }

    /// The same, perhaps killed at a point.
    fn start_at(&self, workers: &str, fault: Option<&str>) -> Other {
        let Config {
            dir,
            pause,
            answers,
        } = &self.config;
        let (name, dir, pause) = (self.bus.name(), dir.display(), pause.as_millis());
        let role = format!("table:{workers}");
        let rest = format!("{name} {dir} {pause} {answers}");
        Other::start_with(&role, &rest, fault.map(|at| ("MESSENGER_FAULT", at)))
    }

    fn run(&self, workers: &str) -> Other {
        let (other, said) = self.start(workers);
        assert_eq!(said, "runs");
        other
    }

    /// Sends these numbers, from a thread.
    fn send(&self, numbers: core::ops::RangeInclusive<u64>) -> thread::JoinHandle<()> {
        let mut publisher = self.running().publisher::<Boss>().unwrap();
        thread::spawn(move || {
            for n in numbers {
                publisher.send(&Single { n }).unwrap();
            }
        })
    }

    fn log(&self, worker: &str) -> Vec<u64> {
        Log::read(&self.config.dir.join(worker))
    }

    /// Waits until this worker has got `last`.
    fn wait(&self, worker: &str, last: u64) -> Vec<u64> {
        until("the last number", || self.log(worker).last() == Some(&last));
        self.log(worker)
    }

    /// Up to where the first worker has handled everything.
    fn position(&self) -> Option<u64> {
        let workers = self.bus.workers();
        workers
            .into_iter()
            .find(|w| w.name == "Split.First")
            .unwrap()
            .position
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running = None;
        let _ = std::fs::remove_dir_all(&self.config.dir);
        if let Some(dir) = self.bus.journal().and_then(Journal::path) {
            let _ = std::fs::remove_dir_all(dir);
        }
    }
}

/// Waits for a thread, but not for ever.
fn ended<T>(thread: thread::JoinHandle<T>) -> T {
    until("the end of a thread", || thread.is_finished());
    thread.join().unwrap()
}

/// Stops a process in good order.
fn stop(mut other: Other) {
    other.child.stdin.take().unwrap().write_all(b"!").unwrap();
    assert_eq!(other.line(), "stopped");
    assert!(other.child.wait().unwrap().success());
}

/// That `log` has all numbers up to `last`, each `times` its own, and goes back at most `kills` times.
fn complete(log: &[u64], last: u64, times: u64, kills: usize) {
    let back = log.windows(2).filter(|pair| pair[1] < pair[0]).count();
    assert!(back <= kills, "it went back {back} times");
    let mut log = log.to_vec();
    log.sort_unstable();
    log.dedup();
    let all: Vec<u64> = (1..=last).map(|n| n * times).collect();
    let missing: Vec<_> = all
        .iter()
        .filter(|n| log.binary_search(n).is_err())
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    assert_eq!(log.len(), all.len());
}

const HOLD: Duration = Duration::from_secs(600);

#[test]
fn a_table_runs_in_two_processes() {
    let place = Place::new(1 << 16, HOLD);
    let (first, second) = (place.run("First"), place.run("Second"));
    place.send(1..=1000).join().unwrap();
    place.wait("second", 2000);
    stop(first);
    stop(second);
    complete(&place.log("first"), 1000, 1, 0);
    complete(&place.log("second"), 1000, 2, 0);
    assert_eq!(place.log("second").len(), 1000);
}

#[test]
fn a_worker_runs_in_one_process_only() {
    let place = Place::new(1 << 16, HOLD);
    let first = place.run("First");
    let here = Split::builder(&place.bus, place.config.clone());
    let error = here.only([Split::SECOND, Split::FIRST]).run().unwrap_err();
    let text = error.to_string();
    let StartError::Shared(error) = error else {
        panic!("{text}");
    };
    let SharedFault::WorkerRuns { worker, process } = error.fault() else {
        panic!("{text}");
    };
    assert_eq!(
        (worker.as_str(), process.pid),
        ("Split.First", first.child.id())
    );
    assert_eq!(
        error.fault().to_string(),
        format!(
            "the worker `Split.First` runs already, in {process}: run it in one process only, or stop it there first"
        )
    );
    // Nothing is left of the attempt.
    let _second = place.run("Second");
    stop(first);
    let _first = place.run("First");
    let (_, said) = place.start("First");
    assert!(said.contains("`Split.First` runs already"), "{said}");
}

#[test]
fn after_a_graceful_stop_each_record_is_handled_once() {
    let place = Place::new(1 << 20, Duration::ZERO);
    let _second = place.run("Second");
    let sending = place.send(1..=4000);
    for _ in 0..5 {
        let first = place.run("First");
        thread::sleep(Duration::from_millis(2));
        stop(first);
    }
    sending.join().unwrap();
    let _first = place.run("First");
    let all: Vec<u64> = (1..=4000).collect();
    assert_eq!(place.wait("first", 4000), all);
    let twice: Vec<u64> = (1..=4000).map(|n| 2 * n).collect();
    assert_eq!(place.wait("second", 8000), twice);
}

const KILLS: usize = 20;

/// Kills the first worker's process again and again; gives the one that is left.
fn kill_first(place: &Place) -> Other {
    for kill in 0..KILLS {
        let mut first = place.run("First");
        thread::sleep(Duration::from_micros(kill as u64 * 617 % 5000));
        first.kill();
    }
    place.run("First")
}

/// On a ring that is always full: what isn't held is overwritten at once.
fn nothing_is_missing(pause: Duration, numbers: u64) {
    let mut place = Place::new(1 << 12, HOLD);
    (place.config.pause, place.config.answers) = (pause, 0);
    // From now on everything is kept for it.
    place.run("First").kill();
    let sending = place.send(1..=numbers);
    let _first = kill_first(&place);
    let log = place.wait("first", numbers);
    sending.join().unwrap();
    let again = log.len() as u64 - numbers;
    println!("{again} of {numbers} were handled again");
    complete(&log, numbers, 1, KILLS);
}

#[test]
fn after_a_kill_nothing_is_missing() {
    nothing_is_missing(Duration::ZERO, 40_000);
}

#[test]
fn after_a_kill_between_a_batch_and_its_position_nothing_is_missing() {
    nothing_is_missing(Duration::from_millis(2), 4000);
}

#[test]
fn after_a_kill_no_answer_is_missing() {
    const NUMBERS: u64 = 20_000;
    const WINDOW: u64 = 100;
    let place = Place::new(1 << 16, HOLD);
    let _second = place.run("Second");
    let _first = thread::scope(|scope| {
        let killing = scope.spawn(|| kill_first(&place));
        // There is room for so many and all their answers, also for those that are given again.
        for last in (WINDOW..=NUMBERS).step_by(WINDOW as usize) {
            place.send(last - WINDOW + 1..=last).join().unwrap();
            place.wait("second", 2 * last);
        }
        killing.join().unwrap()
    });
    complete(&place.log("first"), NUMBERS, 1, KILLS);
    complete(&place.log("second"), NUMBERS, 2, KILLS);
}

#[test]
fn who_was_lapped_is_told_what_is_lost() {
    let place = Place::new(1 << 12, Duration::ZERO);
    let mut first = place.run("First");
    place.send(1..=10).join().unwrap();
    place.wait("first", 10);
    first.kill();
    let position = place.position().unwrap();
    place.send(11..=1000).join().unwrap();
    let run = || {
        let builder = Split::builder(&place.bus, place.config.clone());
        builder.only([Split::FIRST]).run()
    };
    let error = run().unwrap_err();
    let text = error.to_string();
    let StartError::Missed {
        worker,
        position: from,
        oldest,
    } = error
    else {
        panic!("{text}");
    };
    assert_eq!((worker, from), ("First", position));
    assert!(oldest > position);
    let lost = format!("{} bytes of it are lost", oldest - position);
    assert!(text.contains(&lost), "{text}");
    // It may not have stored the last batch when it died, but it had begun with the first.
    assert!(position <= place.bus.bus().tail());

    assert!(!place.bus.forget_worker("Split.Third").unwrap());
    assert!(place.bus.forget_worker("Split.First").unwrap());
    assert_eq!(place.position(), None);
    let running = run().unwrap();
    let error = place.bus.forget_worker("Split.First").unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::WorkerRuns { .. }),
        "{error}"
    );
    place.send(1001..=1001).join().unwrap();
    let log = place.wait("first", 1001);
    assert_eq!(log.last_chunk(), Some(&[10, 1001]), "it began anew");
    running.stop().unwrap();
}

/// The stores of one who comes to a worker's seat, and the hit of each at which it is killed. (Another name is said before: the process's.)
#[cfg(feature = "fault")]
const COMING: [&str; 9] = [
    "name_said:2",
    "worker_cleared:1",
    "worker_cleared:2",
    "worker_cleared:3",
    "worker_named:1",
    "worker_taken:1",
    "seat_unheld:1",
    "worker_said:1",
    "worker_said:2",
];

/// Those of one who leaves it in good order.
#[cfg(feature = "fault")]
const LEAVING: [&str; 2] = ["worker_risen:1", "worker_left:1"];

#[cfg(feature = "fault")]
#[test]
fn whoever_is_killed_at_any_store_of_a_seat_nothing_is_missing() {
    for point in COMING.into_iter().chain(LEAVING) {
        let mut place = Place::new(1 << 12, HOLD);
        place.config.answers = 0;
        place.send(1..=60).join().unwrap();
        let mut victim = place.start_at("First", Some(point));
        if LEAVING.contains(&point) {
            assert_eq!(victim.line(), "runs");
            place.wait("first", 60);
            victim.child.stdin.take().unwrap().write_all(b"!").unwrap();
        }
        victim.is_killed(point);
        let first = place.run("First");
        place.send(61..=1000).join().unwrap();
        complete(&place.wait("first", 1000), 1000, 1, 1);
        // Of the dead one nothing is held any more.
        until("room", || place.bus.bus().stats().subscribers.len() == 1);
        stop(first);
        assert_eq!(place.bus.workers().len(), 1);
    }
}

/// The stores of one who frees what was held for a worker that nobody has come for.
#[cfg(feature = "fault")]
const FREEING: [&str; 2] = ["slot_unnamed:1", "seat_forgotten:1"];

#[cfg(feature = "fault")]
#[test]
fn whoever_is_killed_as_it_frees_what_was_held_leaves_nothing_held() {
    for point in FREEING {
        let options = SharedBus::options().bytes(1 << 12).keep(true);
        let options = options.hold_for_workers(Duration::from_millis(100));
        let place = Place::on(options.create(&fresh()).unwrap());
        let name = place.bus.name().to_owned();
        let mut first = place.run("First");
        let still = Other::start("leaves", &name);
        let fault = Some(("MESSENGER_FAULT", point));
        let mut frees = Other::start_with("leaves", &name, fault);
        until("all are here", || place.bus.processes().len() == 4);
        // So that none of them does it.
        still.halt();
        drop(place);
        first.kill();
        frees.is_killed(point);
        let bus = SharedBus::open(&name).unwrap();
        let mut publisher = bus.bus().publisher().unwrap();
        for _ in 0..1000 {
            let sent = publisher.send_timeout(crate::kit::TAG, &[0; 100], Duration::from_secs(120));
            sent.unwrap();
        }
        assert!(bus.bus().stats().subscribers.is_empty());
        drop((publisher, still, bus));
        SharedBus::remove(&name).unwrap();
    }
}

/// Killed when it has named what it holds itself, and before what was held for it is free; and before the first of these.
#[cfg(feature = "fault")]
#[test]
fn who_is_killed_on_taking_over_loses_nothing() {
    let mut place = Place::new(1 << 12, HOLD);
    place.config.answers = 0;
    place.run("First").kill();
    let sending = place.send(1..=1000);
    for point in ["worker_taken:1", "seat_unheld:1", "seat_unheld:1"] {
        let mut other = place.start_at("First", Some(point));
        until("the death", || other.child.try_wait().unwrap().is_some());
        thread::sleep(Duration::from_millis(20));
    }
    let _first = place.run("First");
    let log = place.wait("first", 1000);
    ended(sending);
    complete(&log, 1000, 1, 0);
    // Of all who were killed nothing is held any more.
    until("room", || place.bus.bus().stats().subscribers.len() == 1);
}

/// What is held for a dead worker stays so if somebody comes for it who finds no room for a subscriber.
#[test]
fn a_start_that_fails_lets_go_of_nothing_that_is_held() {
    let mut place = Place::new(1 << 12, HOLD);
    place.config.answers = 0;
    let (bus, told) = (place.bus.bus(), place.bus.membership());
    place.run("First").kill();
    let is_death = |change| matches!(change, Change::Died { .. });
    until("it is settled", || {
        told.try_iter().any(|it| is_death(it.change))
    });
    let none: Vec<_> = std::iter::from_fn(|| bus.observe(Start::Newest).ok()).collect();
    let builder = Split::builder(&place.bus, place.config.clone());
    let error = builder.only([Split::FIRST]).run().unwrap_err();
    assert!(matches!(error, StartError::NoFreeSlot { .. }), "{error}");
    drop(none);
    let sending = place.send(1..=1000);
    thread::sleep(Duration::from_millis(500));
    let _first = place.run("First");
    complete(&place.wait("first", 1000), 1000, 1, 0);
    ended(sending);
}

/// Nor if it has found one, and does not come to read.
#[test]
fn a_start_whose_handlers_cannot_be_made_lets_go_of_nothing_that_is_held() {
    let mut place = Place::new(1 << 12, HOLD);
    place.config.answers = 0;
    place.run("First").kill();
    let sending = place.send(1..=1000);
    let mut config = place.config.clone();
    config.dir.push("missing");
    let builder = Split::builder(&place.bus, config);
    let error = builder.only([Split::FIRST]).run().unwrap_err();
    assert!(matches!(error, StartError::Failed(_)), "{error}");
    thread::sleep(Duration::from_millis(500));
    let _first = place.run("First");
    complete(&place.wait("first", 1000), 1000, 1, 0);
    ended(sending);
}

#[test]
fn what_is_held_is_held_for_so_long() {
    const SHORT: Duration = Duration::from_millis(400);
    let place = Place::new(1 << 12, SHORT);
    let mut first = place.run("First");
    place.send(1..=10).join().unwrap();
    place.wait("first", 10);
    // (It may be held before this thread learns that it is dead.)
    let begun = Instant::now();
    first.kill();
    // More than the ring has room for, and nobody reads.
    ended(place.send(11..=1000));
    let waited = begun.elapsed();
    println!("held for {SHORT:?}: the publisher waited {waited:?}");
    assert!(waited >= SHORT - Duration::from_millis(20), "{waited:?}");
    assert!(waited < SHORT + Duration::from_secs(60), "{waited:?}");

    // The next to be held has the slot of the first; whose time is over does not end that of the other.
    let mut second = place.run("Second");
    let begun = Instant::now();
    second.kill();
    ended(place.send(1..=1000));
    let waited = begun.elapsed();
    assert!(waited >= SHORT - Duration::from_millis(20), "{waited:?}");
    let (_, said) = place.start("First");
    assert!(said.contains("bytes of it are lost"), "{said}");
}

#[test]
fn what_waits_in_a_spill_is_sent_by_the_next_process() {
    const ANSWERS: usize = 100;
    let mut place = Place::new(1 << 16, HOLD);
    place.config.answers = ANSWERS as u64;
    let slow = place.running().subscribe_gating::<(Double,)>(Start::Newest);
    let mut slow = slow.unwrap();
    let mut got = Vec::new();
    for group in 0..5 {
        // Nobody answers while they are sent: their answers are longer than the ring, and are not read yet.
        let last = 10 * group + 10;
        ended(place.send(last - 9..=last));
        let mut first = place.run("First");
        place.wait("first", last);
        first.kill();
        first = place.run("First");
        let count = |got: &[u64], n: u64| got.iter().filter(|&&twice| twice == 2 * n).count();
        while count(&got, last) < ANSWERS {
            let double = slow.next_timeout(Duration::from_secs(120)).unwrap();
            let double = double.expect("the next answer").get::<Double>().unwrap();
            got.push(double.unwrap().twice);
        }
        for n in last - 9..last {
            assert!(count(&got, n) >= ANSWERS, "{} of {n}", count(&got, n));
        }
        until("nothing left to do", || {
            place.bus.workers()[0].lag == Some(0)
        });
        first.kill();
    }
    complete(&got, 50, 2, 5);
}

/// A worker has answered a number, by more than the ring has room for, and nobody has read that.
fn full_of_answers(
    place: &mut Place,
    patience: Duration,
) -> (Running<Split>, Subscription<(Double,)>) {
    place.config.answers = 100;
    let slow = place.running().subscribe_gating(Start::Newest).unwrap();
    let builder = Split::builder(&place.bus, place.config.clone());
    let builder = builder.patience(patience).only([Split::FIRST]);
    let first = builder.run().unwrap();
    place.send(1..=1).join().unwrap();
    until("a full ring", || first.counters()[0].spilled > 0);
    place.wait("first", 1);
    (first, slow)
}

#[test]
fn a_stop_waits_for_room_for_the_answers_to_what_was_handled() {
    let mut place = Place::new(1 << 12, Duration::ZERO);
    let long = Duration::from_secs(60);
    let (first, mut slow) = full_of_answers(&mut place, long);
    let stopping = thread::spawn(move || first.stop().unwrap());
    thread::sleep(Duration::from_millis(100));
    for n in 0..100 {
        let answer = slow.next_timeout(long).unwrap();
        assert!(answer.is_some(), "{n} answers");
    }
    let report = ended(stopping);
    assert_eq!(report.workers[0].unsent, 0, "{report}");
    assert!(slow.try_next().unwrap().is_none(), "each once");
    drop(slow);
    let first = place.run("First");
    place.send(2..=2).join().unwrap();
    assert_eq!(place.wait("first", 2), [1, 2]);
    stop(first);
}

#[test]
fn a_stop_does_not_wait_for_ever_and_who_comes_next_answers_again() {
    let mut place = Place::new(1 << 12, Duration::ZERO);
    let patience = Duration::from_secs(5);
    let (first, mut slow) = full_of_answers(&mut place, patience);
    let begun = Instant::now();
    let report = first.stop().unwrap();
    assert!(begun.elapsed() >= patience);
    assert!(report.workers[0].unsent > 0, "{report}");
    let _first = place.run("First");
    let mut got = 0;
    while got < 100 + 100 - report.workers[0].unsent {
        let double = slow.next_timeout(Duration::from_secs(120)).unwrap();
        assert!(double.is_some(), "{got} answers");
        got += 1;
    }
    assert_eq!(place.log("first"), [1, 1]);
}

/// Can't keep what it is told.
#[derive(Handler)]
#[handler(id = 2, lifecycle)]
struct Forgetful {
    told: bool,
}

impl Handle<Single> for Forgetful {
    fn handle(&mut self, _: &Single, _: &mut Outbox<'_, Self>) -> Result {
        self.told = true;
        Ok(())
    }
}

impl Lifecycle for Forgetful {
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        if self.told {
            return Err(messenger::HandlerError::new("the disk is full"));
        }
        Ok(())
    }
}

messenger! {
    Keeping();
    Only (on_error = stop):
        handlers: [ forgetful: Forgetful = Forgetful { told: false } ]
        routes: [ Boss, Single: [forgetful] ]
    outside: [ Boss ]
}

#[test]
fn what_a_handler_could_not_keep_is_not_said_to_be_handled() {
    let bus = SharedBus::create(&fresh(), 1 << 12).unwrap();
    let running = Keeping::builder(&bus).run().unwrap();
    let position = || bus.workers()[0].position;
    let before = position();
    let mut publisher = running.publisher::<Boss>().unwrap();
    publisher.send(&Single { n: 1 }).unwrap();
    let error = running.join().unwrap_err();
    assert!(error.to_string().contains("the disk is full"), "{error}");
    assert_eq!(position(), before);
    assert!(before < Some(bus.bus().tail()));
}

/// A handler whose id another one has in the first table.
#[derive(Handler)]
#[handler(id = 2)]
struct Stranger;

impl Handle<Single> for Stranger {
    fn handle(&mut self, _: &Single, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

messenger! {
    Clash();
    Only:
        handlers: [ stranger: Stranger = Stranger ]
        routes: [ Boss, Single: [stranger] ]
    outside: [ Boss ]
}

#[test]
fn on_a_journal_workers_go_on_where_they_were() {
    let place = Place::on_a_journal();
    let _second = place.run("Second");
    let sending = place.send(1..=4000);
    for _ in 0..5 {
        let first = place.run("First");
        thread::sleep(Duration::from_millis(2));
        stop(first);
    }
    sending.join().unwrap();
    let first = place.run("First");
    let all: Vec<u64> = (1..=4000).collect();
    assert_eq!(place.wait("first", 4000), all);
    let twice: Vec<u64> = (1..=4000).map(|n| 2 * n).collect();
    assert_eq!(place.wait("second", 8000), twice);
    let (_, said) = place.start("First");
    assert!(said.contains("`Split.First` runs already"), "{said}");
    stop(first);
    let journal = place.bus.journal().unwrap();
    let error = Split::builder(journal, place.config.clone()).run();
    let error = error.unwrap_err().to_string();
    assert!(error.contains("give `builder` the `&SharedBus`"), "{error}");
}

#[test]
fn on_a_journal_nothing_is_missing_after_kills() {
    let place = Place::on_a_journal();
    let _second = place.run("Second");
    let sending = place.send(1..=20_000);
    let _first = kill_first(&place);
    sending.join().unwrap();
    complete(&place.wait("first", 20_000), 20_000, 1, KILLS);
    place.wait("second", 40_000);
    complete(&place.log("second"), 20_000, 2, KILLS);
}

#[test]
fn on_a_journal_positions_survive_the_bus() {
    let mut place = Place::on_a_journal();
    let name = place.bus.name().to_owned();
    let first = place.run("First");
    place.send(1..=1000).join().unwrap();
    place.wait("first", 1000);
    stop(first);
    // The second worker has never run, and begins where it is told to.
    place.send(1001..=1500).join().unwrap();
    place.running = None;
    // The bus goes with the last of its handles, and another comes in its place.
    let other = SharedBus::create(&fresh(), 4096).unwrap();
    drop(std::mem::replace(&mut place.bus, other));
    assert!(SharedBus::open(&name).is_err());
    place.bus = Place::with_journal(&name).create(&name).unwrap();
    assert_eq!(place.bus.workers(), []);
    let first = place.run("First");
    let _second = place.run("Second");
    place.wait("second", 3000);
    assert_eq!(place.log("first"), (1..=1500).collect::<Vec<u64>>());
    stop(first);
    assert!(place.bus.forget_worker("Split.First").unwrap());
    assert!(!place.bus.forget_worker("Split.Third").unwrap());
    let _first = place.run("First");
    until("all numbers once more", || place.log("first").len() == 3000);
}

#[test]
fn tables_that_mean_other_things_by_an_id_do_not_meet() {
    let place = Place::new(1 << 16, HOLD);
    let first = place.run("First");
    for _ in 0..2 {
        let error = Clash::builder(&place.bus).run().unwrap_err();
        let text = error.to_string();
        assert!(
            text.ends_with(
                "the source id 2 is `Doubler` in the bus, and `Stranger` in the program: give `Stranger` an id that the bus has not got, \
                 or begin another bus"
            ),
            "{text}"
        );
    }
    stop(first);
    // Also when nobody who knows is here any more.
    let bus = SharedBus::options().keep(true).create(&fresh()).unwrap();
    Split::builder(&bus, place.config.clone())
        .run()
        .unwrap()
        .stop()
        .unwrap();
    let name = bus.name().to_owned();
    drop(bus);
    let bus = SharedBus::open(&name).unwrap();
    let error = Clash::builder(&bus).run().unwrap_err();
    let StartError::Shared(shared) = &error else {
        panic!("{error}");
    };
    assert!(
        matches!(shared.fault(), SharedFault::Conflict(_)),
        "{error}"
    );
    drop(bus);
    SharedBus::remove(&name).unwrap();
}

#[test]
fn a_worker_that_the_table_has_not_got_is_named() {
    let place = Place::new(1 << 12, HOLD);
    let builder = Split::builder(&place.bus, place.config.clone());
    let error = builder.only_named(["First", "Thrid"]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`Split` has no worker `Thrid`: it has First, Second"
    );
    let (_, said) = place.start("Thrid");
    assert_eq!(said, error.to_string());
    // To choose none is no way to run none.
    let builder = Split::builder(&place.bus, place.config.clone());
    let error = builder.only([]).run().unwrap_err();
    assert!(matches!(error, StartError::NoWorkers { .. }), "{error}");
}

#[test]
fn who_runs_no_worker_is_told_of_the_stop() {
    let place = Place::new(1 << 12, HOLD);
    let mut listens = place.running().subscribe::<(Double,)>().unwrap();
    let stopper = place.running().stopper();
    let waiting = thread::spawn(move || listens.next().unwrap().is_none());
    thread::sleep(Duration::from_millis(50));
    assert!(!waiting.is_finished());
    stopper.stop();
    assert!(ended(waiting));
}

#[test]
fn a_bus_is_left_at_the_runs_end_whoever_has_a_stopper() {
    let place = Place::new(1 << 12, HOLD);
    let bus = SharedBus::create(&fresh(), 1 << 12).unwrap();
    let path = bus.path().to_owned();
    let builder = Split::builder(&bus, place.config.clone());
    let run = builder.only([Split::SECOND]).run().unwrap();
    drop(bus);
    let stopper = run.stopper();
    assert!(path.exists());
    run.stop().unwrap();
    assert!(!path.exists());
    stopper.stop();
}

#[test]
fn a_stop_waits_for_a_claim_that_stands_behind_an_aborted_one() {
    let place = Place::new(1 << 12, Duration::ZERO);
    let builder = Split::builder(&place.bus, place.config.clone());
    let first = builder.only([Split::FIRST]).run().unwrap();
    let tag = Tag::new(<Boss as Handler>::ID, <Single as Message>::ID);
    let publisher = || place.bus.bus().publisher().unwrap();
    let (mut one, mut other) = (publisher(), publisher());
    let aborted = one.claim(tag, 8).unwrap();
    let mut late = other.claim(tag, 8).unwrap();
    late.writer().put(&7_u64.to_le_bytes()).unwrap();
    let stopping = thread::spawn(move || first.stop().unwrap());
    let a_moment = || thread::sleep(Duration::from_millis(100));
    a_moment();
    drop(aborted);
    a_moment();
    late.commit().unwrap();
    let report = ended(stopping);
    assert!(report.failures.is_empty(), "{report}");
    assert_eq!(place.log("first"), [7]);
}

/// A worker that stops alone, and takes its time.
mod leaving {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Ends when it may.
    #[derive(Handler)]
    #[handler(id = 4, lifecycle)]
    struct Slow(Arc<AtomicBool>);

    impl Lifecycle for Slow {
        fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
            until("the end", || self.0.load(Ordering::Relaxed));
            Ok(())
        }
    }

    #[derive(Handler)]
    #[handler(id = 5)]
    struct Bomb;

    impl Handle<Single> for Bomb {
        fn handle(&mut self, _: &Single, _: &mut Outbox<'_, Self>) -> Result {
            panic!("over a number")
        }
    }

    messenger! {
        Leaving(ends: Arc<AtomicBool>);
        outside: [ Boss ]
        Only (on_panic = stop_worker):
            handlers: [
                bomb: Bomb = Bomb,
                slow: Slow = Slow(Arc::clone(ends)),
            ]
            routes: [ Boss, Single: [bomb] ]
    }

    #[test]
    fn who_stops_alone_holds_nobody_up_and_runs_until_it_has_ended() {
        for place in [Place::new(1 << 12, Duration::ZERO), Place::on_a_journal()] {
            let ends = Arc::new(AtomicBool::new(false));
            let run = || Leaving::builder(&place.bus, Arc::clone(&ends)).run();
            let app = run().unwrap();
            let mut boss = app.publisher::<Boss>().unwrap();
            for n in 0..1000 {
                boss.send_timeout(&Single { n }, Duration::from_secs(120))
                    .unwrap();
            }
            let Err(StartError::Shared(error)) = run() else {
                panic!("it runs twice");
            };
            assert!(matches!(error.fault(), SharedFault::WorkerRuns { .. }));
            ends.store(true, Ordering::Relaxed);
            let report = app.join().unwrap();
            assert_eq!(report.messages(), 1, "{report}");
            // On the ring it has missed something since.
            match run() {
                Ok(next) => drop(next),
                Err(StartError::Missed { position, .. }) => assert_eq!(position, 32),
                Err(error) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn who_sends_and_listens_beside_workers_that_have_stopped_alone_does_so_to_those_elsewhere() {
        for place in [Place::new(1 << 16, HOLD), Place::on_a_journal()] {
            let elsewhere = place.run("First");
            let ends = Arc::new(AtomicBool::new(true));
            let run = || Leaving::builder(&place.bus, Arc::clone(&ends)).run();
            let app = run().unwrap();
            let mut boss = app.publisher::<Boss>().unwrap();
            let mut doubles = app.subscribe::<(Double,)>().unwrap();
            boss.send(&Single { n: 1 }).unwrap();
            until("the end of its worker", || run().is_ok());

            boss.send(&Single { n: 2 }).unwrap();
            for twice in [2, 4] {
                assert_eq!(doubles.receive().unwrap().unwrap().twice, twice);
            }
            // Until this process is told to stop.
            assert_eq!(app.stop().unwrap().messages(), 1);
            let late = boss.send(&Single { n: 3 });
            assert!(matches!(late, Err(PublishError::Stopped)));
            assert!(doubles.receive().unwrap().is_none());
            stop(elsewhere);
            assert_eq!(place.log("first"), [1, 2]);
        }
    }
}
