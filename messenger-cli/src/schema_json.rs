//! A journal's schema as JSON, and back: the header line of an export.

use std::fmt::{Display, Write};

use messenger::journal::{
    MessageEntry, Parts, Schema, ShapeEntry, SourceEntry, Table, WorkerEntry,
};
use serde::{Deserialize, Serialize};

use crate::fail::Fail;

/// The version of the format of exports.
pub(crate) const VERSION: u32 = 1;

/// The first line of an export.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct HeaderLine {
    /// The version of this format.
    pub(crate) messenger_export: u32,
    pub(crate) journal: JournalJson,
    pub(crate) schema: SchemaJson,
}

#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct JournalJson {
    /// 32 hex digits.
    pub(crate) id: String,
    pub(crate) created: String,
    pub(crate) segment_bytes: u64,
}

#[derive(Serialize, Deserialize, Default, Debug)]
pub(crate) struct SchemaJson {
    pub(crate) messages: Vec<MessageJson>,
    pub(crate) sources: Vec<SourceJson>,
    #[serde(default)]
    pub(crate) tables: Vec<TableJson>,
    #[serde(default)]
    pub(crate) shapes: Vec<ShapeJson>,
}

#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct MessageJson {
    id: u16,
    name: String,
    #[serde(default)]
    codec: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default = "one")]
    align: u64,
    /// 16 hex digits.
    #[serde(default = "no_layout")]
    layout: String,
}

fn one() -> u64 {
    1
}

fn no_layout() -> String {
    format!("{:016x}", 0)
}

#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct SourceJson {
    id: u16,
    name: String,
}

#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct TableJson {
    name: String,
    outside: Vec<OutsideJson>,
    dropped: Vec<DroppedJson>,
    workers: Vec<WorkerJson>,
}

#[derive(Serialize, Deserialize, Debug)]
struct OutsideJson {
    source: u16,
    type_name: String,
}

#[derive(Serialize, Deserialize, Debug)]
struct DroppedJson {
    source: u16,
    message: u16,
}

#[derive(Serialize, Deserialize, Debug)]
struct WorkerJson {
    name: String,
    handlers: Vec<HandlerJson>,
    routes: Vec<RouteJson>,
}

#[derive(Serialize, Deserialize, Debug)]
struct HandlerJson {
    name: String,
    source: u16,
    type_name: String,
}

#[derive(Serialize, Deserialize, Debug)]
struct RouteJson {
    source: u16,
    message: u16,
    receivers: Vec<u16>,
}

/// What a zero-copy type is made of: fields, variants, or a head and items.
#[derive(Serialize, Deserialize, Debug)]
pub(crate) struct ShapeJson {
    /// 16 hex digits.
    layout: String,
    size: u64,
    align: u64,
    #[serde(flatten)]
    parts: PartsJson,
}

#[derive(Serialize, Deserialize, Debug)]
#[serde(rename_all = "snake_case")]
enum PartsJson {
    Fields(Vec<FieldJson>),
    Variants(Vec<VariantJson>),
    Tail {
        head: String,
        item_size: u64,
        item: String,
    },
}

#[derive(Serialize, Deserialize, Debug)]
struct FieldJson {
    name: String,
    offset: u64,
    size: u64,
    #[serde(rename = "type")]
    type_name: String,
}

#[derive(Serialize, Deserialize, Debug)]
struct VariantJson {
    name: String,
    /// As text, since it may have 128 bits.
    number: String,
}

impl From<&Schema> for SchemaJson {
    fn from(schema: &Schema) -> Self {
        Self {
            messages: schema.messages().iter().map(message).collect(),
            sources: schema.sources().iter().map(source).collect(),
            tables: schema.tables().iter().map(table).collect(),
            shapes: schema.shapes().iter().filter_map(shape).collect(),
        }
    }
}

fn message(entry: &MessageEntry) -> MessageJson {
    MessageJson {
        id: entry.id.get(),
        name: entry.name.clone(),
        codec: entry.codec.clone(),
        path: entry.path.clone(),
        size: entry.size,
        align: entry.align,
        layout: format!("{:016x}", entry.layout),
    }
}

fn source(entry: &SourceEntry) -> SourceJson {
    SourceJson {
        id: entry.id.get(),
        name: entry.name.clone(),
    }
}

fn table(table: &Table) -> TableJson {
    let outside = table.outside.iter().map(|outside| OutsideJson {
        source: outside.source.get(),
        type_name: outside.type_name.clone(),
    });
    let dropped = table.dropped.iter().map(|dropped| DroppedJson {
        source: dropped.source.get(),
        message: dropped.message.get(),
    });
    TableJson {
        name: table.name.clone(),
        outside: outside.collect(),
        dropped: dropped.collect(),
        workers: table.workers.iter().map(worker).collect(),
    }
}

fn worker(worker: &WorkerEntry) -> WorkerJson {
    let handlers = worker.handlers.iter().map(|handler| HandlerJson {
        name: handler.name.clone(),
        source: handler.source.get(),
        type_name: handler.type_name.clone(),
    });
    let routes = worker.routes.iter().map(|route| RouteJson {
        source: route.source.get(),
        message: route.message.get(),
        receivers: route.receivers.clone(),
    });
    WorkerJson {
        name: worker.name.clone(),
        handlers: handlers.collect(),
        routes: routes.collect(),
    }
}

