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

/// How much longer it takes until so many segments were opened that they have a 99.9th percentile: more than a thousand of ours in place
/// of 48 in 80 ms.
const LONGER: u32 = 25;

/// How long a record took its publisher.
#[derive(Clone, Copy)]
struct Published {
    /// From when it was due until the publisher went on, in nanoseconds.
    time: u32,
    /// Whether it has opened a segment.
    rolled: bool,
}

/// The times of all records.
pub(crate) fn publish<L: Log<N>, const N: usize>(on: Conditions) -> Done<Metrics> {
    let all = steadily::<L, N>(on, on.time)?;
    let times: Vec<u32> = all.iter().map(|one| one.time).collect();
    percentiles(&times, 1.0)
}

/// Those of the records that open a segment.
pub(crate) fn roll<L: Log<N>, const N: usize>(on: Conditions) -> Done<Metrics> {
    let times = around_rolls(&steadily::<L, N>(on, LONGER * on.time)?);
    if times.is_empty() {
        return Err("no segment was opened".to_owned());
    }
    percentiles(&times, 1.0)
}

/// For each record that has opened a segment the longest of its time and its neighbours': one may leave to the next what is to be
/// done.
fn around_rolls(all: &[Published]) -> Vec<u32> {
    let rolls = all.windows(3).filter(|three| three[1].rolled);
    rolls
        .filter_map(|three| three.iter().map(|one| one.time).max())
        .collect()
}

/// Publishes for so long. Each record is read back before the next one is due, or in the end.
fn steadily<L: Log<N>, const N: usize>(on: Conditions, time: Duration) -> Done<Vec<Published>> {
    let room = room(on.time) / 4;
    let scratch = Scratch::new()?;
    warm(scratch.path(), room)?;
    // Not pinned yet: what the log starts may run on the other core.
    let mut log = L::create(scratch.path(), room)?;
    pin(on.cores[0]);
    let count = (time.as_nanos() / EVERY.as_nanos()) as usize;
    let mut checker = Checker::<1>::new();
    // Written now, so that no page fault falls into the measurement.
    let unknown = Published {
        time: u32::MAX,
        rolled: true,
    };
    let mut all = vec![unknown; count];
    let mut due = Instant::now();
    for (seq, one) in all.iter_mut().enumerate() {
        due += EVERY;
        while Instant::now() < due {}
        log.append(seq as u64, 1)?;
        one.time = u32::try_from(due.elapsed().as_nanos()).unwrap_or(u32::MAX);
        one.rolled = log.has_rolled();
        log.aside(|bytes| checker.take(bytes))?;
    }
    log.flush()?;
    log.read_back(scratch.path(), |bytes| checker.take(bytes))?;
    let came = checker.finish()?;
    if came != count as u64 {
        return Err(format!("{came} records of {count} were kept"));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_segment_is_told_with_its_neighbours() {
        let of = |all: &[(u32, bool)]| {
            let one = |&(time, rolled)| Published { time, rolled };
            around_rolls(&all.iter().map(one).collect::<Vec<_>>())
        };
        let quiet = (1, false);
        assert!(of(&[quiet; 5]).is_empty());
        assert_eq!(of(&[quiet, (7, true), quiet, (9, false), quiet]), [7]);
        assert_eq!(of(&[quiet, (3, true), (8, false), quiet]), [8]);
        assert_eq!(of(&[(4, true), (2, true), (3, true), (1, true)]), [4, 3]);
    }
}
