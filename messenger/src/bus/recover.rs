//! Finishing what a dead process has begun, on a bus that others share with it. See `docs/bus.md`, "Death".

use super::layout::{Gate, HEADER, Intent, Owner, RECORD_ALIGN, Slot, State};
use super::members::Joined;
use super::order;
use super::ring::{Found, LAST, META, Memory, Ring};
use super::{MessageId, ReadError, SourceId, Tag};
use crate::sync::Ordering::Relaxed;

#[cfg(test)]
pub(super) mod dying;
#[cfg(all(test, not(loom)))]
mod tests;

/// Up to where has been claimed.
#[derive(Clone, Copy)]
pub(crate) struct Claimed(u64);

/// What somebody said of a claim from the position that is looked at.
#[derive(Clone, Copy)]
struct Candidate {
    len: u64,
    owns: bool,
    dead: bool,
}

impl<M: Memory> Ring<M> {
    /// The process whose member holds `slot`, if one does.
    pub(crate) fn owner_of(&self, slot: usize) -> Option<Owner> {
        self.said_of(slot).1
    }

    /// What `slot` says, and the process whose member holds it, if one does.
    fn said_of(&self, slot: usize) -> (Gate, Option<Owner>) {
        let slot = &self.memory.slots()[slot];
        let gate = Gate::of(slot.gate.load(order::scan_load()));
        let owner = match gate {
            Gate::Free => None,
            Gate::Joining(owner) | Gate::Idle(owner) => Some(owner),
            // Written before the gate said a position.
            Gate::Subscriber(_) | Gate::Pinned(_) | Gate::Resting(_) | Gate::Evicted(_) => {
                Some(slot.owner.load(Relaxed))
            }
        };
        (gate, owner)
    }

