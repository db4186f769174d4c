//! A table as a journal keeps it: who runs where, and who hears whom. Names of ids stand in the schema.

use crate::bus::{MessageId, SourceId};

/// A whole table.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its workers, in the order of the table.
    pub workers: Vec<WorkerEntry>,
    /// Who publishes from outside.
    pub outside: Vec<OutsideEntry>,
    /// What is sent and routed to nobody, on purpose.
    pub dropped: Vec<DroppedEntry>,
}

/// A worker, its handlers, and what it routes to them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct WorkerEntry {
    /// Its name.
    pub name: String,
    /// Its handlers; [`RouteEntry::receivers`] counts in this list.
    pub handlers: Vec<HandlerEntry>,
    /// Its routes, in the order of the table.
    pub routes: Vec<RouteEntry>,
}

/// A handler of a worker.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct HandlerEntry {
    /// Its name in the table.
    pub name: String,
    /// The id in the records that it sends.
    pub source: SourceId,
    /// The name of its type.
    pub type_name: String,
}

/// Which messages go to which handlers of a worker.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RouteEntry {
    /// Who sends them.
    pub source: SourceId,
    /// What they are.
    pub message: MessageId,
    /// Who gets them: indices into [`WorkerEntry::handlers`].
    pub receivers: Vec<u16>,
}

/// Who publishes from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct OutsideEntry {
    /// The id in the records that it sends.
    pub source: SourceId,
    /// The name of its type.
    pub type_name: String,
}

/// A message which a source sends and the table routes to nobody, on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DroppedEntry {
    /// Who sends it.
    pub source: SourceId,
    /// What it is.
    pub message: MessageId,
}
