//! What a shared bus is to be like, and where.

use std::path::PathBuf;
use std::time::Duration;

use super::error::{SharedError, SharedFault};
use super::handle::SharedBus;
use super::layout::{MOST_BYTES, MOST_MEMBERS, MOST_PROCESSES, MOST_SCHEMA, MOST_WORKERS};
use super::name::DIRECTORY;
use crate::bus::processes::MIN_CAPACITY;
use crate::journal::JournalConfig;

/// How a shared bus is made and opened, for those who want more than [`SharedBus::create`] and [`SharedBus::open`] offer.
///
/// Sizes and permissions are those of a bus that is created; one that is opened has its own.
///
/// ```
/// # if cfg!(miri) { return Ok(()); } // It has no such files.
/// use messenger::shared::SharedBus;
///
/// let dir = std::env::temp_dir();
/// let name = format!("options-{}", std::process::id());
/// let bus = SharedBus::options().bytes(1 << 20).members(16).directory(&dir).create(&name)?;
/// assert_eq!(bus.bus().capacity(), 1 << 20);
/// # Ok::<(), messenger::shared::SharedError>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SharedOptions {
    pub(super) directory: PathBuf,
    pub(super) mode: u32,
    pub(super) group: Option<u32>,
    pub(super) removes: bool,
    pub(super) trusts_others: bool,
    pub(super) process_name: Option<String>,
    pub(super) hold: Duration,
    pub(super) journal: Option<(PathBuf, JournalConfig)>,
    bytes: u64,
    members: u64,
    processes: u64,
    workers: u64,
    schema: u64,
}

/// The sizes that a bus is made with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sizes {
    pub(super) capacity: u64,
    pub(super) members: usize,
    pub(super) processes: usize,
    pub(super) workers: usize,
    pub(super) schema: usize,
}

impl Default for SharedOptions {
    fn default() -> Self {
        Self {
            directory: DIRECTORY.into(),
            mode: 0o600,
            group: None,
            removes: true,
            trusts_others: false,
            process_name: None,
            hold: Duration::ZERO,
            journal: None,
            bytes: 1 << 20,
            members: 64,
            processes: 64,
            workers: 64,
            schema: 1 << 17,
        }
    }
}

