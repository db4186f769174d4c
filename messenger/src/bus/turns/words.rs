//! The words of a pool in the memory of a test, or of a model.

use super::{Cell, Pool, SeatWords, word_of};
use crate::sync::AtomicU64;

/// Those of a pool with so many seats, whose own number is the next one.
pub(crate) struct Words<const SEATS: usize> {
    last: AtomicU64,
    start: AtomicU64,
    seats: [[AtomicU64; 7]; SEATS],
}

impl<const SEATS: usize> Words<SEATS> {
    /// Nobody has had a turn; the first one begins at `start`.
    pub(crate) fn new(start: u64) -> Self {
        let seat = |_| core::array::from_fn(|_| AtomicU64::new(0));
        Self {
            last: AtomicU64::new(word_of(0, SEATS)),
            start: AtomicU64::new(start),
            seats: core::array::from_fn(seat),
        }
    }
}

impl<const SEATS: usize> Pool for Words<SEATS> {
    fn own(&self) -> usize {
        SEATS
    }

    fn last(&self) -> &AtomicU64 {
        &self.last
    }

    fn start(&self) -> &AtomicU64 {
        &self.start
    }

    fn seat(&self, index: usize) -> Option<SeatWords<'_>> {
        let [won, turn, from, to, turn2, from2, to2] = self.seats.get(index)?;
        let second = Cell {
            turn: turn2,
            from: from2,
            to: to2,
        };
        let cells = [Cell { turn, from, to }, second];
        Some(SeatWords { won, cells })
    }
}
