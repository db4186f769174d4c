//! Why a run did not start.

use core::fmt;

use super::app::App;
use super::failure::Failure;
use crate::bus::JoinError;
use crate::words::in_words;

/// A run did not start. Nothing of it runs any more.
#[non_exhaustive]
pub enum StartError {
    /// The bus has no slots left for the workers that were to run.
    NoFreeSlot {
        /// How many slots these take: two each, one for each async handler, and one more while a journal is restored.
        needs: usize,
        /// How many the bus has, free or not.
        members: usize,
    },
    /// The bus has not the position where the workers are to begin.
    Join(JoinError),
    /// Who is on the bus already gives an id another meaning.
    Conflict(crate::bus::NameConflict),
    /// The system gives a worker no thread, or it panicked outside of what handlers do.
    Thread(std::io::Error),
    /// No worker was chosen, or one that the table hasn't got.
    NoWorkers {
        /// The table's name.
        app: &'static str,
        /// The workers that it has.
        workers: Vec<&'static str>,
    },
    /// The table has no worker of this name.
    NoWorker {
        /// The table's name.
        app: &'static str,
        /// The name.
        name: String,
        /// Those that it has.
        workers: Vec<&'static str>,
    },
    /// A worker runs already, in another run on the same bus or journal. (On a bus that processes share: `SharedFault::WorkerRuns`.)
    WorkerRuns {
        /// The table's name.
        app: &'static str,
        /// The worker's name.
        worker: &'static str,
    },
    /// A handler is async, and its start was to be waited for by the only thread that runs its task.
    #[cfg(feature = "tokio")]
    OnlyThread {
        /// The worker's name.
        worker: &'static str,
        /// The handler's name.
        handler: &'static str,
    },
    /// A constructor or an `on_start` failed, or a worker could not be put on its core; or a failure stopped the run while it
    /// was restored.
    Failed(Box<Failure>),
    /// What it runs on is no journal in files, and can't be resumed, restored or replayed.
    #[cfg(feature = "journal")]
    NotKept {
        /// What was to be done with it.
        what: &'static str,
    },
    /// What it is to run on is the bus, or the journal, that a `SharedBus` has: processes share it.
    NotAlone,
    /// It is to run on what can only be read.
    #[cfg(feature = "journal")]
    ReadOnly {
        /// The journal's directory.
        path: std::path::PathBuf,
    },
    /// The journal can't be opened for reading.
    #[cfg(feature = "journal")]
    Open(crate::journal::OpenError),
    /// The journal can't be read, or says something else of the table's ids.
    #[cfg(feature = "journal")]
    Journal(crate::journal::JournalError),
    /// A worker's cursor can't be had.
    #[cfg(feature = "journal")]
    Cursor(crate::journal::CursorError),
    /// The journal does not have all that a worker's handlers were told.
    #[cfg(feature = "journal")]
    Cut {
        /// The worker's name.
        worker: &'static str,
        /// The oldest position that is retained.
        oldest: u64,
        /// Other names under which its handlers may have run: of a table and a worker, with a dot between.
        ran_as: Vec<String>,
    },
    /// A worker to be restored has not run under its name, and one has run on the journal whose name no table there has any more, or that had a
    /// handler of this one.
    #[cfg(feature = "journal")]
    Renamed {
        /// The worker's name.
        worker: &'static str,
        /// The names of such ones: of a table and a worker, with a dot between.
        ran_as: Vec<String>,
    },
    /// A claim in the journal was neither committed nor aborted in time.
    #[cfg(feature = "journal")]
    Unfinished {
        /// The claim's position.
        position: u64,
        /// Up to where the journal was to be read.
        end: u64,
    },
    /// What a worker begins with can't be written to the journal: nobody makes room in time, the journal can't grow, or what is still to be sent
    /// of a worker that is restored was sent on one with a longer bound.
    #[cfg(feature = "journal")]
    Unnoted {
        /// The worker's name.
        worker: &'static str,
        /// Why not.
        error: crate::bus::ClaimError,
    },
    /// Tasks do not do the same again, so a table with an async handler is neither restored nor replayed.
    #[cfg(feature = "journal")]
    Async {
        /// The worker's name.
        worker: &'static str,
        /// The handler's name.
        handler: &'static str,
    },
    /// What each member of a pool was given stands nowhere, so what several processes ran as one is neither restored nor replayed.
    #[cfg(feature = "journal")]
    Pool {
        /// The worker's name.
        worker: &'static str,
    },
    /// The table, or a worker of it, can't be had on the shared bus.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Shared(crate::shared::SharedError),
    /// What a worker was to go on with, after another process, is not retained any more.
    Missed {
        /// The worker's name.
        worker: &'static str,
        /// Up to where the worker had handled everything.
        position: u64,
        /// The oldest position that is retained.
        oldest: u64,
    },
    /// A handler does something else now than what the journal has of it.
    #[cfg(feature = "journal")]
    Diverged(Box<super::Divergence>),
}

