//! The keeper: a thread that makes segments ready before they are needed, and sees to all that publishers and readers shall
//! not wait for: how far everything is finished, flushing by policy, the time, and giving up old segments. Each process that writes
//! the journal has one; who does what, they settle by turns (`state.rs`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::config::{JournalConfig, Retention, SyncPolicy};
use super::cursor;
use super::note::{self, NoteKind};
use super::state::Turn;
use super::store::{Store, now_nanos};
use super::walker::{StepKind, Walker};
use crate::bus::kept::{Core, Memory};
use crate::bus::{Lost, Publisher};

/// How long it sleeps, unless it is rung for or has something of its own to do sooner.
const TICK: Duration = Duration::from_millis(10);
/// How often it looks for old segments.
const TRIM_EVERY: Duration = Duration::from_millis(100);
/// About how many bytes of records it walks over before it looks whether a segment is wanted, for which somebody may wait soon.
const STRETCH: u64 = 1 << 20;
/// How many bytes may be left to be walked over while segments are wanted: who opens the journal after a crash walks over them.
const PUT_OFF: u64 = 64 << 20;

/// What the thread has.
pub(super) struct Keeper {
    pub(super) store: Arc<Store>,
    pub(super) core: Core,
    pub(super) config: JournalConfig,
    pub(super) publisher: Publisher,
    pub(super) stop: Arc<AtomicBool>,
    /// By age: where the note of the time stands that was asked for last, or the look for it goes on.
    pub(super) noted: u64,
}

impl Keeper {
    /// Keeps the journal until it is told to stop.
    pub(super) fn run(mut self) {
        let tick = self.tick();
        let resolution = self.config.time_resolution;
        let tick = if resolution.is_zero() {
            tick
        } else {
            tick.min(resolution)
        };
        while !self.stop.load(Ordering::Relaxed) {
            self.turn();
            self.store.bell.wait(tick.max(Duration::from_micros(100)));
        }
        // Whose turn it is does not matter: of what was published last nobody may come to say it later.
        if self.is_time_due() {
            self.note_time();
        }
    }

    /// How long it sleeps where it only flushes.
    fn tick(&self) -> Duration {
        match self.config.sync {
            SyncPolicy::Every { interval, .. } => interval.min(TICK),
            _ => TICK,
        }
    }

    fn turn(&mut self) {
        self.prepare();
        let resolution = self.config.time_resolution;
        if self.is_time_due() && self.store.control.take_turn(Turn::Timing, resolution) {
            self.note_time();
        }
        // One process is enough for it; what is bounded waits for it, and so does what is to be flushed.
        let control = &self.store.control;
        let every = self.tick().min(TICK / 2);
        if self.store.owner == 0 || self.is_bounded() || control.take_turn(Turn::Walking, every) {
            self.walk();
        }
        self.flush();
        // What is bounded shall not take much more of the disk than that, however fast it turns.
        let behind = self.store.behind.swap(false, Ordering::Relaxed);
        let control = &self.store.control;
        if behind || self.is_bounded() || control.take_turn(Turn::Trimming, TRIM_EVERY) {
            // What can't be removed now is tried again.
            let _ = self.trim();
        }
        if self.store.behind.load(Ordering::Relaxed) {
            self.store.bell.ring();
        }
    }

    fn tail(&self) -> u64 {
        let control = self.core.memory.control();
        control.tail.load(Ordering::Relaxed)
    }

    fn prepare(&mut self) {
        // What another process is making is mapped at the next turn.
        while self.store.wants_more(self.tail()) && !self.store.is_growing() {
            let before = self.store.prepared();
            self.store.grow_to(before + self.store.segment_bytes());
            // There is room, or a reason why there is none.
            self.core.after_room();
            if self.store.prepared() == before {
                break;
            }
        }
        self.store.hold_from(self.tail());
    }

    /// Walks on over what is finished. What is left when a segment is wanted is walked over in the next turn.
    fn walk(&self) {
        let mut before = self.store.finished();
        // A damaged header stops the walk; whoever reads there is told.
        while let Ok(finished) = self.store.walk(STRETCH) {
            if finished == before {
                return;
            }
            let tail = self.tail();
            if self.store.wants_more(tail) && tail.saturating_sub(finished) < PUT_OFF {
                self.store.bell.ring();
                return;
            }
            before = finished;
        }
    }

    fn is_bounded(&self) -> bool {
        self.config.bound != u64::MAX
    }

    /// Whether something has been published since the time was noted last.
    fn is_time_due(&self) -> bool {
        !self.config.time_resolution.is_zero() && self.tail() != self.store.control.timed_tail()
    }

    fn note_time(&mut self) {
        // Once the note has its place: nothing that stands before it was published later, however long this thread is kept from running.
        let mut nanos = 0;
        let time = || {
            nanos = now_nanos();
            note::number(nanos)
        };
        let _noting = self.store.note_begun();
        // If there is no room now, there will be.
        if let Ok(position) = self.publisher.try_note_of(NoteKind::Time.of_nobody(), time) {
            self.store.control.set_timed(position, nanos);
        }
    }

    fn flush(&mut self) {
        let (bytes, interval) = match self.config.sync {
            SyncPolicy::Every { bytes, interval } => (bytes, interval),
            // On a shared bus the cursors of workers follow what is synced, and old segments wait for them.
            _ if self.config.retain.passed && self.store.owner != 0 => {
                (self.store.segment_bytes(), Duration::MAX)
            }
            _ => return,
        };
        let control = &self.store.control;
        let waiting = self.store.finished().saturating_sub(self.store.synced());
        if waiting == 0 {
            control.put_off(Turn::Flushing);
            return;
        }
        let every = if waiting >= bytes {
            Duration::ZERO
        } else {
            interval
        };
        if control.take_turn(Turn::Flushing, every) {
            // A failure is kept, and told to whoever asks for a sync.
            let _ = self.store.sync();
            control.put_off(Turn::Flushing);
        }
    }

