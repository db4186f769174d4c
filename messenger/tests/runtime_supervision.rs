//! What becomes of handlers that panic or fail, under each policy.
#![cfg(feature = "bincode")]

#[path = "support/log.rs"]
mod log;
mod support;

use std::error::Error;
use std::thread;
use std::time::Duration;

use log::Log;
use messenger::bus::{JoinError, Start};
use messenger::message::DecodeError;
use messenger::{
    AfterPanic, Call, FailureKind, Handle, Handler, HandlerError, Lifecycle, Message, Outbox,
    Result, StartError, Timer, messenger,
};
use serde::{Deserialize, Serialize};
use support::{bus, until};

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Job(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Done(u64);

/// Panics over 13, fails over 7, and answers everything else.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Done), lifecycle)]
pub(crate) struct Flaky {
    log: Log,
    seen: u64,
}

impl Flaky {
    fn new(log: &Log) -> Self {
        log.add("flaky made");
        Self {
            log: log.clone(),
            seen: 0,
        }
    }
}

/// Notes what it gets.
#[derive(Debug, Handler)]
#[handler(id = 2, lifecycle)]
pub(crate) struct Witness(Log);

/// Notes the answers.
#[derive(Debug, Handler)]
#[handler(id = 3, lifecycle)]
pub(crate) struct Far(Log);

/// Does nothing.
#[derive(Debug, Handler)]
#[handler(id = 5)]
pub(crate) struct Idle;

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 4, sends(Job))]
pub(crate) struct Boss;

impl Lifecycle for Flaky {
    fn on_start(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        self.log.add("flaky started");
        Ok(())
    }
    fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        self.log.add("flaky stopped");
        Ok(())
    }
}

impl Lifecycle for Witness {
    fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        let seen = self.0.lines().contains(&"witnessed 66".to_owned());
        assert!(!seen, "has seen too much");
        self.0.add("witness stopped");
        Ok(())
    }
}

impl Lifecycle for Far {
    fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        self.0.add("far stopped");
        Ok(())
    }
}

impl Handle<Job> for Flaky {
    fn handle(&mut self, m: &Job, out: &mut Outbox<'_, Self>) -> Result {
        self.seen += 1;
        match m.0 {
            13 => panic!("thirteen, after {} others", self.seen - 1),
            7 => Err(HandlerError::new("seven is refused")),
            n => out.send(&Done(n)),
        }
    }
}

impl Handle<Job> for Witness {
    fn handle(&mut self, m: &Job, _: &mut Outbox<'_, Self>) -> Result {
        self.0.add(format!("witnessed {}", m.0));
        Ok(())
    }
}

impl Handle<Done> for Far {
    fn handle(&mut self, m: &Done, _: &mut Outbox<'_, Self>) -> Result {
        self.0.add(format!("done {}", m.0));
        Ok(())
    }
}

/// The same table under several policies.
macro_rules! shop {
    ($app:ident $($options:tt)*) => {
        messenger! {
            pub(crate) $app(log: Log);
            outside: [ Boss ]
            Here ($($options)*):
                handlers: [
                    flaky: Flaky = Flaky::new(log),
                    witness: Witness = Witness(log.clone()),
                ]
                routes: [ Boss, Job: [flaky, witness] ]
            There:
                handlers: [ far: Far = Far(log.clone()) ]
                routes: [ Flaky, Done: [far] ]
        }
    };
}

shop!(Stops);
shop!(StopsWorker on_panic = stop_worker);
shop!(Restarts on_panic = restart(2, per = Duration::from_secs(3600)));
shop!(StopsOnError on_error = stop);

/// A handler that panics alone on its route.
mod alone {
    use super::*;

    messenger! {
        pub(crate) Alone(log: Log);
        outside: [ Boss ]
        Here (on_panic = restart(9, per = Duration::from_secs(3600))):
            handlers: [ flaky: Flaky = Flaky::new(log) ]
            routes: [ Boss, Job: [flaky] ]
        drop: [ Flaky, Done ]
    }
}

