//! A schema as text, one fact a line: a word that says what it is, and fields with a tab before each.
//!
//! | word | fields |
//! |---|---|
//! | `message` | id, name, codec, path, size, align, layout (16 hex digits) |
//! | `source` | id, name |
//! | `table` | name; the lines up to the next one are about it |
//! | `outside` | source id, name of its type |
//! | `dropped` | source id, message id |
//! | `worker` | name; the handlers and routes up to the next one are its |
//! | `handler` | name, source id, name of its type |
//! | `route` | source id, message id, receivers: indices with a comma between two |
//!
//! `shape.rs` has the lines of shapes, which stand in a file of their own. In a field `\\`, `\t`, `\n` and `\r` are a backslash, a tab, and the ends of a line; all else is as it is.

use core::fmt::{self, Display, Write};
use core::str::FromStr;

use super::{
    DroppedEntry, HandlerEntry, MessageEntry, OutsideEntry, RouteEntry, Schema, SourceEntry, Table,
    WorkerEntry, shape,
};
use crate::bus::{MessageId, SourceId};

/// Writes `schema` at the end of `to`.
pub(super) fn write(to: &mut String, schema: &Schema) {
    let mut to = Lines(to);
    for message in &schema.messages {
        to.word("message").field(message.id);
        to.field(Escaped(&message.name))
            .field(Escaped(&message.codec));
        to.field(Escaped(&message.path)).field(message.size);
        to.field(message.align)
            .field(format_args!("{:016x}", message.layout));
        to.end();
    }
    for source in &schema.sources {
        to.word("source").field(source.id);
        to.field(Escaped(&source.name)).end();
    }
    for table in &schema.tables {
        to.word("table").field(Escaped(&table.name)).end();
        for outside in &table.outside {
            to.word("outside").field(outside.source);
            to.field(Escaped(&outside.type_name)).end();
        }
        for dropped in &table.dropped {
            to.word("dropped").field(dropped.source);
            to.field(dropped.message).end();
        }
        for worker in &table.workers {
            to.word("worker").field(Escaped(&worker.name)).end();
            for handler in &worker.handlers {
                to.word("handler").field(Escaped(&handler.name));
                to.field(handler.source).field(Escaped(&handler.type_name));
                to.end();
            }
            for route in &worker.routes {
                let receivers: Vec<String> =
                    route.receivers.iter().map(ToString::to_string).collect();
                to.word("route").field(route.source).field(route.message);
                to.field(receivers.join(",")).end();
            }
        }
    }
}

/// A text that is written line by line.
pub(super) struct Lines<'a>(pub(super) &'a mut String);

impl Lines<'_> {
    pub(super) fn word(&mut self, word: &str) -> &mut Self {
        self.0.push_str(word);
        self
    }

    pub(super) fn field(&mut self, field: impl Display) -> &mut Self {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "\t{field}");
        self
    }

    pub(super) fn end(&mut self) {
        self.0.push('\n');
    }
}

/// A text as a field.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            match char {
                '\\' => f.write_str("\\\\")?,
                '\t' => f.write_str("\\t")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The fields of one line, one after the other.
