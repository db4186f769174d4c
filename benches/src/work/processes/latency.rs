//! How long a record takes from one process to another: ping-pong over two links.

use std::path::Path;

use super::super::{Conditions, Metrics, SHORT_RING, latency};
use crate::catalogue::Cell;
use crate::link::{Link, Place};
use crate::log::Done;
use crate::machine::pin;
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
    let trips = latency::call(&mut writer, &mut reader, on.time, || {
        second.numbers::<0>().map(drop)
    })?;
    second.end()?;
    latency::percentiles(&trips, 0.5)
}

/// The second process answers.
pub(crate) fn answer<L: Link<N>, const N: usize>(_: &Cell<'_>, at: &Path) -> Done {
    let [there, back] = places::<N>(at);
    let (mut reader, mut writer) = (L::far_reader(&there)?, L::far_writer(&back)?);
    say(&[])?;
    latency::answer(&mut reader, &mut writer)
}
