//! Restoring: in one process, with stops in between.

use messenger::bus::Start;
use messenger::journal::{JournalConfig, Retention};
use messenger::{App, Replay, StartError};

use super::kit::{Dir, small};
use super::log::Log;
use super::table::*;
use super::until::until;

#[test]
fn a_restored_table_goes_on_as_if_it_had_not_been_stopped() {
    let dir = Dir::new("restored");
    let log = Log::default();
    let config = Config {
        log: log.clone(),
        ticks: 300,
        idles: true,
        ..Config::default()
    };
    for round in 0..5 {
        let journal = dir.open(small());
        let app = sums(&journal, &config).restore().run().unwrap();
        publish(&app, round * 40 + 1..=round * 40 + 40, round * 40 + 40);
        until("a tick", || !all::<Tick>(&dir, 4).is_empty());
        app.stop().unwrap();
        journal.close().unwrap();
    }
    check_sums(&dir, 200);
    let first: Vec<String> = log.lines();
    let first = first.iter().filter_map(|line| line.strip_prefix("first "));
    let first: Vec<u64> = first.map(|count| count.parse().unwrap()).collect();
    assert!(first.windows(2).all(|w| w[0] < w[1]), "{first:?}");
    assert_eq!(first.first(), Some(&1));
    let ticks: Vec<u64> = all::<Tick>(&dir, 4).iter().map(|it| it.1.number).collect();
    assert!(ticks.iter().zip(1..).all(|(&n, expected)| n == expected));
    let reader = messenger::journal::Reader::open(&dir).unwrap();
    let replayed = Sums::builder(&reader, config)
        .replay(Replay::all())
        .unwrap();
    assert!(replayed.is_exact(), "{replayed}");
    assert!(replayed.unrecorded.is_empty(), "{replayed}");
}

#[test]
fn what_was_not_handled_before_the_stop_is_handled_after_it() {
    let config = Config::default();
    let mut stopped = None;
    // The workers may have been quicker.
    until("a stop in the middle", || {
        let dir = Dir::new("late");
        let journal = dir.open(small());
        let app = sums(&journal, &config).run().unwrap();
        let mut publisher = app.publisher::<Main>().unwrap();
        for n in 1..=100 {
            publisher.send(&Number(n)).unwrap();
        }
        drop(publisher);
        // The answers to what stood before it come too late for the next worker.
        let late = app.stop().unwrap().late();
        stopped = Some((journal, dir));
        late > 0
    });
    let (journal, dir) = stopped.unwrap();
    let app = sums(&journal, &config).restore().run().unwrap();
    publish(&app, [], 100);
    app.stop().unwrap();
    check_sums(&dir, 100);
}

