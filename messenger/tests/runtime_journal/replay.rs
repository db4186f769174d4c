//! Replays: equal, and each kind of divergence.

use std::time::{Duration, Instant, SystemTime};

use messenger::bus::{ClaimError, Tag};
use messenger::journal::{Journal, JournalConfig, Reader, Retention};
use messenger::{ActKind, Divergence, Handler, Message, Replay, ReplayError, Replayed, StartError};

use super::kit::{Dir, small};
use super::log::Log;
use super::table::*;
use super::until::until;

const COUNT: u64 = 120;

/// A journal on which the table has run.
fn recorded(name: &str, config: &Config) -> (Dir, Journal) {
    let dir = Dir::new(name);
    let journal = dir.open(small());
    let app = sums(&journal, config).run().unwrap();
    publish(&app, 1..=COUNT, COUNT);
    app.stop().unwrap();
    (dir, journal)
}

fn busy() -> Config {
    Config {
        ticks: 30,
        idles: true,
        ..Config::default()
    }
}

fn replay(dir: &Dir, config: &Config, replay: Replay) -> Replayed {
    let reader = Reader::open(dir).unwrap();
    Sums::builder(&reader, config.clone())
        .replay(replay)
        .unwrap()
}

fn first(dir: &Dir, config: &Config) -> Divergence {
    let replayed = replay(dir, config, Replay::all());
    assert_eq!(replayed.divergences.len(), 1, "{replayed}");
    replayed.divergences[0].clone()
}

#[test]
fn an_unchanged_table_does_the_same_again() {
    let (dir, journal) = recorded("equal", &busy());
    // While it is open for writing, and from the journal itself.
    for _ in 0..2 {
        let log = Log::default();
        let config = Config {
            log: log.clone(),
            ..busy()
        };
        let replayed = replay(&dir, &config, Replay::all());
        assert!(replayed.is_exact(), "{replayed}");
        assert!(replayed.unrecorded.is_empty(), "{replayed}");
        let ticks = all::<Tick>(&dir, 4).len() as u64;
        // Squares and that of the start, sums with two values each, ticks with their timers.
        assert_eq!(replayed.compared, COUNT + 1 + 3 * COUNT + 2 * ticks);
        let lines = log.lines();
        let sums = lines.iter().filter(|line| line.starts_with("sum "));
        assert_eq!(sums.count() as u64, COUNT);
        assert!(!lines.iter().any(|line| line.starts_with("first ")));
        assert!(lines.contains(&"squarer starts".to_owned()));
        assert!(lines.contains(&"squarer stops".to_owned()));
    }
    let before = journal.bus().tail();
    let replayed = Sums::builder(&journal, busy()).replay(Replay::all());
    assert!(replayed.unwrap().is_exact());
    // But for a note of the time, at the most.
    assert!(journal.bus().tail() <= before + 64, "it publishes nothing");
    journal.close().unwrap();
    assert!(replay(&dir, &busy(), Replay::all()).is_exact());
}

#[test]
fn other_bytes_are_a_divergence() {
    let (dir, _journal) = recorded("bytes", &busy());
    let config = Config {
        shift: Some(50),
        ..busy()
    };
    let at = all::<Square>(&dir, 2)
        .iter()
        .find(|it| it.1.0 == 2500)
        .unwrap()
        .0;
    let Divergence {
        worker,
        position,
        input,
        recorded,
        sent,
        ..
    } = first(&dir, &config);
    assert_eq!((worker, position), ("Squaring", at));
    let inputs = all::<Number>(&dir, 1);
    let asked = inputs.iter().find(|it| it.1.0 == 50).unwrap().0;
    assert_eq!(input, asked);
    let recorded = recorded.unwrap();
    assert_eq!(recorded.source_name, "Squarer");
    assert!(
        matches!(recorded.kind, ActKind::Message { id, name: "Square" } if id.get() == 2),
        "{recorded:?}"
    );
    assert_eq!(recorded.bytes, 2500_u64.to_le_bytes());
    let sent = sent.unwrap();
    assert_eq!(sent.bytes, 2501_u64.to_le_bytes());
    let text = first(&dir, &config).to_string();
    assert_eq!(
        text,
        format!(
            "this build diverges at position {at} (worker `Squaring`, after the record at {input}): the journal has \
             message `Square` (2) from `Squarer`, 8 bytes [c409000000000000]; now it has 8 bytes [c509000000000000]"
        )
    );
    // All of them, if asked for: only those of the squarer differ, since the others are told what is recorded.
    let all = replay(&dir, &config, Replay::all().divergences(1000));
    assert_eq!(all.divergences.len() as u64, COUNT - 49, "{all}");
    assert!(
        all.divergences
            .windows(2)
            .all(|w| w[0].position < w[1].position)
    );
    assert!(all.divergences.iter().all(|it| it.worker == "Squaring"));
    // None of them before it.
    let before = replay(&dir, &config, Replay::all().to(input));
    assert!(before.is_exact(), "{before}");
    let later = replay(&dir, &config, Replay::all().from(at + 1));
    assert!(later.divergences[0].position > at);
}

