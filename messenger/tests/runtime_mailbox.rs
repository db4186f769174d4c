//! What becomes of an async handler's mailbox, and of what it sent, when its task panics, or its worker stops.

#![cfg(all(feature = "tokio", feature = "bincode"))]

#[path = "support/bang.rs"]
mod bang;
#[path = "support/log.rs"]
mod log;
#[path = "support/runtime.rs"]
mod runtime;
mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use bang::Bang;
use log::Log;
use messenger::bus::{Bus, MessageId, SourceId, Start, Subscriber, Tag};
use messenger::{
    AsyncHandler, AsyncOutbox, Handle, HandleAsync, Handler, HandlerError, Message, Outbox, Result,
    Running, Subscription, messenger,
};
use runtime::Runtime;
use serde::{Deserialize, Serialize};
use support::{bus, until};
use tokio::sync::Semaphore;

/// A job that is refused.
const REFUSED: u64 = 7;
/// One that panics in its task.
const PANICS: u64 = 13;
/// One whose clone panics, on the worker's thread.
const NO_CLONE: u64 = 66;
/// One from which on a job is answered by as many messages as it is greater.
const ANSWERED: u64 = 1000;
/// What is for none of the handlers.
const RAW: Tag = Tag::new(SourceId::new(900), MessageId::new(900));

/// A number.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Job(u64);

impl Clone for Job {
    fn clone(&self) -> Self {
        assert!(self.0 != NO_CLONE, "no clone");
        Self(self.0)
    }
}

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Done(u64);

/// For the one that panics on the worker's thread.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 3, codec = bincode)]
pub(crate) struct Fuse;

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Job, Fuse))]
pub(crate) struct Boss;

/// Is let through job by job.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Done))]
pub(crate) struct Slow {
    config: Config,
    sender: Option<tokio::task::JoinHandle<()>>,
}

/// Panics on the worker's thread, or holds it up.
#[derive(Debug, Handler)]
#[handler(id = 3)]
pub(crate) struct Bomb(Config);

/// What the constructors are given.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    log: Log,
    /// A permit for each job.
    gate: Arc<Semaphore>,
    /// A job is in hand.
    busy: Arc<AtomicBool>,
    /// `on_start` fails.
    refuses: Arc<AtomicBool>,
    /// A task of the handler's own sends until it can't, and then lets all jobs through.
    sends: bool,
    /// `on_start` sends, and waits for room if need be.
    greets: bool,
    /// A job that is answered is answered twice, and takes another permit in between.
    repeats: bool,
    /// While this is so the fuse smoulders: it holds the worker up, and does not panic then.
    smoulders: Arc<AtomicBool>,
}

impl Config {
    fn new() -> Self {
        Self {
            log: Log::default(),
            gate: Arc::new(Semaphore::new(0)),
            busy: Arc::default(),
            refuses: Arc::default(),
            sends: false,
            greets: false,
            repeats: false,
            smoulders: Arc::default(),
        }
    }

    fn slow(&self) -> Slow {
        Slow {
            config: self.clone(),
            sender: None,
        }
    }

    /// The jobs that were handled, in order.
    fn handled(&self) -> Vec<String> {
        let mut lines = self.log.lines();
        lines.retain(|line| line.starts_with("handled"));
        lines
    }

    fn has(&self, line: &str) -> bool {
        self.log.lines().iter().any(|it| it == line)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        if self.config.refuses.load(Ordering::Relaxed) {
            a_moment();
        }
        self.config.log.add("dropped");
    }
}

impl AsyncHandler for Slow {
    async fn on_start(&mut self, out: &mut AsyncOutbox<Self>) -> Result {
        if self.config.refuses.load(Ordering::Relaxed) {
            return Err(HandlerError::new("refused"));
        }
        if self.config.sends {
            let publisher = out.publisher();
            let (log, gate) = (self.config.log.clone(), Arc::clone(&self.config.gate));
            self.sender = Some(tokio::spawn(async move {
                while publisher.try_send(&Done(0)).is_ok() {}
                log.add("full");
                while publisher.send(&Done(0)).await.is_ok() {}
                log.add("sender ended");
                gate.add_permits(99);
            }));
        }
        if self.config.greets {
            self.config.log.add("greets");
            out.publisher().send(&Done(0)).await?;
            self.config.log.add("has greeted");
        }
        Ok(())
    }

