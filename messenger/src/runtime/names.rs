//! The ids of a table and their names, for the bus to compare with those of others.

use std::collections::HashSet;

use super::describe::{AppInfo, SourceInfo};
use crate::bus::{IdKind, Name, SourceId};
use crate::message::MessageInfo;

/// All names that a table uses, each once.
pub(crate) fn names(app: &AppInfo) -> Vec<Name> {
    let mut known = HashSet::new();
    let mut names = Vec::new();
    each(app, |named| {
        let (kind, id, name, layout) = match named {
            Named::Source(id, name) => (IdKind::Source, id.get(), name, 0),
            Named::Message(message) => {
                let layout = message.schema.layout;
                (IdKind::Message, message.id.get(), message.name, layout)
            }
        };
        // The first name of an id counts: that a table agrees with itself is checked when it is compiled.
        if known.insert((kind, id)) {
            names.push(Name {
                kind,
                id,
                name,
                layout,
                owner: app.name,
            });
        }
    });
    names
}

/// What has an id and a name.
pub(super) enum Named<'a> {
    Source(SourceId, &'static str),
    Message(&'a MessageInfo),
}

/// Tells of all that a table names, as often as it does.
pub(super) fn each(app: &AppInfo, mut tell: impl FnMut(Named<'_>)) {
    let mut source = |source: &SourceInfo| {
        tell(Named::Source(source.id, source.label()));
        for message in source.sends {
            tell(Named::Message(message));
        }
    };
    for worker in app.workers {
        for handler in worker.handlers {
            source(&handler.source);
        }
    }
    app.outside.iter().for_each(source);
    for worker in app.workers {
        for route in worker.routes {
            tell(Named::Source(route.source, route.source_name));
            tell(Named::Message(&route.message));
        }
    }
    for dropped in app.dropped {
        tell(Named::Source(dropped.source, dropped.source_name));
        tell(Named::Message(&dropped.message));
    }
}
