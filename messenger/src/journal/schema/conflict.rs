//! What a journal and a program contradict each other in.

use core::fmt;

use super::{MessageEntry, PartDiffers, SourceEntry};

use crate::words::in_words;

/// In what a journal and a program contradict each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Differs {
    /// One id has two names.
    Name,
    /// One name has two ids.
    Id,
    /// The bytes of a message are made by another codec.
    Codec,
    /// The payloads of a message have another length.
    Size,
    /// The fields of a zero-copy message lie otherwise.
    Layout,
}

/// A journal's schema and a program's contradict each other.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SchemaConflict {
    /// In a message.
    Message {
        /// In what.
        differs: Differs,
        /// What the journal says.
        journal: Box<MessageEntry>,
        /// What the program says.
        program: Box<MessageEntry>,
        /// Of a layout, if both say what it is made of: the first part that differs.
        part: Option<Box<PartDiffers>>,
    },
    /// In a source.
    Source {
        /// In what: the name or the id.
        differs: Differs,
        /// What the journal says.
        journal: SourceEntry,
        /// What the program says.
        program: SourceEntry,
    },
}

impl fmt::Display for SchemaConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said_of("journal", f)
    }
}

impl SchemaConflict {
    /// Says it, where what knows better is a `kept`: a journal, or a bus.
    pub(crate) fn said_of(&self, kept: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message {
                differs,
                journal,
                program,
                part,
            } => message(f, kept, *differs, (journal, program), part.as_deref()),
            Self::Source {
                differs,
                journal,
                program,
            } => {
                let (ids, names) = ((journal.id, program.id), (&journal.name, &program.name));
                meaning(f, kept, "source", *differs == Differs::Id, ids, names)
            }
        }
    }
}

in_words!(SchemaConflict);

impl core::error::Error for SchemaConflict {}

fn message(
    f: &mut fmt::Formatter<'_>,
    kept: &str,
    differs: Differs,
    (journal, program): (&MessageEntry, &MessageEntry),
    part: Option<&PartDiffers>,
) -> fmt::Result {
    let (id, name) = (program.id, &program.name);
    match differs {
        Differs::Name | Differs::Id => {
            let (ids, names) = ((journal.id, program.id), (&journal.name, &program.name));
            return meaning(f, kept, "message", differs == Differs::Id, ids, names);
        }
        Differs::Codec => write!(
            f,
            "the message `{name}` with the id {id} is made by `{}` in the {kept}, and by `{}` in the program",
            journal.codec, program.codec
        )?,
        Differs::Size => write!(
            f,
            "the message `{name}` with the id {id} has {} bytes in the {kept}, and {} in the program",
            journal.size, program.size
        )?,
        Differs::Layout => write!(
            f,
            "the message `{name}` with the id {id} has the layout {:016x} ({} bytes) in the {kept}, and {:016x} ({} bytes) in the program",
            journal.layout, journal.size, program.layout, program.size
        )?,
    }
    if let Some(PartDiffers { journal, program }) = part {
        write!(
            f,
            "; the first difference: the {kept} has {journal}, and the program {program}"
        )?;
    }
    write!(
        f,
        ": the program would misread what was kept; leave the message as it was and give its new form an id and a name of its own, or begin another {kept}",
    )
}

/// Two meanings of an id, or two ids of a name.
fn meaning<Id: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    kept: &str,
    kind: &str,
    id_differs: bool,
    (journal_id, id): (Id, Id),
    (journal_name, name): (&String, &String),
) -> fmt::Result {
    if id_differs {
        write!(
            f,
            "the {kind} `{name}` has the id {journal_id} in the {kept}, and {id} in the program: give it the id {journal_id} again, or another name, or begin another {kept}"
        )
    } else {
        write!(
            f,
            "the {kind} id {id} is `{journal_name}` in the {kept}, and `{name}` in the program: give `{name}` an id that the {kept} has not got, or begin another {kept}"
        )
    }
}
