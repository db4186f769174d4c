//! Checking all of a journal, and saying what is damaged.

use core::fmt;
use std::path::Path;
use std::time::SystemTime;

use fs4::{FileExt, TryLockError};

use super::control::Control;
use super::dir::Dir;
use super::error::{OpenError, OpenFault};
use super::files::{CONTROL, LOCK, Locked, open_plain};
use super::header::HeaderError;
use super::opening::lock_by;
use super::survey::{self, Survey, Surveyed};

/// How far a long work on a journal has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes of the journal that have been looked at.
    pub done: u64,
    /// Bytes of the journal that there are.
    pub total: u64,
}

/// What stands in a journal, and what of it is damaged.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Verified {
    /// Whether somebody was writing it meanwhile.
    pub live: bool,
    /// The position of the oldest segment.
    pub oldest: u64,
    /// Where the last whole record ends, and the next one would stand.
    pub newest: u64,
    /// Up to where the journal had been synced, as its segments say, which may be one flush behind.
    pub synced: u64,
    /// How many segment files there are.
    pub segments: u64,
    /// How many whole records.
    pub records: u64,
    /// How many whole notes of the journal's own.
    pub notes: u64,
    /// How many claims that were never committed.
    pub aborted: u64,
    /// How many bytes were left over at the ends of segments.
    pub padding: u64,
    /// How many bytes the whole records take, headers included.
    pub bytes: u64,
    /// The first and the last time that the journal's notes say.
    pub times: Option<(SystemTime, SystemTime)>,
    /// How many bytes from [`newest`](Self::newest) on are in use and not finished: claims of who is writing, or what
    /// a writer left that ended in their middle.
    pub pending: u64,
    /// What is damaged, by position. The first of each segment: what comes after it there can't be found.
    pub damage: Vec<Damage>,
}

/// Something in a journal that is not as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Damage {
    /// Where it stands.
    pub position: u64,
    /// What is wrong.
    pub what: DamageKind,
    /// Whether it had been synced. What had not is mended or given up, and told, by who opens the journal next.
    pub synced: bool,
}

/// What can be wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DamageKind {
    /// The file `schema` can't be read; what is needed of it is known from the segments' headers.
    Schema {
        /// What is wrong with it.
        why: String,
    },
    /// The header page of the segment that begins there.
    Header(HeaderError),
    /// The file of the segment that begins there is too short.
    Cut {
        /// Its length in bytes.
        len: u64,
        /// The length it should have.
        expected: u64,
    },
    /// There are no files of the segments from there on.
    Missing {
        /// The position of the next segment that is there, or up to where the journal is known to have reached.
        to: u64,
    },
    /// The checksum of the record there is another than was written with it.
    Checksum,
    /// The header of the record there says a length that cannot be.
    Length {
        /// The length of the payload that it says, in bytes.
        len: u32,
    },
    /// There is no header of a finished record there, and something comes after it. (Not told of what a writer was about to write
    /// when it was killed: that is [`pending`](Verified::pending).)
    Unfinished,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { position, what, .. } = self;
        match what {
            DamageKind::Schema { why } => write!(f, "the file `schema`: {why}")?,
            DamageKind::Header(error) => write!(f, "the header of segment {position}: {error}")?,
            DamageKind::Cut { len, expected } => write!(
                f,
                "the file of segment {position} has {len} bytes in place of {expected}"
            )?,
            DamageKind::Missing { to } => {
                write!(
                    f,
                    "the segments from position {position} to {to} are missing"
                )?;
            }
            DamageKind::Checksum => write!(
                f,
                "the record at position {position} has another checksum than was written with it"
            )?,
            DamageKind::Length { len } => write!(
                f,
                "the record at position {position} says {len} bytes of payload, which cannot be"
            )?,
            DamageKind::Unfinished => write!(
                f,
                "at position {position} no record was finished, and something comes after it"
            )?,
        }
        let synced = if self.synced { "synced" } else { "not synced" };
        write!(f, " ({synced})")
    }
}

/// Looks at all that stands in the journal in the directory `path`: every header and every checksum. Goes on after damage, in the
/// next segment. Changes nothing. Somebody may be writing the journal: then it looks, in the segments that there are when it begins, at what is
/// there when it comes by. (If somebody begins to while it looks, and it finds what may be damage or that one's work, it begins anew.)
///
/// ```
/// use messenger::bus::{MessageId, SourceId, Tag};
/// use messenger::journal::{Journal, JournalConfig, verify};
///
/// # let dir = std::env::temp_dir().join(format!("messenger-doc-verify-{}", std::process::id()));
/// # #[cfg(not(miri))] {
/// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
/// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
/// journal.bus().publisher()?.send(tag, b"kept")?;
/// journal.close()?;
///
/// let verified = verify(&dir, |progress| assert!(progress.done <= progress.total))?;
/// assert_eq!((verified.records, verified.damage.len()), (1, 0));
/// # std::fs::remove_dir_all(&dir)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`OpenError`]: there is no journal, it is of a newer version, or its files can't be read. Damage is no error.
pub fn verify(
    path: impl AsRef<Path>,
    progress: impl FnMut(Progress),
) -> Result<Verified, OpenError> {
    let path = path.as_ref();
    verify_in(path, progress).map_err(|fault| OpenError::new(path, fault))
}

fn verify_in(path: &Path, mut progress: impl FnMut(Progress)) -> Result<Verified, OpenFault> {
    let known = survey::known(path)?;
    let mut live = is_written(path)?;
    loop {
        let survey = Survey::new(path, &known, live)?;
        let identity = survey.store.identity;
        let mut verified = survey.run(&mut progress)?.verified;
        if !verified.damage.is_empty() && !live {
            live = is_written(path)?;
            if live {
                // By one who has come meanwhile: what he is about to do was taken for damage.
                continue;
            }
            // If it can't be read, or is of before a loss of power, all is told.
            if let Ok(Some(left)) = Control::left(&Dir::of(path), &identity) {
                Surveyed::excuse(&mut verified, &left);
            }
        }
        return Ok(verified);
    }
}

/// Whether somebody has the journal open for writing.
fn is_written(path: &Path) -> Result<bool, OpenFault> {
    match try_lock(path) {
        Ok(_) => Ok(false),
        Err(OpenFault::InUse { .. }) => Ok(true),
        Err(fault) => Err(fault),
    }
}

/// The writer's lock, if there is one, without making anything in the directory.
pub(super) fn try_lock(path: &Path) -> Result<Option<Locked>, OpenFault> {
    let file = match open_plain(&path.join(LOCK), false) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        file => file.map_err(OpenFault::tried("open the lock"))?,
    };
    // Shared: those who only look are not in each other's way.
    match FileExt::try_lock_shared(&file) {
        Ok(()) if is_shared(path)? => Err(OpenFault::in_use()),
        Ok(()) => Ok(Some(Locked::over(file))),
        Err(TryLockError::WouldBlock) => Err(OpenFault::in_use()),
        Err(TryLockError::Error(source)) => Err(OpenFault::System {
            tried: "look at the lock",
            source,
        }),
    }
}

/// Whether processes share the journal as their bus: they have its lock as those have it who only look, and that of the control
/// page, too.
fn is_shared(path: &Path) -> Result<bool, OpenFault> {
    let file = match open_plain(&path.join(CONTROL), false) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(OpenFault::tried("look at the lock"))?,
    };
    // Who looks at the same moment keeps it for a moment only.
    match lock_by(&file, FileExt::try_lock) {
        Ok(()) => Ok(false),
        Err(OpenFault::InUse { .. }) => Ok(true),
        Err(fault) => Err(fault),
    }
}
