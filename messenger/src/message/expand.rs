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
pub use super::zero_copy::{self, layout::*};

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

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(feature = "bincode")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_bincode {
    ($($code:tt)*) => { $($code)* };
}

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(not(feature = "bincode"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_bincode {
    ($($code:tt)*) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"bincode\"]`"
        );
    };
}

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(feature = "postcard")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_postcard {
    ($($code:tt)*) => { $($code)* };
}

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(not(feature = "postcard"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_postcard {
    ($($code:tt)*) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"postcard\"]`"
        );
    };
}

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(feature = "prost")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_prost {
    ($($code:tt)*) => { $($code)* };
}

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(not(feature = "prost"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_prost {
    ($($code:tt)*) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"prost\"]`"
        );
    };
}

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(feature = "zero_copy")]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_zero_copy {
    ($($code:tt)*) => { $($code)* };
}

/// Passes the code of a codec through, or says which feature is missing.
#[cfg(not(feature = "zero_copy"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __with_zero_copy {
    ($($code:tt)*) => {
        ::core::compile_error!(
            "messenger is built without this codec: in Cargo.toml, give it `features = [\"zero_copy\"]`"
        );
    };
}

pub use crate::{__with_bincode, __with_postcard, __with_prost, __with_zero_copy};
