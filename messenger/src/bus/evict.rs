//! Eviction: a subscriber that may be evicted, and rests where a publisher wants room, loses its place after its time.
//! See `docs/bus.md`, "Eviction".
//!
//! Such a subscriber holds what it reads only while it reads a batch. Between two batches its slot says that it *rests*: then it
//! has no reference into the ring, and looks at nothing. It begins a batch, and is evicted, by a compare-and-swap of that one
//! word, so that only one of the two comes about.

use std::time::{Duration, Instant};

use super::layout::Gate;
use super::members::Joined;
use super::order;
use super::ring::{Found, Memory, Ring, Room};
use crate::sync::Ordering::Relaxed;

/// So much of a subscriber's time passes between two looks of a waiting publisher at the most, whatever the clock says: who was
/// itself stopped in between does not hold that against others.
const LOOKS: u64 = 4;

/// The shortest sleep between two looks.
const SHORTEST: Duration = Duration::from_micros(100);

/// The resting subscribers that keep one publisher from finding room, and for how long it has seen them do so.
#[derive(Default)]
pub(super) struct Suspects(Vec<Suspect>);

struct Suspect {
    slot: usize,
    position: u64,
    /// What [`taken`](super::layout::SlotWords::taken) said.
    taken: u32,
    /// When it was looked at last.
    seen: Instant,
    /// For how many nanoseconds it has been seen to rest there.
    rested: u64,
    /// Whether the last look has found it there.
    is_there: bool,
}

impl<M: Memory> Ring<M> {
    /// Begins a batch of the subscriber in `slot`, which rests at `position`. `false`: it was evicted.
    #[inline]
    pub(crate) fn enter(&self, slot: usize, position: u64) -> bool {
        let gate = &self.slot(slot).gate;
        let (rests, reads) = (Gate::Resting(position), Gate::Subscriber(position));
        // Rule 4. Nothing has to be ordered: whoever was let to overwrite what is read now has seen a later word, with edge 2 or 19.
        let entered = order::enter_swap(gate, rests.word(), reads.word());
        fault!("batch_begun");
        entered
    }

    /// Ends a batch of the subscriber in `slot`, which may be evicted, and needs nothing before `position` any more.
    /// `moved`: that makes room.
    pub(crate) fn rest(&self, slot: usize, position: u64, moved: bool) {
        let rests = Gate::Resting(position).word();
        // Edge 19, rest; and so edge 2, too.
        self.slot(slot).gate.store(rests, order::rest_store());
        fault!("rested");
        if moved {
            self.after_room();
        }
    }

    /// Joins again, as [`join`](Self::join) does, in the slot from which the subscriber was evicted.
    #[cold]
    pub(crate) fn join_again(&self, slot: usize) -> Joined {
        // Relaxed: a refresh that sees it gives up.
        let joining = Gate::Joining(self.owner).word();
        self.slot(slot).gate.store(joining, Relaxed);
        fault!("joining_again");
        self.settle_in(slot)
    }

    /// Evicts the subscriber in `slot`, if it rests at `position`. A refresh has to follow, which then makes room.
    pub(crate) fn evict(&self, slot: usize, position: u64) -> bool {
        let gate = &self.slot(slot).gate;
        let (rests, evicted) = (Gate::Resting(position), Gate::Evicted(position));
        // Rule 4. The scan of the refresh reads what is written here, and so, with edge 19, comes after the subscriber's reads.
        if !order::evict_swap(gate, rests.word(), evicted.word()) {
            return false;
        }
        fault!("evicted");
        self.memory.control().evicted.fetch_add(1, Relaxed);
        fault!("eviction_counted");
        true
    }

    /// Evicts those who hold what lies before `wanted`, if all of them rest, and each has been seen to do so for its time while
    /// a record was there for it. `true`: some were.
    #[cold]
    pub(super) fn evict_overdue(&self, room: &mut Room<M>, wanted: u64) -> bool {
        let now = Instant::now();
        room.suspects.0.iter_mut().for_each(|s| s.is_there = false);
        let mut all_due = true;
        let used = self.memory.control().slots_used.load(Relaxed) as usize;
        for (index, slot) in self.memory.slots().iter().take(used).enumerate() {
            match Gate::of(slot.gate.load(order::scan_load())) {
                Gate::Resting(p) if p < wanted => {
                    let who = (index, slot.taken.load(Relaxed));
                    let evict_after = slot.evict_after.load(Relaxed);
                    all_due &= self.is_due(room, who, (p, evict_after), now);
                }
                // It would gain nothing.
                Gate::Subscriber(p) if p < wanted => all_due = false,
                _ => {}
            }
        }
        let Suspects(suspects) = &mut room.suspects;
        suspects.retain(|suspect| suspect.is_there);
        if !all_due {
            return false;
        }
        let evicted = suspects
            .drain(..)
            .filter(|s| self.evict(s.slot, s.position));
        evicted.count() > 0
    }

