//! Messages with a variable tail: one head, then items to the payload's end.

use super::not_built;
use super::plain::{Bits, Plain, bytes_of, bytes_of_all, value_mut, values, values_mut};
use crate::bus::PayloadWriter;
use crate::message::{DecodeError, EncodeError, Message};

/// A message with a variable tail, taken apart and put together: `#[derive(Message)]` with `codec = zero_copy` gives it to structs that
/// borrow. The one place that asks for the parts to be plain.
pub trait Tailed<'a>: Sized {
    /// What stands first, `()` if nothing does.
    type Head: Plain;
    /// What the tail is made of.
    type Item: Plain;

    /// The parts.
    fn parts(&self) -> (&'a Self::Head, &'a [Self::Item]);

    /// The message made of the parts.
    fn join(head: &'a Self::Head, tail: &'a [Self::Item]) -> Self;
}

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
    let (head, tail) = bytes.split_at(head_len::<H, T>(bytes.len())?);
    Ok((Bits::of(head)?.value()?, values(tail)?))
}

/// How many of the `len` bytes of a payload are its head; the others are whole items.
#[inline]
fn head_len<H, T>(len: usize) -> Result<usize, DecodeError> {
    const {
        assert!(
            size_of::<T>() > 0,
            "the items of a tail take at least one byte"
        );
    }
    let (head, item) = (size_of::<H>(), size_of::<T>());
    if len.checked_sub(head).is_some_and(|tail| tail % item == 0) {
        Ok(head)
    } else {
        Err(DecodeError::WrongTail { len, head, item })
    }
}

/// How many bytes an `M` takes whose tail has so many items; the greatest number if there can't be so many.
#[inline]
pub(crate) const fn tailed_len_of<'a, M: Tailed<'a>>(items: usize) -> usize {
    items
        .saturating_mul(size_of::<M::Item>())
        .saturating_add(size_of::<M::Head>())
}

/// The head and the tail of a message to be built in place in the `zeroed` bytes of a claim.
///
/// ```
/// use messenger::Message;
/// use messenger::message::{Receive, zero_copy};
///
/// #[derive(Message, PartialEq, Debug)]
/// #[message(id = 1, codec = zero_copy)]
/// struct Walk<'a> { start: &'a u32, steps: &'a [i16] }
///
/// let mut payload = zero_copy::Aligned([0; 10]);
/// let (start, steps) = zero_copy::build_tailed::<Walk>(&mut payload.0)?;
/// *start = 7;
/// steps.copy_from_slice(&[1, -2, 3]);
/// assert_eq!(Walk::receive(&payload.0)?, Walk { start: &7, steps: &[1, -2, 3] });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`EncodeError::ZeroIsInvalid`] if zeroed bytes are no valid head, or no valid item; [`EncodeError::Length`] and
/// [`EncodeError::Misaligned`] if the bytes are not a claim for an `M`.
#[inline]
pub fn build_tailed<'a, M: Tailed<'a> + Message>(
    zeroed: &mut [u8],
) -> Result<(&mut M::Head, &mut [M::Item]), EncodeError> {
    let claimed = zeroed.len();
    let parts = head_len::<M::Head, M::Item>(claimed).and_then(|head| {
        let (head, tail) = zeroed.split_at_mut(head);
        Ok((value_mut(head)?, values_mut(tail)?))
    });
    parts.map_err(|error| {
        let items = claimed.saturating_sub(size_of::<M::Head>()) / size_of::<M::Item>();
        not_built::<M>(error, claimed, tailed_len_of::<M>(items))
    })
}
