//! What is known of a message type, as data.

use super::{Message, Shape};
use crate::bus::MessageId;

/// What is known of the bytes of a message type.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Schema {
    /// Who makes the bytes: `bincode`, `postcard`, `prost`, `zero_copy`, or a name of your own.
    pub codec: &'static str,
    /// The type's path, which tells apart two types of one name; empty if unknown.
    pub path: &'static str,
    /// The length of every such payload in bytes; 0 if it varies.
    pub size: usize,
    /// The alignment in bytes that the payload needs.
    pub align: usize,
    /// A fingerprint of the layout of a zero-copy message, 0 for the serialized ones.
    ///
    /// It covers byte order, sizes, offsets, names and types of the fields.
    pub layout: u64,
    /// What a zero-copy message is made of, if that is known: a derived one says it.
    pub shape: Option<&'static Shape>,
}

impl Schema {
    /// Nothing is known: what a hand-written [`Message`] has unless it says more.
    pub const UNKNOWN: Self = Self::serialized("by hand", "");

    /// The schema of a message of varying length which `codec` makes.
    #[must_use]
    pub const fn serialized(codec: &'static str, path: &'static str) -> Self {
        Self {
            codec,
            path,
            size: 0,
            align: 1,
            layout: 0,
            shape: None,
        }
    }

    /// The schema of a zero-copy message `T` with the given layout fingerprint.
    #[must_use]
    pub const fn zero_copy<T>(path: &'static str, layout: u64) -> Self {
        Self {
            codec: "zero_copy",
            path,
            size: size_of::<T>(),
            align: align_of::<T>(),
            layout,
            shape: None,
        }
    }

    /// The schema of a zero-copy message with a head `H` and a tail of `T`s.
    #[must_use]
    pub const fn with_tail<H, T>(path: &'static str, layout: u64) -> Self {
        let (head, item) = (align_of::<H>(), align_of::<T>());
        Self {
            codec: "zero_copy",
            path,
            size: 0,
            align: if head > item { head } else { item },
            layout,
            shape: None,
        }
    }
}

/// What is known of a message type: what tables, graphs and errors show of it.
///
/// ```
/// # use messenger::bus::MessageId;
/// # use messenger::message::{Message, MessageInfo, Serialized};
/// # struct Ball;
/// # impl Message for Ball {
/// #     const ID: MessageId = MessageId::new(7);
/// #     const NAME: &'static str = "Ball";
/// #     type Mode = Serialized;
/// # }
/// const BALL: MessageInfo = MessageInfo::of::<Ball>();
/// assert_eq!((BALL.id, BALL.name), (MessageId::new(7), "Ball"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageInfo {
    /// The id.
    pub id: MessageId,
    /// The name.
    pub name: &'static str,
    /// What is known of its bytes.
    pub schema: Schema,
}

impl MessageInfo {
    /// What is known of `M`.
    #[must_use]
    pub const fn of<M: Message + ?Sized>() -> Self {
        Self {
            id: M::ID,
            name: M::NAME,
            schema: M::SCHEMA,
        }
    }
}