    async fn on_stop(&mut self, _: &mut AsyncOutbox<Self>) -> Result {
        if let Some(sender) = self.sender.take() {
            sender.await.unwrap();
        }
        self.config.log.add("stopped");
        Ok(())
    }
}

impl HandleAsync<Job> for Slow {
    async fn handle(&mut self, job: Job, out: &mut AsyncOutbox<Self>) -> Result {
        let config = &self.config;
        config.log.add(format!("takes {}", job.0));
        if config.busy.swap(true, Ordering::Relaxed) {
            config.log.add("two at once");
        }
        config.gate.acquire().await.unwrap().forget();
        config.busy.store(false, Ordering::Relaxed);
        assert!(job.0 != PANICS, "thirteen");
        if job.0 == REFUSED {
            return Err(HandlerError::new("seven is refused"));
        }
        for n in ANSWERED..job.0 {
            out.send(&Done(n))?;
        }
        if config.repeats {
            config.log.add("repeats");
            config.gate.acquire().await.unwrap().forget();
            for n in ANSWERED..job.0 {
                out.send(&Done(n))?;
            }
        }
        config.log.add(format!("handled {}", job.0));
        Ok(())
    }
}

impl Handle<Fuse> for Bomb {
    fn handle(&mut self, _: &Fuse, _: &mut Outbox<'_, Self>) -> Result {
        if self.0.smoulders.load(Ordering::Relaxed) {
            self.0.log.add("smoulders");
            until(|| !self.0.smoulders.load(Ordering::Relaxed));
            return Ok(());
        }
        panic!("fuse")
    }
}

macro_rules! office {
    ($app:ident, $mailbox:literal, $($options:tt)*) => {
        messenger! {
            pub(crate) $app(config: Config);
            outside: [ Boss ]
            Desk ($($options)*):
                handlers: [
                    slow: async Slow (mailbox = $mailbox) = config.slow(),
                    bomb: Bomb = Bomb(config.clone()),
                ]
                routes: [
                    Boss, Job: [slow],
                    Boss, Fuse: [bomb],
                ]
            drop: [ Slow, Done ]
        }
    };
}

office!(Office, 8, on_panic = stop);
office!(Alone, 8, on_panic = stop_worker);
office!(Tight, 8, spill = 1024);
office!(
    Patient,
    8,
    on_panic = restart(9, per = Duration::from_secs(3600))
);
office!(
    Small,
    2,
    on_panic = restart(9, per = Duration::from_secs(3600))
);

/// Runs a table, and posts these jobs.
macro_rules! run {
    ($app:ident, $runtime:expr, $config:expr, $jobs:expr) => {{
        let app = $app::builder(bus(4096), $config.clone())
            .tokio($runtime.handle.clone())
            .run()
            .unwrap();
        post(&app, &$jobs);
        app
    }};
}

fn post<A: messenger::App>(app: &Running<A>, jobs: &[u64])
where
    Boss: messenger::Outside<A>,
{
    let mut boss = app.publisher::<Boss>().unwrap();
    for &n in jobs {
        boss.send(&Job(n)).unwrap();
    }
}

/// Until the worker has read so many messages.
fn until_read<A: messenger::App>(app: &Running<A>, messages: u64) {
    until(|| app.counters()[0].messages == messages);
}

/// A moment in which others may do what they must not.
fn a_moment() {
    std::thread::sleep(Duration::from_millis(100));
}

/// Until so many answers are read, from this one on.
fn read(held: &mut Subscription<(Done,)>, answers: u64) {
    for n in 0..answers {
        let got = held.next_timeout(Duration::from_secs(120)).unwrap();
        let got = got.map(|received| received.get::<Done>().unwrap().unwrap().0);
        assert_eq!(got, Some(ANSWERED + n));
    }
}

/// One who sleeps on the bus so.
fn rude_sleeper(bus: &Bus) -> Subscriber {
    let mut sleeper = bus.subscribe(Start::Newest).unwrap();
    let waker = Waker::from(Arc::new(Bang));
    let asleep = sleeper.poll_next(&mut Context::from_waker(&waker));
    assert!(asleep.unwrap().is_pending());
    sleeper
}

