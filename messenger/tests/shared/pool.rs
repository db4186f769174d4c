//! A worker that several processes run together: each record is handled by one of them.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use messenger::bus::Start;
use messenger::shared::{SharedBus, SharedFault, WorkerStatus};
use messenger::{Handle, Handler, Message, Outbox, Result, Running, StartError, messenger};

use crate::kit::{Other, TAG, fresh, say, until, wait_for_a_byte};

/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(600);

/// How many records a member takes at a time.
pub(crate) const BATCH: usize = 4;

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 1, codec = zero_copy)]
#[repr(C)]
pub(crate) struct Job {
    n: u64,
}

pub(crate) fn job(n: u64) -> Job {
    Job { n }
}

/// What has been done, and so long that a few fill a ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = 2, codec = zero_copy)]
#[repr(C)]
struct Done {
    n: u64,
    filling: [u64; 11],
}

/// The test.
#[derive(Handler)]
#[handler(id = 1, sends(Job))]
pub(crate) struct Boss;

#[derive(Handler)]
#[handler(id = 2, sends(Done))]
struct Hand {
    log: Log,
    config: Config,
}

impl Handle<Job> for Hand {
    fn handle(&mut self, job: &Job, out: &mut Outbox<'_, Self>) -> Result {
        let Config {
            number,
            pause,
            answers,
            ..
        } = self.config;
        assert!(self.config.panics_at != job.n, "as it was told");
        self.log.add([job.n, number]);
        if !pause.is_zero() {
            thread::sleep(pause);
        }
        let begun = Instant::now();
        while self.config.held && !self.config.may_end(job.n) {
            assert!(begun.elapsed() < LONG, "the test has gone");
            thread::sleep(Duration::from_millis(1));
        }
        let (n, filling) = (job.n, [0; 11]);
        for _ in 0..answers {
            out.send(&Done { n, filling })?;
        }
        Ok(())
    }
}

messenger! {
    Works(config: Config);
    Crew (pool = true, batch = BATCH, on_panic = stop_worker):
        handlers: [ hand: Hand = config.hand() ]
        routes: [ Boss, Job: [hand] ]
    drop: [ Hand, Done ]
    outside: [ Boss ]
}

/// The same table, when it had no pool.
mod alone {
    use super::{Boss, Config, Done, Hand, Job};

    messenger::messenger! {
        pub(super) Works(config: Config);
        Crew:
            handlers: [ hand: Hand = config.hand() ]
            routes: [ Boss, Job: [hand] ]
        drop: [ Hand, Done ]
        outside: [ Boss ]
    }
}

/// The same, whose panics stop all of a process.
mod stopping {
    use super::{BATCH, Boss, Config, Done, Hand, Job};

    messenger::messenger! {
        pub(super) Works(config: Config);
        Crew (pool = true, batch = BATCH):
            handlers: [ hand: Hand = config.hand() ]
            routes: [ Boss, Job: [hand] ]
        drop: [ Hand, Done ]
        outside: [ Boss ]
    }
}

/// Another table, with a worker of its own.
#[cfg(feature = "fault")]
pub(crate) mod other {
    use super::{Boss, Config, Done, Hand, Job};

    messenger::messenger! {
        pub(crate) Others(config: Config);
        Lone:
            handlers: [ hand: Hand = config.hand() ]
            routes: [ Boss, Job: [hand] ]
        drop: [ Hand, Done ]
        outside: [ Boss ]
    }
}

/// Which of the members it is, and how it behaves.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) dir: PathBuf,
    pub(crate) number: u64,
    /// How long a job takes.
    pub(crate) pause: Duration,
    /// Whether none ends before the test lets it: see [`Config::let_end`].
    pub(crate) held: bool,
    pub(crate) answers: u64,
    pub(crate) panics_at: u64,
    /// Where the pool begins, if nobody has begun it; the oldest record, unless told.
    pub(crate) begins: Option<u64>,
}

impl Config {
    /// How the member 0 behaves that has its log in a directory of the bus's name.
    pub(crate) fn new(bus: &SharedBus) -> Self {
        let dir = std::env::temp_dir().join(format!("messenger-{}", bus.name()));
        std::fs::create_dir(&dir).unwrap();
        Self {
            dir,
            number: 0,
            pause: Duration::ZERO,
            held: false,
            answers: 0,
            panics_at: u64::MAX,
            begins: None,
        }
    }

