use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use messenger::journal::Reader;
use serde::Serialize;

use crate::fail::{Exit, Fail};
use crate::out::{FAINT, HEAD, NAME, Out};
use crate::schema_json::SchemaJson;
use crate::show::plain;
use crate::{hex, times, units};

/// Says what a journal is and holds: its extent, the names in its schema, its tables and cursors
///
/// JSON: path, id, created, segment_bytes, segments (where each begins), disk_bytes, oldest, newest, synced, schema
/// {messages, sources, tables, shapes}, cursors [{name, position, stored, behind}].
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
    synced: u64,
    schema: SchemaJson,
    cursors: Vec<CursorJson>,
}

/// A cursor, as `info` and `cursors list` tell it.
#[derive(Serialize)]
pub(super) struct CursorJson {
    pub(super) name: String,
    pub(super) position: u64,
    /// When it was stored.
    pub(super) stored: String,
    /// Bytes between it and the newest position.
    pub(super) behind: u64,
}

/// All cursors of a journal.
pub(super) fn cursors(reader: &Reader) -> Result<Vec<CursorJson>, Fail> {
    let newest = reader.newest()?;
    let cursors = reader.cursors()?.into_iter().map(|cursor| CursorJson {
        position: cursor.position,
        stored: times::text(cursor.time),
        behind: newest.saturating_sub(cursor.position),
        name: cursor.name,
    });
    Ok(cursors.collect())
}

impl Info {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let reader = Reader::open(&self.dir)?;
        let segments = reader.segments()?;
        // Before the newest: while it is written, and trimmed, each of them moves on.
        let oldest = segments.first().copied().unwrap_or(0);
        let newest = reader.newest()?;
        let info = InfoJson {
            path: self.dir.display().to_string(),
            id: hex::encode(&reader.id()),
            created: times::text(reader.created()),
            segment_bytes: reader.segment_bytes(),
            disk_bytes: self.disk_bytes(&segments),
            oldest,
            newest,
            synced: reader.synced()?,
            schema: SchemaJson::from(reader.schema()),
            cursors: cursors(&reader)?,
            segments,
        };
        if self.json {
            out.json(&info)?;
        } else {
            show(out, &reader, &info)?;
        }
        Ok(Exit::Done)
    }

    fn disk_bytes(&self, segments: &[u64]) -> u64 {
        let len = |base: &u64| fs::metadata(self.dir.join(format!("{base:020}.segment")));
        // One that is given up meanwhile takes nothing.
        segments.iter().flat_map(len).map(|file| file.len()).sum()
    }
}

fn show(out: &mut Out, reader: &Reader, info: &InfoJson) -> Result<(), Fail> {
    let schema = reader.schema();
    let segments = units::count(info.segments.len() as u64, "segment");
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
        ("synced", format!("up to {}, or further", info.synced)),
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
                    let name = out.paint(NAME, &cursor.name);
                    let behind = units::bytes(cursor.behind);
                    writeln!(out, "{:>9}  {name}  {behind} behind", cursor.position)?;
                }
            }
        }
    }
    Ok(())
}
