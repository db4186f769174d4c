//! Reading a journal without being a member of its bus: from another process, and for tools.

use core::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::control::Control;
use super::dir::Dir;
use super::error::{JournalError, JournalFault, OpenError, OpenFault};
use super::files::{list_segments, segment_name};
use super::note;
use super::recover::synced_in;
use super::schema::{Manifest, Schema};
use super::seek;
use super::store::{Identity, Store};
use super::walker::{Step, StepKind, Walker};
use crate::bus::kept::Naps;
use crate::bus::{MessageId, ReadError, SourceId, Tag, WaitStrategy};

/// How many of the newest segments are asked how far the journal was synced: more than there are ahead.
const NEWEST: usize = 20;

/// Reads a journal: one that lies still, or one that another process (or this one) writes meanwhile. Changes nothing, holds back
/// nobody, keeps no segment from being given up.
///
/// Each record's checksum is looked at, unless the reader is [`trusting`](Self::trusting).
///
/// ```
/// use messenger::bus::{MessageId, SourceId, Tag};
/// use messenger::journal::{Journal, JournalConfig, Reader};
///
/// # let dir = std::env::temp_dir().join(format!("messenger-doc-reader-{}", std::process::id()));
/// # #[cfg(not(miri))] {
/// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
/// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
/// journal.bus().publisher()?.send(tag, b"kept")?;
///
/// let mut reader = Reader::open(&dir)?;
/// let entry = reader.next()?.expect("it was committed");
/// assert_eq!((entry.tag, entry.payload), (tag, &b"kept"[..]));
/// # drop(journal);
/// # std::fs::remove_dir_all(&dir)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Reader {
    path: PathBuf,
    pub(super) store: Arc<Store>,
    walker: Walker,
    verify: bool,
    /// Up to where it is known that all was there when it was opened.
    pub(super) synced: u64,
    pub(super) manifest: Manifest,
}

/// A record, as a [`Reader`] finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Where it stands.
    pub position: u64,
    /// Who sent it, and what it is.
    pub tag: Tag,
    /// Its bytes, aligned to 16.
    pub payload: &'a [u8],
}

impl Entry<'_> {
    /// Who sent it.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.tag.source
    }

    /// What it is.
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.tag.message
    }
}

/// Anything that stands in a journal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Item<'a> {
    /// A record.
    Record(Entry<'a>),
    /// The journal's own note: [`Entry::tag`] has its kind as the message id.
    Note(Entry<'a>),
    /// A claim that was never committed.
    Aborted {
        /// Where it stands.
        position: u64,
        /// Its bytes, header included.
        bytes: u64,
    },
    /// What was left of a segment.
    Padding {
        /// Where it stands.
        position: u64,
        /// Its bytes.
        bytes: u64,
    },
}

impl Item<'_> {
    /// If it is a note of the time: the time when all that stands before it had been published.
    #[must_use]
    pub fn time(&self) -> Option<SystemTime> {
        let Self::Note(note) = self else { return None };
        let nanos = note::time_of(note.tag, note.payload)?;
        UNIX_EPOCH.checked_add(Duration::from_nanos(nanos))
    }
}

