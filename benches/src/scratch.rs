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

/// The directory below which files are made.
fn parent() -> PathBuf {
    std::env::var_os(VARIABLE).map_or_else(std::env::temp_dir, PathBuf::from)
}

/// A directory that goes with its files.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes an empty one.
    pub(crate) fn new() -> Done<Self> {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("messenger-benches-{}-{number}", std::process::id());
        let path = parent().join(name);
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
    }
}

/// How many bytes of payload a sample may write: 256 MiB in 80 ms, 1 GiB at most.
pub(crate) fn room(time: Duration) -> u64 {
    let bytes = time.as_millis() as u64 * (256 << 20) / 80;
    bytes.clamp(8 << 20, 1 << 30)
}

/// Has the system find memory for the files that a sample is about to write, by writing half as
/// much again and removing it.
///
/// A virtual machine may give back what was free for a second, and then finds each page anew, in
/// ten times the time that writing it takes: the figures would be the host's.
pub(crate) fn warm(at: &Path, room: u64) -> Done {
    let path = at.join("warm");
    let bytes = vec![1_u8; 1 << 20];
    let mut file = File::create(&path).map_err(text)?;
    for _ in 0..(room + room / 2) >> 20 {
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
    fn a_scratch_directory_goes_with_its_files() {
        let scratch = Scratch::new().unwrap();
        let path = scratch.path().to_owned();
        warm(&path, 1 << 20).unwrap();
        fs::write(path.join("left"), "over").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
