//! What an error says: the numbers, and what to do.

use std::os::unix::fs::FileExt;

use messenger::journal::{JournalConfig, Schema};
use messenger::shared::{SharedBus, SharedError, SharedFault};
use messenger::{Handler, Running, StartError, messenger};

use crate::kit::{Other, fresh, say};

/// An error is of this kind, and says this.
macro_rules! says {
    ($error:expr, $fault:pat, $text:expr) => {{
        let error: SharedError = $error;
        assert!(matches!(error.fault(), $fault), "{error}");
        assert_eq!(error.fault().to_string(), $text);
    }};
}

/// Does nothing.
#[derive(Handler)]
#[handler(id = 1)]
struct Idle;

messenger! {
    Lone;
    Only:
        handlers: [ idle: Idle = Idle ]
        routes: []
}

mod long {
    use super::*;

    messenger! {
        pub(super) Lone;
        WhoseNameIsNotOnlyLongButLongerThanWhatAnyoneWouldWriteOrReadOrSayAloudAndEvenSoItIsOneThatTheCompilerTakesWithoutAWordSinceToItANameIsANameHoweverManyLettersItHasAndSoTheBusItselfHasToSayThatThereIsNoRoomForIt:
            handlers: [ idle: Idle = Idle ]
            routes: []
    }
}

fn refused<A>(started: Result<Running<A>, StartError>) -> SharedError
where
    A: messenger::App,
{
    match started.map(drop) {
        Err(StartError::Shared(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// What a child does. Says whether `role` is one of these.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    let is_one = role == "is-one-too-many";
    if is_one {
        let error = SharedBus::open(name).unwrap_err();
        assert!(matches!(
            error.fault(),
            SharedFault::Processes { places: 1 }
        ));
        say(error.fault());
    }
    is_one
}

#[test]
fn of_names() {
    says!(
        SharedBus::open("a/b\n").unwrap_err(),
        SharedFault::Name { .. },
        "`a/b\\n` is no name of a bus: take 1 to 100 of the letters a to z and A to Z, digits, `-`, `_` and `.`"
    );
    let name = fresh();
    let error = SharedBus::open(&name).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "the shared bus /dev/shm/messenger.{name}: there is none of this name: `create` and `open_or_create` make one"
        )
    );
    let bus = SharedBus::create(&name, 4096).unwrap();
    let own = &bus.processes()[0];
    assert!(
        own.to_string()
            .starts_with(&format!("the process {} (`", std::process::id()))
    );
    says!(
        SharedBus::create(&name, 4096).unwrap_err(),
        SharedFault::Exists { .. },
        format!("there is one already, used by {own}; open it, or take another name")
    );
    says!(
        SharedBus::remove(&name).unwrap_err(),
        SharedFault::InUse { .. },
        format!("it is used by {own}; end them first")
    );
}

#[test]
fn of_sizes() {
    let options = SharedBus::options;
    for (options, text) in [
        (
            options().bytes(0),
            "0 bytes were asked for: ask for 1 to 70368744177664",
        ),
        (
            options().members(1),
            "1 member slots were asked for: ask for 2 to 65535",
        ),
        (
            options().processes(1025),
            "1025 places for processes were asked for: ask for 1 to 1024",
        ),
        (
            options().workers(4097),
            "4097 places for workers were asked for: ask for 0 to 4096",
        ),
        (
            options().schema_bytes(1 << 25),
            "33554432 bytes for a schema were asked for: ask for 0 to 16777216",
        ),
    ] {
        let error = options.create(&fresh()).unwrap_err();
        says!(error, SharedFault::Size { .. }, text);
    }
    let error = options().bytes(1 << 46).create(&fresh()).unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::System { .. }),
        "{error}"
    );
    let said = error.to_string();
    assert!(
        said.ends_with("; make the bus shorter, or its file system larger"),
        "{said}"
    );
}

