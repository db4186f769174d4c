//! What the table says of a worker besides its handlers and routes.

use std::time::Duration;

use crate::bus::WaitStrategy;

/// How a worker runs: how it waits, where, and what it does when a handler fails.
///
/// ```
/// use messenger::bus::WaitStrategy;
/// use messenger::{OnPanic, WorkerOptions};
///
/// const OPTIONS: WorkerOptions = WorkerOptions::new()
///     .wait(WaitStrategy::Spin)
///     .pin(1)
///     .on_panic(OnPanic::StopWorker);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WorkerOptions {
    pub(crate) wait: WaitStrategy,
    pub(crate) core: Option<usize>,
    pub(crate) on_panic: OnPanic,
    pub(crate) on_error: OnError,
    pub(crate) spill: usize,
    pub(crate) batch: usize,
    pub(crate) pool: bool,
}

/// What happens when a handler panics. The message at fault is counted and skipped in each case, never
/// delivered to that handler again; the other receivers of the record still get it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum OnPanic {
    /// The whole messenger stops in good order, and `join` returns the failure. The default.
    #[default]
    Stop,
    /// The worker of that handler stops and leaves the bus; the others go on. They don't wait for what it has still to do: its other
    /// handlers' `on_stop`, and what is in the mailboxes of its async ones. What its handlers have sent and found no room waits for that
    /// for as long as [`Builder::patience`](crate::Builder::patience) says.
    StopWorker,
    /// The handler is made again by its constructor, at most `times` times in any span of `per`;
    /// the panic after that stops the messenger.
    Restart {
        /// How many restarts a handler may have in `per`.
        times: u32,
        /// The span in which they are counted. In one of zero there is never one before: it is made again each time.
        per: Duration,
    },
}

/// What happens when a handler returns an error.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum OnError {
    /// The error is reported and counted, and the worker goes on. The default.
    #[default]
    Report,
    /// The whole messenger stops in good order, and `join` returns the failure.
    Stop,
}

impl WorkerOptions {
    /// The defaults: wait by [`WaitStrategy::Block`], on any core, stop at a panic, report errors, a
    /// spill of 1 MiB, batches of at most 256 records, in one process.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            wait: WaitStrategy::Block,
            core: None,
            on_panic: OnPanic::Stop,
            on_error: OnError::Report,
            spill: 1 << 20,
            batch: 256,
            pool: false,
        }
    }

    /// How the worker waits for records.
    #[must_use]
    pub const fn wait(mut self, wait: WaitStrategy) -> Self {
        self.wait = wait;
        self
    }

    /// The one core, counted from 0, that the worker's thread runs on. Where the system can't do that
    /// (anywhere but on Linux), or has no such core, starting fails.
    #[must_use]
    pub const fn pin(mut self, core: usize) -> Self {
        self.core = Some(core);
        self
    }

    /// What happens when a handler panics.
    #[must_use]
    pub const fn on_panic(mut self, policy: OnPanic) -> Self {
        self.on_panic = policy;
        self
    }

    /// What happens when a handler returns an error.
    #[must_use]
    pub const fn on_error(mut self, policy: OnError) -> Self {
        self.on_error = policy;
        self
    }

    /// How many bytes the worker keeps of what its handlers sent while the ring was full; on a journal, of what it notes down about them, too.
    #[must_use]
    pub const fn spill(mut self, bytes: usize) -> Self {
        self.spill = bytes;
        self
    }

    /// How many records the worker takes at most before it says how far it has read. Of a pool: how many of those that are for it a
    /// member takes at a time.
    #[must_use]
    pub const fn batch(mut self, records: usize) -> Self {
        self.batch = if records == 0 { 1 } else { records };
        self
    }

    /// Whether the worker is a pool: on a bus that processes share several of them may run it at once, and each record that is for it is
    /// handled by one of them. A member of the pool handles its records in order; between members there is no order. Anywhere
    /// else, on a bus or a journal of one process, the pool has one member, and is as any worker.
    #[must_use]
    pub const fn pool(mut self, pool: bool) -> Self {
        self.pool = pool;
        self
    }
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// Refuses a table that restarts handlers in a program that can't unwind.
///
/// # Panics
///
/// While the program is compiled, if `unwinds` is false.
#[track_caller]
pub const fn restart_needs_unwinding(unwinds: bool) {
    assert!(
        unwinds,
        "`on_panic = restart(..)` needs unwinding, and this program is compiled with panic = \"abort\": \
         take that line out of the Cargo profile, or choose `on_panic = stop`"
    );
}
