//! messenger's bus, in a ring and in files.

mod bus;
mod journal;
mod log;

pub(crate) use bus::{
    Alone, AloneBatches, AloneNext, Shared, SharedBatches, SharedNext, SharedWaits, mapped,
};
pub(crate) use journal::{JournalBus, JournalReplay, JournalSynced, Journalled};
pub(crate) use log::RingLog;
