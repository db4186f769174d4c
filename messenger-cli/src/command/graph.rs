use std::io::Write;

use clap::{Args, ValueEnum};
use messenger::journal::{Reader, Schema, Table};
use messenger::runtime::Drawing;
use serde::Serialize;

use crate::fail::{Exit, Fail};
use crate::live;
use crate::out::Out;
use crate::subject::{Subject, SubjectArgs};

/// Draws a routing table that has run on a journal or a shared bus
///
/// The tables are those kept with the journal or on the bus, as they ran last. Ends with 4 if there is none.
///
/// JSON: table, nodes [{name, type, id, worker (or null: outside)}], edges [{from, to (indices of nodes; null: dropped), message}].
#[derive(Args)]
pub(crate) struct Graph {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Which table, if there are several
    #[arg(long, value_name = "NAME")]
    table: Option<String>,
    /// As what
    #[arg(short, long, value_name = "FORMAT", default_value = "mermaid")]
    format: Format,
    /// The same as --format json
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Mermaid,
    Dot,
    Svg,
    Json,
}

#[derive(Serialize)]
struct GraphJson<'a> {
    table: &'a str,
    nodes: Vec<NodeJson<'a>>,
    edges: Vec<EdgeJson<'a>>,
}

#[derive(Serialize)]
struct NodeJson<'a> {
    name: &'a str,
    r#type: &'a str,
    id: u16,
    worker: Option<&'a str>,
}

#[derive(Serialize)]
struct EdgeJson<'a> {
    from: usize,
    to: Option<usize>,
    message: &'a str,
}

impl Graph {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let (schema, what) = match self.subject.subject()? {
            Subject::Journal(dir) => (Reader::open(dir)?.schema().clone(), "journal"),
            Subject::Bus(bus) => (live::schema(&bus)?, "bus"),
        };
        let Some(table) = self.table(&schema, what)? else {
            return Err(Fail::Told(
                Exit::Nothing,
                format!(
                    "no table has run on the {what}: a program that runs one brings it when it opens the {what}"
                ),
            ));
        };
        let drawing = Drawing::of_kept(table, &schema);
        let format = if self.json { Format::Json } else { self.format };
        match format {
            Format::Mermaid => write!(out, "{}", drawing.mermaid())?,
            Format::Dot => write!(out, "{}", drawing.dot())?,
            Format::Svg => write!(out, "{}", drawing.svg())?,
            Format::Json => out.json(&json(table, &drawing))?,
        }
        Ok(Exit::Done)
    }

    fn table<'a>(&self, schema: &'a Schema, what: &str) -> Result<Option<&'a Table>, Fail> {
        let names = || {
            let names: Vec<_> = schema.tables().iter().map(|table| &*table.name).collect();
            names.join(", ")
        };
        match (&self.table, schema.tables()) {
            (_, []) => Ok(None),
            (Some(name), _) => match schema.table(name) {
                Some(table) => Ok(Some(table)),
                None => Err(Fail::error(format!(
                    "the {what} has no table {name:?}; it has: {}",
                    names()
                ))),
            },
            (None, [table]) => Ok(Some(table)),
            (None, _) => Err(Fail::error(format!(
                "several tables have run on the {what}: say which one, --table NAME, of {}",
                names()
            ))),
        }
    }
}

fn json<'a>(table: &'a Table, drawing: &Drawing<'a>) -> GraphJson<'a> {
    let nodes = drawing.nodes().iter().map(|node| NodeJson {
        name: node.name,
        r#type: node.type_name,
        id: node.id.get(),
        worker: node.worker.map(|worker| &*table.workers[worker].name),
    });
    let edges = drawing.edges().iter().map(|edge| EdgeJson {
        from: edge.from,
        to: edge.to,
        message: edge.message,
    });
    GraphJson {
        table: &table.name,
        nodes: nodes.collect(),
        edges: edges.collect(),
    }
}
