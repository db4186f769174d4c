//! A table that runs.

use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};

use super::app::App;
use super::control::Control;
use super::counters::{Tally, WorkerCounters};
use super::describe::AppInfo;
use super::failure::{Call, Failed, Failure, FailureKind, Report};
use super::handler::Outside;
use super::publish::SourcePublisher;
use super::subscribe::{MessageSet, Reader, Subscription};
#[cfg(feature = "tokio")]
use super::tasks::FirstTask;
use crate::bus::{Bus, JoinError, Registration, Start, wake_each};

/// The run of a table. Dropped, it stops and joins its workers; but where they have async handlers, and this is on the only thread that runs the tasks of
/// these, or in their runtime as that is shut down, it stops them and does not wait. Then they end as that thread goes on to run tasks; if the runtime, or
/// the process, ends before, what the handlers have still to do is not done. [`stop_async`](Self::stop_async) awaits it.
///
/// It holds the bus, and so do the publishers and subscriptions that are had from it, also after its end; a [`Stopper`] does not.
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
/// # let till = Till::builder(Bus::new(BusConfig::bytes(1 << 16))?, 10_000).run()?;
/// let mut sales = till.publisher::<Main>()?;
/// for cents in [450, 320] {
///     sales.send(&Sale { cents })?;
/// }
/// print!("so far: {}", till.counters()[0]);
/// let report = till.stop()?;
/// assert_eq!(report.messages(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Running<A: App> {
    control: Arc<Control>,
    /// By which stoppers reach the run, until it is over.
    within_reach: Option<Arc<WithinReach>>,
    tallies: Vec<Arc<Tally>>,
    /// With the names of their workers.
    threads: Vec<(&'static str, JoinHandle<()>)>,
    alive: Weak<Alive>,
    /// Held for its drop, which takes the table's names off the bus.
    _registration: Arc<Registration>,
    #[cfg(feature = "tokio")]
    first_task: Option<FirstTask>,
    app: PhantomData<fn(&A)>,
}

impl<A: App> Running<A> {
    pub(crate) fn new(
        control: Arc<Control>,
        tallies: Vec<Arc<Tally>>,
        threads: Vec<(&'static str, JoinHandle<()>)>,
        alive: &Arc<Alive>,
        #[cfg(feature = "tokio")] first_task: Option<FirstTask>,
    ) -> Self {
        Self {
            within_reach: Some(Arc::new(WithinReach(Arc::clone(&control)))),
            control,
            tallies,
            threads,
            alive: Arc::downgrade(alive),
            _registration: Arc::clone(&alive.registration),
            #[cfg(feature = "tokio")]
            first_task,
            app: PhantomData,
        }
    }

    pub(crate) fn worker_count(&self) -> usize {
        self.threads.len()
    }

    /// The table as data.
    #[must_use]
    pub fn info(&self) -> &'static AppInfo {
        A::INFO
    }

