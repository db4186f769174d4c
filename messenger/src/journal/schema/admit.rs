//! A program comes to a journal: whether both mean the same by their ids, and what the program adds.

use super::unlike::Two;
use super::{Differs, MessageEntry, Schema, SchemaConflict, SourceEntry};
use crate::message;

impl Schema {
    /// Takes in what a program brings, and says whether anything of it is new.
    ///
    /// Messages, sources, tables and shapes that the journal has not got are added, and a table replaces the one of its name. What
    /// one side does not know of a message (its codec, size or layout) agrees with all, and is filled in.
    ///
    /// # Errors
    ///
    /// [`SchemaConflict`], if an id means one thing in the journal and another in the program, or a name has another id, or
    /// a message has another codec, size or layout. Then nothing was taken in.
    pub fn admit(&mut self, program: &Self) -> Result<bool, SchemaConflict> {
        for entry in &program.messages {
            self.check_message(entry, program)?;
        }
        for entry in &program.sources {
            self.check_source(entry, program)?;
        }
        let mut new = false;
        for entry in &program.messages {
            new |= match self.messages.binary_search_by_key(&entry.id, |own| own.id) {
                Ok(at) => self.messages[at].learn(entry),
                Err(_) => self.add_message(entry.clone()),
            };
        }
        for entry in &program.sources {
            new |= self.add_source(entry.clone());
        }
        for table in &program.tables {
            new |= self.add_table(table.clone());
        }
        for shape in &program.shapes {
            new |= self.add_shape(shape.clone());
        }
        Ok(new)
    }

    fn check_message(&self, entry: &MessageEntry, program: &Self) -> Result<(), SchemaConflict> {
        let (own, differs) = match self.message(entry.id) {
            Some(own) => match own.differs(entry) {
                Some(differs) => (own, differs),
                None => return Ok(()),
            },
            // A program may have two types of one name; so one that it has itself under that id is not meant.
            None => match self
                .messages_named(&entry.name)
                .find(|own| (program.message(own.id)).is_none_or(|other| other.name != own.name))
            {
                Some(own) => (own, Differs::Id),
                None => return Ok(()),
            },
        };
        let two = Two {
            journal: self,
            program,
        };
        let part = (differs == Differs::Layout).then(|| two.unlike(own.layout, entry.layout));
        Err(SchemaConflict::Message {
            differs,
            journal: Box::new(own.clone()),
            program: Box::new(entry.clone()),
            part: part.flatten().map(Box::new),
        })
    }

    fn check_source(&self, entry: &SourceEntry, program: &Self) -> Result<(), SchemaConflict> {
        let (own, differs) = match self.source(entry.id) {
            Some(own) if own.name != entry.name => (own, Differs::Name),
            Some(_) => return Ok(()),
            None => match self
                .sources_named(&entry.name)
                .find(|own| (program.source(own.id)).is_none_or(|other| other.name != own.name))
            {
                Some(own) => (own, Differs::Id),
                None => return Ok(()),
            },
        };
        Err(SchemaConflict::Source {
            differs,
            journal: own.clone(),
            program: entry.clone(),
        })
    }
}

impl MessageEntry {
    /// The codec, if it is known.
    fn known_codec(&self) -> Option<&str> {
        let codec = self.codec.as_str();
        (!codec.is_empty() && codec != message::Schema::UNKNOWN.codec).then_some(codec)
    }

    /// In what this one and the program's of the same id are not one message.
    fn differs(&self, program: &Self) -> Option<Differs> {
        let unlike = |own: u64, other: u64| own != other && own != 0 && other != 0;
        if self.name != program.name {
            Some(Differs::Name)
        } else if (self.known_codec().zip(program.known_codec())).is_some_and(|(a, b)| a != b) {
            Some(Differs::Codec)
        } else if unlike(self.layout, program.layout) {
            Some(Differs::Layout)
        } else if unlike(self.size, program.size) {
            Some(Differs::Size)
        } else {
            None
        }
    }

