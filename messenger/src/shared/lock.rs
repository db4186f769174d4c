//! Locks on single bytes of a file, which the kernel gives back when their process dies, whatever the way.
//!
//! They are the record locks of POSIX: a process's own, not inherited by its children. (Those of an open file description
//! would be, and so a forked child would make a dead process look alive.) They have one trap: all of a process's locks on a file go when it closes
//! *any* descriptor of that file. So a process has one descriptor of a bus's file, and closes it when it has left; see `presence.rs`.
//!
//! Threads of one process do not exclude each other by them.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use super::layout::{MOST_PROCESSES, Place};

/// The bytes that are locked; they lie beyond the end of any file.
const PLACES: i64 = 1 << 40;
/// Held by one who comes or goes, or changes what is seldom changed.
const DOOR: i64 = 1 << 41;

/// Who holds a lock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holder {
    /// No other process.
    Nobody,
    /// The process with this number, as this one sees it; 0: it can't be seen from here, as in another namespace.
    Process(i32),
}

fn lock_of(kind: libc::c_int, at: i64) -> libc::flock {
    // SAFETY: `flock` is made of integers only, for which zeros are valid.
    let mut lock: libc::flock = unsafe { core::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock.l_start = at;
    lock.l_len = 1;
    lock
}

fn control(file: &File, command: libc::c_int, lock: &mut libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is open, and each of the commands used here takes a pointer to a `flock`, which this is.
        let done = unsafe { libc::fcntl(file.as_raw_fd(), command, core::ptr::from_mut(lock)) };
        if done != -1 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

/// Locks a byte, if no other process has. Says whether it did.
fn try_lock(file: &File, at: i64) -> io::Result<bool> {
    match control(file, libc::F_SETLK, &mut lock_of(libc::F_WRLCK, at)) {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.raw_os_error(), Some(libc::EACCES | libc::EAGAIN)) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Takes the place of a process, if no other has it.
pub(super) fn try_place(file: &File, place: Place) -> io::Result<bool> {
    try_lock(file, PLACES + i64::from(place.index()))
}

/// Gives a place back.
pub(super) fn leave_place(file: &File, place: Place) -> io::Result<()> {
    let at = PLACES + i64::from(place.index());
    control(file, libc::F_SETLK, &mut lock_of(libc::F_UNLCK, at))
}

/// Who holds a place, if it is not this process.
pub(super) fn holder(file: &File, place: Place) -> io::Result<Holder> {
    let mut lock = lock_of(libc::F_WRLCK, PLACES + i64::from(place.index()));
    control(file, libc::F_GETLK, &mut lock)?;
    if lock.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(Holder::Nobody);
    }
    Ok(Holder::Process(lock.l_pid.max(0)))
}

/// Whether any other process has a place, whatever the file says.
pub(super) fn anyone(file: &File) -> io::Result<bool> {
    let mut lock = lock_of(libc::F_WRLCK, PLACES);
    lock.l_len = MOST_PROCESSES as libc::off_t;
    control(file, libc::F_GETLK, &mut lock)?;
    Ok(lock.l_type != libc::F_UNLCK as libc::c_short)
}

/// Holds the door among processes; waits for it. The caller keeps other threads of this one away.
pub(super) fn door(file: &File) -> io::Result<Door<'_>> {
    control(file, libc::F_SETLKW, &mut lock_of(libc::F_WRLCK, DOOR))?;
    Ok(Door(file))
}

/// Holds the door among processes, if nobody does.
pub(super) fn try_door(file: &File) -> io::Result<Option<Door<'_>>> {
    Ok(try_lock(file, DOOR)?.then_some(Door(file)))
}

/// The door, held until it goes.
pub(super) struct Door<'a>(&'a File);

impl Drop for Door<'_> {
    fn drop(&mut self) {
        // It can only fail for want of memory for a split range, and this range is whole.
        let _ = control(self.0, libc::F_SETLK, &mut lock_of(libc::F_UNLCK, DOOR));
    }
}
