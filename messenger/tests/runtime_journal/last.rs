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

#[cfg(feature = "fault")]
mod kept {
    use std::sync::atomic::AtomicU64;

    use messenger::Handle;

    use super::super::table::{Number, Square};
    use super::*;

    /// Answers as soon as it may.
    #[derive(Debug, Handler)]
    #[handler(id = 22, sends(Square))]
    pub(crate) struct Answerer(Parting);

    impl Handle<Number> for Answerer {
        fn handle(&mut self, number: &Number, out: &mut Outbox<'_, Self>) -> Result {
            self.0.asked.store(true, SeqCst);
            until("leave to answer", || self.0.may.load(SeqCst));
            out.send(&Square(number.0))
        }
    }

    /// The test.
    #[derive(Debug, Handler)]
    #[handler(id = 23, sends(Number))]
    pub(crate) struct Asker;

    messenger! {
        Answering(parting: Parting);
        outside: [ Asker ]
        Desk:
            handlers: [ answerer: Answerer = Answerer(parting.clone()) ]
            routes: [ Asker, Number: [answerer] ]
        drop: [ Answerer, Square ]
    }

    /// How often cursors of this table were flushed.
    static FLUSHED: AtomicU64 = AtomicU64::new(0);

    /// A loss of power would take the answer, so what was answered is not to be passed over after it.
    #[test]
    fn a_cursor_is_not_flushed_before_the_answers_are() {
        messenger::fault::on_flush(Box::new(|path| {
            let counts = path.ends_with("Answering.Desk");
            FLUSHED.fetch_add(u64::from(counts), SeqCst);
            Ok(())
        }));
        let dir = Dir::new("answers");
        let journal = dir.open(small().time_resolution(Duration::ZERO));
        let parting = Parting::default();
        let app = Answering::builder(&journal, parting.clone())
            .resume()
            .patience(Duration::from_millis(50))
            .run()
            .unwrap();
        let mut raw = journal.bus().publisher().unwrap();
        app.publisher::<Asker>().unwrap().send(&Number(7)).unwrap();
        until("the question", || parting.asked.load(SeqCst));
        app.stopper().stop();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        let claim = raw.claim(tag, 8).unwrap();
        let before = FLUSHED.load(SeqCst);
        assert!(before > 0, "as it was made");
        parting.may.store(true, SeqCst);
        app.join().unwrap();
        assert!(journal.synced() <= claim.position());
        assert_eq!(FLUSHED.load(SeqCst), before);
    }
}
