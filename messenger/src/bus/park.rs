//! Sleeping in the kernel on a word, and waking who sleeps there.
//!
//! On Linux the word is a futex. Elsewhere, under Miri and under loom, a mutex and a condition
//! variable of this process stand in for it.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use crate::sync::AtomicU32;

#[cfg(all(target_os = "linux", not(miri), not(loom)))]
mod system {
    use rustix::thread::futex;
    use rustix::thread::futex::Timespec;

    use super::{AtomicU32, Duration};

    /// Where the sleepers of one word wait.
    #[derive(Debug, Default)]
    pub(crate) struct Parker;

    impl Parker {
        /// Sleeps while `word` is `seen`, for `timeout` at the most. May return early.
        pub(crate) fn wait(&self, word: &AtomicU32, seen: u32, timeout: Option<Duration>) {
            let timeout = timeout.map(|t| Timespec {
                tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: t.subsec_nanos().into(),
            });
            // Each outcome (woken, changed, timed out, interrupted) sends the caller to look again.
            let _ = futex::wait(word, futex::Flags::PRIVATE, seen, timeout.as_ref());
        }

        /// Wakes all who sleep on `word`, which has changed.
        pub(crate) fn wake_all(&self, word: &AtomicU32) {
            // It can only fail on a bad address or flag, and both are ours.
            let _ = futex::wake(word, futex::Flags::PRIVATE, i32::MAX as u32);
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
mod system {
    use super::{AtomicU32, Duration};
    use crate::sync::{self, Condvar, Ordering::Relaxed};

    /// Where the sleepers of one word wait.
    #[derive(Debug, Default)]
    pub(crate) struct Parker {
        lock: sync::Mutex<()>,
        changed: Condvar,
    }

    impl Parker {
        /// Sleeps while `word` is `seen`, for `timeout` at the most. May return early.
        pub(crate) fn wait(&self, word: &AtomicU32, seen: u32, timeout: Option<Duration>) {
            let Ok(guard) = self.lock.lock() else { return };
            // Under the lock, so that a waker that changed the word is either seen here or
            // finds us waiting.
            if word.load(Relaxed) != seen {
                return;
            }
            match timeout {
                Some(timeout) => drop(self.changed.wait_timeout(guard, timeout)),
                None => drop(self.changed.wait(guard)),
            }
        }

        /// Wakes all who sleep on `word`, which has changed.
        pub(crate) fn wake_all(&self, _word: &AtomicU32) {
            drop(self.lock.lock());
            self.changed.notify_all();
        }
    }
}

pub(crate) use system::Parker;

/// Where those sleep who wait for one kind of event: threads on the word, tasks by their wakers.
#[derive(Debug, Default)]
pub(crate) struct Bed {
    pub(crate) parker: Parker,
    pub(crate) wakers: Wakers,
}

/// The wakers of the tasks of this process that wait, by the slot of their member.
#[derive(Debug, Default)]
pub(crate) struct Wakers(Mutex<Vec<(usize, Waker)>>);

impl Wakers {
    fn all(&self) -> MutexGuard<'_, Vec<(usize, Waker)>> {
        // No foreign code runs under the lock, and the vector is whole after each step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps `waker` for `slot`; gives the one that was kept before. Like all of these it wakes
    /// and drops no waker under the lock: who does may end up here again.
    pub(crate) fn register(&self, slot: usize, waker: Waker) -> Option<Waker> {
        let mut all = self.all();
        if let Some((_, kept)) = all.iter_mut().find(|(of, _)| *of == slot) {
            return Some(core::mem::replace(kept, waker));
        }
        all.push((slot, waker));
        None
    }

    /// Forgets the waker of `slot`, and gives it.
    pub(crate) fn deregister(&self, slot: usize) -> Option<Waker> {
        let mut all = self.all();
        let at = all.iter().position(|(of, _)| *of == slot)?;
        Some(all.swap_remove(at).1)
    }

    /// Forgets all wakers, and gives them.
    pub(crate) fn take_all(&self) -> Vec<(usize, Waker)> {
        core::mem::take(&mut *self.all())
    }
}

/// The costly half of a lopsided fence: makes the memory of every running thread of this
/// process orderly, so that the threads themselves need only keep the compiler from reordering.
#[cfg(all(target_os = "linux", not(miri), not(loom)))]
pub(crate) mod barrier {
    use std::sync::OnceLock;

    use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};

    /// Whether [`everywhere`] works here. Asks the kernel once.
    pub(crate) fn available() -> bool {
        static REGISTERED: OnceLock<bool> = OnceLock::new();
        *REGISTERED.get_or_init(|| {
            membarrier_query().contains_command(MembarrierCommand::PrivateExpedited)
                && membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
        })
    }

    /// A full fence on every running thread. `false`: the kernel refused.
    pub(crate) fn everywhere() -> bool {
        membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }
}

/// Where there is no such thing, every publisher pays for a fence of its own.
#[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
pub(crate) mod barrier {
    pub(crate) fn available() -> bool {
        false
    }

    pub(crate) fn everywhere() -> bool {
        false
    }
}
