//! Records as they are shown: for people, or as JSON.

use std::collections::HashSet;
use std::io::Write;
use std::path::Path;

use clap::Args;
use messenger::bus::{MessageId, SourceId, Tag};
use messenger::journal::{Reader, Schema};

use crate::fail::Fail;
use crate::out::{BAD, FAINT, NAME, Out};
use crate::payload::{self, DecodeArgs, Decoder};
use crate::range::Found;
use crate::record::RecordLine;
use crate::{hex, times};

/// How much of a payload is shown, unless all is asked for.
const SHOWN: usize = 64;

/// The options.
#[derive(Args)]
pub(crate) struct ShowArgs {
    /// One JSON object a line: position, time, source {id, name}, message {id, name, codec}, payload (hex), and decoded or
    /// undecoded (why)
    #[arg(long)]
    json: bool,
    /// The whole of each payload, however long; JSON always has it
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    decode: DecodeArgs,
}

/// Gives a schema as it is now, if it can be had.
pub(crate) type Learn = Box<dyn Fn() -> Option<Schema>>;

/// That of the journal in `dir`.
pub(crate) fn learn_from(dir: &Path) -> Learn {
    let dir = dir.to_owned();
    Box::new(move || Some(Reader::open(&dir).ok()?.schema().clone()))
}

/// Shows records.
pub(crate) struct Show {
    schema: Schema,
    /// Gives it as it is now.
    learn: Learn,
    /// Ids of which no name was found when it was looked for last.
    nameless: HashSet<Tag>,
    decoder: Decoder,
    json: bool,
    full: bool,
    /// How wide the names of sources and messages are shown.
    widths: (usize, usize),
}

impl ShowArgs {
    pub(crate) fn open(&self, schema: &Schema, learn: Learn) -> Result<Show, Fail> {
        let decoder = self.decode.open()?;
        decoder.note_useless(schema);
        Ok(Show {
            schema: schema.clone(),
            learn,
            nameless: HashSet::new(),
            decoder,
            json: self.json,
            full: self.full,
            widths: widths(schema),
        })
    }
}

impl Show {
    pub(crate) fn record(&mut self, out: &mut Out, found: &Found<'_>) -> Result<(), Fail> {
        self.learn(found.tag);
        if self.json {
            let line = RecordLine::new(found, &self.schema, &mut self.decoder)?;
            out.json(&line)?;
            return Ok(());
        }
        let time = match found.time {
            Some(time) => times::text(time),
            None => "-".to_owned(),
        };
        let source = source_name(&self.schema, found.tag.source);
        let message = message_name(&self.schema, found.tag.message);
        let position = out.paint(FAINT, found.position);
        write!(out, "{position:>12}  {time:<30}  ")?;
        let (source, message) = (out.paint(NAME, source), out.paint(NAME, message));
        let (wide, wider) = self.widths;
        write!(out, "{source:<wide$} {message:<wider$}  ")?;
        match self
            .decoder
            .decode(found.tag.message, &self.schema, found.payload)?
        {
            Some(Ok(value)) => writeln!(out, "{}", plain(&value.to_string()))?,
            Some(Err(why)) => {
                self.bytes(out, found.payload)?;
                let why = out.paint(BAD, plain(&why));
                writeln!(out, "  {why}")?;
            }
            None => {
                self.bytes(out, found.payload)?;
                writeln!(out)?;
            }
        }
        Ok(())
    }

    fn bytes(&self, out: &mut Out, payload: &[u8]) -> Result<(), Fail> {
        if payload.is_empty() {
            let empty = out.paint(FAINT, "(empty)");
            write!(out, "{empty}")?;
            return Ok(());
        }
        let shown = if self.full {
            payload.len()
        } else {
            payload.len().min(SHOWN)
        };
        write!(out, "{}", hex::encode(&payload[..shown]))?;
        if shown < payload.len() {
            let rest = out.paint(FAINT, format!("... ({} bytes)", payload.len()));
            write!(out, "{rest}")?;
        }
        if let Some(text) = payload::text(payload) {
            let cut: String = text
                .chars()
                .take(if self.full { usize::MAX } else { SHOWN })
                .collect();
            let dots = if cut.len() < text.len() { "..." } else { "" };
            let text = out.paint(FAINT, format!("\"{cut}\"{dots}"));
            write!(out, "  {text}")?;
        }
        Ok(())
    }

    /// Looks for names that a program may have brought since.
    fn learn(&mut self, tag: Tag) {
        let named =
            self.schema.source(tag.source).is_some() && self.schema.message(tag.message).is_some();
        if named || self.nameless.contains(&tag) {
            return;
        }
        if let Some(schema) = (self.learn)() {
            self.schema = schema;
            self.widths = widths(&self.schema);
        }
        self.nameless.insert(tag);
    }
}

/// How wide the names of a schema's sources and messages are, but for very long ones.
fn widths(schema: &Schema) -> (usize, usize) {
    let widest = |names: &mut dyn Iterator<Item = &String>| {
        let widths = names.map(|name| name.chars().count());
        widths.filter(|&width| width <= 32).max().unwrap_or(0)
    };
    let sources = &mut schema.sources().iter().map(|entry| &entry.name);
    let messages = &mut schema.messages().iter().map(|entry| &entry.name);
    (widest(sources), widest(messages))
}

/// The name of a source, or its id.
pub(crate) fn source_name(schema: &Schema, id: SourceId) -> String {
    let entry = schema.source(id);
    entry.map_or_else(|| format!("source:{id}"), |entry| plain(&entry.name))
}

/// The name of a message, or its id.
pub(crate) fn message_name(schema: &Schema, id: MessageId) -> String {
    let entry = schema.message(id);
    entry.map_or_else(|| format!("message:{id}"), |entry| plain(&entry.name))
}

/// A text out of a journal, without what would command a terminal.
pub(crate) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() {
            plain.extend(char.escape_unicode());
        } else {
            plain.push(char);
        }
    }
    plain
}
