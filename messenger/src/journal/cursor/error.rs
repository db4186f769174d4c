//! What can go wrong with a named cursor.

use core::fmt;
use std::io;

use super::LONGEST_NAME;

use crate::words::in_words;

/// A named cursor could not be opened, read, stored or removed.
#[non_exhaustive]
pub enum CursorError {
    /// No cursor can have that name.
    Name {
        /// The name.
        name: String,
    },
    /// Somebody holds it: another thread or another process.
    Held {
        /// The cursor's name.
        name: String,
    },
    /// There is none of that name.
    Missing {
        /// The name.
        name: String,
    },
    /// Both places in its file are damaged.
    Damaged {
        /// The cursor's name.
        name: String,
    },
    /// It was written by a newer version of this library.
    Newer {
        /// The cursor's name.
        name: String,
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// It counts in another journal.
    OtherJournal {
        /// The cursor's name.
        name: String,
    },
    /// No record can stand at that position.
    Position {
        /// The cursor's name.
        name: String,
        /// The position.
        position: u64,
    },
    /// The system refused.
    Io {
        /// The cursor's name; of the directory of all cursors, `*`.
        name: String,
        /// What was to be done: `open`, `read`, `store`, `sync`, `remove`.
        what: &'static str,
        /// What the system says.
        error: io::Error,
    },
}

impl CursorError {
    /// The cursor's name; of the directory of all cursors, `*`.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Name { name }
            | Self::Held { name }
            | Self::Missing { name }
            | Self::Damaged { name }
            | Self::Newer { name, .. }
            | Self::OtherJournal { name }
            | Self::Position { name, .. }
            | Self::Io { name, .. } => name,
        }
    }
}

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "{name:?} is no name for a cursor: take 1 to {LONGEST_NAME} letters (A to Z, a to z), digits, `.`, `_` and `-`, the first one no `.`"
            ),
            Self::Held { name } => write!(
                f,
                "the cursor `{name}` is held by another reader or process: end that one, or take a cursor of another name"
            ),
            Self::Missing { name } => write!(
                f,
                "the journal has no cursor `{name}`: `cursors()`, or `messenger cursors list DIR`, names those it has"
            ),
            Self::Damaged { name } => write!(
                f,
                "the cursor `{name}` is damaged in both places of its file: remove it (`remove_cursor`, or `messenger cursors remove DIR {name}`), and open it anew at a position from which its reader can go on (or `messenger cursors set DIR {name} PLACE`)"
            ),
            Self::Newer { name, found, known } => write!(
                f,
                "the cursor `{name}` is of version {found}, and this program knows versions up to {known}: use a newer one"
            ),
            Self::OtherJournal { name } => write!(
                f,
                "the cursor `{name}` counts in another journal: move its file back to that one's directory, or remove it"
            ),
            Self::Position { name, position } => write!(
                f,
                "the cursor `{name}` was to be stored at {position}, where no record can stand (positions are multiples of 16): store the position after the last record that was read"
            ),
            Self::Io { name, what, error } => {
                write!(f, "to {what} the cursor `{name}` failed: {error}")
            }
        }
    }
}

in_words!(CursorError);

impl core::error::Error for CursorError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io { error, .. } => Some(error),
            _ => None,
        }
    }
}
