//! The protocol's fast paths: claim, finish, look. The slow ones are in `room.rs` (floor and
//! limit), `members.rs` (join, leave, pin) and `wait.rs` (sleep and wake).
//!
//! The text is written once, over [`Memory`], and serves the mapping, the heap and loom.

use super::layout::{
    Control, HEADER, MARKS, RECORD_ALIGN, STEPS, Slot, State, meta, meta_len, meta_tag, record_len,
};
use super::order;
use super::park::Bed;
use super::wait::Event;
use super::{Corrupt, Tag};
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// Where the words of the protocol are found.
pub(crate) trait Memory {
    fn control(&self) -> &Control;
    fn slots(&self) -> &[Slot];
    /// The stamp of the record at `position`, a multiple of 16.
    fn stamp(&self, position: u64) -> &AtomicU64;
    /// The second word of the header of the record at `position`.
    fn meta(&self, position: u64) -> &AtomicU64;
    /// Where those sleep who wait for `event`.
    fn bed(&self, event: Event) -> &Bed;
}

/// How a bus's publishers move the tail: by compare-and-swap, or by a plain store where there
/// is only one.
pub(crate) trait MoveTail {
    fn move_tail(tail: &AtomicU64, from: u64, to: u64) -> Result<(), u64>;
}

/// One publisher's own memory of how far claims may go.
#[derive(Debug)]
pub(crate) struct Room {
    /// A value that the shared limit had, seen with edge 3: it only grows.
    pub(crate) limit: u64,
    /// The slot that this publisher pins when it walks.
    pub(crate) slot: usize,
}

/// There is no room now; there will be when readers get on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct NoRoom;

/// What a look at a position found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Found {
    /// Nothing finished there yet.
    Nothing,
    /// A committed record: its tag, its payload's length, and the next position.
    Record { tag: Tag, len: u32, next: u64 },
    /// An aborted record or padding; the next position.
    Skip { next: u64 },
}

/// The protocol over some memory. Cheap to clone: each member has its own.
// No `Debug`: the salt stays in here.
#[derive(Clone)]
pub(crate) struct Ring<M> {
    pub(super) memory: M,
    /// Secret, with its top bit set, so that no stamp is zero. Never leaves the bus.
    salt: u64,
    /// Bytes in the ring, a power of two.
    capacity: u64,
    /// Whether a sleeper can make the publishers' memory orderly itself (see `wait.rs`).
    pub(super) asymmetric: bool,
}

