//! Values as a codec gives them.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_json::{Map, Value};
use serde_reflection::{ContainerFormat, Format, Named, VariantFormat};

use super::super::values;
use super::{At, SOME, in_some};

/// A value in a box. Codecs count the elements of sequences by the size of what a seed gives, and allow for each as much as types take that
/// are made with care; a `Value` takes more. How many elements there are is bounded by the payload's length all the same.
pub(super) struct Boxed(pub(super) Box<Value>);

impl<T: Into<Value>> From<T> for Boxed {
    fn from(value: T) -> Self {
        Self(Box::new(value.into()))
    }
}

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Boxed;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Boxed, D::Error> {
        let take = |parts| self.all.take(parts).map_err(D::Error::custom);
        let compound = match self.format {
            Format::Unit => {
                take(0)?;
                return Ok(Value::Null.into());
            }
            Format::Bool => return bool::deserialize(from).map(Boxed::from),
            Format::I8 => return i8::deserialize(from).map(Boxed::from),
            Format::I16 => return i16::deserialize(from).map(Boxed::from),
            Format::I32 => return i32::deserialize(from).map(Boxed::from),
            Format::I64 => return i64::deserialize(from).map(Boxed::from),
            Format::I128 => {
                return i128::deserialize(from).map(|number| values::signed(number).into());
            }
            Format::U8 => return u8::deserialize(from).map(Boxed::from),
            Format::U16 => return u16::deserialize(from).map(Boxed::from),
            Format::U32 => return u32::deserialize(from).map(Boxed::from),
            Format::U64 => return u64::deserialize(from).map(Boxed::from),
            Format::U128 => {
                return u128::deserialize(from).map(|number| values::unsigned(number).into());
            }
            Format::F32 => {
                return f32::deserialize(from).map(|number| values::single(number).into());
            }
            Format::F64 => {
                return f64::deserialize(from).map(|number| values::double(number).into());
            }
            Format::Char => return char::deserialize(from).map(|char| char.to_string().into()),
            Format::Str => return String::deserialize(from).map(Boxed::from),
            // Both codecs write the two alike.
            Format::Bytes => return Vec::<u8>::deserialize(from).map(Boxed::from),
            Format::Seq(item) if **item == Format::U8 => {
                return Vec::<u8>::deserialize(from).map(Boxed::from);
            }
            Format::Option(some) => {
                return from.deserialize_option(Compound::Option(self.part(some)));
            }
            Format::Seq(item) => return from.deserialize_seq(Compound::Seq(self.part(item))),
            Format::Map { key, value } => {
                let (key, value) = (self.part(key), self.part(value));
                return from.deserialize_map(Compound::Map(key, value));
            }
            Format::Tuple(parts) => {
                take(parts.len())?;
                return from.deserialize_tuple(parts.len(), Compound::Tuple(self, parts));
            }
            Format::TupleArray { content, size } => {
                take(*size)?;
                let items = Compound::Array(self.part(content), *size);
                return from.deserialize_tuple(*size, items);
            }
            Format::TypeName(name) => self.container(name),
            other => Err(format!("{other:?} is no format of a value")),
        };
        match compound.map_err(|why| D::Error::custom(self.all.no(why)))? {
            ContainerFormat::UnitStruct => {
                take(0)?;
                Ok(Value::Null.into())
            }
            ContainerFormat::NewTypeStruct(inner) => {
                from.deserialize_newtype_struct("", Compound::NewType(self.part(inner)))
            }
            ContainerFormat::TupleStruct(parts) => {
                take(parts.len())?;
                from.deserialize_tuple(parts.len(), Compound::Tuple(self, parts))
            }
            ContainerFormat::Struct(fields) => {
                take(fields.len())?;
                from.deserialize_tuple(fields.len(), Compound::Struct(self, fields))
            }
            ContainerFormat::Enum(variants) => {
                from.deserialize_enum("", &[], Compound::Enum(self, variants))
            }
        }
    }
}

