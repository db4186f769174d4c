//! Protocol Buffers through prost.
//!
//! These functions are what `#[message(codec = prost)]` calls; hand-written implementations call them
//! too.

use ::prost::Message;
use ::prost::bytes::BufMut;
use ::prost::bytes::buf::UninitSlice;

use super::{DecodeError, EncodeError};
use crate::bus::{Overflow, PayloadWriter};

/// How many bytes `value` takes.
///
/// # Errors
///
/// None; the form is that of the other codecs.
#[inline]
pub fn encoded_len<T: Message>(value: &T) -> Result<usize, EncodeError> {
    Ok(value.encoded_len())
}

/// Writes `value`.
///
/// # Errors
///
/// [`EncodeError::Overflow`] if `to` has no room for it.
#[inline]
pub fn write<T: Message>(value: &T, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
    let room = to.remaining();
    let mut sink = Sink {
        to,
        len: 0,
        chunk: [0; CHUNK],
    };
    // Not `encode`, which counts the length once more: the sink sees for itself whether there is room.
    value.encode_raw(&mut sink);
    if sink.len > room {
        return Err(EncodeError::Overflow(Overflow {
            len: sink.len,
            remaining: room,
        }));
    }
    Ok(())
}

/// Makes a value from the whole of `bytes`. Fields that the type does not know are skipped, as Protocol
/// Buffers wants it.
///
/// # Errors
///
/// What is wrong with the bytes.
#[inline]
pub fn decode<T: Message + Default>(bytes: &[u8]) -> Result<T, DecodeError> {
    T::decode(bytes).map_err(|error| DecodeError::Codec {
        codec: "prost",
        reason: error.to_string(),
    })
}

const CHUNK: usize = 16;

/// A payload as prost writes to it. It takes any number of bytes and drops those beyond the payload, since a
/// `BufMut` can only panic: a value that changes between counting and writing is an error of one `send`.
///
/// `BufMut` also wants to hand out memory. A payload is write-only, so that is a chunk of the sink's own; prost
/// itself never asks for it.
struct Sink<'s, 'a> {
    to: &'s mut PayloadWriter<'a>,
    /// How many bytes came, with those that were dropped.
    len: usize,
    chunk: [u8; CHUNK],
}

// SAFETY: `chunk_mut` hands out initialised memory of the sink, never empty, and `advance_mut` reads that same
// memory within its bounds, whatever count it is told.
unsafe impl BufMut for Sink<'_, '_> {
    #[inline]
    fn remaining_mut(&self) -> usize {
        usize::MAX
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        UninitSlice::new(&mut self.chunk)
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        let chunk = self.chunk;
        self.put_slice(&chunk[..count]);
    }

    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
        // An overflow shows in `len`, which then is more than there was room for.
        let _ = self.to.put(bytes);
    }
}
