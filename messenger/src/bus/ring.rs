//! The protocol's fast paths: claim, finish, look. The slow ones are in `room.rs` (floor and
//! limit), `members.rs` (join, leave, pin), `wait.rs` (sleep and wake) and `enrol.rs` (who is fenced for).
//!
//! The text is written once, over [`Memory`], and serves the mapping, the heap and loom.

use super::evict::Suspects;
use super::format::Format;
pub(crate) use super::format::{Found, META};
use super::layout::{
    Control, HEADER, Intent, MARKS, Owner, RECORD_ALIGN, STEPS, Slot, State, meta,
};
use super::order;
use super::park::{Barrier, Bed};
use super::wait::Event;
use super::{Lost, ReadError, Tag};
use crate::sync::{AtomicU64, Ordering, Ordering::Relaxed};

/// Where the words of the protocol are found.
pub(crate) trait Memory {
    /// The part of the bus's bytes that a member looks at: the whole ring, or a segment of a journal.
    /// Each member has its own.
    type Window;

    fn control(&self) -> &Control;
    fn slots(&self) -> &[Slot];
    /// Where those sleep who wait for `event`.
    fn bed(&self, event: Event) -> &Bed;

    /// Has the tasks of this process that wait for `event` woken from now on also by what other processes do. `false`: it can't.
    fn listen(&self, event: Event) -> bool {
        let _ = event;
        true
    }

    /// A window to begin with, wherever it is.
    fn window(&self) -> Self::Window;
    /// Moves `window` to where `position` is in it, if it is not.
    fn cover(&self, window: &mut Self::Window, position: u64) -> Result<(), Uncovered>;
    /// The stamp of the record at `position`, a multiple of 16 that the window covers.
    fn stamp<'a>(&'a self, window: &'a Self::Window, position: u64) -> &'a AtomicU64;
    /// The second word of the header of the record at `position`, likewise.
    fn meta<'a>(&'a self, window: &'a Self::Window, position: u64) -> &'a AtomicU64;
    /// Both words of the header of the record at `position`, likewise.
    #[inline]
    fn header<'a>(
        &'a self,
        window: &'a Self::Window,
        position: u64,
    ) -> (&'a AtomicU64, &'a AtomicU64) {
        (self.stamp(window, position), self.meta(window, position))
    }

    /// The checksum of `bytes` bytes of the record at `position`, from its second word on, for a bus
    /// that is kept; the caller owns them, or has found them finished.
    fn checksum(&self, window: &Self::Window, position: u64, bytes: u64) -> u32;
    /// On a bus that grows, up to where there are bytes to claim; asks for more of them, up to
    /// `end` at least. The greatest of all on a ring.
    fn grown(&self, end: u64) -> u64;
    /// On a bus that grows, why it does not.
    fn trouble(&self) -> Option<Lost>;
    /// A record boundary at or before `start`, up to which all is finished; `floor` is one.
    fn shortcut(&self, floor: u64, start: u64) -> u64;
}

/// Positions stay before this one, for the first 146 years at 1 GB/s. What is beyond was not written by a member.
pub(crate) const LAST: u64 = 1 << 62;

/// Whether a record may begin at `tail`, as it was read.
#[inline]
fn is_position(tail: u64) -> bool {
    tail <= LAST && tail % RECORD_ALIGN == 0
}

/// How a bus's publishers move the tail: by compare-and-swap, or by a plain store where there
/// is only one.
pub(crate) trait MoveTail {
    /// With `ordering` where it moves.
    fn move_tail(tail: &AtomicU64, from: u64, to: u64, ordering: Ordering) -> Result<(), u64>;
}

/// One publisher's own memory of how far claims may go.
pub(crate) struct Room<M: Memory> {
    /// A value that the shared limit had, seen with edge 3: it only grows.
    pub(crate) limit: u64,
    /// The slot that this publisher pins when it walks, and where it says what it claims.
    pub(crate) slot: usize,
    /// Covers the claim that it has, if it has one.
    pub(crate) window: M::Window,
    /// The resting subscribers that have kept it from finding room.
    pub(super) suspects: Suspects,
}

impl<M: Memory> Room<M> {
    /// That of the publisher in `slot`, which has found none yet.
    pub(crate) fn new(slot: usize, window: M::Window) -> Self {
        Self {
            limit: 0,
            slot,
            window,
            suspects: Suspects::default(),
        }
    }
}

