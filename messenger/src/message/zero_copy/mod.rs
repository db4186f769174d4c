//! Zero-copy messages: their own bytes, checked on receipt.
//!
//! A zero-copy message is a `repr(C)` struct of plain data without padding. It is written by one copy
//! into the claim, or built in place there, and received as a reference into the payload after a check
//! of its bits, so that `bool`, `char` and enums may be in it.
//!
//! What may be a field is said by [`Plain`]: whatever has bytemuck's `NoUninit` and `CheckedBitPattern`, so that types
//! of other crates fit in, and what derives it.
//!
//! Bytes stand in the machine's own order, and the layout is part of [`Schema::layout`](super::Schema::layout): names and places of fields, and
//! their types. Those of other crates count there as they are written, all others, arrays and their lengths as what they are, behind whatever alias.

#[doc(hidden)]
pub mod layout;
mod plain;
mod tail;

pub use plain::{Bits, Plain, bytes_of};
pub(crate) use tail::tailed_len_of;
pub use tail::{Tailed, build_tailed, split, tail_len, write_tail};

use plain::value_mut;

use super::{DecodeError, EncodeError, ExtendedMessage, Message, ZeroCopy};
use crate::bus::{PAYLOAD_ALIGN, PayloadWriter};

/// A message that is sent as its own bytes and received in place.
///
/// By hand, without a derive of this crate:
///
/// ```
/// use messenger::bus::MessageId;
/// use messenger::message::{ExtendedMessage, Message, Receive, ZeroCopy, ZeroCopyMessage};
///
/// #[derive(Clone, Copy, bytemuck::NoUninit, bytemuck::CheckedBitPattern)]
/// #[repr(C)]
/// struct Quote { price: u64, firm: bool, pad: [u8; 7] }
///
/// impl Message for Quote {
///     const ID: MessageId = MessageId::new(3);
///     const NAME: &'static str = "Quote";
///     type Mode = ZeroCopy;
/// }
/// impl ZeroCopyMessage for Quote {}
///
/// let mut payload = messenger::message::zero_copy::Aligned([0; 16]);
/// payload.0[..9].copy_from_slice(&[5, 0, 0, 0, 0, 0, 0, 0, 1]);
/// assert_eq!(Quote::receive(&payload.0)?.price.to_le(), 5);
/// payload.0[8] = 2; // no bool
/// assert!(Quote::receive(&payload.0).is_err());
/// # Ok::<(), messenger::message::DecodeError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a zero-copy message",
    label = "not zero-copy",
    note = "`#[derive(Message)] #[message(id = .., codec = zero_copy)]` on a `repr(C)` struct makes it one"
)]
pub trait ZeroCopyMessage: Message<Mode = ZeroCopy> + Plain {}

#[diagnostic::do_not_recommend]
impl<M: ZeroCopyMessage> ExtendedMessage for M {
    #[inline]
    fn encoded_len(&self) -> Result<usize, EncodeError> {
        Ok(size_of::<M>())
    }

    #[inline]
    fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        const {
            assert!(
                align_of::<M>() <= PAYLOAD_ALIGN,
                "a payload is aligned to 16 bytes; a zero-copy message can't ask for more"
            )
        };
        Ok(to.put(bytes_of(self))?)
    }
}

/// The value that `bytes` are, after a check of length, address and bits.
///
/// # Errors
///
/// [`DecodeError::WrongSize`], [`DecodeError::Misaligned`] or [`DecodeError::InvalidBits`].
#[inline]
pub fn view<T: Plain>(bytes: &[u8]) -> Result<&T, DecodeError> {
    Bits::of(bytes)?.value()
}

/// The message to be built in place in the `zeroed` bytes of a claim.
///
/// # Errors
///
/// [`EncodeError::ZeroIsInvalid`] if zeroed bytes are no valid value (as of an enum whose numbers start at 1);
/// [`EncodeError::Length`] and [`EncodeError::Misaligned`] if the bytes are not a claim for `M`.
#[inline]
pub fn build<M: ZeroCopyMessage>(zeroed: &mut [u8]) -> Result<&mut M, EncodeError> {
    let claimed = zeroed.len();
    value_mut(zeroed).map_err(|error| not_built::<M>(error, claimed, size_of::<M>()))
}

/// Why a message of `written` bytes can't be built in the `claimed` ones.
#[cold]
fn not_built<M: Message>(error: DecodeError, claimed: usize, written: usize) -> EncodeError {
    let message = M::NAME;
    match error {
        DecodeError::InvalidBits { .. } => EncodeError::ZeroIsInvalid { message },
        DecodeError::Misaligned { align } => EncodeError::Misaligned { message, align },
        _ => EncodeError::Length {
            message,
            claimed,
            written,
        },
    }
}

/// Bytes aligned as a payload is: for tests, and for bytes that come from elsewhere.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Aligned<const N: usize>(pub [u8; N]);
