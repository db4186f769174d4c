//! That this process is on a bus: once for each bus, however often it opens it.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::desk::{self, Desk, Stand};
use super::ear::{Ear, Identity};
use super::error::{SharedError, SharedFault};
use super::house::{
    Access, House, Known, find, hold_house, house, is_known, is_named, open_file, refused,
};
use super::layout::{Entry, Header, Kind, Parts, Place, Words};
use super::lock;
use super::options::SharedOptions;
use super::process::Process;
use super::seat::NONE;
use super::watcher::Watcher;
use crate::bus::processes::{self, Core};
use crate::journal::{Home, Rights, Share, Sharing};
use crate::memory::Region;
use crate::sync::{AtomicU64, Ordering::Relaxed};

/// How often a process that finds no place looks again, a millisecond apart: the dead may be about to be found.
const LOOKS: usize = 200;

/// This process on a bus. Whoever holds one may use the bus; the last one leaves.
pub(crate) struct Presence {
    /// Taken when it goes.
    desk: Option<Arc<Desk>>,
    watcher: Option<Watcher>,
    identity: Identity,
}

/// What came of an attempt to come.
enum Attempt {
    Done(Arc<Presence>),
    /// The file has gone, or another has come in its place.
    Moved,
    /// All places are taken, some perhaps by the dead.
    Crowded(SharedFault),
}

impl Presence {
    pub(super) fn desk(&self) -> &Arc<Desk> {
        match &self.desk {
            Some(desk) => desk,
            None => unreachable!("it goes with the presence"),
        }
    }

    /// Comes to the bus whose file is at `path`.
    pub(super) fn open(options: &SharedOptions, path: &Path) -> Result<Arc<Self>, SharedError> {
        // Before the door is held, and a place: they would be until that has ended.
        processes::ready();
        let mut looks = 0;
        loop {
            match Self::try_open(options, path)? {
                Attempt::Done(presence) => return Ok(presence),
                Attempt::Moved => std::thread::yield_now(),
                Attempt::Crowded(fault) if looks >= LOOKS => {
                    return Err(SharedError::new(path, fault));
                }
                Attempt::Crowded(_) => std::thread::sleep(Duration::from_millis(1)),
            }
            looks += 1;
        }
    }

