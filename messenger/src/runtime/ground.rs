//! What a table runs on.

use core::fmt;
#[cfg(feature = "journal")]
use std::path::PathBuf;

use super::describe::{AppInfo, WorkerInfo};
use super::start_error::StartError;
use crate::bus::{Bus, Runs};
#[cfg(feature = "journal")]
use crate::journal::{Journal, Reader};

/// What a table runs on: a [`Bus`] or `&Bus`, or, with the feature `journal`, a `&Journal`, or, with the feature `shared`, a `&SharedBus`. Or what it is only
/// replayed on: a `&Reader`, which can't be written to.
///
/// Nobody makes one by hand: whatever takes a ground takes any of these.
pub struct Ground(pub(crate) On);

pub(crate) enum On {
    Bus(Bus),
    #[cfg(feature = "journal")]
    Journal(Journal),
    #[cfg(feature = "journal")]
    Files(PathBuf),
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Shared(crate::shared::SharedBus),
}

impl Ground {
    /// Sees to it that no other run has this worker. On a shared bus its seat does.
    pub(super) fn run_worker(
        &self,
        app: &AppInfo,
        worker: &WorkerInfo,
    ) -> Result<Option<Runs>, StartError> {
        let (app, worker) = (app.name, worker.name);
        let runs = match &self.0 {
            On::Bus(bus) => bus.run_worker(app, worker),
            #[cfg(feature = "journal")]
            On::Journal(journal) => journal.bus().run_worker(app, worker),
            #[cfg(feature = "journal")]
            _ => return Ok(None),
        };
        runs.map(Some).ok_or(StartError::WorkerRuns { app, worker })
    }
}

impl From<Bus> for Ground {
    fn from(bus: Bus) -> Self {
        Self(On::Bus(bus))
    }
}

impl From<&Bus> for Ground {
    fn from(bus: &Bus) -> Self {
        Self::from(bus.clone())
    }
}

#[cfg(feature = "journal")]
impl From<&Journal> for Ground {
    fn from(journal: &Journal) -> Self {
        Self(On::Journal(journal.clone()))
    }
}

/// Each worker opens a reader of its own in the same directory; the position of this one does not matter.
#[cfg(feature = "journal")]
impl From<&Reader> for Ground {
    fn from(reader: &Reader) -> Self {
        Self(On::Files(reader.path().to_owned()))
    }
}

impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            On::Bus(bus) => bus.fmt(f),
            #[cfg(feature = "journal")]
            On::Journal(journal) => journal.fmt(f),
            #[cfg(feature = "journal")]
            On::Files(path) => f.debug_tuple("Files").field(path).finish(),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            On::Shared(bus) => bus.fmt(f),
        }
    }
}
