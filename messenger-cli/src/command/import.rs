use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Args;
use messenger::bus::{ClaimError, MessageId, Publisher, SourceId, Tag};
use messenger::journal::{Journal, JournalConfig, OpenError, OpenFault, Schema};
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

/// A line, read.
enum Line {
    Header { schema: Schema, segment_bytes: u64 },
    Record(ReadLine),
}

/// What takes lines in.
struct Importer {
    decoder: Decoder,
    /// `None`: there is none yet, and the first line says how long its segments are to be.
    journal: Option<Target>,
    /// Whether a line has said a schema.
    told: bool,
    /// The time of the records that were published last, which is yet to be noted.
    time: Option<SystemTime>,
    done: ImportJson,
}

/// The journal that they go into.
struct Target {
    journal: Journal,
    publisher: Publisher,
    schema: Schema,
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
        let mut importer = Importer {
            decoder: self.decode.open()?,
            // Before a line is read: that somebody else has it is the fault of none.
            journal: Target::of(Journal::open_existing(&self.dir, self.config(None)))?,
            told: false,
            time: None,
            done: ImportJson::default(),
        };
        let taken = self.lines(input, name, bar, &mut importer);
        let told = importer.told;
        // Also after a line that can't be taken: those before it have their times.
        let closed = importer.close();
        taken?;
        match told {
            true => closed,
            false => Err(Fail::error(format!(
                "{} is empty: give it what `messenger export` wrote",
                name.display()
            ))),
        }
    }

    fn lines(
        &self,
        mut input: Box<dyn BufRead>,
        name: &Path,
        bar: &Bar,
        importer: &mut Importer,
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
            let line = Line::read(&text);
            if let (Ok(Line::Header { segment_bytes, .. }), None) = (&line, &importer.journal) {
                let config = self.config(Some(*segment_bytes));
                importer.journal = Target::of(Journal::open(&self.dir, config))?;
            }
            if let Err(fail) = line.and_then(|line| importer.take(&line)) {
                let before = units::count(importer.done.records, "record");
                return Err(fail.after(format_args!(
                    "line {number} of {}, after {before} that were imported",
                    name.display()
                )));
            }
        }
    }

    /// For a journal whose segments are as long as was asked for, or else as those that were exported.
    fn config(&self, exported: Option<u64>) -> JournalConfig {
        // The times are those of the records.
        let config = JournalConfig::new().time_resolution(Duration::ZERO);
        match self.segment_bytes.or(exported) {
            Some(bytes) => config.segment_bytes(bytes),
            None => config,
        }
    }
}

impl Line {
    fn read(text: &[u8]) -> Result<Self, Fail> {
        let wrong = |error: serde_json::Error| Fail::error(format!("it can't be read: {error}"));
        // Most lines are records.
        let error = match serde_json::from_slice(text) {
            Ok(record) => return Ok(Self::Record(record)),
            Err(error) => error,
        };
        let value: Value = serde_json::from_slice(text).map_err(wrong)?;
        if value.get("messenger_export").is_none() {
            return Err(wrong(error));
        }
        let version = value["messenger_export"].as_u64();
        if version.is_some_and(|version| version > u64::from(VERSION)) {
            return Err(Fail::error(format!(
                "it is an export of version {}, and this program knows versions up to {VERSION}: use a newer one",
                value["messenger_export"]
            )));
        }
        let header: HeaderLine = serde_json::from_value(value).map_err(wrong)?;
        Ok(Self::Header {
            schema: header.schema.schema()?,
            segment_bytes: header.journal.segment_bytes,
        })
    }
}

impl Target {
    /// The journal that was opened, if there is one.
    fn of(opened: Result<Journal, OpenError>) -> Result<Option<Self>, Fail> {
        let journal = match opened {
            Err(error) if matches!(error.fault(), OpenFault::Absent) => return Ok(None),
            opened => opened?,
        };
        if let Some(dropped) = &journal.recovery().dropped {
            warn(dropped);
        }
        Ok(Some(Self {
            publisher: journal.bus().publisher()?,
            schema: journal.schema(),
            journal,
        }))
    }

    /// Notes by when the last records had been published, if that is known.
    fn note(&mut self, time: Option<SystemTime>) -> Result<(), Fail> {
        if let Some(time) = time {
            self.journal.note_time(&mut self.publisher, time)?;
        }
        Ok(())
    }
}

impl Importer {
    fn take(&mut self, line: &Line) -> Result<(), Fail> {
        match line {
            Line::Header { schema, .. } => self.header(schema),
            Line::Record(record) => self.record(record),
        }
    }

    fn header(&mut self, schema: &Schema) -> Result<(), Fail> {
        if let Some(to) = &mut self.journal {
            to.journal.admit(schema)?;
            to.schema = to.journal.schema();
            self.decoder.note_useless(&to.schema);
            self.told = true;
        }
        Ok(())
    }

    fn record(&mut self, record: &ReadLine) -> Result<(), Fail> {
        let Some(to) = self.journal.as_mut().filter(|_| self.told) else {
            return Err(Fail::error(
                "no schema stands before it: the first line is {\"messenger_export\":1,...}, as `messenger export` writes it",
            ));
        };
        let payload = payload_of(record, &mut self.decoder, &to.schema)?;
        let time = match &record.time {
            Some(text) => Some(time(text)?),
            None => None,
        };
        if self.time != time {
            to.note(self.time)?;
            self.time = time;
        }
        let tag = Tag::new(
            SourceId::new(record.source.id),
            MessageId::new(record.message.id),
        );
        let sent = to.publisher.send(tag, &payload);
        let position = sent.map_err(|error| match error {
            ClaimError::TooLarge { .. } => Fail::from(error)
                .after("it needs longer segments (--segment-bytes, for a new journal)"),
            error => error.into(),
        })?;
        self.done.records += 1;
        self.done.first.get_or_insert(position);
        self.done.last = Some(position);
        Ok(())
    }

    fn close(mut self) -> Result<ImportJson, Fail> {
        if let Some(mut to) = self.journal {
            to.note(self.time)?;
            self.done.end = to.journal.bus().tail();
            drop(to.publisher);
            to.journal.close()?;
        }
        Ok(self.done)
    }
}

/// What its payload says in hex; or, where that is left out, a payload that says what was decoded.
fn payload_of(record: &ReadLine, decoder: &mut Decoder, schema: &Schema) -> Result<Vec<u8>, Fail> {
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
    let payload = decoder.encode(MessageId::new(record.message.id), schema, &value);
    payload.map_err(|fail| fail.after("no payload can be made of what is decoded"))
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
