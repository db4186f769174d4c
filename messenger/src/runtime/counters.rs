//! Counters: what each worker and each route has done, readable while they do it.

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::describe::WorkerInfo;

/// A number that one thread adds to and all may read.
#[derive(Default, Debug)]
pub(crate) struct Count(AtomicU64);

impl Count {
    /// Adds `n`. Only the counter's own worker does: a load and a store cost less than an atomic sum.
    #[inline]
    pub(crate) fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed) + n, Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// The counters of one worker.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) info: &'static WorkerInfo,
    pub(crate) routes: Box<[RouteTally]>,
    /// Records for nobody here.
    pub(crate) passed: Count,
    pub(crate) undecodable: Count,
    pub(crate) errors: Count,
    pub(crate) panics: Count,
    pub(crate) restarts: Count,
    pub(crate) spilled: Count,
    /// Records for this worker after the stop.
    pub(crate) late: Count,
    /// Messages for a handler that had panicked and was not made again.
    pub(crate) orphaned: Count,
    /// Records that waited for room and never found it.
    pub(crate) unsent: Count,
}

/// The counters of one route.
#[derive(Default, Debug)]
pub(crate) struct RouteTally {
    pub(crate) messages: Count,
    pub(crate) errors: Count,
    /// Nanoseconds from the start to the last message, plus one; 0: there was none.
    last: AtomicU64,
}

impl RouteTally {
    #[inline]
    pub(crate) fn at(&self, nanos: u64) {
        self.last.store(nanos, Relaxed);
    }
}

impl Tally {
    pub(crate) fn new(info: &'static WorkerInfo) -> Self {
        Self {
            info,
            routes: info.routes.iter().map(|_| RouteTally::default()).collect(),
            passed: Count::default(),
            undecodable: Count::default(),
            errors: Count::default(),
            panics: Count::default(),
            restarts: Count::default(),
            spilled: Count::default(),
            late: Count::default(),
            orphaned: Count::default(),
            unsent: Count::default(),
        }
    }

    pub(crate) fn read(&self, begun: Instant) -> WorkerCounters {
        let routes: Vec<RouteCounters> = self
            .info
            .routes
            .iter()
            .zip(&self.routes)
            .map(|(route, tally)| RouteCounters {
                source: route.source_name,
                message: route.message.name,
                messages: tally.messages.get(),
                errors: tally.errors.get(),
                last: match tally.last.load(Relaxed) {
                    0 => None,
                    nanos => begun.checked_add(Duration::from_nanos(nanos - 1)),
                },
            })
            .collect();
        WorkerCounters {
            worker: self.info.name,
            messages: routes.iter().map(|route| route.messages).sum(),
            passed: self.passed.get(),
            undecodable: self.undecodable.get(),
            errors: self.errors.get(),
            panics: self.panics.get(),
            restarts: self.restarts.get(),
            spilled: self.spilled.get(),
            late: self.late.get(),
            orphaned: self.orphaned.get(),
            unsent: self.unsent.get(),
            last: routes.iter().filter_map(|route| route.last).max(),
            routes,
        }
    }
}

/// What a worker has done up to the moment of reading; the numbers are of about the same moment.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct WorkerCounters {
    /// The worker's name.
    pub worker: &'static str,
    /// The records that were routed to its handlers.
    pub messages: u64,
    /// The records that were for nobody here, counted at the end of each batch.
    pub passed: u64,
    /// The records that did not decode; also counted as errors of their routes.
    pub undecodable: u64,
    /// The errors that handlers returned.
    pub errors: u64,
    /// The panics of handlers.
    pub panics: u64,
    /// The handlers made again after a panic.
    pub restarts: u64,
    /// The records that had to wait because the ring was full, those of async handlers included.
    pub spilled: u64,
    /// The records for this worker that stand on the bus after the stop, and were not delivered.
    pub late: u64,
    /// The messages for a handler that had panicked and was not made again, those in its mailbox included; and what was in the mailbox of
    /// an async handler whose tokio runtime was shut down. Only what its worker has read: what comes after one has stopped alone
    /// ([`OnPanic::StopWorker`](crate::OnPanic::StopWorker)) is counted by nobody.
    pub orphaned: u64,
    /// The records that were in the spill, or waited in that of an async handler, when the worker ended, and never found room.
    pub unsent: u64,
    /// When the last message was handled, to within 16 turns of the worker's loop.
    pub last: Option<Instant>,
    /// The same for each route, in the order of the table.
    pub routes: Vec<RouteCounters>,
}

/// What became of the messages of one route.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RouteCounters {
    /// Who sends them.
    pub source: &'static str,
    /// What they are.
    pub message: &'static str,
    /// How many records came.
    pub messages: u64,
    /// How often one did not decode, or a handler returned an error or panicked over one.
    pub errors: u64,
    /// When the last one was handled, to within 16 turns of the worker's loop.
    pub last: Option<Instant>,
}

impl fmt::Display for WorkerCounters {
    /// A line for the worker, and one for each route below it; of the rarer counts those that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} messages", self.worker, self.messages)?;
        for (count, what) in [
            (self.passed, "passed by"),
            (self.undecodable, "undecodable"),
            (self.errors, "errors"),
            (self.panics, "panics"),
            (self.restarts, "restarts"),
            (self.spilled, "spilled"),
            (self.late, "late"),
            (self.orphaned, "orphaned"),
            (self.unsent, "unsent"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        writeln!(f)?;
        for route in &self.routes {
            write!(
                f,
                "  {}, {}: {}",
                route.source, route.message, route.messages
            )?;
            if route.errors > 0 {
                write!(f, ", {} errors", route.errors)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
