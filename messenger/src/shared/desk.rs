//! What a process does for all on a bus that it shares: it says that it is there, and finishes what the dead have left.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::ear::{Ear, Heard};
use super::error::SharedError;
use super::layout::{Entry, Header, Parts, Place, Words};
use super::lock::{self, Holder};
use super::process::{Change, MembershipEvent, Process};
use crate::bus::kept::{Memory, Window};
use crate::bus::processes::{Core, arrival_fence, new_entry_fence};
use crate::journal::Share;
use crate::sync::Ordering::Relaxed;

/// What the state of an entry says, in its three low bits. The next one says whether who had it before died; above them stands a number
/// that grows with each process that has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stand {
    /// Nobody's: never used, or left in good order.
    Empty,
    /// A process's that has come. Whether it lives is asked of the kernel.
    Here,
    /// A dead process's, whose affairs are being settled.
    Dead,
    /// A dead process's, and settled: nobody's.
    Settled,
}

const STAND: u64 = 7;
const DIED_BEFORE: u64 = 8;
const NEXT: u64 = 16;

/// How many processes have had the place before the one whose state this is, about.
pub(super) fn turn_of(state: u64) -> u64 {
    state / NEXT
}

/// The state of the process that takes a place after another, which left it in the state `before`.
pub(super) fn taken_after(before: u64) -> u64 {
    let died = match Stand::of(before) {
        Stand::Settled => DIED_BEFORE,
        _ => 0,
    };
    Stand::Here.in_place_of((before & !(NEXT - 1)).wrapping_add(NEXT) | died)
}

/// Whether the process whose state was `known` has died, by what its place says now.
pub(super) fn has_died(known: u64, now: u64) -> bool {
    if known ^ now < NEXT {
        return Stand::of(now) == Stand::Settled;
    }
    // The next one may have come and gone. What became of one before that is not known.
    let next = (known & !(NEXT - 1)).wrapping_add(NEXT);
    now & !(NEXT - 1) == next && now & DIED_BEFORE != 0
}

impl Stand {
    pub(super) fn of(state: u64) -> Self {
        match state & STAND {
            1 => Self::Here,
            2 => Self::Dead,
            3 => Self::Settled,
            // Also a word that nobody writes: who takes it asks the kernel first.
            _ => Self::Empty,
        }
    }

    /// The same process's state, standing so.
    pub(super) fn in_place_of(self, state: u64) -> u64 {
        let word = match self {
            Self::Empty => 0,
            Self::Here => 1,
            Self::Dead => 2,
            Self::Settled => 3,
        };
        state & !STAND | word
    }
}

/// A process's own view of a bus, beside those that its members have.
pub(super) struct Desk {
    pub(super) path: PathBuf,
    pub(super) file: File,
    pub(super) words: Words,
    pub(super) parts: Parts,
    pub(super) removes: bool,
    pub(super) hold: u64,
    /// What has the records, if it is no ring.
    pub(super) journal: Option<Share>,
    pub(super) core: Core,
    pub(super) ear: Ear,
    pub(super) place: Place,
    /// The member slot by which it pins what it looks at.
    own: usize,
    /// Held by the one thread that settles: locks of the kernel don't keep threads apart.
    settling: Mutex<Window>,
    pub(super) listeners: Mutex<Vec<Sender<MembershipEvent>>>,
}

/// What is left to do after a look at all processes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rest {
    Nothing,
    /// Something is held for so long.
    Within(Duration),
    /// Somebody is dead, and has something that can't be settled yet.
    Soon,
}

impl Desk {
    pub(super) fn new(
        (path, file): (PathBuf, File),
        (words, parts, header): (Words, Parts, Header),
        journal: Option<Share>,
        (core, ear, place, own): (Core, Ear, Place, usize),
    ) -> Self {
        let settling = Mutex::new(core.memory.window());
        Self {
            path,
            file,
            words,
            parts,
            removes: header.removes,
            hold: header.hold,
            journal,
            core,
            ear,
            place,
            own,
            settling,
            listeners: Mutex::default(),
        }
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place> + use<> {
        (0..self.parts.sizes.processes).map(Place::new)
    }

    pub(super) fn entry(&self, place: Place) -> Entry<'_> {
        self.words.process(&self.parts, place)
    }

