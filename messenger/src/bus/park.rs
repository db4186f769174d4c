//! Sleeping in the kernel on a word, and waking who sleeps there.
//!
//! On Linux the word is a futex. Elsewhere, under Miri and under loom, a mutex and a condition
//! variable of this process stand in for it.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use super::wait::wake_each;
use crate::sync::AtomicU32;

/// Whose threads share a bus's memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// Those of this process.
    Process,
    /// Those of some processes.
    #[cfg_attr(
        any(loom, not(any(test, feature = "journal"))),
        expect(dead_code, reason = "without a journal no bus is shared")
    )]
    Processes,
}

#[cfg(all(target_os = "linux", not(miri), not(loom)))]
mod system {
    use rustix::thread::futex;
    use rustix::thread::futex::Timespec;

    use super::{AtomicU32, Duration, Reach};

    /// Where the sleepers of one word wait.
    #[derive(Debug)]
    pub(crate) struct Parker {
        flags: futex::Flags,
    }

    impl Parker {
        pub(crate) fn new(reach: Reach) -> Self {
            let flags = match reach {
                // Found by its address, which is quicker.
                Reach::Process => futex::Flags::PRIVATE,
                // By what is mapped there.
                Reach::Processes => futex::Flags::empty(),
            };
            Self { flags }
        }

        /// Sleeps while `word` is `seen`, for `timeout` at the most. May return early.
        pub(crate) fn wait(&self, word: &AtomicU32, seen: u32, timeout: Option<Duration>) {
            let timeout = timeout.map(|t| Timespec {
                tv_sec: i64::try_from(t.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: t.subsec_nanos().into(),
            });
            // Each outcome (woken, changed, timed out, interrupted) sends the caller to look again.
            let _ = futex::wait(word, self.flags, seen, timeout.as_ref());
        }

        /// Wakes all who sleep on `word`, which has changed.
        pub(crate) fn wake_all(&self, word: &AtomicU32) {
            // It can only fail on a bad address or flag, and both are ours.
            let _ = futex::wake(word, self.flags, i32::MAX as u32);
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
mod system {
    use super::{AtomicU32, Duration, Reach};
    use crate::sync::{Condvar, Mutex, Ordering::Relaxed};

    /// How long one sleeps whom another process cannot wake.
    const UNWOKEN_SLEEP: Duration = Duration::from_millis(1);

    /// Where the sleepers of one word wait.
    #[derive(Debug)]
    pub(crate) struct Parker {
        lock: Mutex<()>,
        changed: Condvar,
        reach: Reach,
    }

    impl Parker {
        pub(crate) fn new(reach: Reach) -> Self {
            Self {
                lock: Mutex::new(()),
                changed: Condvar::new(),
                reach,
            }
        }

        /// Sleeps while `word` is `seen`, for `timeout` at the most. May return early.
        pub(crate) fn wait(&self, word: &AtomicU32, seen: u32, timeout: Option<Duration>) {
            let Ok(guard) = self.lock.lock() else { return };
            // Under the lock, so that a waker that changed the word is either seen here or
            // finds us waiting.
            if word.load(Relaxed) != seen {
                return;
            }
            let timeout = match self.reach {
                Reach::Process => timeout,
                Reach::Processes => Some(timeout.unwrap_or(UNWOKEN_SLEEP).min(UNWOKEN_SLEEP)),
            };
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
#[derive(Debug)]
pub(crate) struct Bed {
    pub(crate) parker: Parker,
    pub(crate) wakers: Arc<Wakers>,
}

impl Bed {
    pub(crate) fn new(reach: Reach) -> Self {
        Self {
            parker: Parker::new(reach),
            wakers: Arc::default(),
        }
    }
}

/// How long one sleeps for tasks at the most: others that want less may come meanwhile, and the bus may go.
const LONGEST_NAP: Duration = Duration::from_millis(100);

/// The wakers of the tasks of this process that wait, by the slot of their member.
#[derive(Debug, Default)]
pub(crate) struct Wakers {
    all: Mutex<Vec<(usize, Waker)>>,
    /// Whether a thread is about to wake all.
    timed: AtomicBool,
}

impl Wakers {
    fn all(&self) -> MutexGuard<'_, Vec<(usize, Waker)>> {
        // No foreign code runs under the lock, and the vector is whole after each step.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Has all woken after so long, or some time before, also those that are kept by then. `false`: the system gives no thread for it.
    pub(crate) fn wake_all_after(self: &Arc<Self>, time: Duration) -> bool {
        if cfg!(miri) {
            // It wants all threads to be joined.
            return false;
        }
        if self.timed.swap(true, Ordering::AcqRel) {
            return true;
        }
        let wakers = Arc::clone(self);
        let wake = move || {
            std::thread::sleep(time.min(LONGEST_NAP));
            // Before they are taken: who comes after this has another one.
            wakers.timed.swap(false, Ordering::AcqRel);
            wake_each(wakers.take_all());
        };
        let thread = std::thread::Builder::new().name("messenger-timer".into());
        let is_there = thread.spawn(wake).is_ok();
        if !is_there {
            self.timed.store(false, Ordering::Release);
        }
        is_there
    }

    /// Forgets all wakers, and gives them.
    pub(crate) fn take_all(&self) -> Vec<(usize, Waker)> {
        core::mem::take(&mut *self.all())
    }
}

/// A lopsided fence. Its costly half makes the memory of all running threads orderly, so that the other half, which
/// they pass at each step, need only keep the compiler from reordering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Barrier {
    /// There is no such thing: every publisher pays for a fence of its own.
    None,
    /// For the threads of this process.
    #[cfg_attr(
        any(miri, not(target_os = "linux")),
        expect(dead_code, reason = "only Linux has it")
    )]
    Process,
    /// For the threads of all processes that ask for this one.
    #[cfg_attr(
        any(loom, miri, not(target_os = "linux")),
        expect(dead_code, reason = "only Linux has it")
    )]
    Processes,
    /// For models: a lock stands in for the kernel's call. Between two light halves it orders more than there is, so
    /// only one thread may pass them.
    #[cfg(loom)]
    Model,
}

impl Barrier {
    /// The light half.
    #[inline(always)]
    pub(crate) fn light(self) {
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        #[cfg(loom)]
        if self == Self::Model {
            // As in the costly half: whoever of the two comes second sees what the other wrote before it.
            drop(MODEL.lock());
        }
    }
}

#[cfg(loom)]
loom::lazy_static! {
    static ref MODEL: loom::sync::Mutex<()> = loom::sync::Mutex::new(());
}

#[cfg(all(target_os = "linux", not(miri), not(loom)))]
mod kernel {
    use std::sync::OnceLock;

