use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::Args;
use messenger::bus::Tag;
use messenger::journal::Schema;
use serde::Serialize;

use crate::fail::{Exit, Fail};
use crate::live;
use crate::out::{HEAD, NAME, Out};
use crate::progress::Bar;
use crate::range::RangeArgs;
use crate::record::{MessageName, SourceName, message_of, source_of};
use crate::show::{message_name, source_name};
use crate::subject::{Subject, SubjectArgs};
use crate::{times, units};

/// Counts the records of a journal or a shared bus, and their rates, by source and message
///
/// A rate is that of the records between the first and the last time that the journal has noted in the range, and needs two
/// different times. Where none of them stands between these no rate is known: `-`. It reads the whole range.
///
/// Of a bus, on which no times are noted, it counts what is retained there, or with --for what comes, which has a rate. It
/// reads as `tail` does.
///
/// JSON: records, payload_bytes, first, last (times or null), per_second (or null), rows [{source, message, records,
/// payload_bytes, per_second}]; of a bus also missed_bytes, which were written over before they were read.
#[derive(Args)]
pub(crate) struct Stat {
    #[command(flatten)]
    subject: SubjectArgs,
    #[command(flatten)]
    pub(crate) range: RangeArgs,
    /// Count what comes on a bus for so long, as in 10s or 1m
    #[arg(long = "for", value_name = "TIME", value_parser = times::span, conflicts_with_all = ["from", "to"])]
    pub(crate) span: Option<Duration>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Default, Clone, Copy)]
struct Count {
    records: u64,
    bytes: u64,
    /// Those between two notes of the time.
    timed: u64,
}

/// How many records there are of each source and message.
#[derive(Default)]
pub(crate) struct Tally {
    rows: BTreeMap<(u16, u16), (Tag, Count)>,
    total: Count,
}

/// What is said of a tally.
pub(crate) struct Report {
    /// The first and the last time.
    pub(crate) times: Option<(SystemTime, SystemTime)>,
    /// The time that the timed records took.
    pub(crate) span: Option<Duration>,
    /// The bytes that could not be read, of a bus.
    pub(crate) missed: Option<u64>,
}

#[derive(Serialize)]
struct StatJson {
    records: u64,
    payload_bytes: u64,
    first: Option<String>,
    last: Option<String>,
    per_second: Option<f64>,
    rows: Vec<RowJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed_bytes: Option<u64>,
}

#[derive(Serialize)]
struct RowJson {
    source: SourceName,
    message: MessageName,
    records: u64,
    payload_bytes: u64,
    per_second: Option<f64>,
}

impl Count {
    fn per_second(self, span: Option<Duration>) -> Option<f64> {
        let span = span.filter(|_| self.timed > 0);
        span.map(|span| self.timed as f64 / span.as_secs_f64())
    }
}

impl Tally {
    /// Counts one more; `timed` says whether it came within the time of which rates are told.
    pub(crate) fn add(&mut self, tag: Tag, len: u64, timed: bool) {
        let key = (tag.source.get(), tag.message.get());
        let row = self.rows.entry(key).or_insert((tag, Count::default()));
        for count in [&mut row.1, &mut self.total] {
            count.records += 1;
            count.bytes += len;
            count.timed += u64::from(timed);
        }
    }
}

impl Stat {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        match self.subject.subject()? {
            Subject::Journal(dir) => self.journal(&dir, out),
            Subject::Bus(bus) => live::stat(&self, &bus, out),
        }
    }

    fn journal(&self, dir: &Path, out: &mut Out) -> Result<Exit, Fail> {
        if self.span.is_some() {
            return Err(Fail::error(
                "--for is for buses: of a journal say --from, which also takes times, as in --from -10s",
            ));
        }
        let mut range = self.range.open(dir)?;
        let first_position = range.reader.position();
        let bar = Bar::bytes("reading", range.end.saturating_sub(first_position));
        let mut tally = Tally::default();
        let mut times: Option<(SystemTime, SystemTime)> = None;
        range.each(|found| {
            // Those up to the first note have come before the time that can be known.
            let timed = match (times, found.time) {
                (Some((first, _)), Some(time)) => time > first,
                _ => false,
            };
            if let Some(time) = found.time {
                let first = times.map_or(time, |(first, _)| first);
                times = Some((first, time));
            }
            tally.add(found.tag, found.payload.len() as u64, timed);
            if tally.total.records % 4096 == 0 {
                bar.at(found.position - first_position);
            }
            Ok(())
        })?;
        drop(bar);
        let span = times
            .and_then(|(first, last)| last.duration_since(first).ok())
            .filter(|span| !span.is_zero());
        let report = Report {
            times,
            span,
            missed: None,
        };
        report.show(out, tally, range.reader.schema(), self.json)
    }
}

impl Report {
    /// Says what has been counted.
    pub(crate) fn show(
        self,
        out: &mut Out,
        tally: Tally,
        schema: &Schema,
        json: bool,
    ) -> Result<Exit, Fail> {
        let span = self.span;
        let total = tally.total;
        let mut rows: Vec<_> = tally.rows.into_values().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.records));
        let first = self.times.map(|(first, _)| times::text(first));
        let last = self.times.map(|(_, last)| times::text(last));
        if json {
            let rows = rows.iter().map(|&(tag, count)| RowJson {
                source: source_of(tag, schema),
                message: message_of(tag, schema),
                records: count.records,
                payload_bytes: count.bytes,
                per_second: count.per_second(span),
            });
            out.json(&StatJson {
                records: total.records,
                payload_bytes: total.bytes,
                first,
                last,
                per_second: total.per_second(span),
                rows: rows.collect(),
                missed_bytes: self.missed,
            })?;
            return Ok(Exit::found(total.records > 0));
        }
        match (first, last, span) {
            (Some(first), Some(last), Some(span)) => {
                writeln!(out, "{first} to {last}, {:.3} s", span.as_secs_f64())?;
            }
            (Some(first), ..) => writeln!(out, "{first}, and no other time known")?,
            // A bus has none.
            _ if self.missed.is_none() => writeln!(out, "no time known")?,
            _ => {}
        }
        if let Some(missed) = self.missed.filter(|&missed| missed > 0) {
            let missed = units::bytes(missed);
            writeln!(
                out,
                "{missed} were written over before they were read, and are not counted"
            )?;
        }
        let head = ["records", "per s", "payload", "mean", "source message"];
        let head = format!(
            "{:>12}  {:>10}  {:>10}  {:>10}  {}",
            head[0], head[1], head[2], head[3], head[4]
        );
        let head = out.paint(HEAD, head);
        writeln!(out, "{head}")?;
        for (tag, count) in rows {
            let source = source_name(schema, tag.source);
            let message = message_name(schema, tag.message);
            let name = out.paint(NAME, format!("{source} {message}"));
            row(out, count, span, name)?;
        }
        row(out, total, span, "all")?;
        Ok(Exit::found(total.records > 0))
    }
}

fn row(
    out: &mut Out,
    count: Count,
    span: Option<Duration>,
    name: impl std::fmt::Display,
) -> Result<(), Fail> {
    let rate = count
        .per_second(span)
        .map_or_else(|| "-".into(), units::rate);
    let mean = count.bytes.checked_div(count.records).unwrap_or(0);
    let (bytes, mean) = (units::bytes(count.bytes), units::bytes(mean));
    let records = count.records;
    writeln!(
        out,
        "{records:>12}  {rate:>10}  {bytes:>10}  {mean:>10}  {name}"
    )?;
    Ok(())
}
