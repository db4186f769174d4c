//! A seat in a pool: this process is one of those that run a worker together.

use core::fmt;
use std::sync::Arc;

use super::desk::Desk;
use super::error::{SharedError, SharedFault};
use super::house::hold_house;
use super::layout::{Entry, Kind};
use super::lock;
use super::pool::{Company, PoolWords};
use super::presence::Presence;
use super::seat::{NONE, patiently, runner};
use crate::bus::hold::HELD;
use crate::bus::processes::stats;
use crate::bus::processes::{said_load, said_store};
use crate::bus::seats::{self, leave, whose};
use crate::bus::turns::{self, word_of};
use crate::bus::{Bus, JoinError, ReadError, Start, Subscriber, Tag};
use crate::sync::{Ordering::Relaxed, load};

#[cfg(all(test, not(miri), not(loom)))]
mod tests;

/// A seat in a pool of a shared bus, and what it has taken.
pub(crate) struct PoolSeat {
    presence: Arc<Presence>,
    pool: usize,
    index: usize,
    /// The slot of its subscriber, which it gives back; if it has one.
    slot: Option<usize>,
    /// What it has taken last.
    range: (u64, u64),
    /// Before here nothing is left to take, and nothing but what it has taken is its own.
    end: u64,
    /// Up to where it has said last that all it has taken is handled.
    said: u64,
    /// What the pool said of those who have left it when there was nothing that they owe.
    seen: Option<u64>,
    /// Seats that it has left for another, and what they had taken: their answers wait for room still. They name its slot, which holds what they owe.
    behind: Vec<(usize, u64)>,
    /// It does not run yet, and what nobody has taken was held before it came: that stays so if it does not come to run.
    comes_for_it: bool,
}

/// What a pool's member could not do.
pub(crate) enum Trouble {
    /// What the bus says can't be.
    Shared(SharedError),
    /// The bus could not be read.
    Read(ReadError),
    /// Some of what a dead member owed is not retained: it is lost. The rest was taken over.
    Missed { position: u64, oldest: u64 },
}

/// What came of an attempt to take something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Took {
    Something,
    /// Another was faster.
    Late,
    /// Nothing is there.
    Nothing,
}

impl PoolSeat {
    /// Takes a seat in the pool that runs `worker`.
    pub(super) fn take(presence: &Arc<Presence>, worker: &str) -> Result<Self, SharedError> {
        patiently(presence, worker, || Self::try_take(presence, worker))
    }

    fn try_take(presence: &Arc<Presence>, worker: &str) -> Result<Self, SharedError> {
        let desk = presence.desk();
        let fault = |fault| SharedError::new(&desk.path, fault);
        let _here = hold_house();
        let _door = lock::door(&desk.file).map_err(|e| desk.system("waiting for the door", e))?;
        let index = desk.pool_named(worker).map_err(fault)?;
        let (pool, owner) = (desk.pool(index).map_err(fault)?, desk.place.owner());
        // What can't be read stops here.
        pool.turn().map_err(fault)?;
        let owed = pool.left_behind().into_iter().map(|(index, _)| index);
        // What is held for a seat is for who has that: see `take_over`.
        let is_held = |seat: &Entry<'_>| desk.slot_of(seat).is_some_and(|slot| desk.is_held(slot));
        let held = pool.seats().filter(|(_, seat)| is_held(seat));
        let free = held.chain(pool.seats()).map(|(index, _)| index);
        // One who moves to what a dead one has left may be faster.
        let take = |&index: &usize| {
            let seat = pool.seat_entry(index);
            seat.is_some_and(|seat| seats::take(seat.whose(), owner.into()))
        };
        let taken = owed.chain(free).find(take);
        let index = match taken {
            Some(index) => index,
            None => {
                let index = desk.free_entry().map_err(fault)?;
                let entry = desk.words.worker(&desk.parts, index);
                entry.set_seat(pool.index());
                entry.whose().store(owner.into(), Relaxed);
                fault!("seat_claimed");
                entry.set_state(Kind::Seat.state());
                index
            }
        };
        fault!("seat_taken");
        let range = pool.owed(index).unwrap_or((0, 0));
        let entry = desk.words.worker(&desk.parts, index);
        let tail = stats(&desk.core).tail;
        if let Err(damaged) = sound(range.0, range.1).and_then(|()| sound(range.1, tail)) {
            leave(entry.whose());
            return Err(fault(damaged));
        }
        Ok(Self {
            presence: Arc::clone(presence),
            pool: pool.index(),
            index,
            slot: None,
            range,
            end: range.1,
            said: load(entry.at(), said_load()),
            seen: None,
            behind: Vec::new(),
            comes_for_it: false,
        })
    }

