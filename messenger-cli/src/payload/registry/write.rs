//! Values as a codec takes them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::ser::{
    Error, SerializeMap, SerializeSeq, SerializeTuple, SerializeTupleVariant, Serializer,
};
use serde_json::Value;
use serde_reflection::{ContainerFormat, Format, Named, VariantFormat};

use super::super::values;
use super::{At, in_some, only};

impl Serialize for At<'_, &Value> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let no = |why| S::Error::custom(self.all.no(why));
        if self.depth == 0 {
            return Err(no("it nests too deep".to_owned()));
        }
        let value = self.value;
        let container = match self.format {
            Format::Unit => {
                values::to_null(value).map_err(no)?;
                return to.serialize_unit();
            }
            Format::Bool => return to.serialize_bool(values::to_bool(value).map_err(no)?),
            Format::I8 => return to.serialize_i8(values::to_signed(value, 8).map_err(no)? as i8),
            Format::I16 => {
                return to.serialize_i16(values::to_signed(value, 16).map_err(no)? as i16);
            }
            Format::I32 => {
                return to.serialize_i32(values::to_signed(value, 32).map_err(no)? as i32);
            }
            Format::I64 => {
                return to.serialize_i64(values::to_signed(value, 64).map_err(no)? as i64);
            }
            Format::I128 => return to.serialize_i128(values::to_signed(value, 128).map_err(no)?),
            Format::U8 => return to.serialize_u8(values::to_unsigned(value, 8).map_err(no)? as u8),
            Format::U16 => {
                return to.serialize_u16(values::to_unsigned(value, 16).map_err(no)? as u16);
            }
            Format::U32 => {
                return to.serialize_u32(values::to_unsigned(value, 32).map_err(no)? as u32);
            }
            Format::U64 => {
                return to.serialize_u64(values::to_unsigned(value, 64).map_err(no)? as u64);
            }
            Format::U128 => return to.serialize_u128(values::to_unsigned(value, 128).map_err(no)?),
            Format::F32 => return to.serialize_f32(values::to_single(value).map_err(no)?),
            Format::F64 => return to.serialize_f64(values::to_double(value).map_err(no)?),
            Format::Char => return to.serialize_char(values::to_char(value).map_err(no)?),
            Format::Str => return to.serialize_str(values::to_text(value).map_err(no)?),
            Format::Bytes => return self.items(&Format::U8, to),
            Format::Seq(item) => return self.items(item, to),
            Format::Option(_) if value.is_null() => return to.serialize_none(),
            Format::Option(some) => {
                let value = in_some(value).unwrap_or(value);
                return to.serialize_some(&self.part(some).with(value));
            }
            Format::Map { key, value } => return self.pairs(key, value, to),
            Format::Tuple(parts) => return self.tuple(parts.iter(), parts.len(), to),
            Format::TupleArray { content, size } => {
                return self.tuple(std::iter::repeat_n(&**content, *size), *size, to);
            }
            Format::TypeName(name) => self.container(name),
            other => Err(format!("{other:?} is no format of a value")),
        };
        match container.map_err(no)? {
            ContainerFormat::UnitStruct => {
                values::to_null(value).map_err(no)?;
                to.serialize_unit()
            }
            ContainerFormat::NewTypeStruct(inner) => {
                to.serialize_newtype_struct("", &self.part(inner).with(value))
            }
            ContainerFormat::TupleStruct(parts) => self.tuple(parts.iter(), parts.len(), to),
            ContainerFormat::Struct(fields) => {
                let mut to = to.serialize_tuple(fields.len())?;
                for (field, value) in self.fields(fields, value).map_err(no)? {
                    let written = to.serialize_element(&self.part(&field.value).with(value));
                    self.all.within(&field.name, written)?;
                }
                to.end()
            }
            ContainerFormat::Enum(variants) => self.variant(variants, to),
        }
    }
}

impl<'a, 'v> At<'a, &'v Value> {
    fn items<S: Serializer>(&self, item: &'a Format, to: S) -> Result<S::Ok, S::Error> {
        let list = values::to_list(self.value);
        let list = list.map_err(|why| S::Error::custom(self.all.no(why)))?;
        let (item, mut to) = (self.part(item), to.serialize_seq(Some(list.len()))?);
        for (number, value) in list.iter().enumerate() {
            let written = to.serialize_element(&item.with(value));
            self.all.within(number, written)?;
        }
        to.end()
    }

