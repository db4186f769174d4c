//! Named cursors: positions that outlive who reads.
//!
//! A cursor `name` is the file `cursors/{name}`, two slots as `slot.rs` describes them. A store writes over one of them; the
//! other one keeps what was synced last, until there is something newer that is synced. So what was synced survives whatever is
//! stored after it, even if that is torn by a power loss.
//!
//! Who holds a cursor has locked the empty file `cursors/.{name}.lock`. That is a file of its own, because some systems keep
//! others from reading what is locked, and because it stays when the cursor is removed: a lock on a file that is no longer
//! there would keep nobody out.

mod error;
mod slot;

use core::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fs4::{FileExt, TryLockError};

pub use error::CursorError;
use slot::{FILE_BYTES, Fault, Found, SLOT_STEP, Slot, VERSION};

use super::dir::Dir;
use super::files::{self, CURSORS, Locked};

/// The longest name of a cursor, in bytes.
const LONGEST_NAME: usize = 128;

/// A named position in a journal, kept in its directory. One holder has it at a time.
///
/// It says where its reader goes on. That is usually further and further on, but it may be moved back: who wants to read last
/// Tuesday once more stores the position where it began. A journal that keeps what its cursors have yet to pass keeps
/// from then on what comes after the earlier position, and does not bring back what it has let go before.
/// One that says more than the journal has when that is opened for writing, since it has lost its end, is set back to it.
///
/// ```
/// use messenger::bus::{MessageId, SourceId, Start, Tag};
/// use messenger::journal::{Journal, JournalConfig};
///
/// # let dir = std::env::temp_dir().join(format!("messenger-doc-cursor-{}", std::process::id()));
/// # #[cfg(not(miri))] {
/// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
/// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
/// journal.bus().publisher()?.send(tag, b"one")?;
/// journal.bus().publisher()?.send(tag, b"two")?;
///
/// let mut cursor = journal.cursor("billing")?;
/// let mut subscriber = journal.bus().subscribe(Start::At(cursor.position()))?;
/// assert_eq!(subscriber.try_next()?.expect("it was sent").payload(), b"one");
/// cursor.store(subscriber.position())?;
/// drop((cursor, subscriber));
///
/// // Later, or in another process.
/// let cursor = journal.cursor("billing")?;
/// let mut subscriber = journal.bus().subscribe(Start::At(cursor.position()))?;
/// assert_eq!(subscriber.try_next()?.expect("it was sent").payload(), b"two");
/// # drop((journal, subscriber));
/// # std::fs::remove_dir_all(&dir)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cursor {
    name: String,
    file: File,
    path: PathBuf,
    /// What it says now.
    now: Slot,
    /// The slot that the next store writes. The other one was synced, and is the newest that was.
    next: usize,
    /// Whether something was stored since the last sync.
    unsynced: bool,
    /// Whether the last sync failed, so that the system may take for flushed what is not.
    failed: bool,
    /// Locked as long as it is open.
    _lock: Locked,
}

/// What is known of a cursor without holding it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct CursorInfo {
    /// Its name.
    pub name: String,
    /// Where its reader goes on.
    pub position: u64,
    /// When that was stored.
    pub time: SystemTime,
}

impl Cursor {
    /// Opens the cursor `name` of the journal `id` in `dir`. If there is none yet, it is made, and says `first`.
    pub(crate) fn open(
        dir: &Dir,
        id: [u8; 16],
        name: &str,
        first: u64,
    ) -> Result<Self, CursorError> {
        check(name)?;
        let failed = |error| CursorError::Io {
            name: name.into(),
            what: "open",
            error,
        };
        let cursors = dir.cursors();
        if !cursors.is_dir() {
            cursors.make_itself().map_err(failed)?;
            fault!("cursors_made");
        }
        cursors.check().map_err(failed)?;
        let lock = lock(&cursors, name, "open")?;
        if !cursors.join(name).try_exists().map_err(failed)? {
            check_position(name, first)?;
            let slot = Slot {
                id,
                sequence: 0,
                position: first,
                nanos: nanos_now(),
            };
            files::replace(&cursors, name, &slot::fresh(slot)).map_err(failed)?;
        }
        let mut file = cursors.open(name, true).map_err(failed)?;
        let path = cursors.join(name);
        let found = read(&mut file, name)?;
        is_of(&found, id, name)?;
        // Who held it before may not have synced what it says, and the next store writes over the other slot. If he has tried, and failed, the system may
        // take it for flushed, until it is written again.
        let at = (found.at * SLOT_STEP) as u64;
        let written = write_at(&mut file, &found.slot.encode(), at);
        let synced = written.and_then(|()| files::sync_file(&file, &path));
        // And who made it, or the directory, may have died before their names were flushed.
        let synced = synced.and_then(|()| files::sync_dir(&cursors));
        let synced = synced.and_then(|()| files::sync_dir(dir));
        synced.map_err(failed)?;
        Ok(Self {
            name: name.into(),
            file,
            path,
            now: found.slot,
            next: 1 - found.at,
            unsynced: false,
            failed: false,
            _lock: lock,
        })
    }