/// There is no room now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoRoom {
    /// There will be when readers get on.
    Yet,
    /// There will be when the bus has grown, for which nobody has to read on.
    Growing,
    /// The bus cannot grow, or not be reached.
    Lost(Lost),
}

/// There is no window with some position.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(
    any(loom, not(feature = "journal")),
    expect(dead_code, reason = "a ring has one window, with all positions")
)]
pub(crate) enum Uncovered {
    /// The bus has not grown so far.
    NotYet,
    /// The bytes can't be reached.
    Lost(Lost),
}

/// The protocol over some memory. Cheap to clone: each member has its own.
// No `Debug`: the salt stays in here.
#[derive(Clone)]
pub(crate) struct Ring<M> {
    pub(crate) memory: M,
    pub(super) format: Format,
    /// How many bytes may lie between what is retained and the end of a claim.
    capacity: u64,
    /// The bytes of the longest record that is claimed. On a bus that is kept longer ones may stand, from when more could lie there.
    max_record: u64,
    /// The bytes between two marks, a power of two.
    step: u64,
    /// A claim whose ends are less apart is in one step, and nobody else has to know of it; 0 where claims are announced.
    plain_step: u64,
    /// The number of this process among those that share the bus; 0 where there is one only.
    pub(super) owner: Owner,
    /// Whether publishers say what they are about to claim, for those who outlive them.
    announces: bool,
    /// Whether a sleeper can make the publishers' memory orderly itself (see `wait.rs`).
    pub(super) barrier: Barrier,
}

impl<M: Memory> Ring<M> {
    /// The protocol over fresh memory: zeroed, with `capacity` bytes of ring, a power of two.
    pub(crate) fn init(memory: M, capacity: u64, salt: u64, barrier: Barrier) -> Self {
        debug_assert!(capacity.is_power_of_two());
        let format = Format::in_memory(capacity, salt);
        let ring = Self {
            memory,
            max_record: format.max_record,
            format,
            capacity,
            step: capacity / STEPS,
            plain_step: capacity / STEPS,
            owner: 0,
            announces: false,
            barrier,
        };
        ring.memory.control().limit.store(capacity, Relaxed);
        ring.init_sleepers();
        ring
    }

