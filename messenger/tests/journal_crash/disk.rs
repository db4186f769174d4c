//! A disk that keeps what was flushed, and of all else what it likes.
//!
//! It is told of each flush just before it happens, so what a file holds then is sure to be kept. A crash makes a new directory, in
//! which each name is the one that was flushed last or the one that is there now, and each word of a file likewise, sector by
//! sector or torn inside of one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::kit::Rng;

const SECTOR: usize = 512;
const CURSORS: &str = "cursors";

/// The files of one directory, and of the one for cursors in it.
pub(crate) struct Disk {
    dir: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By inode; open, so that no inode is given to another file.
    files: BTreeMap<u64, Kept>,
    /// The names that were flushed, with their inodes.
    names: BTreeMap<String, u64>,
    /// How many flushes there were.
    flushes: u64,
    crash: Option<Crash>,
}

struct Kept {
    file: File,
    /// What was flushed.
    flushed: Option<Vec<u8>>,
    /// What was there some time since.
    between: Option<Vec<u8>>,
}

/// When the power goes.
struct Crash {
    at_flush: u64,
    happens: Box<dyn Fn(Snapshot) + Send>,
}

/// What was flushed, and what was there, when the power went.
pub(crate) struct Snapshot {
    /// Of each name the inode that was flushed, and the one that is there.
    names: BTreeMap<String, [Option<u64>; 2]>,
    contents: BTreeMap<u64, Contents>,
}

struct Contents {
    flushed: Option<Vec<u8>>,
    between: Option<Vec<u8>>,
    now: Vec<u8>,
}

impl Disk {
    /// On which all that is in `dir` has been flushed.
    pub(crate) fn new(dir: &Path) -> Arc<Self> {
        let disk = Self {
            dir: dir.to_owned(),
            state: Mutex::default(),
        };
        let mut state = disk.state();
        state.names = disk.look(&mut state);
        for kept in state.files.values_mut() {
            kept.flushed = Some(read(&kept.file));
        }
        drop(state);
        Arc::new(disk)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names there are now.
    fn look(&self, state: &mut State) -> BTreeMap<String, u64> {
        let mut names = BTreeMap::new();
        let of = |dir: &Path| fs::read_dir(dir).into_iter().flatten().flatten();
        for entry in of(&self.dir).chain(of(&self.dir.join(CURSORS))) {
            // It may be renamed meanwhile.
            let Ok(file) = File::open(entry.path()) else {
                continue;
            };
            let metadata = file.metadata().unwrap();
            names.insert(self.name(&entry.path()), metadata.ino());
            if metadata.is_file() {
                state.files.entry(metadata.ino()).or_insert(Kept {
                    file,
                    flushed: None,
                    between: None,
                });
            }
        }
        names
    }

    /// Something is about to be flushed.
    pub(crate) fn flushing(&self, path: &Path) {
        if !path.starts_with(&self.dir) {
            return;
        }
        let state = &mut *self.state();
        let names = self.look(state);
        state.flushes += 1;
        if state
            .crash
            .as_ref()
            .is_some_and(|crash| crash.at_flush == state.flushes)
        {
            let snapshot = self.snapshot_of(state);
            let crash = state.crash.take().unwrap();
            (crash.happens)(snapshot);
        }
        if path.is_dir() {
            let dir = self.name(path);
            let elsewhere = |name: &str| split(name).0 != dir;
            state.names.retain(|name, _| elsewhere(name));
            let flushed = names.into_iter().filter(|(name, _)| !elsewhere(name));
            state.names.extend(flushed);
        } else if let Ok(metadata) = fs::metadata(path) {
            if let Some(kept) = state.files.get_mut(&metadata.ino()) {
                kept.flushed = Some(read(&kept.file));
                kept.between = None;
            }
        }
    }

    /// What the file or directory at `path` is called here; nothing if it is all of this.
    fn name(&self, path: &Path) -> String {
        let name = path.strip_prefix(&self.dir).unwrap();
        name.to_str().unwrap().to_owned()
    }

    /// Has the power go just before the flush that is `flushes` from now.
    pub(crate) fn crash_at(&self, flushes: u64, happens: impl Fn(Snapshot) + Send + 'static) {
        let state = &mut *self.state();
        state.crash = Some(Crash {
            at_flush: state.flushes + flushes,
            happens: Box::new(happens),
        });
    }

    /// What is there now may be what the disk keeps, though it is written over.
    pub(crate) fn note(&self) {
        let state = &mut *self.state();
        self.look(state);
        for kept in state.files.values_mut() {
            kept.between = Some(read(&kept.file));
        }
    }

    /// The power goes now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.snapshot_of(&mut self.state())
    }

