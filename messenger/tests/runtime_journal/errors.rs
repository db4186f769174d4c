//! What a run, a publisher and a subscription say of a journal that does not do what it should.

use std::fs;
use std::time::Duration;

use messenger::bus::{Claim, ReadError, Start, Tag};
use messenger::journal::{Journal, SyncPolicy};
use messenger::{
    App, Builder, FailureKind, Handle, Handler, Message, Outbox, PublishError, Result, Running,
    SendError, SendFault, StartError, SubscribeError, messenger,
};
use serde::{Deserialize, Serialize};

use crate::kit::{Dir, small};

/// A question.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Ask(u64);

/// Its answer.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Answer(u64);

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Ask))]
pub(crate) struct Main;

#[derive(Debug, Handler)]
#[handler(id = 2, sends(Answer))]
pub(crate) struct Sage;

impl Handle<Ask> for Sage {
    fn handle(&mut self, m: &Ask, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Answer(m.0))
    }
}

messenger! {
    pub(crate) Oracle;
    outside: [ Main ]
    Cave:
        handlers: [ sage: Sage = Sage ]
        routes: [ Main, Ask: [sage] ]
    drop: [ Sage, Answer ]
}

/// A table on the journal, with the patience of a test.
fn oracle(journal: &Journal) -> Builder<Oracle> {
    Oracle::builder(journal).patience(Duration::from_millis(30))
}

fn refused<A: App>(started: Result<Running<A>, StartError>) -> StartError {
    started.map(drop).unwrap_err()
}

fn segment(dir: &Dir) -> std::path::PathBuf {
    dir.join(format!("{:020}.segment", 0))
}

#[test]
fn a_damaged_record_ends_the_run_and_is_told_outside() {
    let dir = Dir::new("damaged-record");
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    let position = publisher
        .send(Tag::new(Main::ID, Ask::ID), &[7; 8])
        .unwrap();
    drop(publisher);
    journal.close().unwrap();
    let mut bytes = fs::read(segment(&dir)).unwrap();
    bytes[4096 + position as usize + 16] ^= 1;
    fs::write(segment(&dir), bytes).unwrap();

    let journal = dir.open(small());
    let damaged = format!(
        "the record at position {position} is damaged: its checksum is another than was written with it; `verify` says how much is, \
         `repair` gives up what stands from there on"
    );
    let app = oracle(&journal).start(Start::Oldest).run().unwrap();
    let failed = app.join().unwrap_err();
    assert!(
        matches!(failed.failure().kind, FailureKind::Read(ReadError::Damaged { position: at }) if at == position)
    );
    assert_eq!(failed.to_string(), format!("worker `Cave`: {damaged}"));

    let app = oracle(&journal).start(Start::Newest).run().unwrap();
    for mut answers in [
        app.subscribe_from::<(Ask,)>(Start::Oldest).unwrap(),
        app.subscribe_gating::<(Ask,)>(Start::Oldest).unwrap(),
    ] {
        let error = answers.receive().unwrap_err();
        assert!(matches!(error, SubscribeError::Read(_)));
        assert_eq!(error.to_string(), damaged);
    }
    app.stop().unwrap();
}

/// What a member has not mapped yet it may not find.
#[test]
fn a_segment_that_is_gone_is_told_to_who_would_read_it() {
    let dir = Dir::new("gone-segment");
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    while journal.bus().tail() < 3 * 4096 {
        publisher
            .send(Tag::new(Main::ID, Ask::ID), &[7; 8])
            .unwrap();
    }
    drop(publisher);
    journal.close().unwrap();
    let journal = dir.open(small());
    fs::rename(segment(&dir), dir.join("taken-away")).unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let error = subscriber.try_next().map(drop).unwrap_err();
    assert!(matches!(error, ReadError::Lost(lost) if lost.position() == 0));
    assert_eq!(
        error.to_string(),
        "the segment with position 0 can't be had: No such file or directory (os error 2)"
    );
}

#[test]
fn those_sent_at_once_are_synced_at_once() {
    let dir = Dir::new("synced-at-once");
    let journal = dir.open(small().sync(SyncPolicy::EachRecord));
    let app = oracle(&journal).run().unwrap();
    let mut main = app.publisher::<Main>().unwrap();
    let before = journal.bus().tail();
    main.send_all(&[Ask(1), Ask(2), Ask(3)]).unwrap();
    assert!(journal.synced() >= before + 3 * 32);
    fs::rename(segment(&dir), dir.join("taken-away")).unwrap();
    let all = main.send_all(&[Ask(4), Ask(5), Ask(6)]).unwrap_err();
    // The first one alone would have been told if they had been synced one by one.
    assert_eq!(all.sent, 3);
    assert!(matches!(all.error, PublishError::Commit(_)), "{all}");
    assert_eq!(app.stop().unwrap().messages(), 6);
}

