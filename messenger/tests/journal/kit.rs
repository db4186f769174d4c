//! What the tests of the journal share.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use messenger::bus::{MessageId, SourceId, Tag};
use messenger::journal::{Journal, JournalConfig};

/// A directory that goes with its guard.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("messenger-{name}-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    pub(crate) fn open(&self, config: JournalConfig) -> Journal {
        Journal::open(&self.0, config).unwrap()
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
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Small segments, so that there are many.
pub(crate) fn small() -> JournalConfig {
    JournalConfig::new().segment_bytes(4096)
}

pub(crate) fn tag(n: u16) -> Tag {
    Tag::new(SourceId::new(n), MessageId::new(n + 1))
}

/// `len` bytes that tell `seed` and every place in them apart.
pub(crate) fn payload(seed: u64) -> Vec<u8> {
    let len = (seed.wrapping_mul(0x9E37_79B9) >> 7) as usize % 300;
    (0..len as u64).map(|i| (seed ^ (i * 31)) as u8).collect()
}
