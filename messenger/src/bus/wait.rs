//! Waiting and waking.
//!
//! A publisher must not miss a sleeper, nor a sleeper a record: one writes the stamp and looks
//! for sleepers, the other announces itself and looks at the stamp, and between the two steps of
//! each stands a full fence (edge 12). A fence on each publish costs as much as the claim, so
//! where the kernel can fence all threads at once the sleeper asks for that and the publisher
//! pays one load. That call takes microseconds while others run, so those who sleep at once
//! (`BlockNow`, async) enrol instead: while one is enrolled, publishers fence.
//!
//! A process may be stopped or killed at any instruction here, so nobody is counted. All that a sleeper leaves is a flag,
//! which is taken down by the next who has woken all. Who is enrolled stands in the slots: `enrol.rs`.

#[cfg(feature = "tokio")]
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::{Duration, Instant};

use super::order;
use super::park::Barrier;
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

/// The flags of `sleepers`. Somebody may sleep for a record. Set by who goes to sleep, cleared by who has woken all.
pub(super) const DATA: u64 = 1;
/// The same, for room.
pub(super) const ROOM: u64 = 1 << 1;
/// Publishers fence: some slot may say that its member is enrolled.
pub(super) const FENCED: u64 = 1 << 2;
/// Publishers fence, for ever: somebody has no lopsided fence.
pub(super) const ALWAYS: u64 = 1 << 3;
/// The other bits change with each announcement, so that one who has woken all sees whether another has come since.
pub(super) const TURN: u64 = 1 << 4;

/// How often `Block` looks before it sleeps; each look costs a pause of some 10 ns or more.
const SPINS: u32 = 1000;
/// How often it then lets other threads run.
const YIELDS: u32 = 4;
/// When the kernel, asked to fence all threads, refuses after having agreed: the longest sleep, and after how long
/// what was stored before is taken to be seen.
pub(super) const UNFENCED_SLEEP: Duration = Duration::from_millis(1);

impl Event {
    const fn flag(self) -> u64 {
        match self {
            Self::Data => DATA,
            Self::Room => ROOM,
        }
    }
}

impl<M: Memory> Ring<M> {
    /// Wakes who waits for the record just finished; one load while nobody sleeps.
    #[inline]
    pub(super) fn after_finish(&self) {
        // Edge 12, wake: the processor's part is played by the sleeper's call, or in `wake`.
        self.barrier.light();
        if self.memory.control().sleepers.load(Relaxed) & (TURN - 1) != 0 {
            // A finished record makes room too, on a bus without subscribers.
            self.wake(DATA | ROOM);
        }
    }

    /// Wakes who waits for room after something made some.
    #[inline]
    pub(crate) fn after_room(&self) {
        // Edge 12, as above.
        self.barrier.light();
        if self.memory.control().sleepers.load(Relaxed) & (ROOM | FENCED | ALWAYS) != 0 {
            self.wake(ROOM);
        }
    }

    /// Wakes who waits for room after a pin at `pinned` has gone: who looked for room and met it may have gone to sleep over it. But only who
    /// has raised the floor beyond it; whoever else sleeps is left alone, or those who look again and again would keep each other awake.
    #[inline]
    pub(crate) fn after_unpin(&self, pinned: u64) {
        // Edge 12, as above.
        self.barrier.light();
        let control = self.memory.control();
        if control.sleepers.load(Relaxed) & (ROOM | FENCED | ALWAYS) != 0 {
            // Who was announced before has raised the floor before that.
            order::wake_fence();
            if control.floor.load(order::floor_load()) > pinned {
                self.wake(ROOM);
            }
        }
    }

    #[cold]
    fn wake(&self, flags: u64) {
        let sleepers = &self.memory.control().sleepers;
        // Edge 12, wake: after this, either we see the sleeper or it sees what we wrote. And epoch: whoever we see has
        // read the epoch of before our bump.
        order::wake_fence();
        let seen = sleepers.load(order::announce_load());
        if seen & flags == 0 {
            return;
        }
        let mut wakers = Vec::new();
        for event in [Event::Room, Event::Data] {
            if seen & flags & event.flag() != 0 {
                wakers.append(&mut self.rouse(event));
            }
        }
        fault!("woken");
        // Only now, so that another wakes in our place if we are stopped before; and only if nobody was announced since, who
        // may sleep on the bumped epoch. The flag that stays for that costs one wake in vain.
        let _ = sleepers.compare_exchange(seen, seen & !flags, Relaxed, Relaxed);
        fault!("flags_lowered");
        // Last of all: a waker is foreign code.
        wake_each(wakers);
    }