pub(super) struct Fields<'a> {
    word: &'a str,
    rest: core::str::Split<'a, char>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        let mut rest = line.split('\t');
        let word = rest.next().unwrap_or_default();
        Self { word, rest }
    }

    pub(super) fn is(&self, word: &str) -> bool {
        self.word == word
    }

    fn raw(&mut self, what: &str) -> Result<&'a str, String> {
        (self.rest.next()).ok_or_else(|| format!("a `{}` without its {what}", self.word))
    }

    /// What is wrong with the field `raw`, which should be `what`.
    fn wrong<T>(&self, what: &str, raw: &str) -> Result<T, String> {
        Err(format!("a `{}` with {raw:?} as its {what}", self.word))
    }

    /// A name: any text.
    pub(super) fn text(&mut self, what: &str) -> Result<String, String> {
        let raw = self.raw(what)?;
        let mut text = String::with_capacity(raw.len());
        let mut chars = raw.chars();
        while let Some(char) = chars.next() {
            text.push(match char {
                '\\' => match chars.next() {
                    Some('\\') => '\\',
                    Some('t') => '\t',
                    Some('n') => '\n',
                    Some('r') => '\r',
                    _ => return self.wrong(what, raw),
                },
                other => other,
            });
        }
        Ok(text)
    }

    /// A decimal number.
    pub(super) fn number<T: FromStr>(&mut self, what: &str) -> Result<T, String> {
        let raw = self.raw(what)?;
        // `parse` takes a sign.
        let number = raw.parse().ok().filter(|_| !raw.starts_with('+'));
        number.map_or_else(|| self.wrong(what, raw), Ok)
    }

    /// A number of `digits` hexadecimal digits.
    pub(super) fn hex(&mut self, what: &str, digits: usize) -> Result<u128, String> {
        let raw = self.raw(what)?;
        let plain = raw.len() == digits && raw.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(raw, 16).ok().filter(|_| plain);
        number.map_or_else(|| self.wrong(what, raw), Ok)
    }

    pub(super) fn end(mut self) -> Result<(), String> {
        match self.rest.next() {
            Some(more) => self.wrong("end", more),
            None => Ok(()),
        }
    }
}

/// Takes in one line; the error says what is wrong with it.
pub(super) fn read(schema: &mut Schema, line: &str) -> Result<(), String> {
    let mut fields = Fields::of(line);
    match fields.word {
        "message" => {
            let entry = MessageEntry {
                id: MessageId::new(fields.number("id")?),
                name: fields.text("name")?,
                codec: fields.text("codec")?,
                path: fields.text("path")?,
                size: fields.number("size")?,
                align: fields.number("alignment")?,
                layout: fields.hex("layout", 16)? as u64,
            };
            let id = entry.id;
            once(schema.add_message(entry), "message", id)?;
        }
        "source" => {
            let entry = SourceEntry {
                id: SourceId::new(fields.number("id")?),
                name: fields.text("name")?,
            };
            let id = entry.id;
            once(schema.add_source(entry), "source", id)?;
        }
        "table" => {
            let name = fields.text("name")?;
            once(schema.table(&name).is_none(), "table", &name)?;
            schema.tables.push(Table {
                name,
                ..Table::default()
            });
        }
        "outside" => {
            let entry = OutsideEntry {
                source: source(schema, &mut fields)?,
                type_name: fields.text("type's name")?,
            };
            last_table(schema)?.outside.push(entry);
        }
        "dropped" => {
            let entry = DroppedEntry {
                source: source(schema, &mut fields)?,
                message: message(schema, &mut fields)?,
            };
            last_table(schema)?.dropped.push(entry);
        }
        "worker" => {
            let entry = WorkerEntry {
                name: fields.text("name")?,
                ..WorkerEntry::default()
            };
            last_table(schema)?.workers.push(entry);
        }
        "handler" => {
            let entry = HandlerEntry {
                name: fields.text("name")?,
                source: source(schema, &mut fields)?,
                type_name: fields.text("type's name")?,
            };
            last_worker(schema)?.handlers.push(entry);
        }
        "route" => {
            let entry = RouteEntry {
                source: source(schema, &mut fields)?,
                message: message(schema, &mut fields)?,
                receivers: receivers(&mut fields)?,
            };
            last_worker(schema)?.routes.push(entry);
        }
        word => shape::read(schema, word, &mut fields)?,
    }
    fields.end()
}

pub(super) fn once(is_first: bool, kind: &str, which: impl Display) -> Result<(), String> {
    if is_first {
        Ok(())
    } else {
        Err(format!("a second {kind} {which}"))
    }
}

fn source(schema: &Schema, fields: &mut Fields<'_>) -> Result<SourceId, String> {
    let id = SourceId::new(fields.number("source")?);
    let known = schema.source(id).map(|entry| entry.id);
    known.ok_or_else(|| format!("a `{}` of the source {id}, which has no line", fields.word))
}

