//! From start to stop: the calls a handler gets, in which order, on which thread, and what a stop delivers.
#![cfg(feature = "bincode")]

#[path = "support/log.rs"]
mod log;
mod support;

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use log::Log;
use messenger::bus::{Bus, MessageId, SourceId, Start, Tag};
use messenger::{
    Call, FailureKind, Handle, Handler, Lifecycle, Message, Outbox, PublishError, Result, Running,
    StartError, Timer, messenger,
};
use serde::{Deserialize, Serialize};
use support::{bus, until};

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Ball(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Back(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 3, codec = bincode)]
pub(crate) struct Tick(u64);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Ball, Tick))]
pub(crate) struct Boss;

/// Says each call.
#[derive(Debug, Handler)]
#[handler(id = 2, lifecycle)]
pub(crate) struct Diary {
    log: Log,
    // Not `Send`: made, called and dropped on one thread.
    _local: Rc<()>,
    thread: ThreadId,
    loops: u32,
}

impl Diary {
    fn new(log: &Log) -> Self {
        log.add("made");
        Self {
            log: log.clone(),
            _local: Rc::new(()),
            thread: thread::current().id(),
            loops: 0,
        }
    }
}

impl Drop for Diary {
    fn drop(&mut self) {
        assert_eq!(self.thread, thread::current().id());
        self.log.add("dropped");
    }
}

/// Plays for ever.
#[derive(Debug, Handler)]
#[handler(id = 3, sends(Ball))]
pub(crate) struct Ping;
/// Plays for ever.
#[derive(Debug, Handler)]
#[handler(id = 4, sends(Back))]
pub(crate) struct Pong(u64);
/// Sets timers.
#[derive(Debug, Handler)]
#[handler(id = 5, sends(Tick), lifecycle)]
pub(crate) struct Clock {
    log: Log,
    cancelled: Option<Timer>,
}

/// Sends once more when it is stopped, as soon as it may.
#[derive(Debug, Handler)]
#[handler(id = 6, sends(Tick), lifecycle)]
pub(crate) struct Parting(Arc<Farewell>);

#[derive(Debug, Default)]
pub(crate) struct Farewell {
    asked: AtomicBool,
    may: AtomicBool,
}

impl Lifecycle for Parting {
    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.0.asked.store(true, Ordering::SeqCst);
        until(|| self.0.may.load(Ordering::SeqCst));
        out.send(&Tick(7))
    }
}

impl Lifecycle for Diary {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(self.thread, thread::current().id());
        assert_eq!(
            (out.worker(), out.name(), out.source().get()),
            ("Home", "diary", 2)
        );
        self.log.add("started");
        Ok(())
    }
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        if self.loops == 0 {
            self.log.add("looped");
        }
        self.loops += 1;
        Ok(())
    }
    fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(self.thread, thread::current().id());
        self.log.add("stopped");
        Ok(())
    }
}

impl Handle<Ball> for Diary {
    fn handle(&mut self, m: &Ball, out: &mut Outbox<'_, Self>) -> Result {
        self.log.add(format!("ball {} at {}", m.0, out.position()));
        Ok(())
    }
}

impl Handle<Back> for Ping {
    fn handle(&mut self, m: &Back, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Ball(m.0 + 1))
    }
}

impl Handle<Ball> for Pong {
    fn handle(&mut self, m: &Ball, out: &mut Outbox<'_, Self>) -> Result {
        self.0 += 1;
        out.send(&Back(m.0))
    }
}

impl Lifecycle for Clock {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        let never = out.timer(Duration::from_millis(1));
        assert!(out.cancel(never) && !out.cancel(never));
        self.cancelled = Some(never);
        out.timer(Duration::from_millis(20));
        Ok(())
    }
    fn on_timer(&mut self, timer: Timer, out: &mut Outbox<'_, Self>) -> Result {
        assert_ne!(Some(timer), self.cancelled);
        self.log.add("tick");
        out.send(&Tick(0))?;
        if self.log.lines().len() < 3 {
            out.timer(Duration::from_millis(20));
        } else {
            out.stop();
        }
        Ok(())
    }
}

