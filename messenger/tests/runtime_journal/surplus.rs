//! Handlers that send more than they did: what the journal shows to be new is a divergence, and not published.

use std::path::Path;

use messenger::bus::Start;
use messenger::journal::{Journal, Reader};
use messenger::{
    ActKind, Builder, Divergence, Handle, Handler, HandlerError, Message, Outbox, Replay, Replayed,
    Result, Running, StartError, messenger,
};
use serde::{Deserialize, Serialize};

use super::kit::{Dir, small};
use super::table::{Main, Number, all, send};

/// Something about a number.
#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 30, codec = bincode)]
pub(crate) struct Word(u64);

/// Says something about each number from one on; panics over 100 unless it is brave.
#[derive(Debug, Handler)]
#[handler(id = 30, sends(Word))]
pub(crate) struct Guard(Build);

impl Handle<Number> for Guard {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        assert!(self.0.brave || m.0 != 100, "too much");
        match m.0 >= self.0.loud_from {
            true => out.send(&Word(m.0)),
            false => Ok(()),
        }
    }
}

/// Says each number again, if it does.
#[derive(Debug, Handler)]
#[handler(id = 31, sends(Word))]
pub(crate) struct Clerk(bool);

impl Handle<Number> for Clerk {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        match self.0 {
            true => out.send(&Word(m.0)),
            false => Ok(()),
        }
    }
}

/// Stops its worker by a panic over 100 unless it is brave.
#[derive(Debug, Handler)]
#[handler(id = 32, sends(Word))]
pub(crate) struct Frail(Build);

impl Handle<Number> for Frail {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        assert!(self.0.brave || m.0 != 100, "too much");
        out.send(&Word(m.0))
    }
}

/// Stops the run by an error over 100 unless it is brave.
#[derive(Debug, Handler)]
#[handler(id = 34, sends(Word))]
pub(crate) struct Strict(Build);

impl Handle<Number> for Strict {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        match self.0.brave || m.0 != 100 {
            true => out.send(&Word(m.0)),
            false => Err(HandlerError::new("too much")),
        }
    }
}

messenger! {
    pub(crate) Watch(build: Build);
    outside: [ Main ]
    Watching:
        handlers: [ guard: Guard = Guard(*build), clerk: Clerk = Clerk(build.writes) ]
        routes: [ Main, Number: [guard, clerk] ]
    Failing (on_panic = stop_worker):
        handlers: [ frail: Frail = Frail(*build) ]
        routes: [ Main, Number: [frail] ]
    Checking (on_error = stop):
        handlers: [ strict: Strict = Strict(*build) ]
        routes: [ Main, Number: [strict] ]
    drop: [ Guard, Word; Clerk, Word; Frail, Word; Strict, Word ]
}

/// What handlers do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Build {
    loud_from: u64,
    writes: bool,
    brave: bool,
}

const SILENT: Build = Build {
    loud_from: u64::MAX,
    writes: false,
    brave: false,
};
const LOUD: Build = Build {
    loud_from: 0,
    ..SILENT
};
const COUNT: u64 = 90;

fn watch(journal: &Journal, build: Build) -> Builder<Watch> {
    Watch::builder(journal, build).only([Watch::WATCHING])
}

fn replay(dir: &Path, build: Build, replay: Replay) -> Replayed {
    let reader = Reader::open(dir).unwrap();
    let builder = Watch::builder(&reader, build).only([Watch::WATCHING]);
    builder.replay(replay).unwrap()
}

/// Publishes numbers, and waits until the worker has had all of them.
fn publish(app: &Running<Watch>, journal: &Journal, numbers: core::ops::Range<u64>) {
    let had = app.counters()[0].messages;
    let count = numbers.end - numbers.start;
    send(journal, numbers);
    while app.counters()[0].messages < had + count {
        std::thread::yield_now();
    }
}

fn said(dir: &Path, source: u16) -> Vec<u64> {
    let words = all::<Word>(dir, source).into_iter();
    words.map(|it| it.1.0).collect()
}

/// Where the numbers stand.
fn inputs(dir: &Path) -> Vec<u64> {
    let numbers = all::<Number>(dir, 1).into_iter();
    numbers.map(|it| it.0).collect()
}

/// The journal as a process would leave it that is killed now.
fn as_if_killed(dir: &Path, name: &str) -> Dir {
    let copy = Dir::new(name);
    std::fs::create_dir_all(&copy).unwrap();
    for file in std::fs::read_dir(dir).unwrap() {
        let name = file.unwrap().file_name();
        if let Err(error) = std::fs::copy(dir.join(&name), copy.join(&name)) {
            // A segment ahead, which has its name by now.
            assert!(name.to_string_lossy().ends_with(".new"), "{error}");
        }
    }
    copy
}

