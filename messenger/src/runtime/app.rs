//! A table as a type, and what is settled before it runs.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::control::{Control, Sending, Watch};
use super::counters::Tally;
use super::describe::AppInfo;
#[cfg(feature = "journal")]
use super::describe::WorkerInfo;
use super::failure::Failure;
use super::gate::Gate;
use super::ground::{Ground, On};
#[cfg(feature = "journal")]
use super::kept::{self, Beginning, Plan, Way};
use super::link::Link;
use super::running::{Alive, Running};
use super::start_error::StartError;
#[cfg(feature = "tokio")]
use super::tasks::FirstTask;
use super::thread::{self, Start as ThreadStart};
use super::trace;
use super::worker::Worker;
#[cfg(feature = "journal")]
use crate::bus::Subscriber;
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
///
#[cfg_attr(feature = "bincode", doc = "```")]
#[cfg_attr(not(feature = "bincode"), doc = "```text")]
/// # use messenger::bus::{Bus, BusConfig};
/// # use messenger::{Handle, Handler, HandlerError, Message, Outbox, Result, messenger};
/// # #[derive(Message, serde::Serialize, serde::Deserialize)]
/// # #[message(id = 1, codec = bincode)]
/// # struct Sale { cents: u64 }
/// # #[derive(Handler)]
/// # #[handler(id = 1, sends(Sale))]
/// # struct Main;
/// # #[derive(Handler)]
/// # #[handler(id = 2)]
/// # struct Book { most: u64 }
/// # impl Handle<Sale> for Book {
/// #     fn handle(&mut self, sale: &Sale, _: &mut Outbox<'_, Self>) -> Result {
/// #         match sale.cents > self.most {
/// #             true => Err(HandlerError::new("too much")),
/// #             false => Ok(()),
/// #         }
/// #     }
/// # }
/// # messenger! {
/// #     Till(most: u64);
/// #     outside: [ Main ]
/// #     Office:
/// #         handlers: [ book: Book = Book { most: *most } ]
/// #         routes: [ Main, Sale: [book] ]
/// # }
/// use std::time::Duration;
///
/// let bus = Bus::new(BusConfig::bytes(1 << 16))?;
/// let till = Till::builder(bus, 10_000)
///     .only([Till::OFFICE])
///     .on_failure(|failure| eprintln!("{failure}"))
///     .patience(Duration::from_secs(1))
///     .run()?;
/// till.stop()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Builder<A: App> {
    pub(super) ground: Ground,
    pub(super) config: A::Config,
    only: Option<Vec<WorkerId<A>>>,
    outside: bool,
    start: Start,
    pub(super) patience: Duration,
    pub(super) watch: Option<Watch>,
    #[cfg(feature = "journal")]
    beginning: Beginning,
    #[cfg(feature = "tokio")]
    tokio: Option<tokio::runtime::Handle>,
}