    /// Starts a member on the bus of this name, perhaps killed at a point.
    pub(crate) fn start(&self, name: &str, number: u64, fault: Option<&str>) -> Other {
        let Self {
            dir,
            pause,
            held,
            answers,
            panics_at,
            begins,
            ..
        } = self;
        let (dir, pause) = (dir.display(), pause.as_micros());
        let told = format!("{name} {dir} {number} {pause} {held} {answers} {panics_at} {begins:?}");
        Other::start_with("pool", &told, fault.map(|at| ("MESSENGER_FAULT", at)))
    }

    /// Lets the jobs up to `last` of a member end that is held.
    pub(crate) fn let_end(&self, number: u64, last: u64) {
        let file = File::create(self.ends(number)).unwrap();
        file.set_len(last).unwrap();
    }

    fn may_end(&self, n: u64) -> bool {
        let ends = self.ends(self.number).metadata();
        ends.is_ok_and(|ends| n <= ends.len())
    }

    /// A file as long as the number of the last job that may end.
    fn ends(&self, number: u64) -> PathBuf {
        self.dir.join(format!("ends-{number}"))
    }

    pub(crate) fn log(&self) -> Vec<(u64, u64)> {
        Log::read(&self.dir.join("log"))
    }

    /// Waits until so many jobs have been done; says how often each was, and by whom.
    pub(crate) fn wait(&self, jobs: u64) -> BTreeMap<u64, Vec<u64>> {
        let mut by = BTreeMap::<u64, Vec<u64>>::new();
        until("all jobs", || {
            by.clear();
            for (n, who) in self.log() {
                by.entry(n).or_default().push(who);
            }
            by.len() as u64 >= jobs
        });
        by
    }

    fn hand(&self) -> Hand {
        Hand {
            log: Log::open(&self.dir.join("log")),
            config: self.clone(),
        }
    }
}

/// Which jobs were done, and by whom, in a file of all processes that survives each.
struct Log(File);

impl Log {
    fn open(path: &Path) -> Self {
        let mut options = OpenOptions::new();
        Self(options.append(true).create(true).open(path).unwrap())
    }

    fn add(&mut self, entry: [u64; 2]) {
        let bytes = entry.map(u64::to_le_bytes).concat();
        assert_eq!(self.0.write(&bytes).unwrap(), bytes.len());
    }

    fn read(path: &Path) -> Vec<(u64, u64)> {
        let bytes = std::fs::read(path).unwrap_or_default();
        assert_eq!(bytes.len() % 16, 0);
        let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
        let entry = |bytes: &[u8]| (number(&bytes[..8]), number(&bytes[8..]));
        bytes.chunks(16).map(entry).collect()
    }
}

/// A process that is a member, in the words of the one that started it: `bus dir number pause held answers panics_at begins`.
pub(crate) fn child(told: &str) {
    let told: Vec<&str> = told.split(' ').collect();
    let [bus, dir, number, pause, held, answers, panics_at, begins] = told[..] else {
        panic!("{told:?}");
    };
    let bus = SharedBus::open(bus).unwrap();
    let config = Config {
        dir: dir.into(),
        number: number.parse().unwrap(),
        pause: Duration::from_micros(pause.parse().unwrap()),
        held: held.parse().unwrap(),
        answers: answers.parse().unwrap(),
        panics_at: panics_at.parse().unwrap(),
        begins: { begins.strip_prefix("Some(") }.and_then(|at| at.strip_suffix(')')?.parse().ok()),
    };
    let start = config.begins.map_or(Start::Oldest, Start::At);
    match Works::builder(&bus, config).start(start).run() {
        Ok(running) => {
            say("runs");
            wait_for_a_byte();
            running.stopper().stop();
            say("stops");
            match running.join() {
                Ok(report) if report.failures.is_empty() => say("stopped"),
                Ok(report) => say(format!("failed: {report}").replace('\n', "; ")),
                Err(error) => say(format!("failed: {error}")),
            }
        }
        Err(error) => say(error),
    }
}

/// A bus, the directory of the log, and the process that sends.
pub(crate) struct Place {
    pub(crate) bus: SharedBus,
    running: Option<Running<Works>>,
    pub(crate) config: Config,
}

