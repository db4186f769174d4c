//! A commit log, and an embedded database.

use std::ops::Bound;
use std::path::Path;

use commitlog::message::{MessageBuf, MessageSet as _};
use commitlog::{CommitLog, LogOptions, ReadLimit};
use redb::{Database, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use crate::log::{Done, Log, Replay, text};
use crate::payload::filled;

fn whole<const N: usize>(payload: &[u8], mut each: impl FnMut(&[u8; N])) -> Done {
    let bytes = payload.try_into();
    each(bytes.map_err(|_| format!("a record of {} bytes, not {N}", payload.len()))?);
    Ok(())
}

/// `commitlog`, a whole batch at a time.
pub(crate) struct CommitLogs {
    log: CommitLog,
    batch: MessageBuf,
}

fn commit_log(at: &Path) -> Done<CommitLog> {
    let mut options = LogOptions::new(at.join("log"));
    options.message_max_bytes(16 << 20);
    // More than a sample writes: the index grows by being mapped anew.
    options.index_max_items(16 << 20);
    CommitLog::new(options).map_err(text)
}

impl<const N: usize> Log<N> for CommitLogs {
    fn create(at: &Path, _: u64) -> Done<Self> {
        Ok(Self {
            log: commit_log(at)?,
            batch: MessageBuf::default(),
        })
    }

    #[inline(always)]
    fn append(&mut self, first: u64, count: u64) -> Done {
        self.batch.clear();
        for seq in first..first + count {
            let pushed = self.batch.push(filled::<N>(seq));
            pushed.map_err(|error| format!("{error:?}"))?;
        }
        self.log.append(&mut self.batch).map_err(text)?;
        Ok(())
    }

    fn read_back(self, at: &Path, each: impl FnMut(&[u8; N])) -> Done {
        drop(self);
        CommitLogReplay(commit_log(at)?, 0).pass(each)
    }
}

/// Reads what [`CommitLogs`] wrote; it checks their CRCs.
pub(crate) struct CommitLogReplay(CommitLog, u64);

impl<const N: usize> Replay<N> for CommitLogReplay {
    type Log = CommitLogs;

    fn open(at: &Path, lead: u64) -> Done<Self> {
        commit_log(at).map(|log| Self(log, lead))
    }

    fn pass(self, mut each: impl FnMut(&[u8; N])) -> Done {
        let mut next = self.1;
        loop {
            let read = self.0.read(next, ReadLimit::max_bytes(256 << 10));
            let batch = read.map_err(text)?;
            if batch.is_empty() {
                return Ok(());
            }
            for message in batch.iter() {
                whole(message.payload(), &mut each)?;
            }
            next += batch.len() as u64;
        }
    }
}

/// `redb`: a transaction for many records in the order of their keys, by the cursor that is for that.
pub(crate) struct Redb(Database);

const fn table<const N: usize>() -> TableDefinition<'static, u64, &'static [u8; N]> {
    TableDefinition::new("records")
}

impl<const N: usize> Log<N> for Redb {
    fn create(at: &Path, _: u64) -> Done<Self> {
        Database::create(at.join("records.redb"))
            .map(Self)
            .map_err(text)
    }

    fn append(&mut self, first: u64, count: u64) -> Done {
        let mut transaction = self.0.begin_write().map_err(text)?;
        transaction.set_durability(Durability::None).map_err(text)?;
        let mut records = transaction.open_table(table::<N>()).map_err(text)?;
        let mut end = records
            .upper_bound_mut(Bound::<u64>::Unbounded)
            .map_err(text)?;
        for seq in first..first + count {
            end.insert_before(seq, &filled::<N>(seq)).map_err(text)?;
        }
        end.close().map_err(text)?;
        drop(records);
        transaction.commit().map_err(text)
    }

    fn read_back(self, _: &Path, mut each: impl FnMut(&[u8; N])) -> Done {
        let transaction = self.0.begin_read().map_err(text)?;
        let records = transaction.open_table(table::<N>()).map_err(text)?;
        for record in records.iter().map_err(text)? {
            each(record.map_err(text)?.1.value());
        }
        Ok(())
    }
}
