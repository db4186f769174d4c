//! Up to where each worker has got: on the bus, so that whoever runs it next goes on there.

use core::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::desk::Desk;
use super::error::{SharedError, SharedFault};
use super::house::hold_house;
use super::layout::{Entry, Kind, LONGEST, Place};
use super::lock;
use super::presence::Presence;
use super::process::Process;
use super::workers::{WorkerStatus, workers};
use crate::bus::hold::HELD;
use crate::bus::processes::{said_load, said_store, stats};
use crate::bus::seats::{leave, whose};
use crate::bus::{Bus, Subscriber};
use crate::sync::{Ordering::Relaxed, load};

/// No position has been said yet.
pub(super) const NONE: u64 = u64::MAX;

/// A worker's seat on a shared bus: this process runs it, and no other does.
pub(crate) struct Seat {
    presence: Arc<Presence>,
    index: usize,
    /// What was said last.
    said: u64,
    /// The slot of its subscriber, if that has taken it over from another who ran the worker, and does not run yet.
    comes_by: Option<usize>,
}

impl Seat {
    /// Takes the seat of `worker`; the same name is the same worker, in whatever process.
    pub(super) fn take(presence: &Arc<Presence>, worker: &str) -> Result<Self, SharedError> {
        patiently(presence, worker, || Self::try_take(presence, worker))
    }

    fn try_take(presence: &Arc<Presence>, worker: &str) -> Result<Self, SharedError> {
        let desk = presence.desk();
        let fault = |fault| SharedError::new(&desk.path, fault);
        let _here = hold_house();
        let _door = lock::door(&desk.file).map_err(|e| desk.system("waiting for the door", e))?;
        let known = desk.worker_named(worker);
        let index = known.map_or_else(|| desk.free_entry(), Ok).map_err(fault)?;
        let entry = desk.words.worker(&desk.parts, index);
        if let Some(pool) = desk.pool_about(index) {
            return Err(fault(desk.pool_runs(&pool, worker)));
        }
        if known.is_none() {
            entry.set_worker(worker);
            entry.set_state(Kind::Worker.state());
            fault!("worker_named");
        }
        desk.vacate(index, worker).map_err(fault)?;
        entry.whose().store(desk.place.owner().into(), Relaxed);
        fault!("worker_taken");
        Ok(Self {
            presence: Arc::clone(presence),
            index,
            said: load(entry.at(), said_load()),
            comes_by: None,
        })
    }

    /// Up to where the worker has handled everything, if it has run before.
    pub(crate) fn position(&self) -> Option<u64> {
        (self.said != NONE).then_some(self.said)
    }

    /// Forgets up to where it has got. Nothing is held for it any more.
    pub(super) fn forget(mut self) {
        self.store(NONE);
        self.let_go();
    }

