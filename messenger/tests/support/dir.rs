//! A test's own directory.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that goes with its guard; it stays where a test fails, to be looked at.
pub(crate) struct Dir(PathBuf);

impl Dir {
    /// A place in `parent` that no other test has. It is not made yet: what a journal opens it makes itself.
    pub(crate) fn under(parent: &Path, name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("messenger-{name}-{}-{number}", std::process::id());
        let path = parent.join(name);
        // One of a process that had this number before, and was killed.
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }
}

impl std::ops::Deref for Dir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Dir {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        } else if self.0.exists() {
            eprintln!("what was found is in {}", self.0.display());
        }
    }
}
