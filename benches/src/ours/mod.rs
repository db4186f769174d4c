//! messenger's bus, in a ring, in files and between processes.

mod bus;
mod journal;
mod log;
mod processes;

pub(crate) use bus::{
    Alone, AloneBatches, AloneNext, Shared, SharedBatches, SharedNext, SharedWaits, mapped,
};
pub(crate) use journal::{
    JournalBus, JournalReplay, JournalSynced, Journalled, JournalledInRuns, SHORT_SEGMENT,
};
pub(crate) use log::RingLog;
pub(crate) use processes::{
    Asleep, Batches, Between, Blocking, Gated, Mode, Observed, OneByOne, Singly,
};
