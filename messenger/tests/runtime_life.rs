//! From start to stop: the calls a handler gets, in which order, on which thread, and what a stop delivers.

mod table;

use std::rc::Rc;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use messenger::bus::{Start, WaitStrategy};
use messenger::{Handle, Lifecycle, Outbox, PublishError, Result, Timer, WorkerId, WorkerOptions};
use table::{Log, bus, until};

numbers! { 1 Ball 2 Back 3 Tick }

/// The test.
#[derive(Debug)]
pub(crate) struct Boss;

/// Says each call.
#[derive(Debug)]
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
#[derive(Debug)]
pub(crate) struct Ping;
/// Plays for ever.
#[derive(Debug)]
pub(crate) struct Pong(u64);
/// Sets timers.
#[derive(Debug)]
pub(crate) struct Clock {
    log: Log,
    cancelled: Option<Timer>,
}

handlers! {
    1 Boss sends(Ball, Tick);
    2 Diary + lifecycle sends();
    3 Ping sends(Ball);
    4 Pong sends(Back);
    5 Clock + lifecycle sends(Tick);
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

table! {
    Quiet(log: Log) outside[Boss] drop[Boss, Tick; Clock, Tick]
    0 Home (WorkerOptions::new()) {
        0 diary DIARY: Diary = Diary::new(log);
        routes(1)
        0 Boss, Ball => [0 diary DIARY];
    }
    1 Tower (WorkerOptions::new()) {
        0 clock CLOCK: Clock = Clock { log: log.clone(), cancelled: None };
        routes(0)
    }
}

table! {
    Endless(wait: WaitStrategy) outside[Boss] drop[Boss, Tick]
    0 Court (WorkerOptions::new().batch(4)) {
        0 ping PING: Ping = Ping;
        1 pong PONG: Pong = Pong(0);
        routes(3)
        0 Ping, Ball => [1 pong PONG];
        1 Pong, Back => [0 ping PING];
        2 Boss, Ball => [1 pong PONG];
    }
}

macro_rules! waits {
    ($module:ident $wait:ident) => {
        mod $module {
            use super::*;
            table! {
                Waits(log: Log) outside[Boss] drop[Boss, Tick]
                0 Home (WorkerOptions::new().wait(WaitStrategy::$wait)) {
                    0 diary DIARY: Diary = Diary::new(log);
                    routes(1)
                    0 Boss, Ball => [0 diary DIARY];
                }
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

waits!(spin Spin);
waits!(yielding Yield);
waits!(block Block);
waits!(block_now BlockNow);

#[test]
fn a_handler_lives_on_one_thread_from_made_to_dropped() {
    let log = Log::default();
    let app = Quiet::builder(bus(4096), log.clone())
        .only([WorkerId::new(0)])
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
        .only([WorkerId::new(0)])
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
        .only([WorkerId::new(1)])
        .run()
        .unwrap();
    // Nothing is ever sent to it: only its timers wake it, and the third stops the run.
    let report = app.join().unwrap();
    assert_eq!(log.lines(), ["tick", "tick", "tick"]);
    assert!(begun.elapsed() >= Duration::from_millis(60));
    assert_eq!(report.messages(), 0);
}

#[test]
fn a_stop_delivers_what_was_committed_before() {
    let log = Log::default();
    let bus = bus(1 << 16);
    let app = Quiet::builder(bus.clone(), log.clone())
        .only([WorkerId::new(0)])
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
    let app = Endless::builder(bus(4096), WaitStrategy::Block)
        .run()
        .unwrap();
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
        .only([WorkerId::new(0)])
        .patience(Duration::from_millis(30))
        .run()
        .unwrap();
    let mut raw = app.bus().publisher().unwrap();
    let tag = messenger::bus::Tag::new(
        messenger::bus::SourceId::new(900),
        messenger::bus::MessageId::new(900),
    );
    let claim = raw.claim(tag, 8).unwrap();
    app.publisher::<Boss>().unwrap().send(&Ball(1)).unwrap();
    let report = app.stop().unwrap();
    drop(claim);
    assert_eq!(report.messages(), 0);
    assert_eq!(
        report.failures[0].to_string(),
        "worker `Home`: a claim at position 0 was neither committed nor aborted in time, so nothing from there to \
         the stop at 64 was delivered: does a publisher hold a claim?"
    );
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
            .only([WorkerId::new(0)])
            .start(start)
            .run()
            .unwrap();
        assert_eq!(app.stop().unwrap().messages(), expected);
    }
}

#[test]
fn a_stopper_ends_the_run_from_elsewhere() {
    let app = Quiet::builder(bus(4096), Log::default())
        .only([WorkerId::new(0)])
        .run()
        .unwrap();
    let stopper = app.stopper();
    let other = thread::spawn(move || stopper.stop());
    app.join().unwrap();
    other.join().unwrap();
}

/// Another table, which calls source 1 otherwise.
mod stranger {
    use super::*;

    /// Has the id that `Boss` has.
    #[derive(Debug)]
    pub(crate) struct Intruder;

    handlers! { 1 Intruder sends(); }

    table! {
        Stranger(none: ()) outside[] drop[]
        0 One (WorkerOptions::new()) {
            0 intruder INTRUDER: Intruder = Intruder;
            routes(0)
        }
    }
}

#[test]
fn two_tables_with_conflicting_ids_do_not_share_a_bus() {
    let bus = bus(4096);
    let app = Endless::builder(bus.clone(), WaitStrategy::Block)
        .run()
        .unwrap();
    let error = stranger::Stranger::builder(bus.clone(), ())
        .run()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the source id 1 is `Intruder` in `Stranger`, and `Boss` in `Endless`, which is on this bus already: \
         give one of them another id, or use two buses"
    );
    app.stop().unwrap();
    stranger::Stranger::builder(bus, ()).run().unwrap();
}
