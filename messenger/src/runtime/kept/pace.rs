//! The speed of a replay.

use std::time::{Duration, Instant};

/// The longest sleep at a time, after which is looked whether there is still something to wait for.
const NAP: Duration = Duration::from_millis(20);

/// Lets recorded time pass at a multiple of its speed.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    factor: f64,
    /// What is before this position passes at once.
    from: u64,
    /// The recorded time where the pace began, in nanoseconds, and when that was.
    begun: Option<(u64, Instant)>,
}

impl Pace {
    pub(crate) fn new(factor: f64, from: u64) -> Self {
        Self {
            factor,
            from,
            begun: None,
        }
    }

    /// Waits until it is `time`, which the journal says at `position`, or `enough`.
    pub(crate) fn wait_for(&mut self, position: u64, time: u64, enough: &dyn Fn() -> bool) {
        if position < self.from {
            return;
        }
        let now = Instant::now();
        let (first, begun) = *self.begun.get_or_insert((time, now));
        let passed = Duration::from_nanos(time.saturating_sub(first)).as_secs_f64() / self.factor;
        // A span that is out of all range is waited for as long as anybody is interested.
        let span = Duration::try_from_secs_f64(passed).unwrap_or(Duration::MAX);
        while !enough() {
            let left = span.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return;
            }
            std::thread::sleep(left.min(NAP));
        }
    }
}
