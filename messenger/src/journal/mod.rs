//! The journal: a bus on disk that grows, survives, and can be replayed.

// Until the segments use them.
#[allow(dead_code)]
mod cursor;
#[allow(dead_code)]
mod files;
#[allow(dead_code)]
mod header;
#[allow(dead_code, unused_imports)]
mod schema;
#[cfg(test)]
mod testing;

pub use cursor::{Cursor, CursorError, CursorInfo};
pub use header::HeaderError;
pub use schema::{
    Differs, DroppedEntry, HandlerEntry, ManifestError, MessageEntry, OutsideEntry, RouteEntry,
    Schema, SchemaConflict, SourceEntry, Table, WorkerEntry,
};
