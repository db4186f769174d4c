//! How near the two cores are to each other, asked before and after each sample.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::machine::pin;

/// A hop of a cache line that takes longer, in nanoseconds, means that the cores are far apart.
pub(crate) const NEAR_HOP_NS: f64 = 100.0;

/// On a cache line of its own.
#[repr(align(128))]
struct Line(AtomicU64);

/// How long a cache line takes from one core to the other, in nanoseconds.
pub(crate) fn hop(cores: [usize; 2]) -> f64 {
    const ROUNDS: u64 = 1000;
    let line = Line(AtomicU64::new(0));
    let best = thread::scope(|scope| {
        scope.spawn(|| {
            pin(cores[1]);
            for turn in 0..3 * ROUNDS {
                while line.0.load(Ordering::Acquire) != 2 * turn + 1 {}
                line.0.store(2 * turn + 2, Ordering::Release);
            }
        });
        let other = scope.spawn(|| {
            pin(cores[0]);
            let mut turn = 0;
            let mut best = Duration::MAX;
            for _ in 0..3 {
                let start = Instant::now();
                for _ in 0..ROUNDS {
                    line.0.store(2 * turn + 1, Ordering::Release);
                    turn += 1;
                    while line.0.load(Ordering::Acquire) != 2 * turn {}
                }
                best = best.min(start.elapsed());
            }
            best
        });
        other.join()
    });
    best.map_or(f64::INFINITY, |best| {
        best.as_nanos() as f64 / (2 * ROUNDS) as f64
    })
}

/// Waits at most `patience` for a moment at which the cores are near; returns the last hop.
pub(crate) fn await_near(cores: [usize; 2], patience: Duration) -> f64 {
    let start = Instant::now();
    loop {
        let now = hop(cores);
        if now < NEAR_HOP_NS || start.elapsed() >= patience {
            return now;
        }
        thread::sleep(Duration::from_millis(10));
    }
}
