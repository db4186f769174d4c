//! What a journal knows of the programs that wrote it: which ids mean what, and their tables.
//!
//! It is kept in the journal's directory as a text, so that a journal can be read, drawn and checked without its program.

mod admit;
mod conflict;
mod lines;
mod manifest;
#[cfg(test)]
mod samples;
mod shape;
mod shapes;
mod table;
mod text;
mod unlike;

pub use conflict::{Differs, SchemaConflict};
pub(crate) use manifest::Manifest;
pub use manifest::ManifestError;
pub use shape::{FieldEntry, Parts, ShapeEntry, VariantEntry};
pub use table::{DroppedEntry, HandlerEntry, OutsideEntry, RouteEntry, Table, WorkerEntry};
pub use text::SchemaTextError;
pub use unlike::PartDiffers;

use crate::bus::{MessageId, SourceId};

/// Which ids mean what in a journal, and the tables that wrote it.
///
/// `Schema::from(A::INFO)` is that of one table `A`; [`admit`](Self::admit) joins them.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Schema {
    /// By id, each id once.
    messages: Vec<MessageEntry>,
    /// By id, each id once.
    sources: Vec<SourceEntry>,
    /// In the order in which they came, each name once. All ids in them are in the lists above.
    tables: Vec<Table>,
    /// In the order in which they came, each fingerprint once.
    shapes: Vec<ShapeEntry>,
}

/// What is known of a type of message.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MessageEntry {
    /// The id in the records.
    pub id: MessageId,
    /// The name.
    pub name: String,
    /// Who makes the bytes: `bincode`, `postcard`, `prost`, `zero_copy`, or another name; `by hand` and none: unknown.
    pub codec: String,
    /// The type's path; empty if unknown.
    pub path: String,
    /// The length of every such payload in bytes; 0 if it varies, or is unknown.
    pub size: u64,
    /// The alignment in bytes that the payload needs.
    pub align: u64,
    /// The fingerprint of the layout of a zero-copy message; 0 for the others, or if unknown.
    pub layout: u64,
}

/// What is known of a source.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SourceEntry {
    /// The id in the records that it sends.
    pub id: SourceId,
    /// The name.
    pub name: String,
}

impl Schema {
    /// All messages, by id.
    #[must_use]
    pub fn messages(&self) -> &[MessageEntry] {
        &self.messages
    }

    /// All sources, by id.
    #[must_use]
    pub fn sources(&self) -> &[SourceEntry] {
        &self.sources
    }

    /// All tables, in the order in which they came.
    #[must_use]
    pub fn tables(&self) -> &[Table] {
        &self.tables
    }

    /// The message with this id.
    #[must_use]
    pub fn message(&self, id: MessageId) -> Option<&MessageEntry> {
        let at = self.messages.binary_search_by_key(&id, |entry| entry.id);
        at.ok().map(|at| &self.messages[at])
    }

    /// The messages with this name: one, unless a program has two types of one name.
    pub fn messages_named(&self, name: &str) -> impl Iterator<Item = &MessageEntry> {
        self.messages.iter().filter(move |entry| entry.name == name)
    }

    /// The source with this id.
    #[must_use]
    pub fn source(&self, id: SourceId) -> Option<&SourceEntry> {
        let at = self.sources.binary_search_by_key(&id, |entry| entry.id);
        at.ok().map(|at| &self.sources[at])
    }

    /// The sources with this name: one, unless a program has two types of one name.
    pub fn sources_named(&self, name: &str) -> impl Iterator<Item = &SourceEntry> {
        self.sources.iter().filter(move |entry| entry.name == name)
    }

    /// The table with this name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }

    /// Adds a message, if its id has none yet. Says whether it did.
    pub(crate) fn add_message(&mut self, entry: MessageEntry) -> bool {
        match (self.messages).binary_search_by_key(&entry.id, |entry| entry.id) {
            Ok(_) => false,
            Err(at) => {
                self.messages.insert(at, entry);
                true
            }
        }
    }

    /// Adds a source, if its id has none yet. Says whether it did.
    pub(crate) fn add_source(&mut self, entry: SourceEntry) -> bool {
        match (self.sources).binary_search_by_key(&entry.id, |entry| entry.id) {
            Ok(_) => false,
            Err(at) => {
                self.sources.insert(at, entry);
                true
            }
        }
    }

    /// Adds a table, or replaces that of its name. Says whether anything has changed. All ids in it are known.
    pub(crate) fn add_table(&mut self, table: Table) -> bool {
        match (self.tables.iter_mut()).find(|known| known.name == table.name) {
            Some(known) if *known == table => false,
            Some(known) => {
                *known = table;
                true
            }
            None => {
                self.tables.push(table);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(id: u16, name: &str) -> SourceEntry {
        SourceEntry {
            id: SourceId::new(id),
            name: name.into(),
        }
    }

    #[test]
    fn looks_up_by_id_and_by_name() {
        let mut schema = Schema::default();
        for (id, name) in [(9, "Late"), (1, "Early"), (5, "Late"), (1, "Second")] {
            assert_eq!(schema.add_source(source(id, name)), name != "Second");
        }
        let ids = |name| {
            let named = schema.sources_named(name);
            named.map(|entry| entry.id.get()).collect::<Vec<_>>()
        };
        assert_eq!(ids("Late"), [5, 9]);
        assert!(ids("Second").is_empty());
        let name = |id| Some(schema.source(SourceId::new(id))?.name.as_str());
        assert_eq!(
            [name(1), name(5), name(2)],
            [Some("Early"), Some("Late"), None]
        );
        assert_eq!(schema.message(MessageId::new(1)), None);
        assert_eq!(schema.messages_named("Early").count(), 0);
        assert_eq!(schema.table("Early"), None);
    }
}