    /// Says that this process is not here any more. Its members have left.
    pub(super) fn leave(&self) {
        self.core.leave(self.own);
        go(&self.entry(self.place));
    }

    /// Has all other processes look who is there.
    pub(super) fn poke(&self) {
        // Edge 36, arrivals: of two that come at once, each has said that it is here before it looks for the other, so one of them sees it.
        arrival_fence();
        for place in self.places().filter(|&place| place != self.place) {
            let state = self.entry(place).state();
            if Stand::of(state) != Stand::Here || self.ear.tell(place, turn_of(state)) == Heard::Yes
            {
                continue;
            }
            // One that is dying is settled; one that lives, and can't hear, has to look by itself, and so have we for him.
            if self.lives(place) && self.entry(place).is_still(state) {
                self.words.deaf().store(1, Relaxed);
                fault!("deafness_said");
            }
        }
    }

    /// Whether the process in `place` lives, as far as can be told: of one that can't be asked about it is taken to.
    pub(super) fn lives(&self, place: Place) -> bool {
        place == self.place
            || (usize::from(place.index()) < self.parts.sizes.processes
                && !matches!(lock::holder(&self.file, place), Ok(Holder::Nobody)))
    }

    /// The process in a place, if one has come there, and its state.
    pub(super) fn process_in(&self, place: Place) -> Option<(u64, Process)> {
        let entry = self.entry(place);
        let state = entry.state();
        if Stand::of(state) != Stand::Here {
            return None;
        }
        let pid = if place == self.place {
            std::process::id()
        } else {
            match lock::holder(&self.file, place) {
                Ok(Holder::Process(pid)) => pid.unsigned_abs(),
                _ => 0,
            }
        };
        let process = read_process(&entry, place, pid);
        entry.is_still(state).then_some((state, process))
    }

    /// All that are here and live.
    pub(super) fn processes(&self) -> Vec<Process> {
        let here = self.places().filter(|&place| self.lives(place));
        here.filter_map(|place| Some(self.process_in(place)?.1))
            .collect()
    }

    /// Looks for dead processes, and settles what they have left.
    pub(super) fn settle_all(&self) -> Rest {
        let mut rest = Rest::Nothing;
        let mut settled = false;
        let mut window = lock_of(&self.settling);
        for place in self.places() {
            let entry = self.entry(place);
            let is_there = |state: u64| matches!(Stand::of(state), Stand::Here | Stand::Dead);
            if place == self.place || !is_there(entry.state()) || self.lives(place) {
                continue;
            }
            // Who settles holds the place, so one does at a time; if it dies, the kernel gives the place back.
            if !matches!(lock::try_place(&self.file, place), Ok(true)) {
                continue;
            }
            let before = entry.state();
            if is_there(before) {
                // Edge 34, deaths: before it is asked who else lives.
                entry.set_state(Stand::Dead.in_place_of(before));
                fault!("settling");
                if self.settle(place, &mut window) {
                    fault!("settled_all");
                    entry.set_state(Stand::Settled.in_place_of(before));
                    fault!("place_settled");
                    settled = true;
                } else {
                    rest = Rest::Soon;
                }
            }
            // It can only fail for want of memory for a split range, and this range is whole.
            let _ = lock::leave_place(&self.file, place);
        }
        drop(window);
        let left = self.free_held();
        if let (Rest::Nothing, Some(left)) = (rest, left) {
            rest = Rest::Within(left);
        }
        if settled {
            fault!("before_rouse");
            // One who died between a commit and the wake leaves sleepers, and so does room that is free now.
            self.core.mend_sleepers();
            self.poke();
        }
        rest
    }

