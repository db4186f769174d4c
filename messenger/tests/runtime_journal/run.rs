//! Running on a journal, stopping, going on.

use std::time::Duration;

use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
use messenger::journal::{Journal, JournalConfig, JournalFault, Reader};
use messenger::{Replay, ReplayError, StartError};

use super::kit::{Dir, small};
use super::table::*;

#[test]
fn a_table_runs_on_a_journal_and_its_schema_is_kept() {
    let dir = Dir::new("runs");
    let journal = dir.open(small());
    let config = Config {
        ticks: 20,
        idles: true,
        ..Config::default()
    };
    let app = sums(&journal, &config).run().unwrap();
    publish(&app, 1..=200, 200);
    let report = app.stop().unwrap();
    assert!(report.failures.is_empty(), "{report}");
    check_sums(&dir, 200);
    let kept = journal.schema();
    assert!(kept.table("Sums").is_some());
    assert_eq!(kept.message(MessageId::new(3)).unwrap().name, "Sum");
    assert_eq!(kept.source(SourceId::new(5)).unwrap().name, "Judge");
    journal.close().unwrap();
    assert!(Reader::open(&dir).unwrap().schema().table("Sums").is_some());
}

/// A table in which an id means something else.
mod other {
    use messenger::{Handle, Handler, Outbox, Result, messenger};

    use super::{Main, Number};

    #[derive(Debug, Handler)]
    #[handler(id = 3)]
    pub(crate) struct Another;

    impl Handle<Number> for Another {
        fn handle(&mut self, _: &Number, _: &mut Outbox<'_, Self>) -> Result {
            Ok(())
        }
    }

    messenger! {
        pub(crate) Others;
        outside: [ Main ]
        One:
            handlers: [ another: Another = Another ]
            routes: [ Main, Number: [another] ]
    }
}

#[test]
fn a_table_that_contradicts_the_schema_does_not_run() {
    let dir = Dir::new("conflict");
    let journal = dir.open(small());
    other::Others::builder(&journal)
        .run()
        .unwrap()
        .stop()
        .unwrap();
    let refused = sums(&journal, &Config::default()).run();
    match refused {
        Err(StartError::Journal(error)) => {
            assert!(matches!(error.fault(), JournalFault::Conflict(_)));
            let text = error.to_string();
            let path = dir.display().to_string();
            assert!(text.contains(&path), "{text}");
            assert!(text.contains("Another") && text.contains("Adder"), "{text}");
        }
        other => panic!("{other:?}"),
    }
    let reader = Reader::open(&dir).unwrap();
    let refused = Sums::builder(&reader, Config::default()).replay(Replay::all());
    assert!(
        matches!(refused, Err(ReplayError::Conflict(_))),
        "{refused:?}"
    );
}

#[test]
fn what_has_no_journal_is_neither_resumed_nor_restored_nor_replayed() {
    let bus = || Bus::new(BusConfig::bytes(1 << 16)).unwrap();
    let builder = || Sums::builder(bus(), Config::default());
    for (refused, what) in [
        (builder().resume().run().err().unwrap(), "resumed"),
        (builder().restore().run().err().unwrap(), "restored"),
    ] {
        assert!(matches!(refused, StartError::NotKept { .. }));
        let said = format!(
            "only on a journal in files can a table be {what}: give `builder` a `&Journal` that was opened with a path, \
             or a `&SharedBus` whose records lie in one"
        );
        assert_eq!(refused.to_string(), said);
    }
    let refused = builder().replay(Replay::all());
    assert!(
        matches!(
            refused,
            Err(ReplayError::Start(StartError::NotKept { what: "replayed" }))
        ),
        "{refused:?}"
    );
    let journal = Journal::in_memory(small()).unwrap();
    let refused = sums(&journal, &Config::default()).restore().run();
    assert!(matches!(refused, Err(StartError::NotKept { .. })));
    let app = sums(&journal, &Config::default()).run().unwrap();
    publish(&app, 1..=10, 10);
    app.stop().unwrap();

    let dir = Dir::new("read-only");
    drop(dir.open(small()));
    let reader = Reader::open(&dir).unwrap();
    let refused = Sums::builder(&reader, Config::default()).run();
    let refused = refused.unwrap_err();
    assert!(matches!(refused, StartError::ReadOnly { .. }));
    assert_eq!(
        refused.to_string(),
        format!(
            "nothing runs on a reader of the journal in {}: open it as a `Journal`, or replay it",
            dir.display()
        )
    );
}

