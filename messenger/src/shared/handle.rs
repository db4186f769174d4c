//! A shared bus as its users hold it.

use core::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use super::create;
use super::desk::lock_of;
use super::error::{SharedError, SharedFault};
use super::house::{Access, hold_house};
use super::layout::{Parts, Words};
use super::lock;
use super::name::{DIRECTORY, path_of};
use super::options::SharedOptions;
use super::pool_seat::PoolSeat;
use super::presence::{Presence, map};
use super::process::{MembershipEvent, Process};
use super::seat::Seat;
use super::workers::WorkerStatus;
use crate::bus::Bus;
use crate::journal::{CursorError, Journal, JournalFault, Schema, SchemaConflict};

/// A bus that several processes share, in memory, under a name. Clones are the same bus; a process leaves it when the last
/// clone and the last member have gone.
///
/// [`bus`](Self::bus) has the publishers, subscribers and observers, which are those of any bus. Any process may be killed at any
/// instant: the others are told by the kernel, finish what it had begun, and go on.
///
/// # Trust
///
/// Whoever can write the file of a bus is trusted to keep to its protocol: he can make all who use it misbehave, up to undefined
/// behaviour where a record is read in place. So the file is for this user only unless [`SharedOptions::mode`] says otherwise, a bus of another user
/// is not opened unless [`SharedOptions::trust_others`] is set, and links are not followed. What a file says of itself is checked before
/// it is used.
///
/// # Forks
///
/// A child that was made by `fork` alone, without `exec`, has no part in the bus: its memory is not there in the child, and touching it ends
/// it.
///
/// ```
/// # if cfg!(miri) { return Ok(()); } // It has no such files.
/// use messenger::bus::{MessageId, SourceId, Start, Tag};
/// use messenger::shared::SharedBus;
///
/// let name = format!("example-{}", std::process::id());
/// let here = SharedBus::create(&name, 1 << 16)?;
/// // Another process does this.
/// let there = SharedBus::open(&name)?;
///
/// let mut subscriber = there.bus().subscribe(Start::Oldest)?;
/// here.bus().publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"hello")?;
/// assert_eq!(subscriber.try_next()?.map(|r| r.payload().to_vec()), Some(b"hello".to_vec()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SharedBus {
    bus: Bus,
    journal: Option<Journal>,
    name: String,
    presence: Arc<Presence>,
}

impl SharedBus {
    /// Makes the bus `name`, with a ring of at least `bytes` bytes.
    ///
    /// # Errors
    ///
    /// As for [`SharedOptions::create`].
    pub fn create(name: &str, bytes: usize) -> Result<Self, SharedError> {
        Self::options().bytes(bytes).create(name)
    }

    /// Opens the bus `name`.
    ///
    /// # Errors
    ///
    /// As for [`SharedOptions::open`].
    pub fn open(name: &str) -> Result<Self, SharedError> {
        Self::options().open(name)
    }

    /// Opens the bus `name`, or makes it, with a ring of at least `bytes` bytes, if there is none.
    ///
    /// # Errors
    ///
    /// As for [`SharedOptions::open_or_create`].
    pub fn open_or_create(name: &str, bytes: usize) -> Result<Self, SharedError> {
        Self::options().bytes(bytes).open_or_create(name)
    }

    /// More to choose from.
    pub fn options() -> SharedOptions {
        SharedOptions::default()
    }

    /// Removes the bus `name`, which nobody uses.
    ///
    /// # Errors
    ///
    /// [`SharedError`]: there is none, somebody uses it, it belongs to somebody else, or the system refuses.
    pub fn remove(name: &str) -> Result<(), SharedError> {
        Self::remove_in(Path::new(DIRECTORY), name)
    }

    /// Removes the bus `name` in `directory`, which nobody uses.
    ///
    /// # Errors
    ///
    /// As for [`remove`](Self::remove).
    pub fn remove_in(directory: &Path, name: &str) -> Result<(), SharedError> {
        create::remove(&path_of(directory, name)?, false)
    }

    pub(super) fn create_with(options: &SharedOptions, name: &str) -> Result<Self, SharedError> {
        let path = path_of(&options.directory, name)?;
        Self::over(name, create::create(options, &path)?)
    }

    pub(super) fn open_with(options: &SharedOptions, name: &str) -> Result<Self, SharedError> {
        let path = path_of(&options.directory, name)?;
        Self::over(name, Presence::open(options, &path)?)
    }

    pub(super) fn open_or_create_with(
        options: &SharedOptions,
        name: &str,
    ) -> Result<Self, SharedError> {
        loop {
            match Self::open_with(options, name) {
                Err(error) if matches!(error.fault(), SharedFault::Absent) => {}
                opened => return opened,
            }
            match Self::create_with(options, name) {
                Err(error) if matches!(error.fault(), SharedFault::Exists { .. }) => {}
                created => return created,
            }
        }
    }

    /// Each opening maps the file anew, as other processes do.
    fn over(name: &str, presence: Arc<Presence>) -> Result<Self, SharedError> {
        let desk = presence.desk();
        let (bus, journal) = if let Some(share) = &desk.journal {
            let journal = share.view(Arc::clone(&presence) as _);
            let journal =
                journal.map_err(|e| SharedError::new(&desk.path, SharedFault::Journal(e)))?;
            (journal.bus().clone(), Some(journal))
        } else {
            let (header, words) =
                map(&desk.file, desk.parts.len as u64, &desk.path, Access::Write)?;
            let core = super::presence::core_of(&words, &desk.parts, &header, desk.place.owner());
            let life = Arc::clone(&presence);
            (Bus::of(core.alive(life)), None)
        };
        Ok(Self {
            bus,
            journal,
            name: name.to_owned(),
            presence,
        })
    }