/// Reads a value that has parts.
enum Compound<'a> {
    Option(At<'a>),
    Seq(At<'a>),
    Map(At<'a>, At<'a>),
    Array(At<'a>, usize),
    NewType(At<'a>),
    Tuple(At<'a>, &'a [Format]),
    Struct(At<'a>, &'a [Named<Format>]),
    Enum(At<'a>, &'a BTreeMap<u32, Named<VariantFormat>>),
}

impl<'de> Visitor<'de> for Compound<'_> {
    type Value = Boxed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another value")
    }

    fn visit_none<E>(self) -> Result<Boxed, E> {
        Ok(Value::Null.into())
    }

    fn visit_some<D: Deserializer<'de>>(self, from: D) -> Result<Boxed, D::Error> {
        let value = self.visit_newtype_struct(from)?;
        Ok(if value.0.is_null() || in_some(&value.0).is_some() {
            object(SOME, value)
        } else {
            value
        })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Boxed, D::Error> {
        match self {
            Self::Option(at) | Self::NewType(at) => at.deserialize(from),
            _ => Err(D::Error::custom("another value")),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Boxed, A::Error> {
        let ends = || A::Error::custom("it ends early");
        match self {
            Self::Seq(at) => {
                let mut list = Vec::new();
                while let Some(value) = at.all.within(list.len(), from.next_element_seed(at))? {
                    list.push(*value.0);
                }
                Ok(list.into())
            }
            Self::Array(at, len) => {
                let mut list = Vec::new();
                while list.len() < len {
                    let value = from.next_element_seed(at);
                    list.push(*at.all.within(list.len(), value)?.ok_or_else(ends)?.0);
                }
                Ok(list.into())
            }
            Self::Tuple(at, parts) => {
                let mut list = Vec::new();
                for (number, part) in parts.iter().enumerate() {
                    let value = from.next_element_seed(at.part(part));
                    list.push(*at.all.within(number, value)?.ok_or_else(ends)?.0);
                }
                Ok(list.into())
            }
            Self::Struct(at, fields) => {
                let mut object = Map::new();
                for field in fields {
                    let value = from.next_element_seed(at.part(&field.value));
                    let value = at.all.within(&field.name, value)?.ok_or_else(ends)?;
                    object.insert(field.name.clone(), *value.0);
                }
                Ok(object.into())
            }
            _ => Err(A::Error::custom("another value")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Boxed, A::Error> {
        let Self::Map(key, value) = self else {
            return Err(A::Error::custom("another value"));
        };
        let mut pairs = Vec::new();
        while let Some((key, value)) = from.next_entry_seed(key, value)? {
            pairs.push((*key.0, *value.0));
        }
        let texts: HashSet<_> = pairs.iter().filter_map(|(key, _)| key.as_str()).collect();
        if texts.len() < pairs.len() {
            let pairs = pairs.into_iter().map(|(key, value)| vec![key, value]);
            return Ok(pairs.collect::<Value>().into());
        }
        let object = pairs.into_iter().filter_map(|(key, value)| match key {
            Value::String(key) => Some((key, value)),
            _ => None,
        });
        Ok(object.collect::<Value>().into())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, from: A) -> Result<Boxed, A::Error> {
        let Self::Enum(at, variants) = self else {
            return Err(A::Error::custom("another value"));
        };
        let (index, from) = from.variant_seed(PhantomData::<u32>)?;
        let variant = variants.get(&index);
        let Named { name, value } =
            variant.ok_or_else(|| A::Error::custom(at.all.no(format!("{index} is no variant"))))?;
        let all = at.all;
        let inner = match value {
            VariantFormat::Unit => {
                from.unit_variant()?;
                return Ok(name.clone().into());
            }
            VariantFormat::NewType(inner) => from.newtype_variant_seed(at.part(inner)),
            VariantFormat::Tuple(parts) => {
                from.tuple_variant(parts.len(), Compound::Tuple(at, parts))
            }
            VariantFormat::Struct(fields) => {
                from.tuple_variant(fields.len(), Compound::Struct(at, fields))
            }
            VariantFormat::Variable(_) => return Err(A::Error::custom("another value")),
        };
        Ok(object(name, all.within(name, inner)?))
    }
}

/// An object of one thing.
fn object(name: &str, value: Boxed) -> Boxed {
    Value::from_iter([(name.to_owned(), *value.0)]).into()
}
