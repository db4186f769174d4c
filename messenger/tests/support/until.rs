//! Waiting for what no call waits for.

use std::time::{Duration, Instant};

/// Waits until `there` says so; says how long that took.
#[track_caller]
pub(crate) fn until(what: &str, mut there: impl FnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed().as_secs() < 300, "waited in vain: {what}");
        std::thread::sleep(Duration::from_micros(50));
    }
    begun.elapsed()
}
