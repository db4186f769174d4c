//! How fast a log is read from start to end, each byte summed.

use std::time::Instant;

use super::{Conditions, Metrics};
use crate::log::{Done, Log, Replay};
use crate::machine::pin;
use crate::payload::Checker;
use crate::scratch::{Scratch, room, warm};

/// Payload that the caches hold, in bytes.
pub(crate) const CACHED: u64 = 16 << 20;

/// One thread reads what was written, again and again; the first time doesn't count. It is what the
/// caches hold, or much more.
pub(crate) fn replay<R: Replay<N>, const N: usize>(large: bool, on: Conditions) -> Done<Metrics> {
    let room = if large { room(on.time) / 2 } else { CACHED };
    let scratch = Scratch::new()?;
    warm(scratch.path(), room)?;
    pin(on.cores[0]);
    let mut log = R::Log::create(scratch.path(), room)?;
    let stretch = ((512 << 10) / N) as u64;
    let records = room / N as u64 / stretch * stretch;
    for first in (0..records).step_by(stretch as usize) {
        log.append(first, stretch)?;
    }
    log.flush()?;
    drop(log);
    let mut reader = R::open(scratch.path())?;
    let mut pass = || {
        let mut checker = Checker::<1>::new();
        reader.pass(|bytes| checker.take(bytes))?;
        match checker.finish()? {
            came if came == records => Ok(()),
            came => Err(format!("{came} records of {records} came")),
        }
    };
    pass()?;
    let start = Instant::now();
    let mut passes = 0;
    while passes == 0 || start.elapsed() < on.time {
        pass()?;
        passes += 1;
    }
    let read = (passes * records) as f64;
    Ok(vec![
        ("mps", read / start.elapsed().as_secs_f64() / 1e6),
        ("records", read),
    ])
}
