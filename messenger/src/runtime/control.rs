//! What all threads of a run share: the stop, and what went wrong.

use core::fmt;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::failure::{Failed, Failure, Report};
use super::trace;
use crate::bus::Bus;

/// How many failures are kept for the report.
const LISTED: usize = 64;
/// The cut-off position of a run that has not been stopped.
const RUNNING: u64 = u64::MAX;

pub(crate) type Watch = Box<dyn Fn(&Failure) + Send + Sync>;

/// The stop of a run and its failures.
pub(crate) struct Control {
    pub(crate) bus: Bus,
    pub(crate) begun: Instant,
    /// How long a worker waits for a claim that stands before the stop to be finished.
    pub(crate) patience: Duration,
    cut_off: AtomicU64,
    found: Mutex<Found>,
    /// How many workers of this run may still send, and whether none ever will again, nor any of another process before this run is stopped.
    sending: Mutex<usize>,
    ended: AtomicBool,
    sent: Condvar,
    watch: Option<Watch>,
    /// What is replayed goes on after a stop, as it did then until all was drained.
    #[cfg(feature = "journal")]
    pub(crate) replays: bool,
}

#[derive(Default)]
struct Found {
    failures: Vec<Failure>,
    unlisted: u64,
    /// The one that stopped the run.
    fatal: Option<usize>,
}

impl Control {
    pub(crate) fn new(bus: Bus, patience: Duration, watch: Option<Watch>) -> Self {
        Self {
            bus,
            begun: Instant::now(),
            patience,
            cut_off: AtomicU64::new(RUNNING),
            found: Mutex::default(),
            sending: Mutex::default(),
            ended: AtomicBool::new(false),
            sent: Condvar::new(),
            watch,
            #[cfg(feature = "journal")]
            replays: false,
        }
    }

    /// The position from which on records are not delivered; the greatest of all while the run goes on.
    #[inline]
    pub(crate) fn cut_off(&self) -> u64 {
        self.cut_off.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn is_stopping(&self) -> bool {
        self.cut_off() != RUNNING
    }

    /// Whether no worker will send any more, in another process either. (After the stop of this run those are no affair of it.)
    pub(crate) fn has_ended(&self) -> bool {
        // Acquire: what they sent comes before.
        self.ended.load(Ordering::Acquire)
    }

    fn sending(&self) -> MutexGuard<'_, usize> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops the run at the bus's tail, unless it has been stopped before.
    pub(crate) fn stop(&self) {
        self.stop_at(self.bus.tail());
    }

    /// The same at `tail`, which the bus may have passed by now.
    pub(super) fn stop_at(&self, tail: u64) {
        #[cfg(feature = "journal")]
        if self.replays {
            return;
        }
        // Relaxed: what is delivered is decided by positions alone; who sleeps is woken after, and looks again.
        let stopped =
            self.cut_off
                .compare_exchange(RUNNING, tail, Ordering::Relaxed, Ordering::Relaxed);
        if stopped.is_ok() {
            trace::stopping(self.cut_off());
            // Where none runs, or one that ended did not say so since other processes go on, nobody else says it.
            if *self.sending() == 0 {
                self.ended.store(true, Ordering::Release);
            }
            self.bus.wake_all();
        }
    }

    /// The failure that stopped the run, taken out of the report.
    #[cfg(feature = "journal")]
    pub(crate) fn take_fatal(&self) -> Option<Failure> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let at = found.fatal.take()?;
        Some(found.failures.remove(at))
    }

    /// Takes a failure into the report.
    pub(crate) fn report(&self, failure: Failure) {
        self.take(failure, false);
    }

    /// Takes a failure into the report and stops the run.
    pub(crate) fn fail(&self, failure: Failure) {
        self.take(failure, true);
        self.stop();
    }

    fn take(&self, failure: Failure, fatal: bool) {
        // Others' code: if it panics, the failure counts all the same.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            trace::failed(&failure);
            if let Some(watch) = &self.watch {
                watch(&failure);
            }
        }));
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let first_fatal = fatal && found.fatal.is_none();
        if found.failures.len() >= LISTED && !first_fatal {
            found.unlisted += 1;
            return;
        }
        if first_fatal {
            found.fatal = Some(found.failures.len());
        }
        found.failures.push(failure);
    }

    /// The failures so far, taken out: the run's result, once its workers have ended.
    pub(crate) fn result(
        &self,
        workers: Vec<super::counters::WorkerCounters>,
    ) -> Result<Report, Failed> {
        let found =
            core::mem::take(&mut *self.found.lock().unwrap_or_else(PoisonError::into_inner));
        let report = Report {
            cut_off: Some(self.cut_off()).filter(|&cut_off| cut_off != RUNNING),
            workers,
            failures: found.failures,
            unlisted: found.unlisted,
        };
        match found.fatal {
            None => Ok(report),
            Some(at) => Err(Failed::new(at, report)),
        }
    }
}

/// A worker that may still send.
#[derive(Debug)]
pub(crate) struct Sending(Arc<Control>);

impl Sending {
    pub(crate) fn new(control: &Arc<Control>) -> Self {
        *control.sending() += 1;
        Self(Arc::clone(control))
    }

    /// This worker sends nothing more; if the run is being stopped, waits until that is so of all.
    pub(crate) fn end(self) {
        let control = Arc::clone(&self.0);
        drop(self);
        if control.is_stopping() {
            let sending = control.sending();
            drop(control.sent.wait_while(sending, |sending| *sending > 0));
        }
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let control = &self.0;
        let mut sending = control.sending();
        *sending -= 1;
        if *sending == 0 {
            // Where other processes may run workers the run is over when it is stopped. (Asked under the lock: who stops it after this finds that none
            // may send.)
            if control.is_stopping() || !control.bus.is_shared() {
                control.ended.store(true, Ordering::Release);
            }
            drop(sending);
            control.sent.notify_all();
            control.bus.wake_all();
        }
    }
}

impl fmt::Debug for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Control")
            .field("stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}
