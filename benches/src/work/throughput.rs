//! Records per second, from any number of writers to any number of readers.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use super::{Conditions, Job, Metrics};
use crate::contender::{Contender, Idle, Reader, Writer};
use crate::machine::pin;
use crate::payload::{Checker, first_of, stop_at};

/// Records between two looks at the clock.
pub(super) const STRETCH: u64 = 256;

/// `writers` threads on the first core, `readers` on the second; each reader gets every record.
pub(crate) struct Throughput {
    pub(crate) writers: usize,
    pub(crate) readers: usize,
    /// The ring of each contender, in bytes.
    pub(crate) ring: usize,
}

impl Job for Throughput {
    fn run<C: Contender<N>, const N: usize>(self, on: Conditions) -> Result<Metrics, String> {
        let Self {
            writers,
            readers,
            ring,
        } = self;
        let (mut write, mut read) = C::open(ring, writers, readers);
        // Once for the page tables and caches, then for the record.
        measure::<C, N>(&mut write, &mut read, on, on.time / 8)?;
        let (records, time) = measure::<C, N>(&mut write, &mut read, on, on.time)?;
        Ok(vec![
            ("mps", records as f64 / time.as_secs_f64() / 1e6),
            ("records", records as f64),
        ])
    }
}

fn measure<C: Contender<N>, const N: usize>(
    write: &mut [C::W],
    read: &mut [C::R],
    on: Conditions,
    time: Duration,
) -> Result<(u64, Duration), String> {
    let (writers, readers) = (write.len(), read.len());
    let idle = Idle::for_threads(writers + readers);
    // Two workers of a kind share a core.
    let start = Barrier::new(writers + readers);
    let start = &start;
    thread::scope(|scope| {
        let writing: Vec<_> = write
            .iter_mut()
            .enumerate()
            .map(|(index, writer)| {
                scope.spawn(move || {
                    pin(on.cores[0]);
                    start.wait();
                    let began = Instant::now();
                    let end = began + time;
                    write_until::<N>(writer, first_of(index), end, idle);
                    began
                })
            })
            .collect();
        let reading: Vec<_> = read
            .iter_mut()
            .map(|reader| {
                scope.spawn(move || {
                    pin(on.cores[1]);
                    start.wait();
                    let counted = match writers {
                        1 => read_all::<1, N>(reader, idle),
                        _ => read_all::<2, N>(reader, idle),
                    };
                    // What a failed reader leaves would block its writer for ever.
                    let counted = counted.unwrap_or_else(|error| crate::sample::fail(&error));
                    (counted, Instant::now())
                })
            })
            .collect();
        let gone = |_| "a thread of the sample panicked".to_owned();
        let mut began = None::<Instant>;
        for thread in writing {
            let at = thread.join().map_err(gone)?;
            began = Some(began.map_or(at, |first| first.min(at)));
        }
        let (mut records, mut time) = (0, Duration::ZERO);
        for thread in reading {
            let (count, at) = thread.join().map_err(gone)?;
            if records != 0 && count != records {
                return Err(format!("one reader got {count} records, another {records}"));
            }
            records = count;
            time = began.map_or(time, |began| time.max(at - began));
        }
        Ok((records, time))
    })
}

fn write_until<const N: usize>(
    writer: &mut impl Writer<N>,
    first: u64,
    end: Instant,
    mut idle: Idle,
) {
    let mut seq = first;
    loop {
        writer.write(seq, STRETCH, &mut idle);
        seq += STRETCH;
        if Instant::now() >= end {
            break;
        }
    }
    writer.write(stop_at(seq), 1, &mut idle);
}

pub(super) fn read_all<const WRITERS: usize, const N: usize>(
    reader: &mut impl Reader<N>,
    mut idle: Idle,
) -> Result<u64, String> {
    let mut checker = Checker::<WRITERS>::new();
    while !checker.is_done() {
        if reader.read(|bytes| checker.take(bytes)) == 0 {
            idle.wait();
        } else {
            idle.reset();
        }
    }
    checker.finish()
}