    /// The bus, for publishers, subscribers and observers. A table's `builder` is given the `SharedBus` itself.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The journal that has its records, if it was made with one: to sync it, to look for times and cursors in it, to trim it. Each
    /// process does so for itself, and what one has synced or trimmed is so for all.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.presence.desk().path
    }

    /// The processes that use it now, this one among them.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        self.presence.desk().processes()
    }

    /// Who comes, leaves and dies from now on.
    ///
    /// A death is told when its affairs are settled: what the dead process had begun is finished, and what it held is free. Somebody who
    /// comes and goes while this process does not get to run is told of all the same, unless another has come to the same place since.
    #[must_use]
    pub fn membership(&self) -> Receiver<MembershipEvent> {
        let (to, from) = channel();
        lock_of(&self.presence.desk().listeners).push(to);
        from
    }

    /// The workers that have run on it: up to where each has handled everything, and who runs it now.
    #[must_use]
    pub fn workers(&self) -> Vec<WorkerStatus> {
        self.presence.desk().workers()
    }

    /// Forgets up to where a worker has got, `Table.worker` by name, so that it begins anew. Says whether it was known.
    ///
    /// # Errors
    ///
    /// [`SharedError`] if it runs.
    pub fn forget_worker(&self, worker: &str) -> Result<bool, SharedError> {
        let on_the_bus = self.forget_on_the_bus(worker)?;
        let in_the_journal = match &self.journal {
            Some(journal) => match journal.remove_cursor(worker) {
                Ok(()) => true,
                Err(CursorError::Missing { .. }) => false,
                Err(error) => {
                    let desk = self.presence.desk();
                    let error = std::io::Error::other(error);
                    return Err(desk.system("removing its cursor", error));
                }
            },
            None => false,
        };
        Ok(on_the_bus || in_the_journal)
    }

    fn forget_on_the_bus(&self, worker: &str) -> Result<bool, SharedError> {
        let desk = self.presence.desk();
        let Some(index) = desk.worker_named(worker) else {
            return Ok(false);
        };
        desk.settle_all();
        {
            let _here = hold_house();
            let _door =
                { lock::door(&desk.file) }.map_err(|e| desk.system("waiting for the door", e))?;
            if desk.pool_about(index).is_some() {
                let forgotten = desk.forget_pool(index, worker);
                let error = |fault| SharedError::new(&desk.path, fault);
                return forgotten.map(|()| true).map_err(error);
            }
        }
        self.seat(worker)?.forget();
        Ok(true)
    }

    /// Which ids mean what on it, and the tables that have run on it.
    ///
    /// # Errors
    ///
    /// [`SharedError`] if it can't be read.
    pub fn schema(&self) -> Result<Schema, SharedError> {
        if let Some(journal) = &self.journal {
            return Ok(journal.schema());
        }
        let desk = self.presence.desk();
        let _here = hold_house();
        let _door = lock::door(&desk.file).map_err(|e| desk.system("waiting for the door", e))?;
        read_schema(&desk.words, &desk.parts, &desk.path)
    }

    /// Takes in what a program brings: its ids, its tables, and what its zero-copy types are made of, as far as there is room for
    /// that.
    ///
    /// # Errors
    ///
    /// [`SharedError`] if an id means something else to those who came before, or there is no room for ids and tables. Then nothing was
    /// taken in.
    pub fn admit(&self, program: &Schema) -> Result<(), SharedError> {
        let desk = self.presence.desk();
        let error = |fault| SharedError::new(&desk.path, fault);
        if let Some(journal) = &self.journal {
            return journal.admit(program).map_err(|e| match e.into_fault() {
                JournalFault::Conflict(conflict) => error(SharedFault::Conflict(conflict)),
                JournalFault::System { tried, source } => desk.system(tried, source),
                other => desk.system(
                    "writing the schema",
                    std::io::Error::other(other.to_string()),
                ),
            });
        }
        let _here = hold_house();
        let _door = lock::door(&desk.file).map_err(|e| desk.system("waiting for the door", e))?;
        let mut schema = read_schema(&desk.words, &desk.parts, &desk.path)?;
        let new = schema.admit(program);
        if !new.map_err(|conflict: SchemaConflict| error(SharedFault::Conflict(conflict)))? {
            return Ok(());
        }
        let room = desk.parts.sizes.schema;
        let text = schema.text_within(room);
        let text = text.map_err(|len| error(SharedFault::SchemaFull { len, room }))?;
        desk.words.set_schema(&desk.parts, text.as_bytes());
        Ok(())
    }

    /// Takes the seat of `worker`: the same name is the same worker, in whatever process.
    pub(crate) fn seat(&self, worker: &str) -> Result<Seat, SharedError> {
        Seat::take(&self.presence, worker)
    }

    /// Takes a seat in the pool that runs `worker`.
    pub(crate) fn pool_seat(&self, worker: &str) -> Result<PoolSeat, SharedError> {
        PoolSeat::take(&self.presence, worker)
    }
}

pub(super) fn read_schema(
    words: &Words,
    parts: &Parts,
    path: &Path,
) -> Result<Schema, SharedError> {
    let error = |fault| SharedError::new(path, fault);
    let bytes = words.schema(parts).map_err(error)?;
    let text = String::from_utf8_lossy(&bytes);
    text.parse().map_err(|e| error(SharedFault::Schema(e)))
}

impl fmt::Debug for SharedBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedBus")
            .field("name", &self.name)
            .field("path", &self.path())
            .field("bus", &self.bus)
            .finish()
    }
}
