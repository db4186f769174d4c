//! What the derives check about the layout of zero-copy types, in const.

use core::marker::PhantomData;

use bytemuck::AnyBitPattern;

pub use super::{Bits, Plain, ZeroCopyMessage};
use super::{Tailed, split, tail_len, write_tail};
use crate::bus::{PAYLOAD_ALIGN, PayloadWriter};
use crate::message::fingerprint::Fingerprint;
use crate::message::shape::TypeName;
pub use crate::message::shape::{
    EnumShape, FieldShape, Of, Shape, StructShape, TailShape, TypeShape,
};
use crate::message::text::Text;
use crate::message::{DecodeError, EncodeError, Schema};

#[doc(hidden)]
impl StructShape {
    /// Compiles if there is no padding after the field.
    #[track_caller]
    pub const fn no_padding_after(&self, field: usize) {
        let end = self.fields[field].offset + self.fields[field].size;
        let next = if field + 1 < self.fields.len() {
            self.fields[field + 1].offset
        } else {
            self.size
        };
        if next != end {
            let text = Text::<512>::new()
                .text("`")
                .text(self.name)
                .text("` has ")
                .number(next as i128 - end as i128)
                .text(plural(next - end))
                .text(" of padding after its field `")
                .text(self.fields[field].name)
                .text("`, and padding can't be sent: put a field `_pad: [u8; ")
                .number(next as i128 - end as i128)
                .text("]` there, or order the fields by falling alignment");
            panic!("{}", text.as_str());
        }
    }

    /// Compiles if a payload is aligned well enough.
    #[track_caller]
    pub const fn fits_a_payload(&self) {
        fits_a_payload(self.name, self.align);
    }
}

/// Compiles if the enum `T` is its integer `N` and nothing more.
#[track_caller]
pub const fn no_padding_in_enum<T, N>(name: &str) {
    // An enum without variants is smaller, and no enum to the compiler.
    if size_of::<T>() > size_of::<N>() {
        let text = Text::<512>::new()
            .text("`")
            .text(name)
            .text("` has ")
            .number((size_of::<T>() - size_of::<N>()) as i128)
            .text(plural(size_of::<T>() - size_of::<N>()))
            .text(" of padding after its number, and padding can't be sent: take the `align` out of its `repr`");
        panic!("{}", text.as_str());
    }
}

/// The fingerprint of an array, 0 if that of its items is unknown.
pub const fn array_layout(item: u64, len: usize) -> u64 {
    if item == 0 {
        return 0;
    }
    Fingerprint::new()
        .text("array")
        .number(item)
        .number(len as u64)
        .get()
}

/// What is known of a zero-copy message.
pub const fn schema_of<M: Plain>(path: &'static str) -> Schema {
    Schema {
        shape: M::SHAPE,
        ..Schema::zero_copy::<M>(path, M::LAYOUT)
    }
}

/// What is known of a message with a tail.
pub const fn tail_schema<H, T>(path: &'static str, shape: &'static Shape) -> Schema {
    Schema {
        shape: Some(shape),
        ..Schema::with_tail::<H, T>(path, shape.fingerprint())
    }
}

/// How many bytes the message takes.
#[inline]
pub fn tailed_len<'a, M: Tailed<'a>>(message: &M) -> Result<usize, EncodeError> {
    let (head, tail) = message.parts();
    Ok(tail_len(head, tail))
}

/// Writes the message.
#[inline]
pub fn write_tailed<'a, M: Tailed<'a>>(
    message: &M,
    to: &mut PayloadWriter<'_>,
) -> Result<(), EncodeError> {
    let (head, tail) = message.parts();
    write_tail(head, tail, to)
}

/// Reads the message.
#[inline]
pub fn read_tailed<'a, M: Tailed<'a>>(bytes: &'a [u8]) -> Result<M, DecodeError> {
    let (head, tail) = split(bytes)?;
    Ok(M::join(head, tail))
}

/// Compiles if items of `T` can follow a head `H` in a payload without padding.
#[track_caller]
pub const fn tail_follows<H, T>(name: &str, item: &str) {
    fits_a_payload(name, align_of::<H>());
    fits_a_payload(name, align_of::<T>());
    let text = Text::<512>::new().text("in `").text(name);
    if size_of::<T>() == 0 {
        let text = text
            .text("` the items of the tail, `")
            .text(item)
            .text("`, take no bytes, so that they can't be counted");
        panic!("{}", text.as_str());
    }
    let over = size_of::<H>() % align_of::<T>();
    if over != 0 {
        let missing = (align_of::<T>() - over) as i128;
        let text = text
            .text("` the head ends ")
            .number(missing)
            .text(plural(align_of::<T>() - over))
            .text(" before an address at which its tail of `")
            .text(item)
            .text("` can start: end the head with a field `_pad: [u8; ")
            .number(missing)
            .text("]`");
        panic!("{}", text.as_str());
    }
}

const fn plural(bytes: usize) -> &'static str {
    if bytes == 1 { " byte" } else { " bytes" }
}

#[track_caller]
const fn fits_a_payload(name: &str, align: usize) {
    if align > PAYLOAD_ALIGN {
        let text = Text::<512>::new()
            .text("`")
            .text(name)
            .text("` asks for an alignment of ")
            .number(align as i128)
            .text(" bytes, but payloads are aligned to ")
            .number(PAYLOAD_ALIGN as i128)
            .text(": lower its `repr(align)` or that of its fields");
        panic!("{}", text.as_str());
    }
}

/// What can be found out about a type without asking for it: the inherent constants go before those of
/// [`Unknown`] where they exist.
pub struct Probe<T>(PhantomData<T>);

impl<T: Plain> Probe<T> {
    /// The fingerprint of `T`, 0 if it is unknown.
    pub const LAYOUT: u64 = T::LAYOUT;
    /// The shape of `T`, if it is known.
    pub const SHAPE: Option<&'static Shape> = T::SHAPE;
}

impl<T: AnyBitPattern> Probe<T> {
    /// Whether any bits are a `T`: then a long array of them needs no walk, which counts without optimisation.
    pub const ANY_BITS: bool = true;
}

impl<T: Primitive> Probe<T> {
    /// What `T` is called.
    pub const PRIMITIVE: TypeName = T::NAME;
}

/// A primitive type, or an array of them, of which [`Plain`] itself knows no layout.
pub trait Primitive {
    /// What it is called, as it would be written without spaces.
    const NAME: TypeName;
}

macro_rules! primitives {
    ($($name:ident)*) => {$(
        impl Primitive for $name {
            const NAME: TypeName = TypeName(Text::new().text(stringify!($name)));
        }
    )*};
}

primitives! { u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f32 f64 bool char }

impl<T: Primitive, const N: usize> Primitive for [T; N] {
    const NAME: TypeName = {
        let name = Text::new().text("[").text(T::NAME.0.as_str());
        TypeName(name.text(";").number(N as i128).text("]"))
    };
}

/// What [`Probe`] says where it finds nothing.
pub trait Unknown {
    /// No fingerprint.
    const LAYOUT: u64 = 0;
    /// No shape.
    const SHAPE: Option<&'static Shape> = None;
    /// Bits are to be looked at.
    const ANY_BITS: bool = false;
    /// No name.
    const PRIMITIVE: TypeName = TypeName(Text::new());
}

impl<T> Unknown for Probe<T> {}
