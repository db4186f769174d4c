//! What zero-copy types are made of, as a journal keeps it: so their payloads can be read without their program.
//!
//! | word | fields |
//! |---|---|
//! | `struct` | fingerprint of the layout (16 hex digits), size, align; the fields up to the next such line are its |
//! | `field` | name, offset, size, type |
//! | `enum` | fingerprint, size, align; the variants up to the next such line are its |
//! | `variant` | name, number |
//! | `tail` | fingerprint, size and align of the head, type of the head, size of an item, type of the items |
//!
//! A type is its name, `#` and its fingerprint, or an array `[TYPE;LENGTH]`. What a type is made of stands before it.

use super::Schema;
use super::lines::{Escaped, Fields, Lines, once};
use crate::message::{Of, Shape, TypeShape};

/// What a zero-copy type is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ShapeEntry {
    /// The fingerprint of its layout.
    pub layout: u64,
    /// Its size in bytes; of a message with a tail that of its head.
    pub size: u64,
    /// Its alignment in bytes; of a message with a tail that of its head.
    pub align: u64,
    /// Its parts.
    pub parts: Parts,
}

/// The parts of a zero-copy type.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Parts {
    /// Those of a struct, in the order of their offsets.
    Struct(Vec<FieldEntry>),
    /// The variants of an enum without fields.
    Enum(Vec<VariantEntry>),
    /// Those of a message with a variable tail. Types are named as in [`FieldEntry::type_name`].
    Tail {
        /// The type of the head; `()` if there is none.
        head: String,
        /// The size of an item in bytes.
        item_size: u64,
        /// The type of the items.
        item: String,
    },
}

/// A field of a struct.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct FieldEntry {
    /// Its name; in a tuple its number.
    pub name: String,
    /// Where it starts, in bytes.
    pub offset: u64,
    /// Its size in bytes.
    pub size: u64,
    /// Its type: `#` and 16 hex digits, the fingerprint of one whose shape is known; `[TYPE;LENGTH]`; or a name, as `u32`.
    pub type_name: String,
}

/// A variant of an enum.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct VariantEntry {
    /// Its name.
    pub name: String,
    /// The number that stands for it.
    pub number: i128,
}

impl Schema {
    /// What zero-copy types are made of, parts before wholes.
    #[must_use]
    pub fn shapes(&self) -> &[ShapeEntry] {
        &self.shapes
    }

    /// What the zero-copy type with this fingerprint is made of, if the program that brought it has said so.
    #[must_use]
    pub fn shape(&self, layout: u64) -> Option<&ShapeEntry> {
        self.shapes.iter().find(|entry| entry.layout == layout)
    }

    /// Adds a shape, if its fingerprint has none yet. Says whether it did.
    pub(crate) fn add_shape(&mut self, entry: ShapeEntry) -> bool {
        let new = self.shape(entry.layout).is_none();
        if new {
            self.shapes.push(entry);
        }
        new
    }

    /// Adds what a type is made of, and before it what its parts are.
    pub(crate) fn add_shapes_of(&mut self, shape: &Shape) {
        let (size, align, parts) = match shape {
            Shape::Struct(of) => {
                let fields = of.fields.iter().map(|field| FieldEntry {
                    name: field.name.into(),
                    offset: field.offset as u64,
                    size: field.size as u64,
                    type_name: self.name_of(&field.ty),
                });
                (of.size, of.align, Parts::Struct(fields.collect()))
            }
            Shape::Enum(of) => {
                let variants = of.variants.iter().map(|(name, number)| VariantEntry {
                    name: (*name).into(),
                    number: *number,
                });
                (of.size, of.align, Parts::Enum(variants.collect()))
            }
            Shape::Tail(of) => {
                let parts = Parts::Tail {
                    head: self.name_of(of.head),
                    item_size: of.item_size as u64,
                    item: self.name_of(of.item),
                };
                (of.size, of.align, parts)
            }
        };
        self.add_shape(ShapeEntry {
            layout: shape.fingerprint(),
            size: size as u64,
            align: align as u64,
            parts,
        });
    }