    /// Notes that the subscriber in a slot, which was taken so often, rests at `position`. Whether it has done so for its time.
    fn is_due(
        &self,
        room: &mut Room<M>,
        (slot, taken): (usize, u32),
        (position, evict_after): (u64, u64),
        now: Instant,
    ) -> bool {
        let Suspects(suspects) = &mut room.suspects;
        let known = suspects
            .iter_mut()
            .find(|s| (s.slot, s.position, s.taken) == (slot, position, taken));
        if let Some(suspect) = known {
            let passed = nanos(now.saturating_duration_since(suspect.seen));
            let most = evict_after.div_ceil(LOOKS);
            suspect.rested = suspect.rested.saturating_add(passed.min(most));
            (suspect.seen, suspect.is_there) = (now, true);
            return suspect.rested >= evict_after;
        }
        // If not, it waits for a record itself, and cannot read on.
        if self.is_finished(room, position) {
            room.suspects.0.push(Suspect {
                slot,
                position,
                taken,
                seen: now,
                rested: 0,
                is_there: true,
            });
        }
        false
    }

    /// Whether a record is finished at `position`, a record boundary.
    fn is_finished(&self, room: &mut Room<M>, position: u64) -> bool {
        // A floor beyond it, as one that joined beside a refresh may have: all before a floor is finished.
        if self.pin(room.slot, position).is_err() {
            return true;
        }
        let found = self.look(&mut room.window, position);
        self.unpin_at(room.slot, position);
        matches!(found, Ok(Found::Record { .. } | Found::Skip { .. }))
    }

    /// For how long one who waits for room may sleep at the most, to see in time that a subscriber is to be evicted; without
    /// such a subscriber, for ever.
    pub(super) fn longest_sleep(&self) -> Option<Duration> {
        let used = self.memory.control().slots_used.load(Relaxed) as usize;
        let slots = self.memory.slots().iter().take(used);
        let evictable = slots.filter_map(|slot| {
            match Gate::of(slot.gate.load(order::scan_load())) {
                // One that reads will rest, and one that was evicted comes back.
                Gate::Subscriber(_) | Gate::Resting(_) | Gate::Evicted(_) => {
                    let evict_after = slot.evict_after.load(Relaxed);
                    (evict_after != 0).then_some(evict_after)
                }
                // It may be one of them, and rest as soon as it has joined; then it wakes nobody.
                Gate::Joining(_) => Some(0),
                Gate::Free | Gate::Idle(_) | Gate::Pinned(_) => None,
            }
        });
        let shortest = evictable.min()?;
        Some(Duration::from_nanos(shortest.div_ceil(LOOKS)).max(SHORTEST))
    }
}

/// As nanoseconds, of which a word can say 584 years.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::shared::create;
    use super::super::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    use super::*;

    #[test]
    fn one_that_takes_the_slot_of_another_has_its_own_time() {
        let core = create(&BusConfig::bytes(256)).unwrap();
        let mut publisher = Bus::of(core.clone()).publisher().unwrap();
        let mut room = Room::new(core.attach().unwrap(), core.memory.window());
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        publisher.send(tag, &[0; 48]).unwrap();
        // One whose time has passed by the second look.
        let rests = || {
            let joined = core.join(0).unwrap();
            core.rest(joined.slot, joined.floor, false);
            (joined.slot, joined.floor)
        };
        let first = rests();
        assert!(!core.evict_overdue(&mut room, 64));
        core.leave(first.0);
        assert_eq!(rests(), first);
        assert!(!core.evict_overdue(&mut room, 64), "it has just come");
        assert!(core.evict_overdue(&mut room, 64));
    }

    /// As when it joined beside a refresh that had seen nobody, and raised the floor after it had loaded that.
    #[test]
    fn one_that_rests_before_the_floor_is_evicted_too() {
        let core = create(&BusConfig::bytes(256)).unwrap();
        let bus = Bus::of(core.clone());
        let mut publisher = bus.publisher().unwrap();
        let time = Duration::from_millis(1);
        let _subscriber = bus.subscribe_evictable(Start::Oldest, time).unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        for _ in 0..4 {
            publisher.send(tag, &[0; 48]).unwrap();
        }
        // It is full, and nobody has looked yet who holds it up.
        core.memory.control().floor.store(64, Relaxed);
        let sent = publisher.send_timeout(tag, &[0; 48], Duration::from_secs(120));
        assert!(sent.is_ok(), "{sent:?}");
        assert_eq!(bus.stats().evicted, 1);
    }
}
