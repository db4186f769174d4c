//! Payloads of the codecs bincode and postcard, by a registry of formats as the crate serde-reflection makes it.
//!
//! As JSON they are what serde_json makes of their types, and as `values.rs` says. So that nothing is lost, what an option has is put
//! into an object `{"Some": ..}` if it is null itself, or such an object; and a map whose keys are not texts, each once, is an array
//! of pairs.

mod read;
mod write;

use std::cell::Cell;
use std::fmt;
use std::path::Path;

use messenger::bus::PayloadWriter;
use messenger::journal::MessageEntry;
use messenger::message::{DecodeError, EncodeError, MAX_DEPTH, bincode, max_memory, postcard};
use serde_json::Value;
use serde_reflection::{ContainerFormat, Error, Format, FormatHolder, Registry};

use super::values::within;
use crate::fail::Fail;

/// The name of what is there of an option, where JSON would have it as nothing.
const SOME: &str = "Some";

/// What a value without bytes takes of what a payload may make.
const EMPTY: usize = 32;

/// Reads the file, in which all is there that it names.
pub(super) fn open(path: &Path, bytes: &[u8]) -> Result<Registry, Fail> {
    let shown = path.display();
    let registry: Registry = serde_json::from_slice(bytes).map_err(|error| {
        Fail::error(format!(
            "{shown} is no registry of formats: {error}; write one with the crate serde-reflection, as JSON"
        ))
    })?;
    for (name, container) in &registry {
        let all_there = container.visit(&mut |format| match format {
            Format::TypeName(part) if !registry.contains_key(part) => {
                Err(Error::UnknownFormatInContainer(part.clone()))
            }
            _ => Ok(()),
        });
        if let Err(Error::UnknownFormatInContainer(part)) = all_there {
            return Err(Fail::error(format!(
                "{shown} says that {part} is in {name}, and not what {part} is: trace that, too"
            )));
        }
    }
    Ok(registry)
}

/// The name in the registry of a message of the schema: that of its type.
pub(super) fn find<'e>(registry: &Registry, entry: &'e MessageEntry) -> Option<&'e str> {
    let name = entry
        .path
        .rsplit("::")
        .next()
        .filter(|name| !name.is_empty());
    let name = name.unwrap_or(&entry.name);
    registry.contains_key(name).then_some(name)
}

/// A codec of serde.
#[derive(Clone, Copy)]
pub(super) enum Codec {
    Bincode,
    Postcard,
}

impl Codec {
    pub(super) fn of(name: &str) -> Option<Self> {
        match name {
            "bincode" => Some(Self::Bincode),
            "postcard" => Some(Self::Postcard),
            _ => None,
        }
    }

    /// What `bytes` say, which are a value of this name; the error says why they are none.
    pub(super) fn decode(
        self,
        registry: &Registry,
        name: &str,
        bytes: &[u8],
    ) -> Result<Value, String> {
        let (all, format) = (All::new(registry), Format::TypeName(name.to_owned()));
        all.left.set(max_memory(bytes.len()) / EMPTY);
        let seed = At::new(&all, &format);
        let value = match self {
            Self::Bincode => bincode::decode_seed(seed, bytes),
            Self::Postcard => postcard::decode_seed(seed, bytes),
        };
        let value = value.map(|value| *value.0);
        value.map_err(|error| match (error, all.why.take()) {
            // Not all codecs keep it.
            (DecodeError::Codec { .. }, Some(why)) => why,
            (error, _) => error.to_string(),
        })
    }

    /// The bytes of a value of this name that says `value`; the error says why there are none.
    pub(super) fn encode(
        self,
        registry: &Registry,
        name: &str,
        value: &Value,
    ) -> Result<Vec<u8>, String> {
        let (all, format) = (All::new(registry), Format::TypeName(name.to_owned()));
        let at = At::new(&all, &format).with(value);
        let written = || -> Result<Vec<u8>, EncodeError> {
            let mut bytes = vec![
                0;
                match self {
                    Self::Bincode => bincode::encoded_len(&at)?,
                    Self::Postcard => postcard::encoded_len(&at)?,
                }
            ];
            let mut to = PayloadWriter::over(&mut bytes);
            match self {
                Self::Bincode => bincode::write(&at, &mut to)?,
                Self::Postcard => postcard::write(&at, &mut to)?,
            }
            Ok(bytes)
        };
        written().map_err(|error| all.why.take().unwrap_or_else(|| error.to_string()))
    }
}

/// What all parts of a value have in common.
struct All<'a> {
    registry: &'a Registry,
    /// Why the value is none.
    why: Cell<Option<String>>,
    /// How many more values without bytes are read: there are as many as somebody wrote into the registry, and not as the payload has bytes.
    left: Cell<usize>,
}

impl<'a> All<'a> {
    fn new(registry: &'a Registry) -> Self {
        Self {
            registry,
            why: Cell::new(None),
            left: Cell::new(0),
        }
    }