#[test]
fn another_message_a_missing_one_and_one_too_many_are_divergences() {
    let (dir, _journal) = recorded("others", &busy());
    let recorded_at = |n: u64| {
        let squares = all::<Square>(&dir, 2);
        squares.iter().find(|it| it.1.0 == n * n).unwrap().0
    };
    let other = first(
        &dir,
        &Config {
            other: Some(30),
            ..busy()
        },
    );
    assert_eq!(other.position, recorded_at(30));
    let sent = other.sent.as_ref().unwrap();
    assert!(matches!(sent.kind, ActKind::Message { name: "Tick", .. }));
    assert!(
        other.to_string().contains("now it has message `Tick` (4)"),
        "{other}"
    );

    let silent = Config {
        silent: Some(31),
        ..busy()
    };
    let missing = first(&dir, &silent);
    assert_eq!(missing.position, recorded_at(31));
    let recorded = missing.recorded.as_ref().unwrap();
    assert_eq!(recorded.bytes, (31_u64 * 31).to_le_bytes());
    assert!(
        missing.sent.is_none()
            || missing.sent.as_ref().unwrap().bytes == (32_u64 * 32).to_le_bytes()
    );

    let twice = Config {
        twice: Some(32),
        ..busy()
    };
    let extra = first(&dir, &twice);
    assert_eq!(extra.position, recorded_at(33), "there it is one too late");
    assert_eq!(extra.sent.unwrap().bytes, (32_u64 * 32).to_le_bytes());
    // After it both sides are the same again.
    let found = replay(&dir, &twice, Replay::all().divergences(100));
    assert_eq!(found.divergences.len(), 1, "{found}");
    assert!(found.unrecorded.is_empty(), "{found}");

    // The last one is in nobody's place; the worker ended when it had answered that input.
    let last = Config {
        twice: Some(COUNT),
        ..busy()
    };
    let extra = first(&dir, &last);
    let asked = all::<Number>(&dir, 1).last().unwrap().0;
    assert_eq!((extra.position, extra.input), (asked, asked));
    assert_eq!(extra.recorded, None);
    assert_eq!(extra.sent.unwrap().bytes, (COUNT * COUNT).to_le_bytes());
}

#[test]
fn recorded_speed_takes_its_time() {
    let dir = Dir::new("speed");
    let journal = dir.open(JournalConfig::new().segment_bytes(1 << 16));
    let app = sums(&journal, &Config::default()).run().unwrap();
    let mut publisher = app.publisher::<Main>().unwrap();
    let mut sent = Vec::new();
    for n in 1..=10 {
        let position = publisher.send(&Number(n)).unwrap();
        sent.push(Instant::now());
        // Until the keeper has noted the time, however busy the machine is.
        until("a note", || {
            journal.position_at(SystemTime::now()).unwrap() > position
        });
        std::thread::sleep(Duration::from_millis(30));
    }
    let took = sent[9] - sent[0];
    drop(publisher);
    app.stop().unwrap();
    let timed = |replay: Replay| {
        let reader = Reader::open(&dir).unwrap();
        let begun = Instant::now();
        let replayed = Sums::builder(&reader, Config::default()).replay(replay);
        assert!(replayed.unwrap().is_exact());
        begun.elapsed()
    };
    let recorded = timed(Replay::all().speed(1.0));
    assert!(recorded >= took / 2, "{recorded:?} of {took:?}");
    for faster in [Replay::all().speed(4.0), Replay::all()] {
        // A busy machine may hold it up, but not each time.
        let mut times = (0..10).map(|_| timed(faster));
        assert!(times.any(|took| took < recorded), "{recorded:?}");
    }
    for wrong in [0.0, -1.0, f64::NAN] {
        let refused = Sums::builder(&journal, Config::default()).replay(Replay::all().speed(wrong));
        let refused = refused.unwrap_err();
        assert!(matches!(refused, ReplayError::Speed(_)), "{refused}");
        assert_eq!(
            refused.to_string(),
            format!(
                "{wrong} is no speed: 1.0 is that of then, 10.0 ten times that; leave it out to go as fast as it goes"
            )
        );
    }
}

