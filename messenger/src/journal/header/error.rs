//! What can be wrong with a segment's header page.

use core::fmt;

use super::{HEADER_BYTES, MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES};

use crate::words::in_words;

/// A segment's header page is not what it should be.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderError {
    /// The file ends within the page.
    Short {
        /// How many bytes of it there are.
        found: usize,
    },
    /// The page is all zero: it was reserved and never written, or its writing was lost.
    Blank,
    /// It does not begin as a segment does.
    Foreign,
    /// It was written by a newer version of this library.
    Newer {
        /// Its version.
        found: u32,
        /// The newest version known here.
        known: u32,
    },
    /// Its checksum does not fit.
    Damaged {
        /// The checksum that it says.
        stored: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// Its checksum fits, and what it says cannot be.
    Unsound {
        /// The base position that it says.
        base: u64,
        /// The length of a segment that it says, in bytes.
        segment_bytes: u64,
    },
    /// It belongs to another journal.
    OtherJournal {
        /// The id of the journal it belongs to.
        found: [u8; 16],
        /// The id of this journal.
        expected: [u8; 16],
    },
    /// It is that of another segment: files were exchanged or renamed.
    OtherBase {
        /// The base position that it says.
        found: u64,
        /// The base position that the file's name says.
        expected: u64,
    },
    /// It says this journal's id, and another length of segments or another salt.
    OtherShape {
        /// The length of a segment that it says, in bytes.
        found: u64,
        /// The length of this journal's segments, in bytes.
        expected: u64,
    },
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short { found } => write!(
                f,
                "the segment ends after {found} bytes, within its header page of {HEADER_BYTES}: it was cut off; restore it from a copy, or have the journal repaired (`repair`, or `messenger repair DIR`)"
            ),
            Self::Blank => f.write_str(
                "the segment's header page is all zero: it was never written, or lost; restore it from a copy, or have the journal repaired (`repair`, or `messenger repair DIR`)",
            ),
            Self::Foreign => f.write_str(
                "the file does not begin as a segment does: it is not one, or its first bytes are damaged; move it away, or restore it from a copy",
            ),
            Self::Newer { found, known } => write!(
                f,
                "the segment is of version {found}, and this program knows versions up to {known}: use a newer one"
            ),
            Self::Damaged { stored, computed } => write!(
                f,
                "the segment's header is damaged: its checksum is {stored:08x}, and that of its bytes {computed:08x}; restore it from a copy, or have the journal repaired (`repair`, or `messenger repair DIR`)"
            ),
            Self::Unsound {
                base,
                segment_bytes,
            } => write!(
                f,
                "the segment's header says it begins at position {base} and is {segment_bytes} bytes long, which no segment is and does (a power of two from {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}): restore it from a copy"
            ),
            Self::OtherJournal { found, expected } => write!(
                f,
                "the segment belongs to the journal {}, and this is {}: move it back to its own directory",
                Hex(found),
                Hex(expected)
            ),
            Self::OtherBase { found, expected } => write!(
                f,
                "the segment begins at position {found}, and its file's name says {expected}: give it its own name again"
            ),
            Self::OtherShape { found, expected } => write!(
                f,
                "the segment says the id of this journal, and another salt or length ({found} bytes, where the journal's segments have {expected}): it was made up, or the journal's schema was replaced; restore both from one copy"
            ),
        }
    }
}

in_words!(HeaderError);

impl core::error::Error for HeaderError {}

/// An id as people see it: 32 hexadecimal digits.
struct Hex<'a>(&'a [u8; 16]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(*self.0))
    }
}
