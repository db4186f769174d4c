//! A table for a journal to keep, and the graph of one that it kept.

use crate::bus::{MessageId, SourceId};
use crate::journal::{
    DroppedEntry, HandlerEntry, MessageEntry, OutsideEntry, RouteEntry, Schema, SourceEntry, Table,
    WorkerEntry,
};
use crate::runtime::describe::AppInfo;
use crate::runtime::graph::Drawing;
use crate::runtime::names::{Named, each};

/// All messages and sources of a table, the table, and what its zero-copy messages are made of.
impl From<&AppInfo> for Schema {
    fn from(app: &AppInfo) -> Self {
        let mut schema = Self::default();
        // The first name of an id counts: that a table agrees with itself is checked when it is compiled.
        each(app, |named| match named {
            Named::Source(id, name) => {
                let name = name.into();
                schema.add_source(SourceEntry { id, name });
            }
            Named::Message(message) => {
                schema.add_message(MessageEntry {
                    id: message.id,
                    name: message.name.into(),
                    codec: message.schema.codec.into(),
                    path: message.schema.path.into(),
                    size: message.schema.size as u64,
                    align: message.schema.align as u64,
                    layout: message.schema.layout,
                });
                if let Some(shape) = message.schema.shape {
                    schema.add_shapes_of(shape);
                }
            }
        });
        schema.add_table(table(app));
        schema
    }
}

fn table(app: &AppInfo) -> Table {
    let workers = app.workers.iter().map(|worker| WorkerEntry {
        name: worker.name.into(),
        handlers: (worker.handlers.iter())
            .map(|handler| HandlerEntry {
                name: handler.name.into(),
                source: handler.source.id,
                type_name: handler.source.name.into(),
            })
            .collect(),
        routes: (worker.routes.iter())
            .map(|route| RouteEntry {
                source: route.source,
                message: route.message.id,
                receivers: route.receivers.into(),
            })
            .collect(),
    });
    let outside = app.outside.iter().map(|source| OutsideEntry {
        source: source.id,
        type_name: source.name.into(),
    });
    let dropped = app.dropped.iter().map(|dropped| DroppedEntry {
        source: dropped.source,
        message: dropped.message.id,
    });
    Table {
        name: app.name.into(),
        workers: workers.collect(),
        outside: outside.collect(),
        dropped: dropped.collect(),
    }
}

