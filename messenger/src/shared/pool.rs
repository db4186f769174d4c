//! The words of a pool on a bus: its seats, what each has taken, and what of that it owes still.

use super::desk::{Desk, Stand};
use super::error::SharedFault;
use super::layout::{Entry, Kind, Parts, Place, Words};
use super::seat::NONE;
use crate::bus::processes::said_load;
use crate::bus::seats::{look_round, whose};
use crate::bus::turns::{self, Pool, SeatWords, Turn};
use crate::sync::{AtomicU64, Ordering::Relaxed, load};

/// A pool, by the number of its entry.
#[derive(Clone, Copy)]
pub(super) struct PoolWords<'a> {
    words: &'a Words,
    parts: &'a Parts,
    index: usize,
}

/// Who has a seat in a pool.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Company {
    /// Nobody who lives.
    Nobody,
    /// Somebody who is coming, and holds nothing yet.
    Coming,
    /// Somebody whose subscriber holds what nobody has taken yet.
    Holds,
}

impl Pool for PoolWords<'_> {
    fn own(&self) -> usize {
        self.index
    }

    fn last(&self) -> &AtomicU64 {
        self.entry().last()
    }

    fn start(&self) -> &AtomicU64 {
        self.entry().at()
    }

    fn seat(&self, index: usize) -> Option<SeatWords<'_>> {
        Some(self.seat_entry(index)?.turns())
    }
}

impl<'a> PoolWords<'a> {
    /// The pool of the entry `index`, if it is one.
    pub(super) fn of(words: &'a Words, parts: &'a Parts, index: usize) -> Option<Self> {
        let is_pool =
            index < parts.sizes.workers && words.worker(parts, index).kind() == Kind::Pool;
        is_pool.then_some(Self {
            words,
            parts,
            index,
        })
    }

    /// The pool in which the entry `index` has to do: it is the pool's own, or that of a seat.
    pub(super) fn about(words: &'a Words, parts: &'a Parts, index: usize) -> Option<Self> {
        let entry = words.worker(parts, index);
        match entry.kind() {
            Kind::Pool => Self::of(words, parts, index),
            Kind::Seat => Self::of(words, parts, entry.pool().load(Relaxed) as usize),
            Kind::Free | Kind::Worker => None,
        }
    }

    /// The number of its entry.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    pub(super) fn entry(&self) -> Entry<'a> {
        self.words.worker(self.parts, self.index)
    }

    pub(super) fn seat_entry(&self, index: usize) -> Option<Entry<'a>> {
        if index >= self.parts.sizes.workers {
            return None;
        }
        let entry = self.words.worker(self.parts, index);
        let is_its = entry.kind() == Kind::Seat && entry.pool().load(Relaxed) == self.index as u64;
        is_its.then_some(entry)
    }

    /// Its seats, by the numbers of their entries.
    pub(super) fn seats(&self) -> impl Iterator<Item = (usize, Entry<'a>)> + use<'a> {
        let pool = *self;
        let all = 0..self.parts.sizes.workers;
        all.filter_map(move |index| Some((index, pool.seat_entry(index)?)))
    }

    /// Its own entry and those of its seats.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let seats = self.seats().map(|(_, seat)| seat);
        seats.chain([self.entry()])
    }

    /// The last turn.
    pub(super) fn turn(&self) -> Result<Turn, SharedFault> {
        let what = "word of a pool's last turn";
        turns::look(self).map_err(|found| SharedFault::Damaged { what, found })
    }

    /// Where what nobody has taken begins, if anybody has begun.
    pub(super) fn next(&self) -> Result<Option<u64>, SharedFault> {
        let next = self.turn()?.next;
        Ok((next != NONE).then_some(next))
    }

    /// What a seat has taken and not handled yet. (Of one that is at work: as it was at some moment, more or less.)
    pub(super) fn owed(&self, index: usize) -> Option<(u64, u64)> {
        let (from, to) = turns::taken(self, index)?;
        // Edge 37, said.
        let at = load(self.seat_entry(index)?.at(), said_load());
        let from = from.max(at);
        (from < to).then_some((from, to))
    }

    /// What seats owe that nobody has: the oldest first.
    pub(super) fn left_behind(&self) -> Vec<(usize, (u64, u64))> {
        let free = self.seats().filter(|(_, seat)| whose(seat.whose()) == 0);
        let owed = free.filter_map(|(index, _)| Some((index, self.owed(index)?)));
        let mut owed: Vec<_> = owed.collect();
        owed.sort_unstable_by_key(|(_, range)| range.0);
        owed
    }
}

impl Desk {
    /// The pool in which the entry `index` has to do, if it is of one.
    pub(super) fn pool_about(&self, index: usize) -> Option<PoolWords<'_>> {
        PoolWords::about(&self.words, &self.parts, index)
    }

    /// Who has a seat in a pool, but for those that `except` names by seat and process.
    pub(super) fn company(
        &self,
        pool: &PoolWords<'_>,
        except: impl Fn(usize, Place) -> bool,
    ) -> Company {
        let of = |(index, seat): (usize, Entry<'_>)| {
            let owner = u32::try_from(whose(seat.whose())).ok();
            match owner.and_then(Place::of) {
                Some(place) if !except(index, place) && self.is_here(place) => {
                    // What is held for a seat is not its own before it has a subscriber.
                    let is_its = |slot| self.core.owner_of(slot) == Some(place.owner());
                    if self.slot_of(&seat).is_some_and(is_its) {
                        Company::Holds
                    } else {
                        Company::Coming
                    }
                }
                _ => Company::Nobody,
            }
        };
        let all = || pool.seats().map(of).max().unwrap_or(Company::Nobody);
        look_round(pool.entry().left(), Company::Nobody, all)
    }

    /// Whether a process is in `place` that lives. (Who settles for a dead one holds its place.)
    fn is_here(&self, place: Place) -> bool {
        usize::from(place.index()) < self.parts.sizes.processes
            && Stand::of(self.entry(place).state()) == Stand::Here
            && self.lives(place)
    }

    /// The entries of all pools.
    pub(super) fn pools(&self) -> impl Iterator<Item = PoolWords<'_>> {
        let all = 0..self.parts.sizes.workers;
        all.filter_map(|index| PoolWords::of(&self.words, &self.parts, index))
    }
}