    fn try_open(options: &SharedOptions, path: &Path) -> Result<Attempt, SharedError> {
        let mut house = house();
        let error = |fault| SharedError::new(path, fault);
        let system = |tried, source: std::io::Error| SharedError::system(path, tried, source);
        let meta = match path.symlink_metadata() {
            Ok(meta) => meta,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(error(SharedFault::Absent));
            }
            Err(e) => return Err(system("looking for its file", e)),
        };
        if !meta.is_file() {
            return Err(error(SharedFault::NotAFile));
        }
        let identity = (meta.dev(), meta.ino());
        match find(&house, identity) {
            Known::Here(presence) => {
                let home = presence.desk().journal.as_ref().map(Share::home);
                let there = is_there(options, home.as_ref());
                // Before the presence may go, which takes the house.
                drop(house);
                there.map_err(error)?;
                return Ok(Attempt::Done(presence));
            }
            Known::Leaving => return Ok(Attempt::Moved),
            Known::Not => {}
        }
        let file = match open_file(path, Access::Write) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Attempt::Moved),
            Err(e) if e.raw_os_error() == Some(libc::ELOOP) => {
                return Err(error(SharedFault::NotAFile));
            }
            Err(e) => return Err(refused(path, Access::Write, &meta, e)),
        };
        let meta = match file.metadata() {
            Ok(meta) => meta,
            Err(e) => return Err(system("looking at its file", e)),
        };
        if (meta.dev(), meta.ino()) != identity {
            if is_known(&house, (meta.dev(), meta.ino())) {
                // It was replaced between the two looks by one that is open here: closing it would give up the locks there.
                core::mem::forget(file);
            }
            return Ok(Attempt::Moved);
        }
        if !meta.is_file() {
            return Err(error(SharedFault::NotAFile));
        }
        let user = rustix::process::geteuid().as_raw();
        if meta.uid() != user && !options.trusts_others {
            let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
            return Err(error(SharedFault::Foreign { owner, user, mode }));
        }
        let (mut header, words) = map(&file, meta.len(), path, Access::Write)?;
        header.removes &= options.removes;
        is_there(options, header.journal.as_ref()).map_err(error)?;
        let parts = Parts::new(header.sizes);
        let door = lock::door(&file).map_err(|e| system("waiting for the door", e))?;
        if words.is_removed() {
            // Who did that has died before the name was gone, or was refused; or it is gone by now.
            if is_named(path, identity) {
                std::fs::remove_file(path).map_err(|e| system("removing its file", e))?;
            }
            return Ok(Attempt::Moved);
        }
        let places = || (0..parts.sizes.processes).map(Place::new);
        let held = |place| !matches!(lock::holder(&file, place), Ok(lock::Holder::Nobody));
        // All who were here are dead or gone.
        let is_stale = !places().any(held);
        if is_stale && header.journal.is_some() {
            // The rest is settled with the journal.
            desk::settle_stale_places(&words, &parts);
        } else if is_stale {
            let core = core_of(&words, &parts, &header, STALE);
            check(&core, path)?;
            desk::settle_stale(&words, &parts, &core);
        }
        let Some(place) = places().find(|&place| take_place(&file, &words, &parts, place)) else {
            let places = parts.sizes.processes;
            return Ok(Attempt::Crowded(SharedFault::Processes { places }));
        };
        let journal = header.journal.as_ref().map(|home| {
            let (members, owner) = (parts.sizes.members, place.owner());
            let rights = Rights::of(&meta, options.trusts_others);
            let share = if is_stale {
                Share::first(home, rights, members, owner)
            } else {
                Share::join(home, rights, members, owner)
            };
            share.map_err(|e| error(SharedFault::Journal(e)))
        });
        let journal = journal.transpose()?;
        if let Some(journal) = journal.as_ref().filter(|_| is_stale) {
            let (known, history) = (words.history(), journal.history());
            if known.load(Relaxed) != history {
                forget_workers(&words, &parts);
                // Before the file says that its seats count: who dies here has it done again, and no loss of power brings them back.
                file.sync_data()
                    .map_err(|e| system("flushing its file", e))?;
                known.store(history, Relaxed);
                fault!("history_said");
            } else {
                set_back_workers(&words, &parts, journal.opened_at());
            }
        }
        drop(door);
        let core = match &journal {
            Some(journal) => journal.core(),
            None => core_of(&words, &parts, &header, place.owner()),
        };
        check(&core, path)?;
        let entry = words.process(&parts, place);
        let ear = come(identity, place, &entry, options);
        let attached = attach(&core, journal.as_ref(), path);
        if !matches!(attached, Ok(Some(_))) {
            // It lives: the others are not to take it for one that has died here.
            desk::go(&entry);
        }
        let Some(own) = attached? else {
            let members = parts.sizes.members;
            let full = crate::bus::JoinError::NoFreeSlot { members };
            return Ok(Attempt::Crowded(SharedFault::Join(full)));
        };
        let presence = Self::begin(
            &mut house,
            identity,
            Desk::new(
                (path.to_owned(), file),
                (words, parts, header),
                journal,
                (core, ear, place, own),
            ),
        );
        Ok(Attempt::Done(presence))
    }

    /// Makes the bus of `file`, which has no name yet and whose words are there, and gives it the name by `link`.
    pub(super) fn create(
        options: &SharedOptions,
        path: &Path,
        (file, words, header): (File, Words, Header),
        journal: &mut Option<Share>,
        link: impl FnOnce(&File) -> Result<bool, SharedError>,
    ) -> Result<Option<Arc<Self>>, SharedError> {
        let mut house = house();
        let parts = Parts::new(header.sizes);
        let place = Place::new(0);
        let system = |tried, source: std::io::Error| SharedError::system(path, tried, source);
        let meta = file
            .metadata()
            .map_err(|e| system("looking at its file", e))?;
        let locked = lock::try_place(&file, place).map_err(|e| system("locking its file", e))?;
        debug_assert!(locked, "nobody else has it");
        let core = match &journal {
            Some(journal) => {
                words.history().store(journal.history(), Relaxed);
                journal.core()
            }
            None => core_of(&words, &parts, &header, place.owner()),
        };
        let identity = (meta.dev(), meta.ino());
        let ear = come(identity, place, &words.process(&parts, place), options);
        let Some(own) = attach(&core, journal.as_ref(), path)? else {
            let members = parts.sizes.members;
            let full = crate::bus::JoinError::NoFreeSlot { members };
            return Err(SharedError::new(path, SharedFault::Join(full)));
        };
        // From here on others find it, whole.
        let linked = link(&file);
        if !matches!(linked, Ok(true)) {
            core.leave(own);
            return linked.map(|_| None);
        }
        fault!("linked");
        let presence = Self::begin(
            &mut house,
            identity,
            Desk::new(
                (path.to_owned(), file),
                (words, parts, header),
                journal.take(),
                (core, ear, place, own),
            ),
        );
        Ok(Some(presence))
    }

    /// Tells the others that this process is here, and has it known in its house.
    fn begin(house: &mut House, identity: Identity, desk: Desk) -> Arc<Self> {
        desk.poke();
        let desk = Arc::new(desk);
        let watcher = Watcher::start(&desk);
        let presence = Arc::new(Self {
            desk: Some(desk),
            watcher,
            identity,
        });
        house.push((identity, Arc::downgrade(&presence)));
        presence
    }
}

