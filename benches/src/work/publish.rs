//! How long the publisher is kept by a record: at a steady rate, so that a stall shows in all
//! records that were due meanwhile.

use std::time::{Duration, Instant};

use super::latency::percentiles;
use super::{Conditions, Metrics};
use crate::log::{Done, Log};
use crate::machine::pin;
use crate::payload::Checker;
use crate::scratch::{Scratch, room, warm};

/// From one record to the next.
const EVERY: Duration = Duration::from_micros(2);

/// From when a record is due until its publisher goes on, in nanoseconds; it is read back before the
/// next one is due, or in the end.
pub(crate) fn publish<L: Log<N>, const N: usize>(on: Conditions) -> Done<Metrics> {
    let room = room(on.time) / 4;
    let scratch = Scratch::new()?;
    warm(scratch.path(), room)?;
    // Not pinned yet: what the log starts may run on the other core.
    let mut log = L::create(scratch.path(), room)?;
    pin(on.cores[0]);
    let count = (on.time.as_nanos() / EVERY.as_nanos()) as usize;
    let mut checker = Checker::<1>::new();
    // Written now, so that no page fault falls into the measurement.
    let mut times = vec![u32::MAX; count];
    let mut due = Instant::now();
    for (seq, time) in times.iter_mut().enumerate() {
        due += EVERY;
        while Instant::now() < due {}
        log.append(seq as u64, 1)?;
        *time = u32::try_from(due.elapsed().as_nanos()).unwrap_or(u32::MAX);
        log.aside(|bytes| checker.take(bytes))?;
    }
    log.flush()?;
    log.read_back(scratch.path(), |bytes| checker.take(bytes))?;
    let came = checker.finish()?;
    if came != count as u64 {
        return Err(format!("{came} records of {count} were kept"));
    }
    percentiles(&times, 1.0)
}
