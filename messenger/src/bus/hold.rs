//! For whom what a dead worker has still to read is held, and until when: the protocol's part of `shared/hold.rs`. See `docs/bus.md`, "Held".
//!
//! A worker's entry, which lies beside the bus, says who runs the worker, and names the slot of its subscriber.

use super::layout::Owner;
use super::members::Joined;
use super::order;
use super::ring::{Memory, Ring};
use super::seats::{leave_for, whose};
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// The number by which slots say that they are held for a worker that has still to come.
pub(crate) const HELD: Owner = Owner::MAX - 1;

/// The words of a worker's entry that say for whom a slot is held.
#[derive(Clone, Copy)]
pub(crate) struct Seat<'a> {
    /// Whose it is; 0: nobody's.
    pub(crate) whose: &'a AtomicU64,
    /// The slot of its subscriber, plus one; 0: none.
    pub(crate) slot: &'a AtomicU64,
    /// Until when that is held for the next one.
    pub(crate) until: &'a AtomicU64,
}

impl Seat<'_> {
    /// The slot that it names, of so many.
    pub(crate) fn named(&self, slots: usize) -> Option<usize> {
        named_by(self.slot.load(Relaxed), slots)
    }

    /// Has it not name `slot` any more.
    pub(crate) fn unname(&self, slot: usize) {
        // Who has that seat may have another slot by now.
        order::unname_swap(self.slot, slot as u64 + 1, 0);
        fault!("slot_unnamed");
    }

    /// For how long from `now` on what it names is held for one who is not there yet.
    pub(crate) fn left(&self, now: u64) -> u64 {
        self.until.load(Relaxed).saturating_sub(now)
    }

    /// For how long from `now` on it is held for a worker that runs in one process.
    pub(crate) fn left_alone(&self, now: u64) -> u64 {
        // Who has the seat is about to begin. Or he has died, and as that is settled its time begins anew: until when is said before the seat is free.
        if whose(self.whose) == 0 {
            self.left(now)
        } else {
            u64::MAX
        }
    }
}

fn named_by(word: u64, slots: usize) -> Option<usize> {
    let slot = (word as usize).checked_sub(1)?;
    (slot < slots).then_some(slot)
}

/// The entries of all workers, as far as slots are held for them.
pub(crate) trait Entries {
    /// For how long, from now on, a slot is to be held for those whose entries name it.
    fn wanted(&self, slot: usize) -> u64;

    /// Has no entry name a slot that is about to be free: the next one to hold something by it may be another's.
    fn unname(&self, slot: usize);

    /// For how long a slot is to be held that was seen to be.
    fn left(&self, slot: usize) -> u64 {
        // Edge 22, held, where that was only seen: until when was said before that.
        order::held_fence();
        self.wanted(slot)
    }
}

impl<M: Memory> Ring<M> {
    /// Whether a slot is held for a worker that has still to come.
    pub(crate) fn is_held(&self, slot: usize) -> bool {
        self.owner_of(slot) == Some(HELD)
    }

    /// Whether a subscriber's slot holds what stands at `position`, whoever has it.
    pub(crate) fn holds(&self, slot: usize, position: u64) -> bool {
        let from = self.held_from(&self.memory.slots()[slot]);
        from.is_some_and(|from| from <= position)
    }

    /// Takes over a slot that is held, to go on at `start`. `None`: it is not held, or not from there on; then it goes on as it is.
    pub(crate) fn take_over_at(&self, slot: usize, start: u64) -> Option<Joined> {
        let joined = self.take_over(slot, HELD)?;
        if joined.floor > start {
            self.hand_over(slot, (self.owner, HELD));
            return None;
        }
        Some(joined)
    }

    /// Takes over a slot if it is held for nobody any more; then it is the caller's, to leave it.
    ///
    /// Who frees a slot has to have it first: nothing but that keeps those apart who find at once that nobody wants it, and a member that moves to
    /// another seat knows no door.
    pub(crate) fn take_unwanted(&self, slot: usize, entries: &impl Entries) -> Option<usize> {
        if entries.left(slot) > 0 {
            return None;
        }
        self.take_over(slot, HELD)?;
        // It may have been freed since that look, and be held anew for another.
        if entries.left(slot) > 0 {
            self.hand_over(slot, (self.owner, HELD));
            return None;
        }
        entries.unname(slot);
        fault!("seat_forgotten");
        Some(slot)
    }

    /// Says that the worker of `seat` has `slot` from now on. What was held for it is not any more: gives that slot, which the caller leaves.
    pub(crate) fn seat_in(
        &self,
        seat: Seat<'_>,
        slot: usize,
        entries: &impl Entries,
    ) -> Option<usize> {
        let before = seat.slot.swap(slot as u64 + 1, Relaxed);
        // If this process dies before the next step, nobody's entry names the slot before, and so it is freed.
        fault!("seat_unheld");
        self.take_unwanted(named_by(before, self.memory.slots().len())?, entries)
    }

    /// Frees a seat of the process `dead`; `shares`: it is one in a pool. What the worker has still to read goes on being held if it `is_to_be`, which is
    /// asked after it is said until when: by `hold_anew`. Two may do it at once: who settles for the dead one, and who is to have the seat next.
    pub(crate) fn free_seat(
        &self,
        seat: Seat<'_>,
        (dead, shares): (Owner, bool),
        hold_anew: impl FnOnce(),
        is_to_be: impl FnOnce() -> bool,
    ) {
        if seat.whose.load(Relaxed) != u64::from(dead) {
            return;
        }
        // Before a slot is handed over, edge 22, or the seat is free, edge 31.
        hold_anew();
        match seat.named(self.memory.slots().len()) {
            // A pool's that it had just taken, and what it held not yet.
            Some(slot) if shares && self.is_held(slot) => {}
            Some(slot) if is_to_be() && self.owner_of(slot) == Some(dead) => {
                // Who sees that it is held sees until when: edge 22.
                self.hand_over(slot, (dead, HELD));
                fault!("seat_held");
            }
            // Who finds that the seat owes something must not take what another has there for it.
            Some(_) if shares => {
                seat.slot.store(0, Relaxed);
                fault!("seat_cut_off");
            }
            _ => {}
        }
        leave_for(seat.whose, dead.into());
        fault!("seat_freed");
    }

    /// Gives back the slots of the process `dead`, whose claims are finished and whose seats are free. `mend_sleepers` has to follow.
    pub(crate) fn free_slots_of(&self, dead: Owner, entries: &impl Entries) {
        for (slot, reads) in self.slots_of(dead) {
            if reads {
                // One that it was about to free was held for another's seat, and may be wanted by now: then it stays held. And who has its worker's
                // seat next may have this one by now, or have freed it.
                self.hand_over(slot, (dead, HELD));
                // Who dies here leaves one held that nobody wants: he is settled for, too, and each such look ends with what is held for nobody.
                if self.take_unwanted(slot, entries).is_none() {
                    continue;
                }
            } else {
                entries.unname(slot);
            }
            self.free_slot(slot);
        }
    }
}