#[test]
fn by_default_a_panic_stops_the_messenger_in_good_order() {
    let log = Log::default();
    let app = Stops::builder(bus(4096), log.clone()).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [1, 13] {
        boss.send(&Job(n)).unwrap();
    }
    let failed = app.join().unwrap_err();
    assert_eq!(
        failed.to_string(),
        "worker `Here`, handler `flaky`, message `Job` from `Boss` at position 32: panicked: \
         thirteen, after 1 others (the messenger stopped)"
    );
    let report = failed.report();
    assert_eq!(
        (report.workers[0].panics, report.workers[0].messages),
        (1, 2)
    );
    assert_eq!(report.workers[0].routes[0].errors, 1);
    let mut lines = log.lines();
    lines.sort();
    assert_eq!(
        lines,
        [
            "done 1",
            "far stopped",
            "flaky made",
            "flaky started",
            "witness stopped",
            "witnessed 1",
            "witnessed 13"
        ]
    );
    assert!(matches!(
        boss.send(&Job(2)),
        Err(messenger::PublishError::Stopped)
    ));
}

#[test]
fn a_worker_can_stop_alone() {
    let log = Log::default();
    let app = StopsWorker::builder(bus(4096), log.clone()).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [13, 1] {
        boss.send(&Job(n)).unwrap();
    }
    until(|| log.lines().contains(&"witness stopped".to_owned()));
    assert!(!app.is_stopping());
    // Nobody holds the ring back any more but the other worker.
    for n in 0..1000 {
        boss.send(&Job(n)).unwrap();
    }
    let report = app.stop().unwrap();
    assert!(matches!(
        report.failures[..],
        [messenger::Failure {
            worker: "Here",
            handler: Some("flaky"),
            kind: FailureKind::Panicked {
                then: AfterPanic::WorkerStopped,
                ..
            },
            ..
        }]
    ));
    let lines = log.lines();
    assert!(
        lines.contains(&"witnessed 13".to_owned()) && lines.contains(&"far stopped".to_owned())
    );
    assert!(!lines.contains(&"flaky stopped".to_owned()));
}

#[test]
fn a_worker_that_stops_alone_stops_nobody_by_its_last_call_either() {
    let log = Log::default();
    let app = StopsWorker::builder(bus(4096), log).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [66, 13] {
        boss.send(&Job(n)).unwrap();
    }
    until(|| app.counters()[0].panics == 2);
    thread::sleep(Duration::from_millis(5));
    assert!(!app.is_stopping());
    boss.send(&Job(1)).unwrap();
    let report = app.stop().unwrap();
    assert_eq!(
        report.failures[1].to_string(),
        "worker `Here`, handler `witness`, in `on_stop`: panicked: has seen too much (the worker stopped)"
    );
}

#[test]
fn who_sends_to_workers_that_have_all_stopped_is_told() {
    let builder = StopsWorker::builder(bus(4096), Log::default());
    let app = builder.only([StopsWorker::HERE]).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Job(13)).unwrap();
    until(|| match boss.send(&Job(1)) {
        Ok(_) => false,
        Err(messenger::PublishError::Stopped) => true,
        Err(error) => panic!("{error}"),
    });
    assert!(!app.is_stopping());
    assert_eq!(app.join().unwrap().cut_off, None);
}

#[test]
fn a_handler_is_made_again_and_misses_only_the_message_at_fault() {
    let log = Log::default();
    let app = Restarts::builder(bus(4096), log.clone()).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [1, 13, 2, 13, 3] {
        boss.send(&Job(n)).unwrap();
    }
    until(|| log.lines().contains(&"done 3".to_owned()));
    assert_eq!(app.counters()[0].restarts, 2);
    boss.send(&Job(13)).unwrap();
    let failed = app.join().unwrap_err();
    assert!(
        failed.to_string().ends_with(
            "(after as many restarts as `restart(2, ..)` allows: the messenger stopped)"
        ),
        "{failed}"
    );
    let texts: Vec<String> = failed
        .report()
        .failures
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    let then = |at: usize| match failed.report().failures[at].kind {
        FailureKind::Panicked { then, .. } => then,
        ref kind => panic!("{kind:?}"),
    };
    let too_many = AfterPanic::TooManyRestarts { times: 2 };
    assert_eq!((then(0), then(2)), (AfterPanic::Restarted, too_many));
    assert!(texts[0].contains("thirteen, after 1 others (the handler was made again)"));
    assert!(texts[1].contains("thirteen, after 1 others (the handler was made again)"));
    let lines = log.lines();
    let count = |line: &str| lines.iter().filter(|l| *l == line).count();
    assert_eq!((count("flaky made"), count("flaky started")), (3, 3));
    assert_eq!((count("flaky stopped"), count("witnessed 13")), (0, 3));
    let done: Vec<&String> = lines.iter().filter(|l| l.starts_with("done")).collect();
    assert_eq!(done, ["done 1", "done 2", "done 3"]);
}

