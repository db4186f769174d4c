//! The journal: a bus on disk that grows, survives, and can be replayed.

// Until the segments use them.
#[allow(dead_code)]
mod cursor;
#[allow(dead_code)]
mod files;
#[allow(dead_code)]
mod header;
#[allow(dead_code)]
mod schema;
#[cfg(test)]
mod testing;

pub use cursor::{Cursor, CursorError, CursorInfo};
pub use header::HeaderError;
#[allow(unused_imports)]
pub(crate) use schema::Manifest;
pub use schema::{
    Differs, DroppedEntry, HandlerEntry, ManifestError, MessageEntry, OutsideEntry, RouteEntry,
    Schema, SchemaConflict, SourceEntry, Table, WorkerEntry,
};
