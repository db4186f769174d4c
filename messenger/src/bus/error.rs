//! What can go wrong on a bus, with the numbers.

use core::fmt;
use std::io::ErrorKind;

use crate::memory::MemoryError;
use crate::words::in_words;

/// A bus could not be made.
#[non_exhaustive]
pub enum BusError {
    /// Its memory could not be had.
    Memory(MemoryError),
    /// A bus has between 2 and 65,535 member slots.
    Members {
        /// How many were asked for.
        members: usize,
    },
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(error) => error.fmt(f),
            Self::Members { members } => write!(
                f,
                "a bus with {members} member slots was asked for: ask for 2 to 65535, one for each publisher, subscriber and observer attached at a time"
            ),
        }
    }
}

in_words!(BusError);

impl core::error::Error for BusError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Memory(error) => error.source(),
            Self::Members { .. } => None,
        }
    }
}

impl From<MemoryError> for BusError {
    fn from(error: MemoryError) -> Self {
        Self::Memory(error)
    }
}

/// A publisher, subscriber or observer could not be attached.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JoinError {
    /// All member slots are taken.
    NoFreeSlot {
        /// How many slots the bus has.
        members: usize,
    },
    /// The position to start at is not retained any more.
    Gone {
        /// The position asked for.
        position: u64,
        /// The oldest that is retained.
        oldest: u64,
    },
    /// The position to start at has not been reached.
    Ahead {
        /// The position asked for.
        position: u64,
        /// Where the next claim begins.
        tail: u64,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFreeSlot { members } => write!(
                f,
                "all {members} member slots of the bus are taken: drop a publisher, subscriber or observer, or make the bus with more (`members`, of its `BusConfig`, `JournalConfig` or `SharedOptions`)"
            ),
            Self::Gone { position, oldest } => write!(
                f,
                "position {position} is not retained any more: start at {oldest}, the oldest record there is, and know that what stood before is missed"
            ),
            Self::Ahead { position, tail } => write!(
                f,
                "position {position} lies ahead of the bus, which ends at {tail}: it is one of another bus; open that one, or start at `Oldest` or `Newest`"
            ),
        }
    }
}

in_words!(JoinError);

impl core::error::Error for JoinError {}

/// A claim was not made, or a record not sent. Whatever was to be sent is still the caller's
/// (but for [`NotSynced`](Self::NotSynced)).
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClaimError {
    /// The bus is full: a subscriber has yet to read what lies where the record would go, or a claim there is still open.
    Full {
        /// What the record takes in the ring, in bytes, header included.
        needed: usize,
        /// The ring's length in bytes.
        capacity: usize,
    },
    /// The payload can never fit.
    TooLarge {
        /// The payload's length in bytes.
        len: usize,
        /// The longest payload that the bus takes, in bytes.
        max: usize,
    },
    /// A run of records is longer than one may be, or a record than what is left of its run.
    RunTooLarge {
        /// The bytes that were to be claimed, headers included.
        bytes: usize,
        /// How many there are at most, or are left.
        max: usize,
    },
    /// The bus was full until the time was up.
    Timeout {
        /// What the record takes in the ring, in bytes, header included.
        needed: usize,
    },
    /// The wait for room was given up because its `stop` said so.
    Interrupted,
    /// The disk on which the bus is kept is full, or its quota used up.
    StorageFull {
        /// What the record takes, in bytes, header included.
        needed: usize,
    },
    /// The bytes to claim could not be had.
    Lost(Lost),
    /// The record was sent and is visible, but was to be synced.
    NotSynced(NotSynced),
}

