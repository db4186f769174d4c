//! The journal: a bus on disk that grows, survives, and can be replayed.
//!
//! A [`Journal`] is a directory of files, and a [`Bus`](crate::bus::Bus) over them: whatever runs on a bus runs on it. Each record
//! that was committed survives the death of the process; each that was *synced* survives a loss of power. A [`Reader`] reads
//! one without writing to it, also while another process does.
//!
//! The files, byte by byte, and what is promised of them, are described in `docs/journal.md`.

#[cfg(target_endian = "big")]
compile_error!(
    "a journal's files are little-endian, and so must be the machine: leave the feature `journal` off"
);

mod bell;
mod config;
mod control;
mod cursor;
mod dir;
mod durability;
mod error;
mod files;
mod handle;
mod header;
mod holders;
mod keeper;
mod making;
pub(crate) mod note;
mod opening;
mod reader;
mod reader_state;
mod recover;
mod recovery;
mod repair;
mod schema;
mod seek;
#[cfg(all(feature = "shared", target_os = "linux"))]
mod share;
mod state;
mod stats;
mod store;
mod survey;
mod verify;
mod walker;

#[cfg(test)]
pub(crate) mod testing;

pub use config::{JournalConfig, Retention, SyncPolicy};
pub use cursor::{Cursor, CursorError, CursorInfo};
pub use error::{JournalError, JournalFault, OpenError, OpenFault};
pub use handle::Journal;
pub use header::HeaderError;
pub use reader::{Entry, Item, Reader};
pub use recovery::{DropCause, Dropped, LeftBy, Recovery};
pub use repair::{Cut, Repaired, plan_repair, repair};
pub use schema::{
    Differs, DroppedEntry, FieldEntry, HandlerEntry, ManifestError, MessageEntry, OutsideEntry,
    PartDiffers, Parts, RouteEntry, Schema, SchemaConflict, SchemaTextError, ShapeEntry,
    SourceEntry, Table, VariantEntry, WorkerEntry,
};
pub use stats::JournalStats;
pub use verify::{Damage, DamageKind, Progress, Verified, verify};

#[cfg(test)]
pub(crate) use schema::Manifest;
#[cfg(all(feature = "shared", target_os = "linux"))]
pub(crate) use {
    handle::Sharing,
    share::{Home, LEAVING, Onlooker, Rights, Share, look_at, schema_of},
};
