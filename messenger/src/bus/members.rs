//! Members of a bus: taking a slot, joining as a subscriber, pinning, leaving.

use super::layout::{Gate, POSITION, Slot};
use super::order;
use super::ring::{Memory, Ring};
use crate::sync::Ordering::Relaxed;

/// Where a subscriber begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Joined {
    pub(crate) slot: usize,
    /// The floor: a record boundary from which on nothing is overwritten any more.
    pub(crate) floor: u64,
    /// The tail: claims from here on are made after the join.
    pub(crate) tail: u64,
}

impl<M: Memory> Ring<M> {
    /// Takes a free slot and leaves `gate` in it. `None`: all are taken.
    fn take_slot(&self, gate: Gate, evict_after: u64) -> Option<usize> {
        let used = &self.memory.control().slots_used;
        for (index, slot) in self.memory.slots().iter().enumerate() {
            if slot.gate.load(Relaxed) != Gate::FREE {
                continue;
            }
            // Before the slot is taken, so that a scan that must see it looks that far: edges 8, 11.
            used.fetch_max(index as u32 + 1, Relaxed);
            fault!("slot_counted");
            // Edge 7, takeover: the last owner's reads come before our own position.
            let took =
                slot.gate
                    .compare_exchange(Gate::FREE, gate.word(), order::take_slot(), Relaxed);
            if took.is_ok() {
                fault!("slot_taken");
                // Before the gate says a position in its place.
                slot.owner.store(self.owner, Relaxed);
                fault!("slot_owned");
                slot.evict_after.store(evict_after, Relaxed);
                fault!("slot_timed");
                slot.taken
                    .store(slot.taken.load(Relaxed).wrapping_add(1), Relaxed);
                fault!("slot_turned");
                return Some(index);
            }
        }
        None
    }

    /// Takes a slot that holds nothing: a publisher's, or an observer's.
    pub(crate) fn attach(&self) -> Option<usize> {
        self.take_slot(Gate::Idle(self.owner), 0)
    }

    /// Joins as a subscriber, which holds everything from the floor on; it may be evicted after so many nanoseconds of rest
    /// (see `evict.rs`), or, where that is 0, never.
    pub(crate) fn join(&self, evict_after: u64) -> Option<Joined> {
        let slot = self.take_slot(Gate::Joining(self.owner), evict_after)?;
        Some(self.settle_in(slot))
    }

    /// What follows once the slot says that somebody joins.
    pub(super) fn settle_in(&self, slot: usize) -> Joined {
        // Edges 8, join, and 14, retire: a refresh either sees the slot, or raised the floor that is loaded next.
        order::join_fence();
        let control = self.memory.control();
        // Edge 5, floor: the tail read after it cannot lie before it.
        let floor = self.floor();
        let tail = control.tail.load(Relaxed) & POSITION;
        self.advance(slot, floor);
        fault!("joined");
        Joined { slot, floor, tail }
    }

    /// Says that the subscriber in `slot` needs nothing before `position` any more.
    #[inline]
    pub(crate) fn advance(&self, slot: usize, position: u64) {
        // Edge 2, reuse.
        self.slot(slot)
            .gate
            .store(Gate::Subscriber(position).word(), order::position_store());
        fault!("advanced");
        self.after_room();
    }

    /// Gives a slot back.
    pub(crate) fn leave(&self, slot: usize) {
        // While the slot is still the caller's.
        let withdrawn = self.withdraw(slot);
        // Edge 6, leave.
        self.slot(slot).gate.store(Gate::FREE, order::leave_store());
        fault!("left");
        self.after_room();
        if withdrawn {
            self.settle_fenced();
        }
    }

    /// Holds `position` while it is looked at. `Err(floor)`: it is before the floor, and may be
    /// overwritten; then nothing is held.
    pub(crate) fn pin(&self, slot: usize, position: u64) -> Result<(), u64> {
        // Edge 9, re-pin.
        self.slot(slot)
            .gate
            .store(Gate::Pinned(position).word(), order::pin_store());
        fault!("pinned");
        // Edges 11, pin, and 14, retire: a refresh either sees the pin, or raised the floor that is loaded next.
        order::pin_fence();
        let floor = self.floor();
        if floor <= position {
            return Ok(());
        }
        self.unpin_at(slot, position);
        Err(floor)
    }

    /// Pins the floor, wherever it is, and says where that was.
    pub(crate) fn pin_at_floor(&self, slot: usize) -> u64 {
        let mut floor = self.floor();
        while let Err(higher) = self.pin(slot, floor) {
            floor = higher;
        }
        floor
    }

    /// Ends a pin at `pinned`.
    #[inline]
    pub(crate) fn unpin_at(&self, slot: usize, pinned: u64) {
        self.unpin(slot);
        self.after_unpin(pinned);
    }

    /// The same where nobody sleeps over it.
    pub(crate) fn unpin(&self, slot: usize) {
        // Edge 10, unpin.
        self.slot(slot)
            .gate
            .store(Gate::Idle(self.owner).word(), order::unpin_store());
        fault!("unpinned");
    }

    /// The floor: a record boundary, if nobody has written over it; a multiple of 16 whatever happens.
    pub(crate) fn floor(&self) -> u64 {
        // Edge 5, floor.
        self.memory.control().floor.load(order::floor_load()) & POSITION
    }

    pub(super) fn slot(&self, slot: usize) -> &Slot {
        &self.memory.slots()[slot]
    }
}