    fn trim(&mut self) -> io::Result<()> {
        let Retention { passed, most, .. } = self.config.retain;
        let (beyond, wanted) = if self.is_bounded() {
            // The room for what comes is made of what all have read.
            let floor = self.core.floor();
            (floor, floor)
        } else if self.config.retain == Retention::all() {
            return Ok(());
        } else {
            let beyond = self.tail().saturating_sub(most.unwrap_or(u64::MAX));
            // What can't be told now is waited for.
            let wanted = self.waits_for_nothing();
            (beyond, wanted.map_or(beyond, |end| end.max(beyond)))
        };
        // Segments that wait for what cursors say wait until that is flushed.
        let anyway = if passed { beyond } else { wanted };
        let given_up = give_up(&self.store, &self.core, (wanted, Some(anyway)), false);
        given_up.map(drop).map_err(|(_, error)| error)
    }

    /// Up to where all has come that segments wait for; 0 if they are kept without that.
    fn waits_for_nothing(&mut self) -> io::Result<u64> {
        let Retention { passed, age, .. } = self.config.retain;
        let end = match (passed, age) {
            (false, None) => return Ok(0),
            // What a subscriber has yet to read stays, however old.
            (false, _) => self.core.least_subscriber().unwrap_or(self.tail()),
            (true, _) => self.passed()?,
        };
        Ok(age.map_or(end, |age| self.older_than(age, end)))
    }

    /// The end of the last segment before `end` whose records are all older than `age`. Further on it is not looked: what could not go yet would
    /// be asked for again, by a note that is younger. When a segment was made does not tell: it may have been long before it was written to.
    fn older_than(&mut self, age: Duration, end: u64) -> u64 {
        let limit = now_nanos().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        let mut base = self.store.base(self.core.floor());
        let last = self.store.base(end);
        while base < last {
            let end = base + self.store.segment_bytes();
            if self.published_by(end).is_none_or(|time| time > limit) {
                break;
            }
            base = end;
        }
        base
    }

    /// A time by which all before `end`, where a segment does, had been published: what the next note of the time says, if it is found in a
    /// segment's length. If not, the next call looks on.
    fn published_by(&mut self, end: u64) -> Option<u64> {
        let store = &self.store;
        let mut walker = Walker::new(store, self.noted.max(end));
        let goal = (walker.position + store.segment_bytes()).min(store.finished());
        let mut found = None;
        while walker.position < goal {
            walker.position = match walker.look(store) {
                Ok(Some(step)) if step.kind == StepKind::Note && walker.is_sound(&step) => {
                    found = note::time_of(step.tag, walker.payload(&step));
                    if found.is_some() {
                        break;
                    }
                    step.next
                }
                Ok(Some(step)) => step.next,
                // Damaged, or given up by another process. There are notes in later segments, too.
                _ => store.base(walker.position) + store.segment_bytes(),
            };
        }
        self.noted = walker.position;
        found
    }

    /// Up to where all subscribers and all named cursors have read.
    fn passed(&self) -> io::Result<u64> {
        let mut least = self.core.least_subscriber();
        if let Some(dir) = self.store.dir() {
            for info in cursor::list(dir, self.store.identity.id).map_err(io::Error::other)? {
                let position = info.position;
                least = Some(least.map_or(position, |least| least.min(position)));
            }
        }
        Ok(least.unwrap_or(0))
    }
}

/// Gives up all segments before the one with `wanted`, as far as nobody needs them, and if the cursors can't be flushed, those before the one with
/// `anyway`, or none; those of one who walks over them are waited for, or left. Gives the oldest position there is then, or what could not be done, and why.
pub(super) fn give_up(
    store: &Store,
    core: &Core,
    (wanted, anyway): (u64, Option<u64>),
    waited: bool,
) -> Result<u64, (&'static str, io::Error)> {
    // Looked at once: of what is read, or finished, after the cursors were flushed, one may have passed some after that, too.
    let read = core.least_subscriber().unwrap_or(u64::MAX);
    // One segment stays, so that it is known where the journal goes on, also if the disk is too full for the next one.
    let last = store.prepared().saturating_sub(store.segment_bytes());
    let most = read.min(store.finished()).min(last);
    let mut wanted = wanted.min(most);
    if let Err(error) = flush_cursors_for(store, wanted) {
        let anyway = anyway.ok_or(("flush the cursors", error))?;
        wanted = anyway.min(most);
    }
    // On a bounded one more may be unused by now.
    let unused = core.retire(wanted).min(wanted);
    let removed = store.remove_before(unused, waited);
    removed.map_err(|error| ("remove a segment", error))?;
    Ok(store.oldest())
}

/// Flushes the cursors, if a segment before `end` goes: or a loss of power could set a cursor that has passed it back to what is gone.
fn flush_cursors_for(store: &Store, end: u64) -> io::Result<()> {
    match store.dir() {
        Some(dir) if store.base(end) > store.oldest() => cursor::flush(dir),
        _ => Ok(()),
    }
}

/// Flushes everything, and says that all is well: nobody uses the bus any more.
pub(super) fn close(store: &Store) -> Result<(), Lost> {
    let finished = store.walk(u64::MAX)?;
    store.sync_to(finished, None)?;
    store.seal(finished)?;
    if finished == store.control.tail() {
        store.control.clean(finished);
    }
    Ok(())
}
