//! Messages and their codecs.
//!
//! A message type says its id, its name and how its bytes are made: [`Message`]. It is either
//! *serialized* (serde with bincode or postcard, or prost) or *zero-copy* (its own bytes, checked on
//! receipt). `#[derive(Message)]` writes all of it:
//!
#![cfg_attr(feature = "bincode", doc = "```")]
#![cfg_attr(not(feature = "bincode"), doc = "```text")]
//! use messenger::message::{DeserializeFrom, ExtendedMessage};
//! use messenger::{Message, messenger_id_enum};
//! use serde::{Deserialize, Serialize};
//!
//! messenger_id_enum! {
//!     pub enum Mid { Ball = 1, Note = 2 }
//! }
//!
//! #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
//! #[message(id = Mid::Ball, codec = bincode)]
//! struct Ball { n: u8 }
//!
//! // A message may borrow from the payload it is read from.
//! #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
//! #[message(id = Mid::Note, codec = bincode)]
//! struct Note<'a> { text: &'a str }
//!
//! let bytes = Note { text: "hi" }.to_vec()?;
//! assert_eq!(Note::deserialize_from(&bytes)?, Note { text: "hi" });
//! assert!(Ball::deserialize_from(&bytes).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The bytes of a payload are not trusted: decoding never panics, never allocates more than a small
//! multiple of the payload's length, and never recurses deeper than [`MAX_DEPTH`]; bytes left over
//! are an error.

#[cfg(feature = "bincode")]
pub mod bincode;
#[cfg(feature = "postcard")]
pub mod postcard;
#[cfg(feature = "prost")]
pub mod prost;
#[cfg(feature = "zero_copy")]
pub mod zero_copy;

mod error;
#[doc(hidden)]
pub mod expand;
#[cfg(any(feature = "bincode", feature = "postcard"))]
mod guard;
mod id_enum;
mod info;
mod receive;
mod text;
mod traits;

pub use error::{DecodeError, EncodeError};
pub use id_enum::UnknownId;
pub use info::{MessageInfo, Schema};
pub use receive::{Receive, ReceiveBy};
pub use traits::{DeserializeFrom, ExtendedMessage, Message, Mode, Serialized, ZeroCopy};
#[cfg(feature = "zero_copy")]
pub use zero_copy::{Plain, ZeroCopyMessage};

/// How deep a serialized value may nest: structs, enums, options, sequences and maps within each other.
///
/// Deeper bytes are [`DecodeError::TooDeep`], so that forged nesting can't overflow the stack. (prost
/// has a limit of its own: 100 messages within each other.)
pub const MAX_DEPTH: u32 = 128;
