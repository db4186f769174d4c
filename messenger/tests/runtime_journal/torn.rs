//! Starts that were cut off, and starts that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use messenger::journal::Retention;
use messenger::{
    Handle, Handler, HandlerError, Lifecycle, Message, Outbox, Replay, Result, StartError, Timer,
    messenger,
};
use serde::{Deserialize, Serialize};

use super::kit::{Dir, small};
use super::table::{Config, Main, Number, Sums, all, publish, send, sums};

#[derive(Message, Serialize, Deserialize, Clone, PartialEq, Eq, Debug)]
#[message(id = 20, codec = bincode)]
pub(crate) struct Hello(pub(crate) u64);

/// Greets at the start, and answers numbers.
#[derive(Debug, Handler)]
#[handler(id = 20, sends(Hello), lifecycle)]
pub(crate) struct Greeter(World);

impl Greeter {
    fn new(world: &World) -> Result<Self> {
        match world.fails {
            true => Err(HandlerError::new("nobody to greet")),
            false => Ok(Self(world.clone())),
        }
    }
}

impl Lifecycle for Greeter {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Hello(0))
    }
}

impl Handle<Number> for Greeter {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Hello(m.0 + u64::from(self.0.differs)))
    }
}

/// Says each greeting again, and something at the end.
#[derive(Debug, Handler)]
#[handler(id = 21, sends(Hello), lifecycle)]
pub(crate) struct Echo;

impl Lifecycle for Echo {
    fn on_stop(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Hello(99))
    }
}

impl Handle<Hello> for Echo {
    fn handle(&mut self, m: &Hello, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Hello(m.0))
    }
}

/// Panics in a turn in which it is told to, and greets when it is made.
#[derive(Debug, Handler)]
#[handler(id = 22, sends(Hello), lifecycle)]
pub(crate) struct Nervous(World);

impl Lifecycle for Nervous {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.random();
        out.send(&Hello(7))
    }
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        assert!(!self.0.scare.swap(false, Ordering::Relaxed), "scared");
        Ok(())
    }
}

impl Handle<Number> for Nervous {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        assert!(m.0 < 100, "too much");
        out.send(&Hello(m.0))
    }
}

#[derive(Debug, Handler)]
#[handler(id = 23, sends(Hello))]
pub(crate) struct Calm;

/// Panics unless it is brave.
#[derive(Debug, Handler)]
#[handler(id = 25, sends(Hello))]
pub(crate) struct Shy(bool);

impl Handle<Number> for Shy {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        assert!(self.0 || m.0 < 100, "too much");
        out.now();
        out.send(&Hello(m.0))
    }
}

messenger! {
    pub(crate) Pair(brave: bool);
    outside: [ Main ]
    Both:
        handlers: [ shy: Shy = Shy(*brave), calm: Calm = Calm ]
        routes: [ Main, Number: [shy, calm] ]
    drop: [ Shy, Hello; Calm, Hello ]
}

#[test]
fn a_mended_handler_does_not_shift_what_others_of_its_worker_did() {
    let dir = Dir::new("torn-mended");
    let journal = dir.open(small());
    let build = |brave| Pair::builder(&journal, brave);
    let app = build(false).run().unwrap();
    let mut main = app.publisher::<Main>().unwrap();
    main.send(&Number(1)).unwrap();
    main.send(&Number(100)).unwrap();
    drop(main);
    app.join().unwrap_err();
    let said = |source| -> Vec<u64> {
        let said = all::<Hello>(&dir, source);
        said.into_iter().map(|it| it.1.0).collect()
    };
    assert_eq!((said(25), said(23)), (vec![1], vec![1, 100]));
    let refused = build(false).restore().run();
    assert!(matches!(refused, Err(StartError::Failed(_))));
    drop(refused);
    for _ in 0..2 {
        build(true).restore().run().unwrap().stop().unwrap();
        assert_eq!((said(25), said(23)), (vec![1, 100], vec![1, 100]));
    }
    let replayed = build(true).replay(Replay::all()).unwrap();
    assert!(replayed.is_exact() && replayed.unrecorded.is_empty());
}

impl Handle<Number> for Calm {
    fn handle(&mut self, m: &Number, out: &mut Outbox<'_, Self>) -> Result {
        out.now();
        out.send(&Hello(m.0))
    }
}

/// Says where it is before it has heard anything.
#[derive(Debug, Handler)]
#[handler(id = 24, sends(Hello), lifecycle)]
pub(crate) struct Early;

impl Lifecycle for Early {
    fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        out.timer(Duration::ZERO);
        Ok(())
    }
    fn on_timer(&mut self, _: Timer, out: &mut Outbox<'_, Self>) -> Result {
        out.send(&Hello(out.position()))
    }
}