fn lines(jobs: impl IntoIterator<Item = u64>) -> Vec<String> {
    jobs.into_iter().map(|n| format!("handled {n}")).collect()
}

#[test]
fn what_a_task_sent_goes_out_though_it_panics() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Patient, runtime, config, []);
    let mut held = app.subscribe_gating::<(Done,)>(Start::Newest).unwrap();
    post(&app, &[ANSWERED + 200, PANICS, ANSWERED + 201]);
    until_read(&app, 3);
    config.gate.add_permits(3);
    until(|| config.handled().len() == 2);
    for want in (0..200).chain(0..201).map(|n| ANSWERED + n) {
        let got = held.next_timeout(Duration::from_secs(120)).unwrap();
        let got = got.map(|received| received.get::<Done>().unwrap().unwrap().0);
        assert_eq!(got, Some(want));
    }
    let report = app.stop().unwrap();
    let desk = &report.workers[0];
    assert_eq!((desk.panics, desk.restarts, desk.unsent), (1, 1, 0));
}

#[test]
fn what_a_task_sent_is_counted_where_it_finds_no_room() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Office, runtime, config, []);
    let held = app.bus().subscribe(Start::Newest).unwrap();
    post(&app, &[ANSWERED + 200, PANICS]);
    until_read(&app, 2);
    config.gate.add_permits(2);
    let failed = app.join().unwrap_err();
    let desk = &failed.report().workers[0];
    // The ring of 4096 bytes has the two jobs, and 126 answers.
    assert_eq!((desk.spilled, desk.unsent), (74, 74));
    drop(held);
}

#[test]
fn a_panic_while_the_mailbox_is_drained_is_judged_as_any_other() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Patient, runtime, config, [1, PANICS, 2, 3, 4]);
    until_read(&app, 5);
    app.stopper().stop();
    a_moment();
    config.gate.add_permits(5);
    let report = app.join().unwrap();
    assert_eq!(config.handled(), lines([1, 2, 3, 4]));
    assert!(config.has("stopped"));
    assert_eq!(report.workers[0].restarts, 1);
    assert_eq!(
        report.failures[0].to_string(),
        "worker `Desk`, handler `slow`, message `Job` from `Boss` at position 32: panicked: thirteen (the handler was made again)"
    );
}

#[test]
fn what_a_drain_leaves_after_a_panic_is_counted() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Office, runtime, config, [1, PANICS, 2, 3, 4]);
    until_read(&app, 5);
    app.stopper().stop();
    a_moment();
    config.gate.add_permits(5);
    let failed = app.join().unwrap_err();
    assert_eq!(config.handled(), lines([1]));
    assert!(!config.has("stopped"));
    assert_eq!(failed.failure().record.unwrap().position, 32);
    let desk = &failed.report().workers[0];
    assert_eq!((desk.panics, desk.orphaned), (1, 3));
}

#[test]
fn who_waits_for_room_is_told_when_the_worker_stops() {
    let (runtime, mut config) = (Runtime::new(), Config::new());
    config.sends = true;
    let app = run!(Alone, runtime, config, []);
    let held = app.bus().subscribe(Start::Oldest).unwrap();
    until(|| config.has("full"));
    drop(held);
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send_timeout(&Fuse, Duration::from_secs(120)).unwrap();
    until(|| config.has("stopped"));
    assert!(config.has("sender ended"));
    app.stop().unwrap();
}

#[test]
fn who_waits_for_room_is_told_of_a_stop_though_the_mailbox_is_full() {
    let (runtime, mut config) = (Runtime::new(), Config::new());
    config.sends = true;
    let app = run!(Small, runtime, config, []);
    // The runtime's only thread is taken, so that the jobs find room.
    let (take, taken) = std::sync::mpsc::channel();
    let (release, hold) = std::sync::mpsc::channel::<()>();
    runtime.handle.spawn(async move {
        take.send(()).unwrap();
        let _ = hold.recv();
    });
    taken.recv().unwrap();
    post(&app, &[1, 2, 3, 4, 5, 6]);
    release.send(()).unwrap();
    until(|| config.has("takes 1"));
    a_moment();
    let stop = std::thread::spawn(move || app.stop());
    until(|| stop.is_finished());
    stop.join().unwrap().unwrap();
    assert!(config.has("sender ended") && config.has("stopped"));
    assert_eq!(config.handled(), lines(1..=6));
}

