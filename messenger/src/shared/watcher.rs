//! The thread that learns from the kernel who has come, gone or died, and settles what the dead have left.
//!
//! It sleeps until the file of the bus is closed by somebody who could write it, which the kernel also does for the dead, or is touched, as those do
//! who come and go, or a process that it can see has ended.

use core::mem::MaybeUninit;
use std::collections::HashMap;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::desk::{Desk, Rest, Stand, has_died};
use super::layout::Place;
use super::lock::{self, Holder};
use super::process::{Cause, Change, Process};
use crate::sync::Ordering::Acquire;

/// When something is to be settled that can't be yet.
const SOON: Duration = Duration::from_millis(1);
/// Where somebody can be watched by one means only. (A child that it forked keeps the file open; then its death closes nothing.)
const NOW_AND_THEN: Duration = Duration::from_millis(100);
/// Where nobody can be watched.
const OFTEN: Duration = Duration::from_millis(5);
/// From the closing of a dead process's files until its parent can be told how it ended.
const ENDING: Duration = Duration::from_millis(10);

/// The thread, which ends when this goes.
pub(super) struct Watcher {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Without one, if the system gives no thread or descriptor, others settle, and so does whoever takes a seat.
    pub(super) fn start(desk: &Arc<Desk>) -> Option<Self> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).ok()?;
        let stopped = stop.try_clone().ok()?;
        let mut watch = Watch::new(desk);
        // Whoever is here when this returns has been seen.
        watch.look();
        let thread = std::thread::Builder::new()
            .name("messenger-watch".into())
            .spawn(move || watch.run(&stopped))
            .ok()?;
        Some(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // It can only fail if the count is at its end, and then the thread is woken too.
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Somebody who was here at the last look.
struct Known {
    state: u64,
    process: Process,
    /// By which the kernel tells of its end, and its parent how it ended.
    pidfd: Option<OwnedFd>,
    /// Whether that has been told.
    ended: bool,
}

struct Watch {
    desk: Arc<Desk>,
    inotify: Option<OwnedFd>,
    known: HashMap<Place, Known>,
}

impl Watch {
    fn new(desk: &Arc<Desk>) -> Self {
        Self {
            inotify: watch_file(desk),
            desk: Arc::clone(desk),
            known: HashMap::new(),
        }
    }

    fn run(mut self, stop: &OwnedFd) {
        loop {
            let rest = self.look();
            if self.sleep(stop, rest) {
                return;
            }
        }
    }

    /// Settles, and tells what has changed.
    fn look(&mut self) -> Rest {
        let rest = self.desk.settle_all();
        let desk = Arc::clone(&self.desk);
        for place in desk.places() {
            let state = desk.entry(place).state().load(Acquire);
            if self.known.get(&place).is_some_and(|k| k.state == state) {
                continue;
            }
            // Somebody who is being settled is not gone yet.
            if Stand::of(state) == Stand::Dead {
                continue;
            }
            if let Some(known) = self.known.remove(&place) {
                let change = if has_died(known.state, state) {
                    let cause = known.pidfd.as_ref().and_then(cause);
                    Change::Died { cause }
                } else {
                    Change::Left
                };
                desk.tell(known.process, change);
            }
            if Stand::of(state) == Stand::Here {
                self.meet(place);
            }
        }
        rest
    }

    fn meet(&mut self, place: Place) {
        let Some((state, process)) = self.desk.process_in(place) else {
            return;
        };
        let pidfd = (place != self.desk.place)
            .then(|| self.pidfd(place, process.pid))
            .flatten();
        let ended = false;
        let known = Known {
            state,
            process: process.clone(),
            pidfd,
            ended,
        };
        self.known.insert(place, known);
        self.desk.tell(process, Change::Joined);
    }

    /// A descriptor of the process that holds `place`, if it can be seen from here.
    fn pidfd(&self, place: Place, pid: u32) -> Option<OwnedFd> {
        let number = i32::try_from(pid).ok()?;
        let pidfd = pidfd_open(Pid::from_raw(number)?, PidfdFlags::empty()).ok()?;
        // If it still holds the place, the descriptor is its own, and not that of another with the same number.
        let holder = lock::holder(&self.desk.file, place).ok()?;
        (holder == Holder::Process(number)).then_some(pidfd)
    }

    /// Sleeps until there is something to look at. `true`: the thread is to end.
    fn sleep(&mut self, stop: &OwnedFd, rest: Rest) -> bool {
        let mut wait = match rest {
            Rest::Soon => Some(SOON),
            // (Rounded up, or the last look would come a little too early.)
            Rest::Within(left) => Some(left + SOON),
            Rest::Nothing => None,
        };
        let mut within =
            |limit: Duration| wait = Some(wait.map_or(limit, |w: Duration| w.min(limit)));
        if self.inotify.is_none() {
            within(OFTEN);
        }
        let blind =
            |(&place, known): (&Place, &Known)| place != self.desk.place && known.pidfd.is_none();
        // One that has ended by its descriptor, and still has the file: it will be gone in a moment.
        if self.known.values().any(|known| known.ended) {
            within(SOON);
        } else if self.known.iter().any(blind) {
            within(NOW_AND_THEN);
        }
        let timeout = wait.map(timespec);
        let mut places = Vec::with_capacity(self.known.len());
        let mut fds = Vec::with_capacity(self.known.len() + 2);
        fds.push(PollFd::new(stop, PollFlags::IN));
        if let Some(inotify) = &self.inotify {
            fds.push(PollFd::new(inotify, PollFlags::IN));
        }
        let others = fds.len();
        for (&place, known) in &self.known {
            if let Some(pidfd) = known.pidfd.as_ref().filter(|_| !known.ended) {
                places.push(place);
                fds.push(PollFd::new(pidfd, PollFlags::IN));
            }
        }
        if poll(&mut fds, timeout.as_ref()).is_err() {
            return false;
        }
        let stopped = !fds[0].revents().is_empty();
        let ended: Vec<Place> = (places.into_iter().zip(&fds[others..]))
            .filter(|(_, fd)| !fd.revents().is_empty())
            .map(|(place, _)| place)
            .collect();
        drop(fds);
        for place in ended {
            if let Some(known) = self.known.get_mut(&place) {
                known.ended = true;
            }
        }
        if let Some(inotify) = &self.inotify {
            drain(inotify);
        }
        stopped
    }
}

/// Has the kernel tell when the file is closed or touched.
fn watch_file(desk: &Desk) -> Option<OwnedFd> {
    let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
    // Not by its path, which may be another's by now.
    let itself = format!("/proc/self/fd/{}", desk.file.as_raw_fd());
    let what = WatchFlags::CLOSE_WRITE | WatchFlags::ATTRIB;
    inotify::add_watch(&inotify, itself, what).ok()?;
    Some(inotify)
}

/// Takes all that the kernel has told.
fn drain(inotify: &OwnedFd) {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut reader = inotify::Reader::new(inotify, &mut buffer);
    while let Ok(event) = reader.next() {
        debug_assert!(event.events() != ReadFlags::empty());
    }
}

/// How a child of this process ended; its parent can still wait for it.
fn cause(pidfd: &OwnedFd) -> Option<Cause> {
    let look = || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::PidFd(pidfd.as_fd()), options)
    };
    // Another's child is an error. One's own closes its files a moment before it has ended.
    let status = match look().ok()? {
        Some(status) => status,
        None => {
            let mut ended = [PollFd::new(pidfd, PollFlags::IN)];
            poll(&mut ended, Some(&timespec(ENDING))).ok()?;
            look().ok()??
        }
    };
    match (status.terminating_signal(), status.exit_status()) {
        (Some(signal), _) => Some(Cause::Signal(signal)),
        (None, Some(code)) => Some(Cause::Exit(code)),
        (None, None) => None,
    }
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
