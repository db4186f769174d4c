//! Workers that send into a full ring: nothing hangs, nothing is lost in silence, and order is kept.
#![cfg(feature = "bincode")]

#[path = "support/bang.rs"]
mod bang;
#[path = "support/log.rs"]
mod log;
mod support;

use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use bang::Bang;
use log::Log;
use messenger::bus::Start;
use messenger::{
    Failure, FailureKind, Handle, Handler, Lifecycle, Message, Outbox, Result, SendError,
    SendFault, messenger,
};
use serde::{Deserialize, Serialize};
use support::{bus, until};

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Go(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Item(u64);

/// A number.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 3, codec = bincode)]
pub(crate) struct Copy(u64);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Go))]
pub(crate) struct Boss;

/// Sends many for one.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Item))]
pub(crate) struct Burst {
    next: u64,
}

/// Checks that all come in order, and sends a copy of each.
#[derive(Debug, Handler)]
#[handler(id = 3, sends(Copy), lifecycle)]
pub(crate) struct Order {
    next: u64,
    log: Log,
}

/// Checks the copies, from another worker, slowly.
#[derive(Debug, Handler)]
#[handler(id = 4, lifecycle)]
pub(crate) struct Slow {
    next: u64,
}

impl Handle<Go> for Burst {
    fn handle(&mut self, m: &Go, out: &mut Outbox<'_, Self>) -> Result {
        for _ in 0..m.0 {
            out.send(&Item(self.next))?;
            self.next += 1;
        }
        Ok(())
    }
}

impl Lifecycle for Order {
    fn on_stop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        self.log.add(format!("{} in order", self.next));
        Ok(())
    }
}

impl Handle<Item> for Order {
    fn handle(&mut self, m: &Item, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(m.0, self.next, "out of order");
        self.next += 1;
        out.send(&Copy(m.0))
    }
}

impl Lifecycle for Slow {
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        thread::sleep(Duration::from_micros(50));
        Ok(())
    }
}

impl Handle<Copy> for Slow {
    fn handle(&mut self, m: &Copy, out: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(m.0, self.next, "out of order");
        self.next += 1;
        if self.next == TOTAL {
            out.stop();
        }
        Ok(())
    }
}

/// How many items are sent in all, and in one burst: several times what the ring holds.
const TOTAL: u64 = if cfg!(miri) { 400 } else { 4000 };
const ONE_BURST: u64 = TOTAL / 2;

messenger! {
    pub(crate) Alone(log: Log);
    outside: [ Boss ]
    One:
        handlers: [
            burst: Burst = Burst { next: 0 },
            order: Order = Order { next: 0, log: log.clone() },
        ]
        routes: [
            Boss, Go: [burst],
            Burst, Item: [order],
        ]
    drop: [ Order, Copy ]
}

mod tight {
    use super::*;
    messenger! {
        pub(crate) Tight(log: Log);
        outside: [ Boss ]
        One (spill = 1024):
            handlers: [
                burst: Burst = Burst { next: 0 },
                order: Order = Order { next: 0, log: log.clone() },
            ]
            routes: [
                Boss, Go: [burst],
                Burst, Item: [order],
            ]
        drop: [ Order, Copy ]
    }
}

mod pair {
    use super::*;
    messenger! {
        pub(crate) Pair(log: Log);
        outside: [ Boss ]
        One:
            handlers: [
                burst: Burst = Burst { next: 0 },
                order: Order = Order { next: 0, log: log.clone() },
            ]
            routes: [
                Boss, Go: [burst],
                Burst, Item: [order],
            ]
        Two (batch = 3):
            handlers: [ slow: Slow = Slow { next: 0 } ]
            routes: [ Order, Copy: [slow] ]
    }
}

/// Two workers that flood each other, each gating the other's ring.
mod flood {
    use super::*;

    /// A number.
    #[derive(Message, Serialize, Deserialize, Clone, Debug)]
    #[message(id = 11, codec = bincode)]
    pub(crate) struct Left(u64);

    /// A number.
    #[derive(Message, Serialize, Deserialize, Clone, Debug)]
    #[message(id = 12, codec = bincode)]
    pub(crate) struct Right(u64);

