//! The ids of a table and their names, for the bus to compare with those of others.

use std::collections::HashSet;

use super::describe::{AppInfo, SourceInfo};
use crate::bus::{IdKind, Name, SourceId};
use crate::message::MessageInfo;

/// All names that a table uses, each once.
pub(crate) fn names(app: &AppInfo) -> Vec<Name> {
    let mut names = Names {
        owner: app.name,
        known: HashSet::new(),
        list: Vec::new(),
    };
    for worker in app.workers {
        for handler in worker.handlers {
            names.source(&handler.source);
        }
    }
    for source in app.outside {
        names.source(source);
    }
    for worker in app.workers {
        for route in worker.routes {
            names.entry(route.source, route.source_name, &route.message);
        }
    }
    for dropped in app.dropped {
        names.entry(dropped.source, dropped.source_name, &dropped.message);
    }
    names.list
}

struct Names {
    owner: &'static str,
    known: HashSet<(IdKind, u16)>,
    list: Vec<Name>,
}

impl Names {
    fn source(&mut self, source: &SourceInfo) {
        self.add(IdKind::Source, source.id.get(), source.label(), 0);
        for message in source.sends {
            self.message(message);
        }
    }

    fn entry(&mut self, source: SourceId, name: &'static str, message: &MessageInfo) {
        self.add(IdKind::Source, source.get(), name, 0);
        self.message(message);
    }

    fn message(&mut self, message: &MessageInfo) {
        self.add(
            IdKind::Message,
            message.id.get(),
            message.name,
            message.schema.layout,
        );
    }

    fn add(&mut self, kind: IdKind, id: u16, name: &'static str, layout: u64) {
        // The first name of an id counts: that a table agrees with itself is checked when it is compiled.
        if self.known.insert((kind, id)) {
            self.list.push(Name {
                kind,
                id,
                name,
                layout,
                owner: self.owner,
            });
        }
    }
}
