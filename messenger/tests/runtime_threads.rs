//! The threads of workers: on which core each runs, when it takes a turn, and what is told of one that does not start.
#![cfg(feature = "bincode")]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use messenger::{
    Handle, Handler, HandlerError, Lifecycle, Message, Outbox, Result, StartError, messenger,
};
use serde::{Deserialize, Serialize};
use support::{bus, until};

/// Something to do.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Job;

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Job))]
pub(crate) struct Boss;

/// What a [`Counter`] has been called for.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    turns: AtomicU64,
    jobs: AtomicU64,
}

/// Counts its calls.
#[derive(Debug, Handler)]
#[handler(id = 2, lifecycle)]
pub(crate) struct Counter(Arc<Calls>);

impl Lifecycle for Counter {
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        self.0.turns.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl Handle<Job> for Counter {
    fn handle(&mut self, _: &Job, _: &mut Outbox<'_, Self>) -> Result {
        self.0.jobs.fetch_add(1, Relaxed);
        Ok(())
    }
}

messenger! {
    pub(crate) Turns(calls: [Arc<Calls>; 2]);
    outside: [ Boss ]
    Asleep (wait = block):
        handlers: [ sleeper: Counter = Counter(calls[0].clone()) ]
        routes: [ Boss, Job: [sleeper] ]
    Awake (wait = yield):
        handlers: [ spinner: Counter as 3 = Counter(calls[1].clone()) ]
        routes: [ Boss, Job: [spinner] ]
}

#[test]
fn a_worker_takes_turns_only_while_it_is_awake() {
    let calls = [Arc::default(), Arc::default()];
    let [asleep, awake]: &[Arc<Calls>; 2] = &calls;
    let app = Turns::builder(bus(4096), calls.clone()).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    let jobs = 4;
    for job in 1..=jobs {
        boss.send(&Job).unwrap();
        until(|| asleep.jobs.load(Relaxed) == job);
        // Long enough for many turns of who looks again from time to time.
        thread::sleep(Duration::from_millis(50));
    }
    // One that never sleeps goes on and on.
    let many = if cfg!(miri) { 20 } else { 1000 };
    until(|| awake.turns.load(Relaxed) >= many);
    app.stop().unwrap();
    // At the start and at the stop, and for each job one with it, one that finds nothing, and one for a wake that came twice.
    let turns = asleep.turns.load(Relaxed);
    assert!((jobs..=3 * jobs + 4).contains(&turns), "{turns}");
}

/// Panics when it is dropped.
#[derive(Debug, Handler)]
#[handler(id = 4)]
pub(crate) struct Grudge;

impl Drop for Grudge {
    fn drop(&mut self) {
        panic!("not like this");
    }
}

/// Can't be made.
#[derive(Debug, Handler)]
#[handler(id = 5)]
pub(crate) struct Never;

messenger! {
    pub(crate) Bitter;
    Only:
        handlers: [
            grudge: Grudge = Grudge,
            never: Never = Err::<Never, _>(HandlerError::new("no such file")),
        ]
        routes: []
}

#[test]
fn a_thread_that_panics_outside_of_handlers_is_a_start_error() {
    let bus = bus(4096);
    let error = Bitter::builder(bus.clone()).run().unwrap_err();
    assert!(matches!(error, StartError::Thread(_)));
    assert_eq!(
        error.to_string(),
        "the thread of a worker did not start: it panicked on the way, perhaps where a handler was dropped"
    );
    assert_eq!(bus.stats().members, 0);
}

#[cfg(all(target_os = "linux", not(miri)))]
mod pinned {
    use std::io::Write;
    use std::sync::mpsc::Sender;

    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu};

    use super::*;

    /// The cores on which the calling thread may run.
    fn cores() -> Vec<usize> {
        let cores = sched_getaffinity(None).unwrap();
        let all = 0..CpuSet::MAX_CPU;
        all.filter(|&core| cores.is_set(core)).collect()
    }

    /// Tells where it is called: from where on it is made, by its name, the cores where it may run, and the one where it does.
    type Tell = Sender<(&'static str, Vec<usize>, usize)>;

    /// Tells where it runs.
    #[derive(Debug, Handler)]
    #[handler(id = 6)]
    pub(crate) struct Here(Tell);

    impl Here {
        fn new(tell: &Tell) -> Self {
            tell.send(("made", cores(), sched_getcpu())).unwrap();
            Self(tell.clone())
        }
    }

    impl Handle<Job> for Here {
        fn handle(&mut self, _: &Job, out: &mut Outbox<'_, Self>) -> Result {
            self.0.send((out.name(), cores(), sched_getcpu()))?;
            Ok(())
        }
    }

    messenger! {
        pub(crate) Places(tell: Tell);
        outside: [ Boss ]
        Anywhere:
            handlers: [ free: Here = Here::new(tell) ]
            routes: [ Boss, Job: [free] ]
        First (pin = 0):
            handlers: [ first: Here as 7 = Here::new(tell) ]
            routes: [ Boss, Job: [first] ]
        Second (pin = 1):
            handlers: [ second: Here as 8 = Here::new(tell) ]
            routes: [ Boss, Job: [second] ]
    }

    #[test]
    fn a_worker_runs_on_its_core() {
        let all = cores();
        for (worker, name, core) in [
            (Places::ANYWHERE, "free", None),
            (Places::FIRST, "first", Some(0)),
            (Places::SECOND, "second", Some(1)),
        ] {
            if core.is_some_and(|core| !all.contains(&core)) {
                let _ = writeln!(
                    std::io::stderr(),
                    "SKIPPED {name}: this process may run on {all:?}"
                );
                continue;
            }
            let (tell, told) = std::sync::mpsc::channel();
            let app = Places::builder(bus(4096), tell).only([worker]);
            let app = app.run().unwrap();
            app.publisher::<Boss>().unwrap().send(&Job).unwrap();
            app.stop().unwrap();
            for expected in ["made", name] {
                let (when, may, does) = told.recv().unwrap();
                assert_eq!(when, expected);
                assert_eq!(may, core.map_or(all.clone(), |core| vec![core]), "{when}");
                assert!(may.contains(&does), "{when}");
            }
        }
    }
}
