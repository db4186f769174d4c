//! For how long nothing went through for one who goes on.

use std::time::Duration;

use crate::kit::now;

/// Shorter ones are the system's own: it runs more threads here than it has processors.
const SHORTEST: u64 = 300_000;

/// The times of one thread in which it got nothing done.
pub(crate) struct Watch {
    last: u64,
    /// From when to when, in nanoseconds since 1970.
    pub(crate) stalls: Vec<(u64, u64)>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            last: now(),
            stalls: Vec::new(),
        }
    }

    /// It got something done.
    pub(crate) fn done(&mut self) {
        let now = now();
        if now.saturating_sub(self.last) >= SHORTEST {
            self.stalls.push((self.last, now));
        }
        self.last = now;
    }

    /// For how long it has got nothing done.
    pub(crate) fn since(&self) -> Duration {
        Duration::from_nanos(now().saturating_sub(self.last))
    }
}

/// The stalls of all, by their beginnings.
pub(crate) struct Stalls {
    all: Vec<(u64, u64)>,
    longest: u64,
}

impl Stalls {
    pub(crate) fn of(all: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        let longest = all.iter().map(|(from, to)| to - from).max().unwrap_or(0);
        Self { all, longest }
    }

    /// For each of the moments, the longest that something then may have caused.
    pub(crate) fn around(&self, moments: &[u64]) -> Vec<u64> {
        // A kill is learnt of a little later than it was, and takes some time to be told.
        const BEFORE: u64 = 1_000_000;
        const AFTER: u64 = 5_000_000;
        let of = |&moment: &u64| {
            let reaches = |from: u64| from + self.longest + BEFORE < moment;
            let first = self.all.partition_point(|&(from, _)| reaches(from));
            let near = self.all[first..]
                .iter()
                .take_while(|&&(from, _)| from < moment + AFTER)
                .filter(|&&(_, to)| to + BEFORE > moment);
            near.map(|(from, to)| to - from).max().unwrap_or(SHORTEST)
        };
        moments.iter().map(of).collect()
    }
}

/// The median, the 99th percentile and the greatest, in microseconds.
pub(crate) fn summary(times: impl Iterator<Item = u64>) -> String {
    let mut times: Vec<u64> = times.collect();
    if times.is_empty() {
        return "none".to_owned();
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() - 1) * share / 100] / 1000;
    format!("p50 {} us, p99 {} us, max {} us", at(50), at(99), at(100))
}
