//! Zero-copy payloads, by the shapes that the schema has of their types.
//!
//! As JSON a struct is an object, a tuple an array, one of a single field that field, and an enum the name of the variant. A message with a
//! tail is an object of `head`, if it has one, and `tail`. What takes no bytes is null. Of a type that is known by nothing but its name, as
//! one of another crate, there are the bytes, in hex.

use std::cell::Cell;
use std::ops::Range;

use messenger::journal::{FieldEntry, Parts, Schema, ShapeEntry, VariantEntry};
use messenger::message::max_memory;
use serde_json::{Map, Value};

use super::values::{self, within};
use crate::hex;

/// Types nest deeper in no program.
const DEEPEST: u32 = 128;

/// No record is as long.
const LONGEST: usize = 1 << 30;

/// What a field, an array or a variant takes of what a payload may make beside its bytes; and its name takes its length.
const PART: usize = 32;

/// Reads a payload by the shapes of a schema.
struct Reading<'a> {
    schema: &'a Schema,
    /// What it may still make beside its bytes: names, parts without bytes and levels are as many as somebody wrote into the shapes, for each
    /// item anew.
    left: Cell<usize>,
}

/// What `bytes` say, which are a message of the layout; the error says why they are none.
pub(super) fn decode(schema: &Schema, shape: &ShapeEntry, bytes: &[u8]) -> Result<Value, String> {
    let reading = Reading {
        schema,
        left: Cell::new(max_memory(bytes.len())),
    };
    let Parts::Tail {
        head,
        item_size,
        item,
    } = &shape.parts
    else {
        return reading.whole(shape, bytes, DEEPEST);
    };
    let (at, item_size) = (index(shape.size)?, index(*item_size)?);
    let (first, rest) = bytes
        .split_at_checked(at)
        .filter(|(_, rest)| item_size > 0 && rest.len() % item_size == 0)
        .ok_or_else(|| {
            let len = bytes.len();
            format!("{len} bytes are no head of {at} and items of {item_size}")
        })?;
    let mut object = Map::new();
    if head != "()" {
        let head = reading.part(head, first, DEEPEST).map_err(within("head"))?;
        object.insert("head".into(), head);
    }
    let tail = rest
        .chunks(item_size)
        .map(|bytes| reading.part(item, bytes, DEEPEST));
    let tail = tail.collect::<Result<_, _>>().map_err(within("tail"))?;
    object.insert("tail".into(), tail);
    Ok(object.into())
}

/// The bytes of a message that says `value`; the error says why there are none.
pub(super) fn encode(
    schema: &Schema,
    shape: &ShapeEntry,
    value: &Value,
) -> Result<Vec<u8>, String> {
    let Parts::Tail {
        head,
        item_size,
        item,
    } = &shape.parts
    else {
        let mut bytes = room(shape.size)?;
        put_whole(schema, shape, value, &mut bytes, DEEPEST)?;
        return Ok(bytes);
    };
    let mut bytes = room(shape.size)?;
    let tail = if head == "()" {
        values::to_fields(value, &["tail"])?[0]
    } else {
        let fields = values::to_fields(value, &["head", "tail"])?;
        put(schema, head, fields[0], &mut bytes, DEEPEST).map_err(within("head"))?;
        fields[1]
    };
    for value in values::to_list(tail).map_err(within("tail"))? {
        let mut one = room(*item_size)?;
        put(schema, item, value, &mut one, DEEPEST).map_err(within("tail"))?;
        if one.len() > LONGEST - bytes.len() {
            return Err("no record is as long".into());
        }
        bytes.extend(one);
    }
    Ok(bytes)
}

