//! What one thread can do alone: write a record and read it, and look in vain.

use std::hint::black_box;
use std::time::{Duration, Instant};

use super::{Conditions, Job, Metrics, SHORT_RING};
use crate::contender::{Contender, Idle, Reader, Writer};
use crate::machine::pin;
use crate::payload::{Checker, stop_at};

/// Things done between two looks at the clock.
const STRETCH: u64 = 4096;

/// One thread writes a record, then reads it.
pub(crate) struct OneThread;

impl Job for OneThread {
    fn run<C: Contender<N>, const N: usize>(self, on: Conditions) -> Result<Metrics, String> {
        pin(on.cores[0]);
        let (mut write, mut read) = C::open(SHORT_RING, 1, 1);
        let (writer, reader) = (&mut write[0], &mut read[0]);
        let mut checker = Checker::<1>::new();
        let mut idle = Idle::Spin;
        let mut seq = 0;
        let mut step = || {
            for _ in 0..STRETCH {
                writer.write(seq, 1, &mut idle);
                reader.read(|bytes| checker.take(bytes));
                seq += 1;
            }
        };
        // Round the whole ring once before it counts.
        for _ in 0..8 {
            step();
        }
        let start = Instant::now();
        let end = start + on.time;
        let mut done = 0;
        while Instant::now() < end {
            step();
            done += STRETCH;
        }
        let time = start.elapsed();
        writer.write(stop_at(seq), 1, &mut idle);
        reader.read(|bytes| checker.take(bytes));
        if !checker.is_done() {
            return Err("the last record did not come".to_owned());
        }
        checker.finish()?;
        Ok(vec![
            ("ns", time.as_nanos() as f64 / done as f64),
            ("records", done as f64),
        ])
    }
}

/// One thread writes and reads so many records by 256, for those who count instructions: what the
/// clock would need is left out.
pub(crate) struct Count {
    pub(crate) records: u64,
}

impl Job for Count {
    fn run<C: Contender<N>, const N: usize>(self, _: Conditions) -> Result<Metrics, String> {
        const MANY: u64 = 256;
        let (mut write, mut read) = C::open(SHORT_RING, 1, 1);
        let mut checker = Checker::<1>::new();
        for first in (0..self.records).step_by(MANY as usize) {
            write[0].write(first, MANY, &mut Idle::Spin);
            let mut left = MANY;
            while left > 0 {
                left -= read[0].read(|bytes| checker.take(bytes)) as u64;
            }
        }
        checker.finish()?;
        Ok(Metrics::new())
    }
}

/// One thread writes many records, then reads them: what each side costs alone.
pub(crate) struct Phases;

impl Job for Phases {
    fn run<C: Contender<N>, const N: usize>(self, on: Conditions) -> Result<Metrics, String> {
        const MANY: u64 = 1024;
        pin(on.cores[0]);
        let (mut write, mut read) = C::open(SHORT_RING, 1, 1);
        let (writer, reader) = (&mut write[0], &mut read[0]);
        let mut checker = Checker::<1>::new();
        let mut seq = 0;
        let (mut writing, mut reading) = (Duration::ZERO, Duration::ZERO);
        let end = Instant::now() + on.time;
        loop {
            let start = Instant::now();
            writer.write(seq, MANY, &mut Idle::Spin);
            let written = Instant::now();
            let mut left = MANY;
            while left > 0 {
                left -= reader.read(|bytes| checker.take(bytes)) as u64;
            }
            let now = Instant::now();
            seq += MANY;
            // The first rounds of the ring find it cold.
            if seq > 16 * MANY {
                writing += written - start;
                reading += now - written;
                if now > end {
                    break;
                }
            }
        }
        checker.finish()?;
        let per = |time: Duration| time.as_nanos() as f64 / (seq - 16 * MANY) as f64;
        Ok(vec![
            ("ns", per(writing + reading)),
            ("write", per(writing)),
            ("read", per(reading)),
        ])
    }
}

/// One thread looks for records where there are none.
pub(crate) struct EmptyPoll;

impl Job for EmptyPoll {
    fn run<C: Contender<N>, const N: usize>(self, on: Conditions) -> Result<Metrics, String> {
        pin(on.cores[0]);
        let (mut write, mut read) = C::open(SHORT_RING, 1, 1);
        let reader = &mut read[0];
        // Not at the start of the ring, where memory is still as it was made.
        let mut checker = Checker::<1>::new();
        for seq in 0..100 {
            write[0].write(seq, 1, &mut Idle::Spin);
            reader.read(|bytes| checker.take(bytes));
        }
        let mut found = 0;
        let mut done = 0;
        let start = Instant::now();
        let end = start + on.time;
        while Instant::now() < end {
            found += look_in_vain::<N>(reader);
            done += STRETCH;
        }
        let time = start.elapsed();
        if found != 0 {
            return Err(format!("{found} records came out of an empty ring"));
        }
        checker.finish()?;
        Ok(vec![("ns", time.as_nanos() as f64 / done as f64)])
    }
}

/// A function of its own, so that the counters stand in registers for every contender, whatever
/// else was inlined around it.
#[inline(never)]
fn look_in_vain<const N: usize>(reader: &mut impl Reader<N>) -> usize {
    let mut found = 0;
    for _ in 0..STRETCH {
        found += black_box(&mut *reader).read(|bytes| {
            black_box(bytes);
        });
    }
    found
}
