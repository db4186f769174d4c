//! Async handlers: owned messages in order, bounded mailboxes, supervision, and publishers for tasks.

#![cfg(all(feature = "tokio", feature = "bincode"))]

#[path = "support/bang.rs"]
mod bang;
#[path = "support/log.rs"]
mod log;
#[path = "support/runtime.rs"]
mod runtime;
mod support;
#[path = "support/woken.rs"]
mod woken;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use bang::Bang;
use log::Log;
use messenger::bus::{Bus, BusConfig, Start};
use messenger::{
    AsyncHandler, AsyncOutbox, FailureKind, Handle, HandleAsync, Handler, HandlerError, Message,
    Outbox, Result, SendError, SendFault, StartError, TaskPublisher, messenger,
};
use runtime::Runtime;
use serde::{Deserialize, Serialize};
use support::{bus, until};
use tokio::sync::mpsc;
use woken::Woken;

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Job(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Done(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 3, codec = bincode)]
pub(crate) struct Late(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 4, codec = bincode)]
pub(crate) struct Count(u64);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Job, Count))]
pub(crate) struct Boss;

/// Takes its time over each job, and answers.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Done, Late))]
pub(crate) struct Slow {
    log: Log,
    /// Where to put a publisher for other tasks.
    lend: Option<mpsc::UnboundedSender<TaskPublisher<Slow>>>,
    handled: u64,
}

/// Counts answers.
#[derive(Debug, Handler)]
#[handler(id = 3)]
pub(crate) struct Tally {
    log: Log,
    next: u64,
}

/// On a worker of its own: shows that it goes on.
#[derive(Debug, Handler)]
#[handler(id = 4)]
pub(crate) struct Free(Log);

impl AsyncHandler for Slow {
    async fn on_start(&mut self, out: &mut AsyncOutbox<Self>) -> Result {
        tokio::task::yield_now().await;
        self.log.add("started");
        if let Some(lend) = &self.lend {
            lend.send(out.publisher()).unwrap();
        }
        Ok(())
    }

    async fn on_stop(&mut self, _: &mut AsyncOutbox<Self>) -> Result {
        tokio::task::yield_now().await;
        self.log.add(format!("stopped after {}", self.handled));
        Ok(())
    }
}

impl HandleAsync<Job> for Slow {
    async fn handle(&mut self, job: Job, out: &mut AsyncOutbox<Self>) -> Result {
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.handled += 1;
        match job.0 {
            7 => Err(HandlerError::new("seven is refused")),
            13 => panic!("thirteen"),
            n => out.send(&Done(n)),
        }
    }
}

impl Handle<Done> for Tally {
    fn handle(&mut self, m: &Done, out: &mut Outbox<'_, Self>) -> Result {
        assert!(m.0 >= self.next, "out of order");
        self.next = m.0 + 1;
        self.log.add(format!("done {}", m.0));
        if m.0 == 1000 {
            out.stop();
        }
        Ok(())
    }
}

impl Handle<Late> for Tally {
    fn handle(&mut self, m: &Late, _: &mut Outbox<'_, Self>) -> Result {
        self.log.add(format!("late {}", m.0));
        Ok(())
    }
}

impl Handle<Count> for Free {
    fn handle(&mut self, m: &Count, _: &mut Outbox<'_, Self>) -> Result {
        self.0.add(format!("count {}", m.0));
        Ok(())
    }
}

/// What the constructors are given.
#[derive(Debug)]
pub(crate) struct Config {
    log: Log,
    lend: Option<mpsc::UnboundedSender<TaskPublisher<Slow>>>,
}

impl Config {
    fn new(log: &Log) -> Self {
        Self {
            log: log.clone(),
            lend: None,
        }
    }

    fn slow(&self) -> Slow {
        Slow {
            log: self.log.clone(),
            lend: self.lend.clone(),
            handled: 0,
        }
    }

    fn tally(&self) -> Tally {
        Tally {
            log: self.log.clone(),
            next: 0,
        }
    }
}

macro_rules! office {
    ($app:ident $($options:tt)*) => {
        messenger! {
            pub(crate) $app(config: Config);
            outside: [ Boss ]
            Desk ($($options)*):
                handlers: [ slow: async Slow (mailbox = 2) = config.slow() ]
                routes: [ Boss, Job: [slow] ]
            Books:
                handlers: [
                    tally: Tally = config.tally(),
                    free: Free = Free(config.log.clone()),
                ]
                routes: [
                    Slow, Done: [tally],
                    Slow, Late: [tally],
                    Boss, Count: [free],
                ]
        }
    };
}