    /// The cursor's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The position stored last: where its reader goes on.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.now.position
    }

    /// When that position was stored.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        time(self.now.nanos)
    }

    /// Stores `position`, which may be before or after the one stored now. It survives the death of this process from now
    /// on, and a power loss from the next [`sync`](Self::sync) on.
    ///
    /// # Errors
    ///
    /// [`CursorError::Position`], if no record can stand there; [`CursorError::Io`], if the system refuses. Then the
    /// cursor says what it said before.
    pub fn store(&mut self, position: u64) -> Result<(), CursorError> {
        check_position(&self.name, position)?;
        let slot = Slot {
            sequence: self.now.sequence.saturating_add(1),
            position,
            nanos: nanos_now(),
            ..self.now
        };
        let at = (self.next * SLOT_STEP) as u64;
        write_at(&mut self.file, &slot.encode(), at).map_err(|error| self.io("store", error))?;
        self.now = slot;
        self.unsynced = true;
        self.failed = false;
        Ok(())
    }

    /// Flushes what was stored: it survives a power loss once this has returned.
    ///
    /// # Errors
    ///
    /// [`CursorError::Io`], if the system refuses. Then a power loss may bring back the position that was synced before.
    pub fn sync(&mut self) -> Result<(), CursorError> {
        if self.failed {
            // After a failure the system may say that all is flushed, though it is not, until it is written again.
            self.store(self.now.position)?;
        }
        if let Err(error) = files::sync_file(&self.file, &self.path) {
            self.failed = true;
            return Err(self.io("sync", error));
        }
        if core::mem::take(&mut self.unsynced) {
            self.next = 1 - self.next;
        }
        Ok(())
    }

    fn io(&self, what: &'static str, error: io::Error) -> CursorError {
        CursorError::Io {
            name: self.name.clone(),
            what,
            error,
        }
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cursor")
            .field("name", &self.name)
            .field("position", &self.now.position)
            .finish_non_exhaustive()
    }
}

/// All cursors of the journal `id` in `dir`, by name, whether somebody holds them or not.
pub(crate) fn list(dir: &Path, id: [u8; 16]) -> Result<Vec<CursorInfo>, CursorError> {
    each(dir, id)?.into_iter().collect()
}

/// The same, with what is wrong with those that can't be read.
pub(super) fn each(
    dir: &Path,
    id: [u8; 16],
) -> Result<Vec<Result<CursorInfo, CursorError>>, CursorError> {
    let each = names(dir)?.into_iter().map(|name| info(dir, id, &name));
    // Removed meanwhile.
    let is_there = |cursor: &Result<_, _>| !matches!(cursor, Err(CursorError::Missing { .. }));
    Ok(each.filter(is_there).collect())
}

/// The names of all cursors of the journal in `dir`, in order.
pub(crate) fn names(dir: &Path) -> Result<Vec<String>, CursorError> {
    let failed = |error| CursorError::Io {
        name: "*".into(),
        what: "read",
        error,
    };
    let entries = match fs::read_dir(dir.join(CURSORS)) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        // Locks, and what is being written, begin with a dot.
        names.extend(name.into_string().ok().filter(|name| check(name).is_ok()));
    }
    names.sort_unstable();
    Ok(names)
}

/// What is known of the cursor `name` of the journal `id` in `dir`, whether somebody holds it or not.
pub(crate) fn info(dir: &Path, id: [u8; 16], name: &str) -> Result<CursorInfo, CursorError> {
    check(name)?;
    let mut tries = 0;
    let found = loop {
        let file = files::open_plain(&path(dir, name), false);
        let mut file = file.map_err(|error| missing(name, "read", error))?;
        let found = read(&mut file, name);
        tries += 1;
        // A store may be under way: then the next look finds it done.
        if tries == 4 || found.as_ref().is_ok_and(|found| found.whole) {
            break found?;
        }
    };
    is_of(&found, id, name)?;
    Ok(CursorInfo {
        name: name.into(),
        position: found.slot.position,
        time: time(found.slot.nanos),
    })
}