/// The length of a bus that grows as long as there is space. (A ring is shorter than half of what a pointer can reach.)
const UNBOUNDED: usize = 1 << (usize::BITS - 2);

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { needed, capacity } if *capacity >= UNBOUNDED => write!(
                f,
                "the next segment of the journal, for a record of {needed} bytes, is not ready yet: try again soon, or send in a way that waits; \
                 `JournalConfig::ahead` has more segments made ready"
            ),
            Self::Full { needed, capacity } => write!(
                f,
                "the bus of {capacity} bytes has no room for a record of {needed} now: wait for its slowest subscriber, or for a claim before it that is still \
                 open, or make the bus longer"
            ),
            Self::TooLarge { len, max } => write!(
                f,
                "a payload of {len} bytes was to be sent where at most {max} fit, a quarter of the bus or of a journal's segment: send less at a time, or \
                 make these longer (`bytes` of `BusConfig` or `SharedOptions`, `segment_bytes` of the `JournalConfig` of a new journal)"
            ),
            Self::RunTooLarge { bytes, max } => write!(
                f,
                "{bytes} bytes, headers included, were to be claimed where at most {max} are: reserve what all records of the run take \
                 (`record_len` of each), and no more than a quarter of the bus at a time"
            ),
            Self::Timeout { needed } => write!(
                f,
                "the bus had no room for a record of {needed} bytes until the time was up: its slowest subscriber does not keep up, or a claim before it \
                 is still open"
            ),
            Self::Interrupted => f.write_str("the wait for room was interrupted"),
            Self::StorageFull { needed } => write!(
                f,
                "the disk is full: no segment could be had for a record of {needed} bytes; free some space, or trim the journal, and send it again"
            ),
            Self::Lost(lost) => lost.fmt(f),
            Self::NotSynced(error) => error.fmt(f),
        }
    }
}

in_words!(ClaimError);

impl core::error::Error for ClaimError {}

/// A record of a journal that syncs each was committed, and is visible, but the disk failed to take it, or it could not be tried; or a claim
/// before it stayed open for seconds, so that it could not be synced yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NotSynced(pub(super) Lost);

impl NotSynced {
    /// The record's position.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.0.position
    }

    /// Whether nothing has failed, but a claim before the record stays open, so that it may still be synced.
    #[must_use]
    pub fn is_pending(&self) -> bool {
        self.0.kind == ErrorKind::TimedOut
    }
}

impl fmt::Display for NotSynced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_pending() {
            return write!(
                f,
                "the record at position {} is visible but not synced yet: a claim before it is still open after seconds; commit or \
                 drop it (does this thread hold it?), then sync",
                self.position()
            );
        }
        write!(
            f,
            "the record is visible but not synced, nor is anything after it: {}; see to what is wrong, and sync; if that says the same, a flush has \
             failed: stop, and open the journal again",
            self.0
        )
    }
}

in_words!(NotSynced);

impl core::error::Error for NotSynced {}

impl From<NotSynced> for ClaimError {
    fn from(error: NotSynced) -> Self {
        Self::NotSynced(error)
    }
}

impl From<NotSynced> for CommitError {
    fn from(error: NotSynced) -> Self {
        Self::NotSynced(error)
    }
}

/// A claim was aborted in place of committed, or committed and not synced.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommitError {
    /// The record is visible, but was to be synced.
    NotSynced(NotSynced),
    /// Fewer bytes were written than were claimed.
    Incomplete {
        /// How many were written.
        written: usize,
        /// How many were claimed.
        claimed: usize,
    },
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSynced(error) => error.fmt(f),
            Self::Incomplete { written, claimed } => write!(
                f,
                "only {written} of {claimed} claimed bytes were written, so the record was aborted: write them all, or claim fewer"
            ),
        }
    }
}

in_words!(CommitError);

impl core::error::Error for CommitError {}

/// The memory of the bus holds a header that no publisher of this bus writes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Corrupt {
    /// The record's position.
    pub position: u64,
    /// The payload's length that its header says, in bytes.
    pub len: u32,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the record at position {} says it has {} bytes, which do not fit in the bus: something wrote over its memory",
            self.position, self.len
        )
    }
}

in_words!(Corrupt);

impl core::error::Error for Corrupt {}

/// The bytes of a bus that is kept could not be reached, or no more of them be had.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    position: u64,
    /// The system's number for the error; 0: it has none.
    code: i32,
    kind: ErrorKind,
}

