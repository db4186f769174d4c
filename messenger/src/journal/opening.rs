//! Opening a journal: from its directory, or the lack of one, to a bus that a keeper keeps.
//!
//! Who opens one has its lock, alone; what the last writers left is settled then ([`settled`]). On a bus that processes share (`share.rs`) the
//! first that comes does so, and those who come after it use what is there.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use fs4::FileExt;

use super::config::{JournalConfig, SyncPolicy};
use super::control::{self, Control, Left, WORDS_AT};
use super::cursor;
use super::dir::Dir;
use super::error::OpenFault;
use super::files::{self, LOCK, Locked, SCHEMA};
use super::handle::{Held, Inner, Journal, Life};
use super::header::{MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, is_segment_bytes};
use super::keeper::Keeper;
use super::recover::{recover, remove_late, remove_late_unknown};
use super::recovery::{LeftBy, Recovery};
use super::schema::{Manifest, ManifestError};
use super::state::Turn;
use super::store::{Identity, Store, now_nanos};
use crate::bus::Bus;
use crate::bus::kept::{Core, Progress, over_segments};
use crate::memory::MemoryKind;

/// Whether a journal may, or must, be created.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Create {
    May,
    Must,
    No,
}

/// Makes a journal in memory.
pub(super) fn in_memory(config: JournalConfig) -> Result<Journal, OpenFault> {
    check(&config, MIN_IN_MEMORY).and_then(|()| {
        let manifest = new_manifest(&config);
        let mut store = store_of(None, &manifest, &config)?;
        let control = Control::in_memory(config.members + 1, MemoryKind::default());
        let control = control.map_err(OpenFault::tried("get memory"))?;
        control.take_over(&store.control);
        store.control = control;
        let recovery = Recovery {
            left: LeftBy::Nobody,
            tail: 0,
            synced: 0,
            aborted: 0,
            dropped: None,
        };
        begin(&store, &recovery)?;
        start(store, None, None, manifest, recovery, config)
    })
}

/// The shortest segments of a journal in memory, which needs no whole pages: as of a ring.
const MIN_IN_MEMORY: u64 = 256;

pub(super) fn check(config: &JournalConfig, least: u64) -> Result<(), OpenFault> {
    let wrong = |what, value, allowed| OpenFault::Config {
        what,
        value,
        allowed,
    };
    const {
        assert!(MIN_SEGMENT_BYTES == 4 << 10 && MAX_SEGMENT_BYTES == 1 << 30);
    }
    let value = config.segment_bytes;
    if !is_segment_bytes(value.max(MIN_SEGMENT_BYTES)) || !value.is_power_of_two() || value < least
    {
        let allowed = if least < MIN_SEGMENT_BYTES {
            "a power of two from 256 to 1073741824"
        } else {
            "a power of two from 4096 to 1073741824"
        };
        return Err(wrong("the length of a segment", value, allowed));
    }
    if !(2..=65_534).contains(&config.members) {
        let value = config.members as u64;
        return Err(wrong("the number of members", value, "2 to 65534"));
    }
    if let Some(ahead) = config.ahead.filter(|ahead| !(1..=16).contains(ahead)) {
        return Err(wrong("the number of segments ahead", ahead, "1 to 16"));
    }
    if config.bound < 256 {
        let allowed = "at least 256 bytes";
        return Err(wrong("the bound", config.bound, allowed));
    }
    let by_age = config.retain.age.is_some() && config.bound == u64::MAX;
    if by_age && config.time_resolution.is_zero() {
        let what = "the resolution of the time, by which `Retention::until_older_than` goes,";
        return Err(wrong(what, 0, "more than zero"));
    }
    Ok(())
}

