//! Which records are wanted, by source and message.

use clap::Args;
use messenger::bus::{MessageId, SourceId, Tag};
use messenger::journal::Schema;

use crate::fail::Fail;

/// The options.
#[derive(Args, Default)]
pub(crate) struct FilterArgs {
    /// Only what this source sent: its name or id. Can be given more than once
    #[arg(long, value_name = "NAME|ID")]
    source: Vec<String>,
    /// Only these messages: name or id. Can be given more than once
    #[arg(long, value_name = "NAME|ID")]
    message: Vec<String>,
}

/// Which records are wanted.
#[derive(Clone)]
pub(crate) struct Filter {
    /// `None`: all.
    sources: Option<Vec<SourceId>>,
    messages: Option<Vec<MessageId>>,
}

impl FilterArgs {
    /// With the ids that the names have.
    pub(crate) fn of(&self, schema: &Schema) -> Result<Filter, Fail> {
        let sources = resolve(
            &self.source,
            "source",
            SourceId::new,
            |name| schema.sources_named(name).map(|entry| entry.id).collect(),
            || schema.sources().iter().map(|entry| &*entry.name).collect(),
        )?;
        let messages = resolve(
            &self.message,
            "message",
            MessageId::new,
            |name| schema.messages_named(name).map(|entry| entry.id).collect(),
            || schema.messages().iter().map(|entry| &*entry.name).collect(),
        )?;
        Ok(Filter { sources, messages })
    }
}

fn resolve<'a, Id>(
    wanted: &[String],
    kind: &str,
    id: impl Fn(u16) -> Id,
    named: impl Fn(&str) -> Vec<Id>,
    known: impl Fn() -> Vec<&'a str>,
) -> Result<Option<Vec<Id>>, Fail> {
    if wanted.is_empty() {
        return Ok(None);
    }
    let mut ids = Vec::new();
    for wanted in wanted {
        let found = named(wanted);
        match wanted.parse() {
            Ok(number) if found.is_empty() => ids.push(id(number)),
            _ if found.is_empty() => {
                let known = known();
                let known = match &known[..] {
                    [] => "it knows none by name, so say an id".to_owned(),
                    known => format!("it knows {}", known.join(", ")),
                };
                return Err(Fail::error(format!(
                    "the schema has no {kind} {wanted:?}: {known}"
                )));
            }
            _ => ids.extend(found),
        }
    }
    Ok(Some(ids))
}

impl Filter {
    pub(crate) fn takes(&self, tag: Tag) -> bool {
        let source = self.sources.as_ref();
        let message = self.messages.as_ref();
        source.is_none_or(|ids| ids.contains(&tag.source))
            && message.is_none_or(|ids| ids.contains(&tag.message))
    }
}