#[test]
fn on_a_bus_in_memory_the_clock_and_random_numbers_are_the_systems() {
    let bus = Bus::new(BusConfig::bytes(1 << 16)).unwrap();
    let before = std::time::SystemTime::now();
    let app = Sums::builder(bus, Config::default()).run().unwrap();
    let mut sums = app.subscribe_gating::<(Sum,)>(Start::Newest).unwrap();
    let mut publisher = app.publisher::<Main>().unwrap();
    let mut tokens = std::collections::HashSet::new();
    for n in 1..=20 {
        publisher.send(&Number(n)).unwrap();
        let sum = sums.receive().unwrap().unwrap();
        tokens.insert(sum.token);
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_nanos(sum.nanos);
        assert!(at >= before && at <= std::time::SystemTime::now());
    }
    assert_eq!(tokens.len(), 20);
    drop(sums);
    app.stop().unwrap();
}

#[test]
fn a_resumed_run_handles_each_record_once_after_a_stop() {
    let dir = Dir::new("resumed");
    let mut handled = Vec::new();
    for round in 0..4_u64 {
        let journal = dir.open(small());
        let config = Config::default();
        // What is published while nothing runs is found by the next run.
        let mut main = journal.bus().publisher().unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        if round > 0 {
            main.send(tag, &(round * 10 + 9).to_le_bytes()).unwrap();
        }
        let app = sums(&journal, &config)
            .only([Sums::SQUARING])
            .resume()
            .run()
            .unwrap();
        let mut publisher = app.publisher::<Main>().unwrap();
        for number in round * 10 + 1..=round * 10 + 5 {
            publisher.send(&Number(number)).unwrap();
        }
        drop(publisher);
        app.stop().unwrap();
        drop(main);
        if round > 0 {
            handled.push((round * 10 + 9) * (round * 10 + 9));
        }
        handled.extend((round * 10 + 1..=round * 10 + 5).map(|n| n * n));
        let cursors = journal.cursors().unwrap();
        assert_eq!(cursors.len(), 1);
        assert_eq!(cursors[0].name, "Sums.Squaring");
        journal.close().unwrap();
        let squares = all::<Square>(&dir, 2).into_iter().map(|it| it.1.0);
        let squares: Vec<u64> = squares.filter(|&square| square > 0).collect();
        assert_eq!(squares, handled);
    }
}

#[test]
fn what_stands_behind_a_record_over_which_a_run_stopped_is_for_the_next() {
    let dir = Dir::new("stopped-short");
    let journal = dir.open(JournalConfig::new().segment_bytes(1 << 16));
    send(&journal, 1..=100);
    let run = |panics| {
        let config = Config {
            panics,
            ..Config::default()
        };
        let app = sums(&journal, &config).only([Sums::SQUARING]);
        app.start(Start::Oldest).resume().run().unwrap()
    };
    let failed = run(Some(5)).join().unwrap_err();
    assert_eq!(failed.report().workers[0].orphaned, 0);
    run(None).stop().unwrap();
    let squares = all::<Square>(&dir, 2).into_iter().map(|it| it.1.0);
    let expected = (1..=100).filter(|&n| n != 5).map(|n| n * n);
    assert!(squares.filter(|&square| square > 0).eq(expected));
}

#[test]
fn a_cursor_that_was_never_stored_says_where_the_worker_began() {
    let dir = Dir::new("never-stored");
    // A note of the time would stand between the tail and where the worker begins.
    let journal = dir.open(small().time_resolution(Duration::ZERO));
    send(&journal, 1..=10);
    let tail = journal.bus().tail();
    let app = sums(&journal, &Config::default()).only([Sums::SQUARING]);
    let app = app.resume().run().unwrap();
    let file = std::fs::read(dir.join("cursors/Sums.Squaring")).unwrap();
    app.stop().unwrap();
    // What has been flushed when it was made, whatever else a loss of power leaves: the first slot, at 40 its position.
    let first = u64::from_le_bytes(file[40..48].try_into().unwrap());
    assert_eq!(first, tail);
}

