//! Waiting and waking.
//!
//! A publisher must not miss a sleeper, nor a sleeper a record: one writes the stamp and looks
//! for sleepers, the other announces itself and looks at the stamp, and between the two steps of
//! each stands a full fence (edge 12). A fence on each publish costs as much as the claim, so
//! where the kernel can fence all threads at once the sleeper asks for that and the publisher
//! pays one load. That call takes microseconds while others run, so those who sleep at once
//! (`BlockNow`, async) enrol instead: while one is enrolled, publishers fence.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::order;
use super::park::barrier;
use super::ring::{Memory, Ring};
use crate::sync::{AtomicU32, Ordering::Relaxed};

/// How a reader waits for records, or a publisher for room.
///
/// ```
/// use messenger::bus::{Bus, BusConfig, Start, WaitStrategy};
/// use std::time::Duration;
///
/// let bus = Bus::new(BusConfig::bytes(4096))?;
/// let mut subscriber = bus.subscribe(Start::Oldest)?;
/// let nothing = subscriber.next_timeout(WaitStrategy::Block, Duration::from_millis(1))?;
/// assert!(nothing.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub enum WaitStrategy {
    /// Looks again at once, for ever: the shortest delay, at the price of a whole core.
    Spin,
    /// Lets other threads run between two looks.
    Yield,
    /// Looks for some microseconds, then sleeps in the kernel until woken. The default.
    #[default]
    Block,
    /// Sleeps in the kernel at once. While somebody is attached who has waited so, each publish
    /// on the bus costs a fence more.
    BlockNow,
}

/// What a sleeper waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    /// A finished record.
    Data,
    /// A subscriber's advance, or anything else that makes room.
    Room,
}

/// `sleepers` holds three counts of 20 bits: who sleeps for data, who for room, and who enrolled.
/// A member counts twice at the most, and there are fewer than 2^16 of them.
const DATA: u64 = 1;
const ROOM: u64 = 1 << 20;
const ENROLLED: u64 = 1 << 40;
const COUNT: u64 = (1 << 20) - 1;

/// How often `Block` looks before it sleeps; each look costs a pause of some 10 ns or more.
const SPINS: u32 = 1000;
/// How often it then lets other threads run.
const YIELDS: u32 = 4;
/// The longest sleep when the kernel, asked to fence all threads, refuses after having agreed.
const UNFENCED_SLEEP: Duration = Duration::from_millis(1);

impl Event {
    const fn unit(self) -> u64 {
        match self {
            Self::Data => DATA,
            Self::Room => ROOM,
        }
    }
}

impl<M: Memory> Ring<M> {
    /// Where no lopsided fence is to be had, publishers fence from the start.
    pub(super) fn init_sleepers(&self) {
        if !self.asymmetric {
            self.memory.control().sleepers.store(ENROLLED, Relaxed);
        }
    }

    /// Wakes who waits for the record just finished; one load while nobody sleeps.
    #[inline]
    pub(super) fn after_finish(&self) {
        // Edge 12, wake: the processor's part is played by the sleeper's call, or in `wake`.
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        if self.memory.control().sleepers.load(Relaxed) != 0 {
            self.wake(true);
        }
    }

    /// Wakes who waits for room after something made some.
    #[inline]
    pub(crate) fn after_room(&self) {
        // Edge 12, as above.
        core::sync::atomic::compiler_fence(core::sync::atomic::Ordering::SeqCst);
        if self.memory.control().sleepers.load(Relaxed) & !COUNT != 0 {
            self.wake(false);
        }
    }

    #[cold]
    fn wake(&self, data: bool) {
        // Edge 12, wake: after this, either we see the sleeper or it sees what we wrote.
        order::wake_fence();
        let sleepers = self.memory.control().sleepers.load(Relaxed);
        // A finished record makes room too, on a bus without subscribers. Threads first: a waker
        // is foreign code, and may panic.
        if sleepers & (COUNT * ROOM) != 0 {
            self.rouse(Event::Room);
        }
        if data && sleepers & (COUNT * DATA) != 0 {
            self.rouse(Event::Data);
        }
    }

    /// Sends all who sleep, for whatever, to look again, also at what the caller wrote before.
    pub(crate) fn rouse_all(&self) {
        // Edge 12, wake: a sleeper that reads the bumped epoch sees what was written before it.
        order::wake_fence();
        self.rouse(Event::Room);
        self.rouse(Event::Data);
    }

    /// Sends all who sleep for `event` to look again. Comes after a fence.
    fn rouse(&self, event: Event) {
        let epoch = self.epoch(event);
        // Relaxed: the fences of edge 12 order the bump and the sleeper's reading of it.
        epoch.fetch_add(1, Relaxed);
        let bed = self.memory.bed(event);
        bed.parker.wake_all(epoch);
        let wakers = bed.wakers.take_all();
        let count = wakers.len() as u64 * event.unit();
        self.memory.control().sleepers.fetch_sub(count, Relaxed);
        wake_each(wakers);
    }

    fn epoch(&self, event: Event) -> &AtomicU32 {
        let control = self.memory.control();
        match event {
            Event::Data => &control.data_epoch,
            Event::Room => &control.room_epoch,
        }
    }