office!(Office);
office!(Patient on_panic = restart(1, per = Duration::from_secs(3600)));

#[test]
fn messages_are_handled_in_order_and_a_stop_drains_the_mailbox() {
    let runtime = Runtime::new();
    let log = Log::default();
    let app = Office::builder(bus(4096), Config::new(&log))
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    assert_eq!(log.lines(), ["started"]);
    let mut boss = app.publisher::<Boss>().unwrap();
    let jobs = if cfg!(miri) { 20 } else { 300 };
    for n in 100..100 + jobs {
        boss.send(&Job(n)).unwrap();
    }
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    assert!(log.lines().contains(&format!("stopped after {jobs}")));
    // Each answer was delivered, or came after the stop and was counted, or found no room after it.
    let done = log.lines().iter().filter(|l| l.starts_with("done")).count() as u64;
    let unsent = report.workers[0].unsent;
    assert_eq!(done + report.late() + unsent, jobs);
}

#[test]
fn a_full_mailbox_holds_only_its_own_worker() {
    let runtime = Runtime::new();
    let log = Log::default();
    let app = Office::builder(bus(1 << 16), Config::new(&log))
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    // The runtime's only thread is taken: the task stands still.
    let (take, taken) = std::sync::mpsc::channel();
    let (release, hold) = std::sync::mpsc::channel::<()>();
    runtime.handle.spawn(async move {
        take.send(()).unwrap();
        let _ = hold.recv();
    });
    taken.recv().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in 0..6 {
        boss.send(&Job(n)).unwrap();
    }
    boss.send(&Count(1)).unwrap();
    until(|| log.lines().contains(&"count 1".to_owned()));
    let read = app.counters()[0].messages;
    assert!(read <= 3, "two in the mailbox, one in hand: {read}");
    release.send(()).unwrap();
    until(|| log.lines().contains(&"done 5".to_owned()));
    app.stop().unwrap();
}

#[test]
fn errors_and_panics_in_a_task_are_the_handlers() {
    let runtime = Runtime::new();
    let log = Log::default();
    let app = Office::builder(bus(4096), Config::new(&log))
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Job(7)).unwrap();
    until(|| app.counters()[0].errors == 1);
    boss.send(&Job(13)).unwrap();
    let failed = app.join().unwrap_err();
    assert_eq!(
        failed.to_string(),
        "worker `Desk`, handler `slow`, message `Job` from `Boss` at position 32: panicked: thirteen (the messenger stopped)"
    );
    assert_eq!(
        failed.report().failures[0].to_string(),
        "worker `Desk`, handler `slow`, message `Job` from `Boss` at position 0: seven is refused"
    );
    assert_eq!(failed.report().workers[0].routes[0].errors, 2);
}

#[test]
fn a_task_that_panics_is_made_again_and_keeps_its_queue() {
    let runtime = Runtime::new();
    let log = Log::default();
    let app = Patient::builder(bus(4096), Config::new(&log))
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [1, 13, 14, 15, 16, 17] {
        boss.send(&Job(n)).unwrap();
    }
    until(|| log.lines().contains(&"done 17".to_owned()));
    let report = app.stop().unwrap();
    assert_eq!(
        (report.workers[0].panics, report.workers[0].restarts),
        (1, 1)
    );
    let lines = log.lines();
    for line in ["done 1", "done 14", "done 15", "done 16", "done 17"] {
        assert_eq!(
            lines.iter().filter(|l| *l == line).count(),
            1,
            "{line}: {lines:?}"
        );
    }
    assert_eq!(lines.iter().filter(|l| *l == "started").count(), 2);
}

#[test]
fn other_tasks_publish_until_the_stop() {
    let runtime = Runtime::new();
    let log = Log::default();
    let (lend, mut lent) = mpsc::unbounded_channel();
    let config = Config {
        log: log.clone(),
        lend: Some(lend),
    };
    let app = Office::builder(bus(4096), config)
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    let publisher = lent.blocking_recv().unwrap();
    // More than the ring holds: the task waits for room.
    let count = if cfg!(miri) { 150 } else { 1000 };
    let clone = publisher.clone();
    let task = runtime.handle.spawn(async move {
        for n in 0..count {
            clone.send(&Late(n)).await.unwrap();
        }
    });
    runtime.handle.block_on(task).unwrap();
    until(|| log.lines().contains(&format!("late {}", count - 1)));
    assert!(!publisher.is_stopped());
    app.stop().unwrap();
    let error = publisher.try_send(&Late(0)).unwrap_err();
    let error = error.downcast_ref::<SendError>().unwrap();
    assert!(matches!(error.fault, SendFault::Stopped));
    assert_eq!(
        error.to_string(),
        "handler `slow` of worker `Desk` could not send `Late`: the messenger has been stopped: nobody would get it"
    );
}

