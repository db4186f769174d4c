//! What a program says of its ids has to agree with what the journal knows.

use messenger::App;
use messenger::journal::{Differs, JournalFault, Reader, Schema, SchemaConflict};

use crate::kit::{Dir, small, tag};
use crate::running::Blast;

/// The next version of a program: one message more, and one handler.
mod grown {
    use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
    use serde::{Deserialize, Serialize};

    use crate::running::{Boss, Go};

    /// New.
    #[derive(Message, Serialize, Deserialize, Clone, Debug)]
    #[message(id = 77, codec = bincode)]
    pub(crate) struct Extra(u8);

    /// New.
    #[derive(Debug, Handler)]
    #[handler(id = 88, sends(Extra))]
    pub(crate) struct More;

    impl Handle<Go> for More {
        fn handle(&mut self, _: &Go, out: &mut Outbox<'_, Self>) -> Result {
            out.send(&Extra(1))
        }
    }

    messenger! {
        pub(crate) Grown;
        outside: [ Boss ]
        One:
            handlers: [ more: More = More ]
            routes: [ Boss, Go: [more] ]
        drop: [ More, Extra ]
    }
}

/// Programs that mean something else by an id.
macro_rules! other {
    ($module:ident, $message:ident, $id:literal, $source:ident, $source_id:literal) => {
        mod $module {
            use messenger::{Handle, Handler, Message, Outbox, Result, messenger};
            use serde::{Deserialize, Serialize};

            /// Another one.
            #[derive(Message, Serialize, Deserialize, Clone, Debug)]
            #[message(id = $id, codec = bincode)]
            pub(crate) struct $message(u8);

            /// Another one.
            #[derive(Debug, Handler)]
            #[handler(id = $source_id, sends($message))]
            pub(crate) struct $source;

            /// Takes it.
            #[derive(Debug, Handler)]
            #[handler(id = 99)]
            pub(crate) struct Takes;

            impl Handle<$message> for Takes {
                fn handle(&mut self, _: &$message, _: &mut Outbox<'_, Self>) -> Result {
                    Ok(())
                }
            }

            messenger! {
                pub(crate) Other;
                outside: [ $source ]
                One:
                    handlers: [ takes: Takes = Takes ]
                    routes: [ $source, $message: [takes] ]
            }
        }
    };
}

other!(renamed, Start, 1, Boss, 1);
other!(moved, Go, 30, Boss, 1);
other!(other_source, Go, 1, Chief, 1);
other!(moved_source, Go, 1, Boss, 9);

#[test]
fn a_program_that_contradicts_the_journal_is_refused_and_told_why() {
    let dir = Dir::new("schemas");
    let journal = dir.open(small());
    journal.admit(&Schema::from(Blast::INFO)).unwrap();
    let kept = journal.schema();
    assert_eq!(kept, Schema::from(Blast::INFO));
    drop(journal);
    // Also by a program that comes later.
    let journal = dir.open(small());
    let cases = [
        (
            renamed::Other::INFO,
            "the message id 1 is `Go` in the journal, and `Start` in the program: give `Start` an id that the journal has not got, or begin another journal",
        ),
        (
            moved::Other::INFO,
            "the message `Go` has the id 1 in the journal, and 30 in the program: give it the id 1 again, or another name, or begin another journal",
        ),
        (
            other_source::Other::INFO,
            "the source id 1 is `Boss` in the journal, and `Chief` in the program: give `Chief` an id that the journal has not got, or begin another journal",
        ),
        (
            moved_source::Other::INFO,
            "the source `Boss` has the id 1 in the journal, and 9 in the program: give it the id 1 again, or another name, or begin another journal",
        ),
    ];
    let file = std::fs::read(dir.join("schema")).unwrap();
    for (info, expected) in cases {
        let error = journal.admit(&Schema::from(info)).unwrap_err();
        assert!(matches!(error.fault(), JournalFault::Conflict(_)));
        assert_eq!(error.path(), &*dir);
        assert_eq!(error.fault().to_string(), expected);
    }
    let error = journal
        .admit(&Schema::from(moved::Other::INFO))
        .unwrap_err();
    let JournalFault::Conflict(SchemaConflict::Message {
        differs,
        journal: theirs,
        program,
        ..
    }) = error.fault()
    else {
        panic!("of a message: {error}");
    };
    assert_eq!(*differs, Differs::Id);
    assert_eq!((theirs.id.get(), program.id.get()), (1, 30));
    // Nothing of what was refused is kept.
    assert_eq!(journal.schema(), kept);
    assert!(std::fs::read(dir.join("schema")).unwrap() == file);
}

#[test]
fn a_program_with_more_messages_joins() {
    let dir = Dir::new("joins");
    let journal = dir.open(small());
    journal.admit(&Schema::from(Blast::INFO)).unwrap();
    journal.admit(&Schema::from(grown::Grown::INFO)).unwrap();
    // The older one again, and what is there already.
    journal.admit(&Schema::from(Blast::INFO)).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    publisher.send(tag(1), b"no table says this one").unwrap();
    drop(publisher);
    journal.close().unwrap();
    let reader = Reader::open(&dir).unwrap();
    let names: Vec<_> = reader
        .schema()
        .messages()
        .iter()
        .map(|message| (message.id.get(), message.name.as_str()))
        .collect();
    assert_eq!(names, [(1, "Go"), (2, "Item"), (77, "Extra")]);
    let sources = reader.schema().sources().iter();
    assert!({ sources }.any(|source| source.name == "More"));
    let tables = reader.schema().tables().iter();
    let tables: Vec<_> = tables.map(|table| table.name.as_str()).collect();
    assert_eq!(tables, ["Blast", "Grown"]);
}
