//! The traits of a message.

use super::{DecodeError, EncodeError, Schema};
use crate::bus::{MessageId, PayloadWriter};

/// A type whose values travel on the bus.
///
/// Derive it, or write it by hand together with the traits of its mode:
///
/// | mode | to send | to receive |
/// |---|---|---|
/// | [`Serialized`] | [`ExtendedMessage`] | [`DeserializeFrom`] |
/// | [`ZeroCopy`] | `ZeroCopyMessage` | the same |
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "not a message",
    note = "add `#[derive(Message)] #[message(id = .., codec = ..)]` to it, or implement `Message` by hand"
)]
pub trait Message {
    /// The id that stands in the header of its records; one per type on a bus.
    const ID: MessageId;

    /// The name shown to people: in errors, graphs and reports.
    const NAME: &'static str;

    /// How its bytes are received: [`Serialized`] makes a value of them, [`ZeroCopy`] lends them as a `&Self`.
    type Mode: Mode;

    /// What is known of its bytes: two programs on one bus compare it.
    const SCHEMA: Schema = Schema::UNKNOWN;
}

/// [`Serialized`] or [`ZeroCopy`].
pub trait Mode: sealed::Sealed + 'static {}

/// The mode of messages that are decoded into a value ([`DeserializeFrom`]).
#[derive(Clone, Copy, Debug)]
pub enum Serialized {}

/// The mode of messages that are received in place, as a reference into the payload.
#[derive(Clone, Copy, Debug)]
pub enum ZeroCopy {}

impl Mode for Serialized {}
impl Mode for ZeroCopy {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Serialized {}
    impl Sealed for super::ZeroCopy {}
}

/// A message that can be sent: it knows how many bytes it takes, and writes them once.
///
/// ```
/// use messenger::bus::{MessageId, PayloadWriter};
/// use messenger::message::{EncodeError, ExtendedMessage, Message, Serialized};
///
/// struct Celsius(f32);
///
/// impl Message for Celsius {
///     const ID: MessageId = MessageId::new(1);
///     const NAME: &'static str = "Celsius";
///     type Mode = Serialized;
/// }
///
/// impl ExtendedMessage for Celsius {
///     fn encoded_len(&self) -> Result<usize, EncodeError> {
///         Ok(4)
///     }
///     fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
///         Ok(to.put(&self.0.to_be_bytes())?)
///     }
/// }
///
/// assert_eq!(Celsius(-2.0).to_vec().unwrap(), [0xc0, 0, 0, 0]);
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be sent",
    label = "not sendable",
    note = "`#[derive(Message)]` makes it so, or implement `ExtendedMessage` (`ZeroCopyMessage` for a zero-copy message) by hand"
)]
pub trait ExtendedMessage: Message {
    /// How many bytes the message takes. Counted without allocation where the codec allows it.
    ///
    /// # Errors
    ///
    /// What makes the value impossible to encode.
    fn encoded_len(&self) -> Result<usize, EncodeError>;

    /// Writes the message: exactly [`encoded_len`](Self::encoded_len) bytes.
    ///
    /// # Errors
    ///
    /// What makes the value impossible to encode, or a writer with less room than the message needs.
    fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError>;

    /// Writes the message and checks that it filled `to`: what a sender calls with a claim of
    /// [`encoded_len`](Self::encoded_len) bytes.
    ///
    /// # Errors
    ///
    /// As [`write`](Self::write); [`EncodeError::Length`] if more or fewer bytes came than were claimed.
    #[inline]
    fn fill(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        let claimed = to.remaining();
        match self.write(to) {
            Ok(()) if to.remaining() == 0 => Ok(()),
            Ok(()) => Err(EncodeError::Length {
                message: Self::NAME,
                claimed,
                written: claimed.saturating_sub(to.remaining()),
            }),
            Err(EncodeError::Overflow(over)) => Err(EncodeError::Length {
                message: Self::NAME,
                claimed,
                // It may be that of another writer.
                written: claimed
                    .saturating_sub(over.remaining)
                    .saturating_add(over.len),
            }),
            Err(error) => Err(error),
        }
    }

    /// The message's bytes in a vector of their own: for tests, files and other transports.
    ///
    /// # Errors
    ///
    /// As [`encoded_len`](Self::encoded_len) and [`fill`](Self::fill).
    fn to_vec(&self) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = vec![0; self.encoded_len()?];
        self.fill(&mut PayloadWriter::over(&mut bytes))?;
        Ok(bytes)
    }
}

/// A serialized message that can be made from a payload, which it may borrow from.
///
/// A hand-written implementation keeps the rules of the derived ones: no panic, no more memory than
/// [`max_memory`](super::max_memory) of the payload's length, and bytes left over are [`DecodeError::LeftOver`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be made from a payload",
    label = "not decodable",
    note = "`#[derive(Message)]` makes it so, or implement `DeserializeFrom` by hand"
)]
pub trait DeserializeFrom<'a>: Message + Sized {
    /// Makes the message from the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    fn deserialize_from(bytes: &'a [u8]) -> Result<Self, DecodeError>;
}