    use rustix::thread::MembarrierCommand::{
        GlobalExpedited, PrivateExpedited, RegisterGlobalExpedited, RegisterPrivateExpedited,
    };
    use rustix::thread::{MembarrierCommand, membarrier, membarrier_query};

    use super::{Barrier, Reach};

    impl Barrier {
        /// The one for memory that is shared so, or `None` if the kernel has none. Asks it once for each.
        pub(crate) fn over(reach: Reach) -> Self {
            static PROCESS: OnceLock<bool> = OnceLock::new();
            static PROCESSES: OnceLock<bool> = OnceLock::new();
            let registered = |call, register| {
                membarrier_query().contains_command(call) && membarrier(register).is_ok()
            };
            let (there, barrier) = match reach {
                Reach::Process => (
                    PROCESS.get_or_init(|| registered(PrivateExpedited, RegisterPrivateExpedited)),
                    Self::Process,
                ),
                Reach::Processes => (
                    PROCESSES.get_or_init(|| registered(GlobalExpedited, RegisterGlobalExpedited)),
                    Self::Processes,
                ),
            };
            if *there { barrier } else { Self::None }
        }

        /// The costly half: a full fence on every running thread. `false`: the kernel refused.
        pub(crate) fn everywhere(self) -> bool {
            let call: MembarrierCommand = match self {
                Self::None => return false,
                Self::Process => PrivateExpedited,
                Self::Processes => GlobalExpedited,
            };
            membarrier(call).is_ok()
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri), not(loom))))]
impl Barrier {
    #[cfg(not(loom))]
    pub(crate) fn over(_: Reach) -> Self {
        Self::None
    }

    pub(crate) fn everywhere(self) -> bool {
        #[cfg(loom)]
        if self == Self::Model {
            drop(MODEL.lock());
            return true;
        }
        false
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_has_changed_is_not_slept_on() {
        for reach in [Reach::Process, Reach::Processes] {
            let word = AtomicU32::new(1);
            Parker::new(reach).wait(&word, 0, None);
        }
    }

    #[test]
    fn a_barrier_that_is_there_fences() {
        for reach in [Reach::Process, Reach::Processes] {
            let barrier = Barrier::over(reach);
            assert_eq!(barrier.everywhere(), barrier != Barrier::None, "{reach:?}");
        }
    }

    /// Two mappings of one file stand for two processes: the same word at two addresses.
    #[cfg(all(target_os = "linux", not(miri)))]
    #[test]
    fn a_parker_between_processes_wakes_by_another_mapping() {
        use crate::sync::Ordering::Relaxed;
        use memmap2::MmapRaw;
        use std::time::Instant;

        let path = std::env::temp_dir().join(format!("messenger-park-{}", std::process::id()));
        let file = std::fs::File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)
            .unwrap();
        std::fs::remove_file(&path).unwrap();
        file.set_len(4096).unwrap();
        let (here, there) = (
            MmapRaw::map_raw(&file).unwrap(),
            MmapRaw::map_raw(&file).unwrap(),
        );
        // SAFETY: both mappings are aligned to pages, as long as this at least, and outlive the references; the word is
        // only used as an atomic.
        let word = |map: &MmapRaw| unsafe { &*map.as_ptr().cast::<AtomicU32>() };
        let start = Instant::now();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let parker = Parker::new(Reach::Processes);
                parker.wait(word(&here), 0, Some(Duration::from_secs(120)));
            });
            std::thread::sleep(Duration::from_millis(50));
            // Woken on what it sleeps on, not by the value.
            word(&there).store(1, Relaxed);
            Parker::new(Reach::Processes).wake_all(word(&there));
        });
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "it slept on until its time was over"
        );
    }
}
