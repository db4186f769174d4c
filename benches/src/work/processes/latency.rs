//! How long a record takes from one process to another: ping-pong over two links.

use std::path::Path;
use std::time::Instant;

use super::super::latency::{MOST, percentiles, turn};
use super::super::{Conditions, Metrics, SHORT_RING};
use crate::catalogue::Cell;
use crate::contender::{Idle, Writer as _};
use crate::link::{Link, Place};
use crate::log::Done;
use crate::machine::pin;
use crate::payload::{Checker, stop_at};
use crate::scratch::Scratch;
use crate::second::{Second, say};

/// There and back.
fn places<const N: usize>(at: &Path) -> [Place; 2] {
    ["ping", "pong"].map(|name| Place::new(at, name, SHORT_RING, 1))
}

/// The first process calls, and measures half of a round trip.
pub(crate) fn call<L: Link<N>, const N: usize>(cell: &Cell<'_>, on: Conditions) -> Done<Metrics> {
    let scratch = Scratch::new()?;
    let [there, back] = places::<N>(scratch.path());
    let (there, back) = (L::make(&there)?, L::make(&back)?);
    let mut second = Second::start(cell, on.cores[1], scratch.path())?;
    pin(on.cores[0]);
    let (mut writer, mut reader) = (there.near_writer()?, back.near_reader()?);
    let mut checker = Checker::<1>::new();
    // Written now, so that no page fault falls into the measurement.
    let mut trips = vec![u32::MAX; MOST];
    second.numbers::<0>()?;
    let mut count = 0;
    let mut now = Instant::now();
    let end = now + on.time;
    while now < end && count < MOST {
        writer.write(count as u64, 1, &mut Idle::Spin);
        turn(&mut reader, &mut checker);
        let next = Instant::now();
        trips[count] = u32::try_from((next - now).as_nanos()).unwrap_or(u32::MAX);
        now = next;
        count += 1;
    }
    trips.truncate(count);
    writer.write(stop_at(count as u64), 1, &mut Idle::Spin);
    turn(&mut reader, &mut checker);
    checker.finish()?;
    second.end()?;
    percentiles(&trips, 0.5)
}

/// The second process answers.
pub(crate) fn answer<L: Link<N>, const N: usize>(_: &Cell<'_>, at: &Path) -> Done {
    let [there, back] = places::<N>(at);
    let (mut reader, mut writer) = (L::far_reader(&there)?, L::far_writer(&back)?);
    let mut checker = Checker::<1>::new();
    say(&[])?;
    let mut seq = 0;
    loop {
        turn(&mut reader, &mut checker);
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
