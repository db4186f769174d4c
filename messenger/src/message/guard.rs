//! A serde deserializer within limits, around that of any codec which does not describe itself.
//!
//! It keeps three things in check that forged bytes could otherwise set off:
//!
//! * *Lengths.* The elements which all sequences and maps of a message announce together are at most as
//!   many as its payload has bytes, and this is checked before the first of them is made. Each element
//!   takes at least a byte, so that honest messages never meet the limit (only a sequence of
//!   zero-sized elements could: it can't be received if it is longer than the payload).
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

use super::{DecodeError, MAX_DEPTH};

/// What a message may still use, and which limit it met.
pub(super) struct Limits {
    elements: Cell<usize>,
    broken: Cell<Option<Broken>>,
    /// Whether a `char` is written as a text.
    char_is_text: bool,
}

#[derive(Clone, Copy)]
enum Broken {
    TooMany { announced: usize, possible: usize },
    TooDeep,
}

impl Limits {
    /// The limits of a message in `payload`.
    #[inline]
    pub(super) fn of(payload: &[u8]) -> Self {
        Self {
            elements: Cell::new(payload.len()),
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
            Broken::TooMany {
                announced,
                possible,
            } => DecodeError::TooMany {
                announced,
                possible,
            },
            Broken::TooDeep => DecodeError::TooDeep { limit: MAX_DEPTH },
        })
    }

    /// Takes the elements that a sequence or map announces; neither codec leaves a length out.
    #[inline]
    fn take<E: Error>(&self, announced: Option<usize>) -> Result<(), E> {
        let announced = announced.unwrap_or(usize::MAX);
        let possible = self.elements.get();
        if announced > possible {
            return Err(self.breaks(Broken::TooMany {
                announced,
                possible,
            }));
        }
        self.elements.set(possible - announced);
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
}

impl<'l, T> Guarded<'l, T> {
    /// The outermost level.
    #[inline]
    pub(super) fn new(inner: T, limits: &'l Limits) -> Self {
        Self {
            inner,
            limits,
            depth: MAX_DEPTH,
        }
    }

    /// `inner` on the same level.
    #[inline]
    fn beside<U>(&self, inner: U) -> Guarded<'l, U> {
        Guarded {
            inner,
            limits: self.limits,
            depth: self.depth,
        }
    }

    /// The visitor of a compound value, one level deeper.
    #[inline]
    fn deeper<V, E: Error>(&self, visitor: V) -> Result<Guarded<'l, V>, E> {
        if self.depth == 0 {
            return Err(self.limits.breaks(Broken::TooDeep));
        }
        Ok(Guarded {
            inner: visitor,
            limits: self.limits,
            depth: self.depth - 1,
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

impl<'de, V: Visitor<'de>> Visitor<'de> for Announced<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.limits.take(access.size_hint())?;
        self.0.visit_seq(access)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.0.limits.take(access.size_hint())?;
        let access = self.0.beside(access);
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
        let seed = self.beside(seed);
        self.inner.next_element_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Guarded<'_, A> {
    type Error = A::Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        let seed = self.beside(seed);
        self.inner.next_key_seed(seed)
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        let seed = self.beside(seed);
        self.inner.next_value_seed(seed)
    }

    #[inline]
    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
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
        } = self;
        let (value, variant) = inner.variant_seed(seed)?;
        let variant = Guarded {
            inner: variant,
            limits,
            depth,
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
        let seed = self.beside(seed);
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
