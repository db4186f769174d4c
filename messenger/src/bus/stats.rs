//! How a bus stands, read while it runs.

use super::layout::Gate;
use super::ring::Memory;
use super::shared::Core;
use crate::sync::Ordering::Relaxed;
use crate::sync::load_acquire;

/// How a bus stands. Each number was true at some moment while they were read; a difference of two is that of two moments, and at most
/// the capacity where no more can be in use.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Stats {
    /// The position of the oldest record that is retained (the floor).
    pub head: u64,
    /// The position at which the next claim will begin.
    pub tail: u64,
    /// The bytes between head and tail.
    pub used: u64,
    /// The ring's length in bytes.
    pub capacity: u64,
    /// The subscribers.
    pub subscribers: Vec<SubscriberStats>,
    /// How many members of all kinds are attached.
    pub members: usize,
    /// How many records have been aborted.
    pub aborted: u64,
    /// How often an observer found itself lapped.
    pub lagged: u64,
    /// How often a subscriber was evicted.
    pub evicted: u64,
}

/// Where one subscriber stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SubscriberStats {
    /// Its slot on the bus.
    pub slot: usize,
    /// The position from which on it has yet to read.
    pub position: u64,
    /// The bytes between that and the tail.
    pub lag: u64,
    /// Whether it holds records back from there on.
    pub state: SubscriberState,
}

/// Whether a subscriber holds records back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum SubscriberState {
    /// It does: it may not be evicted, or not now, as it is reading.
    Holding,
    /// It does, rests, and may be evicted ([`Bus::subscribe_evictable`](super::Bus::subscribe_evictable)).
    Resting,
    /// It was evicted, holds nothing, and has not come back yet.
    Evicted,
}

pub(crate) fn stats(core: &Core) -> Stats {
    let control = core.memory.control();
    // The positions first, so that the tail, which only grows, is not before them.
    let head = load_acquire(&control.floor);
    let mut members = 0;
    let mut positions = Vec::new();
    for (slot, word) in core.memory.slots().iter().enumerate() {
        match Gate::of(load_acquire(&word.gate)) {
            Gate::Free => {}
            Gate::Subscriber(position) => {
                members += 1;
                positions.push((slot, position, SubscriberState::Holding));
            }
            Gate::Resting(position) => {
                members += 1;
                positions.push((slot, position, SubscriberState::Resting));
            }
            Gate::Evicted(position) => {
                members += 1;
                positions.push((slot, position, SubscriberState::Evicted));
            }
            Gate::Joining(_) | Gate::Idle(_) | Gate::Pinned(_) => members += 1,
        }
    }
    let tail = control.tail.load(Relaxed);
    // Between the one and the other the bus may have gone on by many laps.
    let capacity = core.capacity();
    Stats {
        head,
        tail,
        used: tail.saturating_sub(head).min(capacity),
        capacity,
        subscribers: positions
            .into_iter()
            .map(|(slot, position, state)| SubscriberStats {
                slot,
                position,
                lag: match state {
                    SubscriberState::Evicted => tail.saturating_sub(position),
                    _ => tail.saturating_sub(position).min(capacity),
                },
                state,
            })
            .collect(),
        members,
        aborted: control.aborted.load(Relaxed),
        lagged: control.lagged.load(Relaxed),
        evicted: control.evicted.load(Relaxed),
    }
}

/// Whether some subscriber holds records before `position`.
pub(super) fn has_reader_before(core: &Core, position: u64, except: usize) -> bool {
    // Relaxed: a hint, asked for again and again.
    let used = core.memory.control().slots_used.load(Relaxed) as usize;
    let slots = core.memory.slots().iter().take(used).enumerate();
    (slots.filter(|(index, _)| *index != except)).any(|(_, slot)| {
        let gate = Gate::of(slot.gate.load(Relaxed));
        matches!(gate, Gate::Subscriber(held) | Gate::Resting(held) if held < position)
    })
}
