//! How fast a log is read from start to end, each byte summed.

use std::time::{Duration, Instant};

use super::{Conditions, LEAD, Metrics};
use crate::log::{Done, Log, Replay};
use crate::machine::pin;
use crate::payload::Checker;
use crate::scratch::{Scratch, room, warm};

/// Payload that the caches hold, in bytes.
pub(crate) const CACHED: u64 = 16 << 20;

/// One thread reads what was written after the [`LEAD`], again and again; the first time doesn't count. It is what the caches hold, or
/// much more.
pub(crate) fn replay<R: Replay<N>, const N: usize>(large: bool, on: Conditions) -> Done<Metrics> {
    let room = if large { room(on.time) / 2 } else { CACHED };
    let scratch = Scratch::new()?;
    warm(scratch.path(), LEAD + room)?;
    pin(on.cores[0]);
    let mut log = R::Log::create(scratch.path(), LEAD + room)?;
    let stretch = ((512 << 10) / N) as u64;
    let whole = |bytes| bytes / N as u64 / stretch * stretch;
    let (lead, records) = (whole(LEAD), whole(LEAD + room));
    for first in (0..records).step_by(stretch as usize) {
        log.append(first, stretch)?;
    }
    log.flush()?;
    drop(log);
    let pass = || {
        let reader = R::open(scratch.path(), lead)?;
        let mut checker = Checker::<1>::after(lead);
        let start = Instant::now();
        reader.pass(|bytes| checker.take(bytes))?;
        let took = start.elapsed();
        match checker.finish()? {
            came if came == records => Ok(took),
            came => Err(format!("{came} records of {records} came")),
        }
    };
    pass()?;
    let (mut passes, mut took) = (0, Duration::ZERO);
    while passes == 0 || took < on.time {
        took += pass()?;
        passes += 1;
    }
    let read = (passes * (records - lead)) as f64;
    Ok(vec![
        ("mps", read / took.as_secs_f64() / 1e6),
        ("records", read),
    ])
}
