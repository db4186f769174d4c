//! How long a writer that is killed in the midst of a record holds up the others.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Conditions, Metrics, SHORT_RING};
use crate::catalogue::Cell;
use crate::contender::{Idle, Reader, Writer};
use crate::link::{Link, Place};
use crate::log::Done;
use crate::machine::pin;
use crate::ours::{Between, Mode, Singly};
use crate::payload::{Checker, stop_at};
use crate::sample::fail;
use crate::scratch::Scratch;
use crate::second::{Second, now, say};

/// How many die in a sample: a hundred in 80 ms, which takes longer than that.
fn deaths(time: Duration) -> usize {
    (time.as_millis() as usize * 100 / 80).max(1)
}

/// How much longer at the most. Where so much else runs that it's not enough, fewer die.
const LONGER: u32 = 20;

fn place<const N: usize>(at: &Path) -> Place {
    Place::new(at, "death", SHORT_RING, SHORT_RING / N)
}

/// The first process reads what each second one publishes, publishes behind what that leaves half written, and kills it.
pub(crate) fn survive<M: Mode<N, R: Send>, const N: usize>(
    cell: &Cell<'_>,
    on: Conditions,
) -> Done<Metrics> {
    let scratch = Scratch::new()?;
    let (mut writer, mut reader) = Between::<M>::ends::<N>(&place::<N>(scratch.path()))?;
    let mut stalls = Vec::new();
    let end = Instant::now() + LONGER * on.time;
    while stalls.is_empty() || stalls.len() < deaths(on.time) && Instant::now() < end {
        let mut second = Second::start(cell, on.cores[1], scratch.path())?;
        let [killed, read] = thread::scope(|scope| {
            let reads = scope.spawn(|| {
                pin(on.cores[0]);
                read_all::<N>(&mut reader)
            });
            // Who reads waits for this one for ever if it fails.
            let killed = kill(&mut second, |written| {
                writer.write(stop_at(written), 1, &mut Idle::Rest);
            })
            .unwrap_or_else(|error| fail(&error));
            let gone = |_| "the thread that reads panicked".to_owned();
            Ok::<_, String>([killed, reads.join().map_err(gone)??])
        })?;
        second.end()?;
        let stall = read.checked_sub(killed);
        stalls.push(stall.ok_or("what stands behind a claim came before that was settled")?);
    }
    Ok(summary(stalls))
}

/// Reads until a record says that it is the last, and says when that was.
fn read_all<const N: usize>(reader: &mut impl Reader<N>) -> Done<u64> {
    let mut checker = Checker::<1>::new();
    while !checker.is_done() {
        reader.read(|bytes| checker.take(bytes));
    }
    let read = now();
    checker.finish().map(|_| read)
}

/// Waits until the second process has left a record half written, lets one be written behind it, and kills; says when.
fn kill(second: &mut Second, write_behind: impl FnOnce(u64)) -> Done<u64> {
    let [written] = second.numbers()?;
    write_behind(written);
    // Whoever reads stands before the hole by then, and sleeps or looks on, as it does.
    thread::sleep(Duration::from_nanos(now() % 500_000));
    second.kill()
}

/// Percentiles in microseconds. None is left out: it's the longest that counts.
fn summary(mut stalls: Vec<u64>) -> Metrics {
    stalls.sort_unstable();
    let at = |percent: usize| {
        let rank = (stalls.len() * percent).div_ceil(100);
        stalls[rank - 1] as f64 / 1e3
    };
    vec![
        ("p50", at(50)),
        ("p99", at(99)),
        ("max", at(100)),
        ("deaths", stalls.len() as f64),
    ]
}

/// A second process publishes as fast as it can, some records more or less, and is killed in the midst of one.
pub(crate) fn die<const N: usize>(_: &Cell<'_>, at: &Path) -> Done {
    let place = place::<N>(at);
    let mut writer = <Between<Singly> as Link<N>>::far_writer(&place)?;
    // Up to four times around the ring.
    let count = 1 + now() % (4 * place.ahead as u64);
    Writer::<N>::write(&mut writer, 0, count, &mut Idle::Rest);
    let _claim = writer.half::<N>(count)?;
    say(&[count])?;
    loop {
        thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_of_few_is_their_99th_percentile_and_of_a_hundred_the_last_but_one() {
        let of = |count: u64| summary((1..=count).rev().map(|n| n * 1000).collect());
        let few = [("p50", 1.0), ("p99", 2.0), ("max", 2.0), ("deaths", 2.0)];
        assert_eq!(of(2), few);
        let many = [
            ("p50", 50.0),
            ("p99", 99.0),
            ("max", 100.0),
            ("deaths", 100.0),
        ];
        assert_eq!(of(100), many);
    }
}