/// Has no cursor of the journal `id` in `dir` say more than `tail`, where that ends: what it would say is handled is not there any more, and is
/// to be another record's place. But for those that can't be read, which is told to who opens them, and those that somebody holds. If it has just been `cut`
/// there, one that says `tail` may have been set back by who died over it, and not be flushed.
pub(super) fn set_back(dir: &Dir, id: [u8; 16], tail: u64, cut: bool) -> Result<(), CursorError> {
    for name in names(dir)? {
        let least = if cut { tail } else { tail + 1 };
        if !info(dir, id, &name).is_ok_and(|cursor| cursor.position >= least) {
            continue;
        }
        match Cursor::open(dir, id, &name, tail) {
            Ok(mut cursor) => {
                cursor.store(tail)?;
                fault!("cursor_set_back");
                cursor.sync()?;
            }
            Err(CursorError::Held { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Flushes what all cursors of the journal in `dir` say, whoever holds them.
pub(super) fn flush(dir: &Path) -> io::Result<()> {
    for name in names(dir).map_err(io::Error::other)? {
        let path = path(dir, &name);
        // They may be others', who let us only read them; Windows flushes what one may write.
        let file = files::open_plain(&path, cfg!(windows));
        match file.and_then(|file| files::sync_file(&file, &path)) {
            // Removed meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            flushed => flushed?,
        }
    }
    Ok(())
}

/// Removes the cursor `name` of the journal in `dir`, which nobody holds. It may be damaged.
pub(crate) fn remove(dir: &Dir, name: &str) -> Result<(), CursorError> {
    check(name)?;
    path(dir, name)
        .symlink_metadata()
        .map_err(|error| missing(name, "remove", error))?;
    let cursors = dir.cursors();
    let lock = lock(&cursors, name, "remove")?;
    let removed = fs::remove_file(cursors.join(name)).and_then(|()| files::sync_dir(&cursors));
    drop(lock);
    removed.map_err(|error| missing(name, "remove", error))
}

fn path(dir: &Path, name: &str) -> PathBuf {
    dir.join(CURSORS).join(name)
}

fn missing(name: &str, what: &'static str, error: io::Error) -> CursorError {
    let name = name.into();
    match error.kind() {
        io::ErrorKind::NotFound => CursorError::Missing { name },
        _ => CursorError::Io { name, what, error },
    }
}

/// Whether a cursor can have that name.
fn check(name: &str) -> Result<(), CursorError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    let first = !name.is_empty() && !name.starts_with('.');
    if first && name.len() <= LONGEST_NAME && name.bytes().all(plain) {
        Ok(())
    } else {
        Err(CursorError::Name { name: name.into() })
    }
}

fn check_position(name: &str, position: u64) -> Result<(), CursorError> {
    if slot::is_position(position) {
        Ok(())
    } else {
        let name = name.into();
        Err(CursorError::Position { name, position })
    }
}

/// Locks the cursor, until the file is dropped.
fn lock(cursors: &Dir, name: &str, what: &'static str) -> Result<Locked, CursorError> {
    let failed = |error| CursorError::Io {
        name: name.into(),
        what,
        error,
    };
    let file = { cursors.open_or_make(&format!(".{name}.lock")) }.map_err(failed)?;
    match FileExt::try_lock(&file) {
        Ok(()) => Ok(Locked::over(file)),
        Err(TryLockError::WouldBlock) => Err(CursorError::Held { name: name.into() }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

fn read(file: &mut File, name: &str) -> Result<Found, CursorError> {
    let mut bytes = Vec::with_capacity(FILE_BYTES);
    let length = file.take(FILE_BYTES as u64).read_to_end(&mut bytes);
    length.map_err(|error| missing(name, "read", error))?;
    let name = name.into();
    slot::read(&bytes).map_err(|fault| match fault {
        Fault::Damaged => CursorError::Damaged { name },
        Fault::Newer { found } => CursorError::Newer {
            name,
            found,
            known: VERSION,
        },
    })
}

/// Says if the cursor is another journal's.
fn is_of(found: &Found, id: [u8; 16], name: &str) -> Result<(), CursorError> {
    if found.slot.id == id {
        Ok(())
    } else {
        Err(CursorError::OtherJournal { name: name.into() })
    }
}

#[cfg(unix)]
fn write_at(file: &mut File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
fn write_at(file: &mut File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}

fn nanos_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    })
}

fn time(nanos: u64) -> SystemTime {
    // Nanoseconds in 64 bits reach to the year 2554.
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

#[cfg(all(test, not(miri)))]
mod tests;
