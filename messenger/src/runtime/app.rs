//! A table as a type, and what is settled before it runs.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::control::{Control, Sending, Watch};
use super::counters::Tally;
use super::describe::AppInfo;
use super::failure::Failure;
use super::gate::Gate;
use super::link::Link;
use super::running::Running;
use super::thread::{self, Start as ThreadStart};
use super::trace;
use super::worker::Worker;
use crate::bus::{Bus, JoinError, Start};

/// A routing table: what `messenger!` makes of one.
pub trait App: Sized + 'static {
    /// What the handlers' constructors are given.
    type Config: Send + Sync + 'static;

    /// The table as data.
    const INFO: &'static AppInfo;

    /// Spawns the worker number `worker`.
    fn spawn(worker: usize, spawner: &mut Spawner<'_, Self>);
}

/// One of the workers of the table `A`.
pub struct WorkerId<A> {
    index: u16,
    app: PhantomData<fn(&A)>,
}

impl<A> WorkerId<A> {
    /// The worker number `index`, in the order of the table.
    #[must_use]
    pub const fn new(index: u16) -> Self {
        Self {
            index,
            app: PhantomData,
        }
    }

    /// Its number, in the order of the table.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

impl<A> Clone for WorkerId<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for WorkerId<A> {}

impl<A> PartialEq for WorkerId<A> {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

impl<A> Eq for WorkerId<A> {}

impl<A> fmt::Debug for WorkerId<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WorkerId").field(&self.index).finish()
    }
}

/// A run of the table `A` in preparation.
pub struct Builder<A: App> {
    bus: Bus,
    config: A::Config,
    only: Option<Vec<WorkerId<A>>>,
    start: Start,
    patience: Duration,
    watch: Option<Watch>,
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Handle>,
}

impl<A: App> Builder<A> {
    /// A run on `bus`, with `config` for the handlers' constructors.
    #[must_use]
    pub fn new(bus: Bus, config: A::Config) -> Self {
        Self {
            bus,
            config,
            only: None,
            start: Start::Newest,
            patience: Duration::from_secs(10),
            watch: None,
            #[cfg(feature = "tokio")]
            tokio: None,
        }
    }

    /// Runs these workers, and not the others of the table.
    #[must_use]
    pub fn only(mut self, workers: impl IntoIterator<Item = WorkerId<A>>) -> Self {
        self.only = Some(workers.into_iter().collect());
        self
    }

    /// Where on the bus the workers begin; with the first record after the start unless told.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// How long a stop waits for a claim that was made before it and is neither committed nor aborted; ten
    /// seconds unless told.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Has each failure told at once, on the thread where it happened, besides standing in the report.
    #[must_use]
    pub fn on_failure(mut self, watch: impl Fn(&Failure) + Send + Sync + 'static) -> Self {
        self.watch = Some(Box::new(watch));
        self
    }

    /// The tokio runtime for async handlers; the current one unless told.
    #[cfg(feature = "tokio")]
    #[must_use]
    pub fn tokio(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.tokio = Some(runtime);
        self
    }