    /// Answers each message with two, up to a depth.
    #[derive(Debug, Handler)]
    #[handler(id = 11, sends(Left))]
    pub(crate) struct A(Log);
    /// The same.
    #[derive(Debug, Handler)]
    #[handler(id = 12, sends(Right))]
    pub(crate) struct B(Log);

    impl Handle<Right> for A {
        fn handle(&mut self, m: &Right, out: &mut Outbox<'_, Self>) -> Result {
            if m.0 == 0 {
                self.0.add("leaf");
                return Ok(());
            }
            out.send(&Left(m.0 - 1))?;
            out.send(&Left(m.0 - 1))
        }
    }

    impl Handle<Go> for A {
        fn handle(&mut self, m: &Go, out: &mut Outbox<'_, Self>) -> Result {
            out.send(&Left(m.0))
        }
    }

    impl Handle<Left> for B {
        fn handle(&mut self, m: &Left, out: &mut Outbox<'_, Self>) -> Result {
            if m.0 == 0 {
                self.0.add("leaf");
                return Ok(());
            }
            out.send(&Right(m.0 - 1))?;
            out.send(&Right(m.0 - 1))
        }
    }

    messenger! {
        pub(crate) Flood(log: Log);
        outside: [ Boss ]
        First:
            handlers: [ a: A = A(log.clone()) ]
            routes: [
                Boss, Go: [a],
                B, Right: [a],
            ]
        Second:
            handlers: [ b: B = B(log.clone()) ]
            routes: [ A, Left: [b] ]
    }
}

#[test]
fn a_worker_does_not_wait_for_itself() {
    let log = Log::default();
    let app = Alone::builder(bus(4096), log.clone()).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Go(ONE_BURST)).unwrap();
    boss.send(&Go(ONE_BURST)).unwrap();
    until(|| app.counters()[0].routes[1].messages >= TOTAL);
    assert!(app.counters()[0].spilled > 0);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(log.lines(), [format!("{TOTAL} in order")]);
}

#[test]
fn a_spill_over_its_limit_is_an_error_that_names_all() {
    let log = Log::default();
    let app = tight::Tight::builder(bus(4096), log.clone()).run().unwrap();
    app.publisher::<Boss>()
        .unwrap()
        .send(&Go(ONE_BURST))
        .unwrap();
    until(|| app.counters()[0].errors > 0);
    let report = app.stop().unwrap();
    let [
        Failure {
            handler: Some("burst"),
            kind: FailureKind::Returned(error),
            ..
        },
        ..,
    ] = &report.failures[..]
    else {
        panic!("a failure: {report:?}")
    };
    let error = error.downcast_ref::<SendError>().unwrap();
    assert_eq!(
        (error.worker, error.handler, error.message),
        ("One", "burst", "Item")
    );
    assert!(matches!(
        error.fault,
        SendFault::SpillFull {
            limit: 1024,
            used: 1024
        }
    ));
    assert_eq!(
        error.to_string(),
        "handler `burst` of worker `One` could not send `Item`: the ring is full and 1024 of the 1024 bytes of the \
         worker's spill are taken: make the ring larger, raise `spill = ..`, or send less for each message"
    );
}

#[test]
fn a_slow_worker_is_waited_for_in_order() {
    let log = Log::default();
    let app = pair::Pair::builder(bus(4096), log.clone()).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Go(ONE_BURST)).unwrap();
    boss.send(&Go(ONE_BURST)).unwrap();
    let report = app.join().unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(log.lines(), [format!("{TOTAL} in order")]);
}

#[test]
fn workers_that_flood_each_other_do_not_hang() {
    let log = Log::default();
    let app = flood::Flood::builder(bus(4096), log.clone()).run().unwrap();
    let depth = if cfg!(miri) { 8 } else { 12 };
    app.publisher::<Boss>().unwrap().send(&Go(depth)).unwrap();
    until(|| log.lines().len() >= 1 << depth);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
    assert!(
        report.workers.iter().any(|worker| worker.spilled > 0),
        "{report:?}"
    );
    assert_eq!(log.lines().len(), 1 << depth);
}

