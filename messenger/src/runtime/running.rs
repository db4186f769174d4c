//! A table that runs.

use core::fmt;
use core::marker::PhantomData;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use super::app::App;
use super::control::Control;
use super::counters::{Tally, WorkerCounters};
use super::describe::AppInfo;
use super::failure::{Failed, Failure, FailureKind, Report};
use super::handler::Outside;
use super::publish::SourcePublisher;
use super::subscribe::{MessageSet, Reader, Subscription};
use super::worker::text_of;
use crate::bus::{Bus, JoinError, Registration, Start};

/// The run of a table. Dropped, it stops and joins its workers.
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
    /// Held for its drop, which takes the table's names off the bus.
    _registration: Registration,
    app: PhantomData<fn(&A)>,
}

impl<A: App> Running<A> {
    pub(crate) fn new(
        control: Arc<Control>,
        tallies: Vec<Arc<Tally>>,
        threads: Vec<(&'static str, JoinHandle<()>)>,
        registration: Registration,
    ) -> Self {
        Self {
            within_reach: Some(Arc::new(WithinReach(Arc::clone(&control)))),
            control,
            tallies,
            threads,
            _registration: registration,
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
    /// threads are joined.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a failure stopped the run before.
    pub fn stop(self) -> Result<Report, Failed> {
        self.control.stop();
        self.join()
    }

    /// Waits until the run has ended: stopped by a handler, a [`Stopper`] or a failure.
    ///
    /// # Errors
    ///
    /// [`Failed`] if a failure stopped it.
    pub fn join(mut self) -> Result<Report, Failed> {
        self.join_all();
        self.control.result(self.counters())
    }

    /// As [`join`](Self::join), for callers on a thread of the tokio runtime; call [`Stopper::stop`] before to
    /// [`stop`](Self::stop).
    ///
    /// # Errors
    ///
    /// As for [`join`](Self::join).
    ///
    /// # Panics
    ///
    /// If the tokio runtime shuts down meanwhile.
    #[cfg(feature = "tokio")]
    pub async fn join_async(self) -> Result<Report, Failed> {
        match tokio::task::spawn_blocking(move || self.join()).await {
            Ok(result) => result,
            Err(error) => std::panic::resume_unwind(Box::new(error.to_string())),
        }
    }

    fn join_all(&mut self) {
        for (worker, thread) in core::mem::take(&mut self.threads) {
            if let Err(panic) = thread.join() {
                self.control.fail(Failure {
                    worker,
                    handler: None,
                    record: None,
                    kind: FailureKind::Panicked {
                        text: text_of(&*panic),
                        then: super::failure::AfterPanic::WorkerStopped,
                    },
                });
            }
        }
    }
}

impl<A: App> Drop for Running<A> {
    fn drop(&mut self) {
        self.control.stop();
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
