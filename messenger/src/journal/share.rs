//! A journal as the storage of a bus that processes share.
//!
//! Each of them has the `lock` as those have it who only look at the journal, so that nobody opens it alone, and that of the control page,
//! by which it is known that it is written. The first one that comes, when nobody is there, opens it alone before, and settles what was left; the last one
//! closes it. Who comes or leaves keeps the others from doing so meanwhile: that is the bus's affair (`shared/presence.rs`).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fs4::FileExt;

use super::config::JournalConfig;
use super::control::{Control, WORDS_AT};
use super::cursor::{self, Cursor, CursorError};
use super::dir::Dir;
use super::error::{OpenError, OpenFault};
use super::files::{CONTROL, LOCK, Locked, remove_new};
use super::handle::{Held, Inner, Journal, Sharing};
use super::keeper;
use super::opening::{
    Create, Settled, capacity, core_of, keep, lock_by, manifest_of, settled, store_of,
};
use super::recovery::{LeftBy, Recovery};
use super::schema::{Manifest, Schema};
use super::store::{Identity, Place, Store};
use crate::bus::kept::{Core, Progress};
use crate::bus::{Bus, Lost, processes};
pub(crate) use rights::Rights;
pub(super) use segments::name_new;

mod rights;
mod segments;
mod words;

/// For how long one that comes to a bus which nobody uses, or makes one, tries to get the journal's lock: the last one before it may have died just now,
/// or be closing the journal, which takes as long as its disk does.
pub(crate) const LEAVING: Duration = Duration::from_secs(2);

/// The part of this process in a journal that processes share.
pub(crate) struct Share {
    dir: Dir,
    config: JournalConfig,
    store: Arc<Store>,
    manifest: Manifest,
    recovery: Recovery,
    keeper: Mutex<Option<(Arc<AtomicBool>, JoinHandle<()>)>>,
    /// Whether the keeper's view has been given to a user.
    given: AtomicBool,
    locks: Mutex<Option<[Locked; 2]>>,
}

/// What all processes know of the journal that they share.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    pub(crate) config: JournalConfig,
    /// The journal's id, so that another one is not taken for it.
    pub(crate) id: [u8; 16],
}

impl Share {
    /// Opens the journal in `dir`, or creates it, for a bus that is about to be made with so many `members`, as the process with the
    /// number `owner`. Its files get the `rights` of the bus's. If it is in use that may be by who is making the same bus.
    pub(crate) fn create(
        dir: &Path,
        rights: Rights,
        config: JournalConfig,
        members: usize,
        owner: u32,
    ) -> Result<Self, OpenError> {
        let of_bus = Dir::shared(dir, rights);
        let first = Self::first_in(&of_bus, rights, config, (members, owner), Create::May);
        first.map_err(|fault| OpenError::new(dir, fault))
    }

    /// Opens the journal of a bus that nobody uses any more, likewise.
    pub(crate) fn first(
        home: &Home,
        rights: Rights,
        members: usize,
        owner: u32,
    ) -> Result<Self, OpenError> {
        let dir = Dir::shared(&home.dir, rights);
        let begun = Instant::now();
        let first = loop {
            let first = match manifest_of(&dir) {
                // Before anything of it is touched.
                Ok(manifest) if manifest.id != home.id => Err(another()),
                _ => Self::first_in(&dir, rights, home.config, (members, owner), Create::No),
            };
            match first {
                // One that has left or died has lost its place on the bus, and not yet all its locks.
                Err(OpenFault::InUse { .. }) if begun.elapsed() < LEAVING => {}
                first => break first,
            }
        };
        first.map_err(|fault| OpenError::new(&home.dir, fault))
    }