    fn entry(&self) -> Entry<'_> {
        let desk = self.presence.desk();
        desk.words.worker(&desk.parts, self.index)
    }

    /// Whether something is held for the worker that another has left.
    fn is_held(&self) -> bool {
        let desk = self.presence.desk();
        let slot = desk.slot_of(&self.entry());
        self.comes_by.is_some() || slot.is_some_and(|slot| desk.is_held(slot))
    }

    /// A subscriber that begins at `start` by what is held for the worker, which the floor may have passed. That stays so until the worker runs.
    pub(crate) fn take_over(&mut self, bus: &Bus, start: u64) -> Option<Subscriber> {
        let desk = self.presence.desk();
        let mut subscriber = desk.take_over([self.entry()].into_iter(), bus, start)?;
        subscriber.stay();
        self.comes_by = Some(subscriber.slot());
        Some(subscriber)
    }

    /// The worker is about to run. One that has not run before begins where its subscriber does.
    pub(crate) fn sit(&mut self, subscriber: &mut Subscriber) {
        // What is held for it stays so until it runs: it might not come to that.
        if !self.is_held() {
            self.run(subscriber);
        }
        if self.said == NONE {
            self.store(subscriber.start());
        }
    }

    /// The worker runs. Says which slot its subscriber has, by which it holds what it has still to read; what was held for it until now is not any
    /// more.
    pub(crate) fn run(&mut self, subscriber: &mut Subscriber) {
        if self.comes_by.take().is_some() {
            subscriber.own();
        }
        let desk = self.presence.desk();
        if let Some(slot) = desk.seat_in(&self.entry(), subscriber.slot()) {
            desk.core.leave(slot);
        }
    }

    /// Says that the worker has no slot any more: what its subscriber holds until it goes is not held for it. But what another has left stays held if this
    /// one has not come to read it.
    pub(crate) fn rise(&mut self) {
        if let Some(slot) = self.comes_by.take() {
            // Who sees that it is held sees until when: edge 22.
            let desk = self.presence.desk();
            desk.core.hand_over(slot, (desk.place.owner(), HELD));
        }
        if !self.is_held() {
            self.let_go();
        }
    }

    fn let_go(&self) {
        self.entry().slot().store(0, Relaxed);
        fault!("worker_risen");
    }

    /// Says that the worker has handled everything before `position`.
    #[inline]
    pub(crate) fn store(&mut self, position: u64) {
        if self.said != position {
            self.said = position;
            // Edge 37, said.
            self.entry().at().store(position, said_store());
            fault!("worker_said");
        }
    }
}

/// Tries to take a seat of `worker`, again if who has it may have died just now.
pub(super) fn patiently<S>(
    presence: &Arc<Presence>,
    worker: &str,
    try_take: impl Fn() -> Result<S, SharedError>,
) -> Result<S, SharedError> {
    let desk = presence.desk();
    if worker.len() > LONGEST {
        let (worker, most) = (worker.to_owned(), LONGEST);
        let fault = SharedFault::WorkerName { worker, most };
        return Err(SharedError::new(&desk.path, fault));
    }
    let mut looks = 0;
    loop {
        // Of one that has just died the watcher may not have heard.
        desk.settle_all();
        match try_take() {
            // Another process may be settling the affairs of the dead one.
            Err(error) if looks < 20 && matches!(error.fault(), SharedFault::WorkerRuns { .. }) => {
                looks += 1;
                std::thread::sleep(Duration::from_millis(1));
            }
            taken => return taken,
        }
    }
}

/// The process that runs a worker, by its number.
pub(super) fn runner(desk: &Desk, owner: u64) -> Option<Process> {
    let place = Place::of(u32::try_from(owner).ok()?)?;
    if usize::from(place.index()) >= desk.parts.sizes.processes || !desk.lives(place) {
        return None;
    }
    Some(desk.process_in(place)?.1)
}

impl Desk {
    /// Sees to it that nobody runs the worker of the entry `index`. Whoever goes on with it, alone or as a pool, does this first: the death of who ran it may
    /// not be settled yet, and who does that finds others there by then, for whom nothing is to be held. The caller holds the door.
    pub(super) fn vacate(&self, index: usize, worker: &str) -> Result<(), SharedFault> {
        let owner = whose(self.words.worker(&self.parts, index).whose());
        if let Some(process) = runner(self, owner) {
            let worker = worker.to_owned();
            return Err(SharedFault::WorkerRuns { worker, process });
        }
        if let Some(dead) = u32::try_from(owner).ok().and_then(Place::of) {
            self.free_seat(index, dead, self.hold);
        }
        Ok(())
    }

    /// Says that the worker of `entry` has this slot from now on. What was held for it is not any more: gives that slot, which the caller leaves.
    pub(super) fn seat_in(&self, entry: &Entry<'_>, slot: usize) -> Option<usize> {
        self.core.seat_in(entry.seat(), slot, self)
    }

    /// The entry of the worker or the pool of this name.
    pub(super) fn worker_named(&self, worker: &str) -> Option<usize> {
        (0..self.parts.sizes.workers).find(|&index| {
            let entry = self.words.worker(&self.parts, index);
            matches!(entry.kind(), Kind::Worker | Kind::Pool) && entry.name() == worker
        })
    }