impl StartError {
    /// None of the table's workers is to run.
    pub(super) fn no_workers<A: App>() -> Self {
        Self::NoWorkers {
            app: A::INFO.name,
            workers: worker_names::<A>(),
        }
    }

    /// The table has no worker of this name.
    pub(super) fn no_worker<A: App>(name: &str) -> Self {
        Self::NoWorker {
            app: A::INFO.name,
            name: name.to_owned(),
            workers: worker_names::<A>(),
        }
    }
}

fn worker_names<A: App>() -> Vec<&'static str> {
    A::INFO.workers.iter().map(|worker| worker.name).collect()
}

impl From<Failure> for StartError {
    fn from(failure: Failure) -> Self {
        Self::Failed(Box::new(failure))
    }
}

impl From<JoinError> for StartError {
    fn from(error: JoinError) -> Self {
        Self::Join(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFreeSlot { needs, members } => write!(
                f,
                "the workers that were to run take {needs} of the bus's slots for members (two each, and one for each async handler), and not so many are \
                 free: it has {members} in all. Make it with more (`members`, of its `BusConfig`, `JournalConfig` or `SharedOptions`), or drop publishers \
                 and subscriptions that are not needed"
            ),
            Self::Join(error) => error.fmt(f),
            Self::Conflict(error) => error.fmt(f),
            Self::Thread(error) => write!(f, "the thread of a worker did not start: {error}"),
            Self::NoWorkers { app, workers } => {
                let workers = workers.join(", ");
                write!(
                    f,
                    "no worker of `{app}` is to run: choose at least one of {workers} with `only` or `only_named`"
                )?;
                if cfg!(all(feature = "shared", target_os = "linux")) {
                    f.write_str("; on a bus that processes share, one that only sends or listens says `outside()`")?;
                }
                Ok(())
            }
            Self::NoWorker { app, name, workers } => write!(
                f,
                "`{app}` has no worker `{name}`: it has {}",
                workers.join(", ")
            ),
            Self::WorkerRuns { app, worker } => write!(
                f,
                "the worker `{worker}` of `{app}` runs on this bus already, and each record would be handled twice: stop that run first, choose \
                 other workers (`only`), or use another bus"
            ),
            #[cfg(feature = "tokio")]
            Self::OnlyThread { worker, handler } => write!(
                f,
                "the handler `{handler}` of worker `{worker}` is async, and this is the only thread that runs its task, so `run` would wait for \
                 ever: call `run_async` in place of it, and await that"
            ),
            Self::Failed(failure) => failure.fmt(f),
            #[cfg(feature = "journal")]
            Self::NotKept { what } => write!(
                f,
                "only on a journal in files can a table be {what}: give `builder` a `&Journal` that was opened with a path, or a `&SharedBus` whose records lie in one"
            ),
            Self::NotAlone => f.write_str(
                "processes share that bus, and which of them runs a worker stands elsewhere: give `builder` the `&SharedBus`, and not its `bus()` or `journal()`",
            ),
            #[cfg(feature = "journal")]
            Self::ReadOnly { path } => write!(
                f,
                "nothing runs on a reader of the journal in {}: open it as a `Journal`, or replay it",
                path.display()
            ),
            #[cfg(feature = "journal")]
            Self::Open(error) => error.fmt(f),
            #[cfg(feature = "journal")]
            Self::Journal(error) => error.fmt(f),
            #[cfg(feature = "journal")]
            Self::Cursor(error) => error.fmt(f),
            #[cfg(feature = "journal")]
            Self::Cut {
                worker,
                oldest: 0,
                ran_as,
            } => {
                write!(
                    f,
                    "the handlers of worker `{worker}` have run on this journal, "
                )?;
                match &ran_as[..] {
                    [] => f.write_str(
                        "and nothing is noted down of it, as if something else had sent by their ids: begin anew with `run()`",
                    ),
                    names => write!(
                        f,
                        "and not under this name: worker and table were called `{}`; give them their old names, or begin anew with `run()`",
                        names.join("` or `")
                    ),
                }
            }
            #[cfg(feature = "journal")]
            Self::Cut {
                worker,
                oldest,
                ran_as,
            } => {
                write!(
                    f,
                    "what the handlers of worker `{worker}` were told first is not retained any more: the journal's oldest record stands at \
                     {oldest}; retain more, or begin anew with `run()`"
                )?;
                match &ran_as[..] {
                    [] => Ok(()),
                    names => write!(
                        f,
                        ". If they ran as `{}`, give worker and table their old names",
                        names.join("` or `")
                    ),
                }
            }
            #[cfg(feature = "journal")]
            Self::Renamed { worker, ran_as } => write!(
                f,
                "worker `{worker}` has not run on this journal, and `{}` has, which may be the same under the name that it or its table had then: give \
                 it that name, or, if it is new, begin with `run()` (`only` chooses it)",
                ran_as.join("` or `")
            ),
            #[cfg(feature = "journal")]
            Self::Unfinished { position, end } => write!(
                f,
                "a claim at position {position} was neither committed nor aborted in time, so the journal can't be read up to {end}: does a \
                 publisher hold a claim?"
            ),
            #[cfg(feature = "journal")]
            Self::Unnoted { worker, error } => {
                write!(f, "what the worker `{worker}` begins with can't be written to the journal: {error}")
            }
            #[cfg(feature = "journal")]
            Self::Async { worker, handler } => write!(
                f,
                "handler `{handler}` of worker `{worker}` is async: when its task sends is not for the journal to say, so the table can be \
                 neither restored nor replayed; choose the other workers with `only`"
            ),
            #[cfg(feature = "journal")]
            Self::Pool { worker } => write!(
                f,
                "worker `{worker}` is a pool that processes share: which of its members was given what is not for the journal to say, so it can be \
                 neither restored nor replayed; choose the other workers with `only`"
            ),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Shared(error) => error.fmt(f),
            Self::Missed {
                worker,
                position,
                oldest,
            } => write!(
                f,
                "the worker `{worker}` has handled everything up to position {position}, and the oldest record on the bus stands at {oldest}: \
                 {} bytes of it are lost to it. Make the bus longer, or hold them for it (`SharedOptions::hold_for_workers`); to go on \
                 without them, forget where it was (`SharedBus::forget_worker`)",
                oldest - position
            ),
            #[cfg(feature = "journal")]
            Self::Diverged(divergence) => {
                write!(f, "{divergence}. Nothing has been published: go back to the build that ")?;
                match &divergence.undecodable {
                    None => f.write_str(
                        "did what the journal has (if this is that build, a handler goes by something that differs from run to run, such as a clock, a \
                         process number or the order of a `HashMap`)",
                    ),
                    Some(first) => write!(
                        f,
                        "reads it (what has other fields than `{}` had gets an id and a name of its own)",
                        first.record.message_name
                    ),
                }?;
                f.write_str(", or begin anew with `run()`")
            }
        }
    }
}

in_words!(StartError);

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Join(error) => Some(error),
            Self::Thread(error) => Some(error),
            #[cfg(feature = "journal")]
            Self::Open(error) => Some(error),
            #[cfg(feature = "journal")]
            Self::Journal(error) => Some(error),
            #[cfg(feature = "journal")]
            Self::Cursor(error) => Some(error),
            #[cfg(feature = "journal")]
            Self::Unnoted { error, .. } => Some(error),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Shared(error) => Some(error),
            _ => None,
        }
    }
}
