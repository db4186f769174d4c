//! The records between two places.

use std::path::Path;
use std::time::SystemTime;

use clap::Args;
use messenger::bus::Tag;
use messenger::journal::{JournalFault, Reader};

use crate::clock::Clock;
use crate::fail::{Exit, Fail, warn};
use crate::filter::{Filter, FilterArgs};
use crate::place::Place;

const PLACES: &str = "\
A place is a position (a number), `oldest`, `newest`, a time such as 2026-11-27T04:00:00Z, @ and seconds since 1970, \
or -10m (also s, h, d) for how long ago. Times are as fine as the journal notes them: each 10 ms unless its program says otherwise";

/// The options.
#[derive(Args)]
pub(crate) struct RangeArgs {
    /// Begin at this place; else at the oldest record
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true, long_help = format!("Begin at this place; else at the oldest record. {PLACES}"))]
    pub(crate) from: Option<Place>,
    /// End before this place; else where the journal ends now
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    pub(crate) to: Option<Place>,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
}

/// A record on its way to be shown.
pub(crate) struct Found<'a> {
    pub(crate) position: u64,
    pub(crate) time: Option<SystemTime>,
    pub(crate) tag: Tag,
    pub(crate) payload: &'a [u8],
}

/// The records of a journal from one place to another.
pub(crate) struct Range {
    pub(crate) reader: Reader,
    pub(crate) clock: Clock,
    pub(crate) filter: Filter,
    /// The position before which it ends.
    pub(crate) end: u64,
    /// The time before which it ends.
    until: Option<SystemTime>,
    /// Whether it begins wherever the journal does.
    whole: bool,
}

impl RangeArgs {
    /// That it does not end before it begins.
    pub(crate) fn check(&self) -> Result<(), Fail> {
        match (self.from, self.to) {
            (Some(from), Some(to)) if from.is_after(to) => Err(Fail::Told(
                Exit::Usage,
                format!("--from {from} lies after --to {to}: say the earlier place first"),
            )),
            _ => Ok(()),
        }
    }

    pub(crate) fn open(&self, dir: &Path) -> Result<Range, Fail> {
        self.check()?;
        let mut reader = Reader::open(dir)?;
        let filter = self.filter.of(reader.schema())?;
        // If where it ends can't be told for damage, who reads comes to that too.
        let newest = reader.newest().unwrap_or(u64::MAX);
        let mut until = None;
        let end = match self.to {
            None | Some(Place::Newest) => newest,
            Some(Place::Oldest) => reader.oldest()?,
            Some(Place::Position(position)) => position.min(newest),
            Some(Place::Time(time)) => {
                until = Some(time);
                newest
            }
        };
        let from = self.from.unwrap_or(Place::Oldest);
        from.seek(&mut reader)?;
        let clock = Clock::new(dir, reader.position())?;
        Ok(Range {
            reader,
            clock,
            filter,
            end,
            until,
            whole: from == Place::Oldest,
        })
    }
}

impl Range {
    /// Hands each record that is wanted to `show`. Gives their number.
    pub(crate) fn each(
        &mut self,
        mut show: impl FnMut(Found<'_>) -> Result<(), Fail>,
    ) -> Result<u64, Fail> {
        let mut number = 0;
        loop {
            let entry = match self.reader.next() {
                Err(error) => match *error.fault() {
                    JournalFault::Gone { position, .. } if self.whole => {
                        self.clock = go_on(&mut self.reader, position)?;
                        continue;
                    }
                    _ => return Err(error.into()),
                },
                Ok(next) => next,
            };
            let Some(entry) = entry else { break };
            if entry.position >= self.end {
                break;
            }
            let wanted = self.filter.takes(entry.tag);
            if !wanted && self.until.is_none() {
                continue;
            }
            let time = self.clock.time_of(entry.position);
            if self
                .until
                .is_some_and(|until| time.is_some_and(|time| time >= until))
            {
                break;
            }
            if wanted {
                number += 1;
                show(Found {
                    position: entry.position,
                    time,
                    tag: entry.tag,
                    payload: entry.payload,
                })?;
            }
        }
        Ok(number)
    }
}

/// Goes on with the oldest record, since that at `position` has been given up. Gives the clock for what comes.
pub(crate) fn go_on(reader: &mut Reader, position: u64) -> Result<Clock, Fail> {
    reader.seek_oldest()?;
    let oldest = reader.position();
    warn(format_args!(
        "{} bytes from position {position} on were given up before they were read; it goes on at {oldest}",
        oldest - position
    ));
    Clock::new(reader.path(), oldest)
}