impl Handle<Number> for Early {
    fn handle(&mut self, _: &Number, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    differs: bool,
    fails: bool,
    scare: Arc<AtomicBool>,
}

messenger! {
    pub(crate) Torn(world: World);
    outside: [ Main ]
    Greeting:
        handlers: [ greeter: Greeter = Greeter::new(world) ]
        routes: [ Main, Number: [greeter] ]
    Echoing:
        handlers: [ echo: Echo = Echo ]
        routes: [ Greeter, Hello: [echo] ]
    Trembling (on_panic = restart(1, per = Duration::from_secs(60))):
        handlers: [ nervous: Nervous = Nervous(world.clone()), calm: Calm = Calm ]
        routes: [ Main, Number: [nervous, calm] ]
    Waking:
        handlers: [ early: Early = Early ]
        routes: [ Main, Number: [early] ]
    drop: [ Early, Hello; Echo, Hello; Nervous, Hello; Calm, Hello ]
}

const BOTH: [messenger::WorkerId<Torn>; 2] = [Torn::GREETING, Torn::ECHOING];

#[test]
fn a_start_that_fails_stops_no_handler_that_was_not_started() {
    let dir = Dir::new("torn-fails");
    let journal = dir.open(small());
    let build = |world| Torn::builder(&journal, world);
    let only = [Torn::GREETING];
    let app = build(World::default()).only(only).run().unwrap();
    let mut hello = app.subscribe::<(Hello,)>().unwrap();
    app.publisher::<Main>().unwrap().send(&Number(1)).unwrap();
    while hello.receive().unwrap().unwrap().0 != 1 {}
    drop(hello);
    app.stop().unwrap();
    let tail = journal.bus().tail();
    let differs = World {
        differs: true,
        ..World::default()
    };
    let refused = build(differs).only(BOTH).restore().run();
    assert!(matches!(refused, Err(StartError::Diverged(_))));
    drop(refused);
    assert_eq!(all::<Hello>(&dir, 21), []);
    assert!(journal.bus().tail() - tail < 64);
}

#[test]
fn a_worker_that_only_listens_is_refused_too_when_its_past_is_not_retained() {
    let dir = Dir::new("torn-cut");
    let journal = dir.open(small().retain(Retention::all()));
    let config = Config::default();
    let app = sums(&journal, &config).run().unwrap();
    publish(&app, 1..=200, 200);
    app.stop().unwrap();
    let oldest = journal.trim(journal.bus().tail()).unwrap();
    assert!(oldest > 0);
    let refused = sums(&journal, &config)
        .only([Sums::JUDGING])
        .restore()
        .run();
    assert!(
        matches!(refused, Err(StartError::Cut { .. })),
        "{refused:?}"
    );
    drop(refused);
    // Also when not even the note of its end is left.
    send(&journal, 201..=500);
    journal.trim(journal.bus().tail()).unwrap();
    let build = || sums(&journal, &config).only([Sums::JUDGING]);
    let refused = build().restore().run();
    let is_cut = matches!(refused, Err(StartError::Cut { .. }));
    assert!(is_cut, "{refused:?}");
    drop(refused);
    // Anew it runs, and is what is restored next.
    build().run().unwrap().stop().unwrap();
    build().restore().run().unwrap().stop().unwrap();
}

#[test]
fn a_first_start_that_fails_does_not_make_the_next_one_resume_at_the_oldest_record() {
    let dir = Dir::new("torn-resumed");
    let journal = dir.open(small());
    let mut main = journal.bus().publisher().unwrap();
    let tag = messenger::bus::Tag::new(Main::ID, Number::ID);
    main.send(tag, &1_u64.to_le_bytes()).unwrap();
    let build = |fails| {
        let world = World {
            fails,
            ..World::default()
        };
        Torn::builder(&journal, world)
            .only([Torn::GREETING])
            .resume()
    };
    let refused = build(true).run();
    assert!(matches!(refused, Err(StartError::Failed(_))));
    drop(refused);
    let app = build(false).run().unwrap();
    main.send(tag, &2_u64.to_le_bytes()).unwrap();
    app.stop().unwrap();
    let said = all::<Hello>(&dir, 20).into_iter().map(|it| it.1.0);
    assert_eq!(said.collect::<Vec<_>>(), [0, 2]);
}

#[test]
fn before_the_first_record_a_handler_is_told_the_same_position_again() {
    let dir = Dir::new("torn-early");
    let journal = dir.open(small());
    let mut main = journal.bus().publisher().unwrap();
    let tag = messenger::bus::Tag::new(Main::ID, Number::ID);
    main.send(tag, &1_u64.to_le_bytes()).unwrap();
    let build = || Torn::builder(&journal, World::default()).only([Torn::WAKING]);
    let app = build().run().unwrap();
    let start = messenger::bus::Start::Oldest;
    let mut hello = app.subscribe_from::<(Hello,)>(start).unwrap();
    assert_eq!(hello.receive().unwrap(), Some(Hello(0)));
    drop(hello);
    app.stop().unwrap();
    build().restore().run().unwrap().stop().unwrap();
}

#[test]
fn a_handler_made_again_in_a_turn_greets_without_a_cause() {
    let dir = Dir::new("torn-turn");
    let journal = dir.open(small());
    let world = World::default();
    let build = || Torn::builder(&journal, world.clone()).only([Torn::TREMBLING]);
    let app = build().run().unwrap();
    let mut hello = app.subscribe::<(Hello,)>().unwrap();
    let mut main = app.publisher::<Main>().unwrap();
    main.send(&Number(1)).unwrap();
    while hello.receive().unwrap().unwrap().0 != 1 {}
    world.scare.store(true, Ordering::Relaxed);
    main.send(&Number(2)).unwrap();
    while hello.receive().unwrap().unwrap().0 != 7 {}
    main.send(&Number(3)).unwrap();
    while hello.receive().unwrap().unwrap().0 != 3 {}
    drop((hello, main));
    app.stop().unwrap();
    let replayed = build().replay(Replay::all()).unwrap();
    assert!(replayed.is_exact(), "{replayed}");
    build().restore().run().unwrap().stop().unwrap();
}

#[test]
fn too_many_restarts_stop_the_restoring_too() {
    let dir = Dir::new("torn-many");
    let journal = dir.open(small());
    let build = || Torn::builder(&journal, World::default()).only([Torn::TREMBLING]);
    let app = build().run().unwrap();
    let mut main = app.publisher::<Main>().unwrap();
    for n in [1, 100, 2, 101] {
        let _ = main.send(&Number(n));
    }
    drop(main);
    app.join().unwrap_err();
    let replayed = build().replay(Replay::all()).unwrap();
    assert!(replayed.is_exact(), "{replayed}");
    let refused = build().restore().run();
    assert!(matches!(refused, Err(StartError::Failed(_))), "{refused:?}");
}

/// The table with a worker of another name.
mod renamed {
    use super::*;

