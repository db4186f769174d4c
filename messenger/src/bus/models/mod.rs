//! Models of the protocol, checked by loom: `ci/loom.sh`. Each says which edges of
//! `docs/bus.md` it shows; `ci/loom.sh --mutants` weakens each and expects a model to fail.
//!
//! The ring has four records of a header each. What stands for a record's payload is one of
//! loom's cells, so that a read and a write that are not ordered fail the model, and its value
//! is the record's position, so that a wrong read fails an assertion.

mod commit;
mod enrol;
mod evict;
mod glance;
mod held;
mod join;
mod observe;
mod progress;
mod recover;
mod room;
mod seats;
mod segments;
mod sleep;
mod turns;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;

use super::layout::{Control, Gate, Slot, SlotWords, State};
use super::park::{Barrier, Bed, Reach};
use super::ring::{Found, Memory, MoveTail, NoRoom, Ring, Room, Uncovered};
use super::wait::Event;
use super::{Lost, MessageId, SourceId, Tag};
use crate::sync::{AtomicU32, AtomicU64, Ordering, Ordering::Relaxed};

const CAPACITY: u64 = 64;
const RECORD: u64 = 16;
const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(2));

struct Words {
    control: Control,
    slots: Vec<Slot>,
    stamps: Vec<AtomicU64>,
    metas: Vec<AtomicU64>,
    payloads: Vec<UnsafeCell<u64>>,
    /// What stands for a payload that may be read while it is overwritten.
    words: Vec<AtomicU64>,
    data: Bed,
    room: Bed,
    /// See [`Words::turn`].
    turns: Option<AtomicU32>,
}

impl Words {
    /// Where a member turns to slots or headers, another thread may go on. Loom finds by itself where threads get into each other's
    /// way, but not where one has loaded a word that another one loads, too, before it stores there.
    fn turn(&self) {
        if let Some(turns) = &self.turns {
            turns.fetch_add(1, Relaxed);
        }
    }
}

#[derive(Clone)]
struct Model(Arc<Words>);

impl Memory for Model {
    type Window = ();

    fn control(&self) -> &Control {
        &self.0.control
    }

    fn slots(&self) -> &[Slot] {
        self.0.turn();
        &self.0.slots
    }

    fn window(&self) {}

    fn cover(&self, (): &mut (), _: u64) -> Result<(), Uncovered> {
        self.0.turn();
        Ok(())
    }

    fn stamp<'a>(&'a self, (): &'a (), position: u64) -> &'a AtomicU64 {
        &self.0.stamps[index(position)]
    }

    fn meta<'a>(&'a self, (): &'a (), position: u64) -> &'a AtomicU64 {
        &self.0.metas[index(position)]
    }

    fn checksum(&self, (): &(), _: u64, _: u64) -> u32 {
        0
    }

    fn grown(&self, _: u64) -> u64 {
        u64::MAX
    }

    fn trouble(&self) -> Option<Lost> {
        None
    }

    fn shortcut(&self, floor: u64, _: u64) -> u64 {
        floor
    }

    fn bed(&self, event: Event) -> &Bed {
        if KILLED.with(Cell::get) {
            // No panic, which would be printed for each schedule.
            resume_unwind(Box::new(()));
        }
        match event {
            Event::Data => &self.0.data,
            Event::Room => &self.0.room,
        }
    }
}

loom::thread_local! {
    /// Whether the thread is killed where it turns to a bed.
    static KILLED: Cell<bool> = Cell::new(false);
}

/// Runs `step` up to where a bed is needed: after an epoch is bumped, and before anybody is woken.
fn killed_at_the_bed(step: impl FnOnce()) {
    KILLED.with(|killed| killed.set(true));
    // Nothing on the way does anything as it unwinds, so this is as good as a kill.
    let _ = catch_unwind(AssertUnwindSafe(step));
    KILLED.with(|killed| killed.set(false));
}

fn index(position: u64) -> usize {
    ((position & (CAPACITY - 1)) / RECORD) as usize
}

type Bus = Ring<Model>;

/// A fresh bus. With `fences`, publishers fence and look for sleepers at each step, as they must
/// where the kernel cannot fence for them; without, those fences do not hide a missing one.
fn bus(slots: usize, fences: bool) -> Bus {
    let barrier = if fences {
        Barrier::None
    } else {
        Barrier::Process
    };
    bus_with(slots, barrier)
}

