//! Receiving a message in whichever mode it has.

use core::borrow::Borrow;

use super::{DecodeError, DeserializeFrom, Message, Serialized};

/// A message that can be received from a payload: a value in mode `Serialized`, a reference into the
/// payload in mode `ZeroCopy`. Every message that can be decoded has it.
///
/// ```
/// use std::borrow::Borrow;
/// use messenger::message::{DecodeError, Receive};
///
/// fn each<'a, M: Receive<'a>>(payload: &'a [u8], see: impl FnOnce(&M)) -> Result<(), DecodeError> {
///     let held = M::receive(payload)?;
///     see(held.borrow());
///     Ok(())
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be received",
    label = "not receivable",
    note = "`#[derive(Message)]` makes it so; by hand: `DeserializeFrom` (mode `Serialized`) or `ZeroCopyMessage` (mode `ZeroCopy`)"
)]
pub trait Receive<'a>: Message {
    /// What holds the message while it is handled: `Self` or `&'a Self`.
    type Held: Borrow<Self>;

    /// Receives the message from the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    fn receive(bytes: &'a [u8]) -> Result<Self::Held, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<'a, M> Receive<'a> for M
where
    M: Message + ?Sized,
    M::Mode: ReceiveBy<'a, M>,
{
    type Held = <M::Mode as ReceiveBy<'a, M>>::Held;

    #[inline]
    fn receive(bytes: &'a [u8]) -> Result<Self::Held, DecodeError> {
        <M::Mode as ReceiveBy<'a, M>>::receive(bytes)
    }
}

/// How a mode receives the message `M`; what [`Receive`] is made of.
pub trait ReceiveBy<'a, M: ?Sized> {
    /// What holds the message while it is handled.
    type Held: Borrow<M>;

    /// Receives the message from the whole of `bytes`.
    ///
    /// # Errors
    ///
    /// What is wrong with the bytes.
    fn receive(bytes: &'a [u8]) -> Result<Self::Held, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<'a, M: DeserializeFrom<'a>> ReceiveBy<'a, M> for Serialized {
    type Held = M;

    #[inline]
    fn receive(bytes: &'a [u8]) -> Result<M, DecodeError> {
        M::deserialize_from(bytes)
    }
}

#[cfg(feature = "zero_copy")]
#[diagnostic::do_not_recommend]
impl<'a, M: super::ZeroCopyMessage> ReceiveBy<'a, M> for super::ZeroCopy {
    type Held = &'a M;

    #[inline]
    fn receive(bytes: &'a [u8]) -> Result<&'a M, DecodeError> {
        super::zero_copy::view(bytes)
    }
}
