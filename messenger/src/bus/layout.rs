//! What lies where in a region, and how a record's header is made. See `docs/bus.md`, "Format".

use crossbeam_utils::CachePadded;

use super::Tag;
use super::ids::{MessageId, SourceId};
use super::wait::Event;
use crate::sync::{AtomicU32, AtomicU64};

/// The length of a record's header in bytes: the stamp, then the word of length and ids.
pub(crate) const HEADER: u64 = 16;

/// Records start at multiples of this many bytes.
pub(crate) const RECORD_ALIGN: u64 = 16;

/// A publisher leaves a mark each time it crosses one of these parts of the ring. (In the models' short rings, so that some claims cross none.)
pub(crate) const STEPS: u64 = if cfg!(loom) { 2 } else { 8 };

/// How many marks are kept: two laps, so that an old one is never taken for a new one in error.
pub(crate) const MARKS: usize = 2 * STEPS as usize;

/// The smallest ring in bytes.
pub(crate) const MIN_CAPACITY: u64 = 256;

/// The bytes that a record with a payload of `payload` bytes takes in the ring.
///
/// ```
/// use messenger::bus::record_len;
/// assert_eq!(record_len(0), 16);
/// assert_eq!(record_len(1), 32);
/// assert_eq!(record_len(64), 80);
/// ```
#[inline]
#[must_use]
pub const fn record_len(payload: usize) -> usize {
    let header = HEADER as usize;
    let align = RECORD_ALIGN as usize;
    (payload + header + align - 1) & !(align - 1)
}

/// The states that a stamp can say, in the four low bits that an aligned position leaves free.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub(crate) enum State {
    Committed = 1,
    Aborted = 2,
    Padding = 3,
    /// The bus's own record (a journal's): readers step over it.
    Note = 4,
}

impl State {
    /// Whether the number is one of a state.
    #[inline]
    pub(crate) const fn is_one(state: u64) -> bool {
        state.wrapping_sub(Self::Committed as u64) <= Self::Note as u64 - Self::Committed as u64
    }
}

/// The shared words of a bus that are not in the ring. Zeroed memory is a valid, fresh one
/// except for `limit` and `sleepers`, which `Ring::init` sets.
#[repr(C)]
pub(crate) struct Control {
    /// Where the next claim begins. Written by every claim; polled by nobody.
    pub(crate) tail: CachePadded<AtomicU64>,
    /// Everything before it is finished, and read by all who gate. Grows in refreshes.
    pub(crate) floor: CachePadded<AtomicU64>,
    /// Claims may end here at the most. Grows in refreshes.
    pub(crate) limit: AtomicU64,
    /// Slots from this one on were never used, so scans stop there.
    pub(crate) slots_used: AtomicU32,
    /// Record boundaries, the first in each part of the ring, left by claims that crossed.
    pub(crate) marks: CachePadded<[AtomicU64; MARKS]>,
    /// Flags: whether somebody may sleep, and whether publishers fence; see `wait.rs`. Written only around sleeping.
    pub(crate) sleepers: CachePadded<AtomicU64>,
    /// Bumped before those who wait for records are woken.
    pub(crate) data_epoch: AtomicU32,
    /// Bumped before those who wait for room are woken.
    pub(crate) room_epoch: AtomicU32,
    /// Records aborted so far.
    pub(crate) aborted: CachePadded<AtomicU64>,
    /// How often an observer found itself lapped.
    pub(crate) lagged: AtomicU64,
    /// How often a subscriber was evicted.
    pub(crate) evicted: AtomicU64,
}

impl Control {
    /// The epoch on which those sleep who wait for `event`.
    pub(super) fn epoch(&self, event: Event) -> &AtomicU32 {
        match event {
            Event::Data => &self.data_epoch,
            Event::Room => &self.room_epoch,
        }
    }
}

/// Where the tail lies among them, in bytes.
#[cfg(all(not(loom), feature = "journal"))]
pub(crate) const TAIL_AT: usize = core::mem::offset_of!(Control, tail);

/// A member's place in the region, on cache lines of its own.
pub(crate) type Slot = CachePadded<SlotWords>;

/// One word says who holds a slot and what it keeps from being overwritten, so that it changes at once.
#[repr(C)]
pub(crate) struct SlotWords {
    /// See [`Gate`]. Written by the member that holds the slot; scanned in refreshes.
    pub(crate) gate: AtomicU64,
    /// The number of the process whose member holds the slot, while the gate says a position. Written by it; of a subscriber's, also by who
    /// goes on holding what it held (`hand_over` in `recover.rs`).
    pub(crate) owner: AtomicU32,
    /// On a bus that outlives a process of it: the bytes that a publisher is about to claim, or has claimed.
    /// Written by the publisher that holds the slot; read after its death.
    pub(crate) intent_len: AtomicU64,
    /// On such a bus: where it does so. See [`Intent`].
    pub(crate) intent: AtomicU64,
    /// 1 while publishers fence for the member, else 0; see `enrol.rs`. Written by the member that holds the slot, or
    /// who finds it dead; read when another no longer needs their fences.
    pub(crate) enrolled: AtomicU32,
    /// How often the slot was taken, so that one owner is not taken for another. Written by who takes it.
    pub(crate) taken: AtomicU32,
    /// After how many nanoseconds of rest its subscriber may be evicted; 0: never. Written by who takes the slot, before the
    /// gate says a position.
    pub(crate) evict_after: AtomicU64,
}

