//! What can go wrong with a shared bus.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::process::Process;
use crate::bus::JoinError;
use crate::journal::{OpenError, OpenFault, SchemaConflict, SchemaTextError};
use crate::words::in_words;

/// A shared bus could not be made, opened or removed, or something not be said on it.
pub struct SharedError {
    path: PathBuf,
    fault: SharedFault,
}

/// What is wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum SharedFault {
    /// The name is none.
    Name {
        /// The name.
        name: String,
    },
    /// The system refused something.
    System {
        /// What was tried.
        tried: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// There is no bus of this name.
    Absent,
    /// There is one already, and processes use it.
    Exists {
        /// They.
        processes: Vec<Process>,
    },
    /// It was to be removed while processes use it.
    InUse {
        /// They.
        processes: Vec<Process>,
    },
    /// What lies there is not a file of its own: a directory, a symbolic link, a device.
    NotAFile,
    /// It belongs to somebody else.
    Foreign {
        /// The user whose it is.
        owner: u32,
        /// This process's user.
        user: u32,
        /// Its permissions.
        mode: u32,
    },
    /// Its permissions don't let this process's user open it.
    Refused {
        /// Whether it was to be written, too.
        to_write: bool,
        /// The user whose it is.
        owner: u32,
        /// This process's user.
        user: u32,
        /// Its permissions.
        mode: u32,
    },
    /// It does not begin as a shared bus does.
    NotABus,
    /// It is written in a version that this build does not know.
    Version {
        /// The version.
        found: u32,
        /// The one that this build knows.
        known: u32,
    },
    /// What it says of itself can't be.
    Damaged {
        /// What.
        what: &'static str,
        /// The number that was found.
        found: u64,
    },
    /// A size that was asked for is out of range.
    Size {
        /// Of what.
        what: &'static str,
        /// What was asked for.
        asked: u64,
        /// The least that can be had.
        least: u64,
        /// The most that can be had.
        most: u64,
    },
    /// As many processes use it as it has places for.
    Processes {
        /// How many.
        places: usize,
    },
    /// No member could be attached.
    Join(JoinError),
    /// The journal that has its records can't be opened.
    Journal(OpenError),
    /// Its records lie elsewhere than was asked for.
    Storage {
        /// The directory of the journal that has them; `None`: they lie in a ring.
        journal: Option<PathBuf>,
    },
    /// The path of the journal's directory is longer than the bus has room for.
    JournalPath {
        /// Its length in bytes.
        len: usize,
        /// The longest, in bytes.
        most: usize,
    },
    /// An id means something else to those who came before.
    Conflict(SchemaConflict),
    /// What the bus says of ids and tables can't be read.
    Schema(SchemaTextError),
    /// What is to be said of ids and tables is too long.
    SchemaFull {
        /// Its length in bytes.
        len: usize,
        /// The bytes that the bus has for it.
        room: usize,
    },
    /// The worker runs already.
    WorkerRuns {
        /// The table and the worker.
        worker: String,
        /// Where.
        process: Process,
    },
    /// The worker is a pool on this bus, and was to run alone.
    WorkerIsPool {
        /// The table and the worker.
        worker: String,
    },
    /// There is no place left for another worker's position.
    Workers {
        /// How many there are.
        places: usize,
    },
    /// The name of a table and a worker is longer than the bus has room for.
    WorkerName {
        /// The table and the worker.
        worker: String,
        /// The longest, in bytes.
        most: usize,
    },
}

impl SharedError {
    pub(super) fn new(path: &Path, fault: SharedFault) -> Self {
        Self {
            path: path.to_owned(),
            fault,
        }
    }

    pub(super) fn system(path: &Path, tried: &'static str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        Self::new(path, SharedFault::System { tried, source })
    }

    /// The file of the bus, or the directory in which it was to be.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is that somebody else has the journal.
    pub(super) fn is_journal_in_use(&self) -> bool {
        matches!(&self.fault, SharedFault::Journal(error) if matches!(error.fault(), OpenFault::InUse { .. }))
    }

    /// What is wrong.
    #[must_use]
    pub fn fault(&self) -> &SharedFault {
        &self.fault
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the shared bus {}: {}", self.path.display(), self.fault)
    }
}

in_words!(SharedError);

impl core::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match &self.fault {
            SharedFault::System { source, .. } => Some(source),
            SharedFault::Conflict(conflict) => Some(conflict),
            SharedFault::Schema(error) => Some(error),
            SharedFault::Join(error) => Some(error),
            SharedFault::Journal(error) => Some(error),
            _ => None,
        }
    }
}

