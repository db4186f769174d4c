//! A serde deserializer within limits, around that of any codec which does not describe itself.
//!
//! It keeps four things in check that forged bytes could otherwise set off:
//!
//! * *Lengths.* The elements which all sequences and maps of a message announce together are at most as
//!   many as its payload has bytes, and this is checked before the first of them is made. Each element
//!   takes at least a byte, so that honest messages never meet the limit (only a sequence of
//!   zero-sized elements could: it can't be received if it is longer than the payload).
//! * *Memory.* An element may take one byte in the payload and kilobytes in memory. So elements and values in boxes count
//!   by their size, and together they are at most [`max_memory`]. This is checked before they are made, and for all
//!   that a sequence announces when it is asked for its first: what lies within that finds them counted. Only the room that
//!   serde makes before that, 1 MiB at the most, is there already. (A box does not show in serde. But a value that is larger
//!   than the place it is read for can't be in that place.)
//! * *Strings.* Owned strings and byte buffers are made from bytes borrowed from the payload, so that the
//!   codec never allocates room for a length it has only read.
//! * *Depth.* [`MAX_DEPTH`] levels, so that nesting can't overflow the stack.
//!
//! And it has a `char` be all that its bytes say, where the codec reads the first of a text.

use core::cell::Cell;
use core::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{DecodeError, MAX_DEPTH, max_memory};

/// The size in bytes of the elements that are not counted: what a number takes, or less.
const SMALL: usize = 16;

/// What a message may still use, and which limit it met.
pub(super) struct Limits {
    /// The payload's length.
    len: usize,
    elements: Cell<usize>,
    /// The bytes that elements and boxes take so far.
    memory: Cell<usize>,
    broken: Cell<Option<Broken>>,
    /// Whether a `char` is written as a text.
    char_is_text: bool,
}

#[derive(Clone, Copy)]
enum Broken {
    Elements { announced: usize, possible: usize },
    Memory { memory: usize },
    Depth,
}

impl Limits {
    /// The limits of a message in `payload`.
    #[inline]
    pub(super) fn of(payload: &[u8]) -> Self {
        Self {
            len: payload.len(),
            elements: Cell::new(payload.len()),
            memory: Cell::new(0),
            broken: Cell::new(None),
            char_is_text: false,
        }
    }

    /// Where a `char` is written as a text.
    #[cfg(feature = "postcard")]
    #[inline]
    pub(super) fn with_char_as_text(self) -> Self {
        Self {
            char_is_text: true,
            ..self
        }
    }

    /// The limit that was met, if it was one that stopped the decoder.
    pub(super) fn broken(&self) -> Option<DecodeError> {
        Some(match self.broken.get()? {
            Broken::Elements {
                announced,
                possible,
            } => DecodeError::TooMany {
                announced,
                possible,
            },
            Broken::Memory { memory } => DecodeError::TooLarge {
                len: self.len,
                memory,
                limit: max_memory(self.len),
            },
            Broken::Depth => DecodeError::TooDeep { limit: MAX_DEPTH },
        })
    }

    /// Takes the elements that a sequence or map announces, and says how many they are; neither codec leaves a length out.
    #[inline]
    fn take<E: Error>(&self, announced: Option<usize>) -> Result<usize, E> {
        let announced = announced.unwrap_or(usize::MAX);
        let possible = self.elements.get();
        if announced > possible {
            return Err(self.breaks(Broken::Elements {
                announced,
                possible,
            }));
        }
        self.elements.set(possible - announced);
        Ok(announced)
    }

    /// Takes the memory of `count` values of `size` bytes.
    #[inline]
    fn take_memory<E: Error>(&self, count: usize, size: usize) -> Result<(), E> {
        let memory = self.memory.get().saturating_add(count.saturating_mul(size));
        if memory > max_memory(self.len) {
            return Err(self.breaks(Broken::Memory { memory }));
        }
        self.memory.set(memory);
        Ok(())
    }

    #[cold]
    fn breaks<E: Error>(&self, limit: Broken) -> E {
        self.broken.set(Some(limit));
        E::custom("a limit was met")
    }
}

/// A deserializer, or a part of one, within limits.
pub(super) struct Guarded<'l, T> {
    inner: T,
    limits: &'l Limits,
    /// How many more levels there may be within this one.
    depth: u32,
    /// The size of the place that what is read here is for. Its memory is there, or taken.
    place: usize,
}

impl<'l, T> Guarded<'l, T> {
    /// The outermost level, where an `M` is read.
    #[inline]
    pub(super) fn new<M>(inner: T, limits: &'l Limits) -> Self {
        Self {
            inner,
            limits,
            depth: MAX_DEPTH,
            place: size_of::<M>(),
        }
    }