    /// Takes over what the program knows of it, and where the type lies there now. Says whether that is new.
    fn learn(&mut self, program: &Self) -> bool {
        let before = self.clone();
        if self.known_codec().is_none() && program.known_codec().is_some() {
            self.codec.clone_from(&program.codec);
        }
        if !program.path.is_empty() {
            self.path.clone_from(&program.path);
        }
        if self.size == 0 {
            self.size = program.size;
        }
        if self.layout == 0 {
            self.layout = program.layout;
        }
        self.align = self.align.max(program.align);
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Table, WorkerEntry, samples};
    use super::*;
    use crate::bus::{MessageId, SourceId};
    use crate::journal::testing::config;

    fn ball() -> MessageEntry {
        MessageEntry {
            id: MessageId::new(7),
            name: "Ball".into(),
            codec: "zero_copy".into(),
            path: "game::Ball".into(),
            size: 8,
            align: 4,
            layout: 0xabc,
        }
    }

    fn source(id: u16, name: &str) -> SourceEntry {
        SourceEntry {
            id: SourceId::new(id),
            name: name.into(),
        }
    }

    fn of_messages(messages: impl IntoIterator<Item = MessageEntry>) -> Schema {
        let mut schema = Schema::default();
        for message in messages {
            assert!(schema.add_message(message));
        }
        schema
    }

    fn of_sources(sources: impl IntoIterator<Item = SourceEntry>) -> Schema {
        let mut schema = Schema::default();
        for source in sources {
            assert!(schema.add_source(source));
        }
        schema
    }

    /// What comes of a journal that has the ball when `program` comes.
    fn clash(program: MessageEntry) -> (Differs, String) {
        let mut journal = of_messages([ball()]);
        let before = journal.clone();
        let conflict = journal.admit(&of_messages([program.clone()])).unwrap_err();
        assert_eq!(journal, before);
        let text = conflict.to_string();
        let SchemaConflict::Message {
            differs,
            journal,
            program: named,
            part,
        } = conflict
        else {
            panic!("{text}");
        };
        assert_eq!((*journal, *named, part), (ball(), program, None));
        (differs, text)
    }

    #[test]
    fn names_message_and_both_sides() {
        let other = MessageEntry {
            name: "Quote".into(),
            ..ball()
        };
        assert_eq!(
            clash(other),
            (
                Differs::Name,
                "the message id 7 is `Ball` in the journal, and `Quote` in the program: give `Quote` an id that the \
                 journal has not got, or begin another journal"
                    .into()
            )
        );
        let renumbered = MessageEntry {
            id: MessageId::new(8),
            ..ball()
        };
        assert_eq!(
            clash(renumbered),
            (
                Differs::Id,
                "the message `Ball` has the id 7 in the journal, and 8 in the program: give it the id 7 again, or \
                 another name, or begin another journal"
                    .into()
            )
        );
        let recoded = MessageEntry {
            codec: "bincode".into(),
            layout: 0,
            size: 0,
            ..ball()
        };
        let (differs, text) = clash(recoded);
        assert_eq!(differs, Differs::Codec);
        assert!(
            text.starts_with("the message `Ball` with the id 7 is made by `zero_copy` in the journal, and by `bincode` in the program: "),
            "{text}"
        );
        let relaid = MessageEntry {
            layout: 0xdef,
            size: 16,
            ..ball()
        };
        let (differs, text) = clash(relaid);
        assert_eq!(differs, Differs::Layout);
        assert!(
            text.starts_with("the message `Ball` with the id 7 has the layout 0000000000000abc (8 bytes) in the journal, and 0000000000000def (16 bytes) in the program: "),
            "{text}"
        );
        let longer = MessageEntry {
            size: 16,
            layout: 0,
            ..ball()
        };
        let (differs, text) = clash(longer);
        assert_eq!(differs, Differs::Size);
        assert!(
            text.contains("has 8 bytes in the journal, and 16 in the program"),
            "{text}"
        );
    }