    fn snapshot_of(&self, state: &mut State) -> Snapshot {
        let mut names = BTreeMap::<_, [Option<u64>; 2]>::new();
        for (name, inode) in &state.names {
            names.entry(name.clone()).or_default()[0] = Some(*inode);
        }
        for (name, inode) in self.look(state) {
            names.entry(name).or_default()[1] = Some(inode);
        }
        let contents = state.files.iter().map(|(inode, kept)| {
            let contents = Contents {
                flushed: kept.flushed.clone(),
                between: kept.between.clone(),
                now: read(&kept.file),
            };
            (*inode, contents)
        });
        Snapshot {
            names,
            contents: contents.collect(),
        }
    }
}

impl Snapshot {
    /// Makes `dir` what the disk may hold afterwards.
    pub(crate) fn restore(&self, dir: &Path, rng: &mut Rng) {
        fs::create_dir_all(dir).unwrap();
        let whim = rng.below(4);
        let mut which = BTreeMap::new();
        for (name, inodes) in &self.names {
            // A file is renamed as a whole: `x` and `x.new` change together.
            let (within, renamed) = split(name);
            let renamed = renamed.trim_start_matches('.').trim_end_matches(".new");
            let which = *which
                .entry((within, renamed))
                .or_insert_with(|| match whim {
                    0 => 0,
                    1 => 1,
                    _ => rng.below(2),
                });
            let Some(inode) = inodes[which as usize] else {
                continue;
            };
            let to = dir.join(name);
            let Some(contents) = self.contents.get(&inode) else {
                fs::create_dir(to).unwrap();
                continue;
            };
            // With its directory's name it is lost, too.
            if dir.join(within).is_dir() {
                let mut bytes = contents.whim(rng);
                if name == "control" && bytes.len() >= 48 {
                    // The system has been started since.
                    bytes[32..48].copy_from_slice(&[0xB0; 16]);
                }
                fs::write(to, bytes).unwrap();
            }
        }
    }
}

impl Contents {
    fn whim(&self, rng: &mut Rng) -> Vec<u8> {
        let len = match (&self.flushed, rng.below(3)) {
            (Some(flushed), _) => flushed.len(),
            (None, 0) => 0,
            (None, 1) => rng.below(self.now.len() as u64 / 512 + 1) as usize * 512,
            (None, _) => self.now.len(),
        };
        let part = |bytes: Option<&Vec<u8>>| {
            let mut bytes = bytes.cloned().unwrap_or_default();
            bytes.resize(len, 0);
            bytes
        };
        let old = part(self.flushed.as_ref());
        let between = self
            .between
            .as_ref()
            .map_or_else(|| old.clone(), |b| part(Some(b)));
        let now = part(Some(&self.now));
        // How many of eight sectors are old, how many are of between; and whether one is torn.
        let (mostly_old, mostly_between) = match rng.below(6) {
            0 => (8, 0),
            1 => (0, 0),
            2 => (1, 0),
            3 => (7, 0),
            4 => (2, 3),
            _ => (4, 2),
        };
        let lost = rng.below(len as u64 / SECTOR as u64 + 1) as usize;
        let mut bytes = Vec::with_capacity(len);
        for at in (0..len).step_by(SECTOR) {
            let end = (at + SECTOR).min(len);
            let die = rng.below(8);
            let from = if die < mostly_old || at / SECTOR == lost {
                &old
            } else if die < mostly_old + mostly_between {
                &between
            } else {
                &now
            };
            bytes.extend(&from[at..end]);
            if rng.one_in(24) {
                // The power went while it was written.
                let tear = (at + rng.below(64) as usize * 8).min(end);
                bytes.truncate(tear);
                bytes.extend(&old[tear..end]);
            }
        }
        bytes
    }
}

/// The directory that a name is in, and the rest of it.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('/').unwrap_or(("", name))
}

fn read(file: &File) -> Vec<u8> {
    let len = file.metadata().unwrap().len();
    let mut bytes = vec![0; len as usize];
    let mut read = 0;
    while read < bytes.len() {
        match file.read_at(&mut bytes[read..], read as u64).unwrap() {
            0 => break,
            more => read += more,
        }
    }
    bytes.truncate(read);
    bytes
}