fn message(schema: &Schema, fields: &mut Fields<'_>) -> Result<MessageId, String> {
    let id = MessageId::new(fields.number("message")?);
    let known = schema.message(id).map(|entry| entry.id);
    known.ok_or_else(|| {
        let word = fields.word;
        format!("a `{word}` of the message {id}, which has no line")
    })
}

fn receivers(fields: &mut Fields<'_>) -> Result<Vec<u16>, String> {
    let raw = fields.raw("receivers")?;
    if raw.is_empty() {
        return Ok(Vec::new());
    }
    let receivers: Result<_, _> = raw.split(',').map(u16::from_str).collect();
    receivers.or_else(|_| fields.wrong("receivers", raw))
}

fn last_table(schema: &mut Schema) -> Result<&mut Table, String> {
    let last = schema.tables.last_mut();
    last.ok_or_else(|| "a line of a table before the first `table`".into())
}

fn last_worker(schema: &mut Schema) -> Result<&mut WorkerEntry, String> {
    let last = last_table(schema)?.workers.last_mut();
    last.ok_or_else(|| "a line of a worker before the table's first `worker`".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "source\t1\tPing\nmessage\t7\tBall\tbincode\t\t0\t1\t0000000000000000\n";

    fn read_all(text: &str) -> Result<Schema, String> {
        let mut schema = Schema::default();
        for line in text.lines() {
            read(&mut schema, line)?;
        }
        Ok(schema)
    }

    #[test]
    fn a_table_reads_as_documented() {
        let text = format!(
            "{BEFORE}table\tGame\noutside\t1\tPing\ndropped\t1\t7\nworker\ta\\tb\\\\\nhandler\tx\t1\tPing\n\
             route\t1\t7\t0,1\nroute\t1\t7\t\nworker\tc\n"
        );
        let schema = read_all(&text).unwrap();
        let table = schema.table("Game").unwrap();
        assert_eq!(table.workers[0].name, "a\tb\\");
        assert_eq!(table.workers[0].routes[0].receivers, [0, 1]);
        assert!(table.workers[0].routes[1].receivers.is_empty());
        assert_eq!((table.workers.len(), table.dropped.len()), (2, 1));
        let mut again = String::new();
        write(&mut again, &schema);
        assert_eq!(read_all(&again), Ok(schema));
    }

    #[test]
    fn says_what_is_wrong_with_a_line() {
        for (line, why) in [
            ("", "a line that begins with \"\""),
            ("massage\t1", "a line that begins with \"massage\""),
            ("source\t2", "a `source` without its name"),
            ("source\t+2\tPong", "a `source` with \"+2\" as its id"),
            ("source\t65536\tPong", "a `source` with \"65536\" as its id"),
            (
                "source\t2\tPo\\ng\\",
                "a `source` with \"Po\\\\ng\\\\\" as its name",
            ),
            ("source\t2\tPong\t3", "a `source` with \"3\" as its end"),
            ("source\t1\tPong", "a second source 1"),
            (
                "message\t7\tB\tc\tp\t0\t1\t0000000000000000",
                "a second message 7",
            ),
            (
                "message\t8\tB\tc\tp\t0\t1\t00",
                "a `message` with \"00\" as its layout",
            ),
            (
                "message\t8\tB\tc\tp\t0\t1\t+000000000000000",
                "a `message` with \"+000000000000000\" as its layout",
            ),
            ("worker\tw", "a line of a table before the first `table`"),
            ("table\tGame\ntable\tGame", "a second table Game"),
            (
                "table\tGame\nroute\t1\t7\t",
                "a line of a worker before the table's first `worker`",
            ),
            (
                "table\tGame\ndropped\t3\t7",
                "a `dropped` of the source 3, which has no line",
            ),
            (
                "table\tGame\ndropped\t1\t8",
                "a `dropped` of the message 8, which has no line",
            ),
            (
                "table\tGame\nworker\tw\nroute\t1\t7\t1,",
                "a `route` with \"1,\" as its receivers",
            ),
        ] {
            assert_eq!(
                read_all(&format!("{BEFORE}{line}\n")),
                Err(why.into()),
                "{line:?}"
            );
        }
    }
}