#[test]
fn a_handler_that_is_made_again_may_wait_for_room_as_it_starts() {
    let (runtime, mut config) = (Runtime::new(), Config::new());
    config.greets = true;
    let app = run!(Patient, runtime, config, []);
    let mut held = app.subscribe_gating::<(Done,)>(Start::Newest).unwrap();
    post(&app, &[ANSWERED + 200, PANICS]);
    until_read(&app, 2);
    config.gate.add_permits(1);
    // All answers and the first greeting: the worker reads nothing while the next one starts, and has to have passed what is in the ring.
    until(|| app.counters()[0].passed + app.counters()[0].spilled == 201);
    config.gate.add_permits(1);
    until(|| app.counters()[0].panics == 1);
    a_moment();
    for want in (0..200).map(|n| ANSWERED + n).chain([0]) {
        let got = held.next_timeout(Duration::from_secs(120)).unwrap();
        let got = got.map(|received| received.get::<Done>().unwrap().unwrap().0);
        assert_eq!(got, Some(want));
    }
    until(|| app.counters()[0].restarts == 1);
    app.stop().unwrap();
}

#[test]
fn a_stop_reaches_a_handler_that_waits_for_room_as_it_starts() {
    let (runtime, mut config) = (Runtime::new(), Config::new());
    config.greets = true;
    let app = run!(Patient, runtime, config, []);
    let held = app.bus().subscribe(Start::Newest).unwrap();
    post(&app, &[ANSWERED + 200, PANICS]);
    until_read(&app, 2);
    config.gate.add_permits(2);
    let greetings = || {
        config
            .log
            .lines()
            .iter()
            .filter(|it| *it == "greets")
            .count()
    };
    until(|| greetings() == 2);
    let stop = std::thread::spawn(move || app.stop());
    until(|| stop.is_finished());
    let failed = stop.join().unwrap().unwrap_err();
    assert_eq!(
        failed.to_string(),
        "worker `Desk`, handler `slow`, in `on_start`: handler `slow` of worker `Desk` could not send `Done`: the messenger \
         has been stopped: nobody would get it"
    );
    drop(held);
}

#[test]
fn a_panic_on_the_workers_thread_leaves_no_second_task() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let jobs = [1, 2, 3, NO_CLONE, 4, 5, 6];
    let app = run!(Patient, runtime, config, jobs);
    until(|| app.counters()[0].panics == 1);
    a_moment();
    config.gate.add_permits(jobs.len());
    until(|| config.handled().len() == 6);
    assert_eq!(config.handled(), lines(1..=6));
    assert!(!config.has("two at once") && !config.has("stopped"));
    let report = app.stop().unwrap();
    assert_eq!(report.workers[0].restarts, 1);
    let record = report.failures[0].record.unwrap();
    assert_eq!(record.position, 3 * 32);
}

#[test]
fn of_two_panics_at_once_both_are_told() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Patient, runtime, config, [PANICS]);
    until(|| config.has("takes 13"));
    post(&app, &[NO_CLONE, 1]);
    until(|| app.counters()[0].panics == 1);
    a_moment();
    config.gate.add_permits(2);
    until(|| config.handled().len() == 1);
    let report = app.stop().unwrap();
    let at: Vec<_> = report
        .failures
        .iter()
        .map(|it| it.record.unwrap().position)
        .collect();
    assert_eq!(at, [32, 0]);
    assert_eq!(
        report.failures[1].to_string(),
        "worker `Desk`, handler `slow`, message `Job` from `Boss` at position 0: panicked: thirteen"
    );
    assert_eq!(report.workers[0].restarts, 1);
}

#[test]
fn what_is_left_when_the_handler_is_not_made_again_is_counted() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Patient, runtime, config, [PANICS, 1, 2, 3]);
    until_read(&app, 4);
    config.refuses.store(true, Ordering::Relaxed);
    config.gate.add_permits(4);
    let failed = app.join().unwrap_err();
    assert_eq!(failed.report().workers[0].orphaned, 3);
}

