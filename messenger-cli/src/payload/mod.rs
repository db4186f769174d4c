//! What payloads say: protobuf by its descriptor, else bytes.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use clap::Args;
use messenger::bus::MessageId;
use messenger::journal::{MessageEntry, Schema};
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use crate::fail::Fail;

/// The options.
#[derive(Args)]
pub(crate) struct DecodeArgs {
    /// Decode messages of the codec prost by this FileDescriptorSet (`protoc -o FILE --include_imports`)
    #[arg(
        long,
        value_name = "FILE",
        long_help = "Decode messages of the codec prost by this FileDescriptorSet (`protoc -o FILE --include_imports`), \
                     each by the protobuf message of its name. The other codecs, bincode, postcard and zero_copy, write no \
                     types into their bytes and can't be decoded here: their payloads are shown as hex, and as text if they \
                     are text"
    )]
    descriptor: Option<PathBuf>,
    /// The protobuf message of a message of the journal, where the names don't tell: Quote=market.v1.Quote
    #[arg(long = "type", value_name = "MESSAGE=TYPE", requires = "descriptor")]
    types: Vec<String>,
}

/// Decodes what can be decoded.
pub(crate) struct Decoder {
    pool: Option<DescriptorPool>,
    types: Vec<(String, MessageDescriptor)>,
    known: HashMap<MessageId, Option<MessageDescriptor>>,
}

impl DecodeArgs {
    pub(crate) fn open(&self) -> Result<Decoder, Fail> {
        let mut decoder = Decoder {
            pool: None,
            types: Vec::new(),
            known: HashMap::new(),
        };
        let Some(path) = &self.descriptor else {
            return Ok(decoder);
        };
        let bytes = fs::read(path).map_err(Fail::file("read", path))?;
        let pool = DescriptorPool::decode(&bytes[..]).map_err(|error| {
            Fail::error(format!(
                "{} is no FileDescriptorSet: {error}; make one by `protoc -o {0} --include_imports FILES.proto`",
                path.display()
            ))
        })?;
        for pair in &self.types {
            let (message, full) = pair.split_once('=').ok_or_else(|| {
                Fail::error(format!(
                    "--type {pair}: say MESSAGE=TYPE, as in Quote=market.v1.Quote"
                ))
            })?;
            let found = pool.get_message_by_name(full).ok_or_else(|| {
                Fail::error(format!(
                    "--type {pair}: {} has no message {full}; it has {}",
                    path.display(),
                    names(pool.all_messages())
                ))
            })?;
            decoder.types.push((message.to_owned(), found));
        }
        decoder.pool = Some(pool);
        Ok(decoder)
    }
}

fn names(messages: impl Iterator<Item = MessageDescriptor>) -> String {
    let names: Vec<String> = messages.map(|m| m.full_name().to_owned()).collect();
    names.join(", ")
}

impl Decoder {
    /// What `bytes`, which are a message `id`, say. `None`: nobody knows; an error: not what its type would.
    pub(crate) fn decode(
        &mut self,
        id: MessageId,
        schema: &Schema,
        bytes: &[u8],
    ) -> Result<Option<Result<Value, String>>, Fail> {
        let Some(descriptor) = self.descriptor(id, schema)? else {
            return Ok(None);
        };
        let value = DynamicMessage::decode(descriptor.clone(), bytes)
            .map_err(|error| error.to_string())
            .and_then(|message| {
                let options = SerializeOptions::new().skip_default_fields(false);
                message
                    .serialize_with_options(serde_json::value::Serializer, &options)
                    .map_err(|error| error.to_string())
            });
        let text = |why| format!("no {}: {why}", descriptor.full_name());
        Ok(Some(value.map_err(text)))
    }

    fn descriptor(
        &mut self,
        id: MessageId,
        schema: &Schema,
    ) -> Result<Option<&MessageDescriptor>, Fail> {
        let (Some(pool), Some(entry)) = (&self.pool, schema.message(id)) else {
            return Ok(None);
        };
        if !self.known.contains_key(&id) {
            let found = find(pool, &self.types, entry)?;
            self.known.insert(id, found);
        }
        Ok(self.known[&id].as_ref())
    }
}

/// The protobuf message of a message of the schema.
fn find(
    pool: &DescriptorPool,
    types: &[(String, MessageDescriptor)],
    entry: &MessageEntry,
) -> Result<Option<MessageDescriptor>, Fail> {
    if let Some((_, found)) = types.iter().find(|(name, _)| *name == entry.name) {
        return Ok(Some(found.clone()));
    }
    if entry.codec != "prost" {
        return Ok(None);
    }
    let mut named: Vec<_> = pool
        .all_messages()
        .filter(|m| m.name() == entry.name)
        .collect();
    if named.len() > 1 {
        // `market::v1::Quote` is `market.v1.Quote`, wherever the modules are.
        let path = entry.path.replace("::", ".");
        named.retain(|m| path == m.full_name() || path.ends_with(&format!(".{}", m.full_name())));
    }
    match &named[..] {
        [one] => Ok(Some(one.clone())),
        [] if !pool.all_messages().any(|m| m.name() == entry.name) => Ok(None),
        _ => Err(Fail::error(format!(
            "the descriptor has several messages of the name {}: say which one, --type {0}=TYPE, of {}",
            entry.name,
            names(pool.all_messages().filter(|m| m.name() == entry.name))
        ))),
    }
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
