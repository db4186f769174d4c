//! The tasks of this process that wait on a bus that others publish on, too: a process wakes the threads of all, but only its own tasks.
//! So a thread sleeps for the tasks. There is one only where a task waits.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::park::Wakers;
use super::ring::Memory;
use super::shared::View;
use super::wait::{Event, wake_each};

/// The thread for those that wait for one kind of event, once it is needed; it ends when this goes.
#[derive(Default)]
pub(super) struct Bell(Mutex<Option<Ringer>>);

struct Ringer {
    /// A view of its own: that of the members holds the bell.
    view: View,
    event: Event,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Bell {
    /// Has `wakers` woken by whoever wakes for `event`, always the same; what comes after this call is not missed. `false`: the system
    /// gives no thread.
    pub(super) fn listen(
        &self,
        event: Event,
        wakers: &Arc<Wakers>,
        view: impl FnOnce() -> View,
    ) -> bool {
        let mut ringer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ringer.is_none() {
            *ringer = Ringer::start(view(), event, Arc::clone(wakers));
        }
        ringer.is_some()
    }
}

impl Ringer {
    fn start(view: View, event: Event, wakers: Arc<Wakers>) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let (sleeping, stopped) = (view.clone(), Arc::clone(&stop));
        // Read before any task is announced: a bump after this is seen.
        let mut seen = view.control().epoch(event).load(Relaxed);
        let ring = move || {
            let epoch = sleeping.control().epoch(event);
            while !stopped.load(Relaxed) {
                sleeping.bed(event).parker.wait(epoch, seen, None);
                // Who finds the last bump finds that it is to end: nobody bumps again.
                let now = epoch.load(Acquire);
                if now != seen {
                    seen = now;
                    wake_each(wakers.take_all());
                }
            }
        };
        let thread = std::thread::Builder::new().name("messenger-bell".into());
        let thread = thread.spawn(ring).ok()?;
        Some(Self {
            view,
            event,
            stop,
            thread,
        })
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        let ringer = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let Some(ringer) = ringer.take() else {
            return;
        };
        let Ringer {
            view,
            event,
            stop,
            thread,
        } = ringer;
        stop.store(true, Relaxed);
        // Others look again for nothing.
        let epoch = view.control().epoch(event);
        epoch.fetch_add(1, Release);
        fault!("bell_rung");
        view.bed(event).parker.wake_all(epoch);
        // A waker may have dropped the last member.
        if thread.thread().id() != std::thread::current().id() {
            let _ = thread.join();
        }
    }
}
