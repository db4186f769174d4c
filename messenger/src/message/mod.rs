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
//! # Bytes are not trusted
//!
//! Decoding never panics, and what forged bytes can set off is bounded by the payload's length:
//!
//! * A length that the payload can't hold is an error before anything is allocated for it. So what a payload
//!   makes is at most as many elements as it has bytes.
//! * What serde makes of a payload takes at most [`max_memory`] of its length. prost has no such limit: there the types
//!   set the factor. An element of a repeated field or a map takes two bytes of the payload (in a packed field one),
//!   and in memory the `size_of` of its type, three times that at most while its vector grows. So a repeated message
//!   with ten texts, 240 bytes, makes 120 bytes of each byte, and up to 360. Who does not trust those who write keeps
//!   repeated messages small.
//! * Values nest at most [`MAX_DEPTH`] deep.
//! * Bytes left over are an error, and so are bits without meaning: a `bool` of 2, a `char` beyond Unicode, text that
//!   is not UTF-8, an enum's number that no variant has.
//! * A zero-copy payload has the right length and address, or it is an error.

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
mod fingerprint;
#[cfg(any(feature = "bincode", feature = "postcard"))]
mod guard;
mod id_enum;
mod info;
mod receive;
mod shape;
pub(crate) mod text;
mod traits;

pub use error::{DecodeError, EncodeError};
pub use id_enum::UnknownId;
pub use info::{MessageInfo, Schema};
pub use receive::{Receive, ReceiveBy};
pub use shape::{EnumShape, FieldShape, Of, Shape, StructShape, TailShape, TypeName, TypeShape};
pub use traits::{DeserializeFrom, ExtendedMessage, Message, Mode, Serialized, ZeroCopy};
#[cfg(feature = "zero_copy")]
pub use zero_copy::{Plain, ZeroCopyMessage};

/// How deep a received value may nest: structs, enums, options, sequences and maps within each other.
///
/// Deeper bytes are [`DecodeError::TooDeep`], so that forged nesting can't overflow the stack. The sender is not
/// held to it: a list that links its nodes through boxes is better sent as a sequence. (prost has a limit of its
/// own: 100 messages within each other.)
///
/// A level takes stack for its value and for the frames of its deserializer: of a struct of 300 bytes, 128 levels fit into
/// 512 KiB without optimisation. Receive types with large arrays in each level on a thread with a larger stack.
pub const MAX_DEPTH: u32 = 128;

/// How many bytes of memory serde may make of a payload of `len` bytes: 1 MiB, and 64 for each byte of the payload.
///
/// The elements of sequences and maps count, and values in boxes, each by its `size_of`. More of them is
/// [`DecodeError::TooLarge`], before they are made: 4096 times a `None` is 4 KiB of payload, and may be megabytes in memory.
/// (Not counted is what can't be much more than the payload: texts, byte buffers, and elements of 16 bytes or less.)
///
/// What people send keeps within it: the largest head of a collection in `std`, which one byte can make, has 48 bytes. Beyond it is
/// a long sequence whose elements are large and mostly absent, as 100,000 times an `Option<[u64; 32]>`. `Option<Box<[u64; 32]>>` has
/// the same bytes in a payload, and takes no more than goes with them.
///
/// Collections have room of their own beside their elements: a vector that grows, or a hash map, three times theirs at the most while it does
/// so, and a `BTreeMap` of one entry that of eleven. serde makes room for up to 1 MiB of elements before their size is known. And what
/// a `Deserialize` written by hand, for another collection perhaps, does by itself nobody counts.
#[must_use]
pub const fn max_memory(len: usize) -> usize {
    len.saturating_mul(64).saturating_add(1 << 20)
}

/// Compiles and runs the guide.
#[cfg(all(doctest, feature = "bincode", feature = "prost", feature = "zero_copy"))]
#[doc = include_str!("../../../docs/porting.md")]
mod porting {}