    fn desk(&self) -> &Desk {
        self.presence.desk()
    }

    fn error(&self, fault: SharedFault) -> SharedError {
        SharedError::new(&self.desk().path, fault)
    }

    fn pool(&self) -> Result<PoolWords<'_>, SharedError> {
        self.desk()
            .pool(self.pool)
            .map_err(|fault| self.error(fault))
    }

    /// The oldest position at which anything may be left to do, if the pool has begun.
    pub(crate) fn starts(&self) -> Result<Option<u64>, SharedError> {
        let pool = self.pool()?;
        let next = pool.next().map_err(|fault| self.error(fault))?;
        let own = (self.range.0 < self.range.1).then_some(self.range.0);
        let behind = pool.left_behind().into_iter().map(|(_, range)| range.0);
        let oldest = next.map(|next| behind.chain(own).fold(next, u64::min));
        fault!("pool_found");
        Ok(oldest)
    }

    /// A subscriber that begins at `start` by what is held for this seat, or was for who ran the worker alone; the floor may have passed it. That stays so
    /// until the member runs. (By what is held for another seat one goes on who has that, and may be about to.)
    pub(crate) fn take_over(&mut self, bus: &Bus, start: u64) -> Option<Subscriber> {
        let presence = Arc::clone(&self.presence);
        let desk = presence.desk();
        let pool = desk.pool(self.pool).ok()?;
        let own = pool
            .seat_entry(self.index)
            .into_iter()
            .chain([pool.entry()]);
        let own = own.filter(|entry| {
            desk.slot_of(entry)
                .is_some_and(|slot| !desk.owes_before(&pool, slot, start))
        });
        let mut subscriber = desk.take_over(own, bus, start)?;
        subscriber.stay();
        self.slot = Some(subscriber.slot());
        self.comes_for_it = true;
        Some(subscriber)
    }

    /// Says which slot the member's subscriber has: what was held for the seat until now is not any more. The first of all says where the pool
    /// begins. `false`: another has begun it before the subscriber's start; it has to begin there.
    pub(crate) fn sit(&mut self, subscriber: &mut Subscriber) -> Result<bool, SharedError> {
        let presence = Arc::clone(&self.presence);
        let desk = presence.desk();
        let seated = {
            let _here = hold_house();
            let _door =
                { lock::door(&desk.file) }.map_err(|e| desk.system("waiting for the door", e))?;
            let pool = self.pool()?;
            let (start, slot) = (subscriber.start(), subscriber.slot());
            let next = pool.next().map_err(|fault| self.error(fault))?;
            if next.is_none() {
                // Edge 37, said.
                pool.entry().at().store(start, said_store());
            }
            next.is_none_or(|next| next >= start).then(|| {
                fault!("pool_begun");
                // Also by one who is dead, or about to be, and by another who has come and may not come to run.
                let is_held = pool.entries().any(|entry| desk.slot_of(&entry).is_some());
                let entry = desk.words.worker(&desk.parts, self.index);
                let before = desk.seat_in(&entry, slot);
                // It is the seat's from now on, and whose it will be after that the pool's own entry must not say.
                pool.entry().seat().unname(slot);
                (is_held, before)
            })
        };
        let Some((is_held, unwanted)) = seated else {
            if let Some(slot) = self.slot.take() {
                desk.give_up(slot);
            }
            return Ok(false);
        };
        self.comes_for_it |= is_held;
        self.slot = Some(subscriber.slot());
        subscriber.stay();
        subscriber.pass_to(self.range.0);
        if let Some(slot) = unwanted {
            desk.core.leave(slot);
        }
        // What was held for the pool as long as nobody was there.
        desk.settle_all();
        Ok(true)
    }

    /// The member runs.
    pub(crate) fn run(&mut self) {
        self.comes_for_it = false;
    }

    /// Before here nothing is left to take, and nothing but what this member has taken is its own.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Whether somebody has left the pool who may owe something.
    pub(crate) fn is_called(&self) -> bool {
        let desk = self.desk();
        let entry = desk.words.worker(&desk.parts, self.pool);
        self.seen != Some(entry.left().load(Relaxed))
    }

    /// Moves to the seat of one who has left and owes something that begins before `end`, with what it has taken; `subscriber` stands where that
    /// begins, then. `false`: nobody owes anything.
    pub(crate) fn move_on(
        &mut self,
        bus: &Bus,
        subscriber: &mut Subscriber,
        end: u64,
    ) -> Result<bool, Trouble> {
        let presence = Arc::clone(&self.presence);
        let desk = presence.desk();
        let damaged = |fault| Trouble::Shared(SharedError::new(&desk.path, fault));
        let pool = desk.pool(self.pool).map_err(damaged)?;
        loop {
            let left = seats::calls(pool.entry().left());
            let oldest = pool.left_behind().first().copied();
            let Some((index, _)) = oldest.filter(|(_, range)| range.0 < end) else {
                self.seen = Some(left);
                return Ok(false);
            };
            let entry = desk.words.worker(&desk.parts, index);
            if !seats::take(entry.whose(), desk.place.owner().into()) {
                continue;
            }
            fault!("seat_adopted");
            // Others may have looked meanwhile, and have found that nobody has left anything.
            let give_back = || {
                leave(entry.whose());
                fault!("seat_given_back");
                desk.call(&pool);
            };
            // Another may have had it in between.
            let Some((mut from, to)) = pool.owed(index).filter(|range| range.0 < end) else {
                give_back();
                continue;
            };
            if let Err(fault) = sound(from, to).and_then(|()| sound(to, bus.tail())) {
                give_back();
                return Err(damaged(fault));
            }
            // No other has the seat, and while this process lives what is held for it is not freed, as long as the seat names that slot.
            let held = desk.slot_of(&entry).filter(|&slot| desk.is_held(slot));
            // What it owes itself may be older than that, and stays held likewise.
            let holds_it = subscriber.held().max(subscriber.start()) <= from;
            // By a slot that another seat names, too, something is held for that one, and who takes that over may not have come so far yet.
            let is_its_own = |&slot: &usize| desk.entries_of(slot).nth(1).is_none();
            let take_over = |slot| bus.take_over(slot, from);
            let mut other =
                { held.filter(|slot| !holds_it && is_its_own(slot)) }.and_then(take_over);
            let mut missed = None;
            if other.is_none() && !holds_it {
                // That slot stays for another seat; or a member whose answers found no room has let go of something, or another has taken the slot.
                // It may be there still; and the rest, which is held, stays so meanwhile.
                let joined = match bus.subscribe_holding(Start::At(from)) {
                    // By that slot alone, then, it and what follows it can be gone on with.
                    Err(JoinError::Gone { .. }) => {
                        let held = held.filter(|&slot| !desk.owes_before(&pool, slot, from));
                        let holds = |slot| desk.core.holds(slot, from);
                        match held.and_then(take_over) {
                            Some(held) => Some(held),
                            // Who has that slot comes to this, too, or somebody has it before.
                            None if desk.slot_of(&entry).is_some_and(holds) => None,
                            None => {
                                let joined = bus.subscribe_holding(Start::Oldest).ok();
                                missed = { joined.as_ref() }.map(|joined| (from, joined.start()));
                                joined
                            }
                        }
                    }
                    joined => joined.ok(),
                };
                let Some(joined) = joined else {
                    // There is no slot now, or it is for another. It asks again.
                    give_back();
                    std::thread::sleep(core::time::Duration::from_millis(1));
                    return Ok(false);
                };
                if let Some((position, oldest)) = missed {
                    from = oldest.clamp(position, to);
                    // Edge 37, said.
                    entry.at().store(from, said_store());
                    fault!("miss_said");
                    if from == to {
                        give_back();
                        return Err(Trouble::Missed { position, oldest });
                    }
                }
                other = Some(joined);
            }
            let before = self.slot;
            if let Some(mut other) = other {
                other.stay();
                *subscriber = other;
            }
            let slot = subscriber.slot();
            entry.slot().store(slot as u64 + 1, Relaxed);
            fault!("seat_moved");
            // Who finds it held for nobody may be faster.
            if let Some(slot) = held.and_then(|held| desk.take_unwanted(held)) {
                desk.core.leave(slot);
            }
            // Edge 33, move: who finds nobody in the seat that is left finds by this that it has to look anew.
            seats::call(pool.entry().left());
            fault!("move_called");
            self.leave(before.filter(|&before| before != slot), slot);
            self.index = index;
            self.slot = Some(slot);
            self.range = (from, to);
            self.end = to;
            self.said = load(entry.at(), said_load());
            subscriber.go_to(from);
            return match missed {
                None => Ok(true),
                Some((position, oldest)) => Err(Trouble::Missed { position, oldest }),
            };
        }
    }

    /// Leaves the seat for another, whose slot holds what it owes there from now on, too; and gives back the slot `before`.
    fn leave(&mut self, before: Option<usize>, slot: usize) {
        let desk = self.presence.desk();
        let entry = |index| desk.words.worker(&desk.parts, index);
        let left = entry(self.index);
        let owes = self.said < self.range.1;
        if owes {
            self.behind.push((self.index, self.range.1));
        } else {
            left.slot().store(0, Relaxed);
            fault!("seat_risen");
        }
        for &(index, _) in &self.behind {
            entry(index).slot().store(slot as u64 + 1, Relaxed);
            fault!("behind_moved");
        }
        if let Some(before) = before {
            desk.give_up(before);
        }
        fault!("seat_left");
        if !owes {
            leave(left.whose());
            fault!("seat_empty");
        }
    }

    /// Takes what `takes` takes of the records that are there, and that nobody has taken; passes over what others have.
    pub(crate) fn take_some(
        &mut self,
        bus: &Bus,
        subscriber: &mut Subscriber,
        takes: impl FnMut(u64, Tag) -> bool,
    ) -> Result<Took, Trouble> {
        let presence = Arc::clone(&self.presence);
        let desk = presence.desk();
        let damaged = |fault| Trouble::Shared(SharedError::new(&desk.path, fault));
        let pool = desk.pool(self.pool).map_err(damaged)?;
        let (what, found) = ("entry of a seat in a pool", self.index as u64);
        let seat = turns::Pool::seat(&pool, self.index);
        let seat = seat.ok_or_else(|| damaged(SharedFault::Damaged { what, found }))?;
        let turn = pool.turn().map_err(damaged)?;
        let next = if turn.is_first {
            within(turn.next, bus.tail()).map_err(damaged)?;
            subscriber.walk_to(turn.next).map_err(Trouble::Read)?;
            let position = subscriber.position();
            self.end = self.end.max(position);
            if position < turn.next {
                // A claim there is not finished.
                return Ok(Took::Nothing);
            }
            if position > turn.next {
                // No record begins in between; and what ends here may be overwritten before anybody takes a turn.
                // Edge 37, said.
                pool.entry().at().store(position, said_store());
                fault!("pool_moved");
            }
            position
        } else {
            if subscriber.position() < turn.next {
                sound(turn.next, bus.tail()).map_err(damaged)?;
                // What others have taken was finished when they took it.
                subscriber.pass_to(turn.next);
            }
            turn.next
        };
        let to = subscriber.look_ahead(takes).map_err(Trouble::Read)?;
        let from = if self.said < self.range.1 {
            // Its answers wait for room still: if this process dies, it was not handled.
            self.said.max(self.range.0)
        } else {
            next
        };
        let took = if to <= next {
            Took::Nothing
        } else if turns::take(&pool, &turn, (self.index, &seat), (from, to)) {
            Took::Something
        } else {
            Took::Late
        };
        self.end = self.end.max(next);
        if took == Took::Something {
            self.range = (from, to);
            self.end = to;
        }
        Ok(took)
    }

    /// Says that the member has handled all that it has taken before `position`, and has nothing to send of it any more.
    pub(crate) fn store(&mut self, position: u64) {
        let position = position.min(self.end);
        let desk = self.presence.desk();
        for (index, end) in self.behind.drain(..) {
            let entry = desk.words.worker(&desk.parts, index);
            // Edge 37, said.
            entry.at().store(end, said_store());
            fault!("behind_said");
            entry.slot().store(0, Relaxed);
            fault!("behind_risen");
            leave(entry.whose());
            fault!("behind_empty");
        }
        if position > self.said {
            self.said = position;
            let entry = desk.words.worker(&desk.parts, self.index);
            // Edge 37, said.
            entry.at().store(position, said_store());
            fault!("seat_said");
        }
    }
}