/// How a part's type is named.
enum Type<'a> {
    Shape(u64),
    Array(&'a str, u64),
    Name(&'a str),
}

impl<'a> Type<'a> {
    fn of(name: &'a str) -> Self {
        let print = name
            .strip_prefix('#')
            .map(|hex| u64::from_str_radix(hex, 16));
        if let Some(Ok(layout)) = print {
            return Self::Shape(layout);
        }
        let inside = name
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'));
        let array = inside.and_then(|inside| inside.rsplit_once(';'));
        match array.map(|(item, len)| (item, len.parse())) {
            Some((item, Ok(len))) => Self::Array(item, len),
            _ => Self::Name(name),
        }
    }
}

fn contradicts() -> String {
    "what the journal has of its shape contradicts itself".into()
}

fn index(number: u64) -> Result<usize, String> {
    usize::try_from(number).map_err(|_| contradicts())
}

/// Zeros to write a value into.
fn room(size: u64) -> Result<Vec<u8>, String> {
    let size = index(size)?;
    (size <= LONGEST)
        .then(|| vec![0; size])
        .ok_or_else(contradicts)
}

/// How long each of so many items is, in so many bytes.
fn each(len: u64, bytes: usize) -> Result<usize, String> {
    let len = index(len)?;
    let each = bytes.checked_div(len).filter(|each| each * len == bytes);
    each.ok_or_else(contradicts)
}

fn deeper(depth: u32) -> Result<u32, String> {
    depth.checked_sub(1).ok_or_else(contradicts)
}

fn span(field: &FieldEntry) -> Result<Range<usize>, String> {
    let end = field
        .offset
        .checked_add(field.size)
        .ok_or_else(contradicts)?;
    Ok(index(field.offset)?..index(end)?)
}

/// Where the fields of a struct of so many bytes are. Each byte is in one of them: so there are not more parts than go with the bytes, and what
/// is said of the parts says all of them.
fn spans(fields: &[FieldEntry], size: usize) -> Result<Vec<Range<usize>>, String> {
    let mut before = 0;
    let spans = fields.iter().map(|field| {
        let span = span(field)?;
        if !span.is_empty() {
            if span.start != before {
                return Err(contradicts());
            }
            before = span.end;
        }
        Ok(span)
    });
    let spans = spans.collect::<Result<_, _>>()?;
    (before == size).then_some(spans).ok_or_else(contradicts)
}

/// Whether the fields are those of a tuple.
fn is_tuple(fields: &[FieldEntry]) -> bool {
    let mut numbered = fields.iter().enumerate();
    !fields.is_empty() && numbered.all(|(number, field)| field.name == number.to_string())
}

/// As what a variant's number stands in so many bits.
fn in_bits(variant: &VariantEntry, bits: u32) -> u128 {
    variant.number as u128 & u128::MAX >> (128 - bits)
}

fn unsigned(bytes: &[u8]) -> u128 {
    bytes
        .iter()
        .rev()
        .fold(0, |number, byte| number << 8 | u128::from(*byte))
}

/// The number of bits of a number in so many bytes.
fn bits(bytes: &[u8]) -> Result<u32, String> {
    let bits = u32::try_from(bytes.len())
        .unwrap_or(u32::MAX)
        .saturating_mul(8);
    (8..=128)
        .contains(&bits)
        .then_some(bits)
        .ok_or_else(contradicts)
}

impl Reading<'_> {
    /// Takes what a part of this name makes beside its bytes.
    fn take(&self, name: &str) -> Result<(), String> {
        let left = self.left.get().checked_sub(name.len() + PART);
        self.left
            .set(left.ok_or("what the journal has of its shape makes too much of its bytes")?);
        Ok(())
    }

    fn whole(&self, shape: &ShapeEntry, bytes: &[u8], depth: u32) -> Result<Value, String> {
        if shape.size != bytes.len() as u64 {
            return Err(format!("{} bytes, and it has {}", bytes.len(), shape.size));
        }
        match &shape.parts {
            Parts::Struct(fields) => {
                let spans = spans(fields, bytes.len())?;
                let values = fields.iter().zip(spans).map(|(field, span)| {
                    self.take(&field.name)?;
                    let bytes = bytes.get(span).ok_or_else(contradicts)?;
                    self.part(&field.type_name, bytes, depth)
                        .map_err(within(&field.name))
                });
                let mut values = values.collect::<Result<Vec<_>, _>>()?;
                if is_tuple(fields) {
                    return Ok(if let [one] = &mut values[..] {
                        one.take()
                    } else {
                        values.into()
                    });
                }
                let names = fields.iter().map(|field| field.name.clone());
                Ok(names.zip(values).collect::<Map<_, _>>().into())
            }
            Parts::Enum(variants) => {
                let (bits, number) = (bits(bytes)?, unsigned(bytes));
                let mut variants = variants.iter();
                let variant = variants.find(|variant| in_bits(variant, bits) == number);
                let variant = variant.ok_or_else(|| format!("{number} is no variant"))?;
                self.take(&variant.name)?;
                Ok(variant.name.clone().into())
            }
            _ => Err(contradicts()),
        }
    }

    fn part(&self, name: &str, bytes: &[u8], depth: u32) -> Result<Value, String> {
        let depth = deeper(depth)?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let name = match Type::of(name) {
            Type::Array(item, len) => {
                self.take("")?;
                let items = bytes.chunks(each(len, bytes.len())?);
                return items.map(|bytes| self.part(item, bytes, depth)).collect();
            }
            Type::Shape(layout) => match self.schema.shape(layout) {
                Some(shape) => return self.whole(shape, bytes, depth),
                None => name,
            },
            Type::Name(name) => name,
        };
        let number = unsigned(&bytes[..bytes.len().min(16)]);
        Ok(match (name, bytes.len()) {
            ("u8", 1) | ("u16", 2) | ("u32", 4) | ("u64", 8) | ("u128", 16) | ("usize", 4 | 8) => {
                values::unsigned(number)
            }
            ("i8", 1) | ("i16", 2) | ("i32", 4) | ("i64", 8) | ("i128", 16) | ("isize", 4 | 8) => {
                let unused = 128 - bits(bytes)?;
                values::signed((number << unused) as i128 >> unused)
            }
            ("f32", 4) => values::single(f32::from_bits(number as u32)),
            ("f64", 8) => values::double(f64::from_bits(number as u64)),
            ("bool", 1) => match number {
                0 => false.into(),
                1 => true.into(),
                other => return Err(format!("{other} is no bool")),
            },
            ("char", 4) => match char::from_u32(number as u32) {
                Some(char) => char.to_string().into(),
                None => return Err(format!("{number:#x} is no char")),
            },
            _ => hex::encode(bytes).into(),
        })
    }
}

