//! A record as a line of JSON: what `cat --json`, `tail --json` and `export` write, and `import` reads.

use messenger::bus::Tag;
use messenger::journal::Schema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::fail::Fail;
use crate::payload::Decoder;
use crate::range::Found;
use crate::{hex, times};

#[derive(Serialize)]
pub(crate) struct RecordLine {
    pub(crate) position: u64,
    /// By when it had been published.
    pub(crate) time: Option<String>,
    pub(crate) source: SourceName,
    pub(crate) message: MessageName,
    /// The payload in hex.
    pub(crate) payload: String,
    /// What it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) decoded: Option<Value>,
    /// Why it does not say what its type would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) undecoded: Option<String>,
}

/// What of such a line counts when it is read.
#[derive(Deserialize)]
pub(crate) struct ReadLine {
    #[serde(default)]
    pub(crate) time: Option<String>,
    pub(crate) source: Id,
    pub(crate) message: Id,
    #[serde(default)]
    pub(crate) payload: Option<String>,
    /// Read only where there is no payload, which says it all; and JSON that is written may be deeper than what is read.
    #[serde(default, deserialize_with = "said")]
    pub(crate) decoded: Option<Box<RawValue>>,
}

/// Something also where it is null, since there are payloads that say just that.
fn said<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(from).map(Some)
}

#[derive(Deserialize)]
pub(crate) struct Id {
    pub(crate) id: u16,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct SourceName {
    pub(crate) id: u16,
    pub(crate) name: Option<String>,
}

#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub(crate) struct MessageName {
    pub(crate) id: u16,
    pub(crate) name: Option<String>,
    pub(crate) codec: Option<String>,
}

pub(crate) fn source_of(tag: Tag, schema: &Schema) -> SourceName {
    SourceName {
        id: tag.source.get(),
        name: schema.source(tag.source).map(|entry| entry.name.clone()),
    }
}

pub(crate) fn message_of(tag: Tag, schema: &Schema) -> MessageName {
    let entry = schema.message(tag.message);
    MessageName {
        id: tag.message.get(),
        name: entry.map(|entry| entry.name.clone()),
        codec: entry.map(|entry| entry.codec.clone()),
    }
}

impl RecordLine {
    pub(crate) fn new(
        found: &Found<'_>,
        schema: &Schema,
        decoder: &mut Decoder,
    ) -> Result<Self, Fail> {
        let (mut decoded, mut undecoded) = (None, None);
        match decoder.decode(found.tag.message, schema, found.payload)? {
            Some(Ok(value)) => decoded = Some(value),
            Some(Err(why)) => undecoded = Some(why),
            None => {}
        }
        Ok(Self {
            position: found.position,
            time: found.time.map(times::text),
            source: source_of(found.tag, schema),
            message: message_of(found.tag, schema),
            payload: hex::encode(found.payload),
            decoded,
            undecoded,
        })
    }
}
