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
    let mut sink = Sink {
        to,
        overflow: None,
        chunk: [0; CHUNK],
    };
    let room = sink.to.remaining();
    match (value.encode(&mut sink), sink.overflow) {
        (Ok(()), None) => Ok(()),
        (Ok(()), Some(overflow)) => Err(EncodeError::Overflow(overflow)),
        (Err(error), _) => Err(EncodeError::Overflow(Overflow {
            len: error.required_capacity(),
            remaining: room,
        })),
    }
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

/// A payload as prost writes to it. `BufMut` wants to hand out memory; a payload is write-only, so it hands
/// out a chunk of its own. prost itself never asks for one.
struct Sink<'s, 'a> {
    to: &'s mut PayloadWriter<'a>,
    overflow: Option<Overflow>,
    chunk: [u8; CHUNK],
}

// SAFETY: `chunk_mut` hands out initialised memory of the sink, empty only when `remaining_mut` is 0, and
// `advance_mut` reads that same memory within its bounds, whatever count it is told.
unsafe impl BufMut for Sink<'_, '_> {
    #[inline]
    fn remaining_mut(&self) -> usize {
        self.to.remaining()
    }

    fn chunk_mut(&mut self) -> &mut UninitSlice {
        let len = self.to.remaining().min(CHUNK);
        UninitSlice::new(&mut self.chunk[..len])
    }

    unsafe fn advance_mut(&mut self, count: usize) {
        let chunk = self.chunk;
        self.put_slice(&chunk[..count]);
    }

    /// Notes what would go beyond the payload instead of panicking: a value that changes between counting and
    /// writing is an error of one `send`.
    #[inline]
    fn put_slice(&mut self, bytes: &[u8]) {
        if let Err(overflow) = self.to.put(bytes) {
            self.overflow.get_or_insert(overflow);
        }
    }
}
