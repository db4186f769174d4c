//! What the tests of the journal share.

#[path = "../support/dir.rs"]
mod dir;

use std::time::Duration;

#[cfg(not(miri))]
use messenger::bus::Start;
use messenger::bus::{MessageId, SourceId, Tag};
use messenger::journal::{Journal, JournalConfig};

#[cfg(not(miri))]
use crate::until::until;

pub(crate) use dir::Dir;

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        Self::under(&std::env::temp_dir(), name)
    }

    pub(crate) fn open(&self, config: JournalConfig) -> Journal {
        Journal::open(self, config).unwrap()
    }
}

/// Small segments, so that there are many.
pub(crate) fn small() -> JournalConfig {
    // So that it can be told which segments there are.
    JournalConfig::new().segment_bytes(4096).ahead(1)
}

/// The same without notes of the time, of which one that is not finished may stand before a record.
pub(crate) fn quiet() -> JournalConfig {
    small().time_resolution(Duration::ZERO)
}

/// Waits until all is finished that has been claimed by now.
#[cfg(not(miri))]
pub(crate) fn finished(journal: &Journal) {
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let tail = journal.bus().tail();
    until("all is finished", || {
        while subscriber.try_next().unwrap().is_some() {}
        subscriber.position() >= tail
    });
}

pub(crate) fn tag(n: u16) -> Tag {
    Tag::new(SourceId::new(n), MessageId::new(n + 1))
}

/// `len` bytes that tell `seed` and every place in them apart.
pub(crate) fn payload(seed: u64) -> Vec<u8> {
    let len = (seed.wrapping_mul(0x9E37_79B9) >> 7) as usize % 300;
    (0..len as u64).map(|i| (seed ^ (i * 31)) as u8).collect()
}
