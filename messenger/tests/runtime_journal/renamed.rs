//! Workers and tables whose names have changed: they do not begin anew as if they had never run.

use messenger::{Handle, Handler, Outbox, Result, StartError, messenger};

use super::kit::{Dir, small};
use super::surplus::Word;
use super::table::{Main, Number};

/// Only listens.
#[derive(Debug, Handler)]
#[handler(id = 35, sends(Word))]
pub(crate) struct Ear;

impl Handle<Number> for Ear {
    fn handle(&mut self, _: &Number, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

/// So does this one.
#[derive(Debug, Handler)]
#[handler(id = 36, sends(Word))]
pub(crate) struct Eye;

impl Handle<Number> for Eye {
    fn handle(&mut self, _: &Number, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

messenger! {
    pub(crate) Watch;
    outside: [ Main ]
    Seeing:
        handlers: [ eye: Eye = Eye ]
        routes: [ Main, Number: [eye] ]
    Listening:
        handlers: [ ear: Ear = Ear ]
        routes: [ Main, Number: [ear] ]
    drop: [ Eye, Word; Ear, Word ]
}

/// The table of another build, with a worker of another name; and a table of another name.
mod later {
    use super::*;

    messenger! {
        pub(crate) Watch;
        outside: [ Main ]
        Seeing:
            handlers: [ eye: Eye = Eye ]
            routes: [ Main, Number: [eye] ]
        Hearing:
            handlers: [ ear: Ear = Ear ]
            routes: [ Main, Number: [ear] ]
        drop: [ Eye, Word; Ear, Word ]
    }

    messenger! {
        pub(crate) Post;
        outside: [ Main ]
        Listening:
            handlers: [ ear: Ear = Ear ]
            routes: [ Main, Number: [ear] ]
        drop: [ Ear, Word ]
    }
}

#[test]
fn a_worker_that_only_listened_does_not_begin_anew_under_another_name() {
    use later::{Post, Watch};

    let dir = Dir::new("renamed");
    let journal = dir.open(small());
    let old = super::renamed::Watch::builder(&journal);
    old.run().unwrap().stop().unwrap();
    let expected = |worker: &str| {
        format!(
            "worker `{worker}` has not run on this journal, and `Watch.Listening` has, which may be the same under the name that it or its table \
             had then: give it that name, or, if it is new, begin with `run()` (`only` chooses it)"
        )
    };
    let refused = Post::builder(&journal).restore().run().unwrap_err();
    assert!(matches!(refused, StartError::Renamed { .. }));
    assert_eq!(refused.to_string(), expected("Listening"));
    // However often it is tried: the journal knows the new name from the first time on.
    for _ in 0..2 {
        let refused = Watch::builder(&journal).restore().run();
        assert_eq!(refused.unwrap_err().to_string(), expected("Hearing"));
    }
    // Those that have kept their names go on.
    let kept = Watch::builder(&journal).only([Watch::SEEING]);
    kept.restore().run().unwrap().stop().unwrap();
    // Begun anew, it is restored from there.
    let anew = Watch::builder(&journal).only([Watch::HEARING]);
    anew.run().unwrap().stop().unwrap();
    let all = Watch::builder(&journal).restore();
    all.run().unwrap().stop().unwrap();
}