impl<M: Memory> Ring<M> {
    /// The protocol over fresh memory: zeroed, with `capacity` bytes of ring, a power of two.
    pub(crate) fn init(memory: M, capacity: u64, salt: u64, asymmetric: bool) -> Self {
        debug_assert!(capacity.is_power_of_two());
        let ring = Self {
            memory,
            salt: salt | 1 << 63,
            capacity,
            asymmetric,
        };
        ring.memory.control().limit.store(capacity, Relaxed);
        ring.init_sleepers();
        ring
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// The bytes between two marks.
    #[inline]
    pub(super) fn step(&self) -> u64 {
        self.capacity / STEPS
    }

    /// The longest record, in bytes, header included.
    #[inline]
    pub(crate) fn max_record(&self) -> u64 {
        (self.capacity / 4 + HEADER).min(u32::MAX as u64 & !(RECORD_ALIGN - 1))
    }

    /// The longest payload, in bytes.
    #[inline]
    pub(crate) fn max_payload(&self) -> usize {
        (self.max_record() - HEADER) as usize
    }

    /// A bijection of position and state, so that no payload can pass for it, nor an older lap.
    #[inline]
    fn stamp(&self, position: u64, state: State) -> u64 {
        (position | state as u64) ^ self.salt
    }

    /// Claims `bytes`, a multiple of 16 and at most `max_record`, that do not cross the ring's end.
    #[inline]
    pub(crate) fn try_claim<T: MoveTail>(
        &self,
        room: &mut Room,
        bytes: u64,
    ) -> Result<u64, NoRoom> {
        let tail_word = &self.memory.control().tail;
        let mut tail = tail_word.load(Relaxed);
        loop {
            let end = tail + bytes;
            if end > room.limit {
                self.more_room(room, end)?;
                tail = tail_word.load(Relaxed);
            } else if (tail ^ end) & !(self.step() - 1) == 0 {
                match T::move_tail(tail_word, tail, end) {
                    Ok(()) => return Ok(tail),
                    Err(now) => tail = now,
                }
            } else {
                match self.claim_across::<T>(room, tail, end)? {
                    Ok(()) => return Ok(tail),
                    Err(now) => tail = now,
                }
            }
        }
    }

    /// A claim that meets the ring's end pads it; one that crosses a step leaves a mark.
    /// The inner error is the tail to go on with.
    #[cold]
    fn claim_across<T: MoveTail>(
        &self,
        room: &mut Room,
        tail: u64,
        end: u64,
    ) -> Result<Result<(), u64>, NoRoom> {
        let tail_word = &self.memory.control().tail;
        let ring_end = (tail | (self.capacity - 1)) + 1;
        if end <= ring_end {
            let moved = T::move_tail(tail_word, tail, end);
            if moved.is_ok() {
                self.mark(tail, end);
            }
            return Ok(moved);
        }
        if ring_end > room.limit {
            self.more_room(room, ring_end)?;
        }
        if let Err(now) = T::move_tail(tail_word, tail, ring_end) {
            return Ok(Err(now));
        }
        self.mark(tail, ring_end);
        self.finish(tail, State::Padding);
        Ok(Err(ring_end))
    }

    /// Notes `end`, a record boundary, as the first in each step that begins in `(tail, end]`.
    /// A mark is a hint that proves itself (see `boundary`), so no ordering goes with it.
    fn mark(&self, tail: u64, end: u64) {
        for step in tail / self.step() + 1..=end / self.step() {
            self.memory.control().marks[step as usize % MARKS].store(end, Relaxed);
        }
    }

    /// Writes the second word of the header of a claimed record.
    #[inline]
    pub(crate) fn write_meta(&self, position: u64, tag: Tag, len: u32) {
        self.memory.meta(position).store(meta(tag, len), Relaxed);
    }

    /// Makes a claimed record visible as what it has become, and wakes who sleeps.
    #[inline]
    pub(crate) fn finish(&self, position: u64, state: State) {
        // Edge 1, commit: from here on a reader may see the header and the payload.
        let stamp = self.stamp(position, state);
        self.memory
            .stamp(position)
            .store(stamp, order::finish_store());
        self.after_finish();
    }

    /// Aborts the claimed bytes from `position` to `end` as one record.
    #[cold]
    pub(crate) fn abort(&self, position: u64, end: u64) {
        let tag = Tag::new(super::SourceId::new(0), super::MessageId::new(0));
        self.write_meta(position, tag, (end - position - HEADER) as u32);
        self.memory.control().aborted.fetch_add(1, Relaxed);
        self.finish(position, State::Aborted);
    }

    /// Looks at `position`, which the caller's slot keeps from being overwritten.
    #[inline]
    pub(crate) fn look(&self, position: u64) -> Result<Found, Corrupt> {
        // Edge 1, commit.
        self.look_with(position, order::stamp_load())
    }

    #[inline]
    pub(super) fn look_with(
        &self,
        position: u64,
        load: crate::sync::Ordering,
    ) -> Result<Found, Corrupt> {
        let stamp = self.memory.stamp(position).load(load);
        // The same position leaves only the state, 1 to 3; anything else is another number.
        let state = (stamp ^ self.salt) ^ position;
        if state.wrapping_sub(State::Committed as u64) > State::Padding as u64 - 1 {
            return Ok(Found::Nothing);
        }
        if state != State::Committed as u64 {
            return self.skip(position, state);
        }
        let meta = self.memory.meta(position).load(Relaxed);
        let len = meta_len(meta);
        let next = self.next_record(position, len)?;
        Ok(Found::Record {
            tag: meta_tag(meta),
            len,
            next,
        })
    }

    #[cold]
    fn skip(&self, position: u64, state: u64) -> Result<Found, Corrupt> {
        if state == State::Padding as u64 {
            let next = (position | (self.capacity - 1)) + 1;
            return Ok(Found::Skip { next });
        }
        let len = meta_len(self.memory.meta(position).load(Relaxed));
        let next = self.next_record(position, len)?;
        Ok(Found::Skip { next })
    }

    /// Where the record after one of `len` bytes begins; the length is checked, not trusted.
    #[inline]
    fn next_record(&self, position: u64, len: u32) -> Result<u64, Corrupt> {
        let record = record_len(len as usize) as u64;
        let offset = position & (self.capacity - 1);
        if record > self.max_record() || offset + record > self.capacity {
            return Err(Corrupt { position, len });
        }
        Ok(position + record)
    }
}
