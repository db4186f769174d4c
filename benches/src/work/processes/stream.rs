//! Records per second from one process to another.

use std::path::Path;
use std::time::{Duration, Instant};

use super::super::{Conditions, LONG_RING, Metrics, throughput};
use crate::catalogue::Cell;
use crate::contender::{Idle, Writer};
use crate::link::{Link, Place};
use crate::log::Done;
use crate::machine::pin;
use crate::payload::stop_at;
use crate::scratch::Scratch;
use crate::second::{Second, now, say};

/// The payload sizes, in bytes. The last two are written in place, where there is one.
pub(crate) const STREAMED: &[usize] = &[64, 1024, 65536, 4 << 20];

fn place<const N: usize>(at: &Path) -> Place {
    // Ours takes no payload that is longer than a quarter of its ring.
    let ring = LONG_RING.max((4 * N + 1).next_power_of_two());
    Place::new(at, "stream", ring, ring / N)
}

/// The first process writes.
pub(crate) fn write_all<L: Link<N>, const N: usize>(
    cell: &Cell<'_>,
    on: Conditions,
) -> Done<Metrics> {
    let scratch = Scratch::new()?;
    let place = place::<N>(scratch.path());
    let link = L::make(&place)?;
    let mut second = Second::start(cell, on.cores[1], scratch.path())?;
    pin(on.cores[0]);
    let mut writer = link.near_writer()?;
    second.numbers::<0>()?;
    // Twice around whatever is between them, for the page tables and caches, then for the record.
    write::<N>(&mut writer, 2 * place.ahead as u64, on.time / 8);
    second.numbers::<2>()?;
    let began = now();
    let written = write::<N>(&mut writer, 1, on.time);
    let [came, ended] = second.numbers()?;
    drop(writer);
    second.end()?;
    if came != written {
        return Err(format!("{written} records were written, {came} came"));
    }
    let seconds = ended.saturating_sub(began) as f64 / 1e9;
    Ok(vec![
        ("mps", came as f64 / seconds / 1e6),
        ("gbs", came as f64 * N as f64 / seconds / 1e9),
        ("records", came as f64),
    ])
}

/// Writes for so long, and so many records at least.
fn write<const N: usize>(writer: &mut impl Writer<N>, least: u64, time: Duration) -> u64 {
    let mut idle = Idle::Rest;
    // 16 MiB between two looks at the clock, or fewer.
    let stretch = throughput::STRETCH.min((16 << 20) / N as u64);
    let end = Instant::now() + time;
    let mut seq = 0;
    while seq < least || Instant::now() < end {
        writer.write(seq, stretch, &mut idle);
        seq += stretch;
    }
    writer.write(stop_at(seq), 1, &mut idle);
    seq
}

/// The second process reads, and says how many came and when the last did.
pub(crate) fn read_all<L: Link<N>, const N: usize>(_: &Cell<'_>, at: &Path) -> Done {
    let mut reader = L::far_reader(&place::<N>(at))?;
    say(&[])?;
    for _ in 0..2 {
        let came = throughput::read_all::<1, N>(&mut reader, Idle::Rest)?;
        say(&[came, now()])?;
    }
    Ok(())
}
