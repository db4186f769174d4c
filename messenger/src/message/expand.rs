//! What the output of the derives names, besides the public API. Not for use by hand.

pub use super::{
    DecodeError, DeserializeFrom, EncodeError, ExtendedMessage, Message, MessageInfo, Receive,
    Schema, Serialized, ZeroCopy,
};
pub use crate::bus::{MessageId, PayloadWriter, SourceId};

#[cfg(feature = "bincode")]
pub use super::bincode;
#[cfg(feature = "postcard")]
pub use super::postcard;
#[cfg(feature = "prost")]
pub use super::prost;
#[cfg(feature = "zero_copy")]
pub use super::zero_copy::{self, Tailed, layout::*};

use super::text::Text;

/// The id of a message, from whatever number the author wrote.
#[track_caller]
#[must_use]
pub const fn message_id(id: i128) -> MessageId {
    MessageId::new(id_number(id))
}

/// The id of a source, from whatever number the author wrote.
#[track_caller]
#[must_use]
pub const fn source_id(id: i128) -> SourceId {
    SourceId::new(id_number(id))
}

#[track_caller]
const fn id_number(id: i128) -> u16 {
    if id < 0 || id > u16::MAX as i128 {
        let text = Text::<128>::new()
            .text("the id ")
            .number(id)
            .text(" is not between 0 and 65535: ids have 16 bits");
        panic!("{}", text.as_str());
    }
    id as u16
}

/// A message that bincode encodes. `Value` is the message itself: only there it is asked for `Serialize`, so that a
/// derive which is missing is one error.
#[cfg(feature = "bincode")]
pub trait ByBincode {
    type Value: serde::Serialize;

    fn value(&self) -> &Self::Value;

    #[inline]
    fn count(&self) -> Result<usize, EncodeError> {
        bincode::encoded_len(self.value())
    }

    #[inline]
    fn put(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        bincode::write(self.value(), to)
    }
}

/// A message that postcard encodes. `Value` is the message itself: only there it is asked for `Serialize`, so that a
/// derive which is missing is one error.
#[cfg(feature = "postcard")]
pub trait ByPostcard {
    type Value: serde::Serialize;

    fn value(&self) -> &Self::Value;

    #[inline]
    fn count(&self) -> Result<usize, EncodeError> {
        postcard::encoded_len(self.value())
    }

    #[inline]
    fn put(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        postcard::write(self.value(), to)
    }
}

/// A message that prost encodes and decodes. `Value` is the message itself, as above.
#[cfg(feature = "prost")]
pub trait ByProst {
    type Value: ::prost::Message + Default;

    fn value(&self) -> &Self::Value;

    #[inline]
    fn count(&self) -> Result<usize, EncodeError> {
        prost::encoded_len(self.value())
    }

    #[inline]
    fn put(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        prost::write(self.value(), to)
    }

    #[inline]
    fn take(bytes: &[u8]) -> Result<Self::Value, DecodeError> {
        prost::decode(bytes)
    }
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(feature = "bincode")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_bincode {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => { $($code)* };
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(not(feature = "bincode"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_bincode {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"bincode\"]`"
        );
        $($stand_in)*
    };
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(feature = "postcard")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_postcard {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => { $($code)* };
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(not(feature = "postcard"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_postcard {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"postcard\"]`"
        );
        $($stand_in)*
    };
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(feature = "prost")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_prost {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => { $($code)* };
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(not(feature = "prost"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_prost {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"prost\"]`"
        );
        $($stand_in)*
    };
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(feature = "zero_copy")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_zero_copy {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => { $($code)* };
}

/// The code of a codec if its feature is on; else says that it is missing, and stands in for the code.
#[cfg(not(feature = "zero_copy"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_zero_copy {
    ({ $($code:tt)* } { $($stand_in:tt)* }) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"zero_copy\"]`"
        );
        $($stand_in)*
    };
}

pub use crate::{__with_bincode, __with_postcard, __with_prost, __with_zero_copy};
