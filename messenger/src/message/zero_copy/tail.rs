//! Messages with a variable tail: one head, then items to the payload's end.

use super::plain::{Bits, Plain, bytes_of, bytes_of_all, values};
use crate::bus::PayloadWriter;
use crate::message::{DecodeError, EncodeError};

/// How many bytes a head and its tail take.
#[inline]
#[must_use]
pub const fn tail_len<H, T>(_: &H, tail: &[T]) -> usize {
    size_of::<H>() + size_of_val(tail)
}

/// Writes a head and its tail. `()` stands for no head.
///
/// # Errors
///
/// [`EncodeError::Overflow`] if `to` has no room for them.
#[inline]
pub fn write_tail<H: Plain, T: Plain>(
    head: &H,
    tail: &[T],
    to: &mut PayloadWriter<'_>,
) -> Result<(), EncodeError> {
    to.put(bytes_of(head))?;
    Ok(to.put(bytes_of_all(tail))?)
}

/// Splits a payload into its head and the items of its tail. `()` stands for no head.
///
/// # Errors
///
/// [`DecodeError::WrongTail`], [`DecodeError::Misaligned`] or [`DecodeError::InvalidBits`].
#[inline]
pub fn split<H: Plain, T: Plain>(bytes: &[u8]) -> Result<(&H, &[T]), DecodeError> {
    const {
        assert!(
            size_of::<T>() > 0,
            "the items of a tail take at least one byte"
        );
    }
    let Some((head, tail)) = bytes
        .split_at_checked(size_of::<H>())
        .filter(|(_, tail)| tail.len() % size_of::<T>() == 0)
    else {
        return Err(DecodeError::WrongTail {
            len: bytes.len(),
            head: size_of::<H>(),
            item: size_of::<T>(),
        });
    };
    Ok((Bits::of(head)?.value()?, values(tail)?))
}