#[test]
fn a_sole_receiver_is_made_again_too() {
    let log = Log::default();
    let app = alone::Alone::builder(bus(4096), log.clone()).run().unwrap();
    let mut answers = app.subscribe::<(Done,)>().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [13, 1, 13, 2, 3] {
        boss.send(&Job(n)).unwrap();
    }
    for expected in 1..=3 {
        let received = answers.next().unwrap().unwrap();
        assert_eq!(received.get::<Done>().unwrap().unwrap().0, expected);
    }
    let report = app.stop().unwrap();
    assert_eq!(
        (report.workers[0].panics, report.workers[0].restarts),
        (2, 2)
    );
    assert_eq!(report.workers[0].messages, 5);
}

#[test]
fn restarts_are_counted_within_their_span() {
    mod brief {
        use super::*;
        messenger! {
            pub(crate) Brief(log: Log);
            outside: [ Boss ]
            Here (on_panic = restart(1, per = Duration::from_secs(1))):
                handlers: [ flaky: Flaky = Flaky::new(log) ]
                routes: [ Boss, Job: [flaky] ]
            drop: [ Flaky, Done ]
        }
    }
    let app = brief::Brief::builder(bus(4096), Log::default())
        .run()
        .unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in 1..=2 {
        boss.send(&Job(13)).unwrap();
        until(|| app.counters()[0].restarts == n);
        std::thread::sleep(Duration::from_millis(1050));
    }
    assert!(!app.is_stopping());
    // Two at a time, until it panics twice within the span, however slow the machine is.
    let panics = || app.counters()[0].panics;
    until(|| {
        let due = panics() + 2;
        for _ in 0..2 {
            let _ = boss.send(&Job(13));
        }
        until(|| app.is_stopping() || panics() == due);
        app.is_stopping()
    });
    let failed = app.join().unwrap_err();
    assert!(
        failed
            .to_string()
            .contains("as many restarts as `restart(1, ..)` allows"),
        "{failed}"
    );
    assert!(failed.report().workers[0].panics >= 4, "{failed}");
}

#[test]
fn each_of_several_receivers_that_panic_is_made_again() {
    mod both {
        use super::*;
        messenger! {
            pub(crate) Both(log: Log);
            outside: [ Boss ]
            Here (on_panic = restart(1, per = Duration::from_secs(3600))):
                handlers: [
                    one: Flaky = Flaky::new(log),
                    witness: Witness = Witness(log.clone()),
                    two: Flaky as 21 = Flaky::new(log),
                ]
                routes: [ Boss, Job: [one, witness, two] ]
            drop: [ Flaky, Done; two, Done ]
        }
    }
    let log = Log::default();
    let app = both::Both::builder(bus(4096), log.clone()).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Job(13)).unwrap();
    boss.send(&Job(1)).unwrap();
    until(|| log.lines().contains(&"witnessed 1".to_owned()));
    let report = app.stop().unwrap();
    let texts: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        ["one", "two"].map(|name| format!(
            "worker `Here`, handler `{name}`, message `Job` from `Boss` at position 0: panicked: thirteen, after 0 \
             others (the handler was made again)"
        ))
    );
    assert!(log.lines().contains(&"witnessed 13".to_owned()));
    assert_eq!(
        (
            report.workers[0].restarts,
            report.workers[0].routes[0].errors
        ),
        (2, 2)
    );
}

/// A handler that fails outside of `handle`.
mod restless {
    use super::*;

    /// What is done to it, and how often it has been made.
    #[derive(Debug, Handler)]
    #[handler(id = 20, lifecycle)]
    pub(crate) struct Restless {
        log: Log,
        made: usize,
        refused: bool,
    }

    impl Restless {
        fn new(log: &Log) -> Self {
            log.add("made");
            Self {
                log: log.clone(),
                made: log.lines().iter().filter(|line| *line == "made").count(),
                refused: false,
            }
        }
    }