/// That it is the answer to the record at `input`, and new.
fn is_new(divergence: &Divergence, input: u64, number: u64) {
    let Divergence {
        worker,
        position,
        input: after,
        recorded,
        sent,
        ..
    } = divergence;
    assert_eq!((*worker, *position, *after), ("Watching", input, input));
    assert_eq!(*recorded, None);
    let sent = sent.as_ref().unwrap();
    let is_word = matches!(sent.kind, ActKind::Message { name: "Word", .. });
    assert!(is_word && sent.source_name == "Guard", "{sent:?}");
    assert_eq!(sent.bytes, number.to_le_bytes());
}

fn is_refused(journal: &Journal, build: Build, input: u64, number: u64) {
    match watch(journal, build).restore().run() {
        Err(StartError::Diverged(divergence)) => is_new(&divergence, input, number),
        other => panic!("{other:?}"),
    }
}

#[test]
fn after_a_stop_all_that_is_new_is_found_and_nothing_of_it_published() {
    let dir = Dir::new("surplus-stopped");
    let journal = dir.open(small());
    let app = watch(&journal, SILENT).run().unwrap();
    publish(&app, &journal, 0..COUNT);
    app.stop().unwrap();
    let inputs = inputs(&dir);
    let one = replay(&dir, LOUD, Replay::all());
    assert!(!one.is_exact());
    is_new(&one.divergences[0], inputs[0], 0);
    let text = one.divergences[0].to_string();
    assert_eq!(
        text,
        format!(
            "this build diverges at position {0} (worker `Watching`, after the record at {0}): the journal has nothing of it; now it has message \
             `Word` (30) from `Guard`, 8 bytes [0000000000000000]",
            inputs[0]
        )
    );
    let found = replay(&dir, LOUD, Replay::all().divergences(1000));
    assert_eq!(found.divergences.len(), inputs.len(), "{found}");
    for ((divergence, &input), number) in found.divergences.iter().zip(&inputs).zip(0..) {
        is_new(divergence, input, number);
    }
    assert!(found.unrecorded.is_empty(), "{found}");
    let part = Replay::all().from(inputs[5]).to(inputs[8]);
    let part = replay(&dir, LOUD, part.divergences(1000));
    assert_eq!(part.divergences.len(), 3, "{part}");
    is_new(&part.divergences[0], inputs[5], 5);
    is_refused(&journal, LOUD, inputs[0], 0);
    assert_eq!(said(&dir, 30), []);
    // What comes after the stop is for the next to answer, in whatever way; what had come before is not.
    send(&journal, [COUNT]);
    is_refused(&journal, LOUD, inputs[0], 0);
    let later = Build {
        loud_from: COUNT,
        ..SILENT
    };
    let replayed = replay(&dir, later, Replay::all());
    assert!(replayed.is_exact(), "{replayed}");
    let unrecorded = &replayed.unrecorded[0];
    let input = self::inputs(&dir)[COUNT as usize];
    assert_eq!((unrecorded.worker, unrecorded.input), ("Watching", input));
    let app = watch(&journal, later).restore().run().unwrap();
    app.stop().unwrap();
    assert_eq!(said(&dir, 30), [COUNT]);
    let replayed = replay(&dir, later, Replay::all());
    assert!(replayed.is_exact() && replayed.unrecorded.is_empty());
    assert_eq!(replayed.compared, 1);
}

#[test]
fn after_a_kill_only_the_answers_to_the_last_record_are_in_doubt() {
    let dir = Dir::new("surplus-killed");
    let journal = dir.open(small());
    let silent = Build {
        writes: true,
        ..SILENT
    };
    let app = watch(&journal, silent).run().unwrap();
    publish(&app, &journal, 0..COUNT);
    while said(&dir, 31).len() < COUNT as usize {
        std::thread::yield_now();
    }
    let copy = as_if_killed(&dir, "surplus-killed-copy");
    app.stop().unwrap();
    let (inputs, last) = (inputs(&copy), COUNT - 1);
    let loud = Build {
        writes: true,
        ..LOUD
    };
    let found = replay(&copy, loud, Replay::all().divergences(1000));
    assert_eq!(found.divergences.len() as u64, last, "{found}");
    for ((divergence, &input), number) in found.divergences.iter().zip(&inputs).zip(0..) {
        is_new(divergence, input, number);
    }
    let [unrecorded] = &found.unrecorded[..] else {
        panic!("{found}");
    };
    assert_eq!(unrecorded.input, inputs[last as usize]);
    assert_eq!(unrecorded.act.bytes, last.to_le_bytes());
    let text = format!("not in the journal: {unrecorded}\n");
    assert!(found.to_string().contains(&text), "{found}");
    let journal = copy.open(small());
    is_refused(&journal, loud, inputs[0], 0);
    let almost = Build {
        loud_from: last - 1,
        ..loud
    };
    is_refused(&journal, almost, inputs[last as usize - 1], last - 1);
    assert_eq!(said(&copy, 30), []);
    // It may have been about to send that.
    let only_last = Build {
        loud_from: last,
        ..loud
    };
    let app = watch(&journal, only_last).restore().run().unwrap();
    app.stop().unwrap();
    assert_eq!(said(&copy, 30), [last]);
    assert_eq!(said(&copy, 31).len() as u64, COUNT);
}

