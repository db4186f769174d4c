//! Making a bus's file, so that nobody ever sees half of it, and removing one.

use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{
    AtFlags, CWD, FallocateFlags, Gid, Mode, OFlags, fallocate, fchmod, fchown, ftruncate, linkat,
    openat,
};
use rustix::io::Errno;

use super::desk::now;
use super::error::{SharedError, SharedFault};
use super::house::{Access, Looked, is_named, look_at};
use super::layout::{Header, LONGEST_DIR, Parts, Place, Words};
use super::lock;
use super::options::SharedOptions;
use super::presence::{Presence, core_of, map, users};
use crate::bus::processes;
use crate::journal::{Home, LEAVING, Rights, Share};
use crate::memory::Region;

/// Makes the bus whose file is to be at `path`.
pub(super) fn create(options: &SharedOptions, path: &Path) -> Result<Arc<Presence>, SharedError> {
    let begun = Instant::now();
    loop {
        if options.journal.is_some() && path.symlink_metadata().is_ok() {
            // First: those who use it have the journal.
            make_way(options, path)?;
        }
        let file = make(options, path)?;
        let mut journal = match open_journal(options, path, &file) {
            // By one who is making the bus, which is there soon, or who has left it, if not by another program.
            Err(error) if error.is_journal_in_use() && begun.elapsed() < LEAVING => continue,
            journal => journal?,
        };
        let made = fill(options, path, file, journal.as_ref().map(Share::home))?;
        let link = |file: &File| link(file, path);
        if let Some(presence) = Presence::create(options, path, made, &mut journal, link)? {
            return Ok(presence);
        }
        if let Some(journal) = journal {
            journal.leave();
            // Nothing was written since it was opened. If it fails, whoever opens it next finds out.
            let _ = journal.close();
        }
        make_way(options, path)?;
    }
}

/// Opens the journal that is to have the records, if one is, as the bus's `file` says for whom.
fn open_journal(
    options: &SharedOptions,
    path: &Path,
    file: &File,
) -> Result<Option<Share>, SharedError> {
    let Some((dir, config)) = &options.journal else {
        return Ok(None);
    };
    let members = options.sizes()?.members;
    let meta = file.metadata();
    let meta = meta.map_err(|e| SharedError::system(path, "looking at its file", e))?;
    let rights = Rights::of(&meta, options.trusts_others);
    // The same for all who share it, and this process has the first place.
    let owner = Place::new(0).owner();
    let share = Share::create(dir, rights, *config, members, owner);
    share
        .map(Some)
        .map_err(|e| SharedError::new(path, SharedFault::Journal(e)))
}

/// Removes a bus of the same name that nobody uses.
fn make_way(options: &SharedOptions, path: &Path) -> Result<(), SharedError> {
    match remove(path, options.trusts_others) {
        Ok(()) => Ok(()),
        Err(error) => match error.fault() {
            // It may have gone by itself.
            SharedFault::Absent => Ok(()),
            SharedFault::InUse { processes } => {
                let processes = processes.clone();
                Err(SharedError::new(path, SharedFault::Exists { processes }))
            }
            _ => Err(error),
        },
    }
}

/// A file without a name: whatever happens before it has one, nothing is left of it.
fn make(options: &SharedOptions, path: &Path) -> Result<File, SharedError> {
    let system = |tried| move |e: Errno| SharedError::system(path, tried, e);
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(options.mode);
    let file = openat(CWD, &options.directory, flags, mode)
        .map_err(system("making a file in its directory"))?;
    // As asked, whatever the process's mask.
    fchmod(&file, mode).map_err(system("setting its permissions"))?;
    if let Some(group) = options.group {
        fchown(&file, None, Some(Gid::from_raw(group))).map_err(system("setting its group"))?;
    }
    Ok(File::from(file))
}

/// Makes it that of a bus.
fn fill(
    options: &SharedOptions,
    path: &Path,
    file: File,
    journal: Option<Home>,
) -> Result<(File, Words, Header), SharedError> {
    let system = |tried| move |e: Errno| SharedError::system(path, tried, e);
    let sizes = options.sizes()?;
    if let Some(home) = &journal {
        let (len, most) = (home.dir.as_os_str().len(), LONGEST_DIR);
        if len > most {
            return Err(SharedError::new(
                path,
                SharedFault::JournalPath { len, most },
            ));
        }
    }
    let parts = Parts::new(sizes);
    let len = parts.len as u64;
    ftruncate(&file, len).map_err(system("setting its length"))?;
    // All of it, now: a file system that is full later would end the process that touches the next page.
    fallocate(&file, FallocateFlags::empty(), 0, len).map_err(system("taking its memory"))?;
    let region = Region::of_file(&file, parts.len, true)
        .map_err(|e| SharedError::system(path, "mapping its file", e))?;
    region.keep_from_children();
    let words = Words::new(Arc::new(region));
    let header = Header {
        sizes,
        salt: RandomState::new().hash_one(now()) | 1 << 63,
        created: now(),
        removes: options.removes,
        hold: u64::try_from(options.hold.as_nanos()).unwrap_or(u64::MAX),
        journal,
    };
    words.begin(&header);
    if header.journal.is_none() {
        processes::begin(&core_of(&words, &parts, &header, 1));
    }
    Ok((file, words, header))
}

/// Gives a file its name, if nothing has it yet. Says whether it did.
fn link(file: &File, path: &Path) -> Result<bool, SharedError> {
    fault!("before_link");
    let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
    match linkat(CWD, itself, CWD, path, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        Err(error) => Err(SharedError::system(path, "naming its file", error)),
    }
}

/// Removes a bus that nobody uses.
pub(super) fn remove(path: &Path, trusts_others: bool) -> Result<(), SharedError> {
    let error = |fault| SharedError::new(path, fault);
    let system = |tried| move |e: std::io::Error| SharedError::system(path, tried, e);
    let looked = look_at(path, Access::Write, |file| {
        let meta = file.metadata().map_err(system("looking at its file"))?;
        let user = rustix::process::geteuid().as_raw();
        if meta.uid() != user && !trusts_others {
            let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
            return Err(error(SharedFault::Foreign { owner, user, mode }));
        }
        let mapped = map(file, meta.len(), path, Access::Write);
        if let Err(not_a_bus) = &mapped {
            if matches!(not_a_bus.fault(), SharedFault::NotABus) {
                return mapped.map(|_| ());
            }
        }
        let _door = lock::door(file).map_err(system("waiting for the door"))?;
        if lock::anyone(file).map_err(system("asking who uses it"))? {
            let processes = mapped.map_or_else(
                |_| Vec::new(),
                |(header, words)| users(file, &words, &Parts::new(header.sizes)),
            );
            return Err(error(SharedFault::InUse { processes }));
        }
        if is_named(path, (meta.dev(), meta.ino())) {
            if let Ok((_, words)) = &mapped {
                words.set_removed();
            }
            std::fs::remove_file(path).map_err(system("removing its file"))?;
        }
        Ok(())
    })?;
    match looked {
        Looked::There(()) => Ok(()),
        Looked::Here(presence) => {
            let processes = presence.desk().processes();
            Err(error(SharedFault::InUse { processes }))
        }
    }
}
