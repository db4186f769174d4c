//! Up to where each worker has got: on the bus, so that whoever runs it next goes on there.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::desk::{Desk, HELD};
use super::error::{SharedError, SharedFault};
use super::house::{hold_house, try_hold_house};
use super::layout::{Entry, LONGEST, Place};
use super::lock;
use super::presence::Presence;
use super::process::Process;
use crate::bus::Subscriber;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::fence;

/// No position has been said yet.
pub(super) const NONE: u64 = u64::MAX;

/// A worker's seat on a shared bus: this process runs it, and no other does.
pub(crate) struct Seat {
    presence: Arc<Presence>,
    index: usize,
    /// What was said last.
    said: u64,
}

impl Seat {
    /// Takes the seat of `worker`; the same name is the same worker, in whatever process.
    pub(super) fn take(presence: &Arc<Presence>, worker: &str) -> Result<Self, SharedError> {
        let desk = presence.desk();
        let fault = |fault| SharedError::new(&desk.path, fault);
        if worker.len() > LONGEST {
            let (worker, most) = (worker.to_owned(), LONGEST);
            return Err(fault(SharedFault::WorkerName { worker, most }));
        }
        let mut looks = 0;
        loop {
            // Of one that has just died the watcher may not have heard.
            desk.settle_all();
            match Self::try_take(presence, worker) {
                // Another process may be settling the affairs of the dead one.
                Err(error)
                    if looks < 20 && matches!(error.fault(), SharedFault::WorkerRuns { .. }) =>
                {
                    looks += 1;
                    std::thread::sleep(Duration::from_millis(1));
                }
                taken => return taken,
            }
        }
    }

    fn try_take(presence: &Arc<Presence>, worker: &str) -> Result<Self, SharedError> {
        let desk = presence.desk();
        let fault = |fault| SharedError::new(&desk.path, fault);
        let _here = hold_house();
        let _door = lock::door(&desk.file).map_err(|e| desk.system("waiting for the door", e))?;
        let places = desk.parts.sizes.workers;
        let entries = || (0..places).map(|index| desk.words.worker(&desk.parts, index));
        let known = entries().position(|e| e.state().load(Acquire) != 0 && e.name() == worker);
        let free = || entries().position(|e| e.state().load(Acquire) == 0);
        let Some(index) = known.or_else(free) else {
            return Err(fault(SharedFault::Workers { places }));
        };
        let entry = desk.words.worker(&desk.parts, index);
        if known.is_none() {
            entry.set_name(worker);
            entry.at().store(NONE, Relaxed);
            entry.whose().store(0, Relaxed);
            entry.slot().store(0, Relaxed);
            fault!("seat_named");
            entry.state().store(1, Release);
        }
        if let Some(process) = runner(desk, entry.whose().load(Acquire)) {
            let worker = worker.to_owned();
            return Err(fault(SharedFault::WorkerRuns { worker, process }));
        }
        entry.whose().store(desk.place.owner().into(), Release);
        fault!("seat_taken");
        Ok(Self {
            presence: Arc::clone(presence),
            index,
            said: entry.at().load(Acquire),
        })
    }

    /// Up to where the worker has handled everything, if it has run before.
    pub(crate) fn position(&self) -> Option<u64> {
        (self.said != NONE).then_some(self.said)
    }

    /// Forgets up to where it has got.
    pub(super) fn forget(mut self) {
        self.store(NONE);
    }

    /// Says which slot the worker's subscriber has, by which it holds what it has still to read; what was held for it until now is not any
    /// more.
    pub(crate) fn sit(&mut self, subscriber: &Subscriber) -> Result<(), SharedError> {
        let presence = Arc::clone(&self.presence);
        let desk = presence.desk();
        let _here = hold_house();
        let _door = lock::door(&desk.file).map_err(|e| desk.system("waiting for the door", e))?;
        let entry = desk.words.worker(&desk.parts, self.index);
        let before = desk.slot_of(&entry);
        // If this process dies before the next step, nobody's entry names the slot before, and so it is freed.
        entry.slot().store(subscriber.slot() as u64 + 1, Release);
        fault!("seat_unheld");
        let is_its = |&slot: &usize| desk.is_held(slot) && desk.entries_of(slot).next().is_none();
        if let Some(slot) = before.filter(is_its) {
            desk.core.free_slot(slot);
        }
        if self.said == NONE {
            self.store(subscriber.start());
        }
        Ok(())
    }

    /// Says that the worker has handled everything before `position`.
    #[inline]
    pub(crate) fn store(&mut self, position: u64) {
        if self.said != position {
            self.said = position;
            let desk = self.presence.desk();
            let entry = desk.words.worker(&desk.parts, self.index);
            entry.at().store(position, Release);
        }
    }
}

