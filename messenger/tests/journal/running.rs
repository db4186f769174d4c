//! A routing table runs on a journal: workers send without a spill, and handlers wait for what they need on disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use messenger::bus::{ClaimError, MessageId, SourceId, Start, Tag};
use messenger::journal::{Journal, SyncPolicy, verify};
use messenger::{FailureKind, Handle, Handler, Message, Outbox, Result, messenger};
use serde::{Deserialize, Serialize};

use crate::kit::{Dir, small};
use crate::until::until;

/// How many to send.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 1, codec = bincode)]
pub(crate) struct Go(u64);

/// One of them.
#[derive(Message, Serialize, Deserialize, Clone, Debug)]
#[message(id = 2, codec = bincode)]
pub(crate) struct Item(u64, Vec<u8>);

/// What handlers share with the test.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    journal: Journal,
    seen: Arc<AtomicU64>,
}

impl Shared {
    pub(crate) fn new(journal: Journal) -> Self {
        let seen = Arc::default();
        Self { journal, seen }
    }
}

/// The test.
#[derive(Debug, Handler)]
#[handler(id = 1, sends(Go))]
pub(crate) struct Boss;

/// Sends them all at once.
#[derive(Debug, Handler)]
#[handler(id = 2, sends(Item))]
pub(crate) struct Burst;

/// Counts them, in order.
#[derive(Debug, Handler)]
#[handler(id = 3)]
pub(crate) struct Count(Shared);

/// Sees to it that each is on the disk before it goes on.
#[derive(Debug, Handler)]
#[handler(id = 4)]
pub(crate) struct Careful(Shared);

impl Handle<Go> for Burst {
    fn handle(&mut self, m: &Go, out: &mut Outbox<'_, Self>) -> Result {
        for n in 0..m.0 {
            out.send(&Item(n, vec![n as u8; n as usize % 200]))?;
        }
        Ok(())
    }
}

impl Handle<Item> for Count {
    fn handle(&mut self, m: &Item, _: &mut Outbox<'_, Self>) -> Result {
        assert_eq!(m.0, self.0.seen.load(Ordering::Relaxed), "in order");
        assert!(m.1.iter().all(|&byte| byte == m.0 as u8));
        self.0.seen.store(m.0 + 1, Ordering::Release);
        Ok(())
    }
}