    impl Lifecycle for Restless {
        fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
            // The second is the old instance's, if that panics before.
            out.timer(Duration::from_millis(5));
            out.timer(Duration::from_millis(20));
            Ok(())
        }

        fn on_timer(&mut self, _: Timer, out: &mut Outbox<'_, Self>) -> Result {
            match self.made {
                1 => panic!("at once"),
                2 => {
                    self.refused = true;
                    // On a slow machine both have fired by now, and nothing else would wake the worker for its next turn.
                    out.timer(Duration::from_millis(1));
                    Err(HandlerError::new("too early"))
                }
                _ => {
                    self.log.add("fired");
                    if self
                        .log
                        .lines()
                        .iter()
                        .filter(|line| *line == "fired")
                        .count()
                        == 2
                    {
                        out.stop();
                    }
                    Ok(())
                }
            }
        }

        fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
            assert!(!self.refused, "when refused");
            Ok(())
        }
    }

    messenger! {
        pub(crate) Sanatorium(log: Log);
        Ward (on_panic = restart(9, per = Duration::from_secs(3600))):
            handlers: [ restless: Restless = Restless::new(log) ]
            routes: []
    }
}

#[test]
fn timers_and_turns_are_supervised_too() {
    let log = Log::default();
    let report = restless::Sanatorium::builder(bus(4096), log.clone())
        .run()
        .unwrap()
        .join()
        .unwrap();
    let texts: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        (
            texts.first().unwrap().as_str(),
            texts.last().unwrap().as_str()
        ),
        (
            "worker `Ward`, handler `restless`, in `on_timer`: panicked: at once (the handler was made again)",
            "worker `Ward`, handler `restless`, in `on_loop`: panicked: when refused (the handler was made again)"
        ),
        "{texts:?}"
    );
    let refused = "worker `Ward`, handler `restless`, in `on_timer`: too early".to_owned();
    assert!(texts.contains(&refused), "{texts:?}");
    let calls: Vec<_> = { report.failures.iter() }.map(|it| it.call).collect();
    assert!(calls.contains(&Some(Call::OnTimer)) && calls.contains(&Some(Call::OnLoop)));
    // The timers of the old instances went with them.
    assert_eq!(log.lines(), ["made", "made", "made", "fired", "fired"]);
    assert_eq!(
        (report.workers[0].panics, report.workers[0].restarts),
        (2, 2)
    );
}

/// A handler that panics in each turn once it is told to, and is made again each time.
mod mad {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Debug, Handler)]
    #[handler(id = 22, lifecycle)]
    pub(crate) struct Mad(Arc<AtomicBool>);

    impl Lifecycle for Mad {
        fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
            if self.0.load(Ordering::Relaxed) {
                // Says nothing, or it would say it again and again.
                std::panic::resume_unwind(Box::new("in each turn"));
            }
            Ok(())
        }
    }

    impl Handle<Job> for Mad {
        fn handle(&mut self, _: &Job, _: &mut Outbox<'_, Self>) -> Result {
            Ok(())
        }
    }

    messenger! {
        pub(crate) Madhouse(mad: Arc<AtomicBool>);
        outside: [ Boss ]
        Ward (on_panic = restart(1, per = Duration::ZERO)):
            handlers: [ mad: Mad = Mad(Arc::clone(mad)) ]
            routes: [ Boss, Job: [mad] ]
    }

    #[test]
    fn a_panic_in_each_turn_does_not_keep_the_worker_from_its_end() {
        let mad = Arc::new(AtomicBool::new(false));
        let builder = Madhouse::builder(bus(4096), Arc::clone(&mad));
        let app = builder.patience(Duration::from_millis(30)).run().unwrap();
        let mut boss = app.publisher::<Boss>().unwrap();
        for n in 0..3 {
            boss.send(&Job(n)).unwrap();
        }
        // Nor if it waits for something that never comes.
        let mut raw = app.bus().publisher().unwrap();
        let tag = messenger::bus::Tag::new(
            messenger::bus::SourceId::new(900),
            messenger::bus::MessageId::new(900),
        );
        let claim = raw.claim(tag, 8).unwrap();
        mad.store(true, Ordering::Relaxed);
        until(|| app.counters()[0].restarts > 3);
        let stopping = std::thread::spawn(move || app.stop().unwrap());
        until(|| stopping.is_finished());
        let report = stopping.join().unwrap();
        drop(claim);
        assert_eq!(report.messages(), 3);

        let app = Madhouse::builder(bus(4096), mad).run().unwrap();
        let stopping = std::thread::spawn(move || app.stop().unwrap());
        until(|| stopping.is_finished());
        stopping.join().unwrap();
    }
}

