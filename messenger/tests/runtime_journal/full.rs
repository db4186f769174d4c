//! A journal that stays full: what handlers are told, and what their timers do, waits as what they send does, and not without end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, SystemTime};

use messenger::bus::{ClaimError, MessageId, SourceId, Start, Tag};
use messenger::journal::{Reader, verify};
use messenger::{
    FailureKind, Handler, Lifecycle, Message, Outbox, Replay, Result, SendError, SendFault, Timer,
    messenger,
};
use serde::{Deserialize, Serialize};

use super::kit::{Dir, small};
use super::until::until;

/// Fills the journal.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Fill(u64);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Fill))]
pub(crate) struct Main;

/// Asks for the time so often, whenever its timer fires.
#[derive(Clone, Default, Debug, Handler)]
#[handler(id = 2, lifecycle)]
pub(crate) struct Clock {
    asks: u64,
    fired: Arc<AtomicU64>,
}

impl Lifecycle for Clock {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.timer(Duration::from_millis(10));
        Ok(())
    }

    fn on_timer(&mut self, _: Timer, out: &mut Outbox<'_, Self>) -> Result {
        for _ in 0..self.asks {
            assert!(out.now() > SystemTime::UNIX_EPOCH);
        }
        self.fired.fetch_add(1, Relaxed);
        out.timer(Duration::from_millis(10));
        Ok(())
    }
}

const SPILL: u64 = 256;

messenger! {
    Clocks(clock: Clock);
    outside: [ Main ]
    One (spill = 256):
        handlers: [ clock: Clock = clock.clone() ]
        routes: []
    drop: [ Main, Fill ]
}

#[test]
fn timers_wait_while_nothing_can_be_noted() {
    let dir = Dir::new("timers-wait");
    let journal = dir.open(small().bound(1 << 14).time_resolution(Duration::ZERO));
    let mut reader = journal.bus().subscribe(Start::Oldest).unwrap();
    let clock = Clock::default();
    let fired = clock.fired.clone();
    let app = Clocks::builder(&journal, clock).run().unwrap();
    let mut raw = journal.bus().publisher().unwrap();
    let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    // And not only for as long as the next segment is being made.
    until("full", || {
        let full = raw.try_send(tag, &[0; 8]);
        matches!(full, Err(ClaimError::Full { .. })) && journal.bus().tail() + 32 > 1 << 14
    });
    let before = fired.load(Relaxed);
    // A note of one takes 32 bytes; the first of them may have waited before, or another have found room just then.
    until("a full spill", || {
        fired.load(Relaxed) - before >= SPILL / 32 - 1
    });
    thread::sleep(Duration::from_millis(100));
    let waits = fired.load(Relaxed);
    assert!(waits - before <= SPILL / 32 + 1, "{}", waits - before);
    // Not more than a part of the oldest segment, which stays.
    for _ in 0..100 {
        reader.try_next().unwrap().expect("what fills it");
    }
    until("timers that go on", || fired.load(Relaxed) > waits + 10);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report}");
    drop((raw, reader, journal));
    let reader = Reader::open(&dir).unwrap();
    let replayed = Clocks::builder(&reader, Clock::default())
        .replay(Replay::all())
        .unwrap();
    assert!(replayed.is_exact(), "{replayed}");
}

#[test]
fn what_a_handler_is_told_is_bounded_as_what_it_sends() {
    const ASKS: u64 = 1000;
    let dir = Dir::new("told");
    let journal = dir.open(small().bound(1 << 14).time_resolution(Duration::ZERO));
    let reader = journal.bus().subscribe(Start::Oldest).unwrap();
    let clock = Clock {
        asks: ASKS,
        ..Clock::default()
    };
    let app = Clocks::builder(&journal, clock).run().unwrap();
    // It fills the journal by itself.
    until("errors", || app.counters()[0].errors > 0);
    drop(reader);
    let report = app.stop().unwrap();
    let failure = report.failures.first().expect("an error");
    assert_eq!((failure.worker, failure.handler), ("One", Some("clock")));
    let FailureKind::Returned(error) = &failure.kind else {
        panic!("{failure}");
    };
    let error = error.downcast_ref::<SendError>().unwrap();
    assert!(matches!(
        error.fault,
        SendFault::SpillFull {
            limit: 256,
            used: 256
        }
    ));
    assert_eq!(
        error.to_string(),
        "handler `clock` of worker `One` could not send `note of the time`: the ring is full and 256 of the 256 bytes of the \
         worker's spill are taken: make the ring larger, raise `spill = ..`, or send less for each message"
    );
    drop(journal);
    assert_eq!(verify(&dir, |_| {}).unwrap().damage, []);
}