#[test]
fn a_waker_that_panics_is_not_the_handlers_affair() {
    let runtime = Runtime::new();
    let (lend, mut lent) = mpsc::unbounded_channel();
    let config = Config {
        log: Log::default(),
        lend: Some(lend),
    };
    let app = Office::builder(bus(4096), config)
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    let publisher = lent.blocking_recv().unwrap();
    let held = app.bus().subscribe(Start::Newest).unwrap();
    while publisher.try_send(&Late(0)).is_ok() {}
    let late = Late(1);
    let mut sending = pin!(publisher.send(&late));
    let waker = Waker::from(Arc::new(Bang));
    let sent = sending.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(sent.is_pending());
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report}");
    drop(held);
}

#[test]
fn a_waker_that_panics_leaves_nobody_waiting_for_room() {
    let runtime = Runtime::new();
    let (lend, mut lent) = mpsc::unbounded_channel();
    let config = Config {
        log: Log::default(),
        lend: Some(lend),
    };
    let (told, tells) = std::sync::mpsc::channel();
    let (release, hold) = std::sync::mpsc::channel::<()>();
    let hold = std::sync::Mutex::new(hold);
    let app = Office::builder(bus(4096), config)
        .tokio(runtime.handle.clone())
        .on_failure(move |_| {
            let _ = told.send(());
            let _ = hold.lock().unwrap().recv();
        })
        .run()
        .unwrap();
    let publisher = lent.blocking_recv().unwrap();
    // The worker is held up, so that all of them wait before it tells them to look again.
    app.publisher::<Boss>().unwrap().send(&Job(7)).unwrap();
    tells.recv().unwrap();
    let held = app.bus().subscribe(Start::Newest).unwrap();
    while publisher.try_send(&Late(0)).is_ok() {}
    let late = Late(1);
    let [(first, first_waker), (last, last_waker)] = [Woken::new(), Woken::new()];
    let wakers = [first_waker, Waker::from(Arc::new(Bang)), last_waker];
    let mut waiting: Vec<_> = { wakers.iter() }
        .map(|waker| {
            let mut sending = Box::pin(publisher.send(&late));
            let sent = sending.as_mut().poll(&mut Context::from_waker(waker));
            assert!(sent.is_pending());
            sending
        })
        .collect();
    release.send(()).unwrap();
    until(|| first.get() > 0 && last.get() > 0);
    waiting.clear();
    drop(held);
    app.stop().unwrap();
}

/// Sends from where it is to wake somebody.
struct Echo(TaskPublisher<Slow>);

impl Wake for Echo {
    fn wake(self: Arc<Self>) {
        self.0.try_send(&Late(2)).unwrap();
    }
}

#[test]
fn a_waker_may_send_by_the_publisher_that_wakes_it() {
    let runtime = Runtime::new();
    let log = Log::default();
    let (lend, mut lent) = mpsc::unbounded_channel();
    let config = Config {
        log: log.clone(),
        lend: Some(lend),
    };
    let app = Office::builder(bus(4096), config)
        .tokio(runtime.handle.clone())
        .run()
        .unwrap();
    let publisher = lent.blocking_recv().unwrap();
    let mut sleeper = app.bus().subscribe(Start::Newest).unwrap();
    let waker = Waker::from(Arc::new(Echo(publisher.clone())));
    let asleep = sleeper.poll_next(&mut Context::from_waker(&waker));
    assert!(asleep.unwrap().is_pending());
    let sending = std::thread::spawn(move || publisher.try_send(&Late(1)).unwrap());
    until(|| sending.is_finished());
    until(|| log.lines().contains(&"late 2".to_owned()));
    assert_eq!(log.lines(), ["started", "late 1", "late 2"]);
    drop(sleeper);
    app.stop().unwrap();
}