impl<A: App> Builder<A> {
    /// A run on `ground`, a bus, a `&Journal` or a `&SharedBus`, with `config` for the handlers' constructors.
    #[must_use]
    pub fn new(ground: impl Into<Ground>, config: A::Config) -> Self {
        Self {
            ground: ground.into(),
            config,
            only: None,
            outside: false,
            start: Start::Newest,
            patience: Duration::from_secs(10),
            watch: None,
            #[cfg(feature = "journal")]
            beginning: Beginning::Anew,
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

    /// Runs the workers with these names, and not the others of the table: for those who are told on a command line which.
    ///
    /// # Errors
    ///
    /// [`StartError::NoWorker`] if the table has no worker of such a name.
    pub fn only_named<N: AsRef<str>>(
        self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Self, StartError> {
        let find = |name: N| {
            let name = name.as_ref();
            let index = A::INFO.workers.iter().position(|it| it.name == name);
            index
                .map(|index| WorkerId::new(index as u16))
                .ok_or_else(|| StartError::no_worker::<A>(name))
        };
        let workers: Result<Vec<_>, _> = names.into_iter().map(find).collect();
        Ok(self.only(workers?))
    }

    /// Runs no worker: for a process that sends from outside, or listens, while others run the workers of the table on the same bus.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    #[must_use]
    pub fn outside(mut self) -> Self {
        self.only = Some(Vec::new());
        self.outside = true;
        self
    }

    /// Where on the bus the workers begin; with the first record after the start unless told.
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.start = start;
        self
    }

    /// How long a stop waits for a claim that was made before it, or before the last of what the handlers send, and is neither committed nor
    /// aborted; a worker that keeps its position for the next process, or stops alone, for readers that leave no room for what it has
    /// sent; and a start on a journal for those that leave no room to note it down; ten seconds each unless told.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Has each failure told at once, on the thread where it happened, besides standing in the report. A panic of `watch` ends there: the
    /// failure counts as it would have.
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

    /// On a journal: has each worker begin where it had got when the last process ended.
    ///
    /// Each worker has a [cursor](crate::journal::Cursor) in the journal, named `Table.worker`, and stores its position there after
    /// each batch of records. Its handlers are made anew, so this is for those whose state lies elsewhere, or who have none.
    /// After a graceful stop each record is handled once. After the death of the process those since the last store are
    /// handled again: until then they stay on the journal, whatever that retains, unless it is bounded and full of them, and answers find no room
    /// (then the next start may say that they are [`Gone`](JoinError::Gone)). After a loss of power, those since the cursor was flushed last, which a graceful stop does (but while another's claim keeps what was
    /// sent from being synced), unless the system has flushed it meanwhile. Then, if not each record is synced, answers may be missing. What is in the mailbox of an async handler
    /// counts as handled, also if it panics and is not made again: what waits there then is lost, and counted as `orphaned`. For handlers
    /// whose state is what the journal has told them, [`restore`](Self::restore) does without that: each record counts once,
    /// whatever happens.
    ///
    /// A worker that has no cursor yet begins where [`start`](Self::start) says.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn resume(mut self) -> Self {
        self.beginning = Beginning::Resumed;
        self
    }

    /// On a journal: brings the handlers to where they were when the last process ended, and goes on from there, without a gap
    /// and without doing anything twice.
    ///
    /// Each worker makes its handlers, calls `on_start`, and gives them all records again which they had got since they were
    /// made by a [`run`](Self::run) that was not restored. What they send meanwhile is not published but
    /// compared with what the journal has of them. If they do something else, or more, the start fails and says what, and nothing
    /// has been published: see [`Divergence`](super::Divergence). What they do in answer to the last records, and is not in the
    /// journal because the process died too early, is published then. So the outcome is that of a process that never died. Of a worker
    /// those are the last records behind which nothing of it stands: no answer to a later one, and not that it has ended.
    ///
    /// That asks of handlers that they do the same when they are told the same: the time and random numbers are to be had by
    /// [`Outbox::now`](super::Outbox::now) and [`Outbox::random`](super::Outbox::random), which tell the same again. Timers fire
    /// again between the same two records. `on_loop` and `on_stop` are not called again; what they
    /// sent stands in the journal as it is. A timer that had not fired begins again. The whole journal since the handlers were
    /// made must be retained. Tables with async handlers can't be restored.
    ///
    /// A worker that has not run on this journal begins as without this, where [`start`](Self::start) says; unless one has whose name no table there
    /// has any more, or that had a handler of it ([`StartError::Renamed`]).
    ///
    /// On a bus that processes share, and whose records lie in a journal, each worker is restored by itself, after the death of its process or a stop, while
    /// the others go on. A pool can't be.
    #[cfg(feature = "journal")]
    #[must_use]
    pub fn restore(mut self) -> Self {
        self.beginning = Beginning::Restored;
        self
    }

    /// Starts the workers: returns when all handlers are made and their `on_start` has succeeded.
    ///
    /// A worker, by its table's name and its own, runs once at a time on a bus or a journal, or each record would be handled twice; on a bus
    /// that processes share, in one of them, unless it is a pool. It may run again as soon as its thread has ended, in whatever way.
    ///
    /// With async handlers it waits for their tasks to start, which takes another thread: so in a task call `run_async` in place of it.
    ///
    /// On a journal this takes the table, and all its ids and names, into the journal's schema; what a handler sends is kept from
    /// now on, and can be restored and replayed.
    ///
    /// # Errors
    ///
    /// [`StartError`]: the first thing that went wrong; then nothing runs any more.
    pub fn run(self) -> Result<Running<A>, StartError> {
        let workers = self.workers()?;
        let needs = self.slots_of(&workers);
        self.run_these(workers).map_err(|error| match error {
            StartError::Join(JoinError::NoFreeSlot { members }) => {
                StartError::NoFreeSlot { needs, members }
            }
            error => error,
        })
    }

    fn run_these(self, workers: Vec<usize>) -> Result<Running<A>, StartError> {
        #[cfg(feature = "tokio")]
        let tokio = { self.tokio.clone() }.or_else(|| tokio::runtime::Handle::try_current().ok());
        #[cfg(feature = "tokio")]
        let first_task = FirstTask::of::<A>(&workers, tokio.as_ref());
        #[cfg(feature = "tokio")]
        if let Some(FirstTask {
            worker, handler, ..
        }) = first_task.as_ref().filter(|task| task.is_run_here_alone())
        {
            return Err(StartError::OnlyThread { worker, handler });
        }
        let bus = self.bus()?;
        #[cfg(feature = "journal")]
        let plan = self.plan()?;
        let registration = bus
            .register(super::names::names(A::INFO))
            .map_err(StartError::Conflict)?;
        let control = Arc::new(Control::new(bus, self.patience, self.watch));
        let alive = Arc::new(Alive::new(registration));
        let config = Arc::new(self.config);
        let mut threads = Vec::with_capacity(workers.len());
        let mut tallies = Vec::with_capacity(workers.len());
        // All join the bus before any handler can send.
        let mut seats = Vec::with_capacity(workers.len());
        for worker in workers {
            let runs = self.ground.run_worker(A::INFO, A::INFO.workers[worker])?;
            #[cfg(feature = "journal")]
            let (subscriber, way) = join(
                &self.ground,
                plan.as_ref(),
                &control.bus,
                (A::INFO.name, A::INFO.workers[worker]),
                self.start,
            )?;
            #[cfg(not(feature = "journal"))]
            let (subscriber, way) = (control.bus.subscribe(self.start)?, ());
            let publisher = control.bus.publisher()?;
            let info = A::INFO.workers[worker];
            let tally = Arc::new(Tally::new(info));
            tallies.push(Arc::clone(&tally));
            let link = Link::new(info, Arc::clone(&control), tally, publisher);
            #[cfg(feature = "tokio")]
            let link = link.with_tokio(tokio.clone())?;
            let rest = (worker, runs, link, Sending::new(&control));
            seats.push((info, subscriber, way, rest));
        }
        #[cfg(feature = "journal")]
        if let Some(plan) = &plan {
            plan.restore(A::INFO.name, &mut seats)?;
        }
        let starts: Vec<u64> = seats.iter().map(|seat| seat.1.start()).collect();
        let gate = Arc::new(Gate::new(&starts));
        let mut failed = None;
        for (info, subscriber, way, (worker, runs, link, sending)) in seats {
            let mut spawner = Spawner {
                start: Some(ThreadStart {
                    link,
                    subscriber,
                    runs,
                    config: Arc::clone(&config),
                    gate: Arc::clone(&gate),
                    sending,
                    alive: Arc::clone(&alive),
                    #[cfg(feature = "journal")]
                    way,
                }),
                #[cfg(feature = "journal")]
                replay: None,
                thread: None,
                app: PhantomData,
            };
            #[cfg(not(feature = "journal"))]
            let () = way;
            A::spawn(worker, &mut spawner);
            match spawner.thread {
                Some(Ok(thread)) => threads.push((info.name, thread)),
                Some(Err(error)) => failed = Some(StartError::Thread(error)),
                None => failed = Some(StartError::no_workers::<A>()),
            }
            if failed.is_some() {
                gate.give_up();
                break;
            }
        }
        let running = Running::new(
            control,
            tallies,
            threads,
            &alive,
            #[cfg(feature = "tokio")]
            first_task,
        );
        // From here on the workers' threads alone hold it.
        drop(alive);
        let opened = match failed {
            None => {
                #[cfg(feature = "journal")]
                kept::let_go(plan, &gate);
                gate.open()
            }
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

    fn bus(&self) -> Result<Bus, StartError> {
        match &self.ground.0 {
            On::Bus(bus) => {
                // Its workers have their seats in its file.
                if bus.is_shared() {
                    return Err(StartError::NotAlone);
                }
                #[cfg(feature = "journal")]
                match self.beginning {
                    Beginning::Anew => {}
                    Beginning::Resumed => return Err(StartError::NotKept { what: "resumed" }),
                    Beginning::Restored => return Err(StartError::NotKept { what: "restored" }),
                }
                Ok(bus.clone())
            }
            #[cfg(feature = "journal")]
            On::Journal(journal) => {
                // Its workers have their seats on the bus.
                if journal.is_shared() {
                    return Err(StartError::NotAlone);
                }
                Ok(journal.bus().clone())
            }
            #[cfg(feature = "journal")]
            On::Files(path) => Err(StartError::ReadOnly { path: path.clone() }),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            On::Shared(shared) => {
                if self.beginning == Beginning::Restored && shared.journal().is_none() {
                    return Err(StartError::NotKept { what: "restored" });
                }
                shared
                    .admit(&crate::journal::Schema::from(A::INFO))
                    .map_err(StartError::Shared)?;
                Ok(shared.bus().clone())
            }
        }
    }

    #[cfg(feature = "journal")]
    fn plan(&self) -> Result<Option<Plan>, StartError> {
        match &self.ground.0 {
            On::Journal(journal) => {
                let known = journal.schema();
                kept::admit::<A>(journal)?;
                Plan::new(journal, self.beginning, self.start, self.patience, known).map(Some)
            }
            #[cfg(all(feature = "shared", target_os = "linux"))]
            On::Shared(shared) if self.beginning == Beginning::Restored => {
                let journal = shared.journal();
                journal
                    .map(|journal| Plan::of_shared(journal, self.patience))
                    .transpose()
            }
            _ => Ok(None),
        }
    }

    /// How many of the bus's slots a run of these workers takes.
    fn slots_of(&self, workers: &[usize]) -> usize {
        let of = |&worker: &usize| {
            let handlers = A::INFO.workers[worker].handlers.iter();
            2 + handlers.filter(|handler| handler.is_async).count()
        };
        let slots = workers.iter().map(of).sum::<usize>();
        // By one the journal is held while it is restored.
        #[cfg(feature = "journal")]
        let slots = match (self.beginning, &self.ground.0) {
            (Beginning::Restored, On::Journal(_)) => slots + 1,
            _ => slots,
        };
        slots
    }

    /// The numbers of the workers to run.
    pub(super) fn workers(&self) -> Result<Vec<usize>, StartError> {
        let all = A::INFO.workers.len();
        let mut workers: Vec<usize> = match &self.only {
            None => (0..all).collect(),
            Some(only) => only.iter().map(|id| id.index()).collect(),
        };
        workers.sort_unstable();
        workers.dedup();
        if workers.is_empty() && !self.outside || workers.iter().any(|&worker| worker >= all) {
            return Err(StartError::no_workers::<A>());
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

/// Attaches a worker to what it runs on.
#[cfg(feature = "journal")]
fn join(
    ground: &Ground,
    plan: Option<&Plan>,
    bus: &Bus,
    (app, worker): (&str, &WorkerInfo),
    start: Start,
) -> Result<(Subscriber, Way), StartError> {
    #[cfg(all(feature = "shared", target_os = "linux"))]
    if let On::Shared(shared) = &ground.0 {
        // There is a plan if it is to be restored.
        return match (plan, worker.options.pool) {
            (Some(_), true) => Err(StartError::Pool {
                worker: worker.name,
            }),
            _ => super::split::join(shared, (app, worker), start),
        };
    }
    let _ = ground;
    match plan {
        Some(plan) => plan.join(app, worker),
        None => Ok((bus.subscribe(start)?, Way::Ring(None))),
    }
}

/// Gives a worker its thread.
pub struct Spawner<'a, A: App> {
    pub(super) start: Option<ThreadStart<A>>,
    #[cfg(feature = "journal")]
    pub(super) replay: Option<super::kept::Part<A>>,
    pub(super) thread: Option<std::io::Result<JoinHandle<()>>>,
    pub(super) app: PhantomData<&'a A>,
}

impl<A: App> Spawner<'_, A> {
    /// Spawns the worker `W`.
    pub fn spawn<W: Worker<App = A>>(&mut self) {
        if let Some(start) = self.start.take() {
            self.thread = Some(thread::spawn::<W>(start));
        }
        #[cfg(feature = "journal")]
        if let Some(part) = self.replay.take() {
            self.thread = Some(part.spawn::<W>());
        }
    }
}

impl<A: App> fmt::Debug for Spawner<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}
