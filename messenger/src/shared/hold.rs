//! What dead workers have still to read: held on the bus for who comes next.

use std::time::Duration;

use super::desk::Desk;
use super::house::try_hold_house;
use super::layout::{Entry, Kind, Place};
use super::lock;
use super::pool::Company;
use crate::bus::hold::{Entries, HELD};
use crate::bus::seats::{call, whose};
use crate::bus::{Bus, Subscriber};
use crate::sync::Ordering::Relaxed;

impl Desk {
    /// Frees the seats of a dead process. What its workers have still to read is held for `hold` nanoseconds; of a pool's, what it owes, as
    /// long as others have seats in it, too.
    pub(super) fn free_seats(&self, place: Place, hold: u64) {
        for index in 0..self.parts.sizes.workers {
            self.free_seat(index, place, hold);
        }
        for pool in self.pools() {
            // Its members look what is owed. Done again by who settles in place of a dead one, it does no harm.
            call(pool.entry().left());
            fault!("death_called");
        }
    }

    /// The same of the entry `index`, if that is a seat of the dead process in `place`. Two may do it at once.
    pub(super) fn free_seat(&self, index: usize, place: Place, hold: u64) {
        let entry = self.words.worker(&self.parts, index);
        let shares = entry.kind() == Kind::Seat;
        let hold_anew = || self.hold_anew(index, hold);
        let is_to_be = || self.is_to_be_held(index, place, hold);
        (self.core).free_seat(entry.seat(), (place.owner(), shares), hold_anew, is_to_be);
    }

    /// Says until when is held what the worker of the entry `index` has still to read, whose process is dead, or about to leave. If it is a seat in a pool,
    /// also what others owe that have gone, and what one has left who ran the worker alone: this one may be the last who could have taken it over.
    pub(super) fn hold_anew(&self, index: usize, hold: u64) {
        let until = clock().saturating_add(hold);
        // Before a slot is handed over, edge 22, or a seat is free, edge 31.
        let say = |entry: Entry<'_>| {
            entry.until().store(until, Relaxed);
            fault!("hold_timed");
        };
        match self.pool_about(index) {
            Some(pool) => pool.entries().for_each(say),
            None => say(self.words.worker(&self.parts, index)),
        }
    }

    /// Whether what the worker of the entry `index` has still to read is to be held when the process in `place` has gone.
    fn is_to_be_held(&self, index: usize, place: Place, hold: u64) -> bool {
        let Some(pool) = self.pool_about(index) else {
            return hold > 0;
        };
        match self.company(&pool, |_, other| other == place) {
            Company::Nobody => hold > 0,
            Company::Coming => hold > 0 || pool.owed(index).is_some(),
            Company::Holds => pool.owed(index).is_some(),
        }
    }

    pub(super) fn slot_of(&self, entry: &Entry<'_>) -> Option<usize> {
        entry.seat().named(self.parts.sizes.members)
    }

    /// Whether a slot is held for a worker that has still to come.
    pub(super) fn is_held(&self, slot: usize) -> bool {
        self.core.is_held(slot)
    }

    /// A subscriber that begins at `start`, in a slot that one of `entries` names and by which that is held. Nobody else can begin there where the floor lies
    /// beyond it: a refresh raises it so that meets neither the one who held it before, who has gone by then, nor this one, who came before that.
    pub(super) fn take_over<'a>(
        &self,
        entries: impl Iterator<Item = Entry<'a>>,
        bus: &Bus,
        start: u64,
    ) -> Option<Subscriber> {
        let slots = entries.filter_map(|entry| self.slot_of(&entry));
        let mut held = slots.filter(|&slot| self.is_held(slot));
        held.find_map(|slot| bus.take_over(slot, start))
    }

    /// Frees what has been held for long enough, or for nobody. Says for how long the next is held.
    pub(super) fn free_held(&self) -> Option<Duration> {
        let mut next = None::<u64>;
        for slot in (0..self.parts.sizes.members).filter(|&slot| self.is_held(slot)) {
            let left = self.left(slot);
            if left == 0 {
                // Who holds the door may be stopped, and this thread has more to do.
                let here = try_hold_house();
                let unwanted = match here.as_ref().map(|_| lock::try_door(&self.file)) {
                    // Nobody comes now who may want it.
                    Some(Ok(Some(_door))) => self.take_unwanted(slot),
                    _ => None,
                };
                drop(here);
                if let Some(slot) = unwanted {
                    self.core.leave(slot);
                    continue;
                }
            }
            next = Some(next.map_or(left, |next| next.min(left)));
        }
        next.map(Duration::from_nanos)
    }

    /// Gives up a slot that this process has for a worker: it stays held if it is wanted for another one, too.
    pub(super) fn give_up(&self, slot: usize) {
        // Who sees that it is held sees until when: edge 22.
        self.core.hand_over(slot, (self.place.owner(), HELD));
        if let Some(slot) = self.take_unwanted(slot) {
            self.core.leave(slot);
        }
    }

    /// Takes over a slot if it is held for nobody any more; then it is the caller's, to leave it (behind no door: that may wake others' tasks).
    pub(super) fn take_unwanted(&self, slot: usize) -> Option<usize> {
        self.core.take_unwanted(slot, self)
    }

    /// The workers whose subscriber has, or had, this slot, by the numbers of their entries.
    pub(super) fn entries_of(&self, slot: usize) -> impl Iterator<Item = (usize, Entry<'_>)> {
        let entry = |at| (at, self.words.worker(&self.parts, at));
        let entries = (0..self.parts.sizes.workers).map(entry);
        entries.filter(move |(_, entry)| self.slot_of(entry) == Some(slot))
    }
}

impl Entries for Desk {
    /// In nanoseconds.
    fn wanted(&self, slot: usize) -> u64 {
        let now = clock();
        let left = |(index, entry): (usize, Entry<'_>)| {
            let Some(pool) = self.pool_about(index) else {
                return entry.seat().left_alone(now);
            };
            match (self.company(&pool, |_, _| false), pool.owed(index)) {
                // They hold it themselves.
                (Company::Holds, None) => 0,
                // They will take it over.
                (Company::Coming | Company::Holds, Some(_)) => u64::MAX,
                // Who has a seat will. Or he has died: likewise.
                _ if (pool.seats()).any(|(_, seat)| whose(seat.whose()) != 0) => u64::MAX,
                _ => entry.seat().left(now),
            }
        };
        self.entries_of(slot).map(left).max().unwrap_or(0)
    }

    fn unname(&self, slot: usize) {
        for (_, entry) in self.entries_of(slot) {
            entry.seat().unname(slot);
        }
    }
}

/// The system's clock of nanoseconds since some start. Processes in different time namespaces read different ones: what one of them has held, another
/// holds for so much longer or shorter.
fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
