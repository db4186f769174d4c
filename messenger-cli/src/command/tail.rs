use std::collections::VecDeque;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::time::SystemTime;

use clap::Args;
use messenger::bus::WaitStrategy;
use messenger::journal::{JournalError, JournalFault, Reader};

use crate::clock::Clock;
use crate::fail::{Exit, Fail};
use crate::filter::{Filter, FilterArgs};
use crate::live;
use crate::out::Out;
use crate::range::{Found, go_on};
use crate::show::{ShowArgs, learn_from};
use crate::subject::{Subject, SubjectArgs};

/// Shows the last records of a journal or a shared bus, and with -f those that come
///
/// As `cat` shows them. With -f it goes on until it is interrupted, also while another process writes the journal and when
/// none does yet; the time of a record that came meanwhile is when it was seen.
///
/// A bus it reads without taking part in it, and needs no right to write it. It holds back nobody: what is written over before it
/// was read is missed, and it says how much. With -f it ends when nobody uses the bus any more.
///
/// Ends with 4 if there is no record, unless -f is given.
#[derive(Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    subject: SubjectArgs,
    /// How many of the last records
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10)]
    pub(crate) lines: usize,
    /// Go on with those that come
    #[arg(short, long)]
    pub(crate) follow: bool,
    #[command(flatten)]
    pub(crate) filter: FilterArgs,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

impl Tail {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        match self.subject.subject()? {
            Subject::Journal(dir) => self.journal(&dir, out),
            Subject::Bus(bus) => live::tail(&self, &bus, out),
        }
    }

    fn journal(&self, dir: &Path, out: &mut Out) -> Result<Exit, Fail> {
        let mut reader = Reader::open(dir)?;
        let filter = self.filter.of(reader.schema())?;
        let mut show = self.show.open(reader.schema(), learn_from(dir))?;
        let mut newest = reader.newest()?;
        match reader.seek(self.start(dir, &filter, newest)?) {
            Err(error) if is_gone(&error) => reader.seek_oldest()?,
            seeked => seeked?,
        }
        let mut clock = Clock::new(dir, reader.position())?;
        // Nothing has come yet while it was looked at: what stands before was published by an unknown time, what comes
        // after by now.
        let mut any = false;
        loop {
            match reader.next() {
                Ok(Some(entry)) => {
                    if !self.follow && entry.position >= newest {
                        break;
                    }
                    if !filter.takes(entry.tag) {
                        continue;
                    }
                    any = true;
                    let noted = clock.time_of(entry.position);
                    let came = (entry.position >= newest).then(SystemTime::now);
                    let found = Found {
                        position: entry.position,
                        time: noted.or(came),
                        tag: entry.tag,
                        payload: entry.payload,
                    };
                    show.record(out, &found)?;
                }
                Ok(None) if self.follow => {
                    out.flush()?;
                    match reader.wait(WaitStrategy::BlockNow, None, || false) {
                        // The next look is told, too, and goes on.
                        Err(error) if !is_gone(&error) => return Err(error.into()),
                        _ => {}
                    }
                }
                Ok(None) => break,
                Err(error) if is_gone(&error) => {
                    out.flush()?;
                    let position = reader.position();
                    clock = go_on(&mut reader, position)?;
                    if !self.follow && reader.position() >= newest {
                        newest = reader.newest()?;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Exit::found(any))
    }

    /// Where the last records begin that are to be shown.
    fn start(&self, dir: &Path, filter: &Filter, newest: u64) -> Result<u64, Fail> {
        if self.lines == 0 {
            return Ok(newest);
        }
        let mut reader = Reader::open(dir)?.trusting();
        let mut end = newest;
        let mut missing = self.lines;
        let mut start = newest;
        // From the last segment backwards: each begins with a record.
        let mut base = newest - newest % reader.segment_bytes();
        loop {
            let last = match last(&mut reader, filter, base..end, missing) {
                // It is not retained, nor is anything before it.
                Err(error) if is_gone(&error) => return Ok(start),
                last => last?,
            };
            start = last.front().copied().unwrap_or(start);
            missing -= last.len();
            if missing == 0 || base == 0 {
                return Ok(start);
            }
            end = base;
            base -= reader.segment_bytes();
        }
    }
}

fn is_gone(error: &JournalError) -> bool {
    matches!(error.fault(), JournalFault::Gone { .. })
}

/// Where the last so many records that are wanted stand, of those in a range.
fn last(
    reader: &mut Reader,
    filter: &Filter,
    range: Range<u64>,
    lines: usize,
) -> Result<VecDeque<u64>, JournalError> {
    reader.seek(range.start)?;
    let mut last = VecDeque::new();
    while let Some(entry) = reader.next()? {
        if entry.position >= range.end {
            break;
        }
        if filter.takes(entry.tag) {
            if last.len() == lines {
                last.pop_front();
            }
            last.push_back(entry.position);
        }
    }
    Ok(last)
}