fn shape(entry: &ShapeEntry) -> Option<ShapeJson> {
    let parts = match &entry.parts {
        Parts::Struct(fields) => {
            let fields = fields.iter().map(|field| FieldJson {
                name: field.name.clone(),
                offset: field.offset,
                size: field.size,
                type_name: field.type_name.clone(),
            });
            PartsJson::Fields(fields.collect())
        }
        Parts::Enum(variants) => {
            let variants = variants.iter().map(|variant| VariantJson {
                name: variant.name.clone(),
                number: variant.number.to_string(),
            });
            PartsJson::Variants(variants.collect())
        }
        Parts::Tail {
            head,
            item_size,
            item,
        } => PartsJson::Tail {
            head: head.clone(),
            item_size: *item_size,
            item: item.clone(),
        },
        // Of a newer library.
        _ => return None,
    };
    Some(ShapeJson {
        layout: format!("{:016x}", entry.layout),
        size: entry.size,
        align: entry.align,
        parts,
    })
}

/// A schema's text, as `Schema` reads it.
struct Lines(String);

impl Lines {
    fn line(&mut self, word: &str, fields: &[&dyn Display]) {
        self.0.push_str(word);
        for field in fields {
            // Writing to a string can't fail.
            let _ = write!(self.0, "\t{field}");
        }
        self.0.push('\n');
    }
}

/// A name as a field of such a text.
fn escaped(name: &str) -> String {
    name.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}

impl SchemaJson {
    /// The schema. The library checks it.
    pub(crate) fn schema(&self) -> Result<Schema, Fail> {
        let mut to = Lines(String::new());
        for m in &self.messages {
            let (name, codec, path) = (escaped(&m.name), escaped(&m.codec), escaped(&m.path));
            to.line(
                "message",
                &[&m.id, &name, &codec, &path, &m.size, &m.align, &m.layout],
            );
        }
        for s in &self.sources {
            to.line("source", &[&s.id, &escaped(&s.name)]);
        }
        for t in &self.tables {
            to.line("table", &[&escaped(&t.name)]);
            for o in &t.outside {
                to.line("outside", &[&o.source, &escaped(&o.type_name)]);
            }
            for d in &t.dropped {
                to.line("dropped", &[&d.source, &d.message]);
            }
            for w in &t.workers {
                to.line("worker", &[&escaped(&w.name)]);
                for h in &w.handlers {
                    let (name, type_name) = (escaped(&h.name), escaped(&h.type_name));
                    to.line("handler", &[&name, &h.source, &type_name]);
                }
                for r in &w.routes {
                    let receivers: Vec<String> =
                        r.receivers.iter().map(ToString::to_string).collect();
                    to.line("route", &[&r.source, &r.message, &receivers.join(",")]);
                }
            }
        }
        for shape in &self.shapes {
            let ShapeJson {
                layout,
                size,
                align,
                parts,
            } = shape;
            let layout = escaped(layout);
            match parts {
                PartsJson::Fields(fields) => {
                    to.line("struct", &[&layout, size, align]);
                    for f in fields {
                        let (name, type_name) = (escaped(&f.name), escaped(&f.type_name));
                        to.line("field", &[&name, &f.offset, &f.size, &type_name]);
                    }
                }
                PartsJson::Variants(variants) => {
                    to.line("enum", &[&layout, size, align]);
                    for v in variants {
                        to.line("variant", &[&escaped(&v.name), &escaped(&v.number)]);
                    }
                }
                PartsJson::Tail {
                    head,
                    item_size,
                    item,
                } => {
                    let (head, item) = (escaped(head), escaped(item));
                    to.line("tail", &[&layout, size, align, &head, item_size, &item]);
                }
            }
        }
        to.0.parse::<Schema>()
            .map_err(|error| Fail::error(format!("its schema can't be used: {}", error.why)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_goes_to_json_and_back() {
        let text = "message\t7\tBa\\tll\\\\\tzero_copy\tgame::Ball\t8\t4\t00000000000000ab\n\
                    message\t9\tNote\tbincode\t\t0\t1\t0000000000000000\n\
                    source\t1\tPing\\n\nsource\t2\tPong\n\
                    table\tGame\noutside\t1\tPing\ndropped\t1\t7\nworker\tw\nhandler\tx\t2\tPong\n\
                    route\t1\t7\t0,0\nroute\t2\t9\t\nworker\tempty\n\
                    enum\t00000000000000aa\t16\t16\nvariant\tLeast\t-170141183460469231731687303715884105728\n\
                    struct\t00000000000000ab\t32\t16\nfield\tn\t0\t8\tu64\nfield\tw\\t\t8\t16\t#00000000000000aa\n\
                    struct\t00000000000000ac\t0\t1\ntail\t00000000000000ad\t0\t1\t()\t8\t[u8;8]\n";
        let schema: Schema = text.parse().unwrap();
        let json = serde_json::to_string(&SchemaJson::from(&schema)).unwrap();
        let back: SchemaJson = serde_json::from_str(&json).unwrap();
        assert_eq!(back.schema().unwrap(), schema);
    }

    #[test]
    fn says_what_is_wrong() {
        let of = |json: &str| {
            let json: SchemaJson = serde_json::from_str(json).unwrap();
            json.schema().map_err(|fail| format!("{fail:?}"))
        };
        assert!(of(r#"{"messages":[{"id":7,"name":"Ball"}],"sources":[]}"#).is_ok());
        let twice = of(r#"{"messages":[],"sources":[{"id":1,"name":"A"},{"id":1,"name":"B"}]}"#);
        assert!(twice.unwrap_err().contains("a second source 1"));
    }
}
