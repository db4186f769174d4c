//! What the machine itself can do: no contender can be faster.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use std::thread;
use std::time::Instant;

use super::{Conditions, Metrics};
use crate::machine::pin;
use crate::payload::{Checker, fill};
use crate::probe::hop;

/// The floors, and what their sizes are in bytes (0: they have none).
pub(crate) const FLOORS: &[(&str, usize)] = &[
    ("cache-line hop", 0),
    ("compare-and-swap", 0),
    ("SeqCst fence", 0),
    ("clock read", 0),
    ("system call", 0),
    ("park and unpark", 0),
    ("payload", 16),
    ("payload", 64),
    ("payload", 256),
    ("payload", 1024),
    ("payload", 65536),
    ("memcpy", 64),
    ("memcpy", 1024),
    ("memcpy", 65536),
    ("memcpy", 1 << 20),
    ("memcpy", 64 << 20),
];

/// Measures the floor `name`, in nanoseconds.
///
/// # Errors
///
/// If there is no such floor.
pub(crate) fn floor(name: &str, size: usize, on: Conditions) -> Result<Metrics, String> {
    if name == "park and unpark" {
        return Ok(park(on));
    }
    pin(on.cores[0]);
    let ns = match name {
        "cache-line hop" => hop(on.cores),
        "compare-and-swap" => {
            let word = AtomicU64::new(0);
            let mut last = 0;
            repeat(on, 4096, || {
                let swapped = black_box(&word).compare_exchange(
                    last,
                    last + 1,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                last = swapped.map_or_else(|now| now, |was| was + 1);
            })
        }
        "SeqCst fence" => {
            let word = AtomicU64::new(0);
            repeat(on, 4096, || {
                // Fences with nothing between them become one.
                black_box(&word).store(1, Ordering::Relaxed);
                fence(Ordering::SeqCst);
            })
        }
        "clock read" => repeat(on, 1024, || {
            black_box(Instant::now());
        }),
        "system call" => repeat(on, 1024, || {
            black_box(std::process::id());
        }),
        "payload" => match size {
            16 => payload::<16>(on)?,
            64 => payload::<64>(on)?,
            256 => payload::<256>(on)?,
            1024 => payload::<1024>(on)?,
            _ => payload::<65536>(on)?,
        },
        "memcpy" => {
            let from = vec![1_u8; size];
            let mut to = vec![2_u8; size];
            repeat(on, ((1 << 16) / size as u64).max(1), || {
                black_box(&mut to).copy_from_slice(black_box(&from));
            })
        }
        _ => return Err(format!("there is no floor {name:?}")),
    };
    Ok(vec![("ns", ns)])
}

/// Nanoseconds for one `step`, of which `stretch` go between two looks at the clock.
fn repeat(on: Conditions, stretch: u64, mut step: impl FnMut()) -> f64 {
    step();
    let start = Instant::now();
    let end = start + on.time;
    let mut done = 0;
    while Instant::now() < end {
        for _ in 0..stretch {
            step();
        }
        done += stretch;
    }
    start.elapsed().as_nanos() as f64 / done as f64
}

/// What writing, summing and checking a payload costs without any bus.
fn payload<const N: usize>(on: Conditions) -> Result<f64, String> {
    let mut checker = Checker::<1>::new();
    let mut bytes = Box::new([0_u8; N]);
    let mut seq = 0;
    let ns = repeat(on, if N > 4096 { 16 } else { 1024 }, || {
        fill(black_box(&mut *bytes), seq);
        checker.take(black_box(&*bytes));
        seq += 1;
    });
    checker.finish()?;
    Ok(ns)
}

/// One way between two threads that sleep by `park` and wake each other by `unpark`.
fn park(on: Conditions) -> Metrics {
    let turn = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let (turn, stop) = (&turn, &stop);
    let waits = |until: u64| {
        while turn.load(Ordering::Acquire) < until {
            thread::park();
        }
    };
    let ns = thread::scope(|scope| {
        let caller = thread::current();
        let other = scope.spawn(move || {
            pin(on.cores[1]);
            let mut next = 1;
            loop {
                waits(next);
                if stop.load(Ordering::Acquire) {
                    break;
                }
                turn.store(next + 1, Ordering::Release);
                caller.unpark();
                next += 2;
            }
        });
        pin(on.cores[0]);
        let mut next = 1;
        let ns = repeat(on, 16, || {
            turn.store(next, Ordering::Release);
            other.thread().unpark();
            waits(next + 1);
            next += 2;
        });
        stop.store(true, Ordering::Release);
        turn.store(next, Ordering::Release);
        other.thread().unpark();
        ns
    });
    vec![("ns", ns / 2.0)]
}