#[test]
fn a_range_behind_the_end_is_refused() {
    let (dir, journal) = recorded("ahead", &Config::default());
    // Else its keeper may note the time meanwhile, and the end moves.
    journal.close().unwrap();
    let newest = Reader::open(&dir).unwrap().newest().unwrap();
    let none = replay(&dir, &Config::default(), Replay::all().from(newest));
    assert!(none.is_exact() && none.compared == 0, "{none}");
    let reader = Reader::open(&dir).unwrap();
    let ahead = Replay::all().from(newest + 16);
    let refused = Sums::builder(&reader, Config::default()).replay(ahead);
    assert_eq!(
        refused.unwrap_err().to_string(),
        format!(
            "the journal in {}: position {} lies ahead of the journal, which ends at {newest}: it is one of another journal, or of an end that this one has lost; open that one, or take a position up to {newest}",
            dir.display(),
            newest + 16
        )
    );
}

#[test]
fn handlers_are_made_anew_where_they_were() {
    let dir = Dir::new("lives");
    for round in 0..3 {
        let journal = dir.open(small());
        let app = sums(&journal, &busy()).run().unwrap();
        let mut publisher = app.publisher::<Main>().unwrap();
        for n in 1..=20 + round {
            publisher.send(&Number(n)).unwrap();
        }
        drop(publisher);
        app.stop().unwrap();
    }
    let log = Log::default();
    let config = Config {
        log: log.clone(),
        ..busy()
    };
    let replayed = replay(&dir, &config, Replay::all());
    assert!(replayed.is_exact(), "{replayed}");
    let starts = log
        .lines()
        .iter()
        .filter(|it| *it == "squarer starts")
        .count();
    assert_eq!(starts, 3);
}

#[test]
fn a_life_is_left_out_whose_first_records_are_given_up() {
    let dir = Dir::new("given-up");
    let journal = dir.open(small().retain(Retention::all()));
    let squares = || sums(&journal, &Config::default()).only([Sums::SQUARING]);
    let run = || squares().resume().run().unwrap().stop().unwrap();
    let mut main = journal.bus().publisher().unwrap();
    let mut send = |numbers: core::ops::RangeInclusive<u64>| {
        for n in numbers {
            let tag = messenger::bus::Tag::new(Main::ID, Number::ID);
            main.send(tag, &n.to_le_bytes()).unwrap();
        }
        journal.bus().tail()
    };
    let _ = run();
    // It goes on at the first of these, and says after them that it has begun.
    let begun = send(1..=1000);
    let _ = run();
    assert!(journal.trim(begun).unwrap() > 0);
    let reader = Reader::open(&dir).unwrap();
    let again = || {
        let builder = Sums::builder(&reader, Config::default());
        builder.only([Sums::SQUARING]).replay(Replay::all())
    };
    let refused = again();
    assert!(
        matches!(refused, Err(ReplayError::Start(StartError::Cut { .. }))),
        "{refused:?}"
    );
    send(1..=10);
    let _ = run();
    let replayed = again().unwrap();
    assert!(replayed.is_exact(), "{replayed}");
    assert_eq!(replayed.compared, 11);
}

#[test]
fn failures_are_reported_again_and_stop_nothing() {
    let dir = Dir::new("failures");
    let journal = dir.open(small());
    let config = Config {
        errs: Some(3),
        panics: Some(7),
        ..Config::default()
    };
    let app = sums(&journal, &config).run().unwrap();
    let mut publisher = app.publisher::<Main>().unwrap();
    for n in 1..=20 {
        // The panic may have stopped it.
        let _ = publisher.send(&Number(n));
    }
    drop(publisher);
    let failed = app.join().unwrap_err();
    let live: Vec<_> = failed
        .report()
        .failures
        .iter()
        .map(|it| it.record)
        .collect();
    let replayed = replay(&dir, &config, Replay::all());
    assert!(replayed.is_exact(), "{replayed}");
    let again: Vec<_> = replayed.failures.iter().map(|it| it.record).collect();
    assert_eq!(again, live);
    assert_eq!(again.len(), 2);
}

