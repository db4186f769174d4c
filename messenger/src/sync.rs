//! The one switch between the primitives of std and of loom.
//!
//! Under `--cfg loom` only the protocol (`bus::ring` and its neighbours) is compiled, over
//! loom's atomics, for the models in `bus/models`.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::{Condvar, Mutex};
#[cfg(all(not(loom), any(miri, not(target_os = "linux"))))]
pub(crate) use std::sync::{Condvar, Mutex};

/// Gives way once in a loop that waits for another thread.
#[inline]
pub(crate) fn spin_loop() {
    #[cfg(not(any(loom, miri)))]
    core::hint::spin_loop();
    #[cfg(miri)]
    std::thread::yield_now();
    #[cfg(loom)]
    loom::thread::yield_now();
}

/// Loads `word` with `order`, `Relaxed` or `Acquire`, also from memory that can't be written: there the language allows relaxed loads only.
#[cfg(any(test, not(loom)))]
#[inline]
pub(crate) fn load(word: &AtomicU64, order: Ordering) -> u64 {
    let value = word.load(Ordering::Relaxed);
    if order == Ordering::Acquire {
        fence(Ordering::Acquire);
    }
    value
}

/// The same with `Acquire`.
#[cfg(not(loom))]
#[inline]
pub(crate) fn load_acquire(word: &AtomicU64) -> u64 {
    load(word, Ordering::Acquire)
}

/// Raises `word` to `value` if that is more; gives what it was.
///
/// ThreadSanitizer does not see the atomic instruction for it, and so would miss the edges that
/// go over the word: under `--cfg tsan` (ci/sanitizers.sh) it is spelled as a loop.
#[inline]
pub(crate) fn fetch_max(word: &AtomicU64, value: u64, order: Ordering) -> u64 {
    if !cfg!(tsan) {
        return word.fetch_max(value, order);
    }
    let mut seen = word.load(Ordering::Relaxed);
    loop {
        match word.compare_exchange_weak(seen, seen.max(value), order, Ordering::Relaxed) {
            Ok(before) => return before,
            Err(now) => seen = now,
        }
    }
}
