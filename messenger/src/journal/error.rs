//! What can go wrong with a journal.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::files::LOCK;
use super::header::HeaderError;
use super::holders::holders;
use super::schema::{ManifestError, SchemaConflict};
use crate::bus::{Lost, ReadError};
use crate::words::in_words;

/// A journal could not be opened. Nothing of it was changed.
pub struct OpenError {
    path: PathBuf,
    fault: OpenFault,
}

/// Why a journal could not be opened.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenFault {
    /// The system refused something.
    System {
        /// What was tried.
        tried: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// A segment could not be had.
    Segment {
        /// How long it was to be, in bytes.
        bytes: u64,
        /// Why.
        source: Lost,
    },
    /// The directory holds something, but no journal.
    NotAJournal,
    /// The path is not that of a directory.
    NotADirectory,
    /// There is no journal, and none was to be created.
    Absent,
    /// There is one already, and a new one was to be created.
    Exists,
    /// Its `schema` file cannot be used.
    Manifest(ManifestError),
    /// A segment's header page cannot be used.
    Header {
        /// The segment's first position.
        base: u64,
        /// What is wrong with it.
        source: HeaderError,
    },
    /// A segment is missing among those that were synced, or before them, where nobody had given it up; or before one that holds records.
    Missing {
        /// The first position that is missing.
        position: u64,
        /// Up to where the journal was synced.
        synced: u64,
    },
    /// A segment that was synced has been cut off.
    Cut {
        /// The segment's first position.
        base: u64,
        /// Its file's length in bytes.
        len: u64,
        /// The length it should have.
        expected: u64,
    },
    /// Another process, or this one, has it open for writing; or processes share it as their bus.
    InUse {
        /// Their numbers, as this process sees them: on Linux, and as far as the system tells.
        processes: Vec<u32>,
    },
    /// A number of the configuration is out of range.
    Config {
        /// Which.
        what: &'static str,
        /// What was asked for.
        value: u64,
        /// What may be.
        allowed: &'static str,
    },
}

impl OpenError {
    pub(super) fn new(path: &Path, mut fault: OpenFault) -> Self {
        if let OpenFault::InUse { processes } = &mut fault {
            *processes = holders(&path.join(LOCK));
        }
        Self {
            path: path.to_owned(),
            fault,
        }
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why.
    #[must_use]
    pub fn fault(&self) -> &OpenFault {
        &self.fault
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal in {}: ", self.path.display())?;
        self.fault.fmt(f)
    }
}

/// Those who have it open for writing.
struct Holders<'a>(&'a [u32]);

impl fmt::Display for Holders<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = "share it as their bus";
        match self.0 {
            [] => write!(
                f,
                "one process, here or elsewhere, or by those that {share}"
            ),
            [process] => {
                match *process == std::process::id() {
                    true => f.write_str("this process itself"),
                    false => write!(f, "process {process}"),
                }?;
                write!(f, ", alone or as one of those that {share}")
            }
            [first, rest @ ..] => {
                write!(f, "processes {first}")?;
                for process in rest {
                    write!(f, ", {process}")?;
                }
                write!(f, ", which {share}")
            }
        }
    }
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System { tried, source } => write!(f, "could not {tried}: {source}"),
            Self::Segment { bytes, source } => write!(
                f,
                "could not make a segment of {bytes} bytes: {source}; where there is no room for that, make the journal with shorter ones: \
                 `JournalConfig::segment_bytes`"
            ),
            Self::NotAJournal => f.write_str(
                "the directory holds other files, and no `schema` of a journal: name a journal's directory, or an empty one to create it in; \
                 `repair`, or `messenger repair DIR`, gives a journal that has lost its `schema` a new one",
            ),
            Self::NotADirectory => f.write_str(
                "the path is that of a file, and a journal is a directory: name its directory, or one to create it in",
            ),
            Self::Absent => f.write_str("there is none: name its directory, or create it"),
            Self::Exists => f.write_str("there is one already: open it, or name another directory"),
            Self::Manifest(error) => error.fmt(f),
            Self::Header { base, source } => write!(f, "segment {base}: {source}"),
            Self::Missing { position, synced } => write!(
                f,
                "the segment with position {position} is missing, and the journal was synced up to {synced}: bring the file back, or have the journal \
                 repaired (`repair`, or `messenger repair DIR`), which gives up what can't be had without it"
            ),
            Self::Cut {
                base,
                len,
                expected,
            } => write!(
                f,
                "segment {base} has {len} bytes in place of {expected}, and records in it were synced: bring the file back, or have the journal repaired \
                 (`repair`, or `messenger repair DIR`), which gives up what it lacks and all after it"
            ),
            Self::InUse { processes } => write!(
                f,
                "it is open for writing already, by {}: close it there first, open that bus by its name, or only read, by a `Reader`",
                Holders(processes)
            ),
            Self::Config {
                what,
                value,
                allowed,
            } => write!(f, "{what} was to be {value}: ask for {allowed}"),
        }
    }
}