    /// How a part's type is named. If its shape is known it is added.
    fn name_of(&mut self, ty: &TypeShape) -> String {
        match ty.of {
            Of::One(Some(shape)) => {
                self.add_shapes_of(shape);
                format!("#{:016x}", ty.print)
            }
            // Without a fingerprint its name is that of the whole, whatever constants it is written with.
            Of::Array { item, len } if item.print != 0 => {
                format!("[{};{len}]", self.name_of(item))
            }
            _ => ty.name().into(),
        }
    }
}

/// Writes shapes at the end of `to`.
pub(super) fn write(to: &mut String, shapes: &[ShapeEntry]) {
    let mut to = Lines(to);
    for shape in shapes {
        to.word(match shape.parts {
            Parts::Struct(_) => "struct",
            Parts::Enum(_) => "enum",
            Parts::Tail { .. } => "tail",
        });
        to.field(format_args!("{:016x}", shape.layout))
            .field(shape.size)
            .field(shape.align);
        match &shape.parts {
            Parts::Struct(fields) => {
                to.end();
                for field in fields {
                    to.word("field").field(Escaped(&field.name));
                    to.field(field.offset).field(field.size);
                    to.field(Escaped(&field.type_name)).end();
                }
            }
            Parts::Enum(variants) => {
                to.end();
                for variant in variants {
                    to.word("variant").field(Escaped(&variant.name));
                    to.field(variant.number).end();
                }
            }
            Parts::Tail {
                head,
                item_size,
                item,
            } => {
                to.field(Escaped(head)).field(item_size);
                to.field(Escaped(item)).end();
            }
        }
    }
}

/// Takes in one line, of which the word is read; the error says what is wrong with it.
pub(super) fn read(schema: &mut Schema, word: &str, fields: &mut Fields<'_>) -> Result<(), String> {
    match word {
        "field" => {
            let entry = FieldEntry {
                name: fields.text("name")?,
                offset: fields.number("offset")?,
                size: fields.number("size")?,
                type_name: fields.text("type")?,
            };
            match schema.shapes.last_mut().map(|last| &mut last.parts) {
                Some(Parts::Struct(of)) => of.push(entry),
                _ => return Err("a line of a struct that is after no `struct`".into()),
            }
        }
        "variant" => {
            let entry = VariantEntry {
                name: fields.text("name")?,
                number: fields.number("number")?,
            };
            match schema.shapes.last_mut().map(|last| &mut last.parts) {
                Some(Parts::Enum(of)) => of.push(entry),
                _ => return Err("a line of an enum that is after no `enum`".into()),
            }
        }
        "struct" | "enum" | "tail" => {
            let entry = ShapeEntry {
                layout: fields.hex("fingerprint", 16)? as u64,
                size: fields.number("size")?,
                align: fields.number("alignment")?,
                parts: match word {
                    "struct" => Parts::Struct(Vec::new()),
                    "enum" => Parts::Enum(Vec::new()),
                    _ => Parts::Tail {
                        head: fields.text("head's type")?,
                        item_size: fields.number("item's size")?,
                        item: fields.text("items' type")?,
                    },
                },
            };
            let layout = entry.layout;
            once(
                schema.add_shape(entry),
                "shape of the layout",
                format_args!("{layout:016x}"),
            )?;
        }
        other => return Err(format!("a line that begins with {other:?}")),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::lines::read;
    use super::*;

    #[test]
    fn says_what_is_wrong_with_a_line() {
        for (text, why) in [
            (
                "field\tn\t0\t1\tu8",
                "a line of a struct that is after no `struct`",
            ),
            (
                "enum\t00000000000000aa\t1\t1\nfield\tn\t0\t1\tu8",
                "a line of a struct that is after no `struct`",
            ),
            (
                "variant\tBuy\t1",
                "a line of an enum that is after no `enum`",
            ),
            (
                "struct\taa\t1\t1",
                "a `struct` with \"aa\" as its fingerprint",
            ),
            (
                "struct\t00000000000000aa\t1\t1\nenum\t00000000000000aa\t1\t1",
                "a second shape of the layout 00000000000000aa",
            ),
            (
                "tail\t00000000000000aa\t1\t1\t()",
                "a `tail` without its item's size",
            ),
        ] {
            let mut schema = Schema::default();
            let mut lines = text.lines().map(|line| read(&mut schema, line));
            let error = lines.find_map(Result::err);
            assert_eq!(error.as_deref(), Some(why), "{text:?}");
        }
    }
}