impl<'a> Drawing<'a> {
    /// The graph of a table that a journal kept, with the names of that journal's schema.
    #[must_use]
    pub fn of_kept(table: &'a Table, schema: &'a Schema) -> Self {
        let source = |id: SourceId| schema.source(id).map_or("?", |source| &source.name);
        let message = |id: MessageId| schema.message(id).map_or("?", |message| &message.name);
        let mut drawing = Self::new(&table.name);
        for worker in &table.workers {
            let handlers = worker.handlers.iter();
            let handlers = handlers.map(|h| (h.name.as_str(), h.type_name.as_str(), h.source));
            drawing.worker(&worker.name, handlers);
        }
        for outside in &table.outside {
            drawing.source(source(outside.source), &outside.type_name, outside.source);
        }
        for (index, worker) in table.workers.iter().enumerate() {
            for route in &worker.routes {
                let name = source(route.source);
                let from = drawing.source(name, name, route.source);
                drawing.route(from, message(route.message), index, &route.receivers);
            }
        }
        for dropped in &table.dropped {
            let name = source(dropped.source);
            let from = drawing.source(name, name, dropped.source);
            drawing.dropped(from, message(dropped.message));
        }
        drawing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Manifest;
    use crate::message::{self, MessageInfo};
    use crate::runtime::describe::{Dropped, HandlerInfo, Route, SourceInfo, WorkerInfo};
    use crate::runtime::options::WorkerOptions;

    const fn told(id: u16, name: &'static str, schema: message::Schema) -> MessageInfo {
        MessageInfo {
            id: MessageId::new(id),
            name,
            schema,
        }
    }

    const BALL: MessageInfo = told(9, "Ball", message::Schema::zero_copy::<u64>("a::Ball", 77));
    const NOTE: MessageInfo = told(2, "Note", message::Schema::serialized("bincode", "a::Note"));
    const RAW: MessageInfo = told(5, "Raw", message::Schema::UNKNOWN);

    const fn sender(id: u16, name: &'static str, sends: &'static [MessageInfo]) -> SourceInfo {
        SourceInfo {
            id: SourceId::new(id),
            name,
            instance: "",
            sends,
        }
    }

    const PING: SourceInfo = sender(1, "Ping", &[BALL, RAW]);
    const TAP: SourceInfo = sender(2, "Tap", &[]);
    const MAIN: SourceInfo = sender(40, "Main", &[NOTE]);

    const fn route(id: u16, name: &'static str, what: MessageInfo, to: &'static [u16]) -> Route {
        Route {
            source: SourceId::new(id),
            source_name: name,
            message: what,
            receivers: to,
        }
    }

    const fn handler(name: &'static str, source: SourceInfo) -> HandlerInfo {
        HandlerInfo {
            name,
            source,
            is_async: false,
        }
    }

    const COURT: WorkerInfo = WorkerInfo {
        name: "Court",
        options: WorkerOptions::new(),
        handlers: &[
            handler("ping", PING),
            handler("second", PING).with_id(SourceId::new(7)),
        ],
        routes: &[
            route(1, "Ping", BALL, &[1]),
            route(7, "second", BALL, &[0, 1]),
            route(40, "Main", NOTE, &[0]),
        ],
    };

    const STAND: WorkerInfo = WorkerInfo {
        name: "Stand",
        options: WorkerOptions::new(),
        handlers: &[handler("tap", TAP)],
        routes: &[
            route(1, "Ping", BALL, &[0]),
            // It runs under another table.
            route(60, "elsewhere", NOTE, &[0]),
            route(40, "Main", NOTE, &[]),
        ],
    };

    const GAME: AppInfo = AppInfo {
        name: "Game",
        workers: &[&COURT, &STAND],
        outside: &[MAIN],
        dropped: &[Dropped {
            source: SourceId::new(1),
            source_name: "Ping",
            message: RAW,
        }],
    };

    #[test]
    fn holds_all_that_the_table_names() {
        let schema = Schema::from(&GAME);
        let messages = schema.messages().iter();
        let messages: Vec<_> = messages
            .map(|m| (m.id.get(), &*m.name, &*m.codec, &*m.path, m.size, m.layout))
            .collect();
        assert_eq!(
            messages,
            [
                (2, "Note", "bincode", "a::Note", 0, 0),
                (5, "Raw", "by hand", "", 0, 0),
                (9, "Ball", "zero_copy", "a::Ball", 8, 77),
            ]
        );
        let sources = schema.sources().iter();
        let sources: Vec<_> = sources.map(|s| (s.id.get(), &*s.name)).collect();
        assert_eq!(
            sources,
            [
                (1, "Ping"),
                (2, "Tap"),
                (7, "second"),
                (40, "Main"),
                (60, "elsewhere")
            ]
        );
    }

    #[test]
    fn a_kept_table_is_drawn_as_the_compiled_one() {
        let mut manifest = Manifest::new([0; 16], 1 << 16, 0, 0);
        assert_eq!(manifest.schema.admit(&Schema::from(&GAME)), Ok(true));
        let kept = Manifest::parse(manifest.encode().as_bytes())
            .unwrap()
            .schema;
        assert_eq!(kept, Schema::from(&GAME));
        let kept = Drawing::of_kept(kept.table("Game").unwrap(), &kept);
        let compiled = Drawing::of_info(&GAME);
        assert_eq!(kept.nodes(), compiled.nodes());
        assert_eq!(kept.edges(), compiled.edges());
        assert_eq!(kept.edges().len(), 7);
        assert_eq!(kept.mermaid(), compiled.mermaid());
        assert_eq!(kept.dot(), compiled.dot());
        assert!(kept.dot().contains("label=\"elsewhere\""));
        #[cfg(feature = "svg")]
        assert!(kept.svg() == compiled.svg());
    }
}
