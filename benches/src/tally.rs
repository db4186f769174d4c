//! A number that two processes share, so that one sees at once how far the other is.

use std::fs::{File, OpenOptions};
use std::hint::spin_loop;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};

use crate::log::{Done, text};

/// Nothing more will be counted.
const OVER: u64 = u64::MAX;

/// The number: how many records all have read, or that it is over.
pub(crate) struct Tally(MmapRaw);

impl Tally {
    /// Makes it in the directory `at`, with nothing counted.
    pub(crate) fn make(at: &Path) -> Done<Self> {
        let mut options = OpenOptions::new();
        options.create_new(true).read(true).write(true);
        let file = options.open(at.join("tally")).map_err(text)?;
        file.set_len(size_of::<AtomicU64>() as u64).map_err(text)?;
        Self::over(&file)
    }

    /// Finds it in the directory `at`.
    pub(crate) fn open(at: &Path) -> Done<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        Self::over(&options.open(at.join("tally")).map_err(text)?)
    }

    fn over(file: &File) -> Done<Self> {
        let mapping = MmapOptions::new().map_raw(file).map_err(text)?;
        if mapping.len() < size_of::<AtomicU64>() {
            return Err(format!("the tally has {} bytes, not 8", mapping.len()));
        }
        Ok(Self(mapping))
    }

    fn word(&self) -> &AtomicU64 {
        // SAFETY: the mapping lives as long as `self`, begins at a page, has 8 bytes (`over`), and both processes touch them by
        // atomics only.
        unsafe { AtomicU64::from_ptr(self.0.as_mut_ptr().cast()) }
    }

    /// So many records were read by all.
    pub(crate) fn set(&self, count: u64) {
        self.word().store(count, Ordering::Release);
    }

    /// Waits until so many were.
    pub(crate) fn wait(&self, count: u64) {
        while self.word().load(Ordering::Acquire) < count {
            spin_loop();
        }
    }

    /// Says that it is over.
    pub(crate) fn end(&self) {
        self.word().store(OVER, Ordering::Release);
    }

    /// Whether it is.
    pub(crate) fn is_over(&self) -> bool {
        self.word().load(Ordering::Acquire) == OVER
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn both_sides_see_the_count_and_the_end() {
        let scratch = Scratch::new().unwrap();
        assert!(Tally::open(scratch.path()).is_err(), "nothing is there");
        let here = Tally::make(scratch.path()).unwrap();
        let there = Tally::open(scratch.path()).unwrap();
        there.set(7);
        here.wait(7);
        assert!(!there.is_over());
        here.end();
        assert!(there.is_over());
        File::create(scratch.path().join("tally")).unwrap();
        assert!(Tally::open(scratch.path()).is_err(), "it is empty");
    }
}