/// Whether a position can be that of a record, or of the end of one, at or before `most`.
fn sound(position: u64, most: u64) -> Result<(), SharedFault> {
    if position % crate::bus::PAYLOAD_ALIGN as u64 != 0 {
        return Err(no_position(position));
    }
    within(position, most)
}

/// Whether a position is at or before `most`.
fn within(position: u64, most: u64) -> Result<(), SharedFault> {
    if position <= most {
        return Ok(());
    }
    Err(no_position(position))
}

fn no_position(found: u64) -> SharedFault {
    let what = "position of a pool";
    SharedFault::Damaged { what, found }
}

impl Desk {
    /// The pool of the entry `index`.
    fn pool(&self, index: usize) -> Result<PoolWords<'_>, SharedFault> {
        let (what, found) = ("entry of a pool", index as u64);
        let pool = PoolWords::of(&self.words, &self.parts, index);
        pool.ok_or(SharedFault::Damaged { what, found })
    }

    /// The entry of the pool that runs `worker`; makes it one, if it is not. The caller holds the door.
    fn pool_named(&self, worker: &str) -> Result<usize, SharedFault> {
        let index = match self.worker_named(worker) {
            Some(index) => index,
            None => self.free_entry()?,
        };
        let entry = self.words.worker(&self.parts, index);
        match entry.kind() {
            Kind::Pool => {
                // One that has not begun may be half forgotten: then its seats say what they did before.
                let (begun, first) = (entry.at().load(Relaxed), word_of(0, index));
                if begun == NONE && entry.last().load(Relaxed) == first {
                    let pool = self.pool(index)?;
                    if self.company(&pool, |_, _| false) == Company::Nobody {
                        self.free_seats_of(index);
                    }
                }
                return Ok(index);
            }
            Kind::Worker => {
                self.vacate(index, worker)?;
                // It was a pool before, perhaps, and is forgotten. Else it goes on where it had got.
                self.free_seats_of(index);
            }
            Kind::Free | Kind::Seat => {
                self.free_seats_of(index);
                entry.set_worker(worker);
            }
        }
        entry.last().store(word_of(0, index), Relaxed);
        fault!("pool_cleared");
        entry.set_state(Kind::Pool.state());
        fault!("pool_named");
        Ok(index)
    }

    /// Forgets up to where a pool has got, and what its members owe. The caller holds the door.
    pub(super) fn forget_pool(&self, index: usize, worker: &str) -> Result<(), SharedFault> {
        let pool = self.pool(index)?;
        if self.company(&pool, |_, _| false) != Company::Nobody {
            return Err(self.pool_runs(&pool, worker));
        }
        let entry = pool.entry();
        // Whoever dies on the way leaves a pool that has not begun, or what it was.
        entry.at().store(NONE, Relaxed);
        fault!("pool_unsaid");
        entry.slot().store(0, Relaxed);
        fault!("pool_unheld");
        entry.last().store(word_of(0, index), Relaxed);
        fault!("pool_unbegun");
        self.free_seats_of(index);
        entry.set_state(Kind::Worker.state());
        fault!("pool_forgotten");
        Ok(())
    }

    /// Frees the entries of all seats in a pool that is none any more. Nothing is held for them.
    fn free_seats_of(&self, pool: usize) {
        for index in 0..self.parts.sizes.workers {
            let entry = self.words.worker(&self.parts, index);
            if entry.kind() == Kind::Seat && entry.pool().load(Relaxed) == pool as u64 {
                entry.slot().store(0, Relaxed);
                fault!("seat_unwanted");
                entry.set_state(Kind::Free.state());
                fault!("seat_forgone");
            }
        }
    }

    /// Whether a seat that names `slot` owes what stands before `start`. (The death of one who was in several seats may be settled for some of them only.)
    fn owes_before(&self, pool: &PoolWords<'_>, slot: usize, start: u64) -> bool {
        let mut owed = { self.entries_of(slot) }.filter_map(|(index, _)| pool.owed(index));
        owed.any(|owed| owed.0 < start)
    }

    /// Has all members look who has left, and what is owed.
    fn call(&self, pool: &PoolWords<'_>) {
        seats::call(pool.entry().left());
        fault!("pool_called");
        self.core.rouse_all();
    }

    /// Why a worker that is a pool can't be run alone, or be forgotten.
    pub(super) fn pool_runs(&self, pool: &PoolWords<'_>, worker: &str) -> SharedFault {
        let worker = worker.to_owned();
        let runs = |(_, seat): (usize, Entry<'_>)| runner(self, whose(seat.whose()));
        match pool.seats().find_map(runs) {
            Some(process) => SharedFault::WorkerRuns { worker, process },
            None => SharedFault::WorkerIsPool { worker },
        }
    }
}