#[test]
fn a_mailbox_keeps_its_bound_when_its_handler_is_made_again() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Small, runtime, config, [PANICS, 1, 2, 3, 4, 5, 6]);
    // One in hand, two in the mailbox.
    until_read(&app, 3);
    config.gate.add_permits(1);
    until(|| config.has("takes 1"));
    until_read(&app, 4);
    a_moment();
    let read = app.counters()[0].messages;
    config.gate.add_permits(6);
    until(|| config.handled().len() == 6);
    assert_eq!(read, 4);
    assert_eq!(config.handled(), lines(1..=6));
    app.stop().unwrap();
}

#[test]
fn what_waits_for_room_is_counted() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Office, runtime, config, []);
    let held = app.bus().subscribe(Start::Newest).unwrap();
    post(&app, &[ANSWERED + 200]);
    config.gate.add_permits(1);
    until(|| app.counters()[0].spilled == 73);
    drop(held);
    assert_eq!(app.stop().unwrap().workers[0].spilled, 73);
}

#[test]
fn what_a_runtime_leaves_that_is_shut_down_is_counted() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Office, runtime, config, [1, 2, 3]);
    until(|| config.has("takes 1"));
    until_read(&app, 3);
    drop(runtime);
    until(|| app.counters()[0].errors == 1);
    let report = app.stop().unwrap();
    assert_eq!(report.workers[0].orphaned, 2);
    assert_eq!(
        report.failures[0].to_string(),
        "worker `Desk`, handler `slow`, message `Job` from `Boss` at position 0: the tokio runtime of this async handler has \
         been shut down"
    );
}

#[test]
fn a_task_that_ends_with_nothing_in_hand_was_called_for_nothing() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Office, runtime, config, []);
    drop(runtime);
    until(|| app.counters()[0].errors == 1);
    let report = app.stop().unwrap();
    assert_eq!(
        report.failures[0].to_string(),
        "worker `Desk`, handler `slow`: the tokio runtime of this async handler has been shut down"
    );
}

#[test]
fn a_worker_that_stops_alone_holds_nobody_up() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Alone, runtime, config, [1]);
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Fuse).unwrap();
    // The first job is in hand for as long as this takes.
    for n in 0..1000 {
        boss.send_timeout(&Job(n), Duration::from_secs(120))
            .unwrap();
    }
    config.gate.add_permits(1);
    until(|| config.has("stopped"));
    assert_eq!(config.handled(), lines([1]));
    app.stop().unwrap();
}

#[test]
fn what_a_task_of_a_worker_that_stops_alone_has_sent_still_goes_out() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Alone, runtime, config, [ANSWERED + 200]);
    let mut held = app.subscribe_gating::<(Done,)>(Start::Newest).unwrap();
    app.publisher::<Boss>().unwrap().send(&Fuse).unwrap();
    until(|| app.counters()[0].panics == 1);
    config.gate.add_permits(1);
    until(|| config.has("stopped"));
    read(&mut held, 200);
    let report = app.stop().unwrap();
    assert_eq!(report.workers[0].unsent, 0, "{report}");
}

#[test]
fn what_a_task_sent_goes_out_though_its_runtime_is_shut_down() {
    let (runtime, config) = (Runtime::new(), Config::new());
    let app = run!(Office, runtime, config, []);
    let mut held = app.subscribe_gating::<(Done,)>(Start::Newest).unwrap();
    post(&app, &[ANSWERED + 200]);
    config.gate.add_permits(1);
    until(|| config.handled().len() == 1);
    drop(runtime);
    until(|| app.counters()[0].errors == 1);
    read(&mut held, 200);
    let report = app.stop().unwrap();
    let desk = &report.workers[0];
    assert_eq!((desk.spilled, desk.unsent), (73, 0));
}

#[test]
fn what_a_task_sends_goes_out_while_its_worker_waits_for_it() {
    let (runtime, mut config) = (Runtime::new(), Config::new());
    config.repeats = true;
    let app = run!(Alone, runtime, config, [ANSWERED + 200]);
    let mut held = app.subscribe_gating::<(Done,)>(Start::Newest).unwrap();
    app.publisher::<Boss>().unwrap().send(&Fuse).unwrap();
    until(|| app.counters()[0].panics == 1);
    config.gate.add_permits(1);
    until(|| config.has("repeats"));
    read(&mut held, 200);
    config.gate.add_permits(1);
    read(&mut held, 200);
    until(|| config.has("stopped"));
    app.stop().unwrap();
}

