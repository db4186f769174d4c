//! A record as its readers see it.

use super::{MessageId, SourceId, Tag};

/// A committed record, in place: its payload is borrowed from the ring.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    pub(super) position: u64,
    pub(super) tag: Tag,
    pub(super) payload: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record's position on the bus.
    #[inline]
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Who sent it, and what it is.
    #[inline]
    #[must_use]
    pub fn tag(&self) -> Tag {
        self.tag
    }

    /// Who sent it.
    #[inline]
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.tag.source
    }

    /// What it is.
    #[inline]
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.tag.message
    }

    /// Its bytes; the first is aligned to [`PAYLOAD_ALIGN`](super::PAYLOAD_ALIGN).
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// A copy that does not depend on the ring.
    #[must_use]
    pub fn to_owned(&self) -> OwnedRecord {
        OwnedRecord {
            position: self.position,
            tag: self.tag,
            payload: self.payload.to_vec(),
        }
    }
}

/// A copy of a committed record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnedRecord {
    /// The record's position on the bus.
    pub position: u64,
    /// Who sent it, and what it is.
    pub tag: Tag,
    /// Its bytes.
    pub payload: Vec<u8>,
}