#[test]
fn a_gating_reader_that_sleeps_holds_a_worker_back_and_loses_nothing() {
    let log = Log::default();
    let app = Alone::builder(bus(4096), log.clone()).run().unwrap();
    let mut reader = app.subscribe_gating::<(Copy,)>(Start::Newest).unwrap();
    app.publisher::<Boss>()
        .unwrap()
        .send(&Go(ONE_BURST))
        .unwrap();
    thread::sleep(Duration::from_millis(20));
    let held = app.counters()[0].routes[1].messages;
    assert!(held < ONE_BURST, "the ring holds no more than 128 records");
    for n in 0..ONE_BURST {
        let received = reader.next().unwrap().unwrap();
        assert_eq!(received.get::<Copy>().unwrap().unwrap().0, n);
    }
    drop(reader);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report:?}");
}

#[test]
fn a_stop_does_not_wait_for_room_that_never_comes() {
    let app = Alone::builder(bus(4096), Log::default()).run().unwrap();
    let reader = app.subscribe_gating::<(Copy,)>(Start::Newest).unwrap();
    app.publisher::<Boss>()
        .unwrap()
        .send(&Go(ONE_BURST))
        .unwrap();
    thread::sleep(Duration::from_millis(5));
    let report = app.stop().unwrap();
    assert!(report.workers[0].unsent > 0, "{report:?}");
    drop(reader);
}

#[test]
fn a_waker_that_panics_is_not_the_affair_of_a_handler_whose_spill_goes_out() {
    let log = Log::default();
    let app = Alone::builder(bus(4096), log.clone()).run().unwrap();
    let mut reader = app.subscribe_gating::<(Copy,)>(Start::Newest).unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Go(ONE_BURST)).unwrap();
    until(|| app.counters()[0].spilled > 0);
    thread::sleep(Duration::from_millis(20));
    let mut sleeper = app.bus().observe(Start::Newest).unwrap();
    let waker = Waker::from(Arc::new(Bang));
    let asleep = sleeper.poll_next(&mut Vec::new(), &mut Context::from_waker(&waker));
    assert!(asleep.unwrap().is_pending());
    for n in 0..ONE_BURST {
        let received = reader.next_timeout(Duration::from_secs(120)).unwrap();
        let received = received.expect("the worker goes on");
        assert_eq!(received.get::<Copy>().unwrap().unwrap().0, n);
    }
    drop(reader);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report}");
    assert_eq!(log.lines(), [format!("{ONE_BURST} in order")]);
}

/// A worker that stops alone over what it has answered.
mod leaving {
    use super::*;

    /// Panics.
    #[derive(Debug, Handler)]
    #[handler(id = 21)]
    pub(crate) struct Bomb;

    impl Handle<Go> for Bomb {
        fn handle(&mut self, _: &Go, _: &mut Outbox<'_, Self>) -> Result {
            panic!("after the answers")
        }
    }

    messenger! {
        pub(crate) Leaving(log: Log);
        outside: [ Boss ]
        One (on_panic = stop_worker):
            handlers: [
                burst: Burst = Burst { next: 0 },
                bomb: Bomb = Bomb,
            ]
            routes: [ Boss, Go: [burst, bomb] ]
        Two:
            handlers: [ order: Order = Order { next: 0, log: log.clone() } ]
            routes: [ Burst, Item: [order] ]
        drop: [ Order, Copy ]
    }
}

#[test]
fn what_a_worker_that_stops_alone_has_sent_still_goes_out() {
    let log = Log::default();
    let builder = leaving::Leaving::builder(bus(4096), log.clone());
    let app = builder.run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Go(ONE_BURST)).unwrap();
    until(|| app.counters()[1].messages == ONE_BURST);
    let report = app.stop().unwrap();
    assert!(report.workers[0].spilled > 0, "{report}");
    assert_eq!(report.workers[0].unsent, 0, "{report}");
    assert_eq!(log.lines(), [format!("{ONE_BURST} in order")]);
}

#[test]
fn a_worker_that_stops_alone_does_not_wait_for_ever() {
    let builder = leaving::Leaving::builder(bus(4096), Log::default());
    let app = builder.patience(Duration::from_millis(30)).run().unwrap();
    let reader = app.subscribe_gating::<(Copy,)>(Start::Newest).unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Go(ONE_BURST)).unwrap();
    until(|| app.counters()[0].unsent > 0);
    drop(reader);
    app.stop().unwrap();
}