    /// The protocol over memory that several processes share, of which this one has the number `owner`. Its words are there:
    /// zero at first, but for `limit`, which is `capacity`.
    #[cfg(any(
        all(test, loom),
        all(not(loom), feature = "shared", target_os = "linux")
    ))]
    pub(crate) fn shared(
        memory: M,
        capacity: u64,
        salt: u64,
        owner: Owner,
        barrier: Barrier,
    ) -> Self {
        debug_assert!(capacity.is_power_of_two() && owner != 0);
        let format = Format::in_memory(capacity, salt);
        let ring = Self {
            memory,
            max_record: format.max_record,
            format,
            capacity,
            step: capacity / STEPS,
            plain_step: 0,
            owner,
            announces: true,
            barrier,
        };
        ring.init_sleepers();
        ring
    }

    /// The protocol over memory that this process only looks at, as no member.
    #[cfg(all(not(loom), feature = "shared", target_os = "linux"))]
    pub(crate) fn looked_at(memory: M, capacity: u64, format: Format) -> Self {
        Self {
            memory,
            step: format.lap.min(capacity) / STEPS,
            max_record: format.max_claim(capacity),
            format,
            capacity,
            plain_step: 0,
            owner: 0,
            announces: true,
            barrier: Barrier::None,
        }
    }

    /// The protocol over segments that outlive the process, which has the number `owner` among those that share them; 0: it has them
    /// alone. Of the shared words, the tail and the floor have been set, and `limit`, which is the tail; all others are zero at first.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    pub(crate) fn kept(
        memory: M,
        capacity: u64,
        format: Format,
        owner: Owner,
        barrier: Barrier,
    ) -> Self {
        let ring = Self {
            memory,
            step: format.lap.min(capacity) / STEPS,
            max_record: format.max_claim(capacity),
            plain_step: 0,
            owner,
            announces: true,
            format,
            capacity,
            barrier,
        };
        ring.init_sleepers();
        ring
    }

    #[inline]
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Whether the bytes of the bus outlive all its processes: then each record has a checksum.
    #[inline]
    pub(crate) fn is_kept(&self) -> bool {
        self.format.is_kept()
    }

    /// Whether the bus outlives this process: then each claim is announced.
    #[inline]
    pub(crate) fn announces(&self) -> bool {
        cfg!(any(loom, feature = "journal")) && self.announces
    }

    /// Bytes in a row: of the ring, or of a segment.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    #[inline]
    pub(crate) fn lap(&self) -> u64 {
        self.format.lap
    }

    /// The bytes between two marks.
    #[inline]
    pub(crate) fn step(&self) -> u64 {
        self.step
    }

    /// The longest record that is claimed, in bytes, header included.
    #[inline]
    pub(crate) fn max_record(&self) -> u64 {
        self.max_record
    }

    /// The longest payload, in bytes.
    #[inline]
    pub(crate) fn max_payload(&self) -> usize {
        (self.max_record() - HEADER) as usize
    }

    /// Claims `bytes`, a multiple of 16 and at most `max_record`, that do not cross the ring's end.
    #[inline(always)]
    pub(crate) fn try_claim<T: MoveTail>(
        &self,
        room: &mut Room<M>,
        bytes: u64,
    ) -> Result<u64, NoRoom> {
        let tail_word = &self.memory.control().tail;
        let tail = tail_word.load(Relaxed);
        // (What others may have written over is not plain, and is checked.)
        let end = tail.wrapping_add(bytes);
        let plain = end <= room.limit && (tail ^ end) < self.plain_step;
        if plain && T::move_tail(tail_word, tail, end, Relaxed).is_ok() {
            return Ok(tail);
        }
        if self.announces() && self.claim_near::<T>(room, tail, end) {
            return Ok(tail);
        }
        self.claim_on::<T>(room, bytes)
    }

    /// Claims from `tail` to `end` on a bus where claims are announced, if that is what most claims are: in one step, in the window, and nobody
    /// was faster.
    #[inline(never)]
    fn claim_near<T: MoveTail>(&self, room: &mut Room<M>, tail: u64, end: u64) -> bool {
        is_position(tail)
            && end <= room.limit
            && (tail ^ end) < self.step
            && self.memory.cover(&mut room.window, tail).is_ok()
            && self.claim_said::<T>(room.slot, tail, end).is_ok()
    }

    /// As `try_claim`, where others claim at the same time, or the claim is none of the plain ones.
    #[inline(never)]
    fn claim_on<T: MoveTail>(&self, room: &mut Room<M>, bytes: u64) -> Result<u64, NoRoom> {
        let tail_word = &self.memory.control().tail;
        let mut tail = tail_word.load(Relaxed);
        loop {
            if !is_position(tail) {
                return Err(NoRoom::Lost(Lost::corrupt(tail)));
            }
            let end = tail + bytes;
            if end > room.limit {
                self.more_room(room, end)?;
                tail = tail_word.load(Relaxed);
                continue;
            }
            let moved = if (tail ^ end) < self.plain_step {
                T::move_tail(tail_word, tail, end, Relaxed)
            } else {
                self.claim_across::<T>(room, tail, end)?
            };
            match moved {
                Ok(()) => return Ok(tail),
                Err(now) => tail = now,
            }
        }
    }

    /// Moves the tail from `tail` to `end`, after saying so where claims are announced.
    /// The inner error is the tail to go on with.
    fn take<T: MoveTail>(
        &self,
        room: &mut Room<M>,
        tail: u64,
        end: u64,
    ) -> Result<Result<(), u64>, NoRoom> {
        let tail_word = &self.memory.control().tail;
        // Before it is claimed, or it could be neither filled nor aborted.
        match self.memory.cover(&mut room.window, tail) {
            Ok(()) => {}
            Err(uncovered) => {
                // While this publisher slept, the bus may have gone on, and given up what stood there.
                let now = tail_word.load(Relaxed);
                if now != tail {
                    return Ok(Err(now));
                }
                return Err(match uncovered {
                    Uncovered::NotYet => NoRoom::Growing,
                    Uncovered::Lost(lost) => NoRoom::Lost(lost),
                });
            }
        }
        if !self.announces() {
            return Ok(T::move_tail(tail_word, tail, end, Relaxed));
        }
        Ok(self.claim_said::<T>(room.slot, tail, end))
    }

    /// Moves the tail, after the publisher in `slot` has said so.
    #[inline(always)]
    pub(super) fn claim_said<T: MoveTail>(
        &self,
        slot: usize,
        tail: u64,
        end: u64,
    ) -> Result<(), u64> {
        self.try_intent(slot, tail, end - tail);
        let moved = self.take_announced::<T>(tail, end);
        self.know_intent(slot, tail, moved.is_ok());
        moved
    }

    /// The publisher in `slot` says that it has seen the tail at `tail`, and is about to claim `bytes` from there.
    #[inline]
    pub(crate) fn try_intent(&self, slot: usize, tail: u64, bytes: u64) {
        let slot = &self.memory.slots()[slot];
        // Edge 17, length: whoever finds it here finds that what was said before is over.
        slot.intent_len.store(bytes, order::length_store());
        fault!("length_said");
        // Edge 16, settled: whoever finds the intent finds its length, and all finished that was claimed before.
        let tries = Intent::Tries(tail).word();
        slot.intent.store(tries, order::intent_store());
        fault!("intent");
        // The intent is there when the tail moves, also for the compiler.
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
    }

    /// Moves the tail after an intent.
    #[inline]
    pub(crate) fn take_announced<T: MoveTail>(&self, tail: u64, end: u64) -> Result<(), u64> {
        // Edge 15, intent: whoever sees the tail moved sees what was said before.
        let moved = T::move_tail(&self.memory.control().tail, tail, end, order::tail_move());
        fault!("claimed");
        moved
    }

    /// The publisher in `slot` says whether it got what it tried to claim from `tail` on.
    #[inline]
    pub(crate) fn know_intent(&self, slot: usize, tail: u64, got: bool) {
        let intent = if got {
            Intent::Owns(tail)
        } else {
            Intent::None
        };
        let slot = &self.memory.slots()[slot];
        // Edge 16, settled, of the claims before.
        slot.intent.store(intent.word(), order::intent_store());
        fault!("owned");
    }

    /// Where claims are announced: all of the claim of the publisher in `slot` is finished.
    #[inline]
    pub(crate) fn settle(&self, slot: usize) {
        if self.announces() {
            // Edge 16, settled: the stamps come before.
            let none = Intent::None.word();
            let slot = &self.memory.slots()[slot];
            slot.intent.store(none, order::settle_store());
            fault!("settled");
        }
    }

    /// A claim that meets the ring's end pads it; one that crosses a step leaves a mark. So does every claim on a bus that
    /// is kept. The inner error is the tail to go on with.
    fn claim_across<T: MoveTail>(
        &self,
        room: &mut Room<M>,
        tail: u64,
        end: u64,
    ) -> Result<Result<(), u64>, NoRoom> {
        let lap_end = self.format.lap_end(tail);
        if end <= lap_end {
            let moved = self.take::<T>(room, tail, end)?;
            if moved.is_ok() {
                self.mark(tail, end);
            }
            return Ok(moved);
        }
        if lap_end > room.limit {
            self.more_room(room, lap_end)?;
        }
        if let Err(now) = self.take::<T>(room, tail, lap_end)? {
            return Ok(Err(now));
        }
        self.mark(tail, lap_end);
        self.finish_last((&room.window, room.slot), tail, State::Padding, 0);
        Ok(Err(lap_end))
    }

    /// Notes `end`, a record boundary, as the first in each step that begins in `(tail, end]`.
    /// A mark is a hint that proves itself (see `boundary`), so no ordering goes with it.
    #[inline]
    fn mark(&self, tail: u64, end: u64) {
        // Most claims of a bus that is kept lie in one step, and a division takes longer than all else here.
        if (tail ^ end) < self.step() {
            return;
        }
        for step in tail / self.step() + 1..=end / self.step() {
            self.memory.control().marks[step as usize % MARKS].store(end, Relaxed);
            fault!("marked");
        }
    }

    /// Writes the second word of the header of a claimed record.
    #[inline]
    pub(crate) fn write_meta(&self, window: &M::Window, position: u64, tag: Tag, len: u32) {
        let word = self.memory.meta(window, position);
        word.store(meta(tag, len), Relaxed);
        fault!("header_written");
    }

    /// Makes a claimed record visible as what it has become, and wakes who sleeps. On a bus that is kept,
    /// `bytes` bytes of it from its second word on are covered by its checksum.
    #[inline]
    pub(crate) fn finish(&self, window: &M::Window, position: u64, state: State, bytes: u64) {
        let stamp = self.stamp_of(window, position, state, bytes);
        self.show(self.memory.stamp(window, position), stamp);
        self.after_finish();
    }

    /// As `finish`, on a bus on which claims are not announced, and which so is not kept, by who knows where the record's stamp is.
    #[inline]
    pub(crate) fn finish_plain(&self, word: &AtomicU64, position: u64, state: State) {
        debug_assert!(!self.announces() && !self.is_kept());
        self.show(word, self.format.stamp(position, state));
        self.after_finish();
    }

    /// As `finish_plain`, where claims are announced, of the last record of the claim of the publisher in `slot` if `last` says so.
    #[inline(never)]
    pub(crate) fn finish_announced(
        &self,
        word: &AtomicU64,
        position: u64,
        state: State,
        (slot, last): (usize, bool),
    ) {
        debug_assert!(!self.is_kept());
        self.show(word, self.format.stamp(position, state));
        if last {
            self.settle(slot);
        }
        self.after_finish();
    }

    /// As `finish`, of the last record of the claim of the publisher in `slot`.
    #[inline]
    pub(crate) fn finish_last(
        &self,
        (window, slot): (&M::Window, usize),
        position: u64,
        state: State,
        bytes: u64,
    ) {
        let stamp = self.stamp_of(window, position, state, bytes);
        self.show(self.memory.stamp(window, position), stamp);
        // Before anybody is woken, which may take its time.
        self.settle(slot);
        self.after_finish();
    }

    #[inline]
    fn show(&self, word: &AtomicU64, stamp: u64) {
        // Edge 1, commit: from here on a reader may see the header and the payload.
        word.store(stamp, order::finish_store());
        fault!("finished");
    }

    /// The stamp of a claimed record that has become `state`; see [`finish`](Self::finish).
    #[inline]
    pub(super) fn stamp_of(
        &self,
        window: &M::Window,
        position: u64,
        state: State,
        bytes: u64,
    ) -> u64 {
        let stamp = self.format.stamp(position, state);
        if self.is_kept() {
            stamp ^ self.sealed(window, position, bytes)
        } else {
            stamp
        }
    }

    /// What the checksum of a record makes of its stamp.
    #[inline(never)]
    fn sealed(&self, window: &M::Window, position: u64, bytes: u64) -> u64 {
        let checksum = self.memory.checksum(window, position, bytes);
        fault!("filled");
        Format::mixed(checksum)
    }

    /// Aborts the claimed bytes from `position` to `end` as one record.
    #[cold]
    pub(crate) fn abort(&self, window: &M::Window, position: u64, end: u64) {
        self.prepare_abort(window, position, end);
        self.finish(window, position, State::Aborted, META);
    }

    /// As `abort`, of all that is left of the claim of the publisher in `slot`.
    #[cold]
    pub(crate) fn abort_last(&self, (window, slot): (&M::Window, usize), position: u64, end: u64) {
        self.prepare_abort(window, position, end);
        self.finish_last((window, slot), position, State::Aborted, META);
    }

    fn prepare_abort(&self, window: &M::Window, position: u64, end: u64) {
        let tag = Tag::new(super::SourceId::new(0), super::MessageId::new(0));
        self.write_meta(window, position, tag, (end - position - HEADER) as u32);
        self.memory.control().aborted.fetch_add(1, Relaxed);
        fault!("abort_counted");
    }

    /// Looks at `position`, which the caller's slot keeps from being overwritten, and moves the window there.
    #[inline]
    pub(crate) fn look(&self, window: &mut M::Window, position: u64) -> Result<Found, ReadError> {
        // Edge 1, commit.
        self.look_with(window, position, order::stamp_load())
    }

    #[inline]
    pub(super) fn look_with(
        &self,
        window: &mut M::Window,
        position: u64,
        load: Ordering,
    ) -> Result<Found, ReadError> {
        match self.memory.cover(window, position) {
            Ok(()) => {}
            // Nothing can have been claimed there.
            Err(Uncovered::NotYet) => return Ok(Found::Nothing),
            Err(Uncovered::Lost(lost)) => return Err(lost.into()),
        }
        let (stamp, meta) = self.memory.header(window, position);
        let stamp = stamp.load(load);
        Ok(self.format.found(position, stamp, || meta.load(Relaxed))?)
    }

    /// On a bus that is kept: whether what a look has found at `position` is as it was when it was finished. Nothing
    /// is not.
    #[cfg(not(loom))]
    pub(crate) fn is_sound(&self, window: &M::Window, position: u64) -> bool {
        let stamp = self.memory.stamp(window, position).load(Relaxed);
        let state = self.format.state(position, stamp);
        if !State::is_one(state) {
            return false;
        }
        let meta = self.memory.meta(window, position).load(Relaxed);
        let bytes = Format::covered(state, meta);
        let sum = self.memory.checksum(window, position, bytes);
        self.format.fits(position, stamp, sum)
    }
}
