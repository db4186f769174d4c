use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;

use crate::fail::{Exit, Fail};
use crate::out::{HEAD, NAME, Out};
use crate::progress::Bar;
use crate::range::RangeArgs;
use crate::record::{MessageName, SourceName, message_of, source_of};
use crate::show::{message_name, source_name};
use crate::{times, units};

/// Counts the records of a journal, and their rates, by source and message
///
/// A rate is that of the records between the first and the last time that the journal has noted in the range, and needs two
/// different times. It reads the whole range.
///
/// JSON: records, payload_bytes, first, last (times or null), per_second (or null), rows [{source, message, records,
/// payload_bytes, per_second}].
#[derive(Args)]
pub(crate) struct Stat {
    /// The journal's directory
    dir: PathBuf,
    #[command(flatten)]
    range: RangeArgs,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Default, Clone, Copy)]
struct Count {
    records: u64,
    bytes: u64,
    /// Those between two notes of the time.
    timed: u64,
}

#[derive(Serialize)]
struct StatJson {
    records: u64,
    payload_bytes: u64,
    first: Option<String>,
    last: Option<String>,
    per_second: Option<f64>,
    rows: Vec<RowJson>,
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
        span.map(|span| self.timed as f64 / span.as_secs_f64())
    }
}

impl Stat {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let mut range = self.range.open(&self.dir)?;
        let first_position = range.reader.position();
        let bar = Bar::bytes("reading", range.end.saturating_sub(first_position));
        let mut counts = BTreeMap::new();
        let mut total = Count::default();
        let mut times: Option<(SystemTime, SystemTime)> = None;
        range.each(|found| {
            let len = found.payload.len() as u64;
            // Those up to the first note have come before the time that can be known.
            let timed = match (times, found.time) {
                (Some((first, _)), Some(time)) => time > first,
                _ => false,
            };
            if let Some(time) = found.time {
                let first = times.map_or(time, |(first, _)| first);
                times = Some((first, time));
            }
            let key = (found.tag.source.get(), found.tag.message.get());
            let row = counts.entry(key).or_insert((found.tag, Count::default()));
            for count in [&mut row.1, &mut total] {
                count.records += 1;
                count.bytes += len;
                count.timed += u64::from(timed);
            }
            if total.records % 4096 == 0 {
                bar.at(found.position - first_position);
            }
            Ok(())
        })?;
        drop(bar);
        let span = times
            .and_then(|(first, last)| last.duration_since(first).ok())
            .filter(|span| !span.is_zero());
        let mut rows: Vec<_> = counts.into_values().collect();
        rows.sort_by_key(|(_, count)| std::cmp::Reverse(count.records));
        let schema = range.reader.schema();
        let first = times.map(|(first, _)| times::text(first));
        let last = times.map(|(_, last)| times::text(last));
        if self.json {
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
            })?;
            return Ok(Exit::found(total.records > 0));
        }
        if let (Some(first), Some(last), Some(span)) = (first, last, span) {
            writeln!(out, "{first} to {last}, {:.3} s", span.as_secs_f64())?;
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
