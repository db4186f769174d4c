//! What zero-copy types are made of, as data: their derives write it down.

use core::fmt;

use super::fingerprint::Fingerprint;
use super::text::Text;

/// What a zero-copy type is made of: what its fingerprint is computed of, and by what its bytes can be read without the type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// A struct.
    Struct(StructShape),
    /// An enum without fields.
    Enum(EnumShape),
    /// A message with a variable tail.
    Tail(TailShape),
}

impl Shape {
    /// The fingerprint of the layout.
    #[must_use]
    pub const fn fingerprint(&self) -> u64 {
        match self {
            Self::Struct(shape) => shape.fingerprint(),
            Self::Enum(shape) => shape.fingerprint(),
            Self::Tail(shape) => shape.fingerprint(),
        }
    }
}

/// A struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StructShape {
    /// Its name.
    pub name: &'static str,
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// Its fields, in the order of their offsets.
    pub fields: &'static [FieldShape],
}

/// A field of a struct.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FieldShape {
    /// Its name, or its number.
    pub name: &'static str,
    /// Where it starts, in bytes.
    pub offset: usize,
    /// Its size in bytes.
    pub size: usize,
    /// Its type.
    pub ty: TypeShape,
}

/// An enum without fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnumShape {
    /// Its size in bytes.
    pub size: usize,
    /// Its alignment in bytes.
    pub align: usize,
    /// The names and numbers of its variants.
    pub variants: &'static [(&'static str, i128)],
}

/// A message with a variable tail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TailShape {
    /// The head's size in bytes.
    pub size: usize,
    /// The head's alignment in bytes.
    pub align: usize,
    /// What the head is; `()` if there is none.
    pub head: &'static TypeShape,
    /// The size of an item in bytes.
    pub item_size: usize,
    /// What the items are.
    pub item: &'static TypeShape,
}

/// What tells a type from others of its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TypeShape {
    /// Its fingerprint, 0 if that is unknown.
    pub print: u64,
    /// What it is called if it is primitive, or an array of such.
    pub primitive: TypeName,
    /// The type as it stands in the source.
    pub text: &'static str,
    /// What it is made of.
    pub of: Of,
}

/// What a type is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Of {
    /// It is no array. Its shape, if that is known.
    One(Option<&'static Shape>),
    /// It is an array.
    Array {
        /// What its items are.
        item: &'static TypeShape,
        /// How many they are.
        len: usize,
    },
}

impl TypeShape {
    /// Its name, whatever aliases and constants it is written with, as far as that can be found out.
    #[must_use]
    pub const fn name(&self) -> &str {
        let primitive = self.primitive.0.as_str();
        if primitive.is_empty() {
            self.text
        } else {
            primitive
        }
    }
}

impl StructShape {
    const fn fingerprint(&self) -> u64 {
        let mut print = base(self.size, self.align);
        let mut i = 0;
        while i < self.fields.len() {
            let field = &self.fields[i];
            print = print
                .text(field.name)
                .number(field.offset as u64)
                .number(field.size as u64);
            print = if field.ty.print == 0 {
                print.text(field.ty.name())
            } else {
                print.number(field.ty.print)
            };
            i += 1;
        }
        print.get()
    }
}

impl EnumShape {
    const fn fingerprint(&self) -> u64 {
        let mut print = base(self.size, self.align);
        let mut i = 0;
        while i < self.variants.len() {
            let (name, number) = self.variants[i];
            print = print.text(name).number(number as u64);
            i += 1;
        }
        print.get()
    }
}

impl TailShape {
    /// Of head and items it has the fingerprint, or the name where that is unknown.
    const fn fingerprint(&self) -> u64 {
        let (head, item) = (self.head, self.item);
        base(self.size, self.align)
            .number(self.item_size as u64)
            .text("tail")
            .number(head.print)
            .text(if head.print == 0 { head.name() } else { "" })
            .number(item.print)
            .text(if item.print == 0 { item.name() } else { "" })
            .get()
    }
}

const fn base(size: usize, align: usize) -> Fingerprint {
    Fingerprint::new()
        .text(if cfg!(target_endian = "little") {
            "little"
        } else {
            "big"
        })
        .number(size as u64)
        .number(align as u64)
}

/// The name of a type; empty if it is unknown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TypeName(pub(super) Text<128>);

impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_str().fmt(f)
    }
}
