//! What the tests of the journal share.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};

use proptest::prelude::ProptestConfig;

#[cfg(all(feature = "shared", target_os = "linux"))]
use {
    super::control::{Control, WORDS_AT},
    super::store::{Identity, Store},
    crate::bus::kept::{Core, over_segments},
    crate::memory::MemoryKind,
    std::sync::Arc,
};

/// A name that begins with `what` and that nobody else has, nor had: numbers of processes come again.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}-{:016x}", RandomState::new().build_hasher().finish())
}

/// A directory, removed when dropped.
pub(crate) struct TempDir(PathBuf);

impl TempDir {
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(fresh("messenger-test"));
        std::fs::create_dir(&path).expect("a directory for temporary files");
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

/// The bus over a journal in memory of segments of `segment` bytes, bounded by `bound`, as each of the processes with the numbers from 1
/// to `processes` has it.
#[cfg(all(feature = "shared", target_os = "linux"))]
pub(crate) fn shared_in_memory(
    (segment, bound): (u64, u64),
    members: usize,
    processes: u32,
) -> Vec<Core> {
    let identity = Identity {
        id: [7; 16],
        segment_bytes: segment,
        salt: 0x5EED,
    };
    let mut store = Store::new(None, identity, 1, false).unwrap();
    store.control = Control::in_memory(members, MemoryKind::default()).unwrap();
    store.begin(0, 0);
    let store = Arc::new(store);
    let core = |owner| {
        let words = (Arc::clone(&store.control.region), WORDS_AT);
        let segments = Arc::clone(&store) as _;
        over_segments(words, members, segments, (bound, store.format()), owner)
    };
    (1..=processes).map(core).collect()
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