#[test]
fn a_journal_is_replayed_while_the_table_runs_on_it() {
    let dir = Dir::new("meanwhile");
    let journal = dir.open(small());
    let app = sums(&journal, &busy()).run().unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 1..=400 {
                publish(&app, [n], n);
            }
            done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        let mut replays = 0;
        while !done.load(std::sync::atomic::Ordering::Relaxed) || replays == 0 {
            let replayed = replay(&dir, &busy(), Replay::all());
            assert!(replayed.is_exact(), "{replayed}");
            replays += 1;
        }
    });
    app.stop().unwrap();
    assert!(replay(&dir, &busy(), Replay::all()).is_exact());
}

/// A table that learns how long a message may be.
mod long {
    use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
    use serde::{Deserialize, Serialize};

    use super::{Main, Number, Square};

    #[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
    #[message(id = 6, codec = bincode)]
    pub(crate) struct Long(pub(crate) Vec<u8>);

    #[derive(Debug, Handler)]
    #[handler(id = 6, sends(Long, Square))]
    pub(crate) struct Writer;

    impl Handle<Number> for Writer {
        fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
            match out.send(&Long(vec![6; m.0 as usize])) {
                Ok(()) => Ok(()),
                Err(_) => out.send(&Square(m.0)),
            }
        }
    }

    messenger! {
        pub(crate) Longs;
        outside: [ Main ]
        Writing:
            handlers: [ writer: Writer = Writer ]
            routes: [ Main, Number: [writer] ]
        drop: [ Writer, Long; Writer, Square ]
    }
}

/// How long a message may be is a matter of the bound, which may be another each time.
#[test]
fn what_was_too_long_then_is_so_again() {
    let dir = Dir::new("long");
    let mut compared = 0;
    let mut run = |bound: Option<u64>| {
        let config = JournalConfig::new().segment_bytes(1 << 16);
        let journal = dir.open(bound.map_or(config, |bound| config.bound(bound)));
        let app = long::Longs::builder(&journal).restore().run().unwrap();
        let mut publisher = app.publisher::<Main>().unwrap();
        for len in [10, 1500, 3000, 10_000, 20_000] {
            publisher.send(&Number(len)).unwrap();
        }
        drop(publisher);
        app.stop().unwrap();
        compared += 5;
        let replayed = long::Longs::builder(&Reader::open(&dir).unwrap());
        let replayed = replayed.replay(Replay::all()).unwrap();
        assert!(replayed.is_exact(), "{replayed}");
        assert_eq!(replayed.compared, compared);
        all::<long::Long>(&dir, 6).len()
    };
    assert_eq!(run(Some(4096)), 1);
    assert_eq!(run(Some(8192)), 1 + 2);
    assert_eq!(run(None), 1 + 2 + 4);
    assert_eq!(run(Some(4096)), 1 + 2 + 4 + 1);
    // What could be sent, and is not out yet, wants the same bound again.
    assert_eq!(run(Some(8192)), 8 + 2);
    let config = JournalConfig::new().segment_bytes(1 << 16);
    let unsent = dir.open(config);
    let mut main = unsent.bus().publisher().unwrap();
    main.send(Tag::new(Main::ID, Number::ID), &1500_u64.to_le_bytes())
        .unwrap();
    drop((main, unsent));
    let shorter = dir.open(config.bound(4096));
    let error = long::Longs::builder(&shorter).restore().run().unwrap_err();
    let StartError::Unnoted { error: refused, .. } = error else {
        panic!("{error}");
    };
    assert!(
        matches!(
            refused,
            ClaimError::TooLarge {
                len: 1508,
                max: 1024
            }
        ),
        "{refused}"
    );
    drop(shorter);
    let journal = dir.open(config.bound(8192));
    let app = long::Longs::builder(&journal).restore().run().unwrap();
    app.stop().unwrap();
    assert_eq!(all::<long::Long>(&dir, 6).len(), 8 + 2 + 1);
}
