//! Replay: what a table did on a journal is done again, and compared.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::divergence::{Act, Unrecorded};
use super::pace::Pace;
use super::past::{self, Life, Past};
use super::rehearsal::Findings;
use super::rehearse::{Course, Track};
use super::replayed::{ReplayError, Replayed};
use crate::bus::{Bus, BusConfig, Start};
use crate::journal::{JournalError, JournalFault, Reader, Schema};
use crate::runtime::app::{App, Builder, Spawner};
use crate::runtime::control::Control;
use crate::runtime::counters::Tally;
use crate::runtime::ground::On;
use crate::runtime::link::Link;
use crate::runtime::runner::Runner;
use crate::runtime::start_error::StartError;
use crate::runtime::worker::{Making, Worker, text_of};

/// How many of the acts that stand nowhere in the journal are listed.
const LISTED: usize = 64;

/// What is replayed, and how fast.
///
/// ```
/// use messenger::Replay;
///
/// let at_ten_times_the_speed = Replay::all().from(4096).to(1 << 20).speed(10.0).divergences(100);
/// # let _ = at_ten_times_the_speed;
/// ```
#[derive(Clone, Copy, PartialEq, Debug)]
#[must_use]
pub struct Replay {
    from: u64,
    to: u64,
    speed: Option<f64>,
    most: usize,
}

impl Replay {
    /// All that is there when the replay begins, as fast as it goes, until the first divergence.
    pub const fn all() -> Self {
        Self {
            from: 0,
            to: u64::MAX,
            speed: None,
            most: 1,
        }
    }

    /// Compares what handlers did at this position or later. What they were told before, they are told all the same, or they
    /// would not be where they were; a time's position is to be had from
    /// [`Reader::seek_time`](crate::journal::Reader::seek_time).
    pub const fn from(mut self, position: u64) -> Self {
        self.from = position;
        self
    }

    /// Ends before this position: what stands there or later is told to nobody.
    pub const fn to(mut self, position: u64) -> Self {
        self.to = position;
        self
    }

    /// Lets time pass as it did, `factor` times as fast; 1.0 is recorded speed. It goes by the journal's notes of the time, so what
    /// was published between two of them comes at once. What stands before the range is passed as fast as it goes, and so is
    /// the time in which the table did not run.
    pub const fn speed(mut self, factor: f64) -> Self {
        self.speed = Some(factor);
        self
    }

    /// Goes on after a divergence, until there are so many. Each may be followed by others which it has caused.
    pub const fn divergences(mut self, most: usize) -> Self {
        self.most = most;
        self
    }
}

impl Default for Replay {
    fn default() -> Self {
        Self::all()
    }
}