    fn first_in(
        dir: &Dir,
        rights: Rights,
        config: JournalConfig,
        (members, owner): (usize, u32),
        create: Create,
    ) -> Result<Self, OpenFault> {
        let system = OpenFault::tried;
        let settled = settled(dir, &config, members, create)?;
        // One who had it alone made files as his process makes them, and a bus before may have let in others.
        let given = dir.give_rights();
        given.map_err(system("set the permissions of the files"))?;
        // So that it can be found from any other directory.
        let dir = dir.canonicalize().map_err(system("find the directory"))?;
        let dir = Dir::shared(&dir, rights);
        let page = lock_page(&dir)?;
        FileExt::unlock(settled.lock.file()).map_err(system("unlock the journal"))?;
        share_lock(&settled.lock, &page)?;
        let Settled {
            mut store,
            lock,
            manifest,
            recovery,
        } = settled;
        let control = control_of(&dir, &store, members)?;
        store.join(control, owner);
        Ok(Self {
            dir,
            config,
            store: Arc::new(store),
            manifest,
            recovery,
            keeper: Mutex::default(),
            given: AtomicBool::new(false),
            locks: Mutex::new(Some([page, lock])),
        })
    }

    /// Comes to a journal that other processes use, as the one with the number `owner`.
    pub(crate) fn join(
        home: &Home,
        rights: Rights,
        members: usize,
        owner: u32,
    ) -> Result<Self, OpenError> {
        Self::join_in(home, rights, members, owner)
            .map_err(|fault| OpenError::new(&home.dir, fault))
    }

    fn join_in(home: &Home, rights: Rights, members: usize, owner: u32) -> Result<Self, OpenFault> {
        let system = OpenFault::tried;
        let Home { dir, config, id } = home;
        let dir = Dir::shared(dir, rights);
        dir.check().map_err(system("look at the directory"))?;
        let lock = dir.open(LOCK, false).map_err(system("open the lock"))?;
        lock_by(&lock, FileExt::try_lock_shared)?;
        let lock = Locked::over(lock);
        let manifest = Manifest::read(&dir)?;
        if manifest.id != *id {
            return Err(another());
        }
        let page = lock_page(&dir)?;
        let mut store = store_of(Some(&dir), &manifest, config)?;
        let syncs = store.control.syncs();
        let control = control_of(&dir, &store, members)?;
        store.join(control, owner);
        if syncs {
            store
                .begin_syncing()
                .map_err(system("flush the directory"))?;
        }
        let recovery = Recovery {
            left: LeftBy::Using,
            tail: store.control.opened_at(),
            synced: store.synced(),
            aborted: 0,
            // The first one may have died before it could say so.
            dropped: store.control.dropped(),
        };
        Ok(Self {
            dir,
            config: *config,
            store: Arc::new(store),
            manifest,
            recovery,
            keeper: Mutex::default(),
            given: AtomicBool::new(false),
            locks: Mutex::new(Some([page, lock])),
        })
    }

    /// Where it ended when it was opened.
    pub(crate) fn opened_at(&self) -> u64 {
        self.recovery.tail
    }

    /// A number that is another after each loss of power, and whenever what the last writer left was not to be used: whoever has opened it
    /// since, and however far that opening got.
    pub(crate) fn history(&self) -> u64 {
        self.store.control.history()
    }

    /// What other processes are to know of it.
    pub(crate) fn home(&self) -> Home {
        Home {
            dir: self.dir.to_path_buf(),
            config: self.config,
            id: self.store.identity.id,
        }
    }

    /// The bus over it, as this process keeps it.
    pub(crate) fn core(&self) -> Core {
        core_of(&self.store, &self.config)
    }

    /// Has a thread of this process keep it. The thread is a member of the bus.
    pub(crate) fn keep(&self, core: &Core) -> Result<(), OpenError> {
        let kept = keep(&self.store, core, self.config);
        let kept = kept.map_err(|fault| OpenError::new(&self.dir, fault))?;
        *self.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(kept);
        Ok(())
    }

