//! What the tests of the journal share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::ProptestConfig;

/// A directory, removed when dropped.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("messenger-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One of a process that had this number before, and was killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a directory for temporary files");
        Self(path)
    }
}

impl std::ops::Deref for TempDir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How proptest runs: under Miri only a little.
pub(super) fn config() -> ProptestConfig {
    // PROPTEST_CASES asks for more.
    let mut config = ProptestConfig::default();
    if cfg!(miri) {
        config.cases = 6;
        config.max_shrink_iters = 0;
    }
    // Needs files.
    config.failure_persistence = None;
    config
}
