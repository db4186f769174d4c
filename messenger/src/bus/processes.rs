//! What a bus that processes share is made of: the same protocol, over memory that is not this process's alone.

use std::sync::Arc;

use super::format::Format;
use super::layout::{HEADER, Owner, POSITION, RECORD_ALIGN};
use super::park::{Barrier, Reach};
use super::ring::{LAST, Ring};
use super::shared::{Bytes, Segments, View};
use crate::memory::Region;
use crate::sync::Ordering::Relaxed;
use crate::sync::load_acquire;

pub(crate) use super::glance::Missed;
pub(crate) use super::handle::start_of;
pub(crate) use super::layout::{Gate, MIN_CAPACITY};
pub(crate) use super::order::{
    arrival_fence, entry_load, entry_store, known_fence, new_entry_fence, said_load, said_store,
    schema_load, schema_store,
};
pub(crate) use super::ring::{Found, Memory};
pub(crate) use super::shared::Core;
pub(crate) use super::stats::stats;
pub(crate) use super::window::Window;

/// As [`over_segments`](super::shared::over_segments), for one who is no member, and only looks.
pub(crate) fn onlooker_over_segments(
    (region, at): (Arc<Region>, usize),
    members: usize,
    segments: Arc<dyn Segments>,
    (capacity, format): (u64, Format),
) -> Core {
    let bytes = Bytes::Segments(segments);
    let view = View::new(region, at, members, bytes, Reach::Processes);
    Ring::looked_at(view, capacity, format)
}

/// Readies this process for buses that others use too: for the first one the kernel takes some ten milliseconds, which nothing
/// ends, not even the process's death.
pub(crate) fn ready() {
    Barrier::over(Reach::Processes);
}

/// A bus whose words and whose ring lie at `control` and `ring` bytes in `region`, aligned, and which other processes use too. This
/// one has the number `owner` there.
pub(crate) fn over(
    region: &Arc<Region>,
    (control, ring): (usize, usize),
    (members, capacity): (usize, u64),
    salt: u64,
    owner: Owner,
) -> Core {
    let bytes = Bytes::ring(region, ring, capacity);
    let view = View::new(
        Arc::clone(region),
        control,
        members,
        bytes,
        Reach::Processes,
    );
    let barrier = Barrier::over(Reach::Processes);
    Ring::shared(view, capacity, salt, owner, barrier)
}

/// As [`over`], for one who is no member, and only looks: `region` may be mapped for reading alone, and then whatever writes a word
/// ends the process.
pub(crate) fn onlooker(
    region: &Arc<Region>,
    (control, ring): (usize, usize),
    (members, capacity): (usize, u64),
    salt: u64,
) -> Core {
    let bytes = Bytes::ring(region, ring, capacity);
    let region = Arc::clone(region);
    let view = View::new(region, control, members, bytes, Reach::Processes);
    Ring::looked_at(view, capacity, Format::in_memory(capacity, salt))
}

impl Bytes {
    /// A ring that lies `at` bytes into `region`.
    fn ring(region: &Region, at: usize, capacity: u64) -> Self {
        let room = region.len().checked_sub(at);
        assert!(room.is_some_and(|room| capacity <= room as u64));
        Self::Ring { at, capacity }
    }
}

/// Makes the words of a shared bus, all zero, those of a fresh one. Nobody else uses them yet.
pub(crate) fn begin(core: &Core) {
    let control = core.memory.control();
    control.limit.store(core.capacity(), Relaxed);
}