#[test]
fn who_panics_on_being_told_of_a_failure_changes_nothing() {
    let builder = Stops::builder(bus(4096), Log::default());
    let app = builder.on_failure(|_| panic!("on being told")).run();
    let app = app.unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [7, 13] {
        boss.send(&Job(n)).unwrap();
    }
    let failed = app.join().unwrap_err();
    assert!(failed.to_string().contains("thirteen"), "{failed}");
    assert_eq!(failed.report().failures.len(), 2);
}

#[test]
fn errors_are_reported_and_counted() {
    let log = Log::default();
    let told = Log::default();
    let tell = told.clone();
    let app = Stops::builder(bus(4096), log.clone())
        .on_failure(move |failure| tell.add(failure.to_string()))
        .run()
        .unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    for n in [7, 1] {
        boss.send(&Job(n)).unwrap();
    }
    until(|| log.lines().contains(&"done 1".to_owned()));
    let report = app.stop().unwrap();
    assert_eq!(
        (report.workers[0].errors, report.workers[0].routes[0].errors),
        (1, 1)
    );
    let text =
        "worker `Here`, handler `flaky`, message `Job` from `Boss` at position 0: seven is refused";
    assert_eq!(report.failures[0].to_string(), text);
    assert_eq!(told.lines(), [text]);
}

#[test]
fn an_error_can_stop_the_messenger() {
    let app = StopsOnError::builder(bus(4096), Log::default())
        .run()
        .unwrap();
    app.publisher::<Boss>().unwrap().send(&Job(7)).unwrap();
    let failed = app.join().unwrap_err();
    assert!(matches!(failed.failure().kind, FailureKind::Returned(_)));
    assert!(failed.to_string().ends_with("seven is refused"), "{failed}");
}

#[test]
fn what_does_not_decode_is_reported_and_skipped() {
    let log = Log::default();
    let app = Stops::builder(bus(4096), log.clone()).run().unwrap();
    let tag = messenger::bus::Tag::new(
        <Boss as messenger::Handler>::ID,
        <Job as messenger::Message>::ID,
    );
    app.bus().publisher().unwrap().send(tag, b"forged").unwrap();
    app.publisher::<Boss>().unwrap().send(&Job(1)).unwrap();
    until(|| log.lines().contains(&"done 1".to_owned()));
    let report = app.stop().unwrap();
    assert_eq!(
        (
            report.workers[0].undecodable,
            report.workers[0].routes[0].errors
        ),
        (1, 1)
    );
    let text = report.failures[0].to_string();
    assert!(
        text.starts_with("worker `Here`, message `Job` from `Boss` at position 0: does not decode: not valid bincode"),
        "{text}"
    );
    let record = report.failures[0].record.unwrap();
    assert_eq!((record.source.get(), record.message.get()), (4, 1));
}

/// A handler that sets a timer, and then can't be started again.
mod failing {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[derive(Debug, Handler)]
    #[handler(id = 23, lifecycle)]
    pub(crate) struct Failing {
        log: Log,
        again: Arc<AtomicBool>,
        panics: bool,
    }

    impl Lifecycle for Failing {
        fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
            out.timer(Duration::ZERO);
            match (self.again.swap(true, Ordering::Relaxed), self.panics) {
                (false, _) => Ok(()),
                (true, false) => Err(HandlerError::new("not again")),
                (true, true) => panic!("not again"),
            }
        }