impl Place {
    pub(crate) fn new(bytes: usize, hold: Duration) -> Self {
        let options = SharedBus::options().bytes(bytes).hold_for_workers(hold);
        let bus = options.create(&fresh()).unwrap();
        let config = Config::new(&bus);
        let running = Works::builder(&bus, config.clone())
            .outside()
            .run()
            .unwrap();
        Self {
            bus,
            running: Some(running),
            config,
        }
    }

    /// Starts a member, perhaps killed at a point.
    pub(crate) fn start_at(&self, number: u64, fault: Option<&str>) -> Other {
        self.config.start(self.bus.name(), number, fault)
    }

    pub(crate) fn start(&self, number: u64) -> Other {
        let mut other = self.start_at(number, None);
        assert_eq!(other.line(), "runs");
        other
    }

    pub(crate) fn publisher(&self) -> messenger::SourcePublisher<Boss> {
        self.running.as_ref().unwrap().publisher::<Boss>().unwrap()
    }

    /// Sends these numbers, from a thread.
    pub(crate) fn send(&self, numbers: core::ops::RangeInclusive<u64>) -> thread::JoinHandle<()> {
        let mut publisher = self.publisher();
        thread::spawn(move || {
            for n in numbers {
                publisher.send(&Job { n }).unwrap();
            }
        })
    }

    pub(crate) fn log(&self) -> Vec<(u64, u64)> {
        self.config.log()
    }

    pub(crate) fn wait(&self, jobs: u64) -> BTreeMap<u64, Vec<u64>> {
        self.config.wait(jobs)
    }

    pub(crate) fn crew(&self) -> WorkerStatus {
        let worker = self.bus.workers().pop().unwrap();
        assert_eq!(worker.name, "Works.Crew");
        worker
    }
}

/// Sends these numbers on a bus, from here.
#[cfg(feature = "fault")]
pub(crate) fn send_at_once(
    bus: &SharedBus,
    config: &Config,
    numbers: core::ops::RangeInclusive<u64>,
) {
    let running = Works::builder(bus, config.clone()).outside().run().unwrap();
    let mut publisher = running.publisher::<Boss>().unwrap();
    for n in numbers {
        publisher.send(&Job { n }).unwrap();
    }
}

/// Sends until it is told; then says how many there were.
pub(crate) struct Sender {
    enough: Arc<AtomicBool>,
    thread: thread::JoinHandle<u64>,
}

impl Sender {
    pub(crate) fn new(place: &Place) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (told, mut publisher) = (Arc::clone(&enough), place.publisher());
        let mut idle = place.bus.bus().publisher().unwrap();
        let thread = thread::spawn(move || {
            let mut n = 0;
            while !told.load(Ordering::Relaxed) {
                n += 1;
                publisher.send(&job(n)).unwrap();
                if n % 5 == 0 {
                    // Members step over what is no record, and it may be the last that there is for a while.
                    drop(idle.claim(TAG, 40).unwrap());
                }
                if n % 64 == 0 {
                    thread::sleep(Duration::from_micros(300));
                }
            }
            n
        });
        Self { enough, thread }
    }

    pub(crate) fn end(self) -> u64 {
        self.enough.store(true, Ordering::Relaxed);
        until("the end of the sending", || self.thread.is_finished());
        self.thread.join().unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running = None;
        let _ = std::fs::remove_dir_all(&self.config.dir);
    }
}

pub(crate) const HOLD: Duration = Duration::from_secs(600);

/// Tells a member to stop; back when what is sent from now on is beyond that.
pub(crate) fn begin_stop(other: &mut Other) {
    other.child.stdin.take().unwrap().write_all(b"!").unwrap();
    assert_eq!(other.line(), "stops");
}

/// Stops a member in good order.
pub(crate) fn stop(mut other: Other) {
    begin_stop(&mut other);
    assert_eq!(other.line(), "stopped");
    assert!(other.child.wait().unwrap().success());
}

/// That each of the numbers up to `last` was done once, and how many each member did.
fn once(by: &BTreeMap<u64, Vec<u64>>, last: u64) -> BTreeMap<u64, usize> {
    let mut counts = BTreeMap::new();
    for n in 1..=last {
        let [who] = by[&n][..] else {
            panic!("{n} was done by {:?}", by[&n]);
        };
        *counts.entry(who).or_default() += 1;
    }
    assert_eq!(by.len() as u64, last);
    counts
}