    /// The slots of the process `dead`, and whether a subscriber has each that could go on being held. One that has may be another's by now, of whatever kind:
    /// who is to have its worker's seat settles for that, too, and may free the slot then. The others stay until the caller gives them back.
    pub(super) fn slots_of(&self, dead: Owner) -> impl Iterator<Item = (usize, bool)> + use<'_, M> {
        let slots = 0..self.memory.slots().len();
        slots.filter_map(move |slot| {
            let (gate, owner) = self.said_of(slot);
            let reads = matches!(gate, Gate::Subscriber(_));
            (owner == Some(dead)).then_some((slot, reads))
        })
    }

    /// Up to where has been claimed now. Taken before it is asked who is dead: a process that comes later, perhaps into the place
    /// of a dead one, claims from there on only.
    pub(crate) fn claimed(&self) -> Claimed {
        // Edge 15, intent: before the tail came to where it is, each who moved it said so.
        Claimed(self.memory.control().tail.load(order::tail_load()))
    }

    /// Finishes all claims that the process `dead` has left, as `finish_for` does.
    pub(crate) fn finish_claims_of(
        &self,
        dead: Owner,
        (window, own): (&mut M::Window, usize),
        claimed: Claimed,
        is_dead: &impl Fn(Owner) -> bool,
    ) -> bool {
        let mut all = true;
        for (slot, reads) in self.slots_of(dead) {
            // A subscriber claims nothing.
            all &= reads || self.finish_for(window, (own, slot), claimed, is_dead);
        }
        all
    }

    /// Finishes the claim that a dead publisher has left in `slot`; `own` is the slot of the caller's that pins. That it is dead was
    /// known before `claimed` was taken, and `dead` says of which processes it was known after that, and before this call.
    /// `false`: it can't be told yet whose claim it is, since a live publisher is about to find out.
    ///
    /// Can be done again, also by another process, whenever it was broken off. One at a time does it for a slot.
    pub(crate) fn finish_for(
        &self,
        window: &mut M::Window,
        (own, slot): (usize, usize),
        claimed: Claimed,
        dead: &impl Fn(Owner) -> bool,
    ) -> bool {
        let words = &self.memory.slots()[slot];
        let len = words.intent_len.load(Relaxed);
        let intent = Intent::of(words.intent.load(order::intent_load()));
        let (Intent::Tries(position) | Intent::Owns(position)) = intent else {
            return true;
        };
        if self.may_be_claim(position, len) {
            let pinned = self.pin_at_floor(own);
            let known = match intent {
                Intent::Owns(_) => {
                    self.abort_unfinished(window, position.max(pinned), position + len)
                }
                // Before the floor all is finished, whosever it was.
                _ => pinned > position || self.judge(window, (position, len), claimed, dead),
            };
            self.unpin_at(own, pinned);
            if !known {
                return false;
            }
        }
        // Edge 16, settled: another process may be judging a claim from the same position on.
        words
            .intent
            .store(Intent::None.word(), order::settle_store());
        fault!("hole_settled");
        true
    }

    /// Whether a member can have said that it claims `len` bytes from `position` on.
    fn may_be_claim(&self, position: u64, len: u64) -> bool {
        let room = self.format.lap_end(position).wrapping_sub(position);
        let most = room.min(self.max_record());
        position <= LAST && (HEADER..=most).contains(&len) && len % RECORD_ALIGN == 0
    }

    /// Whether nothing is finished at `position`, which is pinned. `None`: it can't be looked at now.
    fn is_open(&self, window: &mut M::Window, position: u64) -> Option<bool> {
        match self.look(window, position) {
            Err(ReadError::Lost(_)) => None,
            looked => Some(matches!(looked, Ok(Found::Nothing))),
        }
    }

    /// A dead publisher said that it tries to claim `len` bytes from `position` on, which is pinned: finds out whether it got
    /// them, and then aborts them. `false`: that can't be known yet, or not be done.
    fn judge(
        &self,
        window: &mut M::Window,
        (position, len): (u64, u64),
        Claimed(tail): Claimed,
        dead: &impl Fn(Owner) -> bool,
    ) -> bool {
        if tail <= position {
            return true;
        }
        match self.is_open(window, position) {
            None => return false,
            Some(false) => return true,
            Some(true) => {}
        }
        let Some((mut candidates, begun)) = self.candidates(position, dead) else {
            return false;
        };
        // Edge 16, settled: who has got it and says so no more has finished it. Else it is one of the candidates, and stays
        // one, whatever it does meanwhile.
        if candidates.iter().any(|c| c.owns) || self.is_open(window, position) == Some(false) {
            return true;
        }
        // A claim ends where the tail stood at some time, so where the tail is, or another claim was begun or is finished. The
        // least such end is that of the claim at `position`: there is none inside it.
        candidates.sort_unstable_by_key(|c| c.len);
        let live = || candidates.iter().filter(|c| !c.dead).map(|c| c.len);
        let longest_live = live().max().unwrap_or(0);
        for candidate in &candidates {
            let end = position + candidate.len;
            if end > tail {
                break;
            }
            if end != tail && !begun.contains(&end) {
                if candidate.len < longest_live {
                    // A look might meet what a live publisher is writing.
                    return false;
                }
                match self.is_open(window, end) {
                    None => return false,
                    Some(true) => continue,
                    Some(false) => {}
                }
            }
            if candidate.len == len {
                if live().any(|live| live == len) {
                    return false;
                }
                return self.abort_unfinished(window, position, end);
            }
            return true;
        }
        // Members that keep to the protocol leave no such words.
        false
    }

    /// What all publishers say of claims from `position` on, and from where on those are that they say anything else of.
    /// `None`: one of them goes on just now.
    fn candidates(
        &self,
        position: u64,
        dead: &impl Fn(Owner) -> bool,
    ) -> Option<(Vec<Candidate>, Vec<u64>)> {
        let (mut candidates, mut begun) = (Vec::new(), Vec::new());
        let used = self.memory.control().slots_used.load(Relaxed) as usize;
        for (index, slot) in self.memory.slots().iter().take(used).enumerate() {
            // Edge 16, settled.
            let word = slot.intent.load(order::intent_load());
            let (at, owns) = match Intent::of(word) {
                Intent::None => continue,
                Intent::Tries(at) => (at, false),
                Intent::Owns(at) => (at, true),
            };
            if at != position {
                begun.push(at);
                continue;
            }
            // Edge 17, length: a later one's does not pass for this one's, nor does a later owner.
            let len = slot.intent_len.load(order::length_load());
            let dead = self.owner_of(index).is_some_and(dead);
            if slot.intent.load(order::intent_load()) != word {
                return None;
            }
            if !self.may_be_claim(position, len) {
                continue;
            }
            candidates.push(Candidate { len, owns, dead });
        }
        Some((candidates, begun))
    }

    /// Aborts what is not finished of the claimed bytes from `position`, a record boundary, to `end`. They are pinned. `false`: they
    /// can't be had now.
    fn abort_unfinished(&self, window: &mut M::Window, mut position: u64, end: u64) -> bool {
        while position < end {
            match self.look(window, position) {
                Ok(Found::Record { next, .. } | Found::Skip { next }) => position = next,
                Ok(Found::Nothing) => {
                    self.abort_for(window, position, end);
                    return true;
                }
                Err(ReadError::Lost(_)) => return false,
                // Something wrote over it; who reads it is told.
                Err(_) => return true,
            }
        }
        true
    }

    /// As `abort`, where another process may be doing the same.
    fn abort_for(&self, window: &M::Window, position: u64, end: u64) {
        let tag = Tag::new(SourceId::new(0), MessageId::new(0));
        let stamp = self.memory.stamp(window, position);
        let before = stamp.load(Relaxed);
        if State::is_one(self.format.state(position, before)) {
            return;
        }
        self.write_meta(window, position, tag, (end - position - HEADER) as u32);
        fault!("hole_meta");
        let aborted = self.stamp_of(window, position, State::Aborted, META);
        // Edge 1, commit, of the length; whoever was first has written the same.
        let was_open = stamp.compare_exchange(before, aborted, order::finish_store(), Relaxed);
        fault!("hole_stamped");
        if was_open.is_ok() {
            self.memory.control().aborted.fetch_add(1, Relaxed);
            fault!("hole_counted");
        }
    }

    /// The slot of a subscriber, which is the caller's or a dead one's, goes on holding what it holds, for another owner. `false`: it holds nothing that could
    /// stay, or is another's by now, and stays so.
    pub(crate) fn hand_over(&self, slot: usize, (from, to): (Owner, Owner)) -> bool {
        let words = &self.memory.slots()[slot];
        // A slot that says no position holds nothing, or everything: neither is to stay.
        if self.held_from(words).is_none() {
            return false;
        }
        // Edge 22, held.
        let handed = order::hand_over_swap(&words.owner, from, to);
        fault!("slot_handed_over");
        handed
    }

    /// Takes over a slot that goes on holding what a subscriber held, for `owner`: of several who try one does. `None`: it isn't held, or
    /// another was faster.
    pub(crate) fn take_over(&self, slot: usize, owner: Owner) -> Option<Joined> {
        let words = &self.memory.slots()[slot];
        // Of one that is free the last owner may stand there still.
        self.held_from(words)?;
        // Edge 22, held.
        if !order::take_over_swap(&words.owner, owner, self.owner) {
            return None;
        }
        fault!("slot_taken_over");
        // Only now: in between it may have been free, and be held anew.
        let floor = self.held_from(words)?;
        let Claimed(tail) = self.claimed();
        Some(Joined { slot, floor, tail })
    }

    /// From where on a slot holds everything, if it is a subscriber's.
    pub(super) fn held_from(&self, slot: &Slot) -> Option<u64> {
        match Gate::of(slot.gate.load(order::scan_load())) {
            Gate::Subscriber(position) => Some(position),
            _ => None,
        }
    }

    /// Gives back the slot of a dead member, whose claim is finished. `mend_sleepers` has to follow.
    pub(crate) fn free_slot(&self, slot: usize) {
        self.withdraw(slot);
        fault!("slot_withdrawn");
        // Edge 6, leave; what the dead one did came before, as the kernel says.
        let gate = &self.memory.slots()[slot].gate;
        gate.store(Gate::FREE, order::leave_store());
        fault!("slot_freed");
    }
}
