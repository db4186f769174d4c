//! serde with bincode: fixed-width little-endian numbers, the bytes of bincode 1.
//!
//! These functions are what `#[message(codec = bincode)]` calls; hand-written implementations call
//! them too.

use core::marker::PhantomData;

use serde::de::{Deserialize, DeserializeSeed, Deserializer};
use serde::ser::Serialize;

use ::bincode::config::{self, Configuration, Fixint, LittleEndian, NoLimit};
use ::bincode::enc::write::{SizeWriter, Writer};

use super::guard::{Guarded, Limits};
use super::{DecodeError, EncodeError};
use crate::bus::{Overflow, PayloadWriter};

const CONFIG: Configuration<LittleEndian, Fixint, NoLimit> = config::legacy();

/// How many bytes `value` takes: a pass of the encoder that only counts.
///
/// # Errors
///
/// [`EncodeError::Codec`] if the value can't be encoded, as a sequence of unknown length.
#[inline]
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> Result<usize, EncodeError> {
    let mut size = SizeWriter::default();
    match ::bincode::serde::encode_into_writer(value, &mut size, CONFIG) {
        Ok(()) => Ok(size.bytes_written),
        Err(error) => Err(refused(error)),
    }
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
    let mut sink = Sink { to, overflow: None };
    match ::bincode::serde::encode_into_writer(value, &mut sink, CONFIG) {
        Ok(()) => Ok(()),
        Err(error) => Err(match sink.overflow {
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
    let limits = &Limits::of(bytes);
    match ::bincode::serde::seed_decode_from_slice(Seed { seed, limits }, bytes, CONFIG) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(DecodeError::LeftOver {
            len: bytes.len(),
            left: bytes.len() - used,
        }),
        Err(error) => Err(limits.broken().unwrap_or_else(|| DecodeError::Codec {
            codec: "bincode",
            reason: reason(error),
        })),
    }
}

#[cold]
fn refused(error: ::bincode::error::EncodeError) -> EncodeError {
    use ::bincode::error::EncodeError as E;
    EncodeError::Codec {
        codec: "bincode",
        reason: match error {
            E::OtherString(reason) => reason,
            E::Serde(_) => "a sequence or map in it does not know its length beforehand".to_owned(),
            error => error.to_string(),
        },
    }
}

#[cold]
fn reason(error: ::bincode::error::DecodeError) -> String {
    use ::bincode::error::DecodeError as E;
    match error {
        E::OtherString(reason) => reason,
        E::UnexpectedEnd { additional } => {
            format!("it ends early: at least {additional} more bytes are needed")
        }
        E::InvalidBooleanValue(byte) => format!("a bool is 0 or 1, and this is {byte}"),
        E::InvalidCharEncoding(bytes) => format!("{bytes:02x?} is no char"),
        E::Utf8 { inner } => format!("a text is not UTF-8: {inner}"),
        error => error.to_string(),
    }
}

struct Sink<'s, 'a> {
    to: &'s mut PayloadWriter<'a>,
    overflow: Option<Overflow>,
}

impl Writer for Sink<'_, '_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), ::bincode::error::EncodeError> {
        self.to.put(bytes).map_err(|overflow| {
            self.overflow = Some(overflow);
            ::bincode::error::EncodeError::UnexpectedEnd
        })
    }
}

/// Decodes within limits.
struct Seed<'l, S> {
    seed: S,
    limits: &'l Limits,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    #[inline]
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        let deserializer = Guarded::new::<S::Value>(deserializer, self.limits);
        self.seed.deserialize(deserializer)
    }
}