    messenger! {
        pub(crate) Pair(brave: bool);
        outside: [ Main ]
        Renamed:
            handlers: [ shy: Shy = Shy(*brave), calm: Calm = Calm ]
            routes: [ Main, Number: [shy, calm] ]
        drop: [ Shy, Hello; Calm, Hello ]
    }

    #[test]
    fn a_worker_of_another_name_is_not_taken_for_a_new_one_if_its_handlers_have_sent() {
        let dir = Dir::new("torn-renamed");
        let journal = dir.open(small());
        let app = super::Pair::builder(&journal, true).run().unwrap();
        app.publisher::<Main>().unwrap().send(&Number(1)).unwrap();
        app.stop().unwrap();
        // A table of which the journal knows, too, and that has nothing to do with it.
        sums(&journal, &Config::default()).run().unwrap();
        let expected = "the handlers of worker `Renamed` have run on this journal, and not under this name: worker and table were called \
                        `Pair.Both`; give them their old names, or begin anew with `run()`";
        // However often it is tried: the journal knows the new name from the first time on.
        for _ in 0..2 {
            let refused = Pair::builder(&journal, true).restore().run();
            assert_eq!(refused.unwrap_err().to_string(), expected);
        }
        let refused = Pair::builder(&journal, true).replay(Replay::all());
        assert_eq!(refused.unwrap_err().to_string(), expected);
    }
}

#[cfg(all(feature = "fault", target_os = "linux"))]
mod killed {
    use std::process::{Command, Stdio};

    use super::*;

    const DIR: &str = "MESSENGER_TEST_TORN";

    #[test]
    fn child() {
        let Some(dir) = std::env::var_os(DIR) else {
            return;
        };
        let journal = messenger::journal::Journal::open(dir, small()).unwrap();
        let app = Torn::builder(&journal, World::default()).only(BOTH).run();
        drop(app.unwrap());
    }

    #[test]
    fn killed_in_its_first_start_each_worker_hears_what_others_said_in_it() {
        let mut killed = 0;
        for round in 0..16 {
            let dir = Dir::new("torn-start");
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "torn::killed::child"]);
            let fault = format!("settled:{}", 2 + round % 2);
            command.env(DIR, &*dir).env("MESSENGER_FAULT", fault);
            let status = command.stdout(Stdio::null()).status().unwrap();
            killed += u32::from(!status.success());
            let journal = dir.open(small());
            let app = Torn::builder(&journal, World::default()).only(BOTH);
            let app = app.restore().run().unwrap();
            app.stop().unwrap();
            let said = all::<Hello>(&dir, 20).len();
            let echoed = all::<Hello>(&dir, 21);
            let echoed = echoed.iter().filter(|it| it.1.0 == 0).count();
            assert_eq!((said, echoed), (1, 1), "round {round}");
        }
        assert!(killed > 8, "{killed}");
    }
}