impl Reader {
    /// Opens the journal in the directory `path`, at its oldest record.
    ///
    /// The journal's files are mapped: whoever else writes to them, or cuts them, while they are open here, other than as
    /// this library does, makes what is read wrong or ends the process.
    ///
    /// # Errors
    ///
    /// [`OpenError`]: there is no journal, it is of a newer version, or its files can't be read.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        Self::open_in(path).map_err(|fault| OpenError::new(path, fault))
    }

    fn open_in(path: &Path) -> Result<Self, OpenFault> {
        let manifest = super::opening::manifest_of(path)?;
        let dir = Dir::of(path);
        let identity = Identity {
            id: manifest.id,
            segment_bytes: manifest.segment_bytes,
            salt: manifest.salt,
        };
        let store = Store::new(Some((&dir, false)), identity, 0, false)
            .map_err(OpenFault::tried("get memory"))?;
        let listing = list_segments(path, identity.segment_bytes)
            .map_err(OpenFault::tried("list the segments"))?;
        let oldest = listing.bases.first().copied().unwrap_or(0);
        let synced = synced_in(&store, path, newest_of(&listing.bases));
        let synced = synced.map_err(OpenFault::tried("read the newest segments"))?;
        let closed_at = Control::closed_at(&dir, &identity);
        let closed_at = closed_at.map_err(OpenFault::tried("read what the last writer left"))?;
        Ok(Self {
            synced: synced.max(closed_at.unwrap_or(0)),
            path: path.to_owned(),
            walker: Walker::new(&store, oldest),
            store: Arc::new(store),
            verify: true,
            manifest,
        })
    }

    /// Leaves the checksums alone from now on: for what is known to be sound.
    #[must_use]
    pub fn trusting(mut self) -> Self {
        self.verify = false;
        self
    }

    /// What ids mean, and the tables that have run on it, as it stood when the reader was opened.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.manifest.schema
    }

    /// The length of its segments in bytes.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.store.segment_bytes()
    }

    /// When the journal was created.
    #[must_use]
    pub fn created(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_nanos(self.manifest.created_nanos)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The position of what is read next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.walker.position
    }

    /// The next record, if one is there. At the journal's end it may come later.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Read`] if the record is damaged or its segment can't be reached; [`JournalFault::Gone`] if it has been given
    /// up meanwhile. The reader stays where it is.
    // Always: an entry that is returned through memory is read again before it is there, which takes as long as all else.
    #[inline(always)]
    #[expect(clippy::should_implement_trait, reason = "an entry borrows the reader")]
    pub fn next(&mut self) -> Result<Option<Entry<'_>>, JournalError> {
        loop {
            if let Some(taken) = self.walker.take() {
                let position = taken.position;
                if self.verify && !self.walker.is_sound_record(&taken) {
                    self.walker.position = position;
                    return Err(self.error(ReadError::Damaged { position }));
                }
                return Ok(Some(Entry {
                    position,
                    tag: taken.tag,
                    payload: self.walker.payload_of(&taken),
                }));
            }
            // No record, or one in the next segment.
            match self.step().map_err(|fault| self.error(fault))? {
                None => return Ok(None),
                Some(step) if step.kind == StepKind::Record => return Ok(Some(self.entry(step))),
                Some(_) => {}
            }
        }
    }

    /// The next of all that stands in the journal, if it is there.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, JournalError> {
        let Some(step) = self.step().map_err(|fault| self.error(fault))? else {
            return Ok(None);
        };
        let bytes = step.next - step.position;
        let position = step.position;
        Ok(Some(match step.kind {
            StepKind::Record => Item::Record(self.entry(step)),
            StepKind::Note => Item::Note(self.entry(step)),
            StepKind::Aborted => Item::Aborted { position, bytes },
            StepKind::Padding => Item::Padding { position, bytes },
        }))
    }

    #[inline(never)]
    fn step(&mut self) -> Result<Option<Step>, JournalFault> {
        match self.walker.look(&self.store) {
            Ok(Some(step)) => {
                if self.verify && !self.walker.is_sound(&step) {
                    let position = step.position;
                    return Err(ReadError::Damaged { position }.into());
                }
                self.walker.position = step.next;
                Ok(Some(step))
            }
            Ok(None) if self.walker.position < self.synced => {
                let position = self.walker.position;
                Err(ReadError::Damaged { position }.into())
            }
            Ok(None) => Ok(None),
            Err(error) => self.absent(error),
        }
    }

    #[inline]
    fn entry(&self, step: Step) -> Entry<'_> {
        Entry {
            position: step.position,
            tag: step.tag,
            payload: self.walker.payload(&step),
        }
    }

    /// A segment is not there: it is yet to come, or has gone, or is missing.
    #[cold]
    fn absent(&self, error: ReadError) -> Result<Option<Step>, JournalFault> {
        let ReadError::Lost(lost) = error else {
            return Err(error.into());
        };
        if lost.kind() != std::io::ErrorKind::NotFound {
            return Err(error.into());
        }
        let position = self.walker.position;
        let bases = self.bases()?;
        match (bases.first(), bases.last()) {
            (Some(&oldest), _) if oldest > position => Err(JournalFault::Gone { position, oldest }),
            // It came after the look for it, and perhaps others behind it.
            _ if self.path.join(segment_name(lost.position())).exists() => Ok(None),
            (_, Some(&newest)) if newest > position => Err(error.into()),
            _ if position < self.synced => Err(error.into()),
            _ => Ok(None),
        }
    }

    #[cold]
    pub(super) fn error(&self, fault: impl Into<JournalFault>) -> JournalError {
        JournalError::new(&self.path, fault)
    }

    fn bases(&self) -> Result<Vec<u64>, JournalFault> {
        let listing = list_segments(&self.path, self.store.segment_bytes());
        let listing = listing.map_err(JournalFault::tried("list the segments"))?;
        Ok(listing.bases)
    }

    /// Where the retained segments begin, in order. Each but the last one may be full, and those ahead empty.
    ///
    /// # Errors
    ///
    /// [`JournalFault::System`] if the directory can't be read.
    pub fn segments(&self) -> Result<Vec<u64>, JournalError> {
        self.bases().map_err(|fault| self.error(fault))
    }

    /// The oldest position that is retained now.
    ///
    /// # Errors
    ///
    /// [`JournalFault::System`] if the directory can't be read.
    pub fn oldest(&self) -> Result<u64, JournalError> {
        Ok(self.segments()?.first().copied().unwrap_or(0))
    }

    /// The position up to which everything is finished now: where the next record will stand, if nobody is about to write one.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn newest(&self) -> Result<u64, JournalError> {
        self.among(|store, bases| Ok(seek::newest(store, bases)?))
    }

    /// What is found among the segments; again, if one of them has been given up since they were listed.
    fn among<T>(
        &self,
        mut find: impl FnMut(&Store, &[u64]) -> Result<T, JournalFault>,
    ) -> Result<T, JournalError> {
        loop {
            match find(&self.store, &self.segments()?) {
                Err(JournalFault::Read(ReadError::Lost(lost)))
                    if lost.position() < self.oldest()? => {}
                found => return found.map_err(|fault| self.error(fault)),
            }
        }
    }

    /// Goes on with the first record at or after `position`.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Gone`] if it is not retained any more; [`JournalFault::Ahead`] if the journal ends before it.
    pub fn seek(&mut self, position: u64) -> Result<(), JournalError> {
        self.walker.position = self.among(|store, bases| {
            let oldest = bases.first().copied().unwrap_or(0);
            if position < oldest {
                return Err(JournalFault::Gone { position, oldest });
            }
            let newest = seek::newest(store, bases)?;
            if position > newest {
                return Err(JournalFault::Ahead { position, newest });
            }
            Ok(seek::boundary(store, oldest, position)?)
        })?;
        Ok(())
    }

    /// Goes on with the oldest record.
    ///
    /// # Errors
    ///
    /// [`JournalFault::System`] if the directory can't be read.
    pub fn seek_oldest(&mut self) -> Result<(), JournalError> {
        self.walker.position = self.oldest()?;
        Ok(())
    }

    /// Goes on with the next record that will be published.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn seek_newest(&mut self) -> Result<(), JournalError> {
        self.walker.position = self.newest()?;
        Ok(())
    }

    /// Goes on with the first record published at `time` or later, or up to one resolution of the journal's notes of the time
    /// ([`JournalConfig::time_resolution`](super::JournalConfig::time_resolution)) before.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn seek_time(&mut self, time: SystemTime) -> Result<(), JournalError> {
        let position = seek::at_time(&self.store, &self.segments()?, nanos(time));
        self.walker.position = position.map_err(|error| self.error(error))?;
        Ok(())
    }

    /// Waits until something is there (`true`), the deadline has passed, or `stop` says so. A reader is no member of the bus, so
    /// nobody wakes it: it sleeps 50 microseconds at first, and up to 2 milliseconds at a time while nothing comes.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next).
    pub fn wait(
        &mut self,
        strategy: WaitStrategy,
        deadline: Option<Instant>,
        mut stop: impl FnMut() -> bool,
    ) -> Result<bool, JournalError> {
        let mut naps = Naps::new(strategy);
        loop {
            let there = match self.walker.look(&self.store) {
                Ok(step) => step.is_some(),
                Err(error) => {
                    let there = self.absent(error);
                    there.map_err(|fault| self.error(fault))?.is_some()
                }
            };
            if there {
                return Ok(true);
            }
            if stop() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(false);
            }
            naps.take(deadline);
        }
    }
}

