//! Directories for what the samples write, and memory for it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::log::{Done, text};

/// Names the directory below which files are made, in place of the system's for temporary files.
pub(crate) const VARIABLE: &str = "MESSENGER_BENCHES_DIR";

/// Where files are that are shared memory.
const MEMORY: &str = "/dev/shm";

/// The directory below which files are made.
fn parent() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(std::env::temp_dir, PathBuf::from)
}

/// A directory that goes with its files, and with what shared memory was named after it.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty one.
    pub(crate) fn new() -> Done<Self> {
        Self::below(&parent())
    }

    /// Makes an empty one in memory, if the system has a place for that: for what processes share.
    pub(crate) fn in_memory() -> Done<Self> {
        let memory = Path::new(MEMORY);
        if memory.is_dir() {
            Self::below(memory)
        } else {
            Self::new()
        }
    }

    fn below(parent: &Path) -> Done<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        // Short: paths of sockets lie below it, and they have no room for many bytes.
        let name = format!("messenger-{}-{number}", std::process::id());
        let path = parent.join(name);
        fs::create_dir_all(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{}: {error}", self.0.display());
        }
        let prefix = memory_prefix(&self.0);
        for left in fs::read_dir(MEMORY).into_iter().flatten().flatten() {
            // All of it is gone, unless a process was killed.
            let name = left.file_name();
            if name.as_encoded_bytes().starts_with(prefix.as_bytes()) {
                let _ = fs::remove_file(left.path());
            }
        }
    }
}

/// What names of shared memory begin with that is to go with the directory `at`.
pub(crate) fn memory_prefix(at: &Path) -> String {
    let name = at.file_name().unwrap_or_default();
    format!("{}-", name.to_string_lossy())
}

/// The directory in memory in which `at` lies: the one that goes even if the sample's process is killed. `at` itself, if it is
/// somewhere else.
pub(crate) fn outermost(at: &Path) -> PathBuf {
    at.strip_prefix(MEMORY)
        .ok()
        .and_then(|below| below.iter().next())
        .map_or_else(|| at.to_owned(), |first| Path::new(MEMORY).join(first))
}

/// How many bytes of payload a sample may write: 256 MiB in 80 ms, 1 GiB at most.
pub(crate) fn room(time: Duration) -> u64 {
    let bytes = time.as_millis() as u64 * (256 << 20) / 80;
    bytes.clamp(8 << 20, 1 << 30)
}

/// The length of a page that maps by one entry of the second level of a page table.
const LARGE_PAGE: usize = 2 << 20;

/// Has the system find memory for the files that a sample is about to write, by writing half as
/// much again and removing it.
///
/// A virtual machine may give back what was free for a second, and then finds each page anew, in
/// ten times the time that writing it takes: the figures would be the host's. It gives back large
/// pages only, so by large ones it is written: what is written in small ones has them from those
/// that were never given back, or from these.
pub(crate) fn warm(at: &Path, room: u64) -> Done {
    let path = at.join("warm");
    let bytes = vec![1_u8; LARGE_PAGE];
    let mut file = File::create(&path).map_err(text)?;
    for _ in 0..(room + room / 2).div_ceil(LARGE_PAGE as u64) {
        file.write_all(&bytes).map_err(text)?;
    }
    drop(file);
    fs::remove_file(path).map_err(text)
}

/// The file system that the files are on.
pub(crate) fn file_system() -> String {
    let at = fs::canonicalize(parent()).unwrap_or_default();
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (point, kind) = (fields.next()?, fields.next()?);
            at.starts_with(point).then_some((point.len(), kind))
        })
        .max_by_key(|&(len, _)| len)
        .map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

/// The variable and its value for a process whose files are to lie in `scratch`.
pub(crate) fn handed_on(scratch: &Scratch) -> (&'static str, &OsStr) {
    (VARIABLE, scratch.path().as_os_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_memory_goes_with_the_directory_that_it_is_named_after() {
        let memory = Path::new(MEMORY);
        if !memory.is_dir() {
            return;
        }
        let scratch = Scratch::in_memory().unwrap();
        let at = scratch.path().to_owned();
        assert_eq!(outermost(&at.join("in/it")), at);
        let named = memory.join(memory_prefix(&at) + "left");
        fs::write(&named, "over").unwrap();
        drop(scratch);
        assert!(!at.exists() && !named.exists());
        assert_eq!(outermost(Path::new("/tmp/x")), Path::new("/tmp/x"));
    }

    #[test]
    fn a_scratch_directory_goes_with_its_files() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        warm(&path, 1 << 20).unwrap();
        fs::write(path.join("left"), "over").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
