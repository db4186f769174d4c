//! messenger's bus, in a ring, in files and between processes.

mod bus;
mod journal;
mod log;
mod mode;
mod processes;

pub(crate) use bus::{Alone, Shared, mapped};
pub(crate) use journal::{JournalBus, JournalReplay, JournalSynced, Journalled, SHORT_SEGMENT};
pub(crate) use log::RingLog;
pub(crate) use mode::{Batches, Blocking, Mode, OneByOne, Singly};
pub(crate) use processes::{Between, Gated, Observed};