fn put_whole(
    schema: &Schema,
    shape: &ShapeEntry,
    value: &Value,
    to: &mut [u8],
    depth: u32,
) -> Result<(), String> {
    if shape.size != to.len() as u64 {
        return Err(contradicts());
    }
    match &shape.parts {
        Parts::Struct(fields) => {
            let values = if !is_tuple(fields) {
                let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
                values::to_fields(value, &names)?
            } else if fields.len() == 1 {
                vec![value]
            } else {
                values::to_list_of(value, fields.len())?.iter().collect()
            };
            let spans = spans(fields, to.len())?;
            for ((field, span), value) in fields.iter().zip(spans).zip(values) {
                let to = to.get_mut(span).ok_or_else(contradicts)?;
                put(schema, &field.type_name, value, to, depth).map_err(within(&field.name))?;
            }
            Ok(())
        }
        Parts::Enum(variants) => {
            let variant = variants.iter().find(|variant| *value == *variant.name);
            let variant = variant.ok_or_else(|| {
                let names: Vec<_> = variants.iter().map(|variant| &*variant.name).collect();
                format!("{} is none of {}", values::shown(value), names.join(", "))
            })?;
            fill(to, in_bits(variant, bits(to)?));
            Ok(())
        }
        _ => Err(contradicts()),
    }
}