#[test]
fn an_async_handler_takes_a_slot_of_the_bus() {
    let runtime = Runtime::new();
    let run = |members| {
        let bus = Bus::new(BusConfig::bytes(4096).members(members)).unwrap();
        Office::builder(bus, Config::new(&Log::default()))
            .tokio(runtime.handle.clone())
            .run()
    };
    let error = run(4).unwrap_err();
    assert!(
        matches!(
            error,
            StartError::NoFreeSlot {
                needs: 5,
                members: 4
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the workers that were to run take 5 of the bus's slots for members (two each, and one for each async handler), and not so many are free: it \
         has 4 in all. Make it with more (`members`, of its `BusConfig`, `JournalConfig` or `SharedOptions`), or drop publishers and subscriptions \
         that are not needed"
    );
    run(5).unwrap().stop().unwrap();
}

#[test]
fn without_a_runtime_nothing_starts() {
    let error = Office::builder(bus(4096), Config::new(&Log::default()))
        .run()
        .unwrap_err();
    assert!(matches!(error, StartError::Failed(_)));
    assert_eq!(
        error.to_string(),
        "worker `Desk`, handler `slow`, in `on_start`: an async handler needs a tokio runtime: call `run_async` \
         in a task of one, or give `Builder::tokio` its handle"
    );
}

#[test]
fn a_program_on_one_tokio_thread_runs_and_joins_without_blocking_it() {
    let log = Log::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let report = runtime.block_on(async {
        let app = Office::builder(bus(4096), Config::new(&log))
            .run_async()
            .await
            .unwrap();
        app.publisher::<Boss>().unwrap().send(&Job(1000)).unwrap();
        app.join_async().await.unwrap()
    });
    assert_eq!(report.messages(), 2);
    assert!(log.lines().contains(&"stopped after 1".to_owned()));
}

/// What `act` gives in a task of a runtime of one thread, where it is not to wait for ever. The runtime goes on until `log` has the line `until`.
fn on_the_only_thread<T: Send + 'static>(
    log: &Log,
    until: &'static str,
    act: impl AsyncFnOnce(Log) -> T + Send + 'static,
) -> T {
    let (tell, told) = std::sync::mpsc::channel();
    let log = log.clone();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            tell.send(act(log.clone()).await).unwrap();
            while !log.lines().iter().any(|line| line == until) {
                tokio::task::yield_now().await;
            }
        });
    });
    told.recv_timeout(Duration::from_secs(120))
        .expect("it does not wait")
}

#[test]
fn who_runs_a_table_on_the_only_thread_of_its_tasks_is_told_and_does_not_wait_for_ever() {
    let log = Log::default();
    let error = on_the_only_thread(&log, "stopped after 0", async |log| {
        let run = move || Office::builder(bus(4096), Config::new(&log)).run();
        let error = run.clone()().unwrap_err();
        // On a thread that may wait it starts, and stops, on the same runtime.
        tokio::task::spawn_blocking(move || run().unwrap().stop().unwrap())
            .await
            .unwrap();
        error
    });
    assert!(
        matches!(
            error,
            StartError::OnlyThread {
                worker: "Desk",
                handler: "slow"
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the handler `slow` of worker `Desk` is async, and this is the only thread that runs its task, so `run` would wait for ever: call \
         `run_async` in place of it, and await that"
    );
}

#[test]
fn who_ends_a_run_on_the_only_thread_of_its_tasks_is_told_and_does_not_wait_for_ever() {
    for stops in [true, false] {
        let log = Log::default();
        let failed = on_the_only_thread(&log, "stopped after 1", async move |log| {
            let app = Office::builder(bus(4096), Config::new(&log)).run_async();
            let app = app.await.unwrap();
            app.publisher::<Boss>().unwrap().send(&Job(1)).unwrap();
            let ended = if stops { app.stop() } else { app.join() };
            ended.unwrap_err()
        });
        assert!(matches!(failed.failure().kind, FailureKind::OnlyThread));
        assert_eq!(
            failed.to_string(),
            "worker `Desk`, handler `slow`: it is async, and who was to wait for its end is the only thread that runs its task: await `stop_async` \
             or `join_async` there. The messenger has been told to stop, and ends as soon as that thread runs tasks again"
        );
        // What was sent before the stop is handled, and answered.
        until(|| log.lines().contains(&"stopped after 1".to_owned()));
    }
}

#[test]
fn who_drops_a_run_on_the_only_thread_of_its_tasks_does_not_wait_for_ever() {
    let log = Log::default();
    let bus = on_the_only_thread(&log, "stopped after 1", async |log| {
        let bus = bus(4096);
        let app = Office::builder(&bus, Config::new(&log)).run_async();
        let app = app.await.unwrap();
        app.publisher::<Boss>().unwrap().send(&Job(1)).unwrap();
        drop(app);
        bus
    });
    // All of it ends, and it may run again.
    let runtime = Runtime::new();
    let run = || {
        Office::builder(&bus, Config::new(&Log::default()))
            .tokio(runtime.handle.clone())
            .run()
    };
    until(|| run().is_ok());
    assert!(log.lines().contains(&"stopped after 1".to_owned()));
}

#[test]
fn who_stands_in_the_runtime_and_runs_no_tasks_may_wait() {
    let runtime = Runtime::new();
    let _within = runtime.handle.enter();
    let app = Office::builder(bus(4096), Config::new(&Log::default())).run();
    app.unwrap().stop().unwrap();
    // Nor does it matter which tasks it runs, if they are not those of the table.
    let other = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    other.block_on(async {
        let builder = Office::builder(bus(4096), Config::new(&Log::default()));
        let app = builder.tokio(runtime.handle.clone()).run();
        app.unwrap().stop().unwrap();
    });
}

#[test]
fn a_task_awaits_the_stop() {
    let log = Log::default();
    let report = on_the_only_thread(&log, "stopped after 1", async |log| {
        let app = Office::builder(bus(4096), Config::new(&log)).run_async();
        let app = app.await.unwrap();
        app.publisher::<Boss>().unwrap().send(&Job(1)).unwrap();
        app.stop_async().await.unwrap()
    });
    assert_eq!(report.workers[0].messages, 1);
}

/// The task that holds the run is let go of with its runtime, by the one thread that runs the tasks; it and theirs in whatever order.
#[test]
#[cfg_attr(miri, ignore = "that runtime is not for Miri")]
fn a_run_that_is_dropped_with_its_runtime_does_not_wait_for_ever() {
    for n in 0..8 {
        let log = Log::default();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .build()
                .unwrap();
            for _ in 0..n {
                runtime.block_on(runtime.spawn(async {})).unwrap();
            }
            let (up, is_up) = std::sync::mpsc::channel();
            runtime.spawn(async move {
                let app = Office::builder(bus(4096), Config::new(&log)).run_async();
                let app = app.await.unwrap();
                up.send(()).unwrap();
                let _ = app.join_async().await;
            });
            is_up.recv().unwrap();
            drop(runtime);
            tell.send(()).unwrap();
        });
        told.recv_timeout(Duration::from_secs(60))
            .unwrap_or_else(|_| panic!("{n}: it does not wait"));
    }
}