/// The manifest of the journal in `path`.
pub(super) fn manifest_of(path: &Path) -> Result<Manifest, OpenFault> {
    match Manifest::read(path) {
        Err(ManifestError::Missing { .. }) => {}
        Err(ManifestError::Io { error, .. }) if error.kind() == io::ErrorKind::NotADirectory => {
            return Err(OpenFault::NotADirectory);
        }
        manifest => return Ok(manifest?),
    }
    match is_unused(path) {
        Ok(true) => Err(OpenFault::Absent),
        // Another may have created it between the two looks.
        Ok(false) => match Manifest::read(path) {
            Err(ManifestError::Missing { .. }) => Err(OpenFault::NotAJournal),
            manifest => Ok(manifest?),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(OpenFault::Absent),
        Err(source) => Err(OpenFault::System {
            tried: "list the directory",
            source,
        }),
    }
}

/// Whether the directory holds nothing, or no more than who began to create a journal leaves.
fn is_unused(path: &Path) -> io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let ours = [LOCK, &format!(".{SCHEMA}.new"), &files::first_segment_new()];
        if !ours.iter().any(|ours| name == *ours) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn new_manifest(config: &JournalConfig) -> Manifest {
    let random = || RandomState::new().hash_one(now_nanos());
    let id = u128::from(random()) << 64 | u128::from(random());
    // As in every stamp, the top bit is set. The other is set in no state, so that bytes which nobody has written, zeros, are never taken for
    // a record by who compares the lower half only.
    let salt = random() | 1 << 63 | 1 << 3;
    Manifest::new(id.to_le_bytes(), config.segment_bytes, salt, now_nanos())
}

pub(super) fn store_of(
    dir: Option<&Dir>,
    manifest: &Manifest,
    config: &JournalConfig,
) -> Result<Store, OpenFault> {
    let identity = Identity {
        id: manifest.id,
        segment_bytes: manifest.segment_bytes,
        salt: manifest.salt,
    };
    let each = config.sync == SyncPolicy::EachRecord;
    let dir = dir.map(|dir| (dir, true));
    let ahead = config.ahead_of(identity.segment_bytes);
    let store = Store::new(dir, identity, ahead, each);
    let store = store.map_err(OpenFault::tried("get memory"))?;
    store.control.set_syncs(config.sync != SyncPolicy::OnDemand);
    Ok(store)
}

/// How many bytes may be in use at a time.
pub(super) fn capacity(config: &JournalConfig) -> u64 {
    let most = 1 << 62;
    config
        .bound
        .checked_next_power_of_two()
        .unwrap_or(most)
        .min(most)
}

/// A journal whose last writers are settled, for those who write it now.
pub(super) struct Settled {
    pub(super) store: Store,
    pub(super) lock: Locked,
    pub(super) manifest: Manifest,
    pub(super) recovery: Recovery,
}

/// Opens or creates the journal in the directory `path`.
pub(super) fn open(
    path: &Path,
    config: JournalConfig,
    create: Create,
) -> Result<Journal, OpenFault> {
    let dir = Dir::of(path);
    // The keeper is a member, too.
    let Settled {
        store,
        lock,
        manifest,
        recovery,
    } = settled(&dir, &config, config.members + 1, create)?;
    start(store, Some(lock), Some(dir), manifest, recovery, config)
}

/// Locks the journal in the directory `path`, or a new one, and settles what its last writers left: there is a bus of `members` then, with
/// nobody on it.
pub(super) fn settled(
    path: &Dir,
    config: &JournalConfig,
    members: usize,
    create: Create,
) -> Result<Settled, OpenFault> {
    let system = OpenFault::tried;
    check(config, MIN_SEGMENT_BYTES)?;
    let found = match manifest_of(path) {
        Ok(_) if create == Create::Must => return Err(OpenFault::Exists),
        Ok(_) => true,
        Err(OpenFault::Absent) if create != Create::No => false,
        Err(fault) => return Err(fault),
    };
    if !found {
        create_dir(path).map_err(system("create the directory"))?;
    }
    path.check().map_err(system("look at the directory"))?;
    let lock = lock(path)?;
    // Again, now that nobody else changes it.
    let (manifest, fresh) = match manifest_of(path) {
        Ok(manifest) => {
            let begun = files::is_being_created(path, manifest.segment_bytes);
            (manifest, begun.map_err(system("list the segments"))?)
        }
        Err(OpenFault::Absent) if create != Create::No => {
            let manifest = new_manifest(config);
            let written = files::begin_creating(path).and_then(|()| manifest.write(path));
            written.map_err(system("write the schema"))?;
            (manifest, true)
        }
        Err(fault) => return Err(fault),
    };
    let mut store = store_of(Some(path), &manifest, config)?;
    let first = files::first_segment_new();
    let spared = fresh.then_some(&*first);
    let removed = files::remove_new(path, spared);
    removed.map_err(system("remove what was not finished"))?;
    let left = Control::left(path, &store.identity);
    let left = left.map_err(system("read what the last writer left"))?;
    let closed_at = Control::closed_at(path, &store.identity);
    let closed_at = closed_at.map_err(system("read what the last writer left"))?;
    let removed = match &left {
        Some(left) => remove_late(&store, path, left),
        None => remove_late_unknown(&store, path),
    };
    removed.map_err(system("remove a segment that was made too late"))?;
    let left = left.or(closed_at.map(Left::closed));
    let recovery = recover(&store, path, left.as_ref(), closed_at, fresh)?;
    // What stood behind may have been read.
    let cut = recovery.left == LeftBy::PowerLoss;
    let set_back = cursor::set_back(path, store.identity.id, recovery.tail, cut);
    set_back.map_err(|error| system("set back a cursor")(io::Error::other(error)))?;
    let bases = store.bases().map_err(system("list the segments"))?;
    let floor = bases.first().copied().unwrap_or(0);
    store.set_oldest(floor);
    let stays = if cut { recovery.tail } else { control::ALL };
    let (bus, known) = ((floor, recovery.tail), &store.control);
    let control = Control::create(path, &store.identity, members, bus, stays, known);
    store.control = control.map_err(system("make the file of shared words"))?;
    if fresh {
        // So that there is always a segment from now on.
        prepare(&store)?;
    }
    begin(&store, &recovery)?;
    Ok(Settled {
        store,
        lock,
        manifest,
        recovery,
    })
}

/// Settles where everything begins, on a journal that nobody uses yet.
fn begin(store: &Store, recovery: &Recovery) -> Result<(), OpenFault> {
    let tail = recovery.tail;
    store.begin(tail, recovery.synced);
    store.control.begin_timing(tail);
    for turn in [Turn::Timing, Turn::Flushing, Turn::Trimming] {
        store.control.put_off(turn);
    }
    while store.prepared() <= tail {
        prepare(store)?;
    }
    Ok(())
}

fn prepare(store: &Store) -> Result<(), OpenFault> {
    store.prepare().map_err(|source| OpenFault::Segment {
        bytes: store.segment_bytes(),
        source,
    })
}

/// Creates the directory, and those above it that are not there, so that it survives a loss of power.
fn create_dir(dir: &Dir) -> io::Result<()> {
    if dir.is_dir() {
        return flush_name(dir);
    }
    let parent = match dir.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    create_dir(&Dir::of(parent))?;
    dir.make_itself()?;
    fault!("directory_made");
    files::sync_dir(parent)
}

/// The name of a directory that is there: who has made it may not have flushed it, or have died before. Where one may not look at what is around it, that
/// is the affair of who may; and what can't be flushed, as what is only read, was not made just now.
fn flush_name(dir: &Path) -> io::Result<()> {
    let dir = dir.canonicalize()?;
    let Some(Ok(flush)) = dir.parent().map(files::open_dir) else {
        return Ok(());
    };
    match flush() {
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
        flushed => flushed,
    }
}

/// How often it is tried once more to lock a journal.
const LOCK_TRIES: u32 = 5;

/// Locks the journal in `dir` for who writes it.
pub(super) fn lock(dir: &Dir) -> Result<Locked, OpenFault> {
    let file = dir.open_or_make(LOCK);
    let file = file.map_err(OpenFault::tried("open the lock"))?;
    lock_by(&file, FileExt::try_lock)?;
    Ok(Locked::over(file))
}

/// Locks a file as `try_lock` does.
pub(super) fn lock_by(
    file: &File,
    try_lock: impl Fn(&File) -> Result<(), fs4::TryLockError>,
) -> Result<(), OpenFault> {
    let mut tries = 0;
    loop {
        match try_lock(file) {
            Ok(()) => return Ok(()),
            // Somebody may only be looking whether it is locked, for a moment.
            Err(fs4::TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(fs4::TryLockError::WouldBlock) => return Err(OpenFault::in_use()),
            Err(fs4::TryLockError::Error(source)) => {
                return Err(OpenFault::System {
                    tried: "lock the journal",
                    source,
                });
            }
        }
    }
}

/// Makes a bus of what is there, and has the keeper keep it.
fn start(
    store: Store,
    lock: Option<Locked>,
    dir: Option<Dir>,
    manifest: Manifest,
    recovery: Recovery,
    config: JournalConfig,
) -> Result<Journal, OpenFault> {
    let store = Arc::new(store);
    let core = core_of(&store, &config);
    let (stop, keeper) = keep(&store, &core, config)?;
    let life = Arc::new(Life {
        store: Arc::clone(&store),
        stop,
        keeper: Mutex::new(Some((keeper, lock))),
    });
    let bus = Bus::of(core.clone().alive(Arc::clone(&life) as _));
    Ok(Journal {
        inner: Arc::new(Inner {
            bus,
            core,
            store,
            held: Held::Alone(life),
            dir,
            manifest: Mutex::new(manifest),
            recovery,
        }),
    })
}

/// The bus over the segments and the words of `store`.
pub(super) fn core_of(store: &Arc<Store>, config: &JournalConfig) -> Core {
    let words = (Arc::clone(&store.control.region), WORDS_AT);
    let segments = Arc::clone(store);
    let sizes = (capacity(config), store.format());
    over_segments(words, store.control.members(), segments, sizes, store.owner)
}

/// Has a thread keep the journal until it is told to stop.
pub(super) fn keep(
    store: &Arc<Store>,
    core: &Core,
    config: JournalConfig,
) -> Result<(Arc<AtomicBool>, JoinHandle<()>), OpenFault> {
    let publisher = Bus::of(core.clone()).publisher();
    let publisher = publisher
        .map_err(|error| OpenFault::tried("attach to the bus")(io::Error::other(error)))?;
    let stop = Arc::new(AtomicBool::new(false));
    let keeper = Keeper {
        store: Arc::clone(store),
        core: core.clone(),
        config,
        publisher,
        stop: Arc::clone(&stop),
        noted: 0,
    };
    let thread = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || keeper.run())
        .map_err(OpenFault::tried("start a thread"))?;
    Ok((stop, thread))
}