    /// Sends all who sleep, for whatever, to look again, also at what the caller wrote before.
    pub(crate) fn rouse_all(&self) {
        // Edge 12, wake: a sleeper that reads the bumped epoch sees what was written before it.
        order::wake_fence();
        let mut wakers = self.rouse(Event::Room);
        wakers.append(&mut self.rouse(Event::Data));
        wake_each(wakers);
    }

    /// Sends the threads that sleep for `event` to look again; gives the wakers of the tasks. Comes after a fence.
    #[must_use]
    fn rouse(&self, event: Event) -> Vec<(usize, Waker)> {
        let epoch = self.epoch(event);
        // Relaxed: the fences of edge 12 order the bump and the sleeper's reading of it.
        epoch.fetch_add(1, Relaxed);
        fault!("epoch_bumped");
        let bed = self.memory.bed(event);
        bed.parker.wake_all(epoch);
        bed.wakers.take_all()
    }

    fn epoch(&self, event: Event) -> &AtomicU32 {
        self.memory.control().epoch(event)
    }

    /// Has `waker` woken at the next `event`, in place of the last one of `slot`, whose member may be enrolled; with the
    /// fence of edge 12, so look again after this.
    pub(crate) fn register(&self, event: Event, slot: usize, waker: &Waker, enrolled: bool) {
        let wakers = &self.memory.bed(event).wakers;
        let is_told = self.memory.listen(event);
        // Before the announcement, so that who sees that takes this one, too.
        let old = wakers.register(slot, waker.clone());
        let is_fenced = self.announce(event, enrolled);
        drop(old);
        let longest = match event {
            Event::Data => None,
            // Nobody wakes us when a subscriber is to be evicted.
            Event::Room => self.longest_sleep(),
        };
        let is_timed = longest.is_none_or(|longest| wakers.wake_all_after(longest));
        if !(is_told && is_fenced && is_timed) {
            // It may be told nothing of what others do: then it looks once more later.
            waker.wake_by_ref();
        }
    }

    /// Takes the waker of `slot` back, if it is still there. While the slot is the caller's, as the next owner's waker
    /// would go instead; and foreign code, so drop it when no harm is done by its panic.
    pub(crate) fn deregister(&self, event: Event, slot: usize) -> Option<Waker> {
        self.memory.bed(event).wakers.deregister(slot)
    }

