//! serde with postcard: variable-width numbers, the smallest of the serialized forms.
//!
//! These functions are what `#[message(codec = postcard)]` calls; hand-written implementations call
//! them too.

use core::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed};
use serde::ser::Serialize;

use ::postcard::de_flavors;
use ::postcard::ser_flavors::{Flavor, Size};

use super::guard::{Guarded, Limits};
use super::{DecodeError, EncodeError};
use crate::bus::{Overflow, PayloadWriter};

/// How many bytes `value` takes: a pass of the encoder that only counts.
///
/// # Errors
///
/// [`EncodeError::Codec`] if the value can't be encoded, as a sequence of unknown length.
#[inline]
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> Result<usize, EncodeError> {
    ::postcard::serialize_with_flavor(value, Size::default()).map_err(refused)
}

/// Writes `value`.
///
/// # Errors
///
/// [`EncodeError::Codec`] if the value can't be encoded, [`EncodeError::Overflow`] if `to` has no room for it.
#[inline]
pub fn write<T: Serialize + ?Sized>(
    value: &T,
    to: &mut PayloadWriter<'_>,
) -> Result<(), EncodeError> {
    let mut overflow = None;
    let sink = Sink {
        to,
        overflow: &mut overflow,
    };
    match ::postcard::serialize_with_flavor(value, sink) {
        Ok(()) => Ok(()),
        Err(error) => Err(match overflow {
            Some(overflow) => EncodeError::Overflow(overflow),
            None => refused(error),
        }),
    }
}

/// Makes a value from the whole of `bytes`, which it may borrow from.
///
/// # Errors
///
/// What is wrong with the bytes.
#[inline]
pub fn decode<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, DecodeError> {
    decode_seed(PhantomData::<T>, bytes)
}

/// Makes what `seed` makes of the whole of `bytes`: for tools, which learn what the bytes are when they run.
///
/// # Errors
///
/// What is wrong with the bytes.
#[inline]
pub fn decode_seed<'a, S: DeserializeSeed<'a>>(
    seed: S,
    bytes: &'a [u8],
) -> Result<S::Value, DecodeError> {
    let limits = Limits::of(bytes).with_char_as_text();
    let mut deserializer = ::postcard::Deserializer::from_flavor(Source(bytes));
    let value = seed.deserialize(Guarded::new::<S::Value>(&mut deserializer, &limits));
    match value.and_then(|value| Ok((value, deserializer.finalize()?))) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => Err(DecodeError::LeftOver {
            len: bytes.len(),
            left: rest.len(),
        }),
        Err(error) => Err(limits.broken().unwrap_or_else(|| DecodeError::Codec {
            codec: "postcard",
            reason: error.to_string(),
        })),
    }
}

#[cold]
fn refused(error: ::postcard::Error) -> EncodeError {
    EncodeError::Codec {
        codec: "postcard",
        reason: error.to_string(),
    }
}

struct Sink<'s, 'a> {
    to: &'s mut PayloadWriter<'a>,
    overflow: &'s mut Option<Overflow>,
}

impl Flavor for Sink<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn try_push(&mut self, byte: u8) -> ::postcard::Result<()> {
        self.try_extend(&[byte])
    }

    #[inline(always)]
    fn try_extend(&mut self, bytes: &[u8]) -> ::postcard::Result<()> {
        self.to.put(bytes).map_err(|overflow| {
            *self.overflow = Some(overflow);
            ::postcard::Error::SerializeBufferFull
        })
    }

    fn finalize(self) -> ::postcard::Result<()> {
        Ok(())
    }
}

/// A payload as postcard reads it. It does not say how much is left: then postcard passes announced
/// lengths on as they are, and the guard judges them.
struct Source<'a>(&'a [u8]);

impl<'a> de_flavors::Flavor<'a> for Source<'a> {
    type Remainder = &'a [u8];
    type Source = &'a [u8];

    #[inline]
    fn pop(&mut self) -> ::postcard::Result<u8> {
        let (byte, rest) = self
            .0
            .split_first()
            .ok_or(::postcard::Error::DeserializeUnexpectedEnd)?;
        self.0 = rest;
        Ok(*byte)
    }

    #[inline]
    fn try_take_n(&mut self, count: usize) -> ::postcard::Result<&'a [u8]> {
        let (taken, rest) = self
            .0
            .split_at_checked(count)
            .ok_or(::postcard::Error::DeserializeUnexpectedEnd)?;
        self.0 = rest;
        Ok(taken)
    }

    fn finalize(self) -> ::postcard::Result<&'a [u8]> {
        Ok(self.0)
    }
}