impl SharedOptions {
    /// The length of the ring in bytes: rounded up to a power of two, and to 256. 1 MiB unless told. All of it is
    /// taken from the file system at once.
    pub fn bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes as u64;
        self
    }

    /// Has the records in the journal in `directory`, which is made if there is none, in place of a ring: they survive all processes, and
    /// what is synced survives a loss of power. All processes publish to it and read it; [`SharedBus::journal`] is how each of them syncs it,
    /// looks for times and cursors in it, and trims it. Who opens the bus finds the directory by it.
    ///
    /// `config` is as for [`Journal::open`](crate::journal::Journal::open), but that the members are those of the bus; [`bytes`](Self::bytes) and
    /// [`schema_bytes`](Self::schema_bytes) have no meaning then. While processes use the bus nobody else can open the journal for writing.
    /// When the last one leaves the journal is closed; [`create`](Self::create) goes on with one that is there.
    ///
    /// [`mode`](Self::mode) and [`group`](Self::group) are those of its files, too. No link is followed, nor may `directory` be one itself; and neither
    /// it nor any file may belong to another user, unless [trusted](Self::trust_others), or let write by the mode.
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()); } // It has no such files.
    /// use messenger::bus::{MessageId, SourceId, Start, Tag};
    /// use messenger::journal::JournalConfig;
    /// use messenger::shared::SharedBus;
    ///
    /// let name = format!("journal-{}", std::process::id());
    /// let dir = std::env::temp_dir().join(&name);
    /// let config = JournalConfig::new().segment_bytes(1 << 16);
    /// let options = SharedBus::options().journal(&dir, config);
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    ///
    /// let shared = options.create(&name)?;
    /// let position = shared.bus().publisher()?.send(tag, b"kept")?;
    /// let journal = shared.journal().expect("it has one");
    /// assert!(journal.sync()? > position);
    /// drop(shared); // The last one: the bus goes, and its journal stays.
    ///
    /// let shared = options.create(&name)?;
    /// let mut subscriber = shared.bus().subscribe(Start::Oldest)?;
    /// assert_eq!(subscriber.try_next()?.map(|r| r.payload().to_vec()), Some(b"kept".to_vec()));
    /// # drop((subscriber, shared));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn journal(mut self, directory: impl Into<PathBuf>, config: JournalConfig) -> Self {
        self.journal = Some((directory.into(), config));
        self
    }

    /// How many publishers, subscribers and observers may be attached at a time, in all processes: 2 to 65,535; 64 unless
    /// told. Each process takes one for itself, or two where the bus has a journal, and each worker two.
    pub fn members(mut self, members: usize) -> Self {
        self.members = members as u64;
        self
    }

    /// How many processes may use the bus at a time: 1 to 1,024; 64 unless told.
    pub fn processes(mut self, processes: usize) -> Self {
        self.processes = processes as u64;
        self
    }

    /// Of how many workers the positions are kept: up to 4,096; 64 unless told. A pool takes one more for each member that runs at a time.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers as u64;
        self
    }

    /// How many bytes there are for what ids mean, for the tables and for what zero-copy types are made of, as text: up to 16 MiB; 128 KiB unless
    /// told. What types are made of is left out where there is no room for it.
    pub fn schema_bytes(mut self, bytes: usize) -> Self {
        self.schema = bytes as u64;
        self
    }

    /// The directory in which the file is; `/dev/shm` unless told, which is in memory.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = directory.into();
        self
    }

    /// The permissions of the file; `0o600` unless told: this user's processes, and nobody else. Whoever may write it is trusted
    /// by all who use it; who may only read it can [`read`](Self::read) the bus, and do it no harm. The files of its [`journal`](Self::journal) have them, too.
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode & 0o777;
        self
    }

    /// The group of the file, by number; the process's own unless told. That of the journal's files, too.
    pub fn group(mut self, group: u32) -> Self {
        self.group = Some(group);
        self
    }

    /// Whether the file stays when the last process has left; it goes unless told. One that stays keeps its records, for those
    /// who open it later; [`SharedBus::remove`] removes it.
    ///
    /// Who opens one with `keep` leaves its file there, also if it is the last to leave a bus that would go then.
    pub fn keep(mut self, keep: bool) -> Self {
        self.removes = !keep;
        self
    }

    /// For how long the records that a dead worker has still to read are held for the one that takes its place; not at all unless
    /// told. While they are held a full bus stays full: its publishers wait.
    ///
    /// Without it the next worker goes on where the dead one had got if that is still retained, as it is until somebody needs the
    /// room, and else its start fails with [`StartError::Missed`](crate::runtime::StartError::Missed).
    pub fn hold_for_workers(mut self, time: Duration) -> Self {
        self.hold = time;
        self
    }

    /// Opens also a bus that belongs to another user, or whose journal does. He, and whoever else may write its file, can then write anything there, also what
    /// makes this process misbehave: it trusts them.
    pub fn trust_others(mut self, trust: bool) -> Self {
        self.trusts_others = trust;
        self
    }

    /// What this process is called on the bus; the name of its program unless told. The first of several openings in a process
    /// counts.
    pub fn process_name(mut self, name: impl Into<String>) -> Self {
        self.process_name = Some(name.into());
        self
    }

    /// Makes the bus `name`. One that nobody uses any more, since all its processes have died, is replaced.
    ///
    /// # Errors
    ///
    /// [`SharedError`]: the name is bad, a process uses a bus of that name, a size is out of range, or the system refuses.
    pub fn create(&self, name: &str) -> Result<SharedBus, SharedError> {
        SharedBus::create_with(self, name)
    }

    /// Opens the bus `name`. What dead processes left unfinished on it is finished.
    ///
    /// # Errors
    ///
    /// [`SharedError`]: there is none, it can't be trusted or is damaged, has no room for another process, or the system
    /// refuses.
    pub fn open(&self, name: &str) -> Result<SharedBus, SharedError> {
        SharedBus::open_with(self, name)
    }

    /// Opens the bus `name`, or makes it if there is none.
    ///
    /// # Errors
    ///
    /// As for [`create`](Self::create) and [`open`](Self::open).
    pub fn open_or_create(&self, name: &str) -> Result<SharedBus, SharedError> {
        SharedBus::open_or_create_with(self, name)
    }

    pub(super) fn sizes(&self) -> Result<Sizes, SharedError> {
        for (what, asked, least, most) in [
            ("bytes", self.bytes, 1, MOST_BYTES),
            ("member slots", self.members, 2, MOST_MEMBERS),
            ("places for processes", self.processes, 1, MOST_PROCESSES),
            ("places for workers", self.workers, 0, MOST_WORKERS),
            ("bytes for a schema", self.schema, 0, MOST_SCHEMA),
        ] {
            if !(least..=most).contains(&asked) {
                let fault = SharedFault::Size {
                    what,
                    asked,
                    least,
                    most,
                };
                return Err(SharedError::new(&self.directory, fault));
            }
        }
        let (capacity, schema) = match self.journal {
            None => (
                self.bytes.max(MIN_CAPACITY).next_power_of_two(),
                (self.schema as usize).next_multiple_of(8),
            ),
            // The journal has them.
            Some(_) => (0, 0),
        };
        Ok(Sizes {
            capacity,
            members: self.members as usize,
            processes: self.processes as usize,
            workers: self.workers as usize,
            schema,
        })
    }
}