    /// Announces one who waits for `event`, with the fence of edge 12. `false`: the fence failed, so sleep only briefly.
    pub(super) fn announce(&self, event: Event, enrolled: bool) -> bool {
        let sleepers = &self.memory.control().sleepers;
        let mut seen = sleepers.load(Relaxed);
        loop {
            let word = seen.wrapping_add(TURN) | event.flag();
            // Edge 12, epoch.
            match sleepers.compare_exchange_weak(seen, word, order::announce_store(), Relaxed) {
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        fault!("announced");
        // Edge 12, sleep: for the publishers that fence.
        order::sleep_fence();
        // And for those that don't.
        enrolled || self.barrier == Barrier::None || self.barrier.everywhere()
    }

    /// Sleeps until `attempt`, which has just given nothing, gives something, or the deadline passes.
    pub(crate) fn sleep<T>(
        &self,
        event: Event,
        enrolled: bool,
        deadline: Option<Instant>,
        attempt: &mut impl FnMut() -> Option<T>,
    ) -> Option<T> {
        let word = self.epoch(event);
        loop {
            let mut timeout = match deadline.map(|d| d.checked_duration_since(Instant::now())) {
                Some(None) => return None,
                Some(left) => left,
                None => None,
            };
            // Edge 12, epoch: before the announcement, so that who sees that bumps what is slept on.
            let epoch = word.load(Relaxed);
            let fenced = self.announce(event, enrolled);
            if let Some(found) = attempt() {
                return Some(found);
            }
            if !fenced {
                timeout = Some(timeout.map_or(UNFENCED_SLEEP, |t| t.min(UNFENCED_SLEEP)));
            }
            if event == Event::Room {
                // Nobody wakes us when a subscriber is to be evicted.
                let longest = self.longest_sleep();
                timeout = timeout.map_or(longest, |t| Some(longest.map_or(t, |l| t.min(l))));
            }
            self.memory.bed(event).parker.wait(word, epoch, timeout);
            // Before it is announced again: the flag stays, and costs who wakes a call to the kernel.
            if let Some(found) = attempt() {
                return Some(found);
            }
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
        if strategy == WaitStrategy::BlockNow {
            if let Some(found) = attempt() {
                return Some(found);
            }
        } else {
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

/// Wakes all. A waker is foreign code: its panic, which the panic's hook tells, is no affair of who wakes, of a handler that has sent something or
/// of a thread that unwinds already, nor of the others.
pub(crate) fn wake_each(wakers: Vec<(usize, Waker)>) {
    #[cfg(feature = "tokio")]
    let wakers = put_off(wakers);
    for (_, waker) in wakers {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            // What it panics with may panic in its turn when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(panic))).map_err(core::mem::forget);
        }
    }
}

#[cfg(feature = "tokio")]
thread_local! {
    /// What this thread wakes after some work: [`wake_after`].
    static LATER: RefCell<Option<Vec<(usize, Waker)>>> = const { RefCell::new(None) };
}

/// Does `work`, and only after it calls the wakers of tasks that it wakes: they may ask for a lock which `work` holds.
#[cfg(feature = "tokio")]
pub(crate) fn wake_after<T>(work: impl FnOnce() -> T) -> T {
    struct Wakes;

    impl Drop for Wakes {
        fn drop(&mut self) {
            wake_each(LATER.take().unwrap_or_default());
        }
    }

    // If it is a part of such work itself it leaves that to the whole. (A thread that ends may have lost its list, and calls at once.)
    let begins = LATER.try_with(|later| {
        let mut later = later.borrow_mut();
        let begins = later.is_none();
        later.get_or_insert_default();
        begins
    });
    let _wakes = (begins == Ok(true)).then_some(Wakes);
    work()
}

/// Gives back what is to be called at once.
#[cfg(feature = "tokio")]
fn put_off(mut wakers: Vec<(usize, Waker)>) -> Vec<(usize, Waker)> {
    let _ = LATER.try_with(|later| {
        if let Some(later) = &mut *later.borrow_mut() {
            later.append(&mut wakers);
        }
    });
    wakers
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::super::shared::{Core, create};
    use super::super::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    use super::*;

    const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

    fn bus() -> (Core, Bus) {
        let core = create(&BusConfig::bytes(4096)).unwrap();
        (core.clone(), Bus::of(core))
    }

    fn sleepers(core: &Core) -> u64 {
        core.memory.control().sleepers.load(Relaxed) & (DATA | ROOM)
    }

    #[test]
    fn who_finds_something_at_once_announces_nothing() {
        let (core, bus) = bus();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
        publisher.send(TAG, b"there").unwrap();
        assert_eq!(
            subscriber.wait_until(WaitStrategy::BlockNow, None, || false),
            Ok(true)
        );
        assert_eq!(sleepers(&core), 0);
    }

    #[test]
    fn one_who_waited_in_vain_costs_one_wake() {
        let (core, bus) = bus();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
        let timeout = Duration::from_millis(1);
        let nothing = subscriber.next_timeout(WaitStrategy::BlockNow, timeout);
        assert!(matches!(nothing, Ok(None)));
        assert_eq!(sleepers(&core), DATA);
        for _ in 0..10 {
            publisher.send(TAG, b"more").unwrap();
        }
        assert_eq!(sleepers(&core), 0);
        let wakes = core.memory.control().data_epoch.load(Relaxed);
        assert_eq!(wakes, 1);
    }
}
