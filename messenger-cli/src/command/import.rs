use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use messenger::bus::{ClaimError, MessageId, Publisher, SourceId, Tag};
use messenger::journal::{Journal, JournalConfig, Schema};
use serde::Serialize;
use serde_json::Value;

use crate::fail::{Exit, Fail, warn};
use crate::out::Out;
use crate::payload::{DecodeArgs, Decoder};
use crate::progress::Bar;
use crate::record::ReadLine;
use crate::schema_json::{HeaderLine, VERSION};
use crate::{hex, times, units};

/// Writes records that `export` wrote into a journal, a new one or one that is there
///
/// The first line says the schema, as `export` writes it; what it says of ids has to agree with the journal. Records get
/// new positions, and keep their order, sources, messages, payloads and times. What a line has as decoded is not looked at; but if
/// its payload is left out one is made that says so. No other process may have the journal open for writing. If a line can't be taken, the records before it are in the journal, with their times, and the error says
/// which line it was.
///
/// JSON: records, first, last (positions, or null), end.
#[derive(Args)]
pub(crate) struct Import {
    /// The journal's directory; it is created if there is none, or nothing in it
    dir: PathBuf,
    /// Read from this file; else from stdin
    file: Option<PathBuf>,
    /// The length of a segment of a new journal, in bytes: a power of two from 4096 to 1073741824; else that of the journal
    /// which was exported
    #[arg(long, value_name = "BYTES")]
    segment_bytes: Option<u64>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    decode: DecodeArgs,
}

#[derive(Serialize, Default)]
struct ImportJson {
    records: u64,
    first: Option<u64>,
    last: Option<u64>,
    end: u64,
}

/// A journal that takes lines in.
struct Importer {
    journal: Journal,
    publisher: Publisher,
    schema: Schema,
    decoder: Decoder,
    /// The time of the records that were published last, which is yet to be noted.
    time: Option<SystemTime>,
    done: ImportJson,
}

impl Import {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let (input, bar): (Box<dyn BufRead>, Bar) = match &self.file {
            Some(path) => {
                let file = File::open(path).map_err(Fail::file("read", path))?;
                let len = file.metadata().map_or(0, |file| file.len());
                let bar = Bar::bytes("importing", len);
                (Box::new(BufReader::new(file)), bar)
            }
            None => (Box::new(io::stdin().lock()), Bar::endless("importing")),
        };
        let done = self.take_in(input, &bar)?;
        drop(bar);
        if self.json {
            out.json(&done)?;
        } else if let (Some(first), Some(last)) = (done.first, done.last) {
            let records = units::count(done.records, "record");
            writeln!(out, "{records} imported, positions {first} to {last}")?;
        } else {
            writeln!(out, "no record imported")?;
        }
        Ok(Exit::Done)
    }

    fn take_in(&self, input: Box<dyn BufRead>, bar: &Bar) -> Result<ImportJson, Fail> {
        let name = self.file.as_deref().unwrap_or(Path::new("stdin"));
        let mut importer: Option<Importer> = None;
        let taken = self.lines(input, name, bar, &mut importer);
        // Also after a line that can't be taken: those before it have their times.
        let closed = importer.map(Importer::close).transpose();
        taken?;
        closed?.ok_or_else(|| {
            Fail::error(format!(
                "{} is empty: give it what `messenger export` wrote",
                name.display()
            ))
        })
    }

    fn lines(
        &self,
        mut input: Box<dyn BufRead>,
        name: &Path,
        bar: &Bar,
        importer: &mut Option<Importer>,
    ) -> Result<(), Fail> {
        let (mut text, mut number, mut read) = (Vec::new(), 0_u64, 0);
        loop {
            text.clear();
            number += 1;
            let len = input.read_until(b'\n', &mut text);
            let len = len.map_err(Fail::file("read", name))?;
            if len == 0 {
                return Ok(());
            }
            read += len as u64;
            if number % 1024 == 0 {
                bar.at(read);
            }
            if text.trim_ascii().is_empty() {
                continue;
            }
            if let Err(fail) = self.line(&text, importer) {
                let before = importer.as_ref().map_or(0, |it| it.done.records);
                let before = units::count(before, "record");
                return Err(fail.after(format_args!(
                    "line {number} of {}, after {before} that were imported",
                    name.display()
                )));
            }
        }
    }

    fn line(&self, text: &[u8], importer: &mut Option<Importer>) -> Result<(), Fail> {
        let wrong = |error: serde_json::Error| Fail::error(format!("it can't be read: {error}"));
        // Most lines are records.
        let record: ReadLine = match serde_json::from_slice(text) {
            Ok(record) => record,
            Err(error) => {
                let value: Value = serde_json::from_slice(text).map_err(wrong)?;
                return match value.get("messenger_export") {
                    Some(_) => self.header(value, importer),
                    None => Err(wrong(error)),
                };
            }
        };
        let importer = importer.as_mut().ok_or_else(|| {
            Fail::error(
                "no schema stands before it: the first line is {\"messenger_export\":1,...}, as `messenger export` writes it",
            )
        })?;
        importer.record(&record)
    }

    fn header(&self, value: Value, importer: &mut Option<Importer>) -> Result<(), Fail> {
        let version = value["messenger_export"].as_u64();
        if version.is_some_and(|version| version > u64::from(VERSION)) {
            return Err(Fail::error(format!(
                "it is an export of version {}, and this program knows versions up to {VERSION}: use a newer one",
                value["messenger_export"]
            )));
        }
        let header: HeaderLine = serde_json::from_value(value)
            .map_err(|error| Fail::error(format!("it can't be read: {error}")))?;
        let schema = header.schema.schema()?;
        let importer = match importer {
            Some(importer) => importer,
            None => importer.insert(self.open(header.journal.segment_bytes)?),
        };
        importer.journal.admit(&schema)?;
        importer.schema = importer.journal.schema();
        importer.decoder.note_useless(&importer.schema);
        Ok(())
    }

    fn open(&self, segment_bytes: u64) -> Result<Importer, Fail> {
        let bytes = self.segment_bytes.unwrap_or(segment_bytes);
        let decoder = self.decode.open()?;
        let config = JournalConfig::new()
            .segment_bytes(bytes)
            // The times are those of the records.
            .time_resolution(Duration::ZERO);
        let journal = Journal::open(&self.dir, config)?;
        if let Some(dropped) = &journal.recovery().dropped {
            warn(dropped);
        }
        Ok(Importer {
            publisher: journal.bus().publisher()?,
            schema: journal.schema(),
            decoder,
            journal,
            time: None,
            done: ImportJson::default(),
        })
    }
}