messenger! {
    pub(crate) Quiet(log: Log);
    outside: [ Boss ]
    Home:
        handlers: [ diary: Diary = Diary::new(log) ]
        routes: [ Boss, Ball: [diary] ]
    Tower:
        handlers: [ clock: Clock = Clock { log: log.clone(), cancelled: None } ]
        routes: []
    drop: [ Boss, Tick; Clock, Tick ]
}

messenger! {
    pub(crate) Leaving(farewell: Arc<Farewell>);
    Door:
        handlers: [ parting: Parting = Parting(farewell.clone()) ]
        routes: []
    drop: [ Parting, Tick ]
}

messenger! {
    pub(crate) Endless;
    outside: [ Boss ]
    Court (batch = 4):
        handlers: [
            ping: Ping = Ping,
            pong: Pong = Pong(0),
        ]
        routes: [
            Ping, Ball: [pong],
            Pong, Back: [ping],
            Boss, Ball: [pong],
        ]
    drop: [ Boss, Tick ]
}

macro_rules! waits {
    ($module:ident $wait:ident) => {
        mod $module {
            use super::*;
            messenger! {
                pub(crate) Waits(log: Log);
                outside: [ Boss ]
                Home (wait = $wait):
                    handlers: [ diary: Diary = Diary::new(log) ]
                    routes: [ Boss, Ball: [diary] ]
                drop: [ Boss, Tick ]
            }

            #[test]
            fn gets_what_is_sent_and_stops() {
                let log = Log::default();
                let app = Waits::builder(bus(4096), log.clone()).run().unwrap();
                let mut outside = app.publisher::<Boss>().unwrap();
                for n in 0..3 {
                    outside.send(&Ball(n)).unwrap();
                    until(|| log.lines().contains(&format!("ball {n} at {}", n * 32)));
                    thread::sleep(Duration::from_millis(3));
                }
                let report = app.stop().unwrap();
                assert_eq!((report.messages(), report.late()), (3, 0));
            }
        }
    };
}

waits!(spin spin);
waits!(yielding yield);
waits!(block block);
waits!(block_now block_now);

#[test]
fn a_handler_lives_on_one_thread_from_made_to_dropped() {
    let log = Log::default();
    let app = Quiet::builder(bus(4096), log.clone())
        .only([Quiet::HOME])
        .run()
        .unwrap();
    // `run` returns when all have started.
    assert_eq!(log.lines()[..2], ["made", "started"]);
    let position = app.publisher::<Boss>().unwrap().send(&Ball(5)).unwrap();
    let ball = format!("ball 5 at {position}");
    until(|| log.lines().contains(&ball));
    until(|| log.lines().contains(&"looped".to_owned()));
    app.stop().unwrap();
    let mut lines = log.lines();
    lines.retain(|line| line != "looped");
    assert_eq!(lines, ["made", "started", &ball, "stopped", "dropped"]);
}

#[test]
fn a_run_that_is_dropped_stops_and_joins() {
    let log = Log::default();
    let bus = bus(4096);
    let app = Quiet::builder(bus.clone(), log.clone())
        .only([Quiet::HOME])
        .run()
        .unwrap();
    drop(app);
    assert_eq!(log.lines().last().unwrap(), "dropped");
    assert_eq!(bus.stats().members, 0);
}

#[test]
fn timers_fire_while_the_worker_sleeps() {
    let log = Log::default();
    let begun = Instant::now();
    let app = Quiet::builder(bus(4096), log.clone())
        .only([Quiet::TOWER])
        .run()
        .unwrap();
    // Nothing is ever sent to it: only its timers wake it, and the third stops the run.
    let report = app.join().unwrap();
    assert_eq!(log.lines(), ["tick", "tick", "tick"]);
    assert!(begun.elapsed() >= Duration::from_millis(60));
    assert_eq!(report.messages(), 0);
}

/// What is for nobody.
const FOREIGN: Tag = Tag::new(SourceId::new(900), MessageId::new(900));