    /// `inner` on the same level.
    #[inline]
    fn beside<U>(&self, inner: U) -> Guarded<'l, U> {
        Guarded {
            inner,
            limits: self.limits,
            depth: self.depth,
            place: self.place,
        }
    }

    /// The seed of a part, for which there is a place.
    #[inline]
    fn part<'de, S: DeserializeSeed<'de>>(&self, seed: S) -> Guarded<'l, S> {
        Guarded {
            place: size_of::<S::Value>(),
            ..self.beside(seed)
        }
    }

    /// The visitor of a compound value, one level deeper.
    #[inline]
    fn deeper<'de, V: Visitor<'de>, E: Error>(&self, visitor: V) -> Result<Guarded<'l, V>, E> {
        if self.depth == 0 {
            return Err(self.limits.breaks(Broken::Depth));
        }
        let size = size_of::<V::Value>();
        if size > self.place {
            self.limits.take_memory(1, size)?;
        }
        Ok(Guarded {
            inner: visitor,
            limits: self.limits,
            depth: self.depth - 1,
            place: size,
        })
    }
}

/// Passes on what is asked for plain values: they can do no harm.
macro_rules! plain {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Guarded<'_, D> {
    type Error = D::Error;

    plain! {
        deserialize_any deserialize_bool
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64 deserialize_str deserialize_bytes
        deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    #[inline]
    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        if self.limits.char_is_text {
            self.inner.deserialize_str(Letter(visitor))
        } else {
            self.inner.deserialize_char(visitor)
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_option(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_seq(Announced(visitor))
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_tuple(len, visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_map(Announced(visitor))
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_struct(name, fields, visitor)
    }

    #[inline]
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        let visitor = self.deeper(visitor)?;
        self.inner.deserialize_enum(name, variants, visitor)
    }

    #[inline]
    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// The visitor of a compound value whose length the type gives: hands on guarded parts.
impl<'de, V: Visitor<'de>> Visitor<'de> for Guarded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    #[inline]
    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    #[inline]
    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.beside(inner);
        self.inner.visit_some(inner)
    }

    #[inline]
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        let inner = self.beside(inner);
        self.inner.visit_newtype_struct(inner)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.beside(access);
        self.inner.visit_seq(access)
    }

    #[inline]
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let access = self.beside(access);
        self.inner.visit_enum(access)
    }
}

/// The visitor of a `char` that is written as a text.
struct Letter<V>(V);

impl<'de, V: Visitor<'de>> Visitor<'de> for Letter<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_str<E: Error>(self, text: &str) -> Result<V::Value, E> {
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(letter), None) => self.0.visit_char(letter),
            _ => Err(E::custom("a text in place of a char")),
        }
    }
}

/// The visitor of a sequence or map whose length the bytes give.
struct Announced<'l, V>(Guarded<'l, V>);

impl<'l, V> Announced<'l, V> {
    /// `access` to so many elements.
    #[inline]
    fn elements<A, E: Error>(
        &self,
        access: A,
        announced: Option<usize>,
    ) -> Result<Elements<'l, A>, E> {
        Ok(Elements {
            announced: self.0.limits.take(announced)?,
            access: self.0.beside(access),
            value: 0,
            key: 0,
        })
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Announced<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let announced = access.size_hint();
        let access = self.elements(access, announced)?;
        self.0.inner.visit_seq(access)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        let announced = access.size_hint();
        let access = self.elements(access, announced)?;
        self.0.inner.visit_map(access)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        let seed = self.part(seed);
        self.inner.next_element_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

/// What a sequence or map hands on. Its elements' memory is taken for all of them, when the first shows its size.
struct Elements<'l, A> {
    access: Guarded<'l, A>,
    announced: usize,
    /// The sizes that are taken for each: of an element or a value, and of a key.
    value: usize,
    key: usize,
}

impl<A> Elements<'_, A> {
    /// Takes their memory, where it is not taken yet. Not that of small ones: they are at most as many as the payload has bytes.
    #[inline]
    fn take<T, E: Error>(&self, taken: usize) -> Result<usize, E> {
        let size = size_of::<T>();
        if size <= SMALL || size <= taken {
            return Ok(taken);
        }
        self.access
            .limits
            .take_memory(self.announced, size - taken)?;
        Ok(size)
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.value = self.take::<T::Value, _>(self.value)?;
        self.access.next_element_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.access.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Elements<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.key = self.take::<K::Value, _>(self.key)?;
        let seed = self.access.part(seed);
        self.access.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.value = self.take::<V::Value, _>(self.value)?;
        let seed = self.access.part(seed);
        self.access.inner.next_value_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.access.inner.size_hint()
    }
}

impl<'de, 'l, A: EnumAccess<'de>> EnumAccess<'de> for Guarded<'l, A> {
    type Error = A::Error;
    type Variant = Guarded<'l, A::Variant>;

    #[inline]
    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self::Variant), A::Error> {
        let Guarded {
            inner,
            limits,
            depth,
            place,
        } = self;
        let (value, variant) = inner.variant_seed(seed)?;
        let variant = Guarded {
            inner: variant,
            limits,
            depth,
            place,
        };
        Ok((value, variant))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    #[inline]
    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        let seed = self.part(seed);
        self.inner.newtype_variant_seed(seed)
    }

    #[inline]
    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let visitor = self.beside(visitor);
        self.inner.tuple_variant(len, visitor)
    }

    #[inline]
    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let visitor = self.beside(visitor);
        self.inner.struct_variant(fields, visitor)
    }
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Guarded<'_, T> {
    type Value = T::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let deserializer = self.beside(deserializer);
        self.inner.deserialize(deserializer)
    }
}
