//! Payloads of the codec prost, by a descriptor.

use std::path::Path;

use messenger::journal::MessageEntry;
use prost_reflect::prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, SerializeOptions};
use serde_json::Value;

use crate::fail::Fail;

pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<DescriptorPool, Fail> {
    DescriptorPool::decode(bytes).map_err(|error| {
        Fail::error(format!(
            "{} is no FileDescriptorSet: {error}; make one by `protoc -o {0} --include_imports FILES.proto`",
            path.display()
        ))
    })
}

/// The protobuf message of a message of the schema, by their names.
pub(super) fn find(
    pool: &DescriptorPool,
    entry: &MessageEntry,
) -> Result<Option<MessageDescriptor>, Fail> {
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

fn names(messages: impl Iterator<Item = MessageDescriptor>) -> String {
    let names: Vec<String> = messages.map(|m| m.full_name().to_owned()).collect();
    names.join(", ")
}

pub(super) fn decode(of: &MessageDescriptor, bytes: &[u8]) -> Result<Value, String> {
    let message = DynamicMessage::decode(of.clone(), bytes).map_err(|error| error.to_string())?;
    let options = SerializeOptions::new().skip_default_fields(false);
    message
        .serialize_with_options(serde_json::value::Serializer, &options)
        .map_err(|error| error.to_string())
}

pub(super) fn encode(of: &MessageDescriptor, value: &Value) -> Result<Vec<u8>, String> {
    let message = DynamicMessage::deserialize(of.clone(), value);
    Ok(message.map_err(|error| error.to_string())?.encode_to_vec())
}