/// Else a worker could send before it is noted down of another that it runs. Killed then, that one would be new to who restores the table.
#[test]
fn nothing_starts_before_all_that_begins_stands_in_the_journal() {
    let dir = Dir::new("beginning");
    let config = JournalConfig::new().segment_bytes(1 << 16).bound(4096);
    let journal = dir.open(config.time_resolution(Duration::ZERO));
    let mut reader = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut other = journal.bus().publisher().unwrap();
    let tag = Tag::new(SourceId::new(9), MessageId::new(9));
    while other.try_send(tag, b"").is_ok() {}
    let config = Config::default();
    let patience = Duration::from_millis(50);
    let refused = sums(&journal, &config).patience(patience).run();
    let error = refused.unwrap_err();
    assert!(matches!(error, StartError::Unnoted { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains("the worker `") && text.contains("has no room"),
        "{text}"
    );
    std::thread::scope(|scope| {
        let starts = scope.spawn(|| sums(&journal, &config).run().unwrap());
        std::thread::sleep(patience);
        assert!(!starts.is_finished());
        while reader.poll(256, |_| {}).unwrap() > 0 {}
        drop(reader);
        starts.join().unwrap().stop().unwrap();
    });
    check_sums(&dir, 0);
}

#[test]
fn a_start_does_not_wait_for_room_that_the_run_itself_has_to_make() {
    let bounded = JournalConfig::new().segment_bytes(1 << 16).bound(4096);
    let bounded = bounded.time_resolution(Duration::ZERO);
    let config = Config::default();
    let fill = |journal: &Journal| {
        let mut main = journal.bus().publisher().unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        let full = (1_u64..).find(|number| main.try_send(tag, &number.to_le_bytes()).is_err());
        full.unwrap()
    };
    // All workers have what fills it still to read.
    let dir = Dir::new("own-room");
    let journal = dir.open(bounded);
    let held = journal.bus().subscribe(Start::Oldest).unwrap();
    let full = fill(&journal);
    let app = sums(&journal, &config).start(Start::Oldest).run().unwrap();
    drop(held);
    while all::<Square>(&dir, 2).len() < full as usize {}
    app.stop().unwrap();
    // One is restored, and what is held meanwhile is let go of before the beginning of the others is noted down.
    let dir = Dir::new("own-room");
    let journal = dir.open(bounded);
    let held = journal.bus().subscribe(Start::Oldest).unwrap();
    let app = sums(&journal, &config).only([Sums::SQUARING]);
    app.run().unwrap().stop().unwrap();
    fill(&journal);
    std::thread::scope(|scope| {
        let starts = scope.spawn(|| sums(&journal, &config).restore().run().unwrap());
        while journal.bus().stats().subscribers.len() < 2 {}
        drop(held);
        starts.join().unwrap().stop().unwrap();
    });
}

#[test]
fn without_a_cursor_a_resumed_worker_begins_where_it_is_told() {
    let dir = Dir::new("first-resumed");
    let journal = dir.open(JournalConfig::new().segment_bytes(1 << 16));
    send(&journal, [7]);
    let app = sums(&journal, &Config::default())
        .start(Start::Oldest)
        .resume()
        .run()
        .unwrap();
    publish(&app, [], 1);
    app.stop().unwrap();
    let squares: Vec<u64> = all::<Square>(&dir, 2).iter().map(|it| it.1.0).collect();
    assert_eq!(squares, [0, 49]);
}

#[test]
fn a_worker_runs_once_on_a_journal_and_is_restored() {
    let dir = Dir::new("once");
    let config = Config {
        ticks: 3,
        ..Config::default()
    };
    {
        let journal = dir.open(small());
        let app = sums(&journal, &config).run().unwrap();
        let again = [
            sums(&journal, &config).run(),
            sums(&journal, &config).resume().run(),
            sums(&journal, &config).restore().run(),
            Sums::builder(journal.bus().clone(), config.clone()).run(),
        ];
        for refused in again {
            let error = refused.unwrap_err();
            assert!(matches!(error, StartError::WorkerRuns { .. }), "{error}");
        }
        // The refused have left no cursor.
        assert!(journal.cursors().unwrap().is_empty());
        publish(&app, 1..=20, 20);
        // Whoever may stop it still does not hold it.
        let stopper = app.stopper();
        app.stop().unwrap();
        journal.close().unwrap();
        stopper.stop();
    }
    let journal = dir.open(small());
    let app = sums(&journal, &config).restore().run().unwrap();
    publish(&app, 21..=40, 40);
    app.stop().unwrap();
    check_sums(&dir, 40);
}
