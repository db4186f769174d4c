//! What an opening says of how a journal was found.

use core::fmt;

use crate::checksum::crc32c;

/// How a journal was found when it was opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recovery {
    /// How its last writer left it.
    pub left: LeftBy,
    /// Where it ends, and the next record will stand.
    pub tail: u64,
    /// Up to where it had been synced, as far as is known.
    pub synced: u64,
    /// How many claims of the last writer were not finished, and have been aborted.
    pub aborted: u64,
    /// What had to be given up: by this opening, or by one before that was killed and may have told nobody. So it is said again until something is
    /// published, or the journal closed; and to each that comes to a bus which processes share.
    pub dropped: Option<Dropped>,
}

/// How the last writer left a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LeftBy {
    /// There was none: the journal has been created.
    Nobody,
    /// It closed the journal.
    Closing,
    /// Its process ended without closing the journal.
    Dying,
    /// The system has been started since, or its words are not to be used.
    PowerLoss,
    /// It has not been left: processes are using it as their bus, and this one has come to them.
    Using,
}

/// Bytes at the end of a journal that were given up: none of them had been synced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Dropped {
    /// The position of the first.
    pub from: u64,
    /// Where the last of them stood that was not zero.
    pub to: u64,
    /// What is wrong with the first.
    pub why: DropCause,
}

/// Why a record, and all after it, was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DropCause {
    /// Its header was never written, or lost.
    Unfinished,
    /// Its checksum is another than was written with it.
    Checksum,
    /// It says a length that cannot be.
    Length,
    /// Its segment is missing, cut off, or has no valid header.
    Segment,
}

impl Dropped {
    /// As `control` says it; no four zeros do.
    pub(super) fn to_words(&self) -> [u64; 4] {
        let said = [self.from, self.to, self.why as u64];
        let bytes = said.map(u64::to_le_bytes);
        let [from, to, why] = said;
        [from, to, why, u64::from(crc32c(bytes.as_flattened()))]
    }

    /// `None`: they say nothing.
    pub(super) fn of_words(words: [u64; 4]) -> Option<Self> {
        use DropCause::{Checksum, Length, Segment, Unfinished};
        let [from, to, why, _] = words;
        let mut causes = [Unfinished, Checksum, Length, Segment].into_iter();
        let why = causes.find(|cause| *cause as u64 == why)?;
        let said = Self { from, to, why };
        (said.to_words() == words && from <= to).then_some(said)
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.why {
            DropCause::Unfinished => "the record there was never finished",
            DropCause::Checksum => "the record there is not as it was written",
            DropCause::Length => "the record there says a length that cannot be",
            DropCause::Segment => "the segment there is missing or not whole",
        };
        write!(
            f,
            "{} bytes from position {} on were given up: {why}; none of them had been synced",
            self.to - self.from,
            self.from
        )
    }
}