    /// Has `waker` woken at the next record, in place of the last one of `slot`; with the fence
    /// of edge 12, so look again after this.
    pub(crate) fn register(&self, slot: usize, waker: &Waker) {
        let waker = waker.clone();
        let sleepers = &self.memory.control().sleepers;
        // Counted before it can be woken, and so uncounted, or the count would lack one for a
        // while, and a publisher pass over a thread that sleeps.
        sleepers.fetch_add(Event::Data.unit(), Relaxed);
        let old = self.memory.bed(Event::Data).wakers.register(slot, waker);
        if old.is_some() {
            sleepers.fetch_sub(Event::Data.unit(), Relaxed);
        }
        // Edge 12, sleep: an async reader is enrolled, so publishers fence too.
        order::sleep_fence();
    }

    /// Takes the waker of `slot` back, if it is still there.
    pub(crate) fn deregister(&self, slot: usize) {
        let old = self.memory.bed(Event::Data).wakers.deregister(slot);
        if old.is_some() {
            self.memory
                .control()
                .sleepers
                .fetch_sub(Event::Data.unit(), Relaxed);
        }
    }

    /// Makes publishers fence until [`withdraw`](Self::withdraw). `false`: the kernel refused,
    /// and nothing has changed.
    pub(crate) fn enrol(&self) -> bool {
        self.memory.control().sleepers.fetch_add(ENROLLED, Relaxed);
        // Whoever publishes after this sees the enrolment.
        let seen = !self.asymmetric || barrier::everywhere();
        if !seen {
            self.withdraw();
        }
        seen
    }

    /// Takes an enrolment back.
    pub(crate) fn withdraw(&self) {
        self.memory.control().sleepers.fetch_sub(ENROLLED, Relaxed);
    }

    /// Announces one who waits for `event`, until the guard goes, with the fence of edge 12.
    pub(crate) fn announce(&self, event: Event, enrolled: bool) -> Announced<'_, M> {
        self.memory
            .control()
            .sleepers
            .fetch_add(event.unit(), Relaxed);
        // Edge 12, sleep.
        let fenced = if enrolled || !self.asymmetric {
            order::sleep_fence();
            true
        } else {
            barrier::everywhere()
        };
        Announced {
            ring: self,
            event,
            fenced,
        }
    }

    /// Sleeps until `attempt` gives something, or the deadline passes.
    pub(crate) fn sleep<T>(
        &self,
        event: Event,
        enrolled: bool,
        deadline: Option<Instant>,
        attempt: &mut impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let word = self.epoch(event);
        loop {
            // Read before the announcement: a bump after this sends us to look again.
            let epoch = word.load(Relaxed);
            let announced = self.announce(event, enrolled);
            if let Some(found) = attempt() {
                return Some(found);
            }
            let mut timeout = match deadline.map(|d| d.checked_duration_since(Instant::now())) {
                Some(None) => return None,
                Some(left) => left,
                None => None,
            };
            if !announced.fenced {
                timeout = Some(timeout.map_or(UNFENCED_SLEEP, |t| t.min(UNFENCED_SLEEP)));
            }
            self.memory.bed(event).parker.wait(word, epoch, timeout);
        }
    }

    /// Waits in the manner of `strategy` until `attempt` gives something.
    pub(crate) fn wait<T>(
        &self,
        event: Event,
        strategy: WaitStrategy,
        enrolled: bool,
        deadline: Option<Instant>,
        attempt: &mut impl FnMut() -> Option<T>,
    ) -> Option<T> {
        if strategy != WaitStrategy::BlockNow {
            let mut turn = 0_u32;
            loop {
                if let Some(found) = attempt() {
                    return Some(found);
                }
                // A look at the clock costs more than a look at the bus.
                turn = turn.wrapping_add(1);
                let clock = strategy == WaitStrategy::Yield || turn % 64 == 0;
                if clock && deadline.is_some_and(|d| Instant::now() >= d) {
                    return None;
                }
                match strategy {
                    WaitStrategy::Spin if cfg!(not(any(miri, loom))) => {}
                    WaitStrategy::Yield => std::thread::yield_now(),
                    WaitStrategy::Block if turn > SPINS + YIELDS => break,
                    WaitStrategy::Block if turn > SPINS => std::thread::yield_now(),
                    _ => crate::sync::spin_loop(),
                }
            }
        }
        self.sleep(event, enrolled, deadline, attempt)
    }
}

/// Wakes all, also those after one that panics; passes the first panic on at the end.
fn wake_each(wakers: Vec<(usize, Waker)>) {
    let mut panicked = None;
    for (_, waker) in wakers {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            panicked.get_or_insert(panic);
        }
    }
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
}

/// One who is announced as a sleeper.
pub(crate) struct Announced<'a, M: Memory> {
    ring: &'a Ring<M>,
    event: Event,
    /// Whether edge 12 holds: if not, sleep only briefly.
    fenced: bool,
}

impl<M: Memory> Drop for Announced<'_, M> {
    fn drop(&mut self) {
        self.ring
            .memory
            .control()
            .sleepers
            .fetch_sub(self.event.unit(), Relaxed);
    }
}
