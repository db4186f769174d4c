use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use messenger::journal::Reader;
use serde::Serialize;

use crate::fail::{Exit, Fail, unread};
use crate::out::{BAD, FAINT, HEAD, NAME, Out};
use crate::schema_json::SchemaJson;
use crate::show::plain;
use crate::{hex, times, units};

/// Says what a journal is and holds: its extent, the names in its schema, its tables and cursors
///
/// JSON: path, id, created, segment_bytes, segments (where each begins), disk_bytes, oldest, newest, oldest_time and newest_time (or null),
/// ahead_bytes (ready for what comes), synced, unsynced_since (when the oldest message that is not synced had been published, or null), flushes
/// and longest_flush_seconds (since it was opened for writing last), schema {messages, sources, tables, shapes}, cursors [{name, position, stored, behind};
/// {name, error} of one that can't be read].
///
/// Ends with 3 if a cursor is damaged, after all that can be said.
#[derive(Args)]
pub(crate) struct Info {
    /// The journal's directory
    dir: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct InfoJson {
    path: String,
    id: String,
    created: String,
    segment_bytes: u64,
    segments: Vec<u64>,
    /// What the segments' files take on the disk.
    disk_bytes: u64,
    oldest: u64,
    newest: u64,
    oldest_time: Option<String>,
    newest_time: Option<String>,
    ahead_bytes: u64,
    synced: u64,
    unsynced_since: Option<String>,
    flushes: u64,
    longest_flush_seconds: f64,
    schema: SchemaJson,
    cursors: Vec<CursorJson>,
}

/// A cursor, as `info` and `cursors list` tell it.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum CursorJson {
    Read {
        name: String,
        position: u64,
        /// When it was stored.
        stored: String,
        /// Bytes between it and the newest position.
        behind: u64,
    },
    Unread {
        name: String,
        error: String,
    },
}

/// In place of what a cursor says that can't be read.
pub(super) const UNREAD: &str = "can't be read";

impl CursorJson {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Read { name, .. } | Self::Unread { name, .. } => name,
        }
    }
}

/// All cursors of a journal; and what the command ends with that shows them, if some can't be read.
pub(super) fn cursors(reader: &Reader) -> Result<(Vec<CursorJson>, Result<Exit, Fail>), Fail> {
    let newest = reader.newest()?;
    let (mut cursors, mut end) = (Vec::new(), Ok(Exit::Done));
    for cursor in reader.each_cursor()? {
        cursors.push(match cursor {
            Ok(cursor) => CursorJson::Read {
                position: cursor.position,
                stored: times::text(cursor.time),
                behind: newest.saturating_sub(cursor.position),
                name: cursor.name,
            },
            Err(error) => {
                let (name, text) = (error.name().to_owned(), error.to_string());
                end = Err(match end {
                    Err(fail) => Fail::and(fail, error.into()),
                    Ok(_) => error.into(),
                });
                CursorJson::Unread { name, error: text }
            }
        });
    }
    Ok((cursors, end))
}

impl Info {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let reader = Reader::open(&self.dir)?;
        let segments = reader.segments()?;
        let stats = reader.stats()?;
        let (cursors, end) = cursors(&reader)?;
        let info = InfoJson {
            path: self.dir.display().to_string(),
            id: hex::encode(&reader.id()),
            created: times::text(reader.created()),
            segment_bytes: reader.segment_bytes(),
            disk_bytes: stats.disk_bytes,
            oldest: stats.oldest,
            newest: stats.newest,
            oldest_time: stats.oldest_time.map(times::text),
            newest_time: stats.newest_time.map(times::text),
            ahead_bytes: stats.ahead,
            synced: stats.synced,
            unsynced_since: stats.unsynced_since.map(times::text),
            flushes: stats.flushes,
            longest_flush_seconds: stats.longest_flush.as_secs_f64(),
            schema: SchemaJson::from(reader.schema()),
            cursors,
            segments,
        };
        unread(match self.json {
            true => out.json(&info).map_err(Fail::from),
            false => show(out, &reader, &info),
        })?;
        end
    }
}

fn show(out: &mut Out, reader: &Reader, info: &InfoJson) -> Result<(), Fail> {
    let schema = reader.schema();
    let segments = units::count(info.segments.len() as u64, "segment");
    let extent = match (&info.oldest_time, &info.newest_time) {
        (Some(oldest), Some(newest)) => format!("{oldest} to {newest}"),
        (Some(time), None) | (None, Some(time)) => time.clone(),
        (None, None) => "none known".into(),
    };
    let since = info.unsynced_since.iter();
    let since = since.map(|since| format!("; what comes then is of {since}"));
    let synced = format!("up to {}, or further", info.synced) + &since.collect::<String>();
    for (word, text) in [
        ("journal", info.path.clone()),
        ("id", info.id.clone()),
        ("created", info.created.clone()),
        (
            "segments",
            format!(
                "{segments} of {}, {} on disk",
                units::bytes(info.segment_bytes),
                units::bytes(info.disk_bytes)
            ),
        ),
        (
            "positions",
            format!(
                "{} to {}, {}",
                info.oldest,
                info.newest,
                units::bytes(info.newest - info.oldest)
            ),
        ),
        ("times", extent),
        ("synced", synced),
    ] {
        let word = out.paint(HEAD, word);
        writeln!(out, "{word:<9}  {text}")?;
    }
    for (word, number) in [
        ("messages", schema.messages().len()),
        ("sources", schema.sources().len()),
        ("tables", schema.tables().len()),
        ("cursors", info.cursors.len()),
    ] {
        let head = out.paint(HEAD, word);
        writeln!(out, "{head:<9}  {number}")?;
        match word {
            "messages" => {
                for message in schema.messages() {
                    let size = match message.size {
                        0 => String::new(),
                        size => format!(", {size} bytes"),
                    };
                    let rest = out.paint(FAINT, format!("{}{size}", plain(&message.codec)));
                    let name = out.paint(NAME, plain(&message.name));
                    writeln!(out, "{:>9}  {name}  {rest}", message.id)?;
                }
            }
            "sources" => {
                for source in schema.sources() {
                    let name = out.paint(NAME, plain(&source.name));
                    writeln!(out, "{:>9}  {name}", source.id)?;
                }
            }
            "tables" => {
                for table in schema.tables() {
                    let handlers = table
                        .workers
                        .iter()
                        .map(|w| w.handlers.len())
                        .sum::<usize>();
                    let routes = table.workers.iter().map(|w| w.routes.len()).sum::<usize>();
                    let name = out.paint(NAME, plain(&table.name));
                    writeln!(
                        out,
                        "           {name}  {}, {}, {}",
                        units::count(table.workers.len() as u64, "worker"),
                        units::count(handlers as u64, "handler"),
                        units::count(routes as u64, "route"),
                    )?;
                }
            }
            _ => {
                for cursor in &info.cursors {
                    let name = out.paint(NAME, cursor.name());
                    match cursor {
                        CursorJson::Read {
                            position, behind, ..
                        } => {
                            let behind = units::bytes(*behind);
                            writeln!(out, "{position:>9}  {name}  {behind} behind")?;
                        }
                        CursorJson::Unread { .. } => {
                            let unread = out.paint(BAD, UNREAD);
                            writeln!(out, "{:>9}  {name}  {unread}", "-")?;
                        }
                    }
                }
            }
        }
    }
    Ok(())
}
