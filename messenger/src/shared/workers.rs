//! The workers of a bus as others see them.

use core::ops::Range;

use super::layout::{Entry, Kind, Parts, Words};
use super::pool::PoolWords;
use super::process::Process;
use super::seat::NONE;
use crate::bus::processes::said_load;
use crate::bus::seats::whose;
use crate::sync::load;

/// A worker that has run on a bus.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// The table and the worker: `Table.worker`.
    pub name: String,
    /// Up to where it has handled everything, if it has begun.
    pub position: Option<u64>,
    /// The bytes from there to the tail.
    pub lag: Option<u64>,
    /// Who runs it now. Of a pool: nobody, see `members`.
    pub process: Option<Process>,
    /// Of a pool: those who run it now, and those who have left and owe something.
    pub members: Option<Vec<PoolMember>>,
}

/// A member of a pool.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct PoolMember {
    /// The process. `None`: it has left, and what it owes waits for another.
    pub process: Option<Process>,
    /// What it has taken and not handled yet: the records that are for the worker, of those that begin at these positions.
    pub owes: Option<Range<u64>>,
}

/// The workers that have run on a bus whose tail is `tail` at least; `runs` says who the process is that an entry names.
pub(super) fn workers(
    words: &Words,
    parts: &Parts,
    tail: impl FnOnce() -> u64,
    runs: impl Fn(u64) -> Option<Process>,
) -> Vec<WorkerStatus> {
    let mut all = Vec::new();
    for index in 0..parts.sizes.workers {
        let entry = words.worker(parts, index);
        let worker = match entry.kind() {
            Kind::Free | Kind::Seat => continue,
            Kind::Worker => alone(&entry, &runs),
            Kind::Pool => match PoolWords::of(words, parts, index) {
                Some(pool) => together(&pool, &runs),
                None => continue,
            },
        };
        all.push(worker);
    }
    // After all positions, so that none is beyond it.
    let tail = tail();
    for worker in &mut all {
        worker.lag = worker
            .position
            .map(|position| tail.saturating_sub(position));
    }
    all
}

fn alone(entry: &Entry<'_>, runs: &impl Fn(u64) -> Option<Process>) -> WorkerStatus {
    // Edge 37, said.
    let position = load(entry.at(), said_load());
    WorkerStatus {
        name: entry.name(),
        position: (position != NONE).then_some(position),
        lag: None,
        process: runs(whose(entry.whose())),
        members: None,
    }
}

fn together(pool: &PoolWords<'_>, runs: &impl Fn(u64) -> Option<Process>) -> WorkerStatus {
    let mut members = Vec::new();
    // First: what is taken after that is not before it.
    let mut position = pool.next().ok().flatten();
    for (index, seat) in pool.seats() {
        let process = runs(whose(seat.whose()));
        let owes = pool.owed(index).map(|(from, to)| from..to);
        if let (Some(position), Some(owes)) = (&mut position, &owes) {
            *position = owes.start.min(*position);
        }
        if process.is_some() || owes.is_some() {
            members.push(PoolMember { process, owes });
        }
    }
    WorkerStatus {
        name: pool.entry().name(),
        position,
        lag: None,
        process: None,
        members: Some(members),
    }
}
