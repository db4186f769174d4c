//! What can be wrong with a feed, with the place and the values.

use core::fmt;
use std::io;

/// Why bytes of a feed are no record. `offset` is where its length stands, in bytes from the
/// feed's start.
#[derive(Debug)]
pub enum ItchError {
    /// The feed ends within a record.
    Truncated {
        /// Where the record begins.
        offset: u64,
        /// Bytes of the record, its length included.
        needed: usize,
        /// Bytes that are there.
        found: usize,
    },
    /// A record without bytes.
    Empty {
        /// Where the record begins.
        offset: u64,
    },
    /// No record of the format begins with this byte.
    UnknownType {
        /// Where the record begins.
        offset: u64,
        /// Its first byte.
        kind: u8,
        /// Its bytes.
        length: usize,
    },
    /// A record of this type has another length.
    WrongLength {
        /// Where the record begins.
        offset: u64,
        /// Its type.
        kind: u8,
        /// Bytes that a record of this type has.
        expected: usize,
        /// Bytes that this one has.
        found: usize,
    },
    /// A field has a value that it can't have.
    BadValue {
        /// Where the record begins.
        offset: u64,
        /// Its type.
        kind: u8,
        /// The field.
        field: &'static str,
        /// What stands there.
        value: u8,
    },
    /// Bytes follow the mark that ends the session.
    AfterEnd {
        /// Where the first of them is.
        offset: u64,
    },
    /// The source could not be read.
    Input {
        /// Where the record would begin.
        offset: u64,
        /// What the system says.
        error: io::Error,
    },
}

impl ItchError {
    /// Whether nothing can be read any more; otherwise only one record is lost.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Truncated { .. } | Self::AfterEnd { .. } | Self::Input { .. }
        )
    }
}

impl fmt::Display for ItchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated {
                offset,
                needed,
                found,
            } => write!(
                f,
                "the feed ends within the record at byte {offset}, which has {needed} bytes, \
                 after {found} of them: was the file copied whole?"
            ),
            Self::Empty { offset } => write!(f, "the record at byte {offset} is empty"),
            Self::UnknownType {
                offset,
                kind,
                length,
            } => write!(
                f,
                "the record at byte {offset} ({length} bytes) has the unknown type '{}': \
                 is this an ITCH 5.0 feed?",
                kind.escape_ascii()
            ),
            Self::WrongLength {
                offset,
                kind,
                expected,
                found,
            } => write!(
                f,
                "the record at byte {offset} is of type '{}' and has {found} bytes instead of \
                 {expected}",
                kind.escape_ascii()
            ),
            Self::BadValue {
                offset,
                kind,
                field,
                value,
            } => write!(
                f,
                "the record at byte {offset} is of type '{}' and its {field} can't be '{}'",
                kind.escape_ascii(),
                value.escape_ascii()
            ),
            Self::AfterEnd { offset } => {
                write!(
                    f,
                    "the session has ended, but bytes follow at byte {offset}"
                )
            }
            Self::Input { offset, error } => {
                write!(f, "the feed can't be read at byte {offset}: {error}")
            }
        }
    }
}

impl std::error::Error for ItchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Input { error, .. } => Some(error),
            _ => None,
        }
    }
}