/// The process that runs a worker, by its number.
fn runner(desk: &Desk, owner: u64) -> Option<Process> {
    let place = Place::of(u32::try_from(owner).ok()?)?;
    if usize::from(place.index()) >= desk.parts.sizes.processes || !desk.lives(place) {
        return None;
    }
    Some(desk.process_in(place)?.1)
}

impl Desk {
    /// Frees the seats of a dead process. What its workers have still to read is held for `hold` nanoseconds.
    pub(super) fn free_seats(&self, place: Place, hold: u64) {
        let owner = u64::from(place.owner());
        for index in 0..self.parts.sizes.workers {
            let entry = self.words.worker(&self.parts, index);
            if entry.whose().load(Acquire) != owner {
                continue;
            }
            if let Some(slot) = self.slot_of(&entry) {
                if hold > 0 && self.core.owner_of(slot) == Some(place.owner()) {
                    entry.until().store(clock().saturating_add(hold), Relaxed);
                    // Who sees that it is held sees until when.
                    fence(Release);
                    self.core.hand_over(slot, HELD);
                    fault!("seat_held");
                }
            }
            // If it is another's by now, it stays so.
            let _ = (entry.whose()).compare_exchange(owner, 0, Release, Relaxed);
        }
    }

    fn slot_of(&self, entry: &Entry<'_>) -> Option<usize> {
        let slot = (entry.slot().load(Acquire) as usize).checked_sub(1)?;
        (slot < self.parts.sizes.members).then_some(slot)
    }

    /// Whether a slot is held for a worker that has still to come.
    fn is_held(&self, slot: usize) -> bool {
        self.core.owner_of(slot) == Some(HELD)
    }

    /// Frees what has been held for long enough, or for nobody. Says whether there was any, and for how long the next is held.
    pub(super) fn free_held(&self) -> (bool, Option<Duration>) {
        let (mut freed, mut next) = (false, None::<u64>);
        if self.hold == 0 {
            return (freed, None);
        }
        for slot in (0..self.parts.sizes.members).filter(|&slot| self.is_held(slot)) {
            let left = self.left(slot);
            if left > 0 {
                next = Some(next.map_or(left, |next| next.min(left)));
                continue;
            }
            // Who holds the door may be stopped, and this thread has more to do.
            let here = try_hold_house();
            let Some(Ok(Some(_door))) = here.as_ref().map(|_| lock::try_door(&self.file)) else {
                next = Some(0);
                continue;
            };
            // Nobody has come, nor anything been held anew, before the door was closed.
            if self.is_held(slot) && self.left(slot) == 0 {
                // First, or the entry might name another's slot later. One that nobody names is found here again.
                for entry in self.entries_of(slot) {
                    entry.slot().store(0, Relaxed);
                }
                fault!("seat_forgotten");
                self.core.free_slot(slot);
                freed = true;
            }
        }
        (freed, next.map(Duration::from_nanos))
    }

    /// The workers whose subscriber has, or had, this slot.
    fn entries_of(&self, slot: usize) -> impl Iterator<Item = Entry<'_>> {
        let entries = (0..self.parts.sizes.workers).map(|at| self.words.worker(&self.parts, at));
        entries.filter(move |entry| self.slot_of(entry) == Some(slot))
    }

    /// For how many nanoseconds a slot that is held is held still.
    fn left(&self, slot: usize) -> u64 {
        // It was seen to be held: until when was said before that.
        fence(Acquire);
        let now = clock();
        let left = |entry: Entry<'_>| entry.until().load(Relaxed).saturating_sub(now);
        self.entries_of(slot).map(left).max().unwrap_or(0)
    }

    /// The workers that have run on the bus, up to where they have got, and who runs them.
    pub(super) fn workers(&self) -> Vec<(String, Option<u64>, Option<Process>)> {
        (0..self.parts.sizes.workers)
            .map(|index| self.words.worker(&self.parts, index))
            .filter(|entry| entry.state().load(Acquire) != 0)
            .map(|entry| {
                let at = entry.at().load(Acquire);
                let process = runner(self, entry.whose().load(Acquire));
                (entry.name(), (at != NONE).then_some(at), process)
            })
            .collect()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let desk = self.presence.desk();
        let entry = desk.words.worker(&desk.parts, self.index);
        entry.slot().store(0, Relaxed);
        entry.whose().store(0, Release);
    }
}

/// The system's clock of nanoseconds, the same for all processes.
fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("index", &self.index)
            .field("position", &self.position())
            .finish()
    }
}
