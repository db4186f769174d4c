//! Waiting by one who is no member, and whom nobody wakes.

use std::time::{Duration, Instant};

use super::WaitStrategy;

/// How often `Block` looks before it sleeps.
const SPINS: u32 = 1000;
/// How long the first sleep is, and how long one is at the most: they grow as nothing comes.
const SHORTEST: Duration = Duration::from_micros(50);
const LONGEST: Duration = Duration::from_millis(2);

/// What one wait does between its looks.
pub(crate) struct Naps {
    strategy: WaitStrategy,
    turn: u32,
    nap: Duration,
}

impl Naps {
    pub(crate) fn new(strategy: WaitStrategy) -> Self {
        Self {
            strategy,
            turn: 0,
            nap: SHORTEST,
        }
    }

    /// Lets some time go by, but not more than there is until `deadline`.
    pub(crate) fn take(&mut self, deadline: Option<Instant>) {
        self.turn = self.turn.saturating_add(1);
        match self.strategy {
            WaitStrategy::Spin => std::hint::spin_loop(),
            WaitStrategy::Yield => std::thread::yield_now(),
            WaitStrategy::Block if self.turn < SPINS => std::hint::spin_loop(),
            WaitStrategy::Block | WaitStrategy::BlockNow => {
                let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
                std::thread::sleep(left.map_or(self.nap, |left| left.min(self.nap)));
                self.nap = (self.nap * 2).min(LONGEST);
            }
        }
    }
}
