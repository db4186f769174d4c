use std::fs::File;
use std::io::{BufWriter, IsTerminal, Write};
use std::path::PathBuf;

use clap::Args;

use crate::fail::{Exit, Fail};
use crate::out::{self, Out};
use crate::payload::{DecodeArgs, Decoder};
use crate::progress::Bar;
use crate::range::{Range, RangeArgs};
use crate::record::RecordLine;
use crate::schema_json::{HeaderLine, JournalJson, SchemaJson, VERSION};
use crate::{hex, times};

/// Writes the records of a journal as lines of JSON, for `import` and others
///
/// The first line is {messenger_export: 1, journal {id, created, segment_bytes}, schema {messages, sources, tables, shapes}}.
/// Each other line is a record: position, time (RFC 3339, or null if none was noted after it), source {id, name}, message {id,
/// name, codec}, payload (hex), and if it is known what the message is made of what it says: decoded, or undecoded (why it does
/// not). Of zero-copy messages the journal knows it; for the codec prost --descriptor says it, for bincode and postcard --schema.
/// `import` goes by ids and payload.
///
/// Ends with 4 if there is no record in the range.
#[derive(Args)]
pub(crate) struct Export {
    /// The journal's directory
    dir: PathBuf,
    /// Write to this file; else to stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    decode: DecodeArgs,
}

impl Export {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        // First, so that no file is written over for nothing.
        let (decoder, range) = (self.decode.open()?, self.range.open(&self.dir)?);
        decoder.note_useless(range.reader.schema());
        let Some(path) = &self.output else {
            let shown = std::io::stdout().is_terminal();
            return write(out, decoder, range, shown);
        };
        let failed = || Fail::file("write", path);
        let file = File::create(path).map_err(failed())?;
        let mut file = BufWriter::new(file);
        let done = write(&mut file, decoder, range, false)?;
        file.flush().map_err(failed())?;
        Ok(done)
    }
}

/// `shown`: the lines go where a progress bar would.
fn write(
    to: &mut impl Write,
    mut decoder: Decoder,
    mut range: Range,
    shown: bool,
) -> Result<Exit, Fail> {
    let schema = range.reader.schema().clone();
    out::json(
        &mut *to,
        &HeaderLine {
            messenger_export: VERSION,
            journal: JournalJson {
                id: hex::encode(&range.reader.id()),
                created: times::text(range.reader.created()),
                segment_bytes: range.reader.segment_bytes(),
            },
            schema: SchemaJson::from(&schema),
        },
    )?;
    let first = range.reader.position();
    let bar = (!shown).then(|| Bar::bytes("exporting", range.end.saturating_sub(first)));
    let mut number = 0_u64;
    range.each(|found| {
        number += 1;
        if let (Some(bar), 0) = (&bar, number % 1024) {
            bar.at(found.position - first);
        }
        let line = RecordLine::new(&found, &schema, &mut decoder)?;
        Ok(out::json(&mut *to, &line)?)
    })?;
    Ok(Exit::found(number > 0))
}
