//! A test's own directory.

#[path = "fresh.rs"]
pub(crate) mod fresh;

use std::path::{Path, PathBuf};

/// A directory that goes with its guard; it stays where a test fails, to be looked at.
pub(crate) struct Dir(PathBuf);

impl Dir {
    /// A place in `parent` that no other test has. It is not made yet: what a journal opens it makes itself.
    pub(crate) fn under(parent: &Path, name: &str) -> Self {
        Self(parent.join(fresh::fresh(&format!("messenger-{name}"))))
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