#[test]
fn three_processes_share_the_work() {
    let mut place = Place::new(1 << 16, HOLD);
    place.config.pause = Duration::from_micros(100);
    let members: Vec<_> = (1..=3).map(|number| place.start(number)).collect();
    let mut sent = 0;
    // A machine that is busy may keep one from its share for a while.
    until("each has a share", || {
        place.send(sent + 1..=sent + 3000).join().unwrap();
        sent += 3000;
        let counts = once(&place.wait(sent), sent);
        println!("{counts:?}");
        counts.len() == 3 && counts.values().all(|&count| count > 100)
    });
    let crew = place.crew();
    let mut pids: Vec<_> = members.iter().map(|member| member.child.id()).collect();
    pids.sort_unstable();
    let seats = crew.members.unwrap();
    let mut seen: Vec<_> = seats
        .iter()
        .map(|it| it.process.as_ref().unwrap().pid)
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, pids);
    for member in members {
        stop(member);
    }
    let crew = place.crew();
    assert_eq!((crew.lag, crew.members), (Some(0), Some(Vec::new())));
    once(&place.wait(sent), sent);
}

/// On a ring that is always full: members wait for room, and for records, all the time.
#[test]
fn two_processes_share_a_small_ring() {
    let place = Place::new(1 << 12, HOLD);
    let _members = [place.start(1), place.start(2)];
    place.send(1..=20_000).join().unwrap();
    println!("{:?}", once(&place.wait(20_000), 20_000));
}

#[test]
fn members_come_and_leave_while_it_runs() {
    let mut place = Place::new(1 << 12, Duration::ZERO);
    place.config.pause = Duration::from_micros(20);
    let first = place.start(0);
    let sender = Sender::new(&place);
    let mut last = None;
    for number in 1..=12 {
        let next = place.start(number);
        until("it has done something", || {
            place.log().iter().any(|(_, who)| *who == number)
        });
        thread::sleep(Duration::from_millis(number % 4));
        if let Some(last) = last.replace(next) {
            stop(last);
        }
    }
    let sent = sender.end();
    stop(first);
    let counts = once(&place.wait(sent), sent);
    println!("{counts:?}");
}

#[test]
fn a_pool_goes_on_where_its_last_member_stopped() {
    let place = Place::new(1 << 16, Duration::ZERO);
    let sending = place.send(1..=1000);
    for number in 0..4 {
        let member = place.start(number);
        thread::sleep(Duration::from_millis(2));
        stop(member);
    }
    sending.join().unwrap();
    let _last = place.start(5);
    once(&place.wait(1000), 1000);
}

#[test]
fn what_a_stopped_process_has_taken_waits_for_it() {
    let mut place = Place::new(1 << 16, HOLD);
    place.config.held = true;
    let slow = place.start(1);
    place.send(1..=20).join().unwrap();
    until("it has begun", || !place.log().is_empty());
    slow.halt();
    place.config.held = false;
    let _others = [place.start(2), place.start(3)];
    place.send(21..=500).join().unwrap();
    let most = BATCH as u64;
    place.wait(500 - most);
    thread::sleep(Duration::from_millis(300));
    until("it alone owes something", || {
        let crew = place.crew();
        let owes: Vec<_> = { crew.members.unwrap().into_iter() }
            .filter_map(|it| Some((it.process?.pid, it.owes?)))
            .collect();
        owes.len() == 1 && owes[0].0 == slow.child.id() && crew.position == Some(owes[0].1.start)
    });
    // It has begun the first that it has taken.
    let done = place.wait(1).len() as u64;
    assert!((501 - most..=500).contains(&done), "{done}");
    place.config.let_end(1, 500);
    slow.signal("-CONT");
    once(&place.wait(500), 500);
    until("nothing is owed", || place.crew().lag == Some(0));
}

#[test]
fn what_a_member_that_panics_had_taken_is_done_by_another() {
    let mut place = Place::new(1 << 16, Duration::ZERO);
    place.config.pause = Duration::from_millis(1);
    place.config.panics_at = 9;
    let member = place.start(1);
    place.send(1..=12).join().unwrap();
    until("the panic", || place.log().iter().any(|(n, _)| *n == 8));
    // Nobody else is there; so what it owes is as what any worker has still to read that was stopped.
    until("its end", || {
        place
            .crew()
            .members
            .unwrap()
            .iter()
            .all(|it| it.process.is_none())
    });
    place.config.panics_at = u64::MAX;
    let _other = place.start(2);
    place.send(13..=100).join().unwrap();
    let by = place.wait(99);
    assert!(
        !by.contains_key(&9),
        "the record at fault is not given again"
    );
    assert!(by.values().all(|who| who.len() == 1), "{by:?}");
    drop(member);
}