#[test]
fn what_is_not_synced_is_told_to_who_sent_it() {
    let dir = Dir::new("not-synced");
    let journal = dir.open(small().sync(SyncPolicy::EachRecord));
    let app = oracle(&journal).run().unwrap();
    let mut main = app.publisher::<Main>().unwrap();
    fs::rename(segment(&dir), dir.join("taken-away")).unwrap();
    let error = main.send(&Ask(1)).unwrap_err();
    assert!(matches!(error, PublishError::Commit(_)));
    let text = error.to_string();
    let begin = "the record is visible but not synced, nor is anything after it: the segment with position ";
    assert!(text.starts_with(begin), "{text}");
    // It is there all the same, and is answered; of the answer it is the same.
    let report = app.stop().unwrap();
    assert_eq!(report.messages(), 1);
    let FailureKind::Returned(error) = &report.failures[0].kind else {
        panic!("{report:?}");
    };
    let error = error.downcast_ref::<SendError>().unwrap();
    assert!(matches!(error.fault, SendFault::Commit(_)));
    let text = error.to_string();
    let begin = format!("handler `sage` of worker `Cave` could not send `Answer`: {begin}");
    assert!(text.starts_with(&begin), "{text}");
}

#[test]
fn a_cursor_that_is_held_keeps_a_worker_from_going_on() {
    let dir = Dir::new("held-cursor");
    let journal = dir.open(small());
    oracle(&journal).resume().run().unwrap().stop().unwrap();
    let name = journal.cursors().unwrap()[0].name.clone();
    let held = journal.cursor(&name).unwrap();
    let error = refused(oracle(&journal).resume().run());
    assert!(matches!(error, StartError::Cursor(_)));
    assert_eq!(
        error.to_string(),
        format!(
            "the cursor `{name}` is held by another reader or process: end that one, or take a cursor of another name"
        )
    );
    drop(held);
    oracle(&journal).resume().run().unwrap().stop().unwrap();
}

#[test]
fn a_cursor_that_can_not_be_read_keeps_no_other_worker_from_going_on() {
    let dir = Dir::new("damaged-cursor");
    let journal = dir.open(small());
    oracle(&journal).resume().run().unwrap().stop().unwrap();
    let damage = |name: &str| fs::write(dir.join("cursors").join(name), "x").unwrap();
    damage("reports");
    assert!(journal.cursors().is_err());
    oracle(&journal).resume().run().unwrap().stop().unwrap();
    damage("Oracle.Cave");
    let error = refused(oracle(&journal).resume().run());
    assert_eq!(
        error.to_string(),
        "the cursor `Oracle.Cave` is damaged in both places of its file: remove it (`remove_cursor`, or `messenger cursors remove DIR Oracle.Cave`), and open it anew at a position from which its reader can go on (or `messenger cursors set DIR Oracle.Cave PLACE`)"
    );
}

#[test]
fn what_can_not_be_read_is_not_restored() {
    let dir = Dir::new("unread");
    let journal = dir.open(small());
    oracle(&journal).restore().run().unwrap().stop().unwrap();
    // A claim that is left open.
    let mut publisher = journal.bus().publisher().unwrap();
    let claim: Claim<'_> = publisher.claim(Tag::new(Main::ID, Ask::ID), 8).unwrap();
    let position = claim.position();
    let error = refused(oracle(&journal).restore().run());
    let StartError::Unfinished { position: at, end } = error else {
        panic!("{error}");
    };
    assert!(at == position && end > position);
    assert_eq!(
        error.to_string(),
        format!(
            "a claim at position {position} was neither committed nor aborted in time, so the journal can't be read up to {end}: does a \
             publisher hold a claim?"
        )
    );
    drop(claim);
    // Its file `schema`.
    let schema = dir.join("schema");
    fs::rename(&schema, dir.join("taken-away")).unwrap();
    let error = refused(oracle(&journal).restore().run());
    assert!(matches!(error, StartError::Open(_)), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "the journal in {}: the directory holds other files, and no `schema` of a journal: name a journal's directory, or an empty one \
             to create it in; `repair`, or `messenger repair DIR`, gives a journal that has lost its `schema` a new one",
            dir.display()
        )
    );
}
