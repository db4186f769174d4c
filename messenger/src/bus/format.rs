//! How a record's header says what it is: stamps, and where the next record begins. See `docs/bus.md`, "Format".

use super::Corrupt;
use super::Tag;
use super::layout::{HEADER, RECORD_ALIGN, State, meta_len, meta_tag, record_len};

/// What a look at a position found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing finished there yet.
    Nothing,
    /// A committed record: its tag, its payload's length, and the next position.
    Record { tag: Tag, len: u32, next: u64 },
    /// An aborted record, a note or padding; the next position.
    Skip { next: u64 },
}

/// The bytes of a header's second word, where a checksum begins.
pub(crate) const META: u64 = 8;

/// The numbers that the headers of a bus go by.
// No `Debug`: the salt of a ring stays in here.
#[derive(Clone, Copy)]
pub(crate) struct Format {
    /// With its top bit set, so that no stamp is zero. On a ring it is secret, and never leaves the bus.
    pub(crate) salt: u64,
    /// Bytes in a row, a power of two: of the ring, or of a segment. No record crosses their end.
    pub(crate) lap: u64,
    /// The bytes of the longest record.
    pub(crate) max_record: u64,
    /// The bits of a stamp that say whether it is one. The others hold the checksum, on a bus that is
    /// kept: one whose bytes outlive the process.
    plain: u64,
}

impl Format {
    /// Of a bus in memory: a stamp is known to the last bit.
    pub(crate) fn in_memory(lap: u64, salt: u64) -> Self {
        Self::new(lap, lap, salt, u64::MAX)
    }

    /// Of a bus that is kept: the upper half of a stamp is mixed with the record's checksum. `whole` bytes of the bus may be in
    /// use at a time.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    pub(crate) fn kept(lap: u64, whole: u64, salt: u64) -> Self {
        Self::new(lap, whole, salt, u64::from(u32::MAX))
    }

    fn new(lap: u64, whole: u64, salt: u64, plain: u64) -> Self {
        debug_assert!(lap.is_power_of_two());
        let longest = lap.min(whole) / 4 + HEADER;
        Self {
            salt: salt | 1 << 63,
            lap,
            max_record: longest.min(u64::from(u32::MAX) & !(RECORD_ALIGN - 1)),
            plain,
        }
    }

    /// Whether records have checksums.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        cfg!(any(loom, feature = "journal")) && self.plain != u64::MAX
    }

    /// A bijection of position and state, so that no payload can pass for it, nor an older lap.
    #[inline]
    pub(crate) fn stamp(&self, position: u64, state: State) -> u64 {
        (position | state as u64) ^ self.salt ^ Self::inverted(state as u64)
    }

    /// Of a note the checksum's complement stands in its stamp: it covers the same bytes as that of a committed record, and
    /// so one that has become the other by a damaged byte would fit its stamp.
    #[inline]
    pub(crate) fn inverted(state: u64) -> u64 {
        if state == State::Note as u64 {
            Self::mixed(u32::MAX)
        } else {
            0
        }
    }

    /// What the stamp of a record with this checksum is mixed with.
    #[inline]
    pub(crate) fn mixed(checksum: u32) -> u64 {
        u64::from(checksum) << 32
    }

    /// The state that a stamp at `position` says: that of a [`State`], or no such number.
    #[inline]
    pub(crate) fn state(&self, position: u64, stamp: u64) -> u64 {
        // The same position leaves only the state; anything else is another number.
        ((stamp ^ self.salt) ^ position) & self.plain
    }

    /// What stands at `position`, by its stamp and its second word.
    #[inline]
    pub(crate) fn found(
        &self,
        position: u64,
        stamp: u64,
        meta: impl FnOnce() -> u64,
    ) -> Result<Found, Corrupt> {
        let state = self.state(position, stamp);
        if state != State::Committed as u64 {
            if !State::is_one(state) {
                return Ok(Found::Nothing);
            }
            let next = self.skip(position, state, meta())?;
            return Ok(Found::Skip { next });
        }
        let meta = meta();
        let len = meta_len(meta);
        let next = self.next_record(position, len)?;
        Ok(Found::Record {
            tag: meta_tag(meta),
            len,
            next,
        })
    }

    /// Where what is no record ends. (Not a `Found`: the way from one record to the next would
    /// then go through the memory in which an outlined call returns it.)
    #[cold]
    fn skip(&self, position: u64, state: u64, meta: u64) -> Result<u64, Corrupt> {
        if state == State::Padding as u64 {
            return Ok(self.lap_end(position));
        }
        self.next_record(position, meta_len(meta))
    }

    /// Where the lap with `position` ends.
    #[inline]
    pub(crate) fn lap_end(&self, position: u64) -> u64 {
        (position | (self.lap - 1)).wrapping_add(1)
    }

    /// Where the record after one of `len` bytes begins; the length is checked, not trusted.
    #[inline]
    pub(crate) fn next_record(&self, position: u64, len: u32) -> Result<u64, Corrupt> {
        let record = record_len(len as usize) as u64;
        if self.offset(position) >= self.starts(record) {
            return Err(Corrupt { position, len });
        }
        Ok(position.wrapping_add(record))
    }

    /// How far from its lap's start `position` is.
    #[inline]
    pub(crate) fn offset(&self, position: u64) -> u64 {
        position & (self.lap - 1)
    }

    /// A record of `bytes` can only begin at offsets before this one: there it does not cross its lap's end.
    #[inline]
    pub(crate) fn starts(&self, bytes: u64) -> u64 {
        if bytes > self.max_record {
            return 0;
        }
        self.lap - bytes + 1
    }

    /// On a bus that is kept: whether a stamp at `position` is that of a record with this checksum.
    #[inline]
    pub(crate) fn fits(&self, position: u64, stamp: u64, checksum: u32) -> bool {
        let state = self.state(position, stamp);
        let plain = (position | state) ^ self.salt ^ Self::inverted(state);
        stamp == plain ^ Self::mixed(checksum)
    }

    /// How many bytes of a finished record, from its second word on, its checksum covers.
    pub(crate) fn covered(state: u64, meta: u64) -> u64 {
        if state == State::Padding as u64 {
            0
        } else if state == State::Aborted as u64 {
            META
        } else {
            META + u64::from(meta_len(meta))
        }
    }
}