#[test]
fn of_one_who_was_killed_before_anything_of_it_stands_there_the_journal_can_not_say() {
    let dir = Dir::new("surplus-doubt");
    let journal = dir.open(small());
    let app = watch(&journal, SILENT).run().unwrap();
    publish(&app, &journal, 0..10);
    app.stop().unwrap();
    let app = watch(&journal, SILENT).restore().run().unwrap();
    publish(&app, &journal, 10..20);
    let copy = as_if_killed(&dir, "surplus-doubt-copy");
    app.stop().unwrap();
    let found = replay(&copy, LOUD, Replay::all().divergences(1000));
    let unsure: Vec<u64> = found.unrecorded.iter().map(|it| it.input).collect();
    assert_eq!(unsure, inputs(&copy)[10..]);
    // But of what it had done before the stop.
    assert_eq!(found.divergences.len(), 10, "{found}");
}

#[test]
fn a_mended_handler_answers_what_it_had_not_whatever_others_of_its_worker_did() {
    let dir = Dir::new("surplus-mended");
    let journal = dir.open(small());
    send(&journal, [1, 100, 2, 3]);
    let build = |brave| Build {
        loud_from: 0,
        writes: true,
        brave,
    };
    let run = |brave| watch(&journal, build(brave)).start(Start::Oldest);
    run(false).run().unwrap().join().unwrap_err();
    assert_eq!(
        (said(&dir, 30), said(&dir, 31)),
        (vec![1], vec![1, 100, 2, 3])
    );
    let replayed = replay(&dir, build(false), Replay::all());
    assert!(replayed.is_exact() && replayed.unrecorded.is_empty());
    let replayed = replay(&dir, build(true), Replay::all());
    assert!(replayed.is_exact(), "{replayed}");
    assert_eq!(replayed.unrecorded.len(), 3, "{replayed}");
    let app = run(true).restore().run().unwrap();
    publish(&app, &journal, 4..6);
    app.stop().unwrap();
    for _ in 0..2 {
        run(true).restore().run().unwrap().stop().unwrap();
        assert_eq!(said(&dir, 30), [1, 100, 2, 3, 4, 5]);
        assert_eq!(said(&dir, 31), [1, 100, 2, 3, 4, 5]);
    }
    // Since then it is as any other.
    let silent = Build {
        loud_from: 6,
        ..build(true)
    };
    assert!(!replay(&dir, silent, Replay::all()).is_exact());
}

#[test]
fn a_worker_that_had_stopped_by_its_policy_goes_on_where_that_was() {
    let dir = Dir::new("surplus-stopped-worker");
    let journal = dir.open(small());
    send(&journal, [1, 100, 2, 3]);
    let build = |brave| {
        let builder = Watch::builder(&journal, Build { brave, ..SILENT });
        builder.only([Watch::FAILING]).start(Start::Oldest)
    };
    build(false).run().unwrap().stop().unwrap();
    assert_eq!(said(&dir, 32), [1]);
    // It stops again where it did.
    build(false).restore().run().unwrap().stop().unwrap();
    send(&journal, [4]);
    build(false).restore().run().unwrap().stop().unwrap();
    build(true).restore().run().unwrap().stop().unwrap();
    assert_eq!(said(&dir, 32), [1, 100, 2, 3, 4]);
    let replayed = build(true).replay(Replay::all()).unwrap();
    assert!(replayed.is_exact() && replayed.unrecorded.is_empty());
}

#[test]
fn a_mended_handler_answers_the_record_over_which_its_error_stopped_the_run() {
    let dir = Dir::new("surplus-strict");
    let journal = dir.open(small());
    send(&journal, [1, 100]);
    let build = |brave| {
        let builder = Watch::builder(&journal, Build { brave, ..SILENT });
        builder.only([Watch::CHECKING]).start(Start::Oldest)
    };
    build(false).run().unwrap().join().unwrap_err();
    let refused = build(false).restore().run();
    assert!(matches!(refused, Err(StartError::Failed(_))), "{refused:?}");
    for _ in 0..2 {
        build(true).restore().run().unwrap().stop().unwrap();
        assert_eq!(said(&dir, 34), [1, 100]);
    }
}