        fn on_timer(&mut self, _: Timer, _: &mut Outbox<'_, Self>) -> Result {
            self.log.add("fired");
            Ok(())
        }
    }

    impl Handle<Job> for Failing {
        fn handle(&mut self, _: &Job, _: &mut Outbox<'_, Self>) -> Result {
            panic!("over a job")
        }
    }

    messenger! {
        pub(crate) Once(config: (Log, Arc<AtomicBool>, bool));
        outside: [ Boss ]
        Here (on_panic = restart(9, per = Duration::from_secs(3600))):
            handlers: [
                failing: Failing = Failing { log: config.0.clone(), again: config.1.clone(), panics: config.2 },
            ]
            routes: [ Boss, Job: [failing] ]
    }

    #[test]
    fn no_timer_fires_of_a_handler_that_could_not_be_started_again() {
        for panics in [false, true] {
            let log = Log::default();
            let config = (log.clone(), Arc::default(), panics);
            let app = Once::builder(bus(4096), config).run().unwrap();
            until(|| log.lines().len() == 1);
            app.publisher::<Boss>().unwrap().send(&Job(1)).unwrap();
            let failed = app.join().unwrap_err();
            assert!(failed.to_string().contains("not again"), "{failed}");
            assert_eq!(log.lines(), ["fired"]);
        }
    }
}

/// Messages whose own code panics over some bytes.
mod undecodable {
    use super::*;

    /// A number, but not 13.
    #[derive(Message, Serialize, Clone, Debug)]
    #[message(id = 3, codec = bincode)]
    pub(crate) struct Lucky(u64);

    impl<'de> Deserialize<'de> for Lucky {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            let n = u64::deserialize(from)?;
            assert!(n != 13, "thirteen is no number");
            Ok(Self(n))
        }
    }

    /// The test.
    #[derive(Debug, Handler)]
    #[handler(id = 24, sends(Lucky, Job))]
    pub(crate) struct Chief;

    impl Handle<Lucky> for Witness {
        fn handle(&mut self, m: &Lucky, _: &mut Outbox<'_, Self>) -> Result {
            self.0.add(format!("lucky {}", m.0));
            Ok(())
        }
    }

    macro_rules! lottery {
        ($app:ident, $receivers:tt) => {
            messenger! {
                pub(crate) $app(log: Log);
                outside: [ Chief ]
                Here:
                    handlers: [
                        one: Witness = Witness(log.clone()),
                        two: Witness as 31 = Witness(log.clone()),
                        other: Witness as 32 = Witness(log.clone()),
                    ]
                    routes: [
                        Chief, Lucky: $receivers,
                        Chief, Job: [other],
                    ]
            }
        };
    }

    lottery!(Sole, [one]);
    lottery!(Several, [one, two]);

    macro_rules! plays {
        ($app:ident, $receivers:expr) => {{
            let log = Log::default();
            let app = $app::builder(bus(4096), log.clone()).run().unwrap();
            let mut chief = app.publisher::<Chief>().unwrap();
            chief.send(&Job(1)).unwrap();
            chief.send(&Lucky(13)).unwrap();
            chief.send(&Lucky(7)).unwrap();
            until(|| log.lines().len() == 1 + $receivers);
            let report = app.stop().unwrap();
            let here = &report.workers[0];
            assert_eq!((here.undecodable, here.panics), (1, 0));
            let kind = &report.failures[0].kind;
            assert!(matches!(
                kind,
                FailureKind::Undecodable(DecodeError::Panicked { .. })
            ));
            assert_eq!(
                report.failures[0].to_string(),
                "worker `Here`, message `Lucky` from `Chief` at position 32: does not decode: decoding panicked: \
                 thirteen is no number"
            );
            let stopped = log.lines().iter().filter(|line| *line == "witness stopped").count();
            assert_eq!(stopped, 3);
        }};
    }

    #[test]
    fn a_panic_in_decoding_is_no_handlers() {
        plays!(Sole, 1);
        plays!(Several, 2);
    }
}

/// Wakers that panic as a run is stopped.
mod rude {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::task::{Context, Wake, Waker};

    use messenger::bus::{Bus, Subscriber};

    use super::*;

    struct Rude;

    impl Wake for Rude {
        fn wake(self: Arc<Self>) {
            panic!("on waking");
        }
    }

    /// Sleeps on the bus, and panics when it is woken.
    fn sleeper(bus: &Bus) -> Subscriber {
        let mut sleeper = bus.subscribe(Start::Newest).unwrap();
        let waker = Waker::from(Arc::new(Rude));
        let polled = sleeper.poll_next(&mut Context::from_waker(&waker));
        assert!(polled.unwrap().is_pending());
        sleeper
    }