    /// Finishes what the dead process in `place`, which this one holds, has begun, and gives back what it had. `false`: not all
    /// can be done yet.
    fn settle(&self, place: Place, window: &mut Window) -> bool {
        // First. A process that comes after it was asked who is dead may count as dead, which does no harm: it claims from
        // there on.
        let claimed = self.core.claimed();
        // Known before anything else is looked at.
        let dead: Vec<bool> = (self.places())
            .map(|other| other == place || !self.may_claim(other))
            .collect();
        let dead = |owner| match Place::of(owner) {
            Some(place) => dead
                .get(usize::from(place.index()))
                .copied()
                .unwrap_or(true),
            None => true,
        };
        let core = &self.core;
        if !core.finish_claims_of(place.owner(), (window, self.own), claimed, &dead) {
            return false;
        }
        self.free_seats(place, self.hold);
        core.free_slots_of(place.owner(), self);
        if let Some(journal) = &self.journal {
            journal.settle_for(place.owner());
        }
        true
    }

    /// Whether a process in `place` may be claiming.
    fn may_claim(&self, place: Place) -> bool {
        match Stand::of(self.entry(place).state()) {
            Stand::Here => self.lives(place),
            Stand::Dead => false,
            // One that is coming, and not said to be here.
            Stand::Empty | Stand::Settled => self.lives(place),
        }
    }

    /// Tells all listeners.
    pub(super) fn tell(&self, process: Process, change: Change) {
        let at = SystemTime::now();
        let told = MembershipEvent {
            process,
            change,
            at,
        };
        lock_of(&self.listeners).retain(|listener| listener.send(told.clone()).is_ok());
    }

    pub(super) fn system(
        &self,
        tried: &'static str,
        source: impl Into<std::io::Error>,
    ) -> SharedError {
        SharedError::system(&self.path, tried, source)
    }
}

/// Says that this process is in the place of `entry`, which it has locked, and has `state` there.
pub(super) fn enter(entry: &Entry<'_>, state: u64, name: &str) {
    // Edge 35, entry: who reads anything of this one finds that the one before has gone.
    new_entry_fence();
    entry.set_name(name);
    entry.whose().store(std::process::id().into(), Relaxed);
    fault!("process_said");
    entry.at().store(now(), Relaxed);
    fault!("entered");
    entry.set_state(state);
    fault!("place_taken");
}

/// Says that it has gone in good order, and has no member.
pub(super) fn go(entry: &Entry<'_>) {
    entry.set_state(Stand::Empty.in_place_of(entry.state()));
    fault!("place_left");
}

pub(super) fn read_process(entry: &Entry<'_>, place: Place, pid: u32) -> Process {
    let own = entry.whose().load(Relaxed) as u32;
    let since = entry.at().load(Relaxed);
    Process::new(place.index().into(), pid, own, entry.name(), since)
}

/// Settles what all have left on a bus that nobody uses, and whose records lie in a ring; the caller holds the door.
pub(super) fn settle_stale(words: &Words, parts: &Parts, core: &Core) {
    let mut window = core.memory.window();
    let claimed = core.claimed();
    for slot in 0..core.memory.slots().len() {
        // Nobody is there who could overwrite what is looked at; so the slot itself may pin it.
        if core.owner_of(slot).is_some() {
            let _ = core.finish_for(&mut window, (slot, slot), claimed, &|_| true);
        }
        core.free_slot(slot);
    }
    settle_stale_places(words, parts);
    core.mend_sleepers();
}

/// Frees the seats and places of all who were on a bus that nobody uses; the caller holds the door.
pub(super) fn settle_stale_places(words: &Words, parts: &Parts) {
    for worker in 0..parts.sizes.workers {
        let entry = words.worker(parts, worker);
        entry.whose().store(0, Relaxed);
        fault!("stale_seat_freed");
        entry.slot().store(0, Relaxed);
        fault!("stale_seat_cleared");
    }
    for place in (0..parts.sizes.processes).map(Place::new) {
        let entry = words.process(parts, place);
        let before = entry.state();
        if matches!(Stand::of(before), Stand::Here | Stand::Dead) {
            entry.set_state(Stand::Settled.in_place_of(before));
            fault!("stale_place_settled");
        }
    }
}

pub(super) fn lock_of<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is kept under these locks is whole after each step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |d| u64::try_from(d.as_nanos()).unwrap_or(u64::MAX))
}
