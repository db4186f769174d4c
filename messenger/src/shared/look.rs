//! A bus as one sees it who does not use it: he takes no place on it, writes nothing, and wakes nobody.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::desk::{Stand, read_process};
use super::error::{SharedError, SharedFault};
use super::handle::{SharedBus, read_schema};
use super::house::{Access, Looked, look_at};
use super::layout::{Header, Parts, Place, Words};
use super::lock::{self, Holder};
use super::name::{name_of, path_of};
use super::presence::{check, map};
use super::process::Process;
use super::workers::{WorkerStatus, workers};
use crate::bus::Stats;
use crate::bus::processes::{Core, Gate, holders, onlooker, sample, stats};
use crate::journal::{self, Onlooker, Rights, Schema};

/// Of how many records the lengths are looked at.
const SAMPLE: u64 = 256;

/// A bus that lies in a directory.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// The user whose file it is.
    pub owner: u32,
    /// The length of the file in bytes.
    pub bytes: u64,
    /// Whether any process has a place on it, also if the file is damaged; `false` if that can't be asked.
    pub in_use: bool,
    /// How it stands, or why that can't be seen. Of a bus of another user that can't be if a journal has its records:
    /// [`SharedFault::Foreign`].
    pub look: Result<Look, Arc<SharedError>>,
}

/// How a bus stands. Each number was true at some moment of the look.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Look {
    /// When it was made.
    pub created: SystemTime,
    /// Whether its file goes when the last process leaves.
    pub removes: bool,
    /// Who uses it.
    pub processes: Vec<Process>,
    /// Who died on it, of those whose place nobody has taken since. Their `pid` is the one that they had for themselves.
    pub died: Vec<Process>,
    /// The members of all processes. Each process has one by which it is attached itself, and each publisher, subscriber and observer
    /// is one.
    pub members: Vec<Member>,
    /// The workers that have run on it.
    pub workers: Vec<WorkerStatus>,
    /// Its numbers. The capacity of one whose journal has no bound is the greatest there is.
    pub stats: Stats,
    /// The directory of the journal that has its records; `None`: they lie in a ring.
    pub journal: Option<PathBuf>,
    /// Some of the newest records: how many, and the bytes that they take with their headers.
    pub sample: (u64, u64),
    /// Places for processes, slots for members, places for workers' positions.
    pub room: (usize, usize, usize),
    /// What ids mean, and the tables; or why that can't be read.
    pub schema: Result<Schema, Arc<SharedError>>,
}

/// A member of a bus: a publisher, a subscriber, an observer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Member {
    /// Its slot.
    pub slot: usize,
    /// The place of its process. `None`: it is what a dead worker had still to read, held for the one that comes next.
    pub place: Option<usize>,
    /// What it is.
    pub kind: MemberKind,
}

/// What can be seen of a member.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MemberKind {
    /// A subscriber, which holds back publishers.
    Subscriber {
        /// It has yet to read from here on.
        position: u64,
        /// The bytes from there to the tail.
        lag: u64,
    },
    /// A subscriber that does so, too, but reads nothing just now, and may be evicted.
    Resting {
        /// It has yet to read from here on.
        position: u64,
        /// The bytes from there to the tail.
        lag: u64,
    },
    /// A subscriber that was evicted, holds back nobody, and has not come back yet.
    Evicted {
        /// It had yet to read from here on.
        position: u64,
        /// The bytes from there to the tail.
        lag: u64,
    },
    /// A publisher, or an observer: holds nothing now.
    Idle,
    /// It looks at one record, just now.
    Looking {
        /// Which.
        position: u64,
    },
    /// It is attaching itself, just now.
    Joining,
}

