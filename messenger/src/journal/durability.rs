//! Visible and synced: how far a journal is finished, how far it is flushed, and waiting for that.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::store::Store;
use super::walker::Walker;
use crate::bus::Lost;

/// How long one who waits for others' claims to be finished sleeps between two looks, after some looks without sleep.
const NAP: Duration = Duration::from_micros(50);
const LOOKS: u32 = 100;
/// How long a commit that is to be synced waits while another's claim before it stays open: the same thread may hold that one.
const PATIENCE: Duration = Duration::from_secs(2);

/// How far a journal has got.
pub(super) struct Durability {
    /// Everything before this is flushed.
    synced: AtomicU64,
    /// Whether a commit waits for its record to be synced.
    each: bool,
    /// Walks over what is finished.
    walker: Mutex<Option<Walker>>,
    flushing: Mutex<Flushing>,
    /// A flush has ended.
    ended: Condvar,
    /// Held while the journal itself has a claim.
    noting: Mutex<()>,
}

#[derive(Default)]
struct Flushing {
    /// Somebody flushes, for all who wait.
    running: bool,
    /// A flush has failed. What it was to take may be lost though a later one succeeds, so there is none.
    failed: Option<Lost>,
}

impl Durability {
    pub(super) fn new(each: bool) -> Self {
        Self {
            synced: AtomicU64::new(0),
            each,
            walker: Mutex::new(None),
            flushing: Mutex::default(),
            ended: Condvar::new(),
            noting: Mutex::new(()),
        }
    }

    fn flushing(&self) -> MutexGuard<'_, Flushing> {
        self.flushing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// Settles where everything begins: all before `tail` is finished, all before `synced` is synced.
    pub(super) fn begin(&self, tail: u64, synced: u64) {
        let mut walker = self.walker();
        *walker = Some(Walker::new(self, tail));
        self.set_finished(tail);
        self.durability.synced.store(synced, Ordering::Release);
    }

    fn walker(&self) -> MutexGuard<'_, Option<Walker>> {
        let walker = &self.durability.walker;
        walker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watermark: everything before it survives a loss of power.
    pub(super) fn synced(&self) -> u64 {
        self.durability.synced.load(Ordering::Acquire)
    }

    /// Walks on over what has been finished, for about `most` bytes at the most. Gives how far it came.
    pub(super) fn walk(&self, most: u64) -> Result<u64, Lost> {
        let mut walker = self.walker();
        let Some(walker) = &mut *walker else {
            return Ok(self.finished());
        };
        let goal = walker.position.saturating_add(most);
        // Beyond what is prepared nothing has been claimed. Asked first: the next segment may come meanwhile.
        while walker.position < goal && walker.position < self.prepared() {
            match walker.look(self) {
                Ok(Some(step)) => walker.position = step.next,
                Ok(None) => break,
                Err(error) => return Err(error.as_lost(walker.position)),
            }
        }
        self.set_finished(walker.position);
        Ok(walker.position)
    }

    /// Held by who makes a claim for the journal itself, until that is finished.
    pub(super) fn noting(&self) -> MutexGuard<'_, ()> {
        let noting = &self.durability.noting;
        noting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Flushes all that is finished now. Gives the watermark.
    pub(super) fn sync(&self) -> Result<u64, Lost> {
        // The journal's own claim is not to keep what stands after it from being synced: it is finished soon.
        drop(self.noting());
        let finished = self.walk(u64::MAX)?;
        self.sync_to(finished, None)
    }

    /// Waits until all before `target` is synced, and flushes it, unless another does. Gives the watermark, which is less
    /// only if the deadline has passed.
    pub(super) fn sync_to(&self, target: u64, deadline: Option<Instant>) -> Result<u64, Lost> {
        self.sync_with(target, deadline, None)
    }

    /// As [`sync_to`](Self::sync_to); an error that says timed out, if a claim before `target` stays open for as long as
    /// `patience`.
    fn sync_with(
        &self,
        target: u64,
        deadline: Option<Instant>,
        patience: Option<Duration>,
    ) -> Result<u64, Lost> {
        let durability = &self.durability;
        let mut looks = 0;
        let mut stuck: Option<(u64, Instant)> = None;
        let mut flushing = durability.flushing();
        loop {
            let synced = self.synced();
            if synced >= target {
                return Ok(synced);
            }
            if let Some(lost) = flushing.failed {
                return Err(lost);
            }
            let now = deadline.map(|_| Instant::now());
            if deadline <= now && deadline.is_some() {
                return Ok(synced);
            }
            if flushing.running {
                // Who flushes and is killed by a panic tells nobody.
                let long = Duration::from_millis(100);
                let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
                let time = left.map_or(long, |left| left.min(long));
                let waited = durability.ended.wait_timeout(flushing, time);
                flushing = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            flushing.running = true;
            drop(flushing);
            let flushed = self.flush_finished(synced);
            flushing = durability.flushing();
            flushing.running = false;
            match flushed {
                Ok(reached) => durability.synced.store(reached, Ordering::Release),
                Err(lost) => flushing.failed = Some(lost),
            }
            durability.ended.notify_all();
            if self.synced() == synced && flushing.failed.is_none() {
                // Another's claim stands before the target, and is being filled.
                drop(flushing);
                let now = Instant::now();
                match stuck {
                    Some((at, since)) if at == synced => {
                        if patience.is_some_and(|patience| now - since > patience) {
                            return Err(Lost::new(synced, &io::ErrorKind::TimedOut.into()));
                        }
                    }
                    _ => stuck = Some((synced, now)),
                }
                looks += 1;
                if looks > LOOKS {
                    std::thread::sleep(NAP);
                } else {
                    std::thread::yield_now();
                }
                flushing = durability.flushing();
            }
        }
    }

    fn flush_finished(&self, synced: u64) -> Result<u64, Lost> {
        let finished = self.walk(u64::MAX)?;
        if finished > synced {
            self.flush(synced, finished)?;
            fault!("flushed");
        }
        Ok(finished.max(synced))
    }

    /// After a commit of a record that ends at `next`.
    #[inline]
    pub(super) fn after_commit(&self, next: u64) -> Result<(), Lost> {
        if self.durability.each {
            self.sync_with(next, None, Some(PATIENCE))?;
        }
        Ok(())
    }
}