#[test]
fn a_stop_delivers_what_was_committed_before() {
    let log = Log::default();
    let bus = bus(1 << 16);
    let app = Quiet::builder(bus.clone(), log.clone())
        .only([Quiet::HOME])
        .run()
        .unwrap();
    let mut outside = app.publisher::<Boss>().unwrap();
    let count = if cfg!(miri) { 20 } else { 500 };
    for n in 0..count {
        outside.send(&Ball(n)).unwrap();
    }
    let report = app.stop().unwrap();
    assert_eq!((report.messages(), report.late()), (count, 0));
    assert_eq!(report.cut_off, Some(count * 32));
    assert!(matches!(outside.send(&Ball(0)), Err(PublishError::Stopped)));
    assert!(matches!(
        outside.try_send(&Ball(0)),
        Err(PublishError::Stopped)
    ));
}

#[test]
fn an_endless_game_stops_and_the_ball_in_the_air_is_counted() {
    let app = Endless::builder(bus(4096)).run().unwrap();
    app.publisher::<Boss>().unwrap().send(&Ball(0)).unwrap();
    until(|| app.counters()[0].messages >= 100);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(report.late(), 1);
    let court = &report.workers[0];
    assert!(court.messages >= 100);
    assert_eq!(
        court.messages,
        court.routes.iter().map(|r| r.messages).sum::<u64>()
    );
    assert!(court.routes[2].last.is_some() && court.last >= court.routes[2].last);
}

#[test]
fn a_claim_left_open_does_not_hang_a_stop_for_ever() {
    let log = Log::default();
    let app = Quiet::builder(bus(4096), log.clone())
        .only([Quiet::HOME])
        .patience(Duration::from_millis(30))
        .run()
        .unwrap();
    let mut raw = app.bus().publisher().unwrap();
    let claim = raw.claim(FOREIGN, 8).unwrap();
    app.publisher::<Boss>().unwrap().send(&Ball(1)).unwrap();
    let report = app.stop().unwrap();
    drop(claim);
    assert_eq!(report.messages(), 0);
    assert!(matches!(
        report.failures[0].kind,
        FailureKind::Unfinished { .. }
    ));
    assert_eq!(
        report.failures[0].to_string(),
        "worker `Home`: a claim at position 0 was neither committed nor aborted in time, so nothing from there to \
         the stop at 64 was delivered: does a publisher hold a claim?"
    );
}

#[test]
fn a_claim_that_is_aborted_does_not_hold_up_a_stop() {
    let app = Quiet::builder(bus(4096), Log::default())
        .only([Quiet::HOME])
        .patience(Duration::MAX)
        .run()
        .unwrap();
    let mut raw = app.bus().publisher().unwrap();
    let claim = raw.claim(FOREIGN, 8).unwrap();
    app.stopper().stop();
    let joined = thread::spawn(|| app.join().unwrap());
    // So that the worker sleeps.
    thread::sleep(Duration::from_millis(30));
    drop(claim);
    until(|| joined.is_finished());
    assert!(joined.join().unwrap().failures.is_empty());
}

#[test]
fn a_claim_made_after_a_stop_does_not_hold_it_up() {
    let farewell = Arc::new(Farewell::default());
    let app = Leaving::builder(bus(4096), farewell.clone());
    let app = app.patience(Duration::MAX).run().unwrap();
    let mut raw = app.bus().publisher().unwrap();
    app.stopper().stop();
    until(|| farewell.asked.load(Ordering::SeqCst));
    // Before it stands what the handler sends last, behind it nothing.
    farewell.may.store(true, Ordering::SeqCst);
    until(|| app.bus().tail() > 0);
    let claim = raw.claim(FOREIGN, 8).unwrap();
    let joined = thread::spawn(|| app.join().unwrap());
    until(|| joined.is_finished());
    drop(claim);
    joined.join().unwrap();
}