#[test]
fn a_pool_that_is_full_of_its_own_answers_goes_on() {
    let mut place = Place::new(1 << 12, HOLD);
    place.config.answers = 3;
    let alone = place.start(1);
    place.send(1..=500).join().unwrap();
    once(&place.wait(500), 500);
    let other = place.start(2);
    place.send(501..=1200).join().unwrap();
    println!("{:?}", once(&place.wait(1200), 1200));
    // Who stops before its answers are out owes what they are the answers to, and has let go of it.
    until("all answers are out", || place.crew().lag == Some(0));
    stop(alone);
    stop(other);
}

#[test]
fn a_worker_runs_together_or_alone() {
    let place = Place::new(1 << 16, HOLD);
    let alone = |place: &Place| {
        let builder = alone::Works::builder(&place.bus, place.config.clone());
        builder.start(Start::Oldest).run()
    };
    let fault = |error: StartError| match error {
        StartError::Shared(error) => error,
        error => panic!("{error}"),
    };
    // It ran alone first, and goes on as a pool.
    let running = alone(&place).unwrap();
    place.send(1..=10).join().unwrap();
    place.wait(10);
    let mut refused = place.start_at(1, None);
    assert!(refused.line().contains("`Works.Crew` runs already"));
    running.stop().unwrap();
    let member = place.start(1);
    place.send(11..=20).join().unwrap();
    once(&place.wait(20), 20);
    let error = fault(alone(&place).unwrap_err());
    assert!(
        matches!(error.fault(), SharedFault::WorkerRuns { process, .. } if process.pid == member.child.id()),
        "{error}"
    );
    let error = place.bus.forget_worker("Works.Crew").unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::WorkerRuns { .. }),
        "{error}"
    );
    stop(member);
    let error = fault(alone(&place).unwrap_err());
    assert!(
        matches!(error.fault(), SharedFault::WorkerIsPool { .. }),
        "{error}"
    );
    assert_eq!(
        error.fault().to_string(),
        "the worker `Works.Crew` was a pool when it ran here before, and what its members owed may be open: declare it so, \
         `pool = true`, or have it begin anew by `forget_worker`"
    );
    // Forgotten, it begins anew, the one way or the other.
    assert!(place.bus.forget_worker("Works.Crew").unwrap());
    assert_eq!(place.crew().position, None);
    let running = alone(&place).unwrap();
    until("all again", || place.log().len() == 40);
    running.stop().unwrap();
    assert!(place.bus.forget_worker("Works.Crew").unwrap());
    let _member = place.start(1);
    until("all again", || place.log().len() == 60);
}

/// Threads are members, too; and a bus of one process has a pool of one.
#[test]
fn a_member_whose_panic_stops_its_process_takes_nothing_more() {
    let place = Place::new(1 << 16, Duration::ZERO);
    place.send(1..=100).join().unwrap();
    let run = |number, panics_at| {
        let config = Config {
            number,
            panics_at,
            ..place.config.clone()
        };
        let builder = stopping::Works::builder(&place.bus, config);
        builder.start(Start::Oldest).run().unwrap()
    };
    run(1, 9).join().unwrap_err();
    let other = run(2, u64::MAX);
    let by = place.wait(99);
    other.stop().unwrap();
    let counts: Vec<_> = by.iter().map(|(n, who)| (*n, who.len())).collect();
    let expected: Vec<_> = (1..=100).filter(|&n| n != 9).map(|n| (n, 1)).collect();
    assert_eq!(counts, expected);
}