    /// The bus it runs on.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.control.bus
    }

    /// What each worker has done so far. Disturbs none of them.
    #[must_use]
    pub fn counters(&self) -> Vec<WorkerCounters> {
        self.tallies
            .iter()
            .map(|tally| tally.read(self.control.begun))
            .collect()
    }

    /// Publishes as `S`, a source that the table lists as outside.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the bus has no slot left.
    pub fn publisher<S: Outside<A>>(&self) -> Result<SourcePublisher<S>, JoinError> {
        Ok(SourcePublisher::new(
            self.control.bus.publisher()?,
            Arc::clone(&self.control),
        ))
    }

    /// Reads the messages of the types in `S`, a tuple, from now on, as an observer: it holds nobody back, and is
    /// told when it was too slow.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the bus has no slot left.
    pub fn subscribe<S: MessageSet>(&self) -> Result<Subscription<S>, JoinError> {
        self.subscribe_from(Start::Newest)
    }

    /// As [`subscribe`](Self::subscribe), from where `start` says.
    ///
    /// # Errors
    ///
    /// [`JoinError`] if the bus has no slot left; with [`Start::At`] also if what stands there is not retained any more
    /// ([`Gone`](JoinError::Gone)), or the bus has not come so far ([`Ahead`](JoinError::Ahead)).
    pub fn subscribe_from<S: MessageSet>(
        &self,
        start: Start,
    ) -> Result<Subscription<S>, JoinError> {
        let reader = Reader::Observer(self.control.bus.observe(start)?);
        Ok(Subscription::new(reader, Arc::clone(&self.control)))
    }

    /// As [`subscribe_from`](Self::subscribe_from), but misses nothing: whoever publishes waits when this
    /// subscription does not read on. A thread that publishes and also reads so can hang itself.
    ///
    /// # Errors
    ///
    /// As for [`subscribe_from`](Self::subscribe_from).
    pub fn subscribe_gating<S: MessageSet>(
        &self,
        start: Start,
    ) -> Result<Subscription<S>, JoinError> {
        let reader = Reader::Subscriber(self.control.bus.subscribe(start)?);
        Ok(Subscription::new(reader, Arc::clone(&self.control)))
    }

    /// By which others may stop this run.
    #[must_use]
    pub fn stopper(&self) -> Stopper {
        let within_reach = self.within_reach.as_ref();
        Stopper(within_reach.map_or_else(Weak::new, Arc::downgrade))
    }

    /// Whether it has been stopped, by whom it may be.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.control.is_stopping()
    }

    /// Stops in good order: what was committed before is delivered, each handler's `on_stop` is called, and the
    /// threads are joined. A task calls [`stop_async`](Self::stop_async).
    ///
    /// # Errors
    ///
    /// [`Failed`] if a failure stopped the run before, or this is the only thread that runs the tasks of its async handlers, which would be waited for
    /// in vain: then it has been told to stop, and ends without being waited for.
    pub fn stop(self) -> Result<Report, Failed> {
        self.control.stop();
        self.join()
    }

    /// Waits until the run has ended: stopped by a handler, a [`Stopper`] or a failure. A task calls [`join_async`](Self::join_async).
    ///
    /// # Errors
    ///
    /// [`Failed`] if a failure stopped it, or, as for [`stop`](Self::stop), it would be waited for in vain.
    pub fn join(self) -> Result<Report, Failed> {
        #[cfg(feature = "tokio")]
        if let Some(task) = self.vain() {
            self.control.fail(Failure {
                handler: Some(task.handler),
                ..Failure::of(task.worker, FailureKind::OnlyThread)
            });
            return self.control.result(self.counters());
        }
        self.joined()
    }

    /// As [`stop`](Self::stop), for a task of any async runtime: no thread waits. If what it gives is dropped before it is ready, so is the run.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a failure stopped the run before.
    pub async fn stop_async(self) -> Result<Report, Failed> {
        self.control.stop();
        self.join_async().await
    }

    /// As [`join`](Self::join), for a task of any async runtime: no thread waits. If what it gives is dropped before it is ready, so is the run.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a failure stopped it.
    pub async fn join_async(self) -> Result<Report, Failed> {
        poll_fn(|task| Alive::poll_end(&self.alive, task)).await;
        self.joined()
    }

    fn joined(mut self) -> Result<Report, Failed> {
        self.join_all();
        self.control.result(self.counters())
    }

    /// An async handler that this thread would wait for in vain.
    #[cfg(feature = "tokio")]
    fn vain(&self) -> Option<&FirstTask> {
        self.task_that_runs().filter(|it| it.is_run_here_alone())
    }

    /// The first async handler, if not all threads have ended.
    #[cfg(feature = "tokio")]
    fn task_that_runs(&self) -> Option<&FirstTask> {
        let task = self.first_task.as_ref();
        task.filter(|_| self.alive.strong_count() > 0)
    }

    fn join_all(&mut self) {
        for (worker, thread) in core::mem::take(&mut self.threads) {
            if let Err(panic) = thread.join() {
                self.control.fail(Failure {
                    call: Some(Call::Dropped),
                    ..Failure::of(worker, FailureKind::fatal(&*panic))
                });
            }
        }
    }
}

impl<A: App> Drop for Running<A> {
    fn drop(&mut self) {
        self.control.stop();
        #[cfg(feature = "tokio")]
        if let Some(task) = self.task_that_runs() {
            if task.is_run_here_alone() || task.is_shut_down_here() {
                self.threads.clear();
            }
        }
        self.join_all();
        // A stopper that stops it at this moment has the bus in hand, and would else let go of it later than this: or never, if the
        // process ends meanwhile, and then other processes would take it for dead.
        let mut within_reach = self.within_reach.take();
        while let Some(Err(reached)) = within_reach.map(Arc::try_unwrap) {
            thread::yield_now();
            within_reach = Some(reached);
        }
    }
}