#[test]
fn what_a_task_sends_finds_room_though_its_worker_is_held_up() {
    let (runtime, mut config) = (Runtime::new(), Config::new());
    config.repeats = true;
    config.smoulders.store(true, Ordering::Relaxed);
    let app = run!(Tight, runtime, config, [ANSWERED + 40]);
    let mut held = app.subscribe_gating::<(Done,)>(Start::Newest).unwrap();
    until(|| config.has("takes 1040"));
    // With these the reader holds more of the ring than the worker does where it is held up.
    let mut raw = app.bus().publisher().unwrap();
    for _ in 0..100 {
        raw.send(RAW, &[0; 16]).unwrap();
    }
    app.publisher::<Boss>().unwrap().send(&Fuse).unwrap();
    until(|| config.has("smoulders"));
    // The ring of 128 records has room for a part of the 40 answers, and the spill for 32.
    config.gate.add_permits(1);
    until(|| config.has("repeats"));
    let moment = Duration::from_millis(1);
    until(|| {
        while held.next_timeout(moment).unwrap().is_some() {}
        // The reader's: the worker is held up.
        let stats = app.bus().stats();
        stats.subscribers.iter().any(|it| it.lag == 0)
    });
    config.gate.add_permits(1);
    until(|| config.handled().len() == 1);
    config.smoulders.store(false, Ordering::Relaxed);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report}");
}

#[test]
fn a_waker_that_panics_hides_neither_an_error_nor_a_panic() {
    for (job, text) in [
        (REFUSED, "seven is refused"),
        (PANICS, "panicked: thirteen (the messenger stopped)"),
    ] {
        let (runtime, config) = (Runtime::new(), Config::new());
        let app = run!(Office, runtime, config, [job]);
        until(|| config.has(&format!("takes {job}")));
        // The worker sleeps by then, so that it is woken over what becomes of the job.
        a_moment();
        let sleeper = rude_sleeper(app.bus());
        config.gate.add_permits(1);
        until(|| app.counters()[0].routes[0].errors == 1);
        let report = app.stop().unwrap_or_else(|failed| failed.into_report());
        let [failure] = &report.failures[..] else {
            panic!("one failure: {report}")
        };
        assert_eq!(
            failure.to_string(),
            format!(
                "worker `Desk`, handler `slow`, message `Job` from `Boss` at position 0: {text}"
            )
        );
        drop(sleeper);
    }
}

#[test]
fn nothing_is_left_of_a_handler_that_does_not_start() {
    let (runtime, config) = (Runtime::new(), Config::new());
    config.refuses.store(true, Ordering::Relaxed);
    let error = Office::builder(bus(4096), config.clone())
        .tokio(runtime.handle.clone())
        .run()
        .unwrap_err();
    assert!(config.has("dropped"));
    assert_eq!(
        error.to_string(),
        "worker `Desk`, handler `slow`, in `on_start`: refused"
    );
}

#[test]
fn what_a_shut_down_runtime_had_in_hand_is_told_beside_a_panic() {
    let (runtime, config) = (Runtime::new(), Config::new());
    config.smoulders.store(true, Ordering::Relaxed);
    let app = run!(Office, runtime, config, [1]);
    until(|| config.has("takes 1"));
    // In one batch with the fuse, so that the worker does not look after its task before the panic.
    let mut raw = app.bus().publisher().unwrap();
    let claim = raw.claim(RAW, 0).unwrap();
    app.publisher::<Boss>().unwrap().send(&Fuse).unwrap();
    post(&app, &[NO_CLONE]);
    claim.commit().unwrap();
    until(|| config.has("smoulders"));
    drop(runtime);
    config.smoulders.store(false, Ordering::Relaxed);
    let failed = app.join().unwrap_err();
    assert!(failed.to_string().contains("no clone"), "{failed}");
    let told: Vec<_> = { failed.report().failures.iter() }
        .map(ToString::to_string)
        .filter(|text| {
            text.ends_with(
                "at position 0: the tokio runtime of this async handler has been shut down",
            )
        })
        .collect();
    assert_eq!(told.len(), 1, "{}", failed.report());
}