    fn tuple<S: Serializer>(
        &self,
        parts: impl Iterator<Item = &'a Format>,
        len: usize,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let list = values::to_list_of(self.value, len);
        let list = list.map_err(|why| S::Error::custom(self.all.no(why)))?;
        let mut to = to.serialize_tuple(len)?;
        for (number, (part, value)) in parts.zip(list).enumerate() {
            let written = to.serialize_element(&self.part(part).with(value));
            self.all.within(number, written)?;
        }
        to.end()
    }

    fn pairs<S: Serializer>(
        &self,
        key: &'a Format,
        value: &'a Format,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let (key, of) = (self.part(key), self.part(value));
        let no = |why| S::Error::custom(self.all.no(why));
        if let Value::Object(object) = self.value {
            let mut to = to.serialize_map(Some(object.len()))?;
            for (name, value) in object {
                let name = Value::from(name.clone());
                let key = key.with(&name);
                to.serialize_entry(&key, &of.with(value))?;
            }
            return to.end();
        }
        let pairs = values::to_list(self.value).map_err(no)?;
        let mut to = to.serialize_map(Some(pairs.len()))?;
        for pair in pairs {
            let pair = values::to_list_of(pair, 2).map_err(no)?;
            let key = key.with(&pair[0]);
            to.serialize_entry(&key, &of.with(&pair[1]))?;
        }
        to.end()
    }

    /// The fields and their values.
    fn fields(
        &self,
        fields: &'a [Named<Format>],
        value: &'v Value,
    ) -> Result<Vec<(&'a Named<Format>, &'v Value)>, String> {
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        Ok(fields
            .iter()
            .zip(values::to_fields(value, &names)?)
            .collect())
    }

    fn variant<S: Serializer>(
        &self,
        variants: &'a BTreeMap<u32, Named<VariantFormat>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let no = |why| S::Error::custom(self.all.no(why));
        let (name, inner) = match (self.value, only(self.value)) {
            (Value::String(name), _) => (name, None),
            (_, Some((name, inner))) => (name, Some(inner)),
            (other, None) => {
                return Err(no(format!("{} is no variant", values::shown(other))));
            }
        };
        let found = variants.iter().find(|(_, variant)| variant.name == *name);
        let Some((&index, variant)) = found else {
            let names: Vec<_> = variants.values().map(|variant| &*variant.name).collect();
            return Err(no(format!("{name:?} is none of {}", names.join(", "))));
        };
        self.all
            .within(name, self.inside(index, &variant.value, inner, to))
    }

    /// Of an enum's value what is in the variant, if anything is.
    fn inside<S: Serializer>(
        &self,
        index: u32,
        variant: &'a VariantFormat,
        value: Option<&'v Value>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let no = |why| S::Error::custom(self.all.no(why));
        match (variant, value) {
            (VariantFormat::Unit, None) => to.serialize_unit_variant("", index, ""),
            (VariantFormat::NewType(format), Some(value)) => {
                to.serialize_newtype_variant("", index, "", &self.part(format).with(value))
            }
            (VariantFormat::Tuple(parts), Some(value)) => {
                let list = values::to_list_of(value, parts.len()).map_err(no)?;
                let mut to = to.serialize_tuple_variant("", index, "", parts.len())?;
                for (number, (part, value)) in parts.iter().zip(list).enumerate() {
                    let written = to.serialize_field(&self.part(part).with(value));
                    self.all.within(number, written)?;
                }
                to.end()
            }
            (VariantFormat::Struct(fields), Some(value)) => {
                let mut to = to.serialize_tuple_variant("", index, "", fields.len())?;
                for (field, value) in self.fields(fields, value).map_err(no)? {
                    let written = to.serialize_field(&self.part(&field.value).with(value));
                    self.all.within(&field.name, written)?;
                }
                to.end()
            }
            (VariantFormat::Unit, Some(_)) => Err(no("there is nothing in it".to_owned())),
            _ => Err(no("there is something in it".to_owned())),
        }
    }
}
