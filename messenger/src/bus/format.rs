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
    /// With a bit set that no state and no position has, so that no stamp is zero. On a ring it is secret, and never leaves the bus.
    pub(crate) salt: u64,
    /// What positions are multiplied by, an odd number: on a ring [`SPREAD`], else 1.
    factor: u64,
    /// Bytes in a row, a power of two: of the ring, or of a segment. No record crosses their end.
    pub(crate) lap: u64,
    /// The bytes of the longest record that is read.
    pub(crate) max_record: u64,
    /// The bits of a stamp that say whether it is one. The others hold the checksum, on a bus that is
    /// kept: one whose bytes outlive the process.
    plain: u64,
}

/// What makes the stamps of a place differ in their upper bytes, too, from lap to lap. The last bytes of a payload may lie over the lower
/// bytes of an old stamp, and what they leave of it must not be right for a later one.
///
/// Chosen so that its multiples by a ring's laps stay about as far from each other as so many numbers can: no partial quotient of
/// `SPREAD << n` over 2^64 is above 37, for `n` from 8 to 40 and denominators up to 2^24 (2^20 for the longest rings).
const SPREAD: u64 = 0x99a1_6b9e_babc_b4ab;

impl Format {
    /// Of a bus in memory, whose bytes are used again: a stamp is known to the last bit.
    pub(crate) fn in_memory(lap: u64, salt: u64) -> Self {
        Self::new(lap, (salt | 1 << 3, SPREAD), u64::MAX)
    }

    /// Of a bus that is kept: the upper half of a stamp is mixed with the record's checksum.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    pub(crate) fn kept(lap: u64, salt: u64) -> Self {
        Self::new(lap, (salt | 1 << 63, 1), u64::from(u32::MAX))
    }

    fn new(lap: u64, (salt, factor): (u64, u64), plain: u64) -> Self {
        debug_assert!(lap.is_power_of_two());
        Self {
            salt,
            factor,
            lap,
            max_record: (lap / 4 + HEADER).min(u64::from(u32::MAX) & !(RECORD_ALIGN - 1)),
            plain,
        }
    }

    /// The bytes of the longest record that is claimed where `capacity` bytes may be in use at a time.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    pub(crate) fn max_claim(&self, capacity: u64) -> u64 {
        self.max_record.min(capacity / 4 + HEADER)
    }

    /// Whether records have checksums.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        cfg!(any(loom, feature = "journal")) && self.plain != u64::MAX
    }

    /// A bijection of position and state, so that no payload can pass for it, nor an older lap.
    #[inline]
    pub(crate) fn stamp(&self, position: u64, state: State) -> u64 {
        self.spread(position) ^ state as u64 ^ Self::inverted(state as u64)
    }

    /// The stamp at `position` without a state, whose bits are free: a position is a multiple of 16.
    #[inline]
    fn spread(&self, position: u64) -> u64 {
        position.wrapping_mul(self.factor) ^ self.salt
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
        self.state_of(self.said(position, stamp))
    }

    /// The state in what a stamp says.
    #[inline]
    pub(crate) fn state_of(&self, said: u64) -> u64 {
        said & self.plain
    }

    /// What a stamp at `position` says besides that: the same position leaves only the state, and the [mixed](Self::mixed) checksum; anything else
    /// is another number.
    #[inline]
    pub(crate) fn said(&self, position: u64, stamp: u64) -> u64 {
        stamp ^ self.spread(position)
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
        let plain = self.spread(position) ^ state ^ Self::inverted(state);
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

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const STATES: [State; 3] = [State::Committed, State::Aborted, State::Padding];

    #[test]
    fn no_stamp_is_zero_and_none_is_another() {
        let last = super::super::ring::LAST & !(RECORD_ALIGN - 1);
        for salt in [0, 1 << 63, u64::MAX, 0x1234_5678_9abc_def0] {
            let format = Format::in_memory(256, salt);
            let mut seen = std::collections::HashSet::new();
            for position in (0..4096).step_by(16).chain([last - 16, last]) {
                for state in STATES {
                    let stamp = format.stamp(position, state);
                    assert!(stamp != 0 && seen.insert(stamp), "{position} {state:?}");
                    assert_eq!(format.state(position, stamp), state as u64);
                    assert!(!State::is_one(format.state(position, 0)));
                }
            }
        }
    }

    /// What `SPREAD` was chosen for: so its multiples by laps stay apart.
    #[test]
    fn no_partial_quotient_is_large() {
        for bits in 8..=40_u32 {
            let most = 1_u128 << 24.min(60 - bits);
            // The continued fraction of a fraction, and the denominators of its convergents.
            let (mut over, mut under) = (1 << 64, u128::from(SPREAD << bits));
            let (mut before, mut denominator) = (0, 1);
            while under != 0 {
                let quotient = over / under;
                (over, under) = (under, over % under);
                (before, denominator) = (denominator, quotient * denominator + before);
                if denominator > most {
                    break;
                }
                assert!(quotient <= 37, "{quotient} with 2^{bits}");
            }
        }
    }

    /// Nobody has written there; on a journal only the lower half is compared.
    #[cfg(feature = "journal")]
    #[test]
    fn zeros_are_no_record_on_a_journal() {
        let salt = 1 << 63 | 0x1234_5671 | 1 << 3;
        let format = Format::kept(1 << 16, salt);
        let position = salt & 0xffff_fff0;
        assert_eq!(format.found(position, 0, || 0), Ok(Found::Nothing));
    }

    /// Whatever stands in its four lower bytes, an old stamp of the same place is none of a later lap.
    #[test]
    fn what_is_left_of_an_old_stamp_is_never_right() {
        let laps = if cfg!(miri) { 1 << 6 } else { 1 << 20 };
        for bits in [8, 9, 12, 16, 20, 22, 26, 30, 34, 38, 40] {
            let format = Format::in_memory(1 << bits, 0x5EED);
            let old = format.stamp(48, State::Committed);
            for later in 1..laps {
                let stamp = format.stamp(48 + (later << bits), State::Committed);
                assert!((stamp ^ old) >> 32 != 0, "2^{bits}, {later} laps later");
            }
        }
    }
}