impl fmt::Display for SharedFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name { name } => write!(
                f,
                "`{}` is no name of a bus: take 1 to 100 of the letters a to z and A to Z, digits, `-`, `_` and `.`",
                name.escape_debug()
            ),
            Self::System { tried, source } if source.kind() == io::ErrorKind::StorageFull => {
                write!(
                    f,
                    "{tried}: {source}; make the bus shorter, or its file system larger"
                )
            }
            Self::System { tried, source } if source.kind() == io::ErrorKind::NotFound => {
                write!(
                    f,
                    "{tried}: {source}; is its directory there? `SharedOptions::directory` names another one"
                )
            }
            Self::System { tried, source } => write!(f, "{tried}: {source}"),
            Self::Absent => f.write_str("there is none of this name: `create` and `open_or_create` make one"),
            Self::Exists { processes } => write!(
                f,
                "there is one already, used by {}; open it, or take another name",
                List(processes)
            ),
            Self::InUse { processes } => {
                write!(f, "it is used by {}; end them first", List(processes))
            }
            Self::NotAFile => f.write_str(
                "what lies there is no plain file, and links are not followed: remove it, or take another name",
            ),
            Self::Foreign { owner, user, mode } => write!(
                f,
                "it belongs to the user {owner} with the permissions {mode:03o}, and this process is the user {user}'s: whoever can write it \
                 can do harm here. If all of them are trusted, say so: `SharedOptions::trust_others`"
            ),
            Self::Refused {
                to_write,
                owner,
                user,
                mode,
            } => {
                let (what, instead) = match to_write {
                    true => ("write", "; who only reads it needs less: `SharedBus::read`"),
                    false => ("read", ""),
                };
                write!(
                    f,
                    "it belongs to the user {owner} with the permissions {mode:03o}, and this process, the user {user}'s, may not {what} it: its owner has to \
                     allow it, by `SharedOptions::mode` and `group` when it is made{instead}"
                )
            }
            Self::NotABus => f.write_str(
                "what lies there is no bus: it does not begin as one does; remove it, or take another name or directory",
            ),
            Self::Version { found, known } => write!(
                f,
                "it is written in version {found}, and this build knows {known}: use the same version of the library in all processes"
            ),
            Self::Damaged { what, found } => write!(
                f,
                "its {what} can't be {found}: something wrote over it; `create` replaces it once nobody uses it"
            ),
            Self::Size {
                what,
                asked,
                least,
                most,
            } => write!(f, "{asked} {what} were asked for: ask for {least} to {most}"),
            Self::Processes { places } => write!(
                f,
                "all its {places} places for processes are taken; end one, or create it with more: `SharedOptions::processes`"
            ),
            Self::Join(error) => error.fmt(f),
            Self::Journal(error) => error.fmt(f),
            Self::Storage { journal: Some(dir) } => write!(
                f,
                "its records lie in the journal in {}, and not where they were asked for: open it without saying where",
                dir.display()
            ),
            Self::Storage { journal: None } => f.write_str(
                "its records lie in a ring, and not in a journal: open it without saying where, or create another one",
            ),
            Self::JournalPath { len, most } => write!(
                f,
                "the path of its journal's directory takes {len} bytes, and there are {most} for it: take a shorter one"
            ),
            Self::Conflict(conflict) => conflict.said_of("bus", f),
            Self::Schema(error) => write!(f, "what it says of ids and tables can't be read: {error}"),
            Self::SchemaFull { len, room } => write!(
                f,
                "what there is to say of ids and tables takes {len} bytes, and the bus has {room} for it; create it with more: \
                 `SharedOptions::schema_bytes`"
            ),
            Self::WorkerRuns { worker, process } => write!(
                f,
                "the worker `{worker}` runs already, in {process}: run it in one process only, or stop it there first"
            ),
            Self::WorkerIsPool { worker } => write!(
                f,
                "the worker `{worker}` was a pool when it ran here before, and what its members owed may be open: declare it so, \
                 `pool = true`, or have it begin anew by `forget_worker`"
            ),
            Self::Workers { places } => write!(
                f,
                "the positions of {places} workers are kept on it, and there is no place for more; create it with more: \
                 `SharedOptions::workers`"
            ),
            Self::WorkerName { worker, most } => write!(
                f,
                "the name `{worker}` of a table and its worker takes {} bytes, and there are {most} for it",
                worker.len()
            ),
        }
    }
}

/// Several processes in a row.
struct List<'a>(&'a [Process]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, process) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            process.fmt(f)?;
        }
        if self.0.is_empty() {
            f.write_str("nobody")?;
        }
        Ok(())
    }
}