impl Drop for PoolSeat {
    fn drop(&mut self) {
        let desk = self.presence.desk();
        let behind = self.behind.iter().map(|&(index, _)| index);
        let seats = || behind.clone().chain([self.index]);
        let entries = || seats().map(|index| desk.words.worker(&desk.parts, index));
        // As long as it owes something in a seat that it has left, it does so in the last one, too.
        let owes = self.said < self.range.1;
        if let Some(slot) = self.slot {
            desk.hold_anew(self.index, desk.hold);
            // What was held stays so where this one has not come to read it.
            if !owes && !self.comes_for_it {
                for entry in entries() {
                    entry.slot().store(0, Relaxed);
                    fault!("seat_let_go");
                }
            }
            // Before another can have a seat that names it. Who sees that it is held sees until when: edge 22.
            desk.core.hand_over(slot, (desk.place.owner(), HELD));
        }
        for entry in entries() {
            leave(entry.whose());
            fault!("seat_vacated");
        }
        if let Some(slot) = self.slot.and_then(|slot| desk.take_unwanted(slot)) {
            desk.core.leave(slot);
        }
        if owes {
            if let Ok(pool) = self.pool() {
                desk.call(&pool);
            }
        }
    }
}

impl fmt::Debug for PoolSeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolSeat")
            .field("index", &self.index)
            .field("range", &self.range)
            .field("said", &self.said)
            .finish_non_exhaustive()
    }
}
