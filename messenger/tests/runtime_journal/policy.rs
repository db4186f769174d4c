//! Policies, and what goes wrong where nothing on the journal is the cause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use messenger::bus::Start;
use messenger::journal::{JournalConfig, Reader};
use messenger::{Handle, Handler, HandlerError, Lifecycle, Message, Outbox, Replay, Result};
use messenger::{Replayed, messenger};
use serde::{Deserialize, Serialize, Serializer};

use super::kit::{Dir, small};
use super::table::{Main, Number, all, send};

/// How many numbers a handler has seen since it was made.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 12, codec = bincode)]
pub(crate) struct Seen(u64, Vec<u8>);

/// Encodes or not.
#[derive(Message, Clone, Debug, Deserialize)]
#[message(id = 13, codec = bincode)]
pub(crate) struct Moody(Mood);

#[derive(Clone, Debug, Deserialize)]
pub(crate) enum Mood {
    Good,
    Bad,
    /// Panics when it is written, after it has been counted.
    Awful(#[serde(skip)] Arc<AtomicBool>),
}

impl Serialize for Moody {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Mood::Good => {}
            Mood::Bad => return Err(serde::ser::Error::custom("a bad mood")),
            Mood::Awful(counted) => {
                assert!(!counted.swap(true, Ordering::Relaxed), "an awful mood");
            }
        }
        to.serialize_u32(0)
    }
}

/// Panics over each tenth number.
#[derive(Debug, Handler)]
#[handler(id = 12, sends(Seen), lifecycle)]
pub(crate) struct Fragile {
    seen: u64,
    long: usize,
}

impl Lifecycle for Fragile {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Seen(0, Vec::new()))
    }
}

impl Handle<Number> for Fragile {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        self.seen += 1;
        out.send(&Seen(self.seen, vec![m.0 as u8; self.long]))?;
        assert!(m.0 % 10 != 0, "number {}", m.0);
        match m.0 % 7 {
            0 => Err(HandlerError::new("a multiple of seven")),
            _ => Ok(()),
        }
    }
}

/// Panics once and for all.
#[derive(Debug, Handler)]
#[handler(id = 13, sends(Seen))]
pub(crate) struct Mortal(u64);

impl Handle<Seen> for Mortal {
    fn handle(&mut self, _: &Seen, out: &mut Outbox<'_, Self>) -> Result {
        self.0 += 1;
        assert!(self.0 < 30, "it was old");
        out.send(&Seen(self.0, Vec::new()))
    }
}

/// Sends in each turn, in changing moods; and answers numbers in good mood.
#[derive(Debug, Handler)]
#[handler(id = 14, sends(Moody), lifecycle)]
pub(crate) struct Idler(Arc<AtomicBool>, u64);

impl Lifecycle for Idler {
    fn on_loop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        self.1 += 1;
        out.send(&Moody(Mood::Good))?;
        if !self.0.load(Ordering::Relaxed) {
            out.send(&Moody(Mood::Awful(Arc::clone(&self.0))))?;
        }
        match self.1 {
            ..5 => out.send(&Moody(Mood::Bad)),
            _ => Ok(()),
        }
    }
}

impl Handle<Number> for Idler {
    fn handle(&mut self, _: &Number, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Moody(Mood::Good))
    }
}

/// What is not the journal's to know.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    awful: Arc<AtomicBool>,
    long: usize,
}

messenger! {
    pub(crate) Trouble(world: World);
    outside: [ Main ]
    Restarting (on_panic = restart(2, per = Duration::from_micros(1))):
        handlers: [ fragile: Fragile = Fragile { seen: 0, long: world.long } ]
        routes: [ Main, Number: [fragile] ]
    Dying (on_panic = stop_worker):
        handlers: [ mortal: Mortal = Mortal(0) ]
        routes: [ Fragile, Seen: [mortal] ]
    Idling (on_panic = restart(2, per = Duration::from_secs(60))):
        handlers: [ idler: Idler = Idler(world.awful.clone(), 0) ]
        routes: [ Main, Number: [idler] ]
    drop: [ Mortal, Seen; Idler, Moody ]
}