/// Whether the records lie where `options` ask for them, if they do.
fn is_there(options: &SharedOptions, home: Option<&Home>) -> Result<(), SharedFault> {
    let Some((dir, _)) = &options.journal else {
        return Ok(());
    };
    let journal = home.map(|home| home.dir.clone());
    // A directory that isn't there, or not yet, is that of no journal, and so not where a ring's records lie.
    match dir.canonicalize() {
        Ok(dir) if journal.as_ref() == Some(&dir) => Ok(()),
        _ => Err(SharedFault::Storage { journal }),
    }
}

/// Attaches this process, and the thread that keeps its journal. `None`: there is no free slot.
fn attach(core: &Core, journal: Option<&Share>, path: &Path) -> Result<Option<usize>, SharedError> {
    let Some(own) = core.attach() else {
        return Ok(None);
    };
    if let Some(journal) = journal {
        if let Err(error) = journal.keep(core) {
            core.leave(own);
            return Err(SharedError::new(path, SharedFault::Journal(error)));
        }
    }
    Ok(Some(own))
}

/// Forgets all workers, as if the file had gone with the power when that was lost: it may say that something is handled whose answers are lost. Of
/// those that run alone the journal has cursors. Nobody uses the bus, and the caller holds the door.
fn forget_workers(words: &Words, parts: &Parts) {
    for index in 0..parts.sizes.workers {
        words.worker(parts, index).set_state(Kind::Free.state());
        fault!("worker_forgotten");
    }
}

/// Has the journal know how far those workers have got that died here: of them it was told no more than what was flushed meanwhile, the bus's file may
/// go, and what their cursors have yet to pass may have gone. (Else they go on there, or where somebody has set them back to.) Nobody else uses the bus, and
/// the caller holds the door.
fn keep_workers(desk: &Desk, journal: &Share) {
    for index in 0..desk.parts.sizes.workers {
        let entry = desk.words.worker(&desk.parts, index);
        let position = entry.at().load(Relaxed);
        if entry.kind() == Kind::Worker && position != NONE {
            // One whose cursor can't be had goes on where that is.
            let _ = journal.raise_cursor(&entry.name(), position);
        }
    }
}

/// Has no worker be further than `tail`, where the journal ends: it may be a copy from before the words were written, and what comes next gets
/// those positions. Nobody uses the bus, and the caller holds the door.
fn set_back_workers(words: &Words, parts: &Parts, tail: u64) {
    let set_back = |word: &AtomicU64| {
        let position = word.load(Relaxed);
        if position != NONE && position > tail {
            word.store(tail, Relaxed);
        }
    };
    for index in 0..parts.sizes.workers {
        let entry = words.worker(parts, index);
        match entry.kind() {
            Kind::Free => continue,
            Kind::Worker | Kind::Pool => {}
            Kind::Seat => {
                for cell in entry.turns().cells {
                    set_back(cell.from);
                    set_back(cell.to);
                }
            }
        }
        set_back(entry.at());
    }
}

/// The number under which stale things are settled: that of no place.
const STALE: u32 = u32::MAX;

/// Says that this process is in `place`, and listens from before that on.
fn come(bus: Identity, place: Place, entry: &Entry<'_>, options: &SharedOptions) -> Ear {
    let state = desk::taken_after(entry.state());
    let ear = Ear::new(bus, place, desk::turn_of(state));
    desk::enter(entry, state, &name_of(options));
    ear
}

fn name_of(options: &SharedOptions) -> String {
    options.process_name.clone().unwrap_or_else(|| {
        let program = std::env::args_os().next().unwrap_or_default();
        let name = Path::new(&program).file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    })
}