    /// An entry that nobody has.
    pub(super) fn free_entry(&self) -> Result<usize, SharedFault> {
        let places = self.parts.sizes.workers;
        let is_free = |&index: &usize| {
            let entry = self.words.worker(&self.parts, index);
            // Who had one that is forgotten may be settled still.
            entry.kind() == Kind::Free && whose(entry.whose()) == 0
        };
        { (0..places).find(is_free) }.ok_or(SharedFault::Workers { places })
    }

    /// The workers that have run on the bus, up to where they have got, and who runs them.
    pub(super) fn workers(&self) -> Vec<WorkerStatus> {
        let tail = || stats(&self.core).tail;
        let runs = |owner| runner(self, owner);
        workers(&self.words, &self.parts, tail, runs)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.rise();
        leave(self.entry().whose());
        fault!("worker_left");
    }
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Seat")
            .field("index", &self.index)
            .field("position", &self.position())
            .finish()
    }
}

#[cfg(all(test, not(miri), not(loom)))]
mod tests {
    use core::mem::ManuallyDrop;

    use super::super::SharedBus;
    use super::super::desk::{enter, taken_after};
    use super::*;
    use crate::bus::processes::Memory;
    use crate::bus::{MessageId, SourceId, Start, Tag};
    use crate::journal::testing::fresh;

    const WORKER: &str = "Table.Worker";

    /// Who takes its seat finds it dead just after he has looked who is, and another settles for it before he reads.
    #[test]
    fn what_a_dead_one_has_still_to_read_is_held_when_its_seat_is_taken_before_that_is_settled() {
        let options = SharedBus::options().hold_for_workers(Duration::from_secs(60));
        let name = fresh("test-unsettled");
        let bus = options.bytes(1 << 12).create(&name).unwrap();
        let mut publisher = bus.bus().publisher().unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        let first = publisher.send(tag, &[]).unwrap();
        let mut seat = ManuallyDrop::new(bus.seat(WORKER).unwrap());
        let subscriber = bus.bus().subscribe_holding(Start::Oldest).unwrap();
        let mut subscriber = ManuallyDrop::new(subscriber);
        seat.sit(&mut subscriber);

        // Both are another process's, which has died.
        let desk = seat.presence.desk();
        let dead = Place::new(usize::from(desk.place.index()) + 1);
        let owners = (desk.place.owner(), dead.owner());
        assert!(desk.core.hand_over(subscriber.slot(), owners));
        let entry = desk.words.worker(&desk.parts, seat.index);
        entry.whose().store(dead.owner().into(), Relaxed);
        let entry = desk.entry(dead);
        enter(&entry, taken_after(entry.state()), "dead");
        let next = Seat::try_take(&seat.presence, WORKER).unwrap();
        desk.settle_all();
        // More than the ring has room for.
        let _ = (0..100).all(|_| publisher.try_send(tag, &[0; 48]).is_ok());
        let start = Start::At(next.position().unwrap());
        assert_eq!(next.position(), Some(first));
        assert!(bus.bus().subscribe_holding(start).is_ok(), "it is lost");

        // Also where a refresh has met neither the slot of the one before nor this one.
        desk.core.memory.control().floor.store(16, Relaxed);
        assert!(bus.bus().subscribe_holding(start).is_err());
        let mut next = next;
        for _ in 0..2 {
            // As a start whose handlers can't be made.
            let mut subscriber = next.take_over(bus.bus(), first).unwrap();
            next.sit(&mut subscriber);
            drop((next, subscriber));
            next = bus.seat(WORKER).unwrap();
        }
        let mut reads = next.take_over(bus.bus(), first).unwrap();
        assert_eq!(reads.try_next().unwrap().unwrap().position(), first);
        // By what is never dropped here this process stays on the bus.
        std::fs::remove_file(bus.path()).unwrap();
    }
}