impl<A: App> fmt::Debug for Running<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("app", &A::INFO.name)
            .field("workers", &self.tallies.len())
            .field("stopping", &self.is_stopping())
            .finish_non_exhaustive()
    }
}

/// That threads of a run have not ended: each holds it until it does.
pub(crate) struct Alive {
    registration: Arc<Registration>,
    /// The task that waits for the last of them.
    waiting: Mutex<Option<Waker>>,
}

impl Alive {
    pub(crate) fn new(registration: Registration) -> Self {
        Self {
            registration: Arc::new(registration),
            waiting: Mutex::default(),
        }
    }

    /// Whether all have ended; else has the task woken when they have.
    fn poll_end(this: &Weak<Self>, task: &mut Context<'_>) -> Poll<()> {
        let Some(alive) = this.upgrade() else {
            return Poll::Ready(());
        };
        let waker = task.waker().clone();
        let mut waiting = alive.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // A waker is foreign code, and is neither made nor dropped under the lock.
        let before = waiting.replace(waker);
        drop(waiting);
        drop(before);
        // If the last thread has ended meanwhile, this is what wakes the task.
        drop(alive);
        Poll::Pending
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        let waiting = self.waiting.get_mut();
        let waiting = waiting.unwrap_or_else(PoisonError::into_inner).take();
        wake_each(waiting.map(|waker| (0, waker)).into_iter().collect());
    }
}

impl fmt::Debug for Alive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Alive").finish_non_exhaustive()
    }
}

/// A run that can be stopped.
#[derive(Debug)]
struct WithinReach(Arc<Control>);

/// Stops a run from elsewhere: another thread, a signal's task, a test.
///
/// ```no_run
/// # fn run<A: messenger::App>(app: messenger::Running<A>, wait_for_a_signal: fn()) -> Result<(), Box<dyn std::error::Error>> {
/// let stopper = app.stopper();
/// std::thread::spawn(move || {
///     wait_for_a_signal();
///     stopper.stop();
/// });
/// println!("{}", app.join()?);
/// # Ok(())
/// # }
/// ```
///
/// It does not hold the run's bus. Once the run is over it does nothing.
#[derive(Clone, Debug)]
pub struct Stopper(Weak<WithinReach>);

impl Stopper {
    /// Stops the run in good order, and returns at once.
    pub fn stop(&self) {
        if let Some(run) = self.0.upgrade() {
            run.0.stop();
        }
    }
}

#[cfg(all(test, feature = "journal", feature = "bincode", not(miri)))]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde::{Deserialize, Serialize};

    use crate::journal::testing::TempDir;
    use crate::journal::{Journal, JournalConfig};
    use crate::{Handle, Handler, Message, Outbox, Result, messenger};

    #[derive(Message, Serialize, Deserialize)]
    #[message(id = 1, codec = bincode)]
    struct Number(u64);

    #[derive(Handler)]
    #[handler(id = 1, sends(Number))]
    struct Main;

    #[derive(Handler)]
    #[handler(id = 2)]
    struct Ear(Heard);

    type Heard = Arc<Mutex<Vec<u64>>>;

    impl Handle<Number> for Ear {
        fn handle(&mut self, m: &Number, _: &mut Outbox<'_, Self>) -> Result {
            self.0.lock().unwrap().push(m.0);
            Ok(())
        }
    }

    messenger! {
        Hears(heard: Heard);
        outside: [ Main ]
        Only:
            handlers: [ ear: Ear = Ear(Arc::clone(heard)) ]
            routes: [ Main, Number: [ear] ]
    }

    #[test]
    fn what_was_handled_after_the_stop_is_not_handled_again() {
        let dir = TempDir::new();
        let config = JournalConfig::new().segment_bytes(1 << 16);
        let journal = Journal::open(&*dir, config).unwrap();
        let heard = Heard::default();
        let run = || Hears::builder(&journal, Arc::clone(&heard)).resume().run();
        let app = run().unwrap();
        let mut main = app.publisher::<Main>().unwrap();
        let mut stop = 0;
        for n in 0..4 {
            let position = main.send(&Number(n)).unwrap();
            stop = if n == 2 { position } else { stop };
        }
        while heard.lock().unwrap().len() < 4 {
            std::thread::yield_now();
        }
        // Who stops it has looked at the tail before the last two came, and was slow.
        app.control.stop_at(stop);
        app.join().unwrap();
        drop(main);
        run().unwrap().stop().unwrap();
        assert_eq!(*heard.lock().unwrap(), [0, 1, 2, 3]);
    }
}
