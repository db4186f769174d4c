//! Which buses this process has open, so that it opens the file of none twice.
//!
//! All its locks on a bus's file go when it closes any descriptor of it. So opening and leaving are done under one lock of the
//! process, a bus that is open already is found by its file's identity before the file is opened again, and the one descriptor is closed last.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, TryLockError, Weak};

use super::desk::lock_of;
use super::ear::Identity;
use super::error::{SharedError, SharedFault};
use super::presence::Presence;

pub(super) type House = Vec<(Identity, Weak<Presence>)>;

/// The buses that this process has open.
static HOUSE: Mutex<House> = Mutex::new(House::new());

/// All of them, to be changed.
pub(super) fn house() -> MutexGuard<'static, House> {
    lock_of(&HOUSE)
}

/// Keeps all other threads of this process from coming, leaving, and whatever else is done by the door.
pub(super) fn hold_house() -> impl Drop {
    house()
}

/// The same, if none does so now.
pub(super) fn try_hold_house() -> Option<impl Drop> {
    match HOUSE.try_lock() {
        Ok(house) => Some(house),
        Err(TryLockError::Poisoned(house)) => Some(house.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

/// What a look at a file of a bus finds.
pub(super) enum Looked<T> {
    /// This process uses it itself.
    Here(Arc<Presence>),
    /// It does not.
    There(T),
}

/// What a file is opened for. Who only looks at a bus needs no right to write it, and can do no harm to it by mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Access {
    Read,
    Write,
}

/// Has `look` look at the file at `path`, unless this process uses the bus itself: then it may not be opened again.
pub(super) fn look_at<T>(
    path: &Path,
    access: Access,
    look: impl FnOnce(&File) -> Result<T, SharedError>,
) -> Result<Looked<T>, SharedError> {
    let error = |fault| SharedError::new(path, fault);
    let system = |source| SharedError::system(path, "opening its file", source);
    loop {
        let house = house();
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(error(SharedFault::Absent));
            }
            Err(e) => return Err(system(e)),
        };
        if !meta.is_file() {
            return Err(error(SharedFault::NotAFile));
        }
        match find(&house, (meta.dev(), meta.ino())) {
            Known::Here(presence) => {
                // Before the presence may go, which takes the house.
                drop(house);
                return Ok(Looked::Here(presence));
            }
            Known::Leaving => {
                drop(house);
                std::thread::yield_now();
                continue;
            }
            Known::Not => {}
        }
        let file = match open_file(path, access) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(refused(path, access, &meta, e)),
        };
        let opened = file.metadata().map_err(system)?;
        if is_known(&house, (opened.dev(), opened.ino())) {
            core::mem::forget(file);
            continue;
        }
        return look(&file).map(Looked::There);
    }
}

/// Why the file at `path` could not be opened.
pub(super) fn refused(
    path: &Path,
    access: Access,
    meta: &Metadata,
    error: std::io::Error,
) -> SharedError {
    if error.kind() != std::io::ErrorKind::PermissionDenied {
        return SharedError::system(path, "opening its file", error);
    }
    let fault = SharedFault::Refused {
        to_write: access == Access::Write,
        owner: meta.uid(),
        user: rustix::process::geteuid().as_raw(),
        mode: meta.mode() & 0o777,
    };
    SharedError::new(path, fault)
}

/// What this process has to do with a bus.
pub(super) enum Known {
    Not,
    Here(Arc<Presence>),
    /// It is leaving, and waits for the house.
    Leaving,
}

/// What it has to do with the one in `identity`. A presence that is found is dropped after the house is let go of: it may be the last one, and
/// takes the house itself as it leaves.
pub(super) fn find(house: &House, identity: Identity) -> Known {
    match house.iter().find(|(known, _)| *known == identity) {
        None => Known::Not,
        Some((_, presence)) => presence.upgrade().map_or(Known::Leaving, Known::Here),
    }
}

/// Whether it has the one in `identity` open.
pub(super) fn is_known(house: &House, identity: Identity) -> bool {
    house.iter().any(|(known, _)| *known == identity)
}

/// Whether `path` is a name of this file.
pub(super) fn is_named(path: &Path, file: Identity) -> bool {
    let named = path.symlink_metadata();
    named.is_ok_and(|named| (named.dev(), named.ino()) == file)
}

pub(super) fn open_file(path: &Path, access: Access) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(access == Access::Write)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
}
