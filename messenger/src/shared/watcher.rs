//! The thread that learns from the kernel who has come, gone or died, and settles what the dead have left.
//!
//! It sleeps until a process that it can see has ended (a `pidfd` tells), or somebody who has come, left or settled tells it to look. Besides it looks
//! now and then: seldom if all can be seen and heard, often if not all.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};

use super::desk::{Desk, Rest, Stand, has_died, read_process, turn_of};
use super::layout::Place;
use super::lock::{self, Holder};
use super::process::{Cause, Change, Process};
use crate::sync::Ordering::Relaxed;

/// When something is to be settled that can't be yet.
const SOON: Duration = Duration::from_millis(1);
/// Where all can be seen and heard: somebody might still come whom this one can't hear, as from another network namespace.
const SELDOM: Duration = Duration::from_millis(200);
/// Where somebody can't be seen or heard: a process in another namespace.
const OFTEN: Duration = Duration::from_millis(5);
/// From the closing of a dead process's files until its parent can be told how it ended: what it had open is let go
/// meanwhile, for which the kernel may wait.
const ENDING: Duration = Duration::from_secs(1);

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

/// A child of this process that has died, and not ended yet.
struct Ending {
    process: Process,
    pidfd: OwnedFd,
    /// Until then its end is waited for.
    until: Instant,
}

struct Watch {
    desk: Arc<Desk>,
    known: HashMap<Place, Known>,
    /// The states of places at the last look.
    seen: HashMap<Place, u64>,
    ending: Vec<Ending>,
}

impl Watch {
    fn new(desk: &Arc<Desk>) -> Self {
        Self {
            desk: Arc::clone(desk),
            known: HashMap::new(),
            seen: HashMap::new(),
            ending: Vec::new(),
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
            let state = desk.entry(place).state();
            if self.known.get(&place).is_some_and(|k| k.state == state) {
                continue;
            }
            // Somebody who is being settled is not gone yet.
            if Stand::of(state) == Stand::Dead {
                continue;
            }
            let before = self.seen.insert(place, state).unwrap_or(0);
            if let Some(known) = self.known.remove(&place) {
                if has_died(known.state, state) {
                    self.tell_death(known);
                } else {
                    desk.tell(known.process, Change::Left);
                }
            }
            if Stand::of(state) == Stand::Here {
                self.meet(place);
            } else if turn_of(state) != turn_of(before) {
                self.miss(place, state);
            }
        }
        self.tell_ends();
        rest
    }

    fn tell_death(&mut self, Known { process, pidfd, .. }: Known) {
        let cause = match pidfd {
            None => None,
            Some(pidfd) => match end_of(&pidfd) {
                End::Known(cause) => cause,
                End::ToCome => {
                    let until = Instant::now() + ENDING;
                    self.ending.push(Ending {
                        process,
                        pidfd,
                        until,
                    });
                    return;
                }
            },
        };
        self.desk.tell(process, Change::Died { cause });
    }

    /// Tells of those of whom it is known by now how they have ended, or who take too long.
    fn tell_ends(&mut self) {
        let desk = &self.desk;
        self.ending.retain(|ending| {
            let cause = match end_of(&ending.pidfd) {
                End::Known(cause) => cause,
                End::ToCome if Instant::now() < ending.until => return true,
                End::ToCome => None,
            };
            desk.tell(ending.process.clone(), Change::Died { cause });
            false
        });
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

    /// Tells of somebody who has come and gone since the last look, if nobody has come after him.
    fn miss(&self, place: Place, state: u64) {
        let process = read_process(&self.desk.entry(place), place, 0);
        if self.desk.entry(place).is_still(state) {
            let change = match Stand::of(state) {
                Stand::Settled => Change::Died { cause: None },
                _ => Change::Left,
            };
            self.desk.tell(process.clone(), Change::Joined);
            self.desk.tell(process, change);
        }
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
        let desk = &self.desk;
        let blind =
            |(&place, known): (&Place, &Known)| place != desk.place && known.pidfd.is_none();
        let deaf = desk.ear.fd().is_none() || desk.words.deaf().load(Relaxed) != 0;
        let usual = if deaf || self.known.iter().any(blind) {
            OFTEN
        } else {
            SELDOM
        };
        let wait = match rest {
            Rest::Soon => SOON,
            // One that has ended, and still has its place: others are settling for it.
            _ if self.known.values().any(|known| known.ended) => SOON,
            // (Rounded up, or the last look would come a little too early.)
            Rest::Within(left) => usual.min(left + SOON),
            Rest::Nothing => usual,
        };
        let mut places = Vec::with_capacity(self.known.len());
        let mut fds = Vec::with_capacity(self.known.len() + 2);
        fds.push(PollFd::new(stop, PollFlags::IN));
        let ear = desk.ear.fd();
        if let Some(ear) = &ear {
            fds.push(PollFd::new(ear, PollFlags::IN));
        }
        for ending in &self.ending {
            fds.push(PollFd::new(&ending.pidfd, PollFlags::IN));
        }
        let others = fds.len();
        for (&place, known) in &self.known {
            if let Some(pidfd) = known.pidfd.as_ref().filter(|_| !known.ended) {
                places.push(place);
                fds.push(PollFd::new(pidfd, PollFlags::IN));
            }
        }
        if poll(&mut fds, Some(&timespec(wait))).is_err() {
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
        self.desk.ear.drain();
        stopped
    }
}

/// How a process has ended.
enum End {
    /// `None`: the kernel tells only its parent.
    Known(Option<Cause>),
    /// It is a child of this one, and closes its files a moment before it has ended.
    ToCome,
}

/// How a process has ended that has died, as its parent can still wait for it.
fn end_of(pidfd: &OwnedFd) -> End {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let status = match waitid(WaitId::PidFd(pidfd.as_fd()), options) {
        Ok(Some(status)) => status,
        Ok(None) => return End::ToCome,
        // Another's child.
        Err(_) => return End::Known(None),
    };
    End::Known(match (status.terminating_signal(), status.exit_status()) {
        (Some(signal), _) => Some(Cause::Signal(signal)),
        (None, Some(code)) => Some(Cause::Exit(code)),
        (None, None) => None,
    })
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    }
}
