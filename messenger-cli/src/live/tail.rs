//! `tail` on a bus.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant, SystemTime};

use messenger::bus::{ObserveError, Observed, Start, WaitStrategy};
use messenger::shared::Reader;

use super::stop::Stop;
use crate::command::tail::Tail;
use crate::fail::{Exit, Fail, warn};
use crate::filter::Filter;
use crate::out::Out;
use crate::range::Found;
use crate::subject::Bus;

/// For how long it sleeps before it looks whether anybody is there.
const NAP: Duration = Duration::from_millis(100);

pub(crate) fn tail(tail: &Tail, bus: &Bus, out: &mut Out) -> Result<Exit, Fail> {
    let stop = Stop::watch()?;
    let start = if tail.lines == 0 {
        Start::Newest
    } else {
        Start::Oldest
    };
    let mut reader = super::read(bus, start)?;
    let mut newest = match start {
        Start::Newest => reader.position(),
        _ => reader.tail(),
    };
    let schema = super::schema(bus)?;
    let filter = tail.filter.of(&schema)?;
    let learn = {
        let bus = bus.clone();
        move || super::schema(&bus).ok()
    };
    let mut show = tail.show.open(&schema, Box::new(learn))?;
    let mut payload = Vec::new();

    let last = last(&mut reader, &mut newest, tail.lines, &filter, || {
        stop.asked()
    })?;
    let any = !last.is_empty();
    for (observed, payload) in last {
        let came = (observed.position >= newest).then(SystemTime::now);
        show.record(out, &found(observed, came, &payload))?;
    }
    if !tail.follow {
        return Ok(Exit::found(any));
    }

    let mut deserted = false;
    loop {
        let next = match reader.try_next(&mut payload) {
            Ok(None) => {
                out.flush()?;
                let until = Instant::now() + NAP;
                let ends = || deserted || stop.asked();
                reader.next_until(&mut payload, WaitStrategy::BlockNow, Some(until), ends)
            }
            next => next,
        };
        match next {
            Ok(Some(observed)) if filter.takes(observed.tag) => {
                show.record(out, &found(observed, Some(SystemTime::now()), &payload))?;
            }
            Ok(Some(_)) => {}
            Ok(None) if deserted => break,
            Ok(None) => deserted = super::is_deserted(bus, &reader)?,
            Err(ObserveError::Lagged { skipped }) => {
                out.flush()?;
                warn(format_args!(
                    "missed {skipped} bytes, which were written over before they were read; it goes on at {}",
                    reader.position()
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

/// The last so many records that are wanted of those that stand before `newest`.
fn last(
    reader: &mut Reader,
    newest: &mut u64,
    lines: usize,
    filter: &Filter,
    stop: impl Fn() -> bool,
) -> Result<VecDeque<(Observed, Vec<u8>)>, Fail> {
    let mut payload = Vec::new();
    let mut last: VecDeque<(Observed, Vec<u8>)> = VecDeque::new();
    while reader.position() < *newest && !stop() {
        match reader.try_next(&mut payload) {
            Ok(Some(observed)) if !filter.takes(observed.tag) => {}
            Ok(Some(observed)) => {
                // One that is longer than the others keeps its memory for those that come.
                let mut kept = if last.len() >= lines {
                    last.pop_front().map_or_else(Vec::new, |(_, kept)| kept)
                } else {
                    Vec::new()
                };
                std::mem::swap(&mut kept, &mut payload);
                last.push_back((observed, kept));
            }
            Ok(None) => break,
            // What is gone is none of the last, or is soon not to be. They may all be gone.
            Err(ObserveError::Lagged { .. }) => {
                last.clear();
                if reader.position() >= *newest {
                    *newest = reader.tail();
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use messenger::bus::{MessageId, SourceId, Tag};
    use messenger::journal::Schema;
    use messenger::shared::SharedBus;

    use super::*;
    use crate::filter::FilterArgs;

    #[test]
    fn who_is_lapped_beyond_the_end_finds_the_last_records_there() {
        let name = format!("messenger-tail-{}", std::process::id());
        let directory = std::path::Path::new("/dev/shm").join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let options = || SharedBus::options().directory(&directory);
        let bus = options().bytes(1 << 14).create("busy").unwrap();
        let mut publisher = bus.bus().publisher().unwrap();
        let tag = Tag::new(SourceId::new(1), MessageId::new(1));
        let mut send = |number: u32| {
            let sent = (0..number).map(|_| publisher.send(tag, &[0; 112]).unwrap());
            sent.last().unwrap()
        };
        send(3);
        let mut reader = options().read("busy", Start::Oldest).unwrap();
        let mut newest = reader.tail();
        // Whoever publishes goes round the ring before it has read the first.
        let end = send(1000);
        let filter = FilterArgs::default().of(&Schema::default()).unwrap();
        let last = last(&mut reader, &mut newest, 2, &filter, || false).unwrap();
        let positions: Vec<_> = last.iter().map(|(observed, _)| observed.position).collect();
        assert_eq!(positions, [end - 128, end]);
        drop((reader, bus));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
