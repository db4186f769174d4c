//! Zero-copy messages: their own bytes, checked on receipt.
//!
//! A zero-copy message is a `repr(C)` struct of plain data without padding. It is written by one copy
//! into the claim, or built in place there, and received as a reference into the payload after a check
//! of its bits, so that `bool`, `char` and enums may be in it.
//!
//! What may be a field is said by bytemuck's traits ([`NoUninit`] to send, [`CheckedBitPattern`] to receive),
//! so that types of other crates which have them fit in. [`Plain`](derive@crate::Plain) derives them for
//! structs and enums that are parts of messages; `#[message(codec = zero_copy)]` for messages themselves.
//!
//! Bytes stand in the machine's own order, and the layout is part of [`Schema::layout`](super::Schema::layout).

mod fingerprint;
#[doc(hidden)]
pub mod layout;
mod tail;

pub use tail::{split, tail_len, write_tail};

use bytemuck::checked::{self, CheckedCastError};
use bytemuck::{CheckedBitPattern, NoUninit};

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
pub trait ZeroCopyMessage: Message<Mode = ZeroCopy> + CheckedBitPattern + NoUninit {}

/// Plain data with a known layout: what derives give to messages and their parts.
pub trait Plain: CheckedBitPattern + NoUninit {
    /// The fingerprint of the layout.
    const LAYOUT: u64;
}

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
        Ok(to.put(bytemuck::bytes_of(self))?)
    }
}

/// The value that `bytes` are, after a check of length, address and bits.
///
/// # Errors
///
/// [`DecodeError::WrongSize`], [`DecodeError::Misaligned`] or [`DecodeError::InvalidBits`].
#[inline]
pub fn view<T: CheckedBitPattern>(bytes: &[u8]) -> Result<&T, DecodeError> {
    if bytes.len() != size_of::<T>() {
        return Err(DecodeError::WrongSize {
            len: bytes.len(),
            expected: size_of::<T>(),
        });
    }
    checked::try_from_bytes(bytes).map_err(not_a::<T>)
}

/// The message to be built in place in the `zeroed` bytes of a claim.
///
/// # Errors
///
/// [`EncodeError::ZeroIsInvalid`] if zeroed bytes are no valid value (as of an enum whose numbers start at 1);
/// [`EncodeError::Length`] and [`EncodeError::Misaligned`] if the bytes are not a claim for `M`.
#[inline]
pub fn build<M: ZeroCopyMessage>(zeroed: &mut [u8]) -> Result<&mut M, EncodeError> {
    if zeroed.len() != size_of::<M>() {
        return Err(EncodeError::Length {
            message: M::NAME,
            claimed: zeroed.len(),
            written: size_of::<M>(),
        });
    }
    checked::try_from_bytes_mut(zeroed).map_err(|error| match error {
        CheckedCastError::InvalidBitPattern => EncodeError::ZeroIsInvalid { message: M::NAME },
        CheckedCastError::PodCastError(_) => EncodeError::Misaligned {
            message: M::NAME,
            align: align_of::<M>(),
        },
    })
}

#[cold]
fn not_a<T>(error: CheckedCastError) -> DecodeError {
    match error {
        CheckedCastError::InvalidBitPattern => DecodeError::InvalidBits {
            what: core::any::type_name::<T>(),
        },
        // The length was compared before the cast, so that only the address is left to be wrong.
        CheckedCastError::PodCastError(_) => DecodeError::Misaligned {
            align: align_of::<T>(),
        },
    }
}

/// Bytes aligned as a payload is: for tests, and for bytes that come from elsewhere.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(16))]
pub struct Aligned<const N: usize>(pub [u8; N]);
