//! `stat` on a bus.

use std::time::{Duration, Instant};

use messenger::bus::{ObserveError, Start, WaitStrategy};

use super::stop::Stop;
use crate::command::stat::{Report, Stat, Tally};
use crate::fail::{Exit, Fail};
use crate::out::Out;
use crate::place::Place;
use crate::subject::Bus;

/// For how long it sleeps before it looks whether it is to end.
const NAP: Duration = Duration::from_millis(100);

pub(crate) fn stat(stat: &Stat, bus: &Bus, out: &mut Out) -> Result<Exit, Fail> {
    stat.range.check()?;
    let stop = Stop::watch()?;
    let start = match (stat.span, stat.range.from) {
        (Some(_), _) | (None, Some(Place::Newest)) => Start::Newest,
        (None, from) => start(from)?,
    };
    let mut reader = super::read(bus, start)?;
    let newest = reader.tail();
    let schema = super::schema(bus)?;
    let filter = stat.range.filter.of(&schema)?;
    let end = match stat.range.to {
        _ if stat.span.is_some() => u64::MAX,
        None | Some(Place::Newest) => newest,
        Some(Place::Oldest) => 0,
        Some(Place::Position(position)) => position.min(newest),
        Some(Place::Time(_)) => return Err(no_times()),
    };
    let begun = Instant::now();
    let until = stat.span.map(|span| begun + span);
    let mut tally = Tally::default();
    let mut missed = 0;
    let mut payload = Vec::new();
    while reader.position() < end && !stop.asked() {
        let next = match (reader.try_next(&mut payload), until) {
            (Ok(None), Some(until)) => {
                let nap = until.min(Instant::now() + NAP);
                reader.next_until(&mut payload, WaitStrategy::BlockNow, Some(nap), || false)
            }
            (next, _) => next,
        };
        let over = until.is_some_and(|until| Instant::now() >= until);
        match next {
            Ok(_) if over => break,
            Ok(Some(observed)) if observed.position >= end => break,
            Ok(Some(observed)) if filter.takes(observed.tag) => {
                tally.add(observed.tag, payload.len() as u64, true);
            }
            Ok(Some(_)) => {}
            Ok(None) if until.is_some() => {}
            // Of what is claimed and not finished nobody knows what it will be.
            Ok(None) => break,
            Err(ObserveError::Lagged { skipped }) => missed += skipped,
            Err(error) => return Err(error.into()),
        }
    }
    let report = Report {
        times: None,
        span: until.map(|_| begun.elapsed()),
        missed: Some(missed),
    };
    report.show(out, tally, &schema, stat.json)
}

fn start(from: Option<Place>) -> Result<Start, Fail> {
    match from {
        None | Some(Place::Oldest) => Ok(Start::Oldest),
        Some(Place::Newest) => Ok(Start::Newest),
        Some(Place::Position(position)) => Ok(Start::At(position)),
        Some(Place::Time(_)) => Err(no_times()),
    }
}

fn no_times() -> Fail {
    Fail::error("a shared bus notes no times: say a position, `oldest` or `newest`")
}