    /// Takes a value that has so many parts to read.
    fn take(&self, parts: usize) -> Result<(), &'static str> {
        if parts == 0 {
            let left = self.left.get().checked_sub(1);
            let too_much = || self.no("what it says makes too much of the payload's bytes".into());
            self.left.set(left.ok_or_else(too_much)?);
        }
        Ok(())
    }

    /// Keeps why it is none, and gives what stands for that until the codec is done.
    fn no(&self, why: String) -> &'static str {
        self.why.set(Some(why));
        "it is another value"
    }

    /// Says where it was, if it is none.
    fn within<T, E>(&self, part: impl fmt::Display, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.why.set(self.why.take().map(within(part)));
        }
        result
    }
}

/// A part of a value: what it is. And, to be written, `W`, the value.
#[derive(Clone, Copy)]
struct At<'a, W = ()> {
    all: &'a All<'a>,
    format: &'a Format,
    /// How many more levels there may be within this one.
    depth: u32,
    value: W,
}

impl<'a> At<'a> {
    fn new(all: &'a All<'a>, format: &'a Format) -> Self {
        Self {
            all,
            format,
            depth: MAX_DEPTH,
            value: (),
        }
    }

    fn with<'v>(self, value: &'v Value) -> At<'a, &'v Value> {
        At {
            all: self.all,
            format: self.format,
            depth: self.depth,
            value,
        }
    }
}

impl<'a, W> At<'a, W> {
    /// A part of this one.
    fn part(&self, format: &'a Format) -> At<'a> {
        At {
            all: self.all,
            format,
            depth: self.depth.saturating_sub(1),
            value: (),
        }
    }

    fn container(&self, name: &str) -> Result<&'a ContainerFormat, String> {
        let found = self.all.registry.get(name);
        found.ok_or_else(|| format!("what {name} is stands nowhere"))
    }
}

/// The one thing in an object, and its name.
fn only(value: &Value) -> Option<(&String, &Value)> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.iter().next()
}

/// What is in an object of nothing but `Some`.
fn in_some(value: &Value) -> Option<&Value> {
    let (name, inner) = only(value)?;
    (name == SOME).then_some(inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn as_many_elements_as_there_are_bytes_are_read() {
        let formats = json!({
            "Kind": {"ENUM": {"0": {"Plain": "UNIT"}}},
            "Wrapped": {"NEWTYPESTRUCT": "BOOL"},
            "One": {"STRUCT": [{"n": "U8"}]},
        });
        for (item, value) in [
            (json!("I8"), json!(0)),
            (json!({"OPTION": "U64"}), json!(null)),
            (json!({"TYPENAME": "Kind"}), json!("Plain")),
            (json!({"TYPENAME": "Wrapped"}), json!(false)),
            (json!({"TYPENAME": "One"}), json!({"n": 0})),
        ] {
            let mut formats = formats.clone();
            formats["List"] = json!({"NEWTYPESTRUCT": {"SEQ": item}});
            let registry = serde_json::from_value(formats).unwrap();
            let list = vec![value; 200_000].into();
            let bytes = Codec::Postcard.encode(&registry, "List", &list).unwrap();
            assert_eq!(bytes.len(), 200_003);
            let read = Codec::Postcard.decode(&registry, "List", &bytes);
            assert!(read.as_ref() == Ok(&list), "{item}: {:?}", read.err());
            // No more than that.
            let read = Codec::Postcard.decode(&registry, "List", &bytes[..200_002]);
            assert!(read.is_err(), "{item}");
        }
    }

    #[test]
    fn what_takes_no_bytes_is_not_without_end() {
        let twice = |name: &str| json!({"TUPLE": [{"TYPENAME": name}, {"TYPENAME": name}]});
        let mut formats = json!({"T0": "UNITSTRUCT", "None": {"TUPLESTRUCT": []}});
        for level in 1..22 {
            formats[format!("T{level}")] =
                json!({"NEWTYPESTRUCT": twice(&format!("T{}", level - 1))});
        }
        let many = |item| json!({"TUPLEARRAY": {"CONTENT": item, "SIZE": 2_000_000}});
        for (format, sound) in [
            (
                json!({"TUPLEARRAY": {"CONTENT": "UNIT", "SIZE": 20_000}}),
                true,
            ),
            (many(json!("UNIT")), false),
            (many(json!({"TUPLE": []})), false),
            (many(json!({"TYPENAME": "None"})), false),
            (json!({"TYPENAME": "T21"}), false),
        ] {
            let mut formats = formats.clone();
            formats["All"] = json!({"NEWTYPESTRUCT": format});
            let registry = serde_json::from_value(formats).unwrap();
            let read = Codec::Bincode.decode(&registry, "All", &[]);
            assert_eq!(read.is_ok(), sound, "{format}");
            let told =
                |why: &str| why.ends_with("what it says makes too much of the payload's bytes");
            assert!(read.as_ref().err().is_none_or(|why| told(why)), "{read:?}");
        }
    }
}