in_words!(OpenError);

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            OpenFault::System { source, .. } => Some(source),
            OpenFault::Segment { source, .. } => Some(source),
            OpenFault::Manifest(error) => Some(error),
            OpenFault::Header { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl OpenFault {
    /// That others have it; who they are is asked for where it is told.
    pub(super) fn in_use() -> Self {
        Self::InUse {
            processes: Vec::new(),
        }
    }

    /// For `map_err`: what was tried when the system refused.
    pub(super) fn tried(tried: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { tried, source }
    }
}

impl From<ManifestError> for OpenFault {
    fn from(error: ManifestError) -> Self {
        Self::Manifest(error)
    }
}

/// Something about an open journal went wrong.
// In a box, since readers return it for each record.
pub struct JournalError(Box<(PathBuf, JournalFault)>);

/// What went wrong with an open journal.
#[derive(Debug)]
#[non_exhaustive]
pub enum JournalFault {
    /// What was to be synced could not be. If it was the disk that failed to take it, now or before, nothing is synced any more until the
    /// journal is opened again; if it could not be tried, as for want of descriptors, the next sync may do it.
    Sync(Lost),
    /// The system refused something.
    System {
        /// What was tried.
        tried: &'static str,
        /// What it said.
        source: io::Error,
    },
    /// A record could not be read.
    Read(ReadError),
    /// What the program says of a message or a source contradicts the journal.
    Conflict(SchemaConflict),
    /// The position is not retained any more.
    Gone {
        /// The position.
        position: u64,
        /// The oldest that is retained.
        oldest: u64,
    },
    /// The journal ends before the position.
    Ahead {
        /// The position.
        position: u64,
        /// Where it ends.
        newest: u64,
    },
    /// Others still use the journal's bus.
    InUse,
}

impl JournalError {
    pub(crate) fn new(path: &Path, fault: impl Into<JournalFault>) -> Self {
        Self(Box::new((path.to_owned(), fault.into())))
    }

    /// The directory; `memory` of a journal in memory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.0
    }

    /// What.
    #[must_use]
    pub fn fault(&self) -> &JournalFault {
        &self.0.1
    }

    #[cfg(all(feature = "shared", target_os = "linux"))]
    pub(crate) fn into_fault(self) -> JournalFault {
        self.0.1
    }
}

impl fmt::Display for JournalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the journal in {}: ", self.path().display())?;
        self.fault().fmt(f)
    }
}

impl fmt::Display for JournalFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sync(lost) => write!(
                f,
                "could not be synced: {lost}; see to what is wrong, and sync again; if that says the same, a flush has failed: \
                 open it again"
            ),
            Self::System { tried, source } => write!(f, "could not {tried}: {source}"),
            Self::Read(error) => error.fmt(f),
            Self::Conflict(error) => error.fmt(f),
            Self::Gone { position, oldest } => write!(
                f,
                "position {position} is not retained any more: go on at {oldest}, the oldest record there is, and know that what stood before is missed"
            ),
            Self::Ahead { position, newest } => write!(
                f,
                "position {position} lies ahead of the journal, which ends at {newest}: it is one of another journal, or of an end that this one has lost; open \
                 that one, or take a position up to {newest}"
            ),
            Self::InUse => f.write_str(
                "others still use its bus: drop its publishers and subscribers, or stop the messenger that runs on it",
            ),
        }
    }
}

in_words!(JournalError);

impl std::error::Error for JournalError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self.fault() {
            JournalFault::Sync(lost) => Some(lost),
            JournalFault::System { source, .. } => Some(source),
            JournalFault::Read(error) => Some(error),
            JournalFault::Conflict(error) => Some(error),
            JournalFault::Gone { .. } | JournalFault::Ahead { .. } | JournalFault::InUse => None,
        }
    }
}

impl From<ReadError> for JournalFault {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<SchemaConflict> for JournalFault {
    fn from(error: SchemaConflict) -> Self {
        Self::Conflict(error)
    }
}

impl JournalFault {
    /// For `map_err`: what was tried when the system refused.
    pub(super) fn tried(tried: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::System { tried, source }
    }
}
