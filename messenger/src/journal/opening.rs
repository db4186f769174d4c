//! Opening a journal: from its directory, or the lack of one, to a bus that a keeper keeps.

use std::collections::hash_map::RandomState;
use std::fs::{self, OpenOptions};
use std::hash::BuildHasher;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fs4::FileExt;

use super::config::{JournalConfig, SyncPolicy};
use super::control::{Control, Left, WORDS_AT};
use super::error::OpenFault;
use super::files::{self, LOCK, Locked, SCHEMA};
use super::handle::{Inner, Journal, Life};
use super::header::{MAX_SEGMENT_BYTES, MIN_SEGMENT_BYTES, is_segment_bytes};
use super::keeper::{Keeper, Noted};
use super::recover::{LeftBy, Recovery, recover};
use super::schema::{Manifest, ManifestError};
use super::store::{Identity, Store, now_nanos};
use crate::bus::Bus;
use crate::bus::kept::over_segments;
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
        let store = Arc::new(store_of(None, &manifest, &config)?);
        let control = Control::in_memory(config.members + 1);
        let control = control.map_err(OpenFault::tried("get memory"))?;
        let recovery = Recovery {
            left: LeftBy::Nobody,
            tail: 0,
            synced: 0,
            aborted: 0,
            dropped: None,
        };
        start(store, control, None, None, manifest, recovery, config)
    })
}

/// The shortest segments of a journal in memory, which needs no whole pages: as of a ring.
const MIN_IN_MEMORY: u64 = 256;

fn check(config: &JournalConfig, least: u64) -> Result<(), OpenFault> {
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
    if !(1..=16).contains(&config.ahead) {
        let what = "the number of segments ahead";
        return Err(wrong(what, config.ahead, "1 to 16"));
    }
    if config.bound < 256 {
        let allowed = "at least 256 bytes";
        return Err(wrong("the bound", config.bound, allowed));
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
        Ok(false) => Err(OpenFault::NotAJournal),
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
    // As in every stamp, the top bit is set.
    let salt = random() | 1 << 63;
    Manifest::new(id.to_le_bytes(), config.segment_bytes, salt, now_nanos())
}

fn store_of(
    dir: Option<&Path>,
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
    let store = Store::new(dir, identity, capacity(config), config.ahead, each);
    let store = store.map_err(OpenFault::tried("get memory"))?;
    let soon = config.sync != SyncPolicy::OnDemand;
    store.flush_new.store(soon, Ordering::Relaxed);
    Ok(store)
}

/// How many bytes may be in use at a time.
fn capacity(config: &JournalConfig) -> u64 {
    let most = 1 << 62;
    config
        .bound
        .checked_next_power_of_two()
        .unwrap_or(most)
        .min(most)
}

/// Opens or creates the journal in the directory `path`.
pub(super) fn open(
    path: &Path,
    config: JournalConfig,
    create: Create,
) -> Result<Journal, OpenFault> {
    let system = OpenFault::tried;
    check(&config, MIN_SEGMENT_BYTES)?;
    let found = match manifest_of(path) {
        Ok(_) if create == Create::Must => return Err(OpenFault::Exists),
        Ok(_) => true,
        Err(OpenFault::Absent) if create != Create::No => false,
        Err(fault) => return Err(fault),
    };
    if !found {
        create_dir(path).map_err(system("create the directory"))?;
    }
    let lock = lock(path)?;
    // Again, now that nobody else changes it.
    let (manifest, fresh) = match manifest_of(path) {
        Ok(manifest) => {
            let begun = files::is_being_created(path, manifest.segment_bytes);
            (manifest, begun.map_err(system("list the segments"))?)
        }
        Err(OpenFault::Absent) if create != Create::No => {
            let manifest = new_manifest(&config);
            let written = files::begin_creating(path).and_then(|()| manifest.write(path));
            written.map_err(system("write the schema"))?;
            (manifest, true)
        }
        Err(fault) => return Err(fault),
    };
    let store = Arc::new(store_of(Some(path), &manifest, &config)?);
    let first = files::first_segment_new();
    let spared = fresh.then_some(&*first);
    let removed = files::remove_new(path, spared);
    removed.map_err(system("remove what was not finished"))?;
    let left = Control::left(path, &store.identity);
    let left = left.map_err(system("read what the last writer left"))?;
    let closed_at = Control::closed_at(path, &store.identity);
    let closed_at = closed_at.map_err(system("read what the last writer left"))?;
    let left = left.or(closed_at.map(Left::closed));
    let recovery = recover(&store, path, left.as_ref(), closed_at, fresh)?;
    let bases = store.bases().map_err(system("list the segments"))?;
    let floor = bases.first().copied().unwrap_or(0);
    store.set_oldest(floor);
    let control = Control::create(
        path,
        &store.identity,
        config.members + 1,
        floor,
        recovery.tail,
    );
    let control = control.map_err(system("make the file of shared words"))?;
    if fresh {
        // So that there is always a segment from now on.
        let soon = store.flush_new.swap(true, Ordering::Relaxed);
        let made = store.prepare();
        made.map_err(|lost| system("make a segment")(io::Error::other(lost)))?;
        store.flush_new.store(soon, Ordering::Relaxed);
        if !soon {
            store.find_pages();
        }
    }
    let dir = Some(path.to_owned());
    start(store, control, Some(lock), dir, manifest, recovery, config)
}

/// Creates the directory, so that it survives a loss of power.
fn create_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new("."),
        Some(parent) => parent,
        None => return Ok(()),
    };
    create_dir(parent)?;
    match fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        made => made.and_then(|()| files::sync_dir(parent)),
    }
}