impl Lost {
    /// What an error of the system over the segment with `position` means.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    pub(crate) fn new(position: u64, error: &std::io::Error) -> Self {
        Self {
            position,
            code: error.raw_os_error().unwrap_or(0),
            kind: error.kind(),
        }
    }

    /// The words of the bus say what no member writes: that it ends at `position`.
    pub(crate) fn corrupt(position: u64) -> Self {
        Self {
            position,
            code: 0,
            kind: ErrorKind::InvalidInput,
        }
    }

    /// The same over another position.
    #[cfg(not(loom))]
    pub(super) fn at(self, position: u64) -> Self {
        Self { position, ..self }
    }

    /// A position in the segment that was wanted.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// What kind of error the system gave.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The system's number for it, if it has one.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        Some(self.code).filter(|&code| code != 0)
    }

    /// Why a record that takes `bytes` bytes cannot be claimed.
    #[cfg(not(loom))]
    pub(super) fn refuses(self, bytes: u64) -> ClaimError {
        use ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let needed = bytes as usize;
        match self.kind {
            StorageFull | QuotaExceeded | FileTooLarge => ClaimError::StorageFull { needed },
            _ => ClaimError::Lost(self),
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.kind == ErrorKind::InvalidInput && self.code == 0 {
            return write!(
                f,
                "the bus says that it ends at position {}, where none can: something wrote over its memory",
                self.position
            );
        }
        write!(
            f,
            "the segment with position {} can't be had: ",
            self.position
        )?;
        match self.raw_os_error() {
            Some(code) => std::io::Error::from_raw_os_error(code).fmt(f),
            None if self.kind == ErrorKind::InvalidData => f.write_str(
                "what it holds is damaged; `verify` says what, `repair` mends it or gives it up",
            ),
            None => self.kind.fmt(f),
        }
    }
}

in_words!(Lost);

impl core::error::Error for Lost {}

/// A subscriber could not read on.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReadError {
    /// The bus's memory was written over.
    Corrupt(Corrupt),
    /// A record of a bus that is kept is not as it was written: its checksum tells.
    Damaged {
        /// The record's position.
        position: u64,
    },
    /// The record's segment could not be reached.
    Lost(Lost),
    /// The subscriber had rested for longer than it may, and so was evicted: what it would have read next may be overwritten.
    /// It is a subscriber again, and goes on at the oldest record still there.
    Evicted {
        /// The position from which on it has missed records.
        position: u64,
        /// How many bytes of the bus it has missed, headers and padding included: it goes on at `position + skipped`.
        skipped: u64,
    },
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(corrupt) => corrupt.fmt(f),
            Self::Damaged { position } => damaged(f, *position),
            Self::Lost(lost) => lost.fmt(f),
            Self::Evicted { position, skipped } => write!(
                f,
                "the subscriber rested for too long and was evicted: it has missed {skipped} bytes of the bus from position {position} on, and goes on \
                 at the oldest record; read more often, let it rest for longer (`subscribe_evictable`), or make the bus longer"
            ),
        }
    }
}

impl ReadError {
    /// The same as a fault of the bytes at `position`.
    #[cfg(all(not(loom), feature = "journal"))]
    pub(crate) fn as_lost(self, position: u64) -> Lost {
        match self {
            Self::Lost(lost) => lost,
            Self::Corrupt(_) | Self::Damaged { .. } | Self::Evicted { .. } => Lost {
                position,
                code: 0,
                kind: ErrorKind::InvalidData,
            },
        }
    }
}

fn damaged(f: &mut fmt::Formatter<'_>, position: u64) -> fmt::Result {
    write!(
        f,
        "the record at position {position} is damaged: its checksum is another than was written with it; `verify` says \
         how much is, `repair` gives up what stands from there on"
    )
}

in_words!(ReadError);

impl core::error::Error for ReadError {}

impl From<Lost> for ReadError {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}

impl From<Corrupt> for ReadError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

/// An observer could not read the next record.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ObserveError {
    /// The observer was lapped: what it would have read next may be overwritten. It goes on at
    /// the oldest record still there.
    Lagged {
        /// How many bytes of the bus it missed, headers and padding included.
        skipped: u64,
    },
    /// The record could not be read.
    Read(ReadError),
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged { skipped } => write!(
                f,
                "the observer was lapped and missed {skipped} bytes of the bus; it goes on at the oldest record: read more often, or make the bus longer"
            ),
            Self::Read(error) => error.fmt(f),
        }
    }
}

in_words!(ObserveError);

impl core::error::Error for ObserveError {}

impl From<ReadError> for ObserveError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