fn put(
    schema: &Schema,
    name: &str,
    value: &Value,
    to: &mut [u8],
    depth: u32,
) -> Result<(), String> {
    let depth = deeper(depth)?;
    if to.is_empty() {
        return values::to_null(value);
    }
    let name = match Type::of(name) {
        Type::Array(item, len) => {
            let each = each(len, to.len())?;
            let items = values::to_list_of(value, to.len() / each)?;
            for (to, value) in to.chunks_mut(each).zip(items) {
                put(schema, item, value, to, depth)?;
            }
            return Ok(());
        }
        Type::Shape(layout) => match schema.shape(layout) {
            Some(shape) => return put_whole(schema, shape, value, to, depth),
            None => name,
        },
        Type::Name(name) => name,
    };
    let number = match (name, to.len()) {
        ("u8", 1) | ("u16", 2) | ("u32", 4) | ("u64", 8) | ("u128", 16) | ("usize", 4 | 8) => {
            values::to_unsigned(value, bits(to)?)?
        }
        ("i8", 1) | ("i16", 2) | ("i32", 4) | ("i64", 8) | ("i128", 16) | ("isize", 4 | 8) => {
            values::to_signed(value, bits(to)?)? as u128
        }
        ("f32", 4) => values::to_single(value)?.to_bits().into(),
        ("f64", 8) => values::to_double(value)?.to_bits().into(),
        ("bool", 1) => values::to_bool(value)?.into(),
        ("char", 4) => u32::from(values::to_char(value)?).into(),
        _ => {
            let bytes = hex::decode(values::to_text(value)?)?;
            if bytes.len() != to.len() {
                return Err(format!("{} bytes, and it has {}", bytes.len(), to.len()));
            }
            to.copy_from_slice(&bytes);
            return Ok(());
        }
    };
    fill(to, number);
    Ok(())
}