    #[test]
    fn names_source_and_both_sides() {
        let mut journal = of_sources([source(1, "Ping"), source(2, "Pong")]);
        let conflict = journal.admit(&of_sources([source(2, "Tap")])).unwrap_err();
        assert_eq!(
            conflict,
            SchemaConflict::Source {
                differs: Differs::Name,
                journal: source(2, "Pong"),
                program: source(2, "Tap")
            }
        );
        assert_eq!(
            conflict.to_string(),
            "the source id 2 is `Pong` in the journal, and `Tap` in the program: give `Tap` an id that the journal \
             has not got, or begin another journal"
        );
        let conflict = journal.admit(&of_sources([source(3, "Pong")])).unwrap_err();
        assert_eq!(
            conflict.to_string(),
            "the source `Pong` has the id 2 in the journal, and 3 in the program: give it the id 2 again, or \
             another name, or begin another journal"
        );
    }

    #[test]
    fn adding_is_fine() {
        let note = MessageEntry {
            id: MessageId::new(1),
            name: "Note".into(),
            ..ball()
        };
        let mut journal = of_messages([ball()]);
        assert_eq!(journal.admit(&of_messages([note])), Ok(true));
        assert_eq!(journal.admit(&of_messages([ball()])), Ok(false));
        assert_eq!(journal.admit(&of_sources([source(7, "Ball")])), Ok(true));
        assert_eq!(journal.messages().len(), 2);

        // The program that takes the journal up has two types of one name, one of them new.
        let second = MessageEntry {
            id: MessageId::new(9),
            path: "other::Ball".into(),
            ..ball()
        };
        let program = of_messages([ball(), second]);
        assert_eq!(journal.admit(&program), Ok(true));
        let mut sources = of_sources([source(1, "Tap")]);
        let two = of_sources([source(1, "Tap"), source(2, "Tap")]);
        assert_eq!(sources.admit(&two), Ok(true));
    }

    #[test]
    fn a_table_replaces_its_older_self() {
        let table = |name: &str, worker: Option<&str>| Schema {
            tables: vec![Table {
                name: name.into(),
                workers: (worker.iter())
                    .map(|name| WorkerEntry {
                        name: (*name).into(),
                        ..Default::default()
                    })
                    .collect(),
                ..Table::default()
            }],
            ..Schema::default()
        };
        let mut journal = table("Game", None);
        assert_eq!(journal.admit(&table("Market", None)), Ok(true));
        assert_eq!(journal.admit(&table("Game", Some("Court"))), Ok(true));
        assert_eq!(journal.admit(&table("Game", Some("Court"))), Ok(false));
        let names: Vec<_> = (journal.tables().iter())
            .map(|t| (t.name.as_str(), t.workers.len()))
            .collect();
        assert_eq!(names, [("Game", 1), ("Market", 0)]);
    }

    #[test]
    fn what_is_unknown_agrees_and_is_filled_in() {
        let unknown = MessageEntry {
            codec: "by hand".into(),
            path: String::new(),
            size: 0,
            align: 1,
            layout: 0,
            ..ball()
        };
        let mut journal = of_messages([unknown.clone()]);
        assert_eq!(journal.admit(&of_messages([ball()])), Ok(true));
        assert_eq!(journal.message(MessageId::new(7)), Some(&ball()));
        assert_eq!(journal.admit(&of_messages([unknown])), Ok(false));
        // The type was moved to another module.
        let moved = MessageEntry {
            path: "sport::Ball".into(),
            ..ball()
        };
        assert_eq!(journal.admit(&of_messages([moved])), Ok(true));
        assert_eq!(journal.messages()[0].path, "sport::Ball");
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn each_agrees_with_itself(schema in samples::schema()) {
            let mut journal = Schema::default();
            prop_assert_eq!(journal.admit(&schema), Ok(schema != Schema::default()));
            prop_assert_eq!(&journal, &schema);
            prop_assert_eq!(journal.admit(&schema), Ok(false));
        }

        #[test]
        fn a_conflict_changes_nothing(schema in samples::schema(), other in samples::schema()) {
            let mut journal = schema.clone();
            match journal.admit(&other) {
                Ok(_) => prop_assert_eq!(journal.admit(&schema).is_ok(), true),
                Err(_) => prop_assert_eq!(journal, schema),
            }
        }
    }
}