    /// Panics over a job, when it may.
    #[derive(Debug, Handler)]
    #[handler(id = 25)]
    pub(crate) struct Fused(Arc<AtomicBool>);

    impl Handle<Job> for Fused {
        fn handle(&mut self, _: &Job, _: &mut Outbox<'_, Self>) -> Result {
            until(|| self.0.load(Ordering::Relaxed));
            panic!("over a job")
        }
    }

    messenger! {
        pub(crate) Club(config: (Log, Arc<AtomicBool>));
        outside: [ Boss ]
        Here:
            handlers: [
                witness: Witness = Witness(config.0.clone()),
                fused: Fused = Fused(Arc::clone(&config.1)),
            ]
            routes: [ Boss, Job: [fused] ]
    }

    #[test]
    fn a_waker_that_panics_does_not_undo_a_stop() {
        for fails in [true, false] {
            let (bus, log, fuse) = (bus(4096), Log::default(), Arc::default());
            let config = (log.clone(), Arc::clone(&fuse));
            let app = Club::builder(&bus, config).run().unwrap();
            if fails {
                app.publisher::<Boss>().unwrap().send(&Job(1)).unwrap();
            }
            let sleeper = sleeper(&bus);
            fuse.store(true, Ordering::Relaxed);
            if fails {
                let failed = app.join().unwrap_err();
                assert_eq!(failed.report().failures.len(), 1, "{}", failed.report());
            } else {
                drop(app);
            }
            assert_eq!(log.lines(), ["witness stopped"]);
            drop(sleeper);
        }
    }
}

/// Handlers that cannot be made or started.
mod stillborn {
    use super::*;

    /// Fails as it is told to.
    #[derive(Debug, Handler)]
    #[handler(id = 9, lifecycle)]
    pub(crate) struct Weak(How);

    /// How to fail.
    #[derive(Clone, Copy, PartialEq, Debug)]
    pub(crate) enum How {
        Constructor,
        ConstructorPanics,
        Start,
        StartPanics,
    }

    impl Weak {
        fn new(how: How) -> Result<Self> {
            match how {
                How::Constructor => Err(HandlerError::new("no such file")),
                How::ConstructorPanics => panic!("not made"),
                how => Ok(Self(how)),
            }
        }
    }

    impl Lifecycle for Weak {
        fn on_start(&mut self, _: &mut Outbox<'_, Self>) -> Result {
            match self.0 {
                How::Start => Err(HandlerError::new("port taken")),
                _ => panic!("not started"),
            }
        }
        fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
            panic!("never started, so never stopped");
        }
    }

    messenger! {
        pub(crate) Clinic(config: (How, Log));
        One:
            handlers: [
                first: Far = Far(config.1.clone()),
                weak: Weak = Weak::new(config.0)?,
                last: Witness = Witness(config.1.clone()),
            ]
            routes: []
        Two:
            handlers: [ other: Idle = Idle ]
            routes: []
    }
}

#[test]
fn run_returns_the_first_failure_of_a_start() {
    use stillborn::{Clinic, How};
    for (how, text, stopped) in [
        (
            How::Constructor,
            "worker `One`, handler `weak`, in its constructor: no such file",
            &[][..],
        ),
        (
            How::ConstructorPanics,
            "worker `One`, handler `weak`, in its constructor: panicked: not made (the messenger stopped)",
            &[],
        ),
        (
            How::Start,
            "worker `One`, handler `weak`, in `on_start`: port taken",
            &["far stopped"],
        ),
        (
            How::StartPanics,
            "worker `One`, handler `weak`, in `on_start`: panicked: not started (the messenger stopped)",
            &["far stopped"],
        ),
    ] {
        let log = Log::default();
        let bus = bus(4096);
        let error = Clinic::builder(bus.clone(), (how, log.clone()))
            .run()
            .unwrap_err();
        assert_eq!(error.to_string(), text);
        let StartError::Failed(failure) = error else {
            panic!("{error}");
        };
        let panics = matches!(how, How::ConstructorPanics | How::StartPanics);
        match failure.kind {
            FailureKind::Returned(_) => assert!(!panics),
            FailureKind::Panicked { then, .. } => assert_eq!(then, AfterPanic::Stopped),
            kind => panic!("{kind:?}"),
        }
        // All threads have ended: nobody is left on the bus.
        assert_eq!(bus.stats().members, 0);
        assert_eq!(log.lines(), stopped, "{how:?}");
    }
}

