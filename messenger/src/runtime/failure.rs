//! What went wrong in a run, and the report at its end.

use core::any::Any;
use core::fmt;

use super::counters::WorkerCounters;
use super::describe::WorkerInfo;
use super::error::HandlerError;
use super::worker::text_of;
use crate::bus::{MessageId, ReadError, SourceId};
use crate::message::DecodeError;
use crate::words::in_words;

/// Something that went wrong: where, with what, and how.
#[non_exhaustive]
pub struct Failure {
    /// The worker's name.
    pub worker: &'static str,
    /// The handler's name in the table, if it is a handler's failure. One that panics in its `Drop` as the worker ends is not named.
    pub handler: Option<&'static str>,
    /// For what a handler was called as it failed; `None`: none was.
    pub call: Option<Call>,
    /// The record at fault, if there is one.
    pub record: Option<FailedRecord>,
    /// What happened.
    pub kind: FailureKind,
}

/// For what a handler is called.
///
/// ```
/// assert_eq!(messenger::Call::OnTimer.to_string(), "`on_timer`");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Call {
    /// To be made: the table's expression for it. Where that makes it again, also the `Drop` of the one before it.
    Constructor,
    /// [`on_start`](super::Lifecycle::on_start).
    OnStart,
    /// [`handle`](super::Handle::handle), with a message.
    OnMessage,
    /// [`on_loop`](super::Lifecycle::on_loop).
    OnLoop,
    /// [`on_timer`](super::Lifecycle::on_timer).
    OnTimer,
    /// [`on_stop`](super::Lifecycle::on_stop).
    OnStop,
    /// Its `Drop`, as the worker ends.
    Dropped,
}

/// Which record a failure is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FailedRecord {
    /// Its position on the bus.
    pub position: u64,
    /// The id of who sent it.
    pub source: SourceId,
    /// The name of who sent it.
    pub source_name: &'static str,
    /// The message's id.
    pub message: MessageId,
    /// The message's name.
    pub message_name: &'static str,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// The handler returned an error, or its constructor did.
    Returned(HandlerError),
    /// The handler panicked.
    Panicked {
        /// The panic's text.
        text: String,
        /// What the worker's policy made of it.
        then: AfterPanic,
    },
    /// The handler is async, and its end was to be waited for by the only thread that runs its task.
    #[cfg(feature = "tokio")]
    OnlyThread,
    /// The record did not decode.
    Undecodable(DecodeError),
    /// The worker could not read on.
    Read(ReadError),
    /// The worker's thread could not be put on its core.
    Pin {
        /// The core.
        core: usize,
        /// Why.
        error: std::io::Error,
    },
    /// The worker could not store how far it has got.
    #[cfg(feature = "journal")]
    Cursor(crate::journal::CursorError),
    /// What the bus says of the worker, which is a pool, can't be.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Pool(crate::shared::SharedError),
    /// A member of the worker's pool has died and owed records, and not all of them are retained. The worker goes on without them.
    Missed {
        /// Where what it owed begins.
        position: u64,
        /// The oldest position that is retained.
        oldest: u64,
    },
    /// A claim made before the stop was neither committed nor aborted in time, and what stands after it was not
    /// delivered.
    Unfinished {
        /// The claim's position.
        position: u64,
        /// The position up to which records should have been delivered.
        cut_off: u64,
    },
}

/// What a worker's policy made of a panic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AfterPanic {
    /// The messenger stops.
    Stopped,
    /// That worker stops.
    WorkerStopped,
    /// The handler was made again.
    Restarted,
    /// The handler has been made again as often as its worker allows: the messenger stops.
    TooManyRestarts {
        /// The most restarts that are allowed.
        times: u32,
    },
}

impl Failure {
    /// One that is no handler's, and about no record.
    pub(crate) fn of(worker: &'static str, kind: FailureKind) -> Self {
        Self {
            worker,
            handler: None,
            call: None,
            record: None,
            kind,
        }
    }

    /// One of the handler at `index`, about no record.
    pub(crate) fn of_handler(
        worker: &WorkerInfo,
        index: usize,
        call: Option<Call>,
        kind: FailureKind,
    ) -> Self {
        Self {
            handler: Some(worker.handlers[index].name),
            call,
            ..Self::of(worker.name, kind)
        }
    }
}