#[test]
fn what_stands_behind_a_claim_is_read_before_the_end() {
    for gates in [true, false] {
        let farewell = Arc::new(Farewell::default());
        let app = Leaving::builder(bus(4096), farewell.clone()).run().unwrap();
        let mut ticks = match gates {
            true => app.subscribe_gating::<(Tick,)>(Start::Newest).unwrap(),
            false => app.subscribe::<(Tick,)>().unwrap(),
        };
        let mut raw = app.bus().publisher().unwrap();
        app.stopper().stop();
        until(|| farewell.asked.load(Ordering::SeqCst));
        let claim = raw.claim(FOREIGN, 8).unwrap();
        farewell.may.store(true, Ordering::SeqCst);
        let reading = thread::spawn(move || {
            let last = ticks.receive().unwrap().map(|tick| tick.0);
            (last, ticks.receive().unwrap().is_none())
        });
        // So that the worker has sent, and waits.
        thread::sleep(Duration::from_millis(30));
        drop(claim);
        assert_eq!(reading.join().unwrap(), (Some(7), true), "gates: {gates}");
        app.join().unwrap();
    }
}

#[test]
fn workers_may_begin_with_what_is_retained() {
    let log = Log::default();
    let bus = bus(4096);
    let tag = messenger::bus::Tag::new(
        <Boss as messenger::Handler>::ID,
        <Ball as messenger::Message>::ID,
    );
    bus.publisher()
        .unwrap()
        .send(tag, &9_u64.to_le_bytes())
        .unwrap();
    for (start, expected) in [(Start::Newest, 0), (Start::Oldest, 1)] {
        let app = Quiet::builder(bus.clone(), log.clone())
            .only([Quiet::HOME])
            .start(start)
            .run()
            .unwrap();
        assert_eq!(app.stop().unwrap().messages(), expected);
    }
}

#[test]
fn a_stopper_ends_the_run_from_elsewhere() {
    let app = Quiet::builder(bus(4096), Log::default())
        .only([Quiet::HOME])
        .run()
        .unwrap();
    let stopper = app.stopper();
    let other = thread::spawn(move || stopper.stop());
    app.join().unwrap();
    other.join().unwrap();
}

/// Takes its time to be woken.
#[derive(Default)]
struct Sluggish(AtomicBool);