/// A handler whose end fails.
mod unwilling {
    use super::*;

    #[derive(Debug, Handler)]
    #[handler(id = 26, lifecycle)]
    pub(crate) struct Unwilling;

    impl Lifecycle for Unwilling {
        fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
            Err(HandlerError::new("not yet"))
        }
    }

    messenger! {
        pub(crate) Reports;
        Here:
            handlers: [ unwilling: Unwilling = Unwilling ]
            routes: []
    }

    messenger! {
        pub(crate) Stops;
        Here (on_error = stop):
            handlers: [ unwilling: Unwilling = Unwilling ]
            routes: []
    }
}

#[test]
fn an_error_at_the_end_says_that_it_was_there() {
    let text = "worker `Here`, handler `unwilling`, in `on_stop`: not yet";
    let app = unwilling::Reports::builder(bus(4096)).run().unwrap();
    let report = app.stop().unwrap();
    assert_eq!(report.failures[0].to_string(), text);
    let app = unwilling::Stops::builder(bus(4096)).run().unwrap();
    let failed = app.stop().unwrap_err();
    assert_eq!(failed.to_string(), text);
    assert_eq!(failed.failure().call, Some(Call::OnStop));
}

#[test]
fn a_core_that_is_not_there_is_a_start_failure() {
    mod nowhere {
        use super::*;
        messenger! {
            pub(crate) Nowhere(log: Log);
            Off (pin = 100_000):
                handlers: [ far: Far = Far(log.clone()) ]
                routes: []
        }
    }
    let error = nowhere::Nowhere::builder(bus(4096), Log::default())
        .run()
        .unwrap_err();
    let why = if cfg!(all(target_os = "linux", not(miri))) {
        "those of this process have the numbers "
    } else {
        "this system keeps no thread on a core: "
    };
    let text = format!("worker `Off`: cannot run on core 100000: {why}");
    assert!(error.to_string().starts_with(&text), "{error}");
    assert!(matches!(
        error,
        StartError::Failed(failure) if matches!(failure.kind, FailureKind::Pin { core: 100_000, .. })
    ));
}

#[test]
fn what_main_may_fail_by_a_handler_may_too() {
    type Boxed = Box<dyn Error + Send + Sync>;
    let errors: [HandlerError; 3] = [
        "it is sour".into(),
        String::from("it is sour").into(),
        Boxed::from("it is sour").into(),
    ];
    for error in errors {
        assert_eq!(error.to_string(), "it is sour");
    }
    let no_number = "x".parse::<u32>().unwrap_err();
    for error in [
        HandlerError::from(no_number.clone()),
        Boxed::from(no_number.clone()).into(),
    ] {
        assert_eq!(error.downcast_ref(), Some(&no_number), "not wrapped again");
    }
}

#[test]
fn a_full_bus_and_an_empty_choice_are_start_errors() {
    let small =
        messenger::bus::Bus::new(messenger::bus::BusConfig::bytes(4096).members(3)).unwrap();
    let error = Stops::builder(small, Log::default()).run().unwrap_err();
    let is_told = matches!(
        error,
        StartError::NoFreeSlot {
            needs: 4,
            members: 3
        }
    );
    assert!(is_told, "{error}");
    let ahead = Stops::builder(bus(4096), Log::default()).start(Start::At(64));
    let error = ahead.run().unwrap_err();
    assert_eq!(
        error.to_string(),
        "position 64 lies ahead of the bus, which ends at 0: it is one of another bus; open that one, or start at `Oldest` or `Newest`"
    );
    let is_told = matches!(error, StartError::Join(JoinError::Ahead { .. }));
    assert!(is_told, "{error:?}");
    let error = Stops::builder(bus(4096), Log::default())
        .only([])
        .run()
        .unwrap_err();
    let text = error.to_string();
    assert_eq!(
        text.split(';').next(),
        Some(
            "no worker of `Stops` is to run: choose at least one of Here, There with `only` or `only_named`"
        )
    );
    assert_eq!(format!("{error:?}"), text, "as `main` shows it");
}