fn bus_with(slots: usize, barrier: Barrier) -> Bus {
    Ring::init(memory(slots, false), CAPACITY, 0x5EED, barrier)
}

fn memory(slots: usize, turns: bool) -> Model {
    let words = Words {
        control: control(),
        slots: free_slots(slots),
        stamps: (0..4).map(|_| word()).collect(),
        // A stale one says a length that would lead past the next record.
        metas: (0..4).map(|_| AtomicU64::new(RECORD)).collect(),
        payloads: (0..4).map(|_| UnsafeCell::new(u64::MAX)).collect(),
        words: (0..4).map(|_| AtomicU64::new(u64::MAX)).collect(),
        data: Bed::new(Reach::Process),
        room: Bed::new(Reach::Process),
        turns: turns.then(|| AtomicU32::new(0)),
    };
    Model(Arc::new(words))
}

fn word() -> AtomicU64 {
    AtomicU64::new(0)
}

/// The shared words of a fresh bus.
fn control() -> Control {
    Control {
        tail: word().into(),
        floor: word().into(),
        limit: word(),
        slots_used: AtomicU32::new(0),
        marks: core::array::from_fn(|_| word()).into(),
        sleepers: word().into(),
        data_epoch: AtomicU32::new(0),
        room_epoch: AtomicU32::new(0),
        aborted: word().into(),
        lagged: word(),
        evicted: word(),
    }
}

fn free_slots(slots: usize) -> Vec<Slot> {
    let free = || SlotWords {
        gate: AtomicU64::new(Gate::FREE),
        owner: AtomicU32::new(0),
        intent_len: word(),
        intent: word(),
        enrolled: AtomicU32::new(0),
        taken: AtomicU32::new(0),
        evict_after: word(),
    };
    (0..slots).map(|_| free().into()).collect()
}

/// How a bus with many publishers moves its tail.
struct ByCas;

impl MoveTail for ByCas {
    fn move_tail(tail: &AtomicU64, from: u64, to: u64, ordering: Ordering) -> Result<(), u64> {
        tail.compare_exchange(from, to, ordering, Relaxed)
            .map(|_| ())
    }
}

/// A publisher as the crate's own is, without its bookkeeping.
struct Publisher {
    bus: Bus,
    room: Room<Model>,
}

impl Publisher {
    fn new(bus: &Bus) -> Self {
        Self {
            bus: bus.clone(),
            room: Room::new(bus.attach().expect("a free slot"), ()),
        }
    }

    fn try_claim(&mut self) -> Result<u64, NoRoom> {
        let position = self.bus.try_claim::<ByCas>(&mut self.room, RECORD)?;
        self.bus.write_meta(&(), position, TAG, 0);
        Ok(position)
    }

    /// Writes the payload of a claim and commits it.
    fn commit(&self, position: u64) {
        self.bus.memory.0.payloads[index(position)].with_mut(|p| {
            // SAFETY: loom checks that no other access races with this one.
            unsafe { *p = position }
        });
        self.bus.finish(&(), position, State::Committed, 0);
    }

    fn try_publish(&mut self) -> Result<u64, NoRoom> {
        let position = self.try_claim()?;
        self.commit(position);
        Ok(position)
    }
}

/// Reads the payload of a record that was found committed, and checks it.
fn read(bus: &Bus, position: u64) {
    let value = bus.memory.0.payloads[index(position)].with(|p| {
        // SAFETY: loom checks that no write races with this read.
        unsafe { *p }
    });
    assert_eq!(value, position, "a record of another lap, or a torn one");
}

/// Looks at `position`; reads what is there; gives the next position if something was.
fn step(bus: &Bus, position: u64) -> Option<u64> {
    match bus.look(&mut (), position).expect("a sound header") {
        Found::Nothing => None,
        Found::Skip { next } => Some(next),
        Found::Record { tag, len, next } => {
            assert_eq!((tag, len), (TAG, 0));
            read(bus, position);
            Some(next)
        }
    }
}

/// Runs a model over all schedules with up to `preemptions` forced switches.
fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}