#[test]
fn one_process_may_have_several_members() {
    let place = Place::new(1 << 12, Duration::ZERO);
    let run = |number| {
        let config = Config {
            number,
            pause: Duration::from_micros(50),
            held: true,
            ..place.config.clone()
        };
        let builder = Works::builder(&place.bus, config);
        builder.start(Start::Oldest).run().unwrap()
    };
    let running = [run(1), run(2)];
    let sending = place.send(1..=2000);
    until("both have begun", || {
        let begun = |number| place.log().iter().any(|(_, who)| *who == number);
        begun(1) && begun(2)
    });
    (1..=2).for_each(|number| place.config.let_end(number, 2000));
    sending.join().unwrap();
    let counts = once(&place.wait(2000), 2000);
    assert_eq!(counts.len(), 2, "{counts:?}");
    for running in running {
        running.stop().unwrap();
    }
    let bus = messenger::bus::Bus::new(messenger::bus::BusConfig::bytes(1 << 12)).unwrap();
    let dir = place.config.dir.join("one");
    std::fs::create_dir(&dir).unwrap();
    let config = Config {
        dir: dir.clone(),
        ..place.config.clone()
    };
    let running = Works::builder(bus, config).run().unwrap();
    let mut publisher = running.publisher::<Boss>().unwrap();
    for n in 1..=1000 {
        publisher.send(&Job { n }).unwrap();
    }
    running.stop().unwrap();
    let all: Vec<_> = (1..=1000).map(|n| (n, 0)).collect();
    assert_eq!(Log::read(&dir.join("log")), all);
}

/// Stopped in the midst of taking a turn, it holds up nobody, and what it has got by then is its own when it goes on.
#[cfg(feature = "fault")]
#[test]
fn who_is_stopped_at_any_store_of_a_turn_holds_up_nobody() {
    const JOBS: u64 = 400;
    for point in [
        "turn_named",
        "turn_written",
        "turn_confirmed",
        "turn_taken",
        "seat_said",
    ] {
        let mut place = Place::new(1 << 16, HOLD);
        place.config.pause = Duration::from_micros(200);
        let mut other = place.start(2);
        let mut slow = place.start_at(1, Some(&format!("{point}:5:stop")));
        assert_eq!(slow.line(), "runs");
        // So that the slow one finds whole turns, and the other leaves them to it, however slowly it goes.
        [&slow, &other].into_iter().for_each(Other::halt);
        place.send(1..=JOBS).join().unwrap();
        slow.signal("-CONT");
        slow.stands_still();
        other.signal("-CONT");
        // It has a turn, or not.
        let owed = match point {
            "turn_taken" => BATCH as u64,
            _ => 0,
        };
        place.wait(JOBS - owed);
        thread::sleep(Duration::from_millis(20));
        assert_eq!(JOBS - place.wait(1).len() as u64, owed, "{point}");
        assert!(other.child.try_wait().unwrap().is_none());
        slow.signal("-CONT");
        once(&place.wait(JOBS), JOBS);
    }
}

/// What it found to be left may be handled, and overwritten, before it has a subscriber.
#[cfg(feature = "fault")]
#[test]
fn who_comes_while_others_go_on_misses_nothing() {
    let place = Place::new(1 << 12, HOLD);
    let first = place.start(1);
    let mut slow = place.start_at(2, Some("pool_found:1:stop"));
    slow.stands_still();
    place.send(1..=300).join().unwrap();
    place.wait(300);
    slow.signal("-CONT");
    assert_eq!(slow.line(), "runs");
    stop(first);
    place.send(301..=600).join().unwrap();
    once(&place.wait(600), 600);
    stop(slow);
}