#[test]
fn of_places_that_are_taken() {
    let name = fresh();
    let options = SharedBus::options().processes(1).workers(0);
    let bus = options.create(&name).unwrap();
    assert_eq!(
        Other::start("is-one-too-many", &name).line(),
        "all its 1 places for processes are taken; end one, or create it with more: `SharedOptions::processes`"
    );
    says!(
        refused(Lone::builder(&bus).run()),
        SharedFault::Workers { places: 0 },
        "the positions of 0 workers are kept on it, and there is no place for more; create it with more: \
         `SharedOptions::workers`"
    );
    let worker = format!("Lone.{}", long::Lone::graph().info().workers[0].name);
    says!(
        refused(long::Lone::builder(&bus).run()),
        SharedFault::WorkerName { .. },
        format!(
            "the name `{worker}` of a table and its worker takes {} bytes, and there are 192 for it",
            worker.len()
        )
    );
}

#[test]
fn of_what_ids_mean() {
    let bus = SharedBus::options().schema_bytes(16).create(&fresh());
    let bus = bus.unwrap();
    let one: Schema = "source\t1\tOne\n".parse().unwrap();
    bus.admit(&one).unwrap();
    let two: Schema = "source\t2\tTwo\n".parse().unwrap();
    says!(
        bus.admit(&two).unwrap_err(),
        SharedFault::SchemaFull { len: 26, room: 16 },
        "what there is to say of ids and tables takes 26 bytes, and the bus has 16 for it; create it with more: \
         `SharedOptions::schema_bytes`"
    );
    // What types are made of is left out from where it has no room, also what was there before.
    let shape = |layout| format!("struct\t{layout:016x}\t1\t1\n");
    bus.admit(&format!("{one}{}", shape(1)).parse().unwrap())
        .unwrap();
    assert_eq!(bus.schema().unwrap(), one);
    let longer = SharedBus::options().schema_bytes(80).create(&fresh());
    let longer = longer.unwrap();
    let brought = format!("{one}{}{}", shape(1), shape(2));
    longer.admit(&brought.parse().unwrap()).unwrap();
    assert_eq!(longer.schema().unwrap().to_string(), brought);
    longer.admit(&two).unwrap();
    let text = format!("{one}{two}{}", shape(1));
    assert_eq!(longer.schema().unwrap().to_string(), text);
    let other: Schema = "source\t1\tOther\n".parse().unwrap();
    says!(
        bus.admit(&other).unwrap_err(),
        SharedFault::Conflict(_),
        "the source id 1 is `One` in the bus, and `Other` in the program: give `Other` an id that the bus has not got, or begin another bus"
    );
    // Somebody writes over it.
    let image = std::fs::read(bus.path()).unwrap();
    let at = image.windows(7).position(|it| it == b"source\t").unwrap();
    let file = std::fs::File::options().write(true).open(bus.path());
    file.unwrap().write_all_at(b"sauce", at as u64).unwrap();
    says!(
        bus.schema().unwrap_err(),
        SharedFault::Schema(_),
        "what it says of ids and tables can't be read: line 1 of the schema is a line that begins with \"saucee\": write one fact a \
         line, a word and its fields with a tab before each, ids before the tables that use them"
    );
}

#[test]
fn of_a_journals_path() {
    let name = fresh();
    let base = std::path::Path::new("/dev/shm").join(format!("messenger-long-{name}"));
    let long = (0..18).fold(base.clone(), |path, _| path.join("x".repeat(199)));
    std::fs::create_dir_all(&long).unwrap();
    let options = SharedBus::options().journal(&long, JournalConfig::new().segment_bytes(4096));
    says!(
        options.create(&name).unwrap_err(),
        SharedFault::JournalPath { most: 3456, .. },
        format!(
            "the path of its journal's directory takes {} bytes, and there are 3456 for it: take a shorter one",
            long.as_os_str().len()
        )
    );
    std::fs::remove_dir_all(base).unwrap();
}
