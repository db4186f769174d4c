//! A write-ahead log whose publishers share their flushes: `okaywal`.

use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use okaywal::{
    Configuration, Entry, EntryId, LogManager, LogVoid, ReadChunkResult, SegmentReader,
    WriteAheadLog,
};

use crate::log::{Done, Synced, text};
use crate::payload::filled;

/// An entry for what is to be synced together, a chunk for each record.
pub(crate) struct Okaywal(WriteAheadLog);

fn configuration(at: &Path, room: u64) -> Configuration {
    // It would take a file into use again that its owner has seen to; this one has no owner who
    // would take the records elsewhere.
    Configuration::default_for(at.join("wal"))
        .checkpoint_after_bytes(u64::MAX)
        .preallocate_bytes(room as u32)
        .buffer_bytes(160 << 10)
}

impl<const N: usize> Synced<N> for Okaywal {
    fn create(at: &Path, room: u64, publishers: usize) -> Done<Vec<Self>> {
        let log = configuration(at, room).open(LogVoid).map_err(text)?;
        Ok((0..publishers).map(|_| Self(log.clone())).collect())
    }

    fn append(&mut self, first: u64, count: u64) -> Done {
        let mut entry = self.0.begin_entry().map_err(text)?;
        for seq in first..first + count {
            entry.write_chunk(&filled::<N>(seq)).map_err(text)?;
        }
        entry.commit().map_err(text)?;
        Ok(())
    }

    fn read_back(mut all: Vec<Self>, at: &Path, each: impl FnMut(&[u8; N])) -> Done {
        let last = all.pop();
        drop(all);
        if let Some(Self(log)) = last {
            log.shutdown().map_err(text)?;
        }
        let found = Arc::default();
        let recovered = configuration(at, 1 << 20).open(Recovered(Arc::clone(&found)));
        recovered.and_then(WriteAheadLog::shutdown).map_err(text)?;
        let found = found.lock().unwrap_or_else(PoisonError::into_inner);
        let (payloads, _) = found.as_chunks::<N>();
        payloads.iter().for_each(each);
        Ok(())
    }
}

/// Takes the payloads of a log that is opened again.
#[derive(Debug)]
struct Recovered(Arc<Mutex<Vec<u8>>>);

impl LogManager for Recovered {
    fn recover(&mut self, entry: &mut Entry<'_>) -> io::Result<()> {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let ReadChunkResult::Chunk(mut chunk) = entry.read_chunk()? {
            chunk.read_to_end(&mut found)?;
            if !chunk.check_crc()? {
                return Err(io::Error::other("a chunk's CRC is wrong"));
            }
        }
        Ok(())
    }

    fn checkpoint_to(
        &mut self,
        _: EntryId,
        _: &mut SegmentReader,
        _: &WriteAheadLog,
    ) -> io::Result<()> {
        Ok(())
    }
}
