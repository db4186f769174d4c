//! The keeper: a thread that makes segments ready before they are needed, and sees to all that publishers and readers shall
//! not wait for: how far everything is finished, flushing by policy, the time, and giving up old segments.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::config::{JournalConfig, Retention, SyncPolicy};
use super::control::Control;
use super::cursor;
use super::files::Locked;
use super::note::{self, NoteKind};
use super::store::{Store, now_nanos};
use crate::bus::kept::Core;
use crate::bus::kept::Memory;
use crate::bus::{Lost, Publisher};

/// How long it sleeps, unless it is rung for or has something of its own to do sooner.
const TICK: Duration = Duration::from_millis(10);
/// How often it looks for old segments.
const TRIM_EVERY: Duration = Duration::from_millis(100);
/// About how many bytes of records it walks over at a time.
const STRETCH: u64 = 64 << 20;

/// What the thread has.
pub(super) struct Keeper {
    pub(super) store: Arc<Store>,
    pub(super) control: Arc<Control>,
    pub(super) core: Core,
    pub(super) config: JournalConfig,
    pub(super) publisher: Publisher,
    pub(super) stop: Arc<AtomicBool>,
    pub(super) noted: Noted,
    pub(super) flushed: Instant,
    pub(super) trimmed: Instant,
    /// Held for its lock until all is done.
    pub(super) lock: Option<Locked>,
}

/// The last note of the time.
#[derive(Clone, Copy)]
pub(super) struct Noted {
    pub(super) at: Instant,
    /// Where the tail was after it.
    pub(super) tail: u64,
}

impl Keeper {
    /// Keeps the journal until it is told to stop, and closes it then.
    pub(super) fn run(mut self) -> Result<(), Lost> {
        let tick = match self.config.sync {
            SyncPolicy::Every { interval, .. } => interval.min(TICK),
            _ => TICK,
        };
        let resolution = self.config.time_resolution;
        let tick = if resolution.is_zero() {
            tick
        } else {
            tick.min(resolution)
        };
        while !self.stop.load(Ordering::Acquire) {
            // Who is woken by what the keeper does is foreign code. It may panic, which the panic's hook tells; it may
            // not take the journal with it.
            let _ = catch_unwind(AssertUnwindSafe(|| self.turn()));
            self.store.bell.wait(tick.max(Duration::from_micros(100)));
        }
        self.close()
    }

    /// Flushes everything, and says that all is well. Nobody uses the bus any more.
    fn close(self) -> Result<(), Lost> {
        let Self { store, control, .. } = &self;
        let finished = store.walk(u64::MAX)?;
        store.sync_to(finished, None)?;
        store.seal(finished)?;
        if finished == control.tail() {
            control.clean(finished);
        }
        drop(self.lock);
        Ok(())
    }

    fn turn(&mut self) {
        self.prepare();
        self.note_time();
        // A damaged header stops the walk; whoever reads there is told.
        if let Ok(finished) = self.store.walk(STRETCH) {
            self.control.finished(finished);
        }
        self.flush();
        // What is bounded shall not take much more of the disk than that, however fast it turns.
        let behind = self.store.behind.swap(false, Ordering::Relaxed);
        if behind || self.is_bounded() || self.trimmed.elapsed() >= TRIM_EVERY {
            self.trimmed = Instant::now();
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
        while self.store.wants_more(self.tail()) {
            let before = self.store.prepared();
            self.store.grow_to(before + self.store.segment_bytes());
            // There is room, or a reason why there is none.
            self.core.after_room();
            if self.store.prepared() == before {
                return;
            }
        }
    }

    fn is_bounded(&self) -> bool {
        self.config.bound != u64::MAX
    }

    /// Notes the time, if something has been published since it was noted last.
    fn note_time(&mut self) {
        let resolution = self.config.time_resolution;
        if resolution.is_zero()
            || self.tail() == self.noted.tail
            || self.noted.at.elapsed() < resolution
        {
            return;
        }
        let time = note::number(now_nanos());
        let _noting = self.store.noting();
        // If there is no room now, there will be.
        if let Ok(position) = self.publisher.try_note(NoteKind::Time.of_nobody(), &time) {
            self.noted = Noted {
                at: Instant::now(),
                tail: position + crate::bus::record_len(time.len()) as u64,
            };
        }
    }

    fn flush(&mut self) {
        let SyncPolicy::Every { bytes, interval } = self.config.sync else {
            return;
        };
        let waiting = self.store.finished() - self.store.synced().min(self.store.finished());
        if waiting > 0 && (waiting >= bytes || self.flushed.elapsed() >= interval) {
            // A failure is kept, and told to whoever asks for a sync.
            let _ = self.store.sync();
            self.flushed = Instant::now();
        } else if waiting == 0 {
            self.flushed = Instant::now();
        }
    }

    fn trim(&self) -> io::Result<()> {
        let tail = self.tail();
        let wanted = match self.config.retain {
            _ if self.is_bounded() => 0,
            Retention::All => return Ok(()),
            Retention::Bytes(bytes) => tail.saturating_sub(bytes),
            Retention::Age(age) => self.older_than(age)?,
            Retention::Passed => self.passed()?,
        };
        give_up(&self.store, &self.core, wanted, false).map(drop)
    }

    /// The end of the last segment whose records are all older than `age`.
    fn older_than(&self, age: Duration) -> io::Result<u64> {
        let limit = now_nanos().saturating_sub(u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        let mut base = floor(&self.core);
        let last = self.store.base(self.tail());
        while base < last {
            // Segments are made before they are used, `ahead` of them: one that is followed by so many old ones has been left.
            let next = base + (self.config.ahead + 1) * self.store.segment_bytes();
            if next > last || self.store.created_nanos(next)? > limit {
                break;
            }
            base += self.store.segment_bytes();
        }
        Ok(base)
    }

    /// Up to where all subscribers and all named cursors have read.
    fn passed(&self) -> io::Result<u64> {
        let mut least = None;
        if let Some(dir) = self.store.dir() {
            for info in cursor::list(dir).map_err(io::Error::other)? {
                let position = info.position;
                least = Some(least.map_or(position, |l: u64| l.min(position)));
            }
        }
        let subscriber = self.core.least_subscriber();
        Ok(match (least, subscriber) {
            (Some(a), Some(b)) => a.min(b),
            (a, b) => a.or(b).unwrap_or(0),
        })
    }
}

/// The oldest position that is retained.
pub(super) fn floor(core: &Core) -> u64 {
    core.memory.control().floor.load(Ordering::Acquire)
}

/// Gives up all segments before the one with `wanted`, as far as nobody needs them; those of one who walks over them are
/// waited for, or left. Gives the oldest position there is then.
pub(super) fn give_up(store: &Store, core: &Core, wanted: u64, waited: bool) -> io::Result<u64> {
    // One segment stays, so that it is known where the journal goes on, also if the disk is too full for the next one.
    let last = store.prepared().saturating_sub(store.segment_bytes());
    let unused = core.retire(wanted.min(store.finished()).min(last));
    store.remove_before(unused.min(last), waited)?;
    Ok(store.oldest())
}
