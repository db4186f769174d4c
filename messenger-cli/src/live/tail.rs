//! `tail` on a bus.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use messenger::bus::{ObserveError, Observed, Start, WaitStrategy};

use super::guest::Guest;
use super::stop::Stop;
use crate::command::tail::Tail;
use crate::fail::{Exit, Fail, warn};
use crate::out::Out;
use crate::range::Found;
use crate::subject::Bus;

/// For how long it sleeps before it looks whether anybody is there.
const NAP: Duration = Duration::from_millis(100);

pub(crate) fn tail(tail: &Tail, bus: &Bus, out: &mut Out) -> Result<Exit, Fail> {
    let stop = Stop::watch()?;
    let mut guest = Guest::join(bus, "tail")?;
    let schema = guest.schema()?;
    let filter = tail.filter.of(&schema)?;
    let learn = {
        let bus = bus.clone();
        move || super::schema(&bus).ok()
    };
    let mut show = tail.show.open(&schema, Box::new(learn))?;
    let newest = guest.shared().bus().tail();
    let start = if tail.lines == 0 {
        Start::Newest
    } else {
        Start::Oldest
    };
    let mut observer = guest.shared().bus().observe(start).map_err(Fail::from)?;
    let mut payload = Vec::new();

    // The last of those that are there.
    let mut last: VecDeque<(Observed, Vec<u8>)> = VecDeque::new();
    while observer.position() < newest && !stop.asked() {
        match observer.try_next(&mut payload) {
            Ok(Some(observed)) if !filter.takes(observed.tag) => {}
            Ok(Some(observed)) => {
                // One that is longer than the others keeps its memory for those that come.
                let mut kept = if last.len() >= tail.lines {
                    last.pop_front().map_or_else(Vec::new, |(_, kept)| kept)
                } else {
                    Vec::new()
                };
                std::mem::swap(&mut kept, &mut payload);
                last.push_back((observed, kept));
            }
            Ok(None) => break,
            // What is gone is none of the last, or is soon not to be.
            Err(ObserveError::Lagged { .. }) => last.clear(),
            Err(error) => return Err(error.into()),
        }
    }
    let any = !last.is_empty();
    for (observed, payload) in last {
        let came = (observed.position >= newest).then(SystemTime::now);
        show.record(out, &found(observed, came, &payload))?;
    }
    if !tail.follow {
        return Ok(Exit::found(any));
    }

    let mut alone = guest.is_alone();
    loop {
        let next = match observer.try_next(&mut payload) {
            Ok(None) => {
                out.flush()?;
                let until = Instant::now() + NAP;
                let ends = || alone || stop.asked();
                observer.next_until(&mut payload, WaitStrategy::Block, Some(until), ends)
            }
            next => next,
        };
        match next {
            Ok(Some(observed)) if filter.takes(observed.tag) => {
                show.record(out, &found(observed, Some(SystemTime::now()), &payload))?;
            }
            Ok(Some(_)) => {}
            Ok(None) if alone => break,
            Ok(None) => alone = guest.has_news() && guest.is_alone(),
            Err(ObserveError::Lagged { skipped }) => {
                out.flush()?;
                warn(format_args!(
                    "missed {skipped} bytes, which were written over before they were read; it goes on at {}",
                    observer.position()
                ));
            }
            Err(error) => return Err(error.into()),
        }
        if stop.asked() {
            return Ok(Exit::Done);
        }
    }
    out.flush()?;
    warn(format_args!("nobody uses the bus {} any more", bus.name));
    Ok(Exit::Done)
}

fn found(observed: Observed, time: Option<SystemTime>, payload: &[u8]) -> Found<'_> {
    Found {
        position: observed.position,
        time,
        tag: observed.tag,
        payload,
    }
}