/// Whether the words of a bus can be those that its members write, whatever they do meanwhile. `Err`: which can't, and what it is.
pub(crate) fn check(core: &Core) -> Result<(), (&'static str, u64)> {
    let control = core.memory.control();
    let read = load_acquire;
    // Each grows, and is at most as far as the next one (the floor: less a ring's length), so each is read before the next.
    let before = read(&control.floor);
    let (tail, limit, floor) = (
        read(&control.tail),
        read(&control.limit),
        read(&control.floor),
    );
    for (what, position) in [("floor", floor), ("tail", tail), ("limit", limit)] {
        if position > LAST || position & !POSITION != 0 {
            return Err((what, position));
        }
    }
    if before > tail {
        return Err(("floor", before));
    }
    if tail > limit {
        return Err(("tail", tail));
    }
    // (A journal that was opened with a bound begins with more than that, maybe.)
    if !core.is_kept() && limit > floor + core.capacity() {
        return Err(("limit", limit));
    }
    if control.slots_used.load(Relaxed) as usize > core.memory.slots().len() {
        return Err(("number of slots", control.slots_used.load(Relaxed).into()));
    }
    for slot in core.memory.slots() {
        let word = read(&slot.gate);
        let is_sound = match Gate::of(word) {
            Gate::Subscriber(at) | Gate::Pinned(at) | Gate::Resting(at) | Gate::Evicted(at) => {
                at <= read(&control.tail)
            }
            gate => gate.word() == word,
        };
        if !is_sound {
            return Err(("slot", word));
        }
    }
    Ok(())
}

/// What each slot that is taken says, and the process whose member has it.
pub(crate) fn holders(core: &Core) -> Vec<(usize, Gate, Owner)> {
    let slots = core.memory.slots().iter().enumerate();
    let taken = slots.filter_map(|(slot, word)| {
        let gate = Gate::of(load_acquire(&word.gate));
        match gate {
            Gate::Free => None,
            Gate::Joining(owner) | Gate::Idle(owner) => Some((slot, gate, owner)),
            // Written before the gate said a position.
            Gate::Subscriber(_) | Gate::Pinned(_) | Gate::Resting(_) | Gate::Evicted(_) => {
                Some((slot, gate, word.owner.load(Relaxed)))
            }
        }
    });
    taken.collect()
}

/// Counts some of the newest records, `most` at the most: how many, and the bytes that they take in the ring. Only words of
/// headers are read, and no pin is taken: who publishes is not held up.
pub(crate) fn sample(core: &Core, most: u64) -> (u64, u64) {
    let control = core.memory.control();
    let tail = load_acquire(&control.tail);
    let floor = load_acquire(&control.floor);
    // A mark is a record boundary, as the floor is; whatever else stands there was not written by a member.
    let can_be = |position: u64| position <= LAST && position % RECORD_ALIGN == 0;
    let marks = control.marks.iter().map(load_acquire);
    let mut begins: Vec<_> = marks.filter(|&m| m > floor && m < tail).collect();
    begins.push(floor);
    begins.retain(|&position| can_be(position));
    begins.sort_unstable();
    // The newest but one, so that there is something behind it.
    let Some(&begin) = begins.get(begins.len().saturating_sub(2)) else {
        return (0, 0);
    };
    let mut window = core.memory.window();
    let (mut position, mut records) = (begin, 0);
    while records < most && position < tail {
        match core.glance(&mut window, position, |_, _, _| None) {
            Ok(Found::Record { next, .. }) => {
                records += 1;
                position = next;
            }
            Ok(Found::Skip { next }) => position = next,
            _ => break,
        }
    }
    (records, position - begin)
}

impl Window {
    /// Puts a copy of the `len` bytes of payload of the record at `position`, which the window covers, in the place of what is in
    /// `into`. They are read word by word, and others may write there meanwhile: then they are any bytes.
    pub(crate) fn copy(&self, position: u64, len: usize, into: &mut Vec<u8>) {
        const WORD: usize = size_of::<u64>();
        // A record ends at a word's end.
        into.resize(len.next_multiple_of(WORD), 0);
        let from = (position + HEADER..).step_by(WORD);
        for (at, bytes) in from.zip(into.chunks_exact_mut(WORD)) {
            bytes.copy_from_slice(&self.word(at).load(Relaxed).to_ne_bytes());
        }
        into.truncate(len);
    }
}