fn publish(app: &messenger::Running<Trouble>, numbers: std::ops::RangeInclusive<u64>) {
    let last = *numbers.end();
    let mut publisher = app.publisher::<Main>().unwrap();
    let mut seen = app.subscribe_gating::<(Seen,)>(Start::Newest).unwrap();
    for number in numbers {
        publisher.send(&Number(number)).unwrap();
    }
    // Since it was made after the last tenth number.
    while seen.receive().unwrap().unwrap().0 != last % 10 {}
}

fn replayed(dir: &Dir, world: &World) -> Replayed {
    let reader = Reader::open(dir).unwrap();
    let replayed = Trouble::builder(&reader, world.clone()).replay(Replay::all());
    replayed.unwrap()
}

#[test]
fn policies_apply_again_as_they_did() {
    let dir = Dir::new("policies");
    let journal = dir.open(small());
    let world = World::default();
    let app = Trouble::builder(&journal, world.clone()).run().unwrap();
    publish(&app, 1..=35);
    while app.counters()[1].panics == 0 {
        std::thread::yield_now();
    }
    let report = app.stop().unwrap();
    let (restarts, panics) = (report.workers[0].restarts, report.workers[1].panics);
    assert_eq!((restarts, panics), (3, 1), "{report}");
    assert_eq!(report.workers[2].restarts, 1, "{report}");
    assert!(report.workers[2].errors > 0, "{report}");

    let replay = replayed(&dir, &world);
    assert!(replay.is_exact(), "{replay}");
    assert!(replay.unrecorded.is_empty(), "{replay}");
    assert_eq!(replay.workers[0].restarts, 3);
    assert_eq!(replay.workers[0].errors, report.workers[0].errors);
    let texts = |worker: &str, failures: &[messenger::Failure]| -> Vec<String> {
        let failures = failures.iter().filter(|it| it.worker == worker);
        failures.map(ToString::to_string).collect()
    };
    for worker in ["Restarting", "Dying"] {
        let (then, now) = (
            texts(worker, &report.failures),
            texts(worker, &replay.failures),
        );
        assert_eq!(then, now);
        assert!(!now.is_empty());
    }

    // The dead stay dead, all others go on.
    let before = all::<Seen>(&dir, 13).len();
    assert_eq!(before, 29);
    let app = Trouble::builder(&journal, world.clone()).restore().run();
    let app = app.unwrap();
    publish(&app, 36..=55);
    app.stop().unwrap();
    assert_eq!(all::<Seen>(&dir, 13).len(), 29);
    let replay = replayed(&dir, &world);
    assert!(replay.is_exact(), "{replay}");
}

#[test]
fn a_bounded_journal_is_restored_though_it_is_full() {
    let dir = Dir::new("bounded");
    let config = JournalConfig::new().segment_bytes(4096).bound(16 << 10);
    let journal = dir.open(config);
    let world = World {
        long: 700,
        ..World::default()
    };
    let only = [Trouble::RESTARTING];
    let holder = journal.bus().subscribe(Start::Oldest).unwrap();
    let app = Trouble::builder(&journal, world.clone()).only(only).run();
    app.unwrap().stop().unwrap();
    // So many inputs that the answers to them do not fit beside them.
    let mut main = journal.bus().publisher().unwrap();
    let tag = messenger::bus::Tag::new(Main::ID, Number::ID);
    let mut inputs = 0;
    let patience = Duration::from_millis(300);
    while main
        .send_timeout(tag, &1_u64.to_le_bytes(), patience)
        .is_ok()
    {
        inputs += 1;
    }
    drop(main);
    assert!(inputs > 200, "{inputs}");
    let app = Trouble::builder(&journal, world).only(only).restore().run();
    let app = app.unwrap();
    let mut seen = app.subscribe_gating::<(Seen,)>(Start::Oldest).unwrap();
    drop(holder);
    let mut count = 0;
    while count < inputs {
        let next = seen.receive().unwrap().unwrap();
        if next.0 > 0 {
            count += 1;
            assert_eq!(next.0, count);
        }
    }
    drop(seen);
    let report = app.stop().unwrap();
    assert_eq!(report.workers[0].unsent, 0, "{report}");
}