    /// Ends the keeper of this process. Not for the keeper itself, which runs nobody's code: tasks wait by cores that users have, and not by its own.
    pub(crate) fn leave(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stop, thread)) = keeper.take() {
            stop.store(true, Ordering::Relaxed);
            self.store.bell.ring();
            // What it panicked with has been told by the panic's hook.
            let _ = thread.join();
        }
    }

    /// Flushes everything, and says that all is well. No process uses the bus any more.
    pub(crate) fn close(&self) -> Result<(), Lost> {
        // What can't be removed now is removed by who opens the journal next.
        let _ = remove_new(&self.dir, None);
        keeper::close(&self.store)
    }

    /// Has the cursor `name` say that all before `position` is handled, if what it has yet to pass is not retained any more, and all that was sent is flushed.
    pub(crate) fn raise_cursor(&self, name: &str, position: u64) -> Result<(), CursorError> {
        let (store, id) = (&self.store, self.store.identity.id);
        let tail = store.control.tail();
        let is_lost = cursor::info(&self.dir, id, name)?.position < position.min(store.oldest());
        if is_lost && position <= tail && tail <= store.synced() {
            let mut cursor = Cursor::open(&self.dir, id, name, position)?;
            cursor.store(position)?;
            cursor.sync()?;
        }
        Ok(())
    }

    /// Lets go of the journal's locks: this process has no part in it any more.
    pub(crate) fn unlock(&self) {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        drop(locks.take());
    }

    /// Removes what a dead process has left that had the number `owner`. Its claims are the bus's affair.
    pub(crate) fn settle_for(&self, owner: u32) {
        self.store.note_ended(owner);
        // What can't be removed now is removed by who opens the journal next.
        let _ = self.store.tidy_after(owner);
    }

    /// A view of it for a user, and the bus over that; `life` lives as long as it. The first one is the keeper's, so that what
    /// that maps ahead is there; each other one has mappings of its own.
    pub(crate) fn view(&self, life: Arc<dyn Sharing>) -> Result<Journal, OpenError> {
        let store = if self.given.swap(true, Ordering::Relaxed) {
            let another = self.another();
            another.map_err(|fault| OpenError::new(&self.dir, fault))?
        } else {
            Arc::clone(&self.store)
        };
        let core = core_of(&store, &self.config);
        let bus = Bus::of(core.clone().alive(Arc::new(Arc::clone(&life))));
        Ok(Journal {
            inner: Arc::new(Inner {
                bus,
                core,
                store,
                held: Held::Shared(life),
                dir: Some(self.dir.clone()),
                manifest: Mutex::new(self.manifest.clone()),
                recovery: self.recovery.clone(),
            }),
        })
    }

    fn another(&self) -> Result<Arc<Store>, OpenFault> {
        let mut store = store_of(Some(&self.dir), &self.manifest, &self.config)?;
        let control = control_of(&self.dir, &store, self.store.control.members())?;
        store.join(control, self.store.owner);
        // Kept by the one keeper of the process, who lets go of nothing here.
        store.holds = false;
        store.bell = Arc::clone(&self.store.bell);
        Ok(Arc::new(store))
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Store {
    /// Has its words in `control`, as the process with the number `owner` among those that use it.
    fn join(&mut self, control: Control, owner: u32) {
        self.control = control;
        self.owner = owner;
        self.begin_walking();
    }
}

/// One who only looks at a journal that processes share.
pub(crate) struct Onlooker(Arc<Store>);

impl Onlooker {
    /// Whether the journal is opened anew, so that its words are not those at which this one looks.
    pub(crate) fn is_superseded(&self) -> bool {
        self.0.control.is_superseded()
    }

    /// Up to where the records stay at which it looks.
    pub(crate) fn stays(&self) -> u64 {
        self.0.control.stays()
    }

    /// The same, by what the words say of it that stand there now, whoever has the journal; and whether a bus has it. `None`: there are none.
    pub(crate) fn stays_by_now(&self) -> Option<(u64, bool)> {
        let Place::Files { dir, .. } = &self.0.place else {
            return None;
        };
        self.0.control.stays_in(dir).ok().flatten()
    }

    /// Up to where it sees the same records as `before` did, if that is known.
    pub(crate) fn same_as(&self, before: &Self) -> Option<u64> {
        self.0.control.same_as(&before.0.control)
    }
}

/// The bus over a journal that processes share, for one who only looks: nothing of it can be written.
pub(crate) fn look_at(
    home: &Home,
    rights: Rights,
    members: usize,
) -> Result<(Core, Onlooker), OpenError> {
    let looked = || {
        let Home { dir, config, id } = home;
        let dir = &Dir::shared(dir, rights);
        dir.check()
            .map_err(OpenFault::tried("look at the directory"))?;
        let manifest = Manifest::read(dir)?;
        if manifest.id != *id {
            return Err(another());
        }
        let identity = Identity {
            id: *id,
            segment_bytes: manifest.segment_bytes,
            salt: manifest.salt,
        };
        let ahead = config.ahead_of(identity.segment_bytes);
        let store = Store::new(Some((dir, false)), identity, ahead, false);
        let mut store = store.map_err(OpenFault::tried("get memory"))?;
        let control = Control::join(dir, &identity, members, false);
        let control = control.map_err(OpenFault::tried("map the shared words"))?;
        store.control = control.ok_or_else(had_alone)?;
        let words = (Arc::clone(&store.control.region), WORDS_AT);
        let (sizes, store) = ((capacity(config), store.format()), Arc::new(store));
        let segments = Arc::clone(&store);
        let core = processes::onlooker_over_segments(words, members, segments, sizes);
        Ok((core, Onlooker(store)))
    };
    looked().map_err(|fault| OpenError::new(&home.dir, fault))
}

/// What the journal in `dir` says of ids and tables.
pub(crate) fn schema_of(dir: &Path) -> Result<Schema, OpenError> {
    match Manifest::read(dir) {
        Ok(manifest) => Ok(manifest.schema),
        Err(error) => Err(OpenError::new(dir, error.into())),
    }
}

fn lock_page(dir: &Dir) -> Result<Locked, OpenFault> {
    let page = dir
        .open(CONTROL, false)
        .map_err(OpenFault::tried("open the shared words"))?;
    lock_by(&page, FileExt::try_lock_shared)?;
    Ok(Locked::over(page))
}

/// Takes the lock as all have it, after it was had alone, and let go of with the words in `page`.
///
/// Not in one step: who gets in between has it alone, settles everything anew, and makes other words. Then these are nobody's.
fn share_lock(lock: &Locked, page: &Locked) -> Result<(), OpenFault> {
    lock_by(lock.file(), FileExt::try_lock_shared)?;
    // From here on nobody has it alone, and the words stay those that are there.
    let superseded = Control::is_superseded_in(page.file());
    match superseded.map_err(OpenFault::tried("look at the shared words"))? {
        false => Ok(()),
        true => Err(OpenFault::in_use()),
    }
}

fn control_of(dir: &Dir, store: &Store, members: usize) -> Result<Control, OpenFault> {
    let control = Control::join(dir, &store.identity, members, true);
    let control = control.map_err(OpenFault::tried("map the shared words"))?;
    control.ok_or_else(stale)
}

fn invalid(text: &'static str) -> OpenFault {
    let source = io::Error::new(io::ErrorKind::InvalidData, text);
    OpenFault::tried("come to the journal of the bus")(source)
}

fn stale() -> OpenFault {
    invalid(
        "its shared words are not those of a bus in use; end all its processes, and open it anew",
    )
}

/// What `stale` is to one who only looks.
fn had_alone() -> OpenFault {
    invalid(
        "its shared words are no longer the bus's, since a program has had the journal alone; open the bus anew, or read the journal itself",
    )
}

fn another() -> OpenFault {
    invalid("another journal has come in its place; bring the bus's own back, or remove the bus")
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::super::control;
    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn one_who_was_overtaken_between_the_locks_has_no_part_in_it() {
        let temp = TempDir::new();
        let rights = Rights::of(&temp.metadata().unwrap(), false);
        let dir = Dir::shared(&temp, rights);
        let config = JournalConfig::new().segment_bytes(4096);
        let settle = || {
            let settled = settled(&dir, &config, 4, Create::May).unwrap();
            let page = lock_page(&dir).unwrap();
            FileExt::unlock(settled.lock.file()).unwrap();
            (settled, page)
        };
        let is_in_use = |(settled, page): &(Settled, Locked)| {
            matches!(
                share_lock(&settled.lock, page),
                Err(OpenFault::InUse { .. })
            )
        };
        let overtaken = settle();
        let other = Share::create(&dir, rights, config, 4, 1).unwrap();
        assert!(is_in_use(&overtaken));
        drop((overtaken, other));
        // Also by one who has left again, and by a repair.
        let overtaken = settle();
        drop(Share::create(&dir, rights, config, 4, 1).unwrap());
        assert!(is_in_use(&overtaken));
        drop(overtaken);
        let overtaken = settle();
        control::disown(&dir, &overtaken.0.store.identity, 0, None).unwrap();
        assert!(is_in_use(&overtaken));
        drop(overtaken);
        assert!(!is_in_use(&settle()));
    }
}
