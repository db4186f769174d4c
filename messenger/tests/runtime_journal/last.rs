//! What a worker has sent last stands behind a claim that somebody else finishes later.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::Duration;

use messenger::bus::{MessageId, SourceId, Start, Tag};
use messenger::journal::SyncPolicy;
use messenger::{Handler, Lifecycle, Outbox, Result, messenger};

use super::kit::{Dir, small};
use super::table::Idle;
use super::until::until;

/// When the handler sends, and what it and the test wait for.
#[derive(Clone, Default, Debug)]
pub(crate) struct Parting {
    in_loop: bool,
    stops: Arc<AtomicBool>,
    asked: Arc<AtomicBool>,
    may: Arc<AtomicBool>,
    sent: Arc<AtomicBool>,
}

/// Sends once more when it is stopped, as soon as it may.
#[derive(Debug, Handler)]
#[handler(id = 21, sends(Idle), lifecycle)]
pub(crate) struct Leaver(Parting);

impl Leaver {
    fn part(&self, out: &mut Outbox<'_, Self>) -> Result {
        if self.0.asked.swap(true, SeqCst) {
            return Ok(());
        }
        until("leave to send", || self.0.may.load(SeqCst));
        let sent = out.send(&Idle(7));
        self.0.sent.store(true, SeqCst);
        sent
    }
}

impl Lifecycle for Leaver {
    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        match self.0.in_loop && self.0.stops.load(SeqCst) {
            true => self.part(out),
            false => Ok(()),
        }
    }

    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.part(out)
    }
}

messenger! {
    Leaving(parting: Parting);
    Door:
        handlers: [ leaver: Leaver = Leaver(parting.clone()) ]
        routes: []
    drop: [ Leaver, Idle ]
}

/// Stops a run whose worker sends behind a claim, which goes when the worker has done so, and reads the run to its end.
fn reads_what_was_sent_last(policy: SyncPolicy, in_loop: bool) {
    let dir = Dir::new("last");
    let journal = dir.open(small().sync(policy).time_resolution(Duration::ZERO));
    let parting = Parting {
        in_loop,
        ..Parting::default()
    };
    let app = Leaving::builder(&journal, parting.clone()).run().unwrap();
    let mut idles = app.subscribe_gating::<(Idle,)>(Start::Newest).unwrap();
    let mut raw = journal.bus().publisher().unwrap();
    parting.stops.store(true, SeqCst);
    app.stopper().stop();
    until("the last call", || parting.asked.load(SeqCst));
    let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    let claim = raw.claim(tag, 8).unwrap();
    let reading = thread::spawn(move || {
        let last = idles.receive().unwrap().map(|idle| idle.0);
        (last, idles.receive().unwrap().is_none())
    });
    parting.may.store(true, SeqCst);
    until("what it sends", || parting.sent.load(SeqCst));
    // So that it has ended, if it does not wait.
    thread::sleep(Duration::from_millis(50));
    drop(claim);
    assert_eq!(reading.join().unwrap(), (Some(7), true));
    let _ = app.join();
}

#[test]
fn what_a_turn_of_the_loop_sent_behind_a_claim_is_read_before_the_end() {
    reads_what_was_sent_last(SyncPolicy::OnDemand, true);
}

#[test]
fn what_is_not_synced_for_a_claim_is_read_before_the_end() {
    reads_what_was_sent_last(SyncPolicy::EachRecord, false);
}
