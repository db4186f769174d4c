//! A table as data: what the program consists of, and who hears whom.

use super::handler::{Handler, SentBy};
use super::options::WorkerOptions;
use super::outbox::Seat;
use crate::bus::{MessageId, SourceId, Tag};
use crate::message::{Message, MessageInfo};

/// A whole table: its workers and who else sends.
#[derive(Clone, Copy, Debug)]
pub struct AppInfo {
    /// The table's name, as its author wrote it.
    pub name: &'static str,
    /// Its workers, in the order of the table.
    pub workers: &'static [&'static WorkerInfo],
    /// Who publishes from outside: `main`, a test, a server.
    pub outside: &'static [SourceInfo],
    /// What is sent and routed to nobody, on purpose.
    pub dropped: &'static [Dropped],
}

impl AppInfo {
    /// How many routes and dropped entries the table has.
    #[must_use]
    pub const fn entries(&self) -> usize {
        let mut entries = self.dropped.len();
        let mut worker = 0;
        while worker < self.workers.len() {
            entries += self.workers[worker].routes.len();
            worker += 1;
        }
        entries
    }
}

/// A worker: a thread, the handlers on it, and what it routes to them.
#[derive(Clone, Copy, Debug)]
pub struct WorkerInfo {
    /// The worker's name, as its author wrote it.
    pub name: &'static str,
    /// How it runs.
    pub options: WorkerOptions,
    /// Its handlers; [`Route::receivers`] counts in this list.
    pub handlers: &'static [HandlerInfo],
    /// Its routes, in the order of the table.
    pub routes: &'static [Route],
}

impl WorkerInfo {
    /// The seat of the handler with this number.
    #[must_use]
    pub const fn seat(&self, handler: u16) -> Seat {
        Seat::new(handler, self.handlers[handler as usize].source.id)
    }
}

/// A handler of a worker.
#[derive(Clone, Copy, Debug)]
pub struct HandlerInfo {
    /// Its name in the table.
    pub name: &'static str,
    /// Who it is as a sender.
    pub source: SourceInfo,
    /// Whether it is async. Then it sends by a publisher of its own.
    pub is_async: bool,
}

impl HandlerInfo {
    /// An `H`, with the name of its type.
    #[must_use]
    pub(crate) const fn of<H: Handler>() -> Self {
        Self {
            name: H::NAME,
            source: SourceInfo::of::<H>(),
            is_async: H::IS_TASK,
        }
    }

    /// The same with its name in the table.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }

    /// The same with an id of its own: one of several instances of a type.
    #[must_use]
    pub const fn with_id(mut self, id: SourceId) -> Self {
        self.source.id = id;
        self.source.instance = self.name;
        self
    }
}

/// Who sends: a handler, or a publisher outside of the table.
#[derive(Clone, Copy, Debug)]
pub struct SourceInfo {
    /// The id that stands in the records it sends.
    pub id: SourceId,
    /// The name of its type.
    pub name: &'static str,
    /// Its name in the table where it has an id of its own, else empty.
    pub instance: &'static str,
    /// What it sends.
    pub sends: &'static [MessageInfo],
}

impl SourceInfo {
    /// The source that `H` is.
    #[must_use]
    pub const fn of<H: Handler>() -> Self {
        Self {
            id: H::ID,
            name: H::NAME,
            instance: "",
            sends: H::SENDS,
        }
    }

    /// What to call it: its name in the table if it has an id of its own, else its type's name.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        if self.instance.is_empty() {
            self.name
        } else {
            self.instance
        }
    }
}

/// Which messages go to which handlers of a worker.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The id of who sends them.
    pub source: SourceId,
    /// The name of who sends them.
    pub source_name: &'static str,
    /// What they are.
    pub message: MessageInfo,
    /// Who gets them: indices into [`WorkerInfo::handlers`].
    pub receivers: &'static [u16],
}

impl Route {
    /// The messages `M` that the handler type `S` sends.
    #[must_use]
    pub const fn of<S: Handler, M: Message>(receivers: &'static [u16]) -> Self {
        Self {
            source: S::ID,
            source_name: S::NAME,
            message: MessageInfo::of::<M>(),
            receivers,
        }
    }

    /// The same from the instance `name`, which has the id `id` in this table.
    #[must_use]
    pub const fn sent_by(mut self, id: SourceId, name: &'static str) -> Self {
        self.source = id;
        self.source_name = name;
        self
    }

    /// What stands in the headers of these records.
    #[must_use]
    pub const fn tag(&self) -> Tag {
        Tag::new(self.source, self.message.id)
    }
}

/// A message which a source sends and this table routes to nobody, on purpose.
#[derive(Clone, Copy, Debug)]
pub struct Dropped {
    /// The id of who sends it.
    pub source: SourceId,
    /// The name of who sends it.
    pub source_name: &'static str,
    /// What it is.
    pub message: MessageInfo,
}

impl Dropped {
    /// The messages `M` that the handler type `S` sends.
    #[must_use]
    pub const fn of<S: Handler, M: Message>() -> Self {
        Self {
            source: S::ID,
            source_name: S::NAME,
            message: MessageInfo::of::<M>(),
        }
    }

    /// The same from the instance `name`, which has the id `id` in this table.
    #[must_use]
    pub const fn sent_by(mut self, id: SourceId, name: &'static str) -> Self {
        self.source = id;
        self.source_name = name;
        self
    }

    /// The message's id.
    #[must_use]
    pub const fn message_id(&self) -> MessageId {
        self.message.id
    }
}

/// Says that the handler type `S` sends `M`; if it doesn't, the compiler tells so at the call.
///
/// It stands apart from [`Route::of`] so that a table with such a mistake is still data, and shows its other mistakes.
pub const fn sends<S: Handler, M: SentBy<S>>() {}
