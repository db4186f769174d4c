//! How long a record takes from one thread to another: ping-pong over two of the contenders.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::{Conditions, Job, Metrics, SHORT_RING};
use crate::contender::{Contender, Idle, Reader, Writer};
use crate::log::Done;
use crate::machine::pin;
use crate::payload::{Checker, stop_at};
use crate::sample::fail;

/// At most so many round trips in a sample.
const MOST: usize = 4 << 20;

/// One-way time is half of a round trip.
pub(crate) struct PingPong;

impl Job for PingPong {
    fn run<C: Contender<N>, const N: usize>(self, on: Conditions) -> Result<Metrics, String> {
        let (mut ping_write, mut ping_read) = C::open(SHORT_RING, 1, 1);
        let (mut pong_write, mut pong_read) = C::open(SHORT_RING, 1, 1);
        let start = Barrier::new(2);
        let trips = thread::scope(|scope| {
            let answers = scope.spawn(|| {
                pin(on.cores[1]);
                start.wait();
                // Who calls would wait for ever.
                answer(&mut ping_read[0], &mut pong_write[0]).unwrap_or_else(|error| fail(&error));
            });
            let calls = scope.spawn(|| {
                pin(on.cores[0]);
                let started = || {
                    start.wait();
                    Ok(())
                };
                call(&mut ping_write[0], &mut pong_read[0], on.time, started)
            });
            let gone = |_| "a thread of the sample panicked".to_owned();
            answers.join().map_err(gone)?;
            calls.join().map_err(gone)?
        })?;
        percentiles(&trips, 0.5)
    }
}

/// Sends one record after the other, each when the last one is back, from when `started` returns; gives the times of the round trips
/// in nanoseconds.
pub(super) fn call<const N: usize>(
    writer: &mut impl Writer<N>,
    reader: &mut impl Reader<N>,
    time: Duration,
    started: impl FnOnce() -> Done,
) -> Done<Vec<u32>> {
    let mut checker = Checker::<1>::new();
    // Written now, so that no page fault falls into the measurement.
    let mut trips = vec![u32::MAX; MOST];
    started()?;
    let mut count = 0;
    let mut now = Instant::now();
    let end = now + time;
    while now < end && count < MOST {
        writer.write(count as u64, 1, &mut Idle::Spin);
        turn(reader, &mut checker);
        let next = Instant::now();
        trips[count] = u32::try_from((next - now).as_nanos()).unwrap_or(u32::MAX);
        now = next;
        count += 1;
    }
    trips.truncate(count);
    writer.write(stop_at(count as u64), 1, &mut Idle::Spin);
    turn(reader, &mut checker);
    checker.finish().map(|_| trips)
}

/// Sends back one record for each that comes, up to the last one.
pub(super) fn answer<const N: usize>(
    reader: &mut impl Reader<N>,
    writer: &mut impl Writer<N>,
) -> Done {
    let mut checker = Checker::<1>::new();
    let mut seq = 0;
    loop {
        turn(reader, &mut checker);
        if checker.is_done() {
            break;
        }
        writer.write(seq, 1, &mut Idle::Spin);
        seq += 1;
    }
    // Not before: who had a bad record lets the other wait, and fails for both.
    checker.finish()?;
    writer.write(stop_at(seq), 1, &mut Idle::Spin);
    Ok(())
}

/// Waits for one record.
#[inline(always)]
fn turn<const N: usize>(reader: &mut impl Reader<N>, checker: &mut Checker<1>) {
    while reader.read(|bytes| checker.take(bytes)) == 0 {}
}

/// What is told of times in nanoseconds, `scale` times each, the first tenth dropped.
pub(super) fn percentiles(all: &[u32], scale: f64) -> Result<Metrics, String> {
    let mut times = Histogram::<u64>::new_with_bounds(1, u64::from(u32::MAX), 3)
        .map_err(|error| error.to_string())?;
    for &time in &all[all.len() / 10..] {
        times.saturating_record(u64::from(time));
    }
    let at = |quantile| times.value_at_quantile(quantile) as f64 * scale;
    Ok(vec![
        ("p50", at(0.5)),
        ("p99", at(0.99)),
        ("p999", at(0.999)),
        ("max", times.max() as f64 * scale),
        ("trips", times.len() as f64),
    ])
}
