//! How a journal stands, read while it runs.

use std::iter::successors;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::control::Control;
use super::dir::Dir;
use super::error::{JournalError, JournalFault};
use super::handle::Journal;
use super::reader::Reader;
use super::seek;
use super::store::Store;
use crate::bus::kept::Progress;

/// How a journal stands. Each number was true at some moment while they were read.
///
/// Times are those that the journal [notes](super::JournalConfig::time_resolution): by then what stands before the note had been published. They are looked
/// for as far as a segment is long; one that is not found there is `None`.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct JournalStats {
    /// How many segments there are.
    pub segments: u64,
    /// The bytes of their files.
    pub disk_bytes: u64,
    /// The oldest position that is retained.
    pub oldest: u64,
    /// When the oldest record had been published.
    pub oldest_time: Option<SystemTime>,
    /// The position at which the next claim will begin.
    pub newest: u64,
    /// The last time that has been noted, by the journal or by [`Journal::note_time`].
    pub newest_time: Option<SystemTime>,
    /// The bytes that are ready beyond the newest position.
    pub ahead: u64,
    /// The position before which all is known to be finished. A claim that is being filled holds it back; and the journal's thread looks each few
    /// milliseconds only.
    pub finished: u64,
    /// The watermark: what stands before this position survives a loss of power.
    pub synced: u64,
    /// When the oldest message that is not synced had been published. `None`, also if no time has been noted since: all is synced.
    pub unsynced_since: Option<SystemTime>,
    /// How often it has been flushed since it was opened last, by all processes that write it.
    pub flushes: u64,
    /// The time that the longest of these took.
    pub longest_flush: Duration,
}

impl Journal {
    /// How the journal stands now. That reads some words, and from the oldest position and the watermark on the records up to the next note of the time, as many as a
    /// segment holds at the most; besides, until a time has been noted since it was opened, all that its two newest segments hold. Nobody waits for it.
    ///
    /// ```
    /// use messenger::bus::{MessageId, SourceId, Tag};
    /// use messenger::journal::{Journal, JournalConfig};
    ///
    /// # let dir = std::env::temp_dir().join(format!("messenger-doc-stats-{}", std::process::id()));
    /// # #[cfg(not(miri))] {
    /// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
    /// journal.bus().publisher()?.send(tag, b"kept")?;
    /// journal.sync()?;
    /// let stats = journal.stats();
    /// assert!(stats.synced > 0 && stats.flushes == 1);
    /// println!("{} bytes, longest flush {:?}", stats.disk_bytes, stats.longest_flush);
    /// # drop(journal);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> JournalStats {
        let store = &*self.inner.store;
        let control = &store.control;
        let oldest = self.oldest();
        // In this order: each is at most what comes after it.
        let (synced, finished, newest) = (store.synced(), store.finished(), control.tail());
        let (removed, prepared) = (control.removed(), store.prepared());
        let segment = store.segment_bytes();
        let bases = || {
            let before = |base: &u64| base.checked_sub(segment);
            let bases = successors(before(&prepared), before);
            bases.take_while(|base| *base >= removed)
        };
        // Of what was noted before it was opened no word is there.
        let noted = Some(control.timed()).filter(|&nanos| nanos != 0);
        let newest_time = noted.or_else(|| seek::last_time(store, bases()));
        let segments = prepared.saturating_sub(removed) / segment;
        let positions = [oldest, synced, finished, newest];
        stats(
            store,
            (segments, prepared),
            positions,
            newest_time,
            control.flushes(),
        )
    }
}

impl Reader {
    /// How the journal stands now, as its files tell, also if another process writes it. That reads as much as [`Journal::stats`] does before a time has been
    /// noted.
    ///
    /// # Errors
    ///
    /// As for [`newest`](Self::newest).
    pub fn stats(&self) -> Result<JournalStats, JournalError> {
        let store = &*self.store;
        let bases = self.segments()?;
        let oldest = bases.first().copied().unwrap_or(0);
        let (synced, newest) = (self.synced()?, self.newest()?);
        let flushes = Control::flushes_in(&Dir::of(self.path()), &store.identity);
        let system = JournalFault::tried("read the shared words");
        let flushes = flushes.map_err(|source| self.error(system(source)))?;
        let segments = bases.len() as u64;
        // As far as there is one after the other.
        let end = { bases.iter() }.fold(oldest, |end, &base| match base == end {
            true => end + store.segment_bytes(),
            false => end,
        });
        let newest_time = seek::last_time(store, bases.into_iter().rev());
        let positions = [oldest, synced, newest, newest];
        Ok(stats(
            store,
            (segments, end),
            positions,
            newest_time,
            flushes,
        ))
    }
}

/// How it stands that has so many segments, up to `end`.
fn stats(
    store: &Store,
    (segments, end): (u64, u64),
    [oldest, synced, finished, newest]: [u64; 4],
    newest_time: Option<u64>,
    (flushes, longest_flush): (u64, Duration),
) -> JournalStats {
    JournalStats {
        segments,
        disk_bytes: segments * store.file_bytes(),
        oldest,
        oldest_time: seek::time_after(store, oldest).map(time),
        newest,
        newest_time: newest_time.map(time),
        ahead: end.saturating_sub(newest),
        finished,
        synced,
        unsynced_since: unsynced_since(store, synced.max(oldest)),
        flushes,
        longest_flush,
    }
}

fn unsynced_since(store: &Store, synced: u64) -> Option<SystemTime> {
    let first = seek::published_after(store, synced)?;
    seek::time_after(store, first).map(time)
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}
