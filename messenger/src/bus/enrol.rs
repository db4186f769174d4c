//! Enrolment: for whom publishers fence, so that it need not call the kernel each time it goes to sleep (see `wait.rs`).
//!
//! That a member is enrolled stands in its slot, which is cleared when it leaves, or is found dead; the publishers' flag is
//! up while some slot says so.

use super::order;
use super::park::Barrier;
use super::ring::{Memory, Ring};
use super::wait::{ALWAYS, FENCED, UNFENCED_SLEEP};
use crate::sync::Ordering::Relaxed;

impl<M: Memory> Ring<M> {
    /// Where this process has no lopsided fence, publishers fence from now on, here and in every process.
    pub(super) fn init_sleepers(&self) {
        if self.barrier != Barrier::None {
            return;
        }
        let control = self.memory.control();
        control.sleepers.fetch_or(ALWAYS, Relaxed);
        fault!("always_fenced");
        if control.slots_used.load(Relaxed) != 0 {
            // Members of other processes may still publish without having seen it.
            std::thread::sleep(UNFENCED_SLEEP);
        }
    }

    /// Makes publishers fence for the member in `slot`, until it [leaves](Self::leave). `false`: the kernel refused,
    /// and nothing has changed.
    pub(crate) fn enrol(&self, slot: usize) -> bool {
        if self.barrier == Barrier::None {
            // They do already.
            return true;
        }
        self.memory.slots()[slot].enrolled.store(1, Relaxed);
        fault!("enrolled");
        // Edge 12, enrol: who clears the flag after this sees the slot.
        order::enrol_fence();
        self.memory.control().sleepers.fetch_or(FENCED, Relaxed);
        fault!("fenced");
        // Whoever publishes after this sees the flag.
        let seen = self.barrier.everywhere();
        if !seen && self.withdraw(slot) {
            self.settle_fenced();
        }
        seen
    }

    /// Takes an enrolment out of the slot, which is the caller's, or a dead member's. `true`: there was one, and
    /// [`settle_fenced`](Self::settle_fenced) has to follow, which may run foreign code.
    pub(super) fn withdraw(&self, slot: usize) -> bool {
        let enrolled = &self.memory.slots()[slot].enrolled;
        let was = enrolled.load(Relaxed) != 0;
        if was {
            enrolled.store(0, Relaxed);
            fault!("withdrawn");
        }
        was
    }

    /// Lets publishers go without fences if nobody is enrolled any more. Comes after a [`withdraw`](Self::withdraw).
    ///
    /// Clearing the flag and looking at the slots is not one step. A member that enrols between the two is seen (edge 12,
    /// enrol), and the flag set again; but a record may have been published meanwhile without a fence, and that member
    /// have gone to sleep without seeing it. By the call to the kernel that record is seen, and all are sent to look.
    pub(super) fn settle_fenced(&self) {
        loop {
            // Edge 12, enrol: of two who withdraw at once, one sees both; and who has set the flag for one who withdraws
            // sees that, or that one sees the flag.
            order::withdraw_fence();
            if self.anybody_enrolled() {
                // The usual case, told apart so that nobody is roused.
                return;
            }
            let sleepers = &self.memory.control().sleepers;
            sleepers.fetch_and(!FENCED, Relaxed);
            fault!("unfenced");
            // Edge 12, enrol: whom the look below misses sets the flag after this.
            order::settle_fence();
            if !self.anybody_enrolled() {
                return;
            }
            self.fence_again();
        }
    }

    fn fence_again(&self) {
        self.memory.control().sleepers.fetch_or(FENCED, Relaxed);
        fault!("fenced_again");
        if self.barrier != Barrier::None && !self.barrier.everywhere() {
            std::thread::sleep(UNFENCED_SLEEP);
        }
        self.rouse_all();
    }

    /// After a process has died, and its slots were cleared ([`withdraw`](Self::withdraw), too): makes good what it may
    /// have left half done. It may have finished a record or made room and woken nobody, or cleared `FENCED` and not set it
    /// again. Can be done again if it is cut short.
    #[cfg(any(
        all(test, loom),
        all(not(loom), feature = "shared", target_os = "linux")
    ))]
    pub(crate) fn mend_sleepers(&self) {
        self.fence_again();
        self.settle_fenced();
    }

    fn anybody_enrolled(&self) -> bool {
        let used = self.memory.control().slots_used.load(Relaxed) as usize;
        let mut slots = self.memory.slots().iter().take(used);
        slots.any(|slot| slot.enrolled.load(Relaxed) != 0)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::super::shared::create;
    use super::super::{Bus, BusConfig, Start, WaitStrategy};
    use super::*;

    #[test]
    fn publishers_fence_until_the_last_enrolled_has_left() {
        let core = create(&BusConfig::bytes(4096)).unwrap();
        let bus = Bus::of(core.clone());
        let fences = || core.memory.control().sleepers.load(Relaxed) & (FENCED | ALWAYS) != 0;
        let always = fences();
        let enrolled = || {
            let mut subscriber = bus.subscribe(Start::Newest).unwrap();
            let nothing = subscriber.next_timeout(WaitStrategy::BlockNow, Duration::ZERO);
            assert!(matches!(nothing, Ok(None)));
            subscriber
        };
        let (one, other) = (enrolled(), enrolled());
        assert!(fences());
        drop(one);
        assert!(fences());
        drop(other);
        assert_eq!(fences(), always);
        drop(bus.subscribe(Start::Newest).unwrap());
        assert_eq!(fences(), always);
    }
}