impl<A: App> Builder<A> {
    /// Runs the table over what a journal has recorded. Nothing is published: what handlers send is compared with what they sent
    /// then.
    ///
    /// The ground is a `&Journal`, or a `&Reader`, of a copy or of a journal that others write meanwhile, or the `&SharedBus` whose
    /// records lie in one. Each worker has a
    /// thread and reads the journal by itself: the records that it got then, in that order. Its handlers are made again where
    /// they were made then. Records of sources outside of the table are given, not compared. See
    /// [`restore`](Self::restore) for what is asked of handlers; `on_stop` is called at the end, and what it sends is not looked at.
    ///
    /// ```
    /// use messenger::bus::Start;
    /// use messenger::journal::{Journal, JournalConfig, Reader};
    /// # #[cfg(feature = "bincode")] {
    /// use messenger::{Handle, Handler, Message, Outbox, Replay, Result, messenger};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Message, Serialize, Deserialize)]
    /// #[message(id = 1, codec = bincode)]
    /// pub struct Sale(u64);
    ///
    /// #[derive(Message, Serialize, Deserialize)]
    /// #[message(id = 2, codec = bincode)]
    /// pub struct Sum(u64);
    ///
    /// #[derive(Handler)]
    /// #[handler(id = 1, sends(Sum))]
    /// pub struct Book { sum: u64, tax: u64 }
    ///
    /// impl Handle<Sale> for Book {
    ///     fn handle(&mut self, sale: &Sale, out: &mut Outbox<'_, Self>) -> Result {
    ///         self.sum += sale.0 + sale.0 * self.tax / 100;
    ///         out.send(&Sum(self.sum))
    ///     }
    /// }
    ///
    /// #[derive(Handler)]
    /// #[handler(id = 2, sends(Sale))]
    /// pub struct Main;
    ///
    /// messenger! {
    ///     Till(tax: u64);
    ///     outside: [ Main ]
    ///     Desk:
    ///         handlers: [ book: Book = Book { sum: 0, tax: *tax } ]
    ///         routes: [ Main, Sale: [book] ]
    ///     drop: [ Book, Sum ]
    /// }
    ///
    /// # let dir = std::env::temp_dir().join(format!("messenger-doc-replay-{}", std::process::id()));
    /// # #[cfg(not(miri))] {
    /// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
    /// let till = Till::builder(&journal, 20).run()?;
    /// till.publisher::<Main>()?.send(&Sale(100))?;
    /// till.stop()?;
    ///
    /// let reader = Reader::open(&dir)?;
    /// let replayed = Till::builder(&reader, 20).replay(Replay::all())?;
    /// assert!(replayed.is_exact() && replayed.compared == 1);
    ///
    /// // What if the tax had been lower?
    /// let replayed = Till::builder(&reader, 10).replay(Replay::all())?;
    /// let divergence = &replayed.divergences[0];
    /// assert_eq!(divergence.recorded.as_ref().unwrap().bytes, 120_u64.to_le_bytes());
    /// assert_eq!(divergence.sent.as_ref().unwrap().bytes, 110_u64.to_le_bytes());
    /// # std::fs::remove_dir_all(&dir)?;
    /// # }
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReplayError`]: the ground is no journal in files, it can't be read or ends before the range, its schema contradicts the
    /// table, handlers can't be made, or a worker ran as a pool of several processes. Divergences are no errors: they are the result.
    pub fn replay(self, replay: Replay) -> Result<Replayed, ReplayError> {
        if let Some(speed) = replay.speed.filter(|speed| speed.is_nan() || *speed <= 0.0) {
            return Err(ReplayError::Speed(speed));
        }
        let workers = self.workers()?;
        let path = match &self.ground.0 {
            On::Files(path) => Some(&**path),
            On::Journal(journal) => journal.path(),
            On::Bus(_) => None,
            #[cfg(all(feature = "shared", target_os = "linux"))]
            On::Shared(shared) => shared.journal().and_then(crate::journal::Journal::path),
        };
        let path = path
            .map(Path::to_owned)
            .ok_or(StartError::NotKept { what: "replayed" })?;
        let reader = Reader::open(&path).map_err(StartError::Open)?;
        let mut schema = reader.schema().clone();
        let admitted = schema.admit(&Schema::from(A::INFO));
        admitted.map_err(ReplayError::Conflict)?;
        let (oldest, newest) = (reader.oldest()?, reader.newest()?);
        if replay.from > newest {
            // Nothing would be compared, and all of it be exact.
            let position = replay.from;
            let ahead = JournalFault::Ahead { position, newest };
            return Err(JournalError::new(&path, ahead).into());
        }
        let (from, to) = (replay.from.max(oldest), replay.to.min(newest));
        let pasts = workers
            .iter()
            .map(|&worker| Past::of(A::INFO.name, A::INFO.workers[worker]));
        let pasts = past::read(reader, newest, self.patience, pasts.collect())?;
        let bus = BusConfig::bytes(4096).members(2 * workers.len() + 2);
        let bus =
            Bus::new(bus).map_err(|error| StartError::Thread(std::io::Error::other(error)))?;
        let mut control = Control::new(bus, self.patience, self.watch);
        control.replays = true;
        let control = Arc::new(control);
        let findings = Arc::new(Findings::new(replay.most));
        let config = Arc::new(self.config);
        let outcome = Arc::default();
        let mut tallies = Vec::with_capacity(workers.len());
        let mut threads = Vec::with_capacity(workers.len());
        for (&worker, past) in workers.iter().zip(pasts) {
            let tally = Arc::new(Tally::new(A::INFO.workers[worker]));
            tallies.push(Arc::clone(&tally));
            let lives = lives(
                past,
                A::INFO.workers[worker].name,
                &schema,
                (oldest, newest),
            )?;
            let lives = lives.into_iter();
            let part = Part {
                path: path.clone(),
                config: Arc::clone(&config),
                control: Arc::clone(&control),
                tally,
                lives: { lives }
                    .filter(|life| life.end > from && (life.begun < to || life.start < to))
                    .collect(),
                from,
                to,
                pace: replay.speed.map(|speed| Pace::new(speed, from)),
                findings: Arc::clone(&findings),
                patience: self.patience,
                outcome: Arc::clone(&outcome),
            };
            let mut spawner = Spawner {
                start: None,
                replay: Some(part),
                thread: None,
                app: core::marker::PhantomData,
            };
            A::spawn(worker, &mut spawner);
            threads.push(spawner.thread);
        }
        for thread in threads {
            match thread {
                // What panicked has been caught, and told in the outcome.
                Some(Ok(thread)) => drop(thread.join()),
                Some(Err(error)) => lock(&outcome).failed(StartError::Thread(error)),
                None => lock(&outcome).failed(StartError::no_workers::<A>()),
            }
        }
        let outcome = core::mem::take(&mut *lock(&outcome));
        if let Some(error) = outcome.error {
            return Err(ReplayError::Start(error));
        }
        let counters = tallies.iter().map(|tally| tally.read(control.begun));
        let report = match control.result(counters.collect()) {
            Ok(report) => report,
            Err(failed) => failed.into_report(),
        };
        let divergences = core::mem::take(&mut *findings.found());
        Ok(Replayed {
            from,
            to,
            workers: report.workers,
            compared: outcome.compared,
            divergences,
            unrecorded: outcome.unrecorded,
            unlisted: outcome.unlisted,
            failures: report.failures,
        })
    }
}

/// The lives of a worker; if it has had none, that which it would have had.
fn lives(
    mut past: Past,
    worker: &'static str,
    schema: &Schema,
    (oldest, newest): (u64, u64),
) -> Result<Vec<Life>, StartError> {
    let known = past.lives.len();
    // One that went on where another had got has begun before its beginning was noted down.
    past.lives.retain(|life| life.start >= oldest);
    if !past.lives.is_empty() {
        return Ok(past.lives);
    }
    if past.cut || known > 0 {
        return Err(past.error(worker, oldest, schema));
    }
    Ok(vec![Life {
        begun: u64::MAX,
        start: oldest,
        end: newest,
        ..Life::default()
    }])
}

/// What all workers of a replay find.
#[derive(Default)]
struct Outcome {
    compared: u64,
    unrecorded: Vec<Unrecorded>,
    unlisted: u64,
    error: Option<StartError>,
}

impl Outcome {
    fn failed(&mut self, error: StartError) {
        self.error.get_or_insert(error);
    }
}

fn lock(outcome: &Mutex<Outcome>) -> std::sync::MutexGuard<'_, Outcome> {
    outcome.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The part of one worker in a replay.
pub(crate) struct Part<A: App> {
    path: PathBuf,
    config: Arc<A::Config>,
    control: Arc<Control>,
    tally: Arc<Tally>,
    lives: Vec<Life>,
    from: u64,
    to: u64,
    pace: Option<Pace>,
    findings: Arc<Findings>,
    patience: Duration,
    outcome: Arc<Mutex<Outcome>>,
}

impl<A: App> Part<A> {
    pub(in crate::runtime) fn spawn<W: Worker<App = A>>(self) -> std::io::Result<JoinHandle<()>> {
        let name = format!("{}.{}", A::INFO.name, W::INFO.name);
        std::thread::Builder::new().name(name).spawn(move || {
            let gone = catch_unwind(AssertUnwindSafe(|| self.run::<W>()));
            let error = match gone {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error,
                Err(panic) => StartError::Thread(std::io::Error::other(format!(
                    "panicked, perhaps in the drop of a handler: {}",
                    text_of(&*panic)
                ))),
            };
            lock(&self.outcome).failed(error);
        })
    }

    fn run<W: Worker<App = A>>(&self) -> Result<(), StartError> {
        for life in &self.lives {
            self.live::<W>(life)?;
            if lock(&self.outcome).error.is_some() {
                break;
            }
        }
        Ok(())
    }

    fn live<W: Worker<App = A>>(&self, life: &Life) -> Result<(), StartError> {
        let mut making = Making::new(const { &W::INFO });
        let Some(worker) = W::make(&self.config, &mut making) else {
            return making.failure.map_or(Ok(()), |failure| Err(failure.into()));
        };
        let (control, tally) = (Arc::clone(&self.control), Arc::clone(&self.tally));
        // Of a bus that nobody uses.
        let subscriber = control.bus.subscribe(Start::Newest)?;
        let publisher = control.bus.publisher()?;
        let link = Link::new(const { &W::INFO }, control, tally, publisher);
        let mut runner = Runner::new(worker, link, subscriber, Arc::clone(&self.config));
        if let Some(handler) = runner.async_handler() {
            return Err(StartError::Async {
                worker: W::INFO.name,
                handler,
            });
        }
        let reader = Reader::open(&self.path).map_err(StartError::Open)?;
        let mut course = Course {
            reader,
            life: life.clone(),
            from: self.from,
            to: self.to,
            findings: Arc::clone(&self.findings),
            patience: self.patience,
            pace: self.pace.clone(),
            stopped: false,
            compared: 0,
            track: Track::of::<W>(),
        };
        runner.rehearse(&mut course)?;
        let reached = course.reader.position() >= course.life.end;
        runner.finish(|rehearsal| {
            let mut outcome = lock(&self.outcome);
            outcome.compared += course.compared;
            let unrecorded = rehearsal.left().into_iter().filter(|_| reached);
            for (input, act) in unrecorded {
                if outcome.unrecorded.len() < LISTED {
                    outcome.unrecorded.push(Unrecorded {
                        worker: W::INFO.name,
                        input,
                        act: Act::of(A::INFO, act.tag, act.is_note, act.payload),
                    });
                } else {
                    outcome.unlisted += 1;
                }
            }
        });
        Ok(())
    }
}
