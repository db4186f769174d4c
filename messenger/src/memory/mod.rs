//! The memory a bus lives in: a private anonymous mapping, or the heap.
//!
//! A region is zeroed, aligned to at least 256 bytes, never moves and is never seen as a
//! `&mut [u8]`: the bus derives every pointer from the one base that a region gives.

#[cfg(not(loom))]
mod region;

#[cfg(not(loom))]
pub(crate) use region::{REGION_ALIGN, Region};

use core::fmt;
use std::io;

use crate::words::in_words;

/// Where the memory of a bus comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MemoryKind {
    /// A private anonymous mapping: the default (but under Miri, to which it is a block of the heap).
    Mapped,
    /// A zeroed block of the heap.
    Heap,
}

impl Default for MemoryKind {
    fn default() -> Self {
        if cfg!(miri) { Self::Heap } else { Self::Mapped }
    }
}

/// What to ask of the system for a region.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct RegionOptions {
    pub(crate) kind: MemoryKind,
    pub(crate) prefault: bool,
    pub(crate) huge_pages: bool,
}

/// A region could not be had.
#[non_exhaustive]
pub enum MemoryError {
    /// The length is zero.
    Empty,
    /// The length, in bytes, is more than an address space holds.
    TooLong {
        /// The length asked for, in bytes.
        bytes: usize,
        /// The greatest length that can be asked for, in bytes.
        max: usize,
    },
    /// The system gave no memory.
    System {
        /// The length asked of the system, in bytes.
        bytes: usize,
        /// What the system said.
        source: io::Error,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "a bus of 0 bytes was asked for: ask for at least 1 (it is rounded up to what the system needs)",
            ),
            Self::TooLong { bytes, max } => write!(
                f,
                "a bus of {bytes} bytes was asked for, more than the address space holds: ask for at most {max}"
            ),
            Self::System { bytes, source } => write!(
                f,
                "the system gave no region of {bytes} bytes: {source}; ask for less, or free memory"
            ),
        }
    }
}

in_words!(MemoryError);

impl core::error::Error for MemoryError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::System { source, .. } => Some(source),
            Self::Empty | Self::TooLong { .. } => None,
        }
    }
}
