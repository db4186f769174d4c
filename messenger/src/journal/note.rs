//! Notes: the journal's own records, which readers of messages step over.
//!
//! A note's source is who it is about (0: nobody), and its message id is its kind:
//!
//! | kind | payload |
//! |---|---|
//! | 1 time | nanoseconds since 1970, u64, when all before it had been published |

use crate::bus::{MessageId, SourceId, Tag};

/// What a note says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoteKind {
    /// What time it was.
    Time = 1,
}

impl NoteKind {
    /// The tag of a note of this kind about nobody.
    pub(crate) const fn of_nobody(self) -> Tag {
        self.about(SourceId::new(0))
    }

    /// The tag of a note of this kind about a source.
    pub(crate) const fn about(self, source: SourceId) -> Tag {
        Tag::new(source, MessageId::new(self as u16))
    }
}

/// The payload of a note of the time.
pub(crate) const fn time(nanos: u64) -> [u8; 8] {
    nanos.to_le_bytes()
}

/// The time that a note says, if it says one.
pub(crate) fn time_of(tag: Tag, payload: &[u8]) -> Option<u64> {
    if tag.message.get() != NoteKind::Time as u16 {
        return None;
    }
    payload
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes))
}
