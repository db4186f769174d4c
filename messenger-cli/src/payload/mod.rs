//! What payloads say: by what the journal knows of their types, by a descriptor or a schema; else they are bytes.

mod plain;
mod protobuf;
mod registry;
mod values;

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use messenger::bus::MessageId;
use messenger::journal::{MessageEntry, Schema, ShapeEntry};
use prost_reflect::{DescriptorPool, MessageDescriptor};
use serde_json::Value;
use serde_reflection::Registry;

use crate::fail::{Fail, warn};

use registry::Codec;

/// The options.
#[derive(Args)]
pub(crate) struct DecodeArgs {
    /// What messages of the codec prost are made of: a FileDescriptorSet (`protoc -o FILE --include_imports`)
    #[arg(
        long,
        value_name = "FILE",
        long_help = "What messages of the codec prost are made of: a FileDescriptorSet (`protoc -o FILE --include_imports`). Each \
                     is the protobuf message of its name"
    )]
    descriptor: Option<PathBuf>,
    /// What messages of the codecs bincode and postcard are made of: a registry of the crate serde-reflection, as JSON
    #[arg(
        long,
        value_name = "FILE",
        long_help = "What messages of the codecs bincode and postcard are made of: a registry of formats as JSON, as the crate \
                     serde-reflection makes it of serde's types; the README has an example. Each is the type of its name. For \
                     zero-copy messages no file is needed: the journal knows"
    )]
    schema: Option<PathBuf>,
    /// The type of a message of the journal, where the names don't tell: Quote=market.v1.Quote
    #[arg(long = "type", value_name = "MESSAGE=TYPE")]
    types: Vec<String>,
}

/// Says what payloads say, and makes payloads that say it.
pub(crate) struct Decoder {
    pool: Option<DescriptorPool>,
    registry: Option<Registry>,
    /// Messages, and the types that they are said to have.
    types: Vec<(String, String)>,
    /// What was found for messages, but for zero-copy ones.
    found: HashMap<MessageId, Option<Type>>,
}

/// What a message is made of, where a file says it.
enum Type {
    Protobuf(MessageDescriptor),
    /// Of that name in the registry.
    Serde(Codec, String),
}