impl SharedBus {
    /// The buses in `directory`, by name. Looking changes nothing, and disturbs nobody.
    ///
    /// # Errors
    ///
    /// [`SharedError`] if the directory can't be read.
    pub fn list(directory: &Path) -> Result<Vec<Listed>, SharedError> {
        let failed = |e| SharedError::system(directory, "listing the directory", e);
        let mut all = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let file = entry.map_err(failed)?.file_name();
            let Some(name) = file.to_str().and_then(name_of) else {
                continue;
            };
            match Self::look(directory, name) {
                Ok(listed) => all.push(listed),
                // It has gone meanwhile, or is somebody else's business.
                Err(error) if matches!(error.fault(), SharedFault::Absent) => {}
                Err(error) if matches!(error.fault(), SharedFault::Name { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The bus `name` in `directory`, seen from outside: this process takes no place on it. Changes nothing, and disturbs nobody.
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()); } // It has no such files.
    /// use messenger::shared::SharedBus;
    /// use std::path::Path;
    ///
    /// let name = format!("look-{}", std::process::id());
    /// let bus = SharedBus::create(&name, 1 << 16)?;
    /// let look = SharedBus::look(Path::new("/dev/shm"), &name)?.look?;
    /// assert_eq!((look.processes.len(), look.stats.capacity), (1, 1 << 16));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`SharedError`]: the name is bad, or there is none. What keeps one that is there from being seen stands in [`Listed::look`].
    pub fn look(directory: &Path, name: &str) -> Result<Listed, SharedError> {
        let path = path_of(directory, name)?;
        let (mut owner, mut bytes) = (0, 0);
        if let Ok(meta) = path.symlink_metadata() {
            (owner, bytes) = (meta.uid(), meta.len());
        }
        let mut in_use = false;
        let looked = look_at(&path, Access::Read, |file| {
            in_use = lock::anyone(file).unwrap_or(false);
            let meta = file.metadata();
            let meta = meta.map_err(|e| SharedError::system(&path, "looking at its file", e))?;
            let (header, words) = map(file, meta.len(), &path, Access::Read)?;
            let lives = |place| match lock::holder(file, place) {
                Ok(Holder::Process(pid)) => Some(pid.unsigned_abs()),
                _ => None,
            };
            let seen = processes(&words, &header, &lives);
            Ok((header, words, seen, meta))
        });
        let look = match looked {
            // No more of it under the lock of the house, which keeps all of this process from coming and leaving.
            Ok(Looked::There((header, words, seen, meta))) => own_journal(&path, &header, &meta)
                .and_then(|()| look_on(&path, &words, &header, Rights::of(&meta, false), seen)),
            Ok(Looked::Here(presence)) => {
                in_use = true;
                let desk = presence.desk();
                let lives = |place| own_view(&desk.file, place, desk.place);
                let header = desk.words.header(desk.parts.len as u64);
                let header = header.map_err(|fault| SharedError::new(&path, fault));
                header.and_then(|header| {
                    let rights = own_rights(&path, &desk.file)?;
                    let seen = processes(&desk.words, &header, &lives);
                    look_on(&path, &desk.words, &header, rights, seen)
                })
            }
            Err(error) if matches!(error.fault(), SharedFault::Absent) => return Err(error),
            Err(error) => Err(error),
        };
        Ok(Listed {
            name: name.to_owned(),
            path,
            owner,
            bytes,
            in_use,
            look: look.map_err(Arc::new),
        })
    }
}

/// The process number of who lives in `place`, as the one in `own` sees it.
fn own_view(file: &File, place: Place, own: Place) -> Option<u32> {
    if place == own {
        return Some(std::process::id());
    }
    match lock::holder(file, place) {
        Ok(Holder::Process(pid)) => Some(pid.unsigned_abs()),
        _ => None,
    }
}

/// The bus for one who is no member, and whose memory may be mapped for reading only; and what he has of its journal.
pub(super) fn core_to_look_at(
    path: &Path,
    words: &Words,
    header: &Header,
    rights: Rights,
) -> Result<(Core, Option<Onlooker>), SharedError> {
    let (parts, sizes) = (Parts::new(header.sizes), header.sizes);
    match &header.journal {
        Some(home) => match journal::look_at(home, rights, sizes.members) {
            Ok((core, onlooker)) => Ok((core, Some(onlooker))),
            Err(error) => Err(SharedError::new(path, SharedFault::Journal(error))),
        },
        None => {
            let core = onlooker(
                words.region(),
                (parts.control, parts.ring),
                (sizes.members, sizes.capacity),
                header.salt,
            );
            Ok((core, None))
        }
    }
}

/// By what this process looks at the journal of a bus that it uses itself: whom it trusts there it has said before.
pub(super) fn own_rights(path: &Path, file: &File) -> Result<Rights, SharedError> {
    let meta = file.metadata();
    let meta = meta.map_err(|e| SharedError::system(path, "looking at its file", e))?;
    Ok(Rights::of(&meta, true))
}

/// The journal of another user's bus is not looked at: who can write the bus's file has it name any directory.
fn own_journal(path: &Path, header: &Header, meta: &Metadata) -> Result<(), SharedError> {
    let user = rustix::process::geteuid().as_raw();
    if header.journal.is_none() || meta.uid() == user {
        return Ok(());
    }
    let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
    let fault = SharedFault::Foreign { owner, user, mode };
    Err(SharedError::new(path, fault))
}

/// How often a place is looked at anew whose process goes, or comes, meanwhile. Whoever can write the file could else keep one here for ever.
const LOOKS: u32 = 8;

/// How a place stands, who is or was there, and the process number of one who lives.
fn in_place(
    words: &Words,
    parts: &Parts,
    place: Place,
    lives: &dyn Fn(Place) -> Option<u32>,
) -> Option<(Stand, Process, Option<u32>)> {
    let entry = words.process(parts, place);
    let look = |_| {
        let state = entry.state();
        let process = read_process(&entry, place, 0);
        // After it: who comes to the place locks it before he says anything.
        let pid = lives(place);
        let whole = entry.is_still(state);
        whole.then_some((Stand::of(state), process, pid))
    };
    (0..LOOKS).find_map(look)
}

/// Who uses the bus, and who died on it.
fn processes(
    words: &Words,
    header: &Header,
    lives: &dyn Fn(Place) -> Option<u32>,
) -> (Vec<Process>, Vec<Process>) {
    let parts = &Parts::new(header.sizes);
    let (mut processes, mut died) = (Vec::new(), Vec::new());
    let places = (0..header.sizes.processes).map(Place::new);
    for seen in places.filter_map(|place| in_place(words, parts, place, lives)) {
        match seen {
            (Stand::Here, process, Some(pid)) => processes.push(Process { pid, ..process }),
            // One that is coming, or settles what another left there.
            (Stand::Empty, ..) | (Stand::Settled, _, Some(_)) => {}
            (Stand::Here | Stand::Dead | Stand::Settled, process, _) => {
                let pid = process.own_pid;
                died.push(Process { pid, ..process });
            }
        }
    }
    (processes, died)
}

fn look_on(
    path: &Path,
    words: &Words,
    header: &Header,
    rights: Rights,
    (processes, died): (Vec<Process>, Vec<Process>),
) -> Result<Look, SharedError> {
    let parts = &Parts::new(header.sizes);
    let sizes = header.sizes;
    let (core, _) = core_to_look_at(path, words, header, rights)?;
    check(&core, path)?;
    let runs = |owner| {
        let place = u32::try_from(owner).ok().and_then(Place::of)?;
        let runs = |process: &&Process| usize::from(place.index()) == process.place;
        processes.iter().find(runs).cloned()
    };
    let workers = workers(words, parts, || stats(&core).tail, runs);
    let held = holders(&core);
    // After all positions, so that none is beyond the tail.
    let stats = stats(&core);
    let lag = |position| stats.tail.saturating_sub(position);
    let members = held.into_iter().map(|(slot, gate, owner)| Member {
        slot,
        place: Place::of(owner).map(|place| place.index().into()),
        kind: match gate {
            Gate::Subscriber(position) => MemberKind::Subscriber {
                position,
                lag: lag(position),
            },
            Gate::Resting(position) => MemberKind::Resting {
                position,
                lag: lag(position),
            },
            Gate::Evicted(position) => MemberKind::Evicted {
                position,
                lag: lag(position),
            },
            Gate::Pinned(position) => MemberKind::Looking { position },
            Gate::Idle(_) => MemberKind::Idle,
            Gate::Joining(_) | Gate::Free => MemberKind::Joining,
        },
    });
    Ok(Look {
        created: SystemTime::UNIX_EPOCH + Duration::from_nanos(header.created),
        removes: header.removes,
        members: members.collect(),
        workers,
        processes,
        died,
        sample: sample(&core, SAMPLE),
        stats,
        journal: header.journal.as_ref().map(|home| home.dir.clone()),
        room: (sizes.processes, sizes.members, sizes.workers),
        schema: match &header.journal {
            Some(home) => journal::schema_of(&home.dir)
                .map_err(|e| SharedError::new(path, SharedFault::Journal(e))),
            None => schema(words, parts, path),
        }
        .map_err(Arc::new),
    })
}

/// The schema, read without the door: it takes another look if a writer wrote over what it read.
fn schema(words: &Words, parts: &Parts, path: &Path) -> Result<Schema, SharedError> {
    let mut last = read_schema(words, parts, path);
    for _ in 0..3 {
        if last.is_ok() {
            break;
        }
        last = read_schema(words, parts, path);
    }
    last
}

#[cfg(all(test, not(miri), not(loom)))]
mod tests {
    use core::cell::Cell;

    use super::super::desk::{enter, go, taken_after};
    use super::super::options::Sizes;
    use super::*;
    use crate::memory::{Region, RegionOptions};

    #[test]
    fn who_is_read_while_the_next_one_comes_to_his_place_is_one_of_both() {
        let sizes = Sizes {
            capacity: 256,
            members: 2,
            processes: 2,
            workers: 0,
            schema: 0,
        };
        let header = Header {
            sizes,
            salt: 0,
            created: 0,
            removes: true,
            hold: 0,
            journal: None,
        };
        let parts = Parts::new(sizes);
        let region = Region::new(parts.len, RegionOptions::default()).unwrap();
        let words = Words::new(Arc::new(region));
        let entry = words.process(&parts, Place::new(1));
        enter(&entry, taken_after(0), "the first one, whose name is long");
        let looks = Cell::new(0);
        let lives = |place: Place| {
            if place.index() == 0 {
                return None;
            }
            looks.set(looks.get() + 1);
            match looks.get() {
                // He has gone, and the next one is about to say who he is.
                1 => {
                    go(&entry);
                    entry.set_name("the other");
                }
                2 => enter(&entry, taken_after(entry.state()), "the other one"),
                _ => {}
            }
            Some(7)
        };
        let names = |of: Vec<Process>| of.into_iter().map(|it| it.name).collect::<Vec<_>>();
        let (here, died) = processes(&words, &header, &lives);
        let other = "the other one".to_owned();
        assert_eq!((names(here), names(died)), (vec![other], vec![]));
    }
}