    /// Starts the workers: returns when all handlers are made and their `on_start` has succeeded.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the first thing that went wrong; then nothing runs any more.
    pub fn run(self) -> Result<Running<A>, StartError> {
        let workers = self.workers()?;
        let registration = self
            .bus
            .register(super::names::names(A::INFO))
            .map_err(StartError::Conflict)?;
        let control = Arc::new(Control::new(self.bus, self.patience, self.watch));
        let gate = Arc::new(Gate::new(workers.len()));
        let config = Arc::new(self.config);
        #[cfg(feature = "tokio")]
        let tokio = self
            .tokio
            .or_else(|| tokio::runtime::Handle::try_current().ok());
        let mut threads = Vec::with_capacity(workers.len());
        let mut tallies = Vec::with_capacity(workers.len());
        // All join the bus before any handler can send.
        let mut seats = Vec::with_capacity(workers.len());
        for worker in workers {
            let subscriber = control.bus.subscribe(self.start)?;
            let publisher = control.bus.publisher()?;
            seats.push((worker, subscriber, publisher, Sending::new(&control)));
        }
        let mut failed = None;
        for (worker, subscriber, publisher, sending) in seats {
            let tally = Arc::new(Tally::new(A::INFO.workers[worker]));
            tallies.push(Arc::clone(&tally));
            let link = Link::new(
                A::INFO.workers[worker],
                Arc::clone(&control),
                tally,
                publisher,
            );
            #[cfg(feature = "tokio")]
            let link = link.with_tokio(tokio.clone());
            let mut spawner = Spawner {
                start: Some(ThreadStart {
                    link,
                    subscriber,
                    config: Arc::clone(&config),
                    gate: Arc::clone(&gate),
                    sending,
                }),
                thread: None,
                app: PhantomData,
            };
            A::spawn(worker, &mut spawner);
            match spawner.thread {
                Some(Ok(thread)) => threads.push(thread),
                Some(Err(error)) => failed = Some(StartError::Thread(error)),
                None => failed = Some(StartError::NoWorkers { app: A::INFO.name }),
            }
            if failed.is_some() {
                gate.give_up();
                break;
            }
        }
        let running = Running::new(control, tallies, threads, registration);
        let opened = match failed {
            None => gate.open(),
            Some(error) => Err(error),
        };
        match opened {
            Ok(()) => {
                trace::started(A::INFO.name, running.worker_count());
                Ok(running)
            }
            // Dropped, it stops and joins those that run.
            Err(error) => Err(error),
        }
    }

    /// As [`run`](Self::run), for callers on a thread of the tokio runtime.
    ///
    /// # Errors
    ///
    /// As for [`run`](Self::run).
    ///
    /// # Panics
    ///
    /// If the tokio runtime shuts down meanwhile.
    #[cfg(feature = "tokio")]
    pub async fn run_async(self) -> Result<Running<A>, StartError> {
        match tokio::task::spawn_blocking(move || self.run()).await {
            Ok(running) => running,
            Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
        }
    }

    /// The numbers of the workers to run.
    fn workers(&self) -> Result<Vec<usize>, StartError> {
        let all = A::INFO.workers.len();
        let mut workers: Vec<usize> = match &self.only {
            None => (0..all).collect(),
            Some(only) => only.iter().map(|id| id.index()).collect(),
        };
        workers.sort_unstable();
        workers.dedup();
        if workers.is_empty() || workers.iter().any(|&worker| worker >= all) {
            return Err(StartError::NoWorkers { app: A::INFO.name });
        }
        Ok(workers)
    }
}

impl<A: App> fmt::Debug for Builder<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("app", &A::INFO.name)
            .field("only", &self.only)
            .finish_non_exhaustive()
    }
}

/// Gives a worker its thread.
pub struct Spawner<'a, A: App> {
    start: Option<ThreadStart<A>>,
    thread: Option<std::io::Result<JoinHandle<()>>>,
    app: PhantomData<&'a A>,
}

impl<A: App> Spawner<'_, A> {
    /// Spawns the worker `W`.
    pub fn spawn<W: Worker<App = A>>(&mut self) {
        if let Some(start) = self.start.take() {
            self.thread = Some(thread::spawn::<W>(start));
        }
    }
}

impl<A: App> fmt::Debug for Spawner<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

/// A run did not start. Nothing of it runs any more.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The bus has no slot left for a worker.
    Join(JoinError),
    /// Who is on the bus already gives an id another meaning.
    Conflict(crate::bus::NameConflict),
    /// The system gives no thread, or one panicked outside of what handlers do.
    Thread(std::io::Error),
    /// No worker was chosen, or one that the table hasn't got.
    NoWorkers {
        /// The table's name.
        app: &'static str,
    },
    /// A constructor or an `on_start` failed, or a worker could not be put on its core.
    Failed(Box<Failure>),
}

impl From<JoinError> for StartError {
    fn from(error: JoinError) -> Self {
        Self::Join(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Join(error) => {
                write!(f, "a worker takes two slots of the bus: {error}")
            }
            Self::Conflict(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "a worker has no thread: {error}"),
            Self::NoWorkers { app } => write!(
                f,
                "no worker of `{app}` is to run: give `only` at least one of its workers, such as `{app}::NAME`"
            ),
            Self::Failed(failure) => failure.fmt(f),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Join(error) => Some(error),
            Self::Thread(error) => Some(error),
            _ => None,
        }
    }
}