#[test]
fn a_build_that_diverges_does_not_start_and_publishes_nothing() {
    let dir = Dir::new("diverges");
    let journal = dir.open(
        JournalConfig::new()
            .segment_bytes(1 << 16)
            .time_resolution(std::time::Duration::ZERO),
    );
    let config = Config::default();
    let app = sums(&journal, &config).restore().run().unwrap();
    publish(&app, 1..=50, 50);
    app.stop().unwrap();
    let tail = journal.bus().tail();
    let changed = Config {
        shift: Some(20),
        ..Config::default()
    };
    let refused = sums(&journal, &changed).restore().run();
    match &refused {
        Err(StartError::Diverged(divergence)) => {
            let recorded = divergence.recorded.as_ref().unwrap();
            assert_eq!(recorded.bytes, 400_u64.to_le_bytes());
            let text = refused.as_ref().unwrap_err().to_string();
            assert!(text.starts_with("this build diverges at "), "{text}");
            assert!(text.ends_with("or begin anew with `run()`"), "{text}");
            let same_build =
                "if this is that build, a handler goes by something that differs from run to run,";
            assert!(text.contains(same_build), "{text}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(journal.bus().tail(), tail);
    // The build of before goes on.
    let app = sums(&journal, &config).restore().run().unwrap();
    publish(&app, 51..=60, 60);
    app.stop().unwrap();
    check_sums(&dir, 60);
}

#[test]
fn a_run_that_is_not_restored_begins_anew_and_is_what_is_restored_next() {
    let dir = Dir::new("anew");
    let journal = dir.open(small());
    let config = Config::default();
    for _ in 0..2 {
        let app = sums(&journal, &config).run().unwrap();
        let mut publisher = app.publisher::<Main>().unwrap();
        for n in 1..=10 {
            publisher.send(&Number(n)).unwrap();
        }
        drop(publisher);
        app.stop().unwrap();
    }
    let app = sums(&journal, &config).restore().run().unwrap();
    let mut sums = app.subscribe_from::<(Sum,)>(Start::Oldest).unwrap();
    app.publisher::<Main>().unwrap().send(&Number(11)).unwrap();
    let last = loop {
        let sum = sums.receive().unwrap().unwrap();
        if sum.count == 11 {
            break sum.sum;
        }
    };
    assert_eq!(last, (1..=11).map(|n| n * n).sum::<u64>());
    app.stop().unwrap();
}

#[test]
fn a_stop_that_a_handler_asked_for_is_not_asked_for_again() {
    let dir = Dir::new("stops");
    let journal = dir.open(small());
    let config = Config {
        stops: Some(10),
        ..Config::default()
    };
    let app = sums(&journal, &config).restore().run().unwrap();
    let mut publisher = app.publisher::<Main>().unwrap();
    (1..=10).for_each(|n| drop(publisher.send(&Number(n))));
    drop(publisher);
    app.join().unwrap();
    let app = sums(&journal, &config).restore().run().unwrap();
    assert!(!app.is_stopping());
    publish(&app, 11..=20, 20);
    app.stop().unwrap();
    check_sums(&dir, 20);
}

#[test]
fn what_stops_a_run_stops_its_restoring() {
    let dir = Dir::new("panics");
    let journal = dir.open(small());
    let config = Config {
        panics: Some(5),
        ..Config::default()
    };
    let app = sums(&journal, &config).run().unwrap();
    let mut publisher = app.publisher::<Main>().unwrap();
    (1..=5).for_each(|n| drop(publisher.send(&Number(n))));
    drop(publisher);
    app.join().unwrap_err();
    match sums(&journal, &config).restore().run() {
        Err(StartError::Failed(failure)) => {
            assert_eq!(failure.handler, Some("squarer"));
            assert!(failure.to_string().contains("number 5"), "{failure}");
        }
        other => panic!("{other:?}"),
    }
    // With the mistake mended, it goes on with the input at fault.
    let app = sums(&journal, &Config::default()).restore().run().unwrap();
    publish(&app, 6..=9, 9);
    app.stop().unwrap();
    check_sums(&dir, 9);
}

#[test]
fn a_past_that_is_not_retained_is_refused() {
    let dir = Dir::new("cut");
    let journal = dir.open(small().retain(Retention::all()));
    let config = Config::default();
    let app = sums(&journal, &config).run().unwrap();
    publish(&app, 1..=200, 200);
    app.stop().unwrap();
    let oldest = journal.trim(journal.bus().tail()).unwrap();
    assert!(oldest > 0);
    match sums(&journal, &config).restore().run() {
        Err(error @ StartError::Cut { oldest: at, .. }) => {
            assert_eq!(at, oldest);
            assert_eq!(
                error.to_string(),
                format!(
                    "what the handlers of worker `Squaring` were told first is not retained any more: the journal's oldest \
                     record stands at {oldest}; retain more, or begin anew with `run()`"
                )
            );
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_restored_takes_a_slot_more() {
    let dir = Dir::new("slots");
    let config = Config::default();
    let needs = 2 * Sums::INFO.workers.len();
    let open = |members| dir.open(small().members(members));
    sums(&open(needs), &config).run().unwrap();
    let error = sums(&open(needs), &config).restore().run().unwrap_err();
    let StartError::NoFreeSlot {
        needs: more,
        members,
    } = error
    else {
        panic!("{error}");
    };
    // One of them is the journal's own.
    assert_eq!((more, members), (needs + 1, needs + 1));
    sums(&open(needs + 1), &config).restore().run().unwrap();
}