/// What a publisher has said of the claim it is making, in the low bits of the word of its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Intent {
    /// It is making none.
    None,
    /// It has seen the tail here, and tries to claim from here on.
    Tries(u64),
    /// The claim from here on is its own, and not all of it is finished.
    Owns(u64),
}

impl Intent {
    #[inline]
    pub(crate) const fn word(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Tries(position) => position | 1,
            Self::Owns(position) => position | 2,
        }
    }

    /// What a word says; one that no publisher writes says nothing.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    pub(crate) const fn of(word: u64) -> Self {
        match word & KIND {
            1 => Self::Tries(word & !KIND),
            2 => Self::Owns(word & !KIND),
            _ => Self::None,
        }
    }
}

/// The number of a process among those that share a bus, from 1 on; 0 on a bus of one process.
pub(crate) type Owner = u32;

/// What the word of a slot says: a kind in the four low bits, a position in the others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gate {
    /// Nobody's.
    Free,
    /// Somebody of the process with this number is about to choose a position: holds everything.
    Joining(Owner),
    /// A member of the process with this number that holds nothing now: a publisher, or an observer between two looks.
    Idle(Owner),
    /// A subscriber that has yet to read from this position on.
    Subscriber(u64),
    /// A member that looks at the record at this position, now.
    Pinned(u64),
    /// A subscriber that may be evicted, and looks at nothing now: it has yet to read from this position on.
    Resting(u64),
    /// A subscriber that was evicted while it rested at this position: holds nothing.
    Evicted(u64),
}

const KIND: u64 = RECORD_ALIGN - 1;

/// The bits of a position.
pub(crate) const POSITION: u64 = !KIND;

impl Gate {
    /// The word of a free slot.
    pub(crate) const FREE: u64 = 0;

    #[inline]
    pub(crate) const fn word(self) -> u64 {
        match self {
            Self::Free => Self::FREE,
            Self::Joining(owner) => (owner as u64) << 4 | 1,
            Self::Idle(owner) => (owner as u64) << 4 | 2,
            Self::Subscriber(position) => position | 3,
            Self::Pinned(position) => position | 4,
            Self::Resting(position) => position | 5,
            Self::Evicted(position) => position | 6,
        }
    }

    #[inline]
    pub(crate) const fn of(word: u64) -> Self {
        let position = word & !KIND;
        let owner = (word >> 4) as Owner;
        match word & KIND {
            0 => Self::Free,
            2 => Self::Idle(owner),
            3 => Self::Subscriber(position),
            4 => Self::Pinned(position),
            5 => Self::Resting(position),
            6 => Self::Evicted(position),
            // Joining, or a word that no member writes: hold everything.
            _ => Self::Joining(owner),
        }
    }
}

/// The second word of a header: `length u32 | source u16 | message u16`, low bytes first.
#[inline]
pub(crate) const fn meta(tag: Tag, len: u32) -> u64 {
    len as u64 | (tag.source.get() as u64) << 32 | (tag.message.get() as u64) << 48
}

/// The payload's length in bytes that a header's second word says.
#[inline]
pub(crate) const fn meta_len(meta: u64) -> u32 {
    meta as u32
}

/// The tag that a header's second word says.
#[inline]
pub(crate) const fn meta_tag(meta: u64) -> Tag {
    Tag::new(
        SourceId::new((meta >> 32) as u16),
        MessageId::new((meta >> 48) as u16),
    )
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn gate_words_round_trip() {
        for gate in [
            Gate::Free,
            Gate::Joining(0),
            Gate::Joining(7),
            Gate::Idle(0),
            Gate::Idle(Owner::MAX),
            Gate::Subscriber(0),
            Gate::Subscriber(1 << 40),
            Gate::Pinned(0),
            Gate::Pinned(4096),
            Gate::Resting(0),
            Gate::Resting(1 << 40),
            Gate::Evicted(0),
            Gate::Evicted(4096),
        ] {
            assert_eq!(Gate::of(gate.word()), gate);
        }
    }

    #[test]
    fn meta_round_trips() {
        let tag = Tag::new(SourceId::new(0xABCD), MessageId::new(0x1234));
        let word = meta(tag, 0xDEAD_BEEF);
        assert_eq!(meta_len(word), 0xDEAD_BEEF);
        assert_eq!(meta_tag(word), tag);
        assert_eq!(word.to_le_bytes()[..4], 0xDEAD_BEEF_u32.to_le_bytes());
    }
}
