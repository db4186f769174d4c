//! How fast records go into files for which nobody waits.

use std::time::{Duration, Instant};

use super::{Conditions, Metrics};
use crate::log::{Done, Log};
use crate::machine::pin;
use crate::payload::Checker;
use crate::scratch::{Scratch, room, warm};

/// Payload between two looks at the clock, in bytes.
const STRETCH: usize = 512 << 10;

/// One thread appends until the time is over or the room is full; what it wrote is read back.
pub(crate) fn append<L: Log<N>, const N: usize>(on: Conditions) -> Done<Metrics> {
    let room = room(on.time);
    let scratch = Scratch::new()?;
    warm(scratch.path(), room)?;
    // Not pinned yet: what the log starts may run on the other core.
    let mut log = L::create(scratch.path(), room)?;
    pin(on.cores[0]);
    let mut checker = Checker::<1>::new();
    let stretch = (STRETCH / N) as u64;
    let mut seq = 0;
    // What was prepared beforehand is used up before it counts.
    phase(
        &mut log,
        &mut seq,
        stretch,
        (on.time / 4, room / 4),
        &mut checker,
    )?;
    let first = seq;
    let mut took = phase(&mut log, &mut seq, stretch, (on.time, room), &mut checker)?;
    let start = Instant::now();
    log.flush()?;
    took += start.elapsed();
    log.read_back(scratch.path(), |bytes| checker.take(bytes))?;
    let came = checker.finish()?;
    if came != seq {
        return Err(format!("{came} records of {seq} were kept"));
    }
    let counted = (seq - first) as f64;
    Ok(vec![
        ("mps", counted / took.as_secs_f64() / 1e6),
        ("records", counted),
    ])
}

fn phase<L: Log<N>, const N: usize>(
    log: &mut L,
    seq: &mut u64,
    stretch: u64,
    (time, room): (Duration, u64),
    checker: &mut Checker<1>,
) -> Done<Duration> {
    let mut took = Duration::ZERO;
    while took < time && (*seq + stretch) * (N as u64) <= room {
        let start = Instant::now();
        log.append(*seq, stretch)?;
        took += start.elapsed();
        *seq += stretch;
        log.aside(|bytes| checker.take(bytes))?;
    }
    Ok(took)
}