/// Messages that are built where they lie, or where they wait for room.
#[cfg(feature = "zero_copy")]
mod in_place {
    use super::*;

    /// So many lines from somewhere.
    #[derive(Message, Debug)]
    #[message(id = 5, codec = zero_copy)]
    pub(crate) struct Sketch<'a> {
        start: &'a u32,
        lines: &'a [u16],
    }

    /// Makes so many sketches.
    #[derive(Debug, Handler)]
    #[handler(id = 5, sends(Sketch<'_>))]
    pub(crate) struct Artist;

    impl AsyncHandler for Artist {}

    impl HandleAsync<Count> for Artist {
        async fn handle(&mut self, m: Count, out: &mut AsyncOutbox<Self>) -> Result {
            for n in 0..m.0 as u32 {
                out.build_tailed::<Sketch>(200, |start, lines| {
                    assert!(lines.iter().all(|&line| line == 0));
                    *start = n;
                    lines[199] = 7;
                })?;
            }
            Ok(())
        }
    }

    messenger! {
        pub(crate) Studio;
        outside: [ Boss ]
        Easel:
            handlers: [ artist: async Artist = Artist ]
            routes: [ Boss, Count: [artist] ]
        drop: [ Boss, Job; Artist, Sketch ]
    }

    #[test]
    fn tails_are_built_in_place() {
        let runtime = Runtime::new();
        let app = Studio::builder(bus(4096))
            .tokio(runtime.handle.clone())
            .run()
            .unwrap();
        let sketches = app.subscribe_gating::<(Sketch<'_>,)>(Start::Newest);
        let mut sketches = sketches.unwrap();
        app.publisher::<Boss>().unwrap().send(&Count(20)).unwrap();
        until(|| app.counters()[0].spilled > 0);
        for n in 0..20 {
            let received = sketches.next().unwrap().unwrap();
            let sketch = received.get::<Sketch<'_>>().unwrap().unwrap();
            assert_eq!((*sketch.start, sketch.lines.len()), (n, 200));
            assert_eq!((sketch.lines[198], sketch.lines[199]), (0, 7));
        }
        app.stop().unwrap();
    }
}