#[cfg(feature = "tokio")]
mod tasks {
    use messenger::{
        AsyncHandler, AsyncOutbox, HandleAsync, ReplayError, Running, StartError, messenger,
    };

    use super::*;

    #[derive(Debug, Handler)]
    #[handler(id = 15, sends(Seen))]
    pub(crate) struct Remote;

    impl AsyncHandler for Remote {}

    impl HandleAsync<Number> for Remote {
        async fn handle(&mut self, m: Number, out: &mut AsyncOutbox<Self>) -> Result {
            out.send(&Seen(m.0, Vec::new()))
        }
    }

    messenger! {
        pub(crate) Tasks;
        outside: [ Main ]
        Plain:
            handlers: [ fragile: Fragile = Fragile { seen: 0, long: 0 } ]
            routes: [ Main, Number: [fragile] ]
        Away:
            handlers: [ remote: async Remote = Remote ]
            routes: [ Main, Number: [remote] ]
        drop: [ Fragile, Seen; Remote, Seen ]
    }

    fn is_refused(error: &StartError) -> bool {
        let text = error.to_string();
        assert_eq!(
            text,
            "handler `remote` of worker `Away` is async: when its task sends is not for the journal to say, so the table can \
             be neither restored nor replayed; choose the other workers with `only`"
        );
        matches!(
            error,
            StartError::Async {
                handler: "remote",
                ..
            }
        )
    }

    #[test]
    fn tables_with_tasks_run_but_are_neither_restored_nor_replayed() {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.unwrap();
        let handle = runtime.handle().clone();
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let driver = std::thread::spawn(move || runtime.block_on(ended));
        let dir = Dir::new("tasks");
        let journal = dir.open(small());
        let build = || Tasks::builder(&journal).tokio(handle.clone());
        let app: Running<Tasks> = build().run().unwrap();
        let mut seen = app.subscribe_from::<(Seen,)>(Start::Oldest).unwrap();
        app.publisher::<Main>().unwrap().send(&Number(5)).unwrap();
        while seen.receive().unwrap().unwrap().0 != 5 {}
        app.stop().unwrap();
        assert!(is_refused(&build().restore().run().err().unwrap()));
        match build().replay(Replay::all()) {
            Err(ReplayError::Start(error)) => assert!(is_refused(&error)),
            other => panic!("{other:?}"),
        }
        let others = build().only([Tasks::PLAIN]).replay(Replay::all());
        assert!(others.unwrap().is_exact());
        build().only([Tasks::PLAIN]).restore().run().unwrap();
        drop(end);
        driver.join().unwrap().unwrap_err();
    }
}

#[test]
fn a_table_that_never_ran_there_may_be_run_over_a_journal() {
    let dir = Dir::new("new");
    let journal = dir.open(small());
    send(&journal, 1..=9);
    let replay = replayed(&dir, &World::default());
    assert!(replay.is_exact() && replay.compared == 0, "{replay}");
    // What the first worker would have sent; the others hear only what is on the journal.
    let sent = replay.unrecorded.iter();
    let sent = sent.filter(|it| it.act.source == Fragile::ID).count();
    assert_eq!(sent, 1 + 9);
    assert!(
        replay
            .to_string()
            .contains("not in the journal: message `Seen` (12) from `Fragile`")
    );
    // Restored, it begins as in any run: the past is not published.
    let app = Trouble::builder(&journal, World::default()).restore().run();
    app.unwrap().stop().unwrap();
    let seen = all::<Seen>(&dir, 12);
    assert_eq!(seen.len(), 1, "{seen:?}");
}