/// Maps a bus's file of `len` bytes, after a look at its first page.
pub(super) fn map(
    file: &File,
    len: u64,
    path: &Path,
    access: Access,
) -> Result<(Header, Words), SharedError> {
    let writable = access == Access::Write;
    let system = |source| SharedError::system(path, "mapping its file", source);
    if len < 4096 {
        return Err(SharedError::new(path, SharedFault::NotABus));
    }
    let first = Region::of_file(file, 4096, writable).map_err(system)?;
    let header = Words::new(Arc::new(first)).header(len);
    let header = header.map_err(|fault| SharedError::new(path, fault))?;
    let whole = Region::of_file(file, len as usize, writable).map_err(system)?;
    whole.keep_from_children();
    Ok((header, Words::new(Arc::new(whole))))
}

/// The bus in a file, as the process with the number `owner` uses it.
pub(super) fn core_of(words: &Words, parts: &Parts, header: &Header, owner: u32) -> Core {
    processes::over(
        words.region(),
        (parts.control, parts.ring),
        (parts.sizes.members, parts.sizes.capacity),
        header.salt,
        owner,
    )
}

pub(super) fn check(core: &Core, path: &Path) -> Result<(), SharedError> {
    processes::check(core)
        .map_err(|(what, found)| SharedError::new(path, SharedFault::Damaged { what, found }))
}

/// Takes a place if it is free. The caller holds the door.
pub(super) fn take_place(file: &File, words: &Words, parts: &Parts, place: Place) -> bool {
    let entry = words.process(parts, place);
    let is_free = || matches!(Stand::of(entry.state()), Stand::Empty | Stand::Settled);
    if !is_free() || !matches!(lock::try_place(file, place), Ok(true)) {
        return false;
    }
    if is_free() {
        return true;
    }
    // It can only fail for want of memory for a split range, and this range is whole.
    let _ = lock::leave_place(file, place);
    false
}

impl Drop for Presence {
    fn drop(&mut self) {
        // First the watcher, which has the desk, too: who has left settles nothing, and its file is to be closed below.
        self.watcher = None;
        let Some(desk) = self.desk.take() else {
            return;
        };
        if let Some(journal) = &desk.journal {
            journal.leave();
        }
        let mut house = house();
        let door = lock::door(&desk.file);
        if desk.journal.is_some() {
            // What is left of the dead would keep the journal from being closed.
            desk.settle_all();
        }
        desk.leave();
        let others = desk
            .places()
            .any(|place| place != desk.place && desk.lives(place));
        if !others && door.is_ok() {
            if let Some(journal) = &desk.journal {
                // If it fails, whoever opens it next finds out how far it goes.
                let _ = journal.close();
                keep_workers(&desk, journal);
            }
        }
        if desk.removes && !others && door.is_ok() {
            desk.words.set_removed();
            if is_named(&desk.path, self.identity) {
                // Where it is refused the file stays, and who comes next is told so.
                let _ = std::fs::remove_file(&desk.path);
            }
        }
        desk.poke();
        // Before the door is opened: who comes then finds nobody here, and nothing locked that is free.
        if let Some(journal) = &desk.journal {
            journal.unlock();
        }
        let _ = lock::leave_place(&desk.file, desk.place);
        drop(door);
        // The file is closed here.
        drop(desk);
        // Itself and no other: one that is leaving, too, and waits for the house, has its file open still.
        let own = core::ptr::from_ref(self);
        house.retain(|(_, presence)| presence.as_ptr() != own);
    }
}

impl Sharing for Presence {
    fn alone(&self, act: &mut dyn FnMut()) -> std::io::Result<()> {
        let _here = hold_house();
        let _door = lock::door(&self.desk().file)?;
        act();
        Ok(())
    }
}

/// All that use the bus in `file`, as one sees them who does not use it itself.
pub(super) fn users(file: &File, words: &Words, parts: &Parts) -> Vec<Process> {
    let places = (0..parts.sizes.processes).map(Place::new);
    let here = places.filter_map(|place| {
        let entry = words.process(parts, place);
        let state = entry.state();
        let Ok(lock::Holder::Process(pid)) = lock::holder(file, place) else {
            return None;
        };
        let is_here = Stand::of(state) == Stand::Here;
        is_here.then(|| desk::read_process(&entry, place, pid.unsigned_abs()))
    });
    here.collect()
}
