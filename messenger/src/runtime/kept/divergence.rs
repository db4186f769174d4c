//! Where a program does something else than it once did.

use core::fmt;

use crate::bus::{MessageId, SourceId, Tag};
use crate::journal::note::{self, NoteKind};
use crate::message::DecodeError;
use crate::runtime::describe::AppInfo;
use crate::runtime::failure::FailedRecord;
use crate::words::in_words;

/// How many bytes of a payload are shown.
const SHOWN: usize = 48;

/// The program does something else now than what stands in the journal.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence {
    /// The worker whose handler it is.
    pub worker: &'static str,
    /// Where in the journal stands what is not done again. If nothing does, the same as `input`.
    pub position: u64,
    /// The position of the record that the worker had handled last when it did what it does now; if it does nothing, of the
    /// last one before `position`. If there is none, the position where it began.
    pub input: u64,
    /// What stands in the journal; `None`: nothing, though what the worker did later stands there, or that it had done all by then.
    pub recorded: Option<Act>,
    /// What is done in its place; `None`: nothing.
    pub sent: Option<Act>,
    /// The first record before it that the worker was to handle and that does not decode: the handlers may not be where they were for want of it.
    pub undecodable: Option<Box<Undecodable>>,
}

/// A record that does not decode, of those that a worker's handlers are given again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Undecodable {
    /// Which.
    pub record: FailedRecord,
    /// Its payload; empty also if it is by a panic that it does not decode.
    pub bytes: Vec<u8>,
    /// Why.
    pub error: DecodeError,
}

/// What a handler has done in a replay, and of which the journal can't say whether it was done then: it had not come so far, or died
/// before all that it had done stood there.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Unrecorded {
    /// The worker whose handler it is.
    pub worker: &'static str,
    /// The position of the record that the worker had handled last when it did it. If there is none, the position where it began.
    pub input: u64,
    /// What is done.
    pub act: Act,
}

/// Something that a handler does: it sends a message, or asks for what only its surroundings can tell it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Act {
    /// The handler's id as a source.
    pub source: SourceId,
    /// Its name.
    pub source_name: &'static str,
    /// What it does.
    pub kind: ActKind,
    /// The message's payload, or the number that the handler was told.
    pub bytes: Vec<u8>,
}

/// What a handler does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ActKind {
    /// It sends a message.
    Message {
        /// The message's id.
        id: MessageId,
        /// Its name.
        name: &'static str,
    },
    /// One of its timers fires.
    Timer,
    /// It asks what time it is.
    Clock,
    /// It asks for a random number.
    Random,
}

impl Act {
    pub(crate) fn of(app: &AppInfo, tag: Tag, is_note: bool, payload: &[u8]) -> Self {
        let (source_name, name) = names(app, tag);
        let kind = match NoteKind::of(tag) {
            Some(NoteKind::Timer) if is_note => ActKind::Timer,
            Some(NoteKind::Clock) if is_note => ActKind::Clock,
            Some(NoteKind::Random) if is_note => ActKind::Random,
            _ => ActKind::Message {
                id: tag.message,
                name,
            },
        };
        Self {
            source: tag.source,
            source_name,
            kind,
            bytes: payload.to_vec(),
        }
    }
}

/// What the table calls a source and its message.
fn names(app: &AppInfo, tag: Tag) -> (&'static str, &'static str) {
    let mut handlers = app.workers.iter().flat_map(|worker| worker.handlers);
    let Some(handler) = handlers.find(|handler| handler.source.id == tag.source) else {
        return ("?", "?");
    };
    let sends = handler.source.sends.iter();
    let message = sends.copied().find(|message| message.id == tag.message);
    let name = message.map_or("?", |message| message.name);
    (handler.source.label(), name)
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            worker,
            position,
            input,
            recorded,
            sent,
            undecodable,
        } = self;
        write!(
            f,
            "this build diverges at position {position} (worker `{worker}`, after the record at {input}): the journal has "
        )?;
        match recorded {
            None => f.write_str("nothing of it; now ")?,
            Some(recorded) => write!(f, "{recorded}; now ")?,
        }
        let like = |sent: &Act| {
            let recorded = recorded.as_ref();
            recorded.is_some_and(|it| (it.source, it.kind) == (sent.source, sent.kind))
        };
        match sent {
            None => f.write_str("it does nothing more"),
            Some(sent) if like(sent) => write!(f, "it has {}", OfAct(sent)),
            Some(sent) => write!(f, "it has {sent}"),
        }?;
        match undecodable {
            None => Ok(()),
            Some(first) => write!(f, ". A record before it does not decode: {first}"),
        }
    }
}

in_words!(Divergence);

impl std::error::Error for Divergence {}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            record,
            bytes,
            error,
        } = self;
        write!(
            f,
            "at position {}, message `{}` ({}) from `{}`, {}: {error}",
            record.position,
            record.message_name,
            record.message.get(),
            record.source_name,
            Bytes(bytes)
        )
    }
}

impl fmt::Display for Unrecorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { worker, input, act } = self;
        write!(f, "{act} (worker `{worker}`, after the record at {input})")
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source_name, .. } = self;
        match self.kind {
            ActKind::Message { id, name } => {
                write!(f, "message `{name}` ({}) from `{source_name}`, ", id.get())?;
            }
            ActKind::Timer => write!(f, "a timer of `{source_name}`, ")?,
            ActKind::Clock => write!(f, "a question of `{source_name}` for the time, ")?,
            ActKind::Random => write!(f, "a question of `{source_name}` for a random number, ")?,
        }
        OfAct(self).fmt(f)
    }
}

/// What tells an act from others of its kind.
struct OfAct<'a>(&'a Act);

impl fmt::Display for OfAct<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = &self.0.bytes;
        match (self.0.kind, note::timer_of(bytes), note::number_of(bytes)) {
            (ActKind::Timer, Some((next, number)), _) => {
                write!(f, "number {number}, before position {next}")
            }
            (ActKind::Clock | ActKind::Random, _, Some(number)) => write!(f, "answer {number}"),
            _ => Bytes(bytes).fmt(f),
        }
    }
}

struct Bytes<'a>(&'a [u8]);

impl fmt::Display for Bytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(bytes) = self;
        write!(f, "{} bytes [", bytes.len())?;
        for byte in bytes.iter().take(SHOWN) {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(if bytes.len() > SHOWN { " ..]" } else { "]" })
    }
}
