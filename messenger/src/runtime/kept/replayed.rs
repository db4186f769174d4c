//! What came of a replay.

use core::fmt;

use super::divergence::{Divergence, Unrecorded};
use crate::journal::{JournalError, SchemaConflict};
use crate::runtime::counters::WorkerCounters;
use crate::runtime::failure::Failure;
use crate::runtime::start_error::StartError;
use crate::words::in_words;

/// What came of a replay.
#[derive(Debug)]
#[non_exhaustive]
#[must_use]
pub struct Replayed {
    /// Where the range begins that was replayed: its first position.
    pub from: u64,
    /// Where it ends: the position behind its last record.
    pub to: u64,
    /// What each worker has done, in the order of the table.
    pub workers: Vec<WorkerCounters>,
    /// How many acts of handlers were compared, and are the same.
    pub compared: u64,
    /// Those that are not, by position: what stands in the journal and is not done, and what is done and is not there, though what the
    /// worker did later is, or that it had answered all by then.
    pub divergences: Vec<Divergence>,
    /// What was done and does not stand in the journal, of which the journal can't say whether it would have been: nothing of the worker stands
    /// behind what it is the answer to. The process died before it could be published, or is about to publish it, or the worker has never
    /// run on this journal. The first of them. [`restore`](crate::Builder::restore) publishes it, but for that of a worker that has never run.
    pub unrecorded: Vec<Unrecorded>,
    /// How many more there were than are listed.
    pub unlisted: u64,
    /// The failures of handlers. None stops a replay.
    pub failures: Vec<Failure>,
}

impl Replayed {
    /// Whether no [divergence](Self::divergences) was found: all that stands in the range was done again as it was done then, and nothing that the
    /// journal shows was not done then. What it can't tell is [`unrecorded`](Self::unrecorded). Also if there was nothing, as of a table that
    /// has never run on it, or had another name then: [`compared`](Self::compared) tells.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.divergences.is_empty()
    }

    /// How many messages were delivered.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.workers.iter().map(|worker| worker.messages).sum()
    }
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "replayed positions {} to {}: {} messages delivered, {} acts compared and the same",
            self.from,
            self.to,
            self.messages(),
            self.compared
        )?;
        for divergence in &self.divergences {
            writeln!(f, "{divergence}")?;
        }
        for unrecorded in &self.unrecorded {
            writeln!(f, "not in the journal: {unrecorded}")?;
        }
        if self.unlisted > 0 {
            writeln!(f, "and {} more", self.unlisted)?;
        }
        for failure in &self.failures {
            writeln!(f, "failure: {failure}")?;
        }
        Ok(())
    }
}

/// A replay could not be done.
#[non_exhaustive]
pub enum ReplayError {
    /// It could not begin, or not go on.
    Start(StartError),
    /// No speed.
    Speed(f64),
    /// What the table says of an id contradicts the journal.
    Conflict(SchemaConflict),
}

impl From<StartError> for ReplayError {
    fn from(error: StartError) -> Self {
        Self::Start(error)
    }
}

impl From<JournalError> for ReplayError {
    fn from(error: JournalError) -> Self {
        Self::Start(StartError::Journal(error))
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Speed(speed) => write!(
                f,
                "{speed} is no speed: 1.0 is that of then, 10.0 ten times that; leave it out to go as fast as it goes"
            ),
            Self::Conflict(error) => error.fmt(f),
        }
    }
}

in_words!(ReplayError);

impl std::error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start(error) => Some(error),
            Self::Speed(_) => None,
            Self::Conflict(error) => Some(error),
        }
    }
}