impl Wake for Sluggish {
    fn wake(self: Arc<Self>) {
        thread::sleep(Duration::from_millis(50));
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_run_ends_after_who_stops_it() {
    // Who stops it has the bus in hand meanwhile. If that came after the run's end, the bus would be let go of there.
    let bus = bus(4096);
    let mut sleeper = bus.subscribe(Start::Newest).unwrap();
    let sluggish = Arc::new(Sluggish::default());
    let waker = Waker::from(Arc::clone(&sluggish));
    let asleep = sleeper.poll_next(&mut Context::from_waker(&waker));
    assert!(asleep.unwrap().is_pending());
    // It sees the stop without being woken.
    let app = yielding::Waits::builder(bus, Log::default());
    let app = app.run().unwrap();
    let stopper = app.stopper();
    let other = thread::spawn(move || stopper.stop());
    app.join().unwrap();
    assert!(sluggish.0.load(Ordering::Relaxed));
    other.join().unwrap();
}

#[test]
fn a_stopper_of_a_run_that_is_over_does_nothing() {
    let bus = bus(4096);
    let run = || {
        let builder = Quiet::builder(bus.clone(), Log::default());
        builder.only([Quiet::HOME]).run().unwrap()
    };
    let app = run();
    let stopper = app.stopper();
    app.stop().unwrap();
    let app = run();
    stopper.stop();
    assert!(!app.is_stopping());
    app.stop().unwrap();
}

/// Runs `Home` on `bus`, for it to be stopped or refused.
fn run_home(bus: &Bus) -> Result<Running<Quiet>, StartError> {
    let builder = Quiet::builder(bus.clone(), Log::default());
    builder.only([Quiet::HOME]).run()
}

#[test]
fn a_worker_runs_once_on_a_bus() {
    let bus = bus(4096);
    let app = run_home(&bus).unwrap();
    let members = bus.stats().members;
    let error = run_home(&bus).unwrap_err();
    assert!(matches!(error, StartError::WorkerRuns { .. }));
    assert_eq!(
        error.to_string(),
        "the worker `Home` of `Quiet` runs on this bus already, and each record would be handled twice: stop that run first, choose other \
         workers (`only`), or use another bus"
    );
    assert_eq!(bus.stats().members, members);
    // One of another name does, and so does the same on another bus.
    let builder = Quiet::builder(bus.clone(), Log::default());
    let other = builder.only([Quiet::TOWER]).run().unwrap();
    run_home(&support::bus(4096)).unwrap().stop().unwrap();
    app.publisher::<Boss>().unwrap().send(&Ball(1)).unwrap();
    assert_eq!(app.stop().unwrap().messages(), 1);
    drop(other);
    run_home(&bus).unwrap().stop().unwrap();
}

/// Ends by a panic, wherever it is told to.
#[derive(Debug, Handler)]
#[handler(id = 6, lifecycle)]
pub(crate) struct Fragile(&'static str);

impl Lifecycle for Fragile {
    fn on_start(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        assert_ne!(self.0, "on_start");
        Ok(())
    }
}

impl Handle<Ball> for Fragile {
    fn handle(&mut self, _: &Ball, _: &mut Outbox<'_, Self>) -> Result {
        assert_ne!(self.0, "handle");
        Ok(())
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        assert_ne!(self.0, "drop");
    }
}

impl Fragile {
    fn new(place: &'static str) -> Self {
        assert_ne!(place, "new");
        Self(place)
    }
}

messenger! {
    pub(crate) Glass(place: &'static str);
    outside: [ Boss ]
    Shelf (on_panic = stop_worker):
        handlers: [ fragile: Fragile = Fragile::new(place) ]
        routes: [ Boss, Ball: [fragile] ]
    drop: [ Boss, Tick ]
}

#[test]
fn a_worker_that_panicked_may_run_again() {
    let bus = bus(4096);
    for place in ["new", "on_start"] {
        Glass::builder(bus.clone(), place).run().unwrap_err();
    }
    let glass = Glass::builder(bus.clone(), "handle").run().unwrap();
    glass.publisher::<Boss>().unwrap().send(&Ball(1)).unwrap();
    // Once its thread is at its end, whether or not somebody has joined it.
    let mut next = None;
    until(|| {
        next = Glass::builder(bus.clone(), "drop").run().ok();
        next.is_some()
    });
    let failed = next.unwrap().stop().unwrap_err();
    assert!(matches!(
        failed.failure().kind,
        FailureKind::Panicked { .. }
    ));
    let last = Glass::builder(bus, "").run().unwrap();
    last.stop().unwrap();
    assert_eq!(glass.stop().unwrap().failures.len(), 1);
}

messenger! {
    pub(crate) Cabinet(place: &'static str);
    outside: [ Boss ]
    Shelf:
        handlers: [ other: Fragile as 16 = Fragile::new("") ]
        routes: [ Boss, Ball: [other] ]
    UpperShelf:
        handlers: [ fragile: Fragile = Fragile::new(place) ]
        routes: [ Boss, Ball: [fragile] ]
    drop: [ Boss, Tick ]
}

#[test]
fn whose_thread_panicked_is_named() {
    let app = Cabinet::builder(bus(4096), "drop").run().unwrap();
    let failed = app.stop().unwrap_err();
    assert_eq!(failed.failure().worker, "UpperShelf");
    let text = failed.to_string();
    let place = "worker `UpperShelf`, in the `Drop` of a handler: panicked: ";
    assert!(text.starts_with(place), "{text}");
    assert_eq!(failed.failure().call, Some(Call::Dropped));
}

/// Another table, which calls source 1 otherwise.
mod stranger {
    use super::*;

    /// Has the id that `Boss` has.
    #[derive(Debug, Handler)]
    #[handler(id = 1)]
    pub(crate) struct Intruder;

    messenger! {
        pub(crate) Stranger;
        One:
            handlers: [ intruder: Intruder = Intruder ]
            routes: []
    }
}

#[test]
fn two_tables_with_conflicting_ids_do_not_share_a_bus() {
    let bus = bus(4096);
    let app = Endless::builder(bus.clone()).run().unwrap();
    let error = stranger::Stranger::builder(bus.clone()).run().unwrap_err();
    assert!(matches!(error, StartError::Conflict(_)));
    assert_eq!(
        error.to_string(),
        "the source id 1 is `Intruder` in `Stranger`, and `Boss` in `Endless`, which is on this bus already: \
         give one of them another id, or use two buses"
    );
    app.stop().unwrap();
    stranger::Stranger::builder(bus).run().unwrap();
}
