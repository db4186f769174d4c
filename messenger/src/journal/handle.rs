//! A journal as its users hold it.

use core::fmt;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use super::config::JournalConfig;
use super::cursor::{self, Cursor, CursorError, CursorInfo};
use super::dir::Dir;
use super::error::{JournalError, JournalFault, OpenError};
use super::files::Locked;
use super::keeper;
use super::note::{self, NoteKind};
use super::opening::{self, Create};
use super::reader::nanos;
use super::recovery::Recovery;
use super::schema::{Manifest, Schema};
use super::seek;
use super::store::Store;
use crate::bus::kept::Core;
use crate::bus::{Bus, ClaimError, Lost, Publisher, PublisherKind};

/// A bus that is kept in files: each message of a program, in one order.
///
/// A handle that can be cloned and shared. The journal is closed, and all of it flushed, when the last handle and the last user of
/// its [bus](Self::bus) have gone; a program that ends otherwise loses nothing that was committed.
#[derive(Clone)]
pub struct Journal {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    // First, so that on drop the bus lets go of the journal's life before it is looked at.
    pub(super) bus: Bus,
    pub(super) core: Core,
    pub(super) store: Arc<Store>,
    pub(super) held: Held,
    pub(super) dir: Option<Dir>,
    pub(super) manifest: Mutex<Manifest>,
    pub(super) recovery: Recovery,
}

/// What errors name in place of the directory of a journal in memory.
const MEMORY: &str = "memory";

/// What keeps a journal open.
pub(super) enum Held {
    /// This process writes it alone.
    Alone(Arc<Life>),
    /// Processes share it as their bus.
    #[cfg_attr(
        not(all(feature = "shared", target_os = "linux")),
        expect(dead_code, reason = "only a shared bus has it")
    )]
    Shared(Arc<dyn Sharing>),
}

/// A process's part in a journal that others write, too.
pub(crate) trait Sharing: Send + Sync {
    /// Does what no other process may do at the same time.
    fn alone(&self, act: &mut dyn FnMut()) -> io::Result<()>;
}

impl Journal {
    /// Opens the journal in the directory `path` for writing, or creates it there, if there is no such directory or it is
    /// empty.
    ///
    /// ```
    /// use messenger::bus::{MessageId, SourceId, Start, Tag};
    /// use messenger::journal::{Journal, JournalConfig};
    ///
    /// # let dir = std::env::temp_dir().join(format!("messenger-doc-journal-{}", std::process::id()));
    /// # #[cfg(not(miri))] {
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
    /// let config = JournalConfig::new().segment_bytes(1 << 16);
    ///
    /// let journal = Journal::open(&dir, config)?;
    /// let position = journal.bus().publisher()?.send(tag, b"kept")?;
    /// journal.sync()?;
    /// assert!(journal.synced() > position);
    /// journal.close()?;
    ///
    /// let journal = Journal::open(&dir, config)?;
    /// let mut subscriber = journal.bus().subscribe(Start::Oldest)?;
    /// assert_eq!(subscriber.try_next()?.map(|record| record.payload().to_vec()), Some(b"kept".to_vec()));
    /// # drop((journal, subscriber));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// The journal's files are mapped: whoever else writes to them, or cuts them, while they are open here, makes what is read
    /// wrong or ends the process. The `lock` keeps other writers of this library away, nothing keeps away others.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. A journal that is refused stays as it was; where the system fails, the next opening goes on with what this one had begun.
    pub fn open(path: impl AsRef<Path>, config: JournalConfig) -> Result<Self, OpenError> {
        Self::open_as(path.as_ref(), config, Create::May)
    }

    /// As [`open`](Self::open), for a journal that is there.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; [`OpenFault::Absent`](super::OpenFault::Absent) in it if there is none.
    pub fn open_existing(path: impl AsRef<Path>, config: JournalConfig) -> Result<Self, OpenError> {
        Self::open_as(path.as_ref(), config, Create::No)
    }

    /// As [`open`](Self::open), for a journal that is not there yet.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; [`OpenFault::Exists`](super::OpenFault::Exists) in it if there is one.
    pub fn create(path: impl AsRef<Path>, config: JournalConfig) -> Result<Self, OpenError> {
        Self::open_as(path.as_ref(), config, Create::Must)
    }

