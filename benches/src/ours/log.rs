//! The bus as something that records are appended to.

use std::path::Path;

use messenger::bus::{Bus, Publisher, Start, Subscriber};

use super::bus::{config, put, whole};
use crate::log::{Done, Log, text};

/// What a stretch of the harness needs, twice.
const RING: usize = 1 << 20;

/// The ring, for comparison: nothing is kept.
pub(crate) struct RingLog(Publisher, Subscriber);

impl<const N: usize> Log<N> for RingLog {
    fn create(_: &Path, _: u64) -> Done<Self> {
        let bus = Bus::new(config(RING)).map_err(text)?;
        let subscriber = bus.subscribe(Start::Oldest).map_err(text)?;
        Ok(Self(bus.publisher().map_err(text)?, subscriber))
    }

    #[inline(always)]
    fn append(&mut self, first: u64, count: u64) -> Done {
        (first..first + count).try_for_each(|seq| put::<N, _>(&mut self.0, seq))
    }

    fn aside(&mut self, mut each: impl FnMut(&[u8; N])) -> Done {
        let read = |record: messenger::bus::Record<'_>| whole(record.payload(), &mut each);
        self.1.poll(usize::MAX, read).map(drop).map_err(text)
    }

    fn read_back(self, _: &Path, _: impl FnMut(&[u8; N])) -> Done {
        Ok(())
    }
}
