//! What a resumed worker has handled stays on the journal until the worker has said so: it may be killed in between.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use messenger::bus::{SourceId, Start, Tag};
use messenger::{ExtendedMessage, Handle, Handler, Lifecycle, Message, Outbox, Result, messenger};
use serde::{Deserialize, Serialize};

use super::kit::{Dir, small};
use super::until::until;

const SEGMENT: u64 = 4096;

#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
struct Asked(Vec<u8>);

#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
struct Answered(Vec<u8>);

#[derive(Debug, Handler)]
#[handler(id = 1, sends(Asked))]
struct Main;

/// Answers so often, and once, as it is about to say that it has come into the second segment, waits.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Answered), lifecycle)]
struct Clerk {
    answers: u32,
    handled: u64,
    count: Arc<AtomicU64>,
    waits: Option<(Sender<u64>, Receiver<()>)>,
}

impl Handle<Asked> for Clerk {
    fn handle(&mut self, asked: &Asked, out: &mut Outbox<'_, Self>) -> Result {
        for _ in 0..self.answers {
            out.send(&Answered(asked.0.clone()))?;
        }
        self.handled = out.position();
        self.count.fetch_add(1, Relaxed);
        Ok(())
    }
}

impl Lifecycle for Clerk {
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        if self.handled >= SEGMENT {
            if let Some((tell, told)) = self.waits.take() {
                tell.send(self.handled).unwrap();
                told.recv().unwrap();
            }
        }
        Ok(())
    }
}

type Clerks = Mutex<Option<Clerk>>;

messenger! {
    Office(clerk: Clerks);
    outside: [ Main ]
    Desk:
        handlers: [ clerk: Clerk = clerk.lock().unwrap().take().ok_or("made once")? ]
        routes: [ Main, Asked: [clerk] ]
    drop: [ Clerk, Answered ]
}

fn clerk(answers: u32) -> Clerk {
    Clerk {
        answers,
        handled: 0,
        count: Arc::default(),
        waits: None,
    }
}

#[test]
fn what_is_handled_stays_until_the_cursor_says_so() {
    let dir = Dir::new("held-for-a-cursor");
    let journal = dir.open(small().time_resolution(Duration::ZERO));
    let mut publisher = journal.bus().publisher().unwrap();
    let tag = Tag::new(SourceId::new(1), Asked::ID);
    let payload = Asked(vec![7; 232]).to_vec().unwrap();
    assert_eq!(payload.len(), 240);
    // All is there, so that batches are as long as they may be, and the one that comes into the next segment begins before it.
    for _ in 0..3 * 16 {
        publisher.send(tag, &payload).unwrap();
    }
    let (tell, told) = channel();
    let (go_on, goes_on) = channel();
    let waits = Some((tell, goes_on));
    let clerk = Clerk { waits, ..clerk(0) };
    let app = Office::builder(&journal, Mutex::new(Some(clerk)))
        .start(Start::Oldest)
        .resume()
        .run()
        .unwrap();
    let handled = told.recv_timeout(Duration::from_secs(60)).unwrap();
    let cursors = journal.cursors();
    let trimmed = journal.trim(u64::MAX);
    // Before anything may fail that waits for the worker as it goes.
    go_on.send(()).unwrap();
    let said = cursors.unwrap()[0].position;
    assert!(said < SEGMENT && SEGMENT <= handled, "{said} {handled}");
    assert_eq!(trimmed.unwrap(), 0);
    until("let go of", || {
        journal.trim(u64::MAX).unwrap() == 3 * SEGMENT
    });
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report}");
}

/// What it holds is all that its own answers lack.
#[test]
fn a_resumed_worker_does_not_wait_for_itself() {
    let dir = Dir::new("held-and-full");
    let bounded = small().bound(2 * SEGMENT);
    let journal = dir.open(bounded.time_resolution(Duration::ZERO));
    let clerk = clerk(20);
    let count = Arc::clone(&clerk.count);
    let app = Office::builder(&journal, Mutex::new(Some(clerk)))
        .resume()
        .run()
        .unwrap();
    let mut main = app.publisher::<Main>().unwrap();
    for _ in 0..100 {
        let asked = Asked(vec![7; 232]);
        main.send_timeout(&asked, Duration::from_secs(60)).unwrap();
    }
    until("handled", || count.load(Relaxed) == 100);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report}");
    assert!(report.workers[0].spilled > 0);
}