impl Importer {
    fn record(&mut self, record: &ReadLine) -> Result<(), Fail> {
        let payload = self.payload(record)?;
        let time = match &record.time {
            Some(text) => Some(time(text)?),
            None => None,
        };
        if self.time != time {
            self.note()?;
            self.time = time;
        }
        let tag = Tag::new(
            SourceId::new(record.source.id),
            MessageId::new(record.message.id),
        );
        let position = self
            .publisher
            .send(tag, &payload)
            .map_err(|error| match error {
                ClaimError::TooLarge { .. } => Fail::from(error)
                    .after("it needs longer segments (--segment-bytes, for a new journal)"),
                error => error.into(),
            })?;
        self.done.records += 1;
        self.done.first.get_or_insert(position);
        self.done.last = Some(position);
        Ok(())
    }

    /// What its payload says in hex; or, where that is left out, a payload that says what was decoded.
    fn payload(&mut self, record: &ReadLine) -> Result<Vec<u8>, Fail> {
        if let Some(payload) = &record.payload {
            return hex::decode(payload)
                .map_err(|why| Fail::error(format!("its payload is no hex: {why}")));
        }
        let decoded = record
            .decoded
            .as_ref()
            .ok_or_else(|| Fail::error("it has neither a payload nor what one says, `decoded`"))?;
        let value = serde_json::from_str(decoded.get())
            .map_err(|error| Fail::error(format!("what is decoded can't be read: {error}")))?;
        let id = MessageId::new(record.message.id);
        let payload = self.decoder.encode(id, &self.schema, &value);
        payload.map_err(|fail| fail.after("no payload can be made of what is decoded"))
    }

    /// Notes by when the last records had been published.
    fn note(&mut self) -> Result<(), Fail> {
        if let Some(time) = self.time {
            self.journal.note_time(&mut self.publisher, time)?;
        }
        Ok(())
    }

    fn close(mut self) -> Result<ImportJson, Fail> {
        self.note()?;
        self.done.end = self.journal.bus().tail();
        drop(self.publisher);
        self.journal.close()?;
        Ok(self.done)
    }
}

fn time(text: &str) -> Result<SystemTime, Fail> {
    match times::parse(text, SystemTime::now()) {
        Some(Ok(time)) if !text.starts_with('-') => {
            // In nanoseconds since 1970, of 64 bits.
            let since = time.duration_since(UNIX_EPOCH).ok();
            let noted = since.and_then(|since| u64::try_from(since.as_nanos()).ok());
            noted.map(|_| time).ok_or_else(|| {
                Fail::error(format!(
                    "its time {text:?} is none that a journal can note, which are those from 1970 to 2554"
                ))
            })
        }
        Some(Err(why)) => Err(Fail::error(format!("its time can't be read: {why}"))),
        _ => Err(Fail::error(format!(
            "its time {text:?} is none: write RFC 3339, as in 2026-11-27T04:00:00Z"
        ))),
    }
}
