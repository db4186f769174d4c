//! How fast records become safe from a loss of power.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{Conditions, LEAD, Metrics};
use crate::log::{Done, Synced};
use crate::machine::pin;
use crate::payload::{Checker, first_of};
use crate::scratch::{Scratch, room, warm};

/// At most so many publishers.
const MOST: usize = 16;

/// How many records share a sync in the [`LEAD`].
const TOGETHER: u64 = 1000;

/// How much longer it takes until a flush that takes long is one of many.
const LONGER: u32 = 4;

/// So many publishers append `batch` records at a time and wait till they are safe; the [`LEAD`] doesn't count.
pub(crate) fn synced<L: Synced<N>, const N: usize>(
    publishers: usize,
    batch: u64,
    on: Conditions,
) -> Done<Metrics> {
    assert!(publishers <= MOST, "{publishers} publishers planned");
    let scratch = Scratch::new()?;
    let room = LEAD + room(on.time) / 2;
    warm(scratch.path(), room)?;
    let mut all = L::create(scratch.path(), room, publishers)?;
    let mut next: Vec<u64> = (0..publishers).map(first_of).collect();
    while next[0] * (N as u64) < LEAD {
        all[0].append(next[0], TOGETHER)?;
        next[0] += TOGETHER;
    }
    measure(&mut all, &mut next, batch, (on, on.time / 8))?;
    let (records, time) = measure(&mut all, &mut next, batch, (on, LONGER * on.time))?;
    let mut checker = Checker::<MOST>::new();
    L::read_back(all, scratch.path(), |bytes| checker.take(bytes))?;
    let appended: u64 = (0..publishers).map(|i| next[i] - first_of(i)).sum();
    let came = checker.finish()?;
    if came != appended {
        return Err(format!("{came} records of {appended} were kept"));
    }
    let per_second = records as f64 / time.as_secs_f64();
    Ok(vec![
        ("mps", per_second / 1e6),
        ("kps", per_second / 1e3),
        ("records", records as f64),
    ])
}

/// How many records became safe, in which time.
fn measure<L: Synced<N>, const N: usize>(
    all: &mut [L],
    next: &mut [u64],
    batch: u64,
    (on, time): (Conditions, Duration),
) -> Done<(u64, Duration)> {
    let start = Barrier::new(all.len());
    let start = &start;
    thread::scope(|scope| {
        let threads: Vec<_> = all
            .iter_mut()
            .zip(next)
            .enumerate()
            .map(|(index, (publisher, next))| {
                scope.spawn(move || {
                    pin(on.cores[index % 2]);
                    start.wait();
                    let (first, began) = (*next, Instant::now());
                    while began.elapsed() < time {
                        publisher.append(*next, batch)?;
                        *next += batch;
                    }
                    Ok((*next - first, began, Instant::now()))
                })
            })
            .collect();
        let (mut records, mut span) = (0, None::<(Instant, Instant)>);
        for thread in threads {
            let gone = |_| "a thread of the sample panicked".to_owned();
            let done: Done<_> = thread.join().map_err(gone)?;
            let (count, began, ended) = done?;
            records += count;
            span = span.map_or(Some((began, ended)), |(b, e)| {
                Some((b.min(began), e.max(ended)))
            });
        }
        Ok((records, span.map_or(time, |(began, ended)| ended - began)))
    })
}