impl Handle<Go> for Careful {
    fn handle(&mut self, _: &Go, out: &mut Outbox<'_, Self>) -> Result {
        let journal = &self.0.journal;
        assert!(journal.wait_synced(out.position(), None)?);
        assert!(journal.synced() > out.position());
        self.0.seen.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

messenger! {
    pub(crate) Blast(shared: Shared);
    outside: [ Boss ]
    Sends (spill = 0):
        handlers: [ burst: Burst = Burst ]
        routes: [ Boss, Go: [burst] ]
    Counts:
        handlers: [ count: Count = Count(shared.clone()) ]
        routes: [ Burst, Item: [count] ]
}

mod alone {
    use super::*;
    messenger! {
        pub(crate) Alone(shared: Shared);
        outside: [ Boss ]
        One (spill = 0):
            handlers: [
                burst: Burst = Burst,
                count: Count = Count(shared.clone()),
            ]
            routes: [
                Boss, Go: [burst],
                Burst, Item: [count],
            ]
    }
}

mod careful {
    use super::*;
    messenger! {
        pub(crate) Safe(shared: Shared);
        outside: [ Boss ]
        One:
            handlers: [ careful: Careful = Careful(shared.clone()) ]
            routes: [ Boss, Go: [careful] ]
    }
}

mod spilling {
    use super::*;
    messenger! {
        pub(crate) Spilling(shared: Shared);
        outside: [ Boss ]
        Sends (spill = 1 << 20):
            handlers: [ burst: Burst = Burst ]
            routes: [ Boss, Go: [burst] ]
        Counts:
            handlers: [ count: Count = Count(shared.clone()) ]
            routes: [ Burst, Item: [count] ]
    }
}

const ITEMS: u64 = 3000;

#[test]
fn a_handler_sends_over_many_segments_without_a_spill() {
    for own in [false, true] {
        let dir = Dir::new("blast");
        let journal = dir.open(small());
        let shared = Shared::new(journal.clone());
        let (seen, bus) = (shared.seen.clone(), journal.bus().clone());
        let report = if own {
            let app = alone::Alone::builder(bus, shared).run().unwrap();
            app.publisher::<Boss>().unwrap().send(&Go(ITEMS)).unwrap();
            until("all items", || {
                seen.load(Ordering::Acquire) == ITEMS || app.counters()[0].errors > 0
            });
            app.stop().unwrap()
        } else {
            let app = Blast::builder(bus, shared).run().unwrap();
            app.publisher::<Boss>().unwrap().send(&Go(ITEMS)).unwrap();
            until("all items", || {
                seen.load(Ordering::Acquire) == ITEMS || app.counters()[0].errors > 0
            });
            app.stop().unwrap()
        };
        assert!(report.failures.is_empty(), "{report:?}");
        assert_eq!(report.workers[0].spilled, 0);
        assert_eq!(seen.load(Ordering::Acquire), ITEMS);
        journal.close().unwrap();
        let verified = verify(&dir, |_| {}).unwrap();
        assert_eq!((verified.records, verified.damage), (ITEMS + 1, vec![]));
        assert!(verified.segments > 80, "{}", verified.segments);
    }
}

#[test]
fn a_handler_waits_for_the_disk() {
    for policy in [
        SyncPolicy::OnDemand,
        SyncPolicy::EachRecord,
        SyncPolicy::Every {
            bytes: 1 << 20,
            interval: Duration::from_millis(1),
        },
    ] {
        let dir = Dir::new("careful");
        let journal = dir.open(small().sync(policy));
        let shared = Shared::new(journal.clone());
        let seen = shared.seen.clone();
        let bus = journal.bus().clone();
        let app = careful::Safe::builder(bus, shared).run().unwrap();
        let mut boss = app.publisher::<Boss>().unwrap();
        for n in 0..20 {
            boss.send(&Go(n)).unwrap();
        }
        until("all that was asked for", || {
            seen.load(Ordering::Acquire) == 20 || app.counters()[0].errors > 0
        });
        let report = app.stop().unwrap();
        assert!(report.failures.is_empty(), "{report:?}");
        assert_eq!(seen.load(Ordering::Acquire), 20);
    }
}

#[test]
fn what_was_spilled_and_cannot_be_synced_is_sent_once_and_reported() {
    const SENT: u64 = 300;
    let dir = Dir::new("spilled");
    let policy = SyncPolicy::EachRecord;
    let journal = dir.open(small().bound(1 << 14).sync(policy));
    let shared = Shared::new(journal.clone());
    let seen = shared.seen.clone();
    let failures = Arc::new(AtomicU64::new(0));
    let told = failures.clone();
    let app = spilling::Spilling::builder(journal.bus().clone(), shared)
        .on_failure(move |_| {
            told.fetch_add(1, Ordering::Release);
        })
        .run()
        .unwrap();
    let mut reader = app.subscribe_gating::<(Item,)>(Start::Newest).unwrap();
    app.publisher::<Boss>().unwrap().send(&Go(SENT)).unwrap();
    until("a spill", || app.counters()[0].spilled > 100);
    // Until nothing moves any more, and the other worker has read what there is.
    let mut before = u64::MAX;
    until("a standstill", || {
        std::thread::sleep(Duration::from_millis(200));
        let now = app.counters()[1].messages;
        std::mem::replace(&mut before, now) == now
    });
    assert_eq!(failures.load(Ordering::Acquire), 0);
    // The files of the segments that are written to now are taken away.
    let tail = journal.bus().tail();
    let mut away = Vec::new();
    for entry in std::fs::read_dir(&dir).unwrap() {
        let path = entry.unwrap().path();
        let base = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse().ok());
        if base.is_some_and(|base: u64| base >= tail & !4095) {
            let aside = path.with_extension("away");
            std::fs::rename(&path, &aside).unwrap();
            away.push((path, aside));
        }
    }
    assert!(!away.is_empty());
    let mut next = 0;
    let mut read = |count: u64| {
        for _ in 0..count {
            let received = reader
                .next()
                .unwrap()
                .unwrap_or_else(|| panic!("stopped at {next}"));
            assert_eq!(received.get::<Item>().unwrap().unwrap().0, next);
            next += 1;
        }
    };
    // Makes room, so that what was spilled goes out.
    read(40);
    until("a failure", || failures.load(Ordering::Acquire) > 0);
    for (path, aside) in away {
        std::fs::rename(aside, path).unwrap();
    }
    read(SENT - 40);
    until("all items", || seen.load(Ordering::Acquire) == SENT);
    drop(reader);
    let report = app.stop().unwrap();
    let FailureKind::Returned(error) = &report.failures[0].kind else {
        panic!("{report:?}");
    };
    let text = error.to_string();
    assert!(
        text.starts_with("the record is visible but not synced"),
        "{text}"
    );
    assert_eq!(report.workers[0].unsent, 0);
    assert_eq!(report.workers[1].messages, SENT);
}

#[test]
fn a_segment_that_is_not_ready_is_no_fault_of_the_readers() {
    let (needed, capacity) = (32, 1 << 62);
    assert_eq!(
        ClaimError::Full { needed, capacity }.to_string(),
        "the next segment of the journal, for a record of 32 bytes, is not ready yet: try again soon, or send in a way that waits; \
         `JournalConfig::ahead` has more segments made ready"
    );
    let dir = Dir::new("not-ready");
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    let mut refused = 0;
    for _ in 0..4000 {
        match publisher.try_send(Tag::new(SourceId::new(1), MessageId::new(1)), &[0; 500]) {
            Ok(_) => {}
            Err(ClaimError::Full { capacity, .. }) => {
                assert_eq!(capacity, 1 << 62);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    println!("{refused} of 4000 were refused for the moment");
}

/// In a directory on a small disk: the handler's error says that the disk is full; its worker goes on when there is space again.
#[cfg(target_os = "linux")]
pub(crate) fn on_a_full_disk(dir: &std::path::Path, make_space: impl FnOnce(&Journal)) {
    let journal = Journal::open(dir, small().segment_bytes(1 << 16)).unwrap();
    let shared = Shared::new(journal.clone());
    let seen = shared.seen.clone();
    let bus = journal.bus().clone();
    let app = Blast::builder(bus, shared).run().unwrap();
    let mut boss = app.publisher::<Boss>().unwrap();
    boss.send(&Go(1_000_000)).unwrap();
    until("an error", || app.counters()[0].errors > 0);
    make_space(&journal);
    let last = seen.load(Ordering::Acquire);
    until("room", || match boss.send(&Go(0)) {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("the disk is full"), "{error}");
            std::thread::sleep(Duration::from_millis(10));
            false
        }
    });
    let report = app.stop().unwrap();
    assert!(seen.load(Ordering::Acquire) >= last);
    says_that_the_disk_is_full(&report);
    drop(boss);
    journal.close().unwrap();
}

#[cfg(target_os = "linux")]
fn says_that_the_disk_is_full(report: &messenger::Report) {
    use messenger::{SendError, SendFault};

    let [failure] = &report.failures[..] else {
        panic!("one failure: {report:?}");
    };
    let FailureKind::Returned(error) = &failure.kind else {
        panic!("returned: {failure:?}");
    };
    assert_eq!(failure.handler, Some("burst"));
    let error = error.downcast_ref::<SendError>().unwrap();
    let full = matches!(
        error.fault,
        SendFault::Claim(ClaimError::StorageFull { .. })
    );
    assert!(full, "{error:?}");
    let text = error.to_string();
    let expected = "handler `burst` of worker `Sends` could not send `Item`: the disk is full: no segment could be had for a record of ";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.ends_with(" bytes; free some space, or trim the journal, and send it again"));
}