/// The same, wherever it stands.
enum Found<'a> {
    Shape(&'a ShapeEntry),
    Protobuf(&'a MessageDescriptor),
    Serde(Codec, &'a Registry, &'a str),
}

impl DecodeArgs {
    pub(crate) fn open(&self) -> Result<Decoder, Fail> {
        let mut decoder = Decoder {
            pool: None,
            registry: None,
            types: Vec::new(),
            found: HashMap::new(),
        };
        if let Some(path) = &self.descriptor {
            let bytes = fs::read(path).map_err(Fail::file("read", path))?;
            decoder.pool = Some(protobuf::open(path, &bytes)?);
        }
        if let Some(path) = &self.schema {
            let bytes = fs::read(path).map_err(Fail::file("read", path))?;
            decoder.registry = Some(registry::open(path, &bytes)?);
        }
        for pair in &self.types {
            let (message, name) = pair.split_once('=').ok_or_else(|| {
                Fail::error(format!(
                    "--type {pair}: say MESSAGE=TYPE, as in Quote=market.v1.Quote"
                ))
            })?;
            if !decoder.names().any(|known| known == name) {
                let known: Vec<_> = decoder.names().collect();
                return Err(Fail::error(if known.is_empty() {
                    format!("--type {pair}: say --descriptor or --schema, too")
                } else {
                    format!(
                        "--type {pair}: there is no {name}; the files of --descriptor and --schema have {}",
                        known.join(", ")
                    )
                }));
            }
            if let Some((_, other)) = decoder.types.iter().find(|(known, _)| known == message) {
                return Err(Fail::error(format!(
                    "--type {pair}: {message} is said to be {other}, too"
                )));
            }
            decoder.types.push((message.to_owned(), name.to_owned()));
        }
        Ok(decoder)
    }
}

impl Decoder {
    /// What `bytes`, which are a message `id`, say. `None`: nobody knows; an error: not what its type would.
    pub(crate) fn decode(
        &mut self,
        id: MessageId,
        schema: &Schema,
        bytes: &[u8],
    ) -> Result<Option<Result<Value, String>>, Fail> {
        let Some(entry) = schema.message(id) else {
            return Ok(None);
        };
        let Some(found) = self.find(entry, schema)? else {
            return Ok(None);
        };
        let (value, name) = match found {
            Found::Shape(shape) => (plain::decode(schema, shape, bytes), &*entry.name),
            Found::Protobuf(of) => (protobuf::decode(of, bytes), of.full_name()),
            Found::Serde(codec, registry, name) => (codec.decode(registry, name, bytes), name),
        };
        Ok(Some(value.map_err(|why| format!("no {name}: {why}"))))
    }

    /// The bytes of a message `id` that says `value`.
    pub(crate) fn encode(
        &mut self,
        id: MessageId,
        schema: &Schema,
        value: &Value,
    ) -> Result<Vec<u8>, Fail> {
        let entry = schema.message(id);
        let entry =
            entry.ok_or_else(|| Fail::error(format!("no name is known of message {id}")))?;
        let bytes = match self.find(entry, schema)? {
            Some(Found::Shape(shape)) => plain::encode(schema, shape, value),
            Some(Found::Protobuf(of)) => protobuf::encode(of, value),
            Some(Found::Serde(codec, registry, name)) => codec.encode(registry, name, value),
            None => {
                Err("what it is made of is not known: say it by --descriptor or --schema".into())
            }
        };
        bytes.map_err(|why| Fail::error(format!("{}: {why}", entry.name)))
    }

    fn find<'a>(
        &'a mut self,
        entry: &MessageEntry,
        schema: &'a Schema,
    ) -> Result<Option<Found<'a>>, Fail> {
        if entry.codec == "zero_copy" {
            return Ok(schema.shape(entry.layout).map(Found::Shape));
        }
        if !self.found.contains_key(&entry.id) {
            let found = self.look_for(entry)?;
            self.found.insert(entry.id, found);
        }
        Ok(match (&self.found[&entry.id], &self.registry) {
            (Some(Type::Protobuf(of)), _) => Some(Found::Protobuf(of)),
            (Some(Type::Serde(codec, name)), Some(registry)) => {
                Some(Found::Serde(*codec, registry, name))
            }
            _ => None,
        })
    }

    fn look_for(&self, entry: &MessageEntry) -> Result<Option<Type>, Fail> {
        let told = self.types.iter().find(|(name, _)| *name == entry.name);
        let told = told.map(|(_, name)| name.as_str());
        if let (Some(codec), Some(registry)) = (Codec::of(&entry.codec), &self.registry) {
            let name = told.or_else(|| registry::find(registry, entry));
            if let Some(name) = name.filter(|name| registry.contains_key(*name)) {
                return Ok(Some(Type::Serde(codec, name.to_owned())));
            }
        }
        let Some(pool) = &self.pool else {
            return Ok(None);
        };
        let of = match told.and_then(|name| pool.get_message_by_name(name)) {
            None if entry.codec == "prost" => protobuf::find(pool, entry)?,
            told => told,
        };
        Ok(of.map(Type::Protobuf))
    }

    /// Says which of the types that were told, and which of the files, say nothing of the schema's messages.
    pub(crate) fn note_useless(&self, schema: &Schema) {
        let messages = schema.messages();
        for (message, name) in &self.types {
            let mut named = schema.messages_named(message).peekable();
            if named.peek().is_none() {
                let known: Vec<_> = messages.iter().map(|entry| &*entry.name).collect();
                warn(format_args!(
                    "--type {message}={name}: there is no message {message}, but {}",
                    known.join(", ")
                ));
            }
            for entry in named {
                let why = match (&*entry.codec, self.look_for(entry)) {
                    ("zero_copy", _) => "what messages of the codec zero_copy are made of the journal, or the bus, knows".to_owned(),
                    (_, Ok(Some(found))) if found.name() == name => continue,
                    (codec, _) => format!("of the codec {codec} only --descriptor says what messages are made of"),
                };
                warn(format_args!(
                    "--type {message}={name} is not looked at: {why}"
                ));
            }
        }
        if messages.is_empty() {
            return;
        }
        let found = messages.iter().map(|entry| self.look_for(entry));
        // Where it can't choose, something was found.
        let found: Vec<_> = found.filter_map(Result::transpose).collect();
        let any = |is: fn(&Type) -> bool| found.iter().any(|found| found.as_ref().map_or(true, is));
        if self.registry.is_some() && !any(|found| matches!(found, Type::Serde(..))) {
            note_foreign("--schema", self.containers());
        }
        if self.pool.is_some() && !any(|found| matches!(found, Type::Protobuf(_))) {
            note_foreign("--descriptor", self.protobufs());
        }
    }

    /// The names of all types in the files.
    fn names(&self) -> impl Iterator<Item = String> {
        self.protobufs().chain(self.containers())
    }

    fn protobufs(&self) -> impl Iterator<Item = String> {
        let messages = self.pool.iter().flat_map(DescriptorPool::all_messages);
        messages.map(|message| message.full_name().to_owned())
    }

    fn containers(&self) -> impl Iterator<Item = String> {
        self.registry.iter().flat_map(Registry::keys).cloned()
    }
}

impl Type {
    fn name(&self) -> &str {
        match self {
            Self::Protobuf(of) => of.full_name(),
            Self::Serde(_, name) => name,
        }
    }
}

/// Says of a file with these types that no message has one of them.
fn note_foreign(file: &str, types: impl Iterator<Item = String>) {
    let types: Vec<_> = types.collect();
    let has = if types.is_empty() {
        "none".to_owned()
    } else {
        types.join(", ")
    };
    warn(format_args!(
        "{file}: no message there has a type of it. --type MESSAGE=TYPE says which one has; it has {has}"
    ));
}

/// `bytes` as text, if they are text that can be printed on one line.
pub(crate) fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let printable = !text.is_empty() && !text.chars().any(char::is_control);
    printable.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_can_be_printed() {
        assert_eq!(text("Grüße".as_bytes()), Some("Grüße"));
        for not in [&b""[..], b"a\nb", b"a\0", b"\xff", b"\x1b[31m"] {
            assert_eq!(text(not), None);
        }
    }
}
