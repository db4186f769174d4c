//! The timers of a worker's handlers.

use core::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// A timer that a handler has set by [`Outbox::timer`](super::Outbox::timer).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Timer(u64);

/// Marks the numbers of timers that were set where nothing on the bus was the cause.
pub(crate) const OUTSIDE: u64 = 1 << 63;

impl Timer {
    #[cfg(feature = "journal")]
    pub(crate) fn number(self) -> u64 {
        self.0
    }

    #[cfg(feature = "journal")]
    pub(crate) fn numbered(number: u64) -> Self {
        Self(number)
    }
}

/// All timers of a worker, the next one first.
#[derive(Default, Debug)]
pub(crate) struct Timers {
    /// When it is due, whether its cause is on the bus, its number, and whose it is. Of those due at one time one that was set meanwhile is
    /// the last.
    heap: BinaryHeap<Reverse<(Instant, bool, u64, u16)>>,
    made: u64,
    /// How many of them where nothing on the bus was the cause.
    outside: u64,
}

impl Timers {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    /// Sets a timer for the handler at `index`. One without a time, too far away for the clock, never fires. The numbers of those whose cause is
    /// on the bus do not depend on how many others there are, so that they are the same when all is done again.
    pub(crate) fn set(&mut self, index: u16, due: Option<Instant>, outside: bool) -> Timer {
        let number = if outside {
            self.outside += 1;
            self.outside | OUTSIDE
        } else {
            self.made += 1;
            self.made
        };
        if let Some(due) = due {
            self.heap.push(Reverse((due, !outside, number, index)));
        }
        Timer(number)
    }

    /// Takes a timer of the handler at `index` back. `false`: it has fired, or is another handler's.
    pub(crate) fn cancel(&mut self, index: u16, timer: Timer) -> bool {
        let before = self.heap.len();
        self.heap
            .retain(|Reverse((.., number, owner))| (*number, *owner) != (timer.0, index));
        self.heap.len() < before
    }

    /// Takes all timers of the handler at `index` back.
    pub(crate) fn cancel_all(&mut self, index: u16) {
        self.heap.retain(|Reverse((.., owner))| *owner != index);
    }

    /// When the next one is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((due, ..))| *due)
    }

    /// Takes the next one that is due at `now`, and whose it is. One set meanwhile, numbered after `last`,
    /// waits for the next turn, or a timer of no time at all would keep the worker here. (None is set outside meanwhile.)
    pub(crate) fn due(&mut self, now: Instant, last: u64) -> Option<(u16, Timer)> {
        let &Reverse((due, inside, number, index)) = self.heap.peek()?;
        if due > now || inside && number > last {
            return None;
        }
        self.heap.pop();
        Some((index, Timer(number)))
    }

    /// The number of the timer made last.
    pub(crate) fn last(&self) -> u64 {
        self.made
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn fires_in_order_of_time_and_only_what_is_due() {
        let mut timers = Timers::default();
        let begun = Instant::now();
        let now = begun + Duration::from_secs(1);
        let late = timers.set(1, Some(now + Duration::from_secs(3600)), false);
        let never = timers.set(1, None, false);
        let soon = timers.set(2, Some(now), false);
        let sooner = timers.set(3, Some(begun), false);
        let outside = timers.set(3, Some(now), true);
        let last = timers.last();
        let newer = timers.set(4, Some(now), false);
        assert_eq!(timers.due(now, last), Some((3, sooner)));
        assert_eq!(timers.due(now, last), Some((3, outside)));
        assert_eq!(timers.due(now, last), Some((2, soon)));
        assert_eq!(timers.due(now, last), None);
        assert!(timers.cancel(4, newer) && !timers.cancel(4, newer));
        assert!(!timers.cancel(2, late) && !timers.cancel(1, never));
        assert!(timers.next().is_some_and(|next| next > now));
        timers.cancel_all(1);
        assert!(timers.is_empty());
    }
}