/// Those of the segments that know best how far the journal was synced.
pub(super) fn newest_of(bases: &[u64]) -> &[u64] {
    &bases[bases.len().saturating_sub(NEWEST)..]
}

/// Nanoseconds since 1970.
pub(super) fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("path", &self.path)
            .field("position", &self.walker.position)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::super::testing::TempDir;
    use super::super::{Journal, JournalConfig};
    use super::*;

    /// A journal of 25 segments, without notes of the time.
    fn long(dir: &Path) -> Journal {
        let config = JournalConfig::new().segment_bytes(4096);
        let journal = Journal::open(dir, config.time_resolution(Duration::ZERO)).unwrap();
        let mut publisher = journal.bus().publisher().unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        for _ in 0..100 {
            publisher.send(tag, &[0; 1008]).unwrap();
        }
        journal
    }

    /// Gives up the first twenty of them, once the journal's thread has seen that they are finished.
    fn trim(journal: &Journal) {
        while journal.trim(20 * 4096).unwrap() < 20 * 4096 {
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_is_given_up_after_segments_were_listed_is_no_damage() {
        let dir = TempDir::new();
        let journal = long(&dir);
        let reader = Reader::open(&*dir).unwrap();
        let listed = reader.segments().unwrap();
        trim(&journal);
        // All that is left comes after that time.
        let found = seek::at_time(&reader.store, &listed, 1).unwrap();
        assert_eq!(found, 20 * 4096);
        // What is missing between others has not been given up.
        let listed = reader.segments().unwrap();
        std::fs::remove_file(dir.join(segment_name(listed[2]))).unwrap();
        assert!(seek::at_time(&reader.store, &listed, 1).is_err());
    }

    #[test]
    fn a_place_is_looked_for_among_the_segments_that_are_left() {
        let dir = TempDir::new();
        let journal = long(&dir);
        let reader = Reader::open(&*dir).unwrap();
        let mut looks = 0;
        let found = reader.among(|store, bases| {
            looks += 1;
            if looks == 1 {
                trim(&journal);
            }
            Ok(seek::boundary(store, bases[0], bases[0] + 16)?)
        });
        assert_eq!((found.unwrap(), looks), (20 * 4096 + 1024, 2));
    }
}
