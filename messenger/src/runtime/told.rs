//! What a handler under test is told in place of the time and of chance.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime};

/// A clock that stands still, and numbers that are known before.
#[derive(Debug)]
pub(crate) struct Told {
    /// What timers go by.
    pub(crate) instant: Instant,
    pub(crate) time: SystemTime,
    pub(crate) random: VecDeque<u64>,
    pub(crate) again: bool,
}

impl Told {
    pub(crate) fn new() -> Self {
        Self {
            instant: Instant::now(),
            time: SystemTime::UNIX_EPOCH,
            random: VecDeque::new(),
            again: false,
        }
    }
}
