//! Typed ids: what a record's header says about its origin and its content.

use core::fmt;

/// The id of a message type, as it stands in a record's header.
///
/// ```
/// use messenger::bus::MessageId;
/// const QUOTE: MessageId = MessageId::new(7);
/// assert_eq!(QUOTE.get(), 7);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct MessageId(u16);

/// The id of a source: the handler (or the outside publisher) that sent a record.
///
/// ```
/// use messenger::bus::SourceId;
/// const FEED: SourceId = SourceId::new(3);
/// assert_eq!(FEED.get(), 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(transparent)]
pub struct SourceId(u16);

macro_rules! id {
    ($name:ident) => {
        impl $name {
            /// Makes the id from its number.
            #[must_use]
            pub const fn new(id: u16) -> Self {
                Self(id)
            }

            /// The id's number.
            #[must_use]
            pub const fn get(self) -> u16 {
                self.0
            }
        }

        impl From<$name> for u16 {
            fn from(id: $name) -> u16 {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(MessageId);
id!(SourceId);

/// What a record's header says of it: who sent it, and what it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag {
    /// Who sent the record.
    pub source: SourceId,
    /// What type of message the record holds.
    pub message: MessageId,
}

impl Tag {
    /// Names a source and a message.
    #[must_use]
    pub const fn new(source: SourceId, message: MessageId) -> Self {
        Self { source, message }
    }
}