/// Writes the lower bytes of a number.
fn fill(to: &mut [u8], number: u128) {
    for (to, byte) in to.iter_mut().zip(number.to_le_bytes()) {
        *to = byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of bytes, and of a value, by a shape.
    fn both(
        text: &str,
        bytes: &[u8],
        value: Value,
    ) -> (Result<Value, String>, Result<Vec<u8>, String>) {
        let schema: Schema = text.parse().unwrap();
        let shape = schema.shape(0xaa).unwrap();
        (
            decode(&schema, shape, bytes),
            encode(&schema, shape, &value),
        )
    }

    #[test]
    fn shapes_that_contradict_themselves_are_told() {
        for (text, value) in [
            // It is in itself.
            (
                "struct\t00000000000000aa\t8\t8\nfield\t0\t0\t8\t#00000000000000aa\n",
                1.into(),
            ),
            (
                "struct\t00000000000000aa\t8\t8\nfield\tn\t8\t8\tu64\n",
                serde_json::json!({"n": 1}),
            ),
            (
                "struct\t00000000000000aa\t8\t8\nfield\t0\t18446744073709551615\t8\tu64\n",
                1.into(),
            ),
            (
                "struct\t00000000000000aa\t8\t8\nfield\t0\t0\t8\t[u8;3]\n",
                [0; 3][..].into(),
            ),
            (
                "struct\t00000000000000aa\t8\t8\nfield\t0\t0\t8\t[u8;0]\n",
                [0; 0][..].into(),
            ),
            (
                "enum\t00000000000000bb\t1\t1\nstruct\t00000000000000aa\t8\t8\nfield\t0\t0\t8\t#00000000000000bb\n",
                "Buy".into(),
            ),
            (
                "tail\t00000000000000bb\t0\t1\t()\t8\tu64\nstruct\t00000000000000aa\t8\t8\nfield\t0\t0\t8\t#00000000000000bb\n",
                1.into(),
            ),
            (
                "struct\t00000000000000aa\t18446744073709551615\t8\n",
                serde_json::json!({}),
            ),
        ] {
            let (said, made) = both(text, &[0; 8], value);
            assert!(said.is_err() && made.is_err(), "{text}: {said:?} {made:?}");
        }
        // Each byte is in one field.
        let twice = "struct\t00000000000000aa\t8\t8\nfield\ta\t0\t8\tu64\nfield\tb\t0\t8\tu64\n";
        assert!(both(twice, &[0; 8], Value::Null).0.is_err());
        let endless = "tail\t00000000000000aa\t0\t1\t()\t0\tu64\n";
        assert!(both(endless, &[0; 8], Value::Null).0.is_err());
    }

    #[test]
    fn no_shape_makes_much_of_little() {
        // It says nothing of its bytes.
        let empty = "struct\t00000000000000bb\t1073741824\t1\n\
                     tail\t00000000000000aa\t0\t1\t()\t1073741824\t#00000000000000bb\n";
        let gap = "struct\t00000000000000aa\t8\t1\nfield\ta\t0\t2\tu16\nfield\tb\t4\t4\tu32\n";
        let end = "struct\t00000000000000aa\t8\t1\nfield\ta\t0\t2\tu16\nfield\tb\t2\t4\tu32\n";
        for (text, value) in [
            (empty, serde_json::json!({"tail": [{}, {}]})),
            (gap, serde_json::json!({"a": 1, "b": 2})),
            (end, serde_json::json!({"a": 1, "b": 2})),
        ] {
            let made = both(text, &[], value).1;
            assert!(
                made.is_err_and(|why| why.ends_with(&contradicts())),
                "{text}"
            );
        }
        // Its names are long, its fields without bytes many, or its levels.
        let long = "n".repeat(10_000);
        let named = format!("field\t{long}\t0\t1\tu8\n");
        let many: String = (0..10_000)
            .map(|n| format!("field\t{n}\t1\t0\tMark\n"))
            .collect();
        let many = format!("field\tn\t0\t1\tu8\n{many}");
        let variant = format!("variant\t{long}\t0\n");
        let array = format!(
            "field\tn\t0\t1\t{}u8{}\n",
            "[".repeat(100),
            ";1]".repeat(100)
        );
        for (word, parts) in [
            ("struct", named),
            ("struct", many),
            ("enum", variant),
            ("struct", array),
        ] {
            let text = format!(
                "{word}\t00000000000000bb\t1\t1\n{parts}\
                 tail\t00000000000000aa\t0\t1\t()\t1\t#00000000000000bb\n"
            );
            assert!(both(&text, &[0; 2], Value::Null).0.is_ok(), "{word}");
            let said = both(&text, &[0; 50_000], Value::Null).0;
            assert!(said.is_err_and(|why| why.contains("too much")), "{word}");
        }
    }

    #[test]
    fn a_field_without_bytes_is_anywhere() {
        let text = "struct\t00000000000000aa\t1\t1\nfield\t0\t0\t1\tu8\nfield\t1\t0\t0\tMark\n";
        let value = serde_json::json!([7, null]);
        assert_eq!(both(text, &[7], value.clone()), (Ok(value), Ok(vec![7])));
    }

    #[test]
    fn types_of_other_crates_are_their_bytes() {
        let text = "struct\t00000000000000aa\t8\t1\nfield\tid\t0\t4\tother::Id\n\
                    field\tids\t4\t4\t[Id;2]\n";
        let value = serde_json::json!({"id": "00010203", "ids": ["0405", "0607"]});
        let bytes = [0, 1, 2, 3, 4, 5, 6, 7];
        assert_eq!(
            both(text, &bytes, value.clone()),
            (Ok(value), Ok(bytes.to_vec()))
        );
        let short = serde_json::json!({"id": "000102", "ids": ["0405", "0607"]});
        assert_eq!(
            both(text, &bytes, short).1,
            Err("id: 3 bytes, and it has 4".into())
        );
    }
}