impl FailureKind {
    /// A panic that stops the messenger.
    pub(crate) fn fatal(panic: &(dyn Any + Send)) -> Self {
        Self::Panicked {
            text: text_of(panic),
            then: AfterPanic::Stopped,
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constructor => "its constructor",
            Self::OnStart => "`on_start`",
            Self::OnMessage => "`handle`",
            Self::OnLoop => "`on_loop`",
            Self::OnTimer => "`on_timer`",
            Self::OnStop => "`on_stop`",
            Self::Dropped => "the `Drop` of a handler",
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worker `{}`", self.worker)?;
        if let Some(handler) = self.handler {
            write!(f, ", handler `{handler}`")?;
        }
        match (&self.record, self.call) {
            (Some(record), _) => write!(
                f,
                ", message `{}` from `{}` at position {}",
                record.message_name, record.source_name, record.position
            )?,
            (None, Some(call)) => write!(f, ", in {call}")?,
            (None, None) => {}
        }
        f.write_str(": ")?;
        match &self.kind {
            FailureKind::Returned(error) => error.fmt(f),
            FailureKind::Panicked { text, then } => {
                write!(f, "panicked: {text}")?;
                match then {
                    AfterPanic::Stopped => f.write_str(" (the messenger stopped)"),
                    AfterPanic::WorkerStopped => f.write_str(" (the worker stopped)"),
                    AfterPanic::Restarted => f.write_str(" (the handler was made again)"),
                    AfterPanic::TooManyRestarts { times } => write!(
                        f,
                        " (after as many restarts as `restart({times}, ..)` allows: the messenger stopped)"
                    ),
                }
            }
            #[cfg(feature = "tokio")]
            FailureKind::OnlyThread => f.write_str(
                "it is async, and who was to wait for its end is the only thread that runs its task: await `stop_async` or `join_async` there. \
                 The messenger has been told to stop, and ends as soon as that thread runs tasks again",
            ),
            FailureKind::Undecodable(error) => write!(f, "does not decode: {error}"),
            FailureKind::Read(error) => error.fmt(f),
            FailureKind::Pin { core, error } => {
                write!(f, "cannot run on core {core}: {error}")
            }
            #[cfg(feature = "journal")]
            FailureKind::Cursor(error) => error.fmt(f),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            FailureKind::Pool(error) => error.fmt(f),
            FailureKind::Missed { position, oldest } => write!(
                f,
                "a member of the pool died and owed what begins at position {position}, and the bus retains only what begins at \
                 {oldest}: that is lost. Make the ring longer"
            ),
            FailureKind::Unfinished { position, cut_off } => write!(
                f,
                "a claim at position {position} was neither committed nor aborted in time, so nothing from there \
                 to the stop at {cut_off} was delivered: does a publisher hold a claim?"
            ),
        }
    }
}

in_words!(Failure);

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            FailureKind::Undecodable(error) => Some(error),
            FailureKind::Read(error) => Some(error),
            FailureKind::Pin { error, .. } => Some(error),
            #[cfg(feature = "journal")]
            FailureKind::Cursor(error) => Some(error),
            _ => None,
        }
    }
}

/// The end of a run.
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
/// till.publisher::<Main>()?.send(&Sale { cents: 890_000 })?;
/// let report = till.stop()?;
/// print!("{report}");
/// assert_eq!((report.messages(), report.late()), (1, 0));
/// assert_eq!(
///     report.failures[0].to_string(),
///     "worker `Office`, handler `book`, message `Sale` from `Main` at position 0: too much"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Report {
    /// The position of the stop: what was committed before it was delivered. `None`: the workers ended by themselves.
    pub cut_off: Option<u64>,
    /// What each worker has done, in the order of the table.
    pub workers: Vec<WorkerCounters>,
    /// What went wrong, the first failures first.
    pub failures: Vec<Failure>,
    /// How many failures more there were than are listed.
    pub unlisted: u64,
}

impl Report {
    /// How many records for these workers stand on the bus after the stop, and were not delivered.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.workers.iter().map(|worker| worker.late).sum()
    }

    /// How many messages were delivered.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.workers.iter().map(|worker| worker.messages).sum()
    }
}

impl fmt::Display for Report {
    /// A table: a line per worker, a line per route below it, then the failures.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for worker in &self.workers {
            worker.fmt(f)?;
        }
        for failure in &self.failures {
            writeln!(f, "failure: {failure}")?;
        }
        match self.unlisted {
            0 => Ok(()),
            more => writeln!(f, "and {more} failures more"),
        }
    }
}

/// A failure stopped the messenger.
pub struct Failed {
    /// The failure is in the report, at this place.
    at: usize,
    report: Report,
}

impl Failed {
    pub(crate) fn new(at: usize, report: Report) -> Self {
        Self { at, report }
    }

    /// What stopped the messenger.
    #[must_use]
    pub fn failure(&self) -> &Failure {
        &self.report.failures[self.at]
    }

    /// The report of the run.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The report of the run.
    #[must_use]
    pub fn into_report(self) -> Report {
        self.report
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.failure().fmt(f)
    }
}

in_words!(Failed);

impl std::error::Error for Failed {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.failure().source()
    }
}

#[cfg(all(test, not(loom), feature = "shared", target_os = "linux"))]
mod tests {
    use super::*;
    use crate::journal::CursorError;
    use crate::shared::SharedBus;

    /// What only a disk that fails in place, forged words, or a death at the worst moment bring about.
    #[test]
    fn says_what_seldom_comes() {
        let pool = SharedBus::open("no/name").unwrap_err();
        let name = "Table.Crew".to_owned();
        let cursor = CursorError::Position { name, position: 7 };
        let kinds = [
            (FailureKind::Pool(pool), "`no/name` is no name of a bus"),
            (
                FailureKind::Cursor(cursor),
                "the cursor `Table.Crew` was to be stored at 7, where no record can stand",
            ),
            (
                FailureKind::Missed {
                    position: 64,
                    oldest: 4096,
                },
                "worker `Crew`: a member of the pool died and owed what begins at position 64, and the bus retains only what begins at 4096: \
                 that is lost. Make the ring longer",
            ),
        ];
        for (kind, text) in kinds {
            let said = Failure::of("Crew", kind).to_string();
            assert!(said.contains(text), "{said}");
        }
    }
}
