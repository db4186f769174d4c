//! What a record costs its publisher while many members are attached, all of them in one other process.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::super::{Conditions, Metrics, SHORT_RING};
use crate::catalogue::Cell;
use crate::contender::{Idle, Reader, Writer as _};
use crate::link::{Crowd, Place};
use crate::log::Done;
use crate::machine::pin;
use crate::payload::{Checker, Glimpses, stop_at};
use crate::scratch::Scratch;
use crate::second::{Second, say};
use crate::tally::Tally;

/// How many observers there are.
pub(crate) const OBSERVERS: &[usize] = &[0, 1, 2, 10, 50];
/// How many gating subscribers there are.
pub(crate) const SUBSCRIBERS: &[usize] = &[1, 2, 10, 50];

/// How many records are published, and timed, at a time: a quarter of our ring, so that the publisher asks again for room but
/// never waits for it.
const BURST: u64 = 1024;

fn place<const N: usize>(at: &Path) -> Place {
    Place::new(at, "crowd", SHORT_RING, BURST as usize)
}

/// The first process publishes. What it waits until all who gate have read a burst isn't timed.
pub(crate) fn publish<C: Crowd<N>, const N: usize>(
    cell: &Cell<'_>,
    on: Conditions,
) -> Done<Metrics> {
    let scratch = Scratch::new()?;
    let place = place::<N>(scratch.path());
    let mut writer = C::make(&place, cell.size)?;
    let tally = Tally::make(scratch.path())?;
    let mut second = Second::start(cell, on.cores[1], scratch.path())?;
    pin(on.cores[0]);
    second.numbers::<0>()?;
    let mut burst = |seq: u64| {
        let start = Instant::now();
        writer.write(seq, BURST, &mut Idle::Rest);
        let took = start.elapsed();
        if C::GATES {
            tally.wait(seq + BURST);
        }
        took
    };
    let mut seq = 0;
    // Twice around the ring, for the page tables and caches.
    while seq < 2 * (place.ring / N) as u64 {
        burst(seq);
        seq += BURST;
    }
    let (first, end) = (seq, Instant::now() + on.time);
    let mut took = Duration::ZERO;
    while seq == first || Instant::now() < end {
        took += burst(seq);
        seq += BURST;
    }
    writer.write(stop_at(seq), 1, &mut Idle::Rest);
    tally.end();
    second.end()?;
    let records = (seq - first) as f64;
    Ok(vec![
        ("ns", took.as_nanos() as f64 / records),
        ("records", records),
    ])
}

/// The second process finds the tally and its members, and says that it is there.
fn join<C: Crowd<N>, const N: usize>(cell: &Cell<'_>, at: &Path) -> Done<(Tally, Vec<C::R>)> {
    let tally = Tally::open(at)?;
    let members = C::members(&place::<N>(at), cell.size)?;
    say(&[])?;
    Ok((tally, members))
}

/// The second process has members which each get every record.
pub(crate) fn follow<C: Crowd<N>, const N: usize>(cell: &Cell<'_>, at: &Path) -> Done {
    let (tally, members) = join::<C, N>(cell, at)?;
    let checked = |member| (member, Checker::<1>::new());
    let mut members: Vec<_> = members.into_iter().map(checked).collect();
    let mut told = 0;
    while members.iter().any(|(_, checker)| !checker.is_done()) {
        let came = round(&mut members, |checker, bytes| checker.take(bytes));
        let least = members.iter().map(|(_, checker)| checker.came()).min();
        match least {
            Some(least) if least > told => {
                tally.set(least);
                told = least;
            }
            _ if came == 0 => Idle::Rest.wait(),
            _ => {}
        }
    }
    members
        .into_iter()
        .try_for_each(|(_, checker)| checker.finish().map(drop))
}

/// The second process has members which get what they can.
pub(crate) fn look_on<C: Crowd<N>, const N: usize>(cell: &Cell<'_>, at: &Path) -> Done {
    let (tally, members) = join::<C, N>(cell, at)?;
    let seen = |member| (member, Glimpses::default());
    let mut members: Vec<_> = members.into_iter().map(seen).collect();
    while !tally.is_over() {
        if round(&mut members, |glimpses, bytes| glimpses.take(bytes)) == 0 {
            Idle::Rest.wait();
        }
    }
    members
        .into_iter()
        .try_for_each(|(_, glimpses)| glimpses.finish().map(drop))
}

/// The second process has members which don't look.
pub(crate) fn stand_by<C: Crowd<N>, const N: usize>(cell: &Cell<'_>, at: &Path) -> Done {
    let (tally, members) = join::<C, N>(cell, at)?;
    while !tally.is_over() {
        thread::sleep(Duration::from_millis(2));
    }
    drop(members);
    Ok(())
}

/// Each member reads once; how many records came.
fn round<R: Reader<N>, T, const N: usize>(
    members: &mut [(R, T)],
    mut each: impl FnMut(&mut T, &[u8; N]),
) -> usize {
    let reads = members
        .iter_mut()
        .map(|(reader, kept)| reader.read(|bytes| each(kept, bytes)));
    reads.sum()
}