/// How often it is tried once more to lock a journal.
const LOCK_TRIES: u32 = 5;

/// Locks the journal in `path` for who writes it.
pub(super) fn lock(path: &Path) -> Result<Locked, OpenFault> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path.join(LOCK));
    let file = file.map_err(OpenFault::tried("open the lock"))?;
    let mut tries = 0;
    loop {
        match FileExt::try_lock(&file) {
            Ok(()) => return Ok(Locked::over(file)),
            // Somebody may only be looking whether it is locked, for a moment.
            Err(fs4::TryLockError::WouldBlock) if tries < LOCK_TRIES => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(fs4::TryLockError::WouldBlock) => return Err(OpenFault::InUse),
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
    store: Arc<Store>,
    control: Control,
    lock: Option<Locked>,
    dir: Option<PathBuf>,
    manifest: Manifest,
    recovery: Recovery,
    config: JournalConfig,
) -> Result<Journal, OpenFault> {
    let tail = recovery.tail;
    store.set_opened_at(tail);
    store.begin(tail, recovery.synced);
    while store.prepared() <= tail {
        let made = store.prepare();
        made.map_err(|lost| OpenFault::tried("make a segment")(io::Error::other(lost)))?;
    }
    let control = Arc::new(control);
    let words = (Arc::clone(&control.region), WORDS_AT);
    let members = config.members + 1;
    let segments = Arc::clone(&store);
    let core = over_segments(words, members, segments, capacity(&config), store.format());
    let stop = Arc::new(AtomicBool::new(false));
    let publisher = Bus::of(core.clone()).publisher();
    let publisher = publisher
        .map_err(|error| OpenFault::tried("attach to the bus")(io::Error::other(error)))?;
    let now = Instant::now();
    let keeper = Keeper {
        store: Arc::clone(&store),
        control: Arc::clone(&control),
        core: core.clone(),
        config,
        publisher,
        stop: Arc::clone(&stop),
        noted: Noted { at: now, tail },
        flushed: now,
        trimmed: now,
        lock,
    };
    let keeper = std::thread::Builder::new()
        .name("journal".to_owned())
        .spawn(move || keeper.run())
        .map_err(OpenFault::tried("start a thread"))?;
    let life = Arc::new(Life {
        store,
        stop,
        keeper: Mutex::new(Some(keeper)),
    });
    let bus = Bus::of(core.clone().alive(Arc::clone(&life) as _));
    Ok(Journal {
        inner: Arc::new(Inner {
            bus,
            core,
            life,
            dir,
            manifest: Mutex::new(manifest),
            recovery,
        }),
    })
}
