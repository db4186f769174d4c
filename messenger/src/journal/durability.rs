//! Visible and synced: how far a journal is finished, how far it is flushed, and waiting for that.

use std::io;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::store::Store;
use super::walker::Walker;
use crate::bus::Lost;
use crate::bus::kept::Progress;

/// How long one who waits for others' claims to be finished sleeps between two looks, after some looks without sleep.
const NAP: Duration = Duration::from_micros(50);
const LOOKS: u32 = 100;
/// How long a commit that is to be synced waits while another's claim before it stays open: the same thread may hold that one.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long a sync waits for a note that the journal itself makes in some process, which takes some microseconds.
const NOTE: Duration = Duration::from_millis(20);

/// What the threads of this process share who walk and flush.
pub(super) struct Durability {
    /// Whether a commit waits for its record to be synced.
    each: bool,
    /// Walks over what is finished.
    walker: Mutex<Option<Walker>>,
    flushing: Mutex<Flushing>,
    /// A flush has ended.
    ended: Condvar,
}

#[derive(Default)]
struct Flushing {
    /// Some thread of this process flushes, for all who wait.
    running: bool,
}

impl Durability {
    pub(super) fn new(each: bool) -> Self {
        Self {
            each,
            walker: Mutex::new(None),
            flushing: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    fn flushing(&self) -> MutexGuard<'_, Flushing> {
        self.flushing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calling thread flushes, until the guard goes: however that ends, others are told.
    fn run(&self, mut flushing: MutexGuard<'_, Flushing>) -> impl Drop + '_ {
        flushing.running = true;
        Running(self)
    }
}

/// That a thread flushes.
struct Running<'a>(&'a Durability);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.flushing().running = false;
        self.0.ended.notify_all();
    }
}

impl Store {
    /// Settles where everything begins: all before `tail` is finished, all before `synced` is synced.
    pub(super) fn begin(&self, tail: u64, synced: u64) {
        self.control.set_finished(tail);
        self.control.synced_to(synced);
        self.begin_walking();
    }

    /// From where all is known to be finished.
    pub(super) fn begin_walking(&self) {
        *self.walker() = Some(Walker::new(self, self.finished()));
    }

    fn walker(&self) -> MutexGuard<'_, Option<Walker>> {
        let walker = &self.durability.walker;
        walker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The watermark: everything before it survives a loss of power.
    pub(super) fn synced(&self) -> u64 {
        self.control.synced()
    }

    /// Walks on over what has been finished, for about `most` bytes at the most. Gives how far all is finished then.
    pub(super) fn walk(&self, most: u64) -> Result<u64, Lost> {
        let mut walker = self.walker();
        let Some(walker) = &mut *walker else {
            return Ok(self.finished());
        };
        // Where other processes have walked already.
        walker.position = walker.position.max(self.finished());
        let goal = walker.position.saturating_add(most);
        // Beyond what is prepared nothing has been claimed. Asked first: the next segment may come meanwhile.
        while walker.position < goal && walker.position < self.prepared() {
            match walker.look(self) {
                Ok(Some(step)) => walker.position = step.next,
                Ok(None) => break,
                // They may have walked on meanwhile, and given up what was to be looked at here: what is given up is finished, unless somebody has
                // written over the words.
                Err(_) if walker.position < self.oldest().min(self.finished()) => {
                    walker.position = self.finished();
                }
                Err(error) => return Err(error.as_lost(walker.position)),
            }
        }
        self.control.set_finished(walker.position);
        Ok(walker.position)
    }

    /// Says that this process makes a note of the time, until the guard goes.
    pub(super) fn note_begun(&self) -> impl Drop + '_ {
        self.control.begin_note(u64::from(self.owner) + 1);
        Noting(self)
    }

    /// The journal's own claim is not to keep what stands after it from being synced: it is finished soon.
    fn wait_for_note(&self) {
        let begun = Instant::now();
        while self.control.is_noting() && begun.elapsed() < NOTE {
            std::thread::yield_now();
        }
    }

    /// The process with the number `owner` makes no note any more.
    pub(super) fn note_ended(&self, owner: u32) {
        self.control.end_note(u64::from(owner) + 1);
    }

    /// Flushes all that is finished now. Gives the watermark.
    pub(super) fn sync(&self) -> Result<u64, Lost> {
        self.wait_for_note();
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
            if let Some(lost) = self.control.failed() {
                return Err(lost);
            }
            let now = deadline.map(|_| Instant::now());
            if deadline <= now && deadline.is_some() {
                return Ok(synced);
            }
            if flushing.running {
                let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
                let time = left.unwrap_or(Duration::MAX);
                let waited = durability.ended.wait_timeout(flushing, time);
                flushing = waited.unwrap_or_else(PoisonError::into_inner).0;
                continue;
            }
            let running = durability.run(flushing);
            self.flush_finished(synced)?;
            drop(running);
            flushing = durability.flushing();
            if self.synced() == synced && self.control.failed().is_none() {
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

    /// Flushes what is finished after `synced`, and raises the watermark. A flush that has failed is told to all; what else is in the way, as
    /// that no file can be opened just now, is the caller's affair.
    fn flush_finished(&self, synced: u64) -> Result<(), Lost> {
        let finished = self.walk(u64::MAX)?;
        if finished > synced {
            let begun = Instant::now();
            self.flush(synced, finished)?;
            fault!("flushed");
            self.control.flush_took(begun.elapsed());
            // By another meanwhile, perhaps in what is said to be flushed here.
            if self.control.failed().is_none() {
                self.control.synced_to(finished);
            }
        }
        Ok(())
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

/// That a note of the time is being made.
struct Noting<'a>(&'a Store);

impl Drop for Noting<'_> {
    fn drop(&mut self) {
        self.0.note_ended(self.0.owner);
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Identity;
    use super::*;

    #[test]
    fn a_walk_ends_whatever_the_words_say() {
        let identity = Identity {
            id: [7; 16],
            segment_bytes: 4096,
            salt: 1,
        };
        let store = Store::new(None, identity, 1, false).unwrap();
        store.begin(0, 0);
        // There is no such segment; and given up is more than was ever finished.
        store.control.grew_to(1 << 20);
        store.control.give_up_before(1 << 40);
        assert_eq!(store.walk(u64::MAX).unwrap_err().position(), 0);
    }
}