/// What is written over in the entries of a pool, before a member comes or while it is at work, is an error, or else does no harm to anything
/// but the order of the work.
#[test]
fn a_pool_whose_words_are_written_over_gives_errors() {
    let mut seed = 1_u64;
    let mut random = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (mut refused, mut failed) = (0, 0);
    for case in 0..300 {
        let place = Place::new(1 << 12, Duration::ZERO);
        let run = || {
            let builder = Works::builder(&place.bus, place.config.clone());
            let builder = builder
                .start(Start::Oldest)
                .patience(Duration::from_millis(20));
            builder.run()
        };
        let sent = place.send(1..=20);
        let members = [run().unwrap(), run().unwrap()];
        sent.join().unwrap();
        place.wait(20);
        for member in members {
            member.stop().unwrap();
        }
        let mut options = OpenOptions::new();
        let file = options
            .read(true)
            .write(true)
            .open(place.bus.path())
            .unwrap();
        let mut bytes = Vec::new();
        { &file }.read_to_end(&mut bytes).unwrap();
        let name = bytes
            .windows(10)
            .position(|text| text == b"Works.Crew")
            .unwrap();
        let mut scribble = || {
            // The pool's entry and those of its seats, but not what they are.
            let entry = name as u64 - 48 + random() % 3 * 256;
            let word = 8 + random() % 31 * 8;
            let value = match random() % 5 {
                0 => random(),
                1 => u64::MAX,
                2 => random() % 4096,
                3 => random() % 256 * 16,
                _ => 1 << (random() % 64),
            };
            std::os::unix::fs::FileExt::write_all_at(&file, &value.to_le_bytes(), entry + word)
                .unwrap();
        };
        if case % 2 == 0 {
            scribble();
        }
        let watched = thread::scope(|scope| {
            let watched = scope.spawn(|| {
                let running = run()?;
                for n in 21..=30 {
                    let _ = place.publisher().try_send(&Job { n });
                    scribble();
                }
                thread::sleep(Duration::from_millis(2));
                Ok::<_, StartError>(running.stop())
            });
            until("the end of a member", || watched.is_finished());
            watched.join().unwrap()
        });
        match watched {
            Err(_) => refused += 1,
            Ok(Err(error)) => {
                assert!(!error.to_string().contains("panicked"), "{error}");
                failed += 1;
            }
            Ok(Ok(_)) => {}
        }
        // It is not closed before the bus has gone, or the locks would go.
        drop(place);
        drop(file);
    }
    println!("{refused} were refused, {failed} failed");
    assert!(refused > 0 && failed > 0);
}

/// What stands before where a pool begins need not be finished: nobody may overwrite it, and the pool waits for it.
#[test]
fn a_pool_that_begins_behind_or_in_an_open_claim_waits_for_it() {
    // Two threads, so that one of them is there that did not begin the pool.
    let begins = |begun| [1, 16, 48].map(|beyond| Start::At(begun + beyond));
    for number in 0..4 {
        let place = Place::new(1 << 12, HOLD);
        let mut raw = place.bus.bus().publisher().unwrap();
        let mut claim = raw.claim(TAG, 100).unwrap();
        let begun = claim.position();
        claim.writer().put(&[7; 50]).unwrap();
        let run = || {
            let builder = Works::builder(&place.bus, place.config.clone());
            let starts = begins(begun);
            let start = starts.get(number).copied().unwrap_or(Start::Newest);
            builder.start(start).run().unwrap()
        };
        let members = [run(), run()];
        let mut publisher = place.publisher();
        let mut sent = 0;
        while sent < 1000 && publisher.try_send(&Job { n: sent + 1 }).is_ok() {
            sent += 1;
            thread::sleep(Duration::from_micros(100));
        }
        assert!((10..200).contains(&sent), "{sent} found room");
        assert_eq!(place.log(), []);
        let mut watch = place.bus.bus().subscribe(Start::Oldest).unwrap();
        claim.writer().put(&[7; 50]).unwrap();
        claim.commit().unwrap();
        let record = watch.try_next().unwrap().unwrap();
        assert_eq!(record.position(), begun);
        assert_eq!(record.payload(), [7; 100]);
        drop(watch);
        once(&place.wait(sent), sent);
        for member in members {
            let report = member.stop().unwrap();
            assert!(report.failures.is_empty(), "{report}");
        }
    }
}

/// As any other worker: with the first record at or after the position.
#[test]
fn a_pool_begins_at_any_position() {
    for (beyond, first) in [(0, 1), (1, 2), (16, 2), (31, 2), (32, 2)] {
        let place = Place::new(1 << 12, HOLD);
        let begun = place.bus.bus().tail();
        place.send(1..=1).join().unwrap();
        assert_eq!(place.bus.bus().tail(), begun + 32);
        let run = |start| {
            let builder = Works::builder(&place.bus, place.config.clone());
            builder.start(start).run().unwrap()
        };
        let member = run(Start::At(begun + beyond));
        // It stops before there is anything to take; who comes next goes on there.
        member.stop().unwrap();
        let members = [run(Start::Oldest), run(Start::Newest)];
        place.send(2..=300).join().unwrap();
        let by = place.wait(301 - first);
        assert_eq!(by.keys().next(), Some(&first), "{beyond}");
        assert!(by.values().all(|who| who.len() == 1), "{by:?}");
        for member in members {
            let report = member.stop().unwrap();
            assert!(report.failures.is_empty(), "{report}");
        }
    }
}
