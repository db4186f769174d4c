//! What can go wrong on a bus, with the numbers.

use core::fmt;

use crate::memory::MemoryError;

/// A bus could not be made.
#[derive(Debug)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum JoinError {
    /// All member slots are taken.
    NoFreeSlot {
        /// How many slots the bus has.
        members: usize,
    },
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFreeSlot { members } => write!(
                f,
                "all {members} member slots of the bus are taken: drop a publisher, subscriber or observer, or make the bus with more (BusConfig::members)"
            ),
        }
    }
}

impl core::error::Error for JoinError {}

/// A claim was not made, or a record not sent. Whatever was to be sent is still the caller's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ClaimError {
    /// The bus is full: a subscriber has yet to read what lies where the record would go.
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
        /// The longest payload that the bus (or the rest of the reservation) takes, in bytes.
        max: usize,
    },
    /// The bus was full until the time was up.
    Timeout {
        /// What the record takes in the ring, in bytes, header included.
        needed: usize,
    },
    /// The wait for room was given up because its `stop` said so.
    Interrupted,
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { needed, capacity } => write!(
                f,
                "the bus of {capacity} bytes has no room for a record of {needed} now: wait for its slowest subscriber, or make the bus longer"
            ),
            Self::TooLarge { len, max } => write!(
                f,
                "a payload of {len} bytes was to be sent where at most {max} fit: send less at a time, or make the bus longer (a payload may take a quarter of it)"
            ),
            Self::Timeout { needed } => write!(
                f,
                "the bus had no room for a record of {needed} bytes until the time was up: its slowest subscriber does not keep up"
            ),
            Self::Interrupted => f.write_str("the wait for room was interrupted"),
        }
    }
}

impl core::error::Error for ClaimError {}

/// A claim was aborted in place of committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CommitError {
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
            Self::Incomplete { written, claimed } => write!(
                f,
                "only {written} of {claimed} claimed bytes were written, so the record was aborted: write them all, or claim fewer"
            ),
        }
    }
}

impl core::error::Error for CommitError {}

/// The memory of the bus holds a header that no publisher of this bus writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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

impl core::error::Error for Corrupt {}

/// A subscriber could not read on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReadError {
    /// The bus's memory was written over.
    Corrupt(Corrupt),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt(corrupt) => corrupt.fmt(f),
        }
    }
}

impl core::error::Error for ReadError {}

impl From<Corrupt> for ReadError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}

/// An observer could not read the next record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ObserveError {
    /// The observer was lapped: what it would have read next may be overwritten. It goes on at
    /// the oldest record still there.
    Lagged {
        /// How many bytes of the bus it missed, headers and padding included.
        skipped: u64,
    },
    /// The bus's memory was written over.
    Corrupt(Corrupt),
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged { skipped } => write!(
                f,
                "the observer was lapped and missed {skipped} bytes of the bus; it goes on at the oldest record: read more often, or make the bus longer"
            ),
            Self::Corrupt(corrupt) => corrupt.fmt(f),
        }
    }
}

impl core::error::Error for ObserveError {}

impl From<Corrupt> for ObserveError {
    fn from(corrupt: Corrupt) -> Self {
        Self::Corrupt(corrupt)
    }
}