    /// A journal in memory, which ends with the process: for tests. Syncing does nothing, there are no cursors, and segments
    /// may be as short as 256 bytes.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if a number of the configuration is out of range, or the system gives no memory.
    pub fn in_memory(config: JournalConfig) -> Result<Self, OpenError> {
        let opened = opening::in_memory(config);
        opened.map_err(|fault| OpenError::new(Path::new(MEMORY), fault))
    }

    fn open_as(path: &Path, config: JournalConfig, create: Create) -> Result<Self, OpenError> {
        opening::open(path, config, create).map_err(|fault| OpenError::new(path, fault))
    }

    /// The bus. All that can be had of a bus can be had of this one.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.inner.bus
    }

    /// How the journal was found when it was opened.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.inner.recovery
    }

    /// The directory; `None` for a journal in memory.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.inner.dir.as_deref()
    }

    /// The length of a segment in bytes.
    #[must_use]
    pub fn segment_bytes(&self) -> u64 {
        self.store().segment_bytes()
    }

    /// The oldest position that is retained.
    #[must_use]
    pub fn oldest(&self) -> u64 {
        self.inner.core.floor()
    }

    /// Whether processes share it as their bus.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.inner.held, Held::Shared(_))
    }

    fn store(&self) -> &Store {
        &self.inner.store
    }

    fn error(&self, fault: impl Into<JournalFault>) -> JournalError {
        JournalError::new(self.path().unwrap_or(Path::new(MEMORY)), fault)
    }

    /// Flushes all that is finished now; gives the watermark. Who calls meanwhile shares the next flush.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Sync`] if the disk fails, now or before.
    pub fn sync(&self) -> Result<u64, JournalError> {
        let synced = self.store().sync();
        synced.map_err(|lost| self.error(JournalFault::Sync(lost)))
    }

    /// The watermark: what stands before this position survives a loss of power. What is committed survives the death of the
    /// process, synced or not.
    #[must_use]
    pub fn synced(&self) -> u64 {
        self.store().synced()
    }

    /// Waits until the record at `position` is synced, and flushes it, unless another does; for `timeout` at the most.
    /// `false`: it is not synced yet, since it, or another's claim before it, is not finished.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Sync`] if the disk fails, now or before.
    pub fn wait_synced(
        &self,
        position: u64,
        timeout: Option<Duration>,
    ) -> Result<bool, JournalError> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let target = position.saturating_add(1);
        let synced = self.store().sync_to(target, deadline);
        let synced = synced.map_err(|lost| self.error(JournalFault::Sync(lost)))?;
        Ok(synced >= target)
    }

    /// What ids mean, and the tables that have run on it.
    #[must_use]
    pub fn schema(&self) -> Schema {
        let mut manifest = self.manifest();
        // One that can't be read now is as it was.
        if let Ok(Some(now)) = self.said_by_others() {
            *manifest = now;
        }
        manifest.schema.clone()
    }

    fn manifest(&self) -> MutexGuard<'_, Manifest> {
        let manifest = &self.inner.manifest;
        manifest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file says, where other processes may have changed it.
    fn said_by_others(&self) -> io::Result<Option<Manifest>> {
        if let (Held::Shared(_), Some(dir)) = (&self.inner.held, &self.inner.dir) {
            return Manifest::read(dir).map(Some).map_err(io::Error::other);
        }
        Ok(None)
    }

    /// Takes what a program says of its ids and its table into the journal's schema.
    ///
    /// # Errors
    ///
    /// [`JournalFault::Conflict`] if it contradicts what the journal says; [`JournalFault::System`] if it can't be written.
    pub fn admit(&self, program: &Schema) -> Result<(), JournalError> {
        let mut admitted = Ok(());
        match &self.inner.held {
            Held::Alone(_) => admitted = self.admit_alone(program),
            Held::Shared(sharing) => {
                let alone = sharing.alone(&mut || admitted = self.admit_alone(program));
                let system = JournalFault::tried("keep others from the schema");
                alone.map_err(|source| self.error(system(source)))?;
            }
        }
        admitted.map_err(|fault| self.error(fault))
    }

    fn admit_alone(&self, program: &Schema) -> Result<(), JournalFault> {
        let system = JournalFault::tried;
        let mut manifest = self.manifest();
        let said = self.said_by_others().map_err(system("read the schema"))?;
        let mut next = said.unwrap_or_else(|| manifest.clone());
        if next.schema.admit(program)? {
            if let Some(dir) = &self.inner.dir {
                next.write(dir).map_err(system("write the schema"))?;
            }
        }
        *manifest = next;
        Ok(())
    }

    /// The durable cursor `name`: a position that its holder stores, and finds again. If it is new it says where the oldest
    /// record stands.
    ///
    /// # Errors
    ///
    /// [`CursorError`]: the name won't do, somebody holds it, or its file can't be used.
    pub fn cursor(&self, name: &str) -> Result<Cursor, CursorError> {
        self.cursor_from(name, self.oldest())
    }

    /// As [`cursor`](Self::cursor); if it is new it says `first`.
    pub(crate) fn cursor_from(&self, name: &str, first: u64) -> Result<Cursor, CursorError> {
        match &self.inner.dir {
            Some(dir) => Cursor::open(dir, self.store().identity.id, name, first),
            None => Err(CursorError::Io {
                name: name.into(),
                what: "open",
                error: io::Error::new(
                    io::ErrorKind::Unsupported,
                    "a journal in memory has no cursors",
                ),
            }),
        }
    }

    /// Where the cursor `name` stands, if there is one; whatever has become of others.
    pub(crate) fn cursor_position(&self, name: &str) -> Result<Option<u64>, CursorError> {
        let Some(dir) = &self.inner.dir else {
            return Ok(None);
        };
        match cursor::info(dir, self.store().identity.id, name) {
            Ok(cursor) => Ok(Some(cursor.position)),
            Err(CursorError::Missing { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The names of all cursors, also of those that can't be read.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    pub(crate) fn cursor_names(&self) -> Result<Vec<String>, CursorError> {
        match &self.inner.dir {
            Some(dir) => cursor::names(dir),
            None => Ok(Vec::new()),
        }
    }

    /// All cursors, by name.
    ///
    /// # Errors
    ///
    /// [`CursorError`] if one can't be read, or counts in another journal.
    pub fn cursors(&self) -> Result<Vec<CursorInfo>, CursorError> {
        match &self.inner.dir {
            Some(dir) => cursor::list(dir, self.store().identity.id),
            None => Ok(Vec::new()),
        }
    }

    /// Removes the cursor `name`, which nobody holds.
    ///
    /// # Errors
    ///
    /// [`CursorError`]: there is none, or somebody holds it.
    pub fn remove_cursor(&self, name: &str) -> Result<(), CursorError> {
        match &self.inner.dir {
            Some(dir) => cursor::remove(dir, name),
            None => Err(CursorError::Missing { name: name.into() }),
        }
    }

    /// Where a reader begins to get what was published at `time` or later, or up to one resolution of the journal's
    /// notes of the time before: for [`Start::At`](crate::bus::Start::At).
    ///
    /// # Errors
    ///
    /// [`JournalFault::Read`] or [`JournalFault::System`] if the journal can't be read.
    pub fn position_at(&self, time: SystemTime) -> Result<u64, JournalError> {
        let _kept = self.store().keep();
        let system = JournalFault::tried("list the segments");
        let bases = self.store().bases();
        let bases = bases.map_err(|source| self.error(system(source)))?;
        let position = seek::at_time(self.store(), &bases, nanos(time));
        let position = position.map_err(|error| self.error(error))?;
        Ok(position.max(self.oldest()))
    }

    /// Notes that what stands before the note had been published at `time`: for who copies records that were published earlier,
    /// elsewhere. Set [`JournalConfig::time_resolution`] to zero there, or the journal notes its own time between them. Times should
    /// not go back: [`position_at`](Self::position_at) looks for the last note with an earlier time.
    ///
    /// ```
    /// use messenger::bus::{MessageId, SourceId, Tag};
    /// use messenger::journal::{Journal, JournalConfig};
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// # #[cfg(not(miri))] {
    /// let journal = Journal::in_memory(JournalConfig::new().segment_bytes(1 << 16).time_resolution(Duration::ZERO))?;
    /// let mut publisher = journal.bus().publisher()?;
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
    /// let then = UNIX_EPOCH + Duration::from_secs(1_000);
    /// publisher.send(tag, b"of then")?;
    /// journal.note_time(&mut publisher, then)?;
    /// let later = publisher.send(tag, b"of later")?;
    /// assert_eq!(journal.position_at(then + Duration::from_secs(1))?, later);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClaimError`], as for a send; gives the note's position.
    pub fn note_time<K: PublisherKind>(
        &self,
        publisher: &mut Publisher<K>,
        time: SystemTime,
    ) -> Result<u64, ClaimError> {
        let nanos = nanos(time);
        let position = publisher.note(NoteKind::Time.of_nobody(), &note::number(nanos))?;
        self.store().control.set_timed(position, nanos);
        Ok(position)
    }

    /// Gives up all segments that end at or before `before`, but for those that a subscriber has yet to read. Gives the
    /// oldest position that is retained then. The cursors are flushed before, so that no loss of power sets one back to what is gone.
    ///
    /// # Errors
    ///
    /// [`JournalFault::System`] if the cursors can't be flushed, so that nothing is given up, or a segment can't be removed.
    pub fn trim(&self, before: u64) -> Result<u64, JournalError> {
        // The keeper looks only now and then how far all is finished. A damaged header stops the walk, and the trimming.
        let _ = self.store().walk(u64::MAX);
        let given_up = keeper::give_up(self.store(), &self.inner.core, (before, None), true);
        given_up.map_err(|(tried, source)| self.error(JournalFault::System { tried, source }))
    }

    /// Flushes everything and closes the journal.
    ///
    /// # Errors
    ///
    /// [`JournalFault::InUse`] if others still hold it or use its bus, or processes share it: then it is closed when they have gone.
    /// [`JournalFault::Sync`] if the disk fails.
    pub fn close(self) -> Result<(), JournalError> {
        let path = self.path().unwrap_or(Path::new(MEMORY)).to_owned();
        self.end().map_err(|fault| JournalError::new(&path, fault))
    }

    fn end(self) -> Result<(), JournalFault> {
        let inner = Arc::into_inner(self.inner).ok_or(JournalFault::InUse)?;
        let Inner {
            bus,
            core,
            store,
            held,
            ..
        } = inner;
        drop((bus, core, store));
        let life = match held {
            Held::Alone(life) => Arc::into_inner(life).ok_or(JournalFault::InUse)?,
            Held::Shared(_) => return Err(JournalFault::InUse),
        };
        match life.end() {
            Some(ended) => ended.map_err(JournalFault::Sync),
            None => Err(JournalFault::InUse),
        }
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("path", &self.inner.dir)
            .field("oldest", &self.oldest())
            .field("synced", &self.synced())
            .field("tail", &self.inner.bus.tail())
            .finish_non_exhaustive()
    }
}

/// What ends when the last user has gone.
pub(super) struct Life {
    pub(super) store: Arc<Store>,
    pub(super) stop: Arc<AtomicBool>,
    /// The keeper, and the lock that is held until all is flushed. `None`: that has begun.
    pub(super) keeper: Mutex<Option<(JoinHandle<()>, Option<Locked>)>>,
}

impl Life {
    /// Ends the keeper, and closes the journal. `None`: that is done soon, or was before.
    fn end(&self) -> Option<Result<(), Lost>> {
        let (keeper, lock) = self
            .keeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        self.stop.store(true, Ordering::Relaxed);
        self.store.bell.ring();
        let store = Arc::clone(&self.store);
        let close = move |ended: std::thread::Result<()>| {
            let panicked = |_| Lost::new(store.finished(), &io::Error::other("panicked"));
            let closed = ended.map_err(panicked).and_then(|()| keeper::close(&store));
            drop(lock);
            closed
        };
        // The keeper wakes whom it has made room for, and a task that is woken may drop what kept the journal open.
        if keeper.thread().id() == std::thread::current().id() {
            // Without a thread it is as after a kill.
            let _ = std::thread::Builder::new().spawn(move || close(keeper.join()));
            return None;
        }
        Some(close(keeper.join()))
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // `Journal::close` tells the error; what was committed is there all the same.
        let _ = self.end();
    }
}
