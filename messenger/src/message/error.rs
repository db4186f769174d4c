//! What can go wrong between a value and its bytes.

use core::fmt;

use crate::bus::Overflow;
use crate::words::in_words;

/// Why a message could not be encoded.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EncodeError {
    /// The codec can't encode this value.
    Codec {
        /// Which codec.
        codec: &'static str,
        /// What it says.
        reason: String,
    },
    /// More bytes were written than there was room for.
    Overflow(Overflow),
    /// The message wrote another number of bytes than `encoded_len` had counted.
    Length {
        /// The message's name.
        message: &'static str,
        /// The bytes that were claimed for it.
        claimed: usize,
        /// The bytes that were written, or were to be written.
        written: usize,
    },
    /// A message was to be built in place at an address it can't stand at.
    Misaligned {
        /// The message's name.
        message: &'static str,
        /// The alignment in bytes that it needs.
        align: usize,
    },
    /// A message was to be built in place, but zeroed bytes are no valid value of it.
    ZeroIsInvalid {
        /// The message's name.
        message: &'static str,
    },
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec { codec, reason } => write!(f, "{codec} can't encode this value: {reason}"),
            Self::Overflow(overflow) => overflow.fmt(f),
            Self::Length {
                message,
                claimed,
                written,
            } => write!(
                f,
                "{message} counted {claimed} bytes and then wrote {written}: `encoded_len` and `write` must agree, \
                 and the value must not change between them"
            ),
            Self::Misaligned { message, align } => write!(
                f,
                "{message} can't be built at an address that is no multiple of {align} bytes: build it in a claim"
            ),
            Self::ZeroIsInvalid { message } => write!(
                f,
                "zeroed bytes are no valid {message}, so it can't be built in place: send a whole value, \
                 or give the fields whose zero means nothing a zero value"
            ),
        }
    }
}

in_words!(EncodeError);

impl core::error::Error for EncodeError {}

impl From<Overflow> for EncodeError {
    fn from(overflow: Overflow) -> Self {
        Self::Overflow(overflow)
    }
}

/// Why bytes are not a message.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The codec found the bytes wrong: they end early, or a value in them means nothing.
    Codec {
        /// Which codec.
        codec: &'static str,
        /// What it says.
        reason: String,
    },
    /// The bytes announce more elements than a payload of this length can hold.
    TooMany {
        /// How many elements a sequence or map is said to have.
        announced: usize,
        /// How many there can be at most.
        possible: usize,
    },
    /// The message would take more memory than a payload of this length may ask for:
    /// [`max_memory`](super::max_memory).
    TooLarge {
        /// The payload's length in bytes.
        len: usize,
        /// How many bytes of memory it asks for, or more.
        memory: usize,
        /// How many it may ask for.
        limit: usize,
    },
    /// Values are nested too deep.
    TooDeep {
        /// The deepest nesting allowed.
        limit: u32,
    },
    /// Bytes are left over after the message.
    LeftOver {
        /// The payload's length in bytes.
        len: usize,
        /// How many of them the message did not use.
        left: usize,
    },
    /// The payload's length is not that of the zero-copy message.
    WrongSize {
        /// The payload's length in bytes.
        len: usize,
        /// The message's size in bytes.
        expected: usize,
    },
    /// The payload's length is not that of a zero-copy message with a variable tail.
    WrongTail {
        /// The payload's length in bytes.
        len: usize,
        /// The size of the head in bytes.
        head: usize,
        /// The size of an item of the tail in bytes.
        item: usize,
    },
    /// The payload does not start at an address that the zero-copy message can be read at.
    Misaligned {
        /// The alignment in bytes that the message needs.
        align: usize,
    },
    /// The bits are no value of the zero-copy type: a `bool`, `char` or enum in it means nothing.
    InvalidBits {
        /// The type's name.
        what: &'static str,
    },
    /// The message's own code panicked over them, on a worker.
    Panicked {
        /// The panic's text.
        text: String,
    },
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Codec { codec, reason } => write!(f, "not valid {codec}: {reason}"),
            Self::TooMany {
                announced,
                possible,
            } => write!(
                f,
                "{announced} elements are announced where this payload can hold at most {possible}: the length is forged or damaged"
            ),
            Self::TooLarge { len, memory, limit } => write!(
                f,
                "{memory} bytes of memory are asked for where a payload of {len} may take {limit}: it is forged or damaged, or \
                 many large values in it are absent (put them in a `Box`: their bytes in the payload stay the same)"
            ),
            Self::TooDeep { limit } => write!(f, "values are nested deeper than {limit} levels"),
            Self::LeftOver { len, left } => write!(
                f,
                "{left} of the payload's {len} bytes are left over after the message: sender and receiver disagree about its type"
            ),
            Self::WrongSize { len, expected } => write!(
                f,
                "the payload has {len} bytes where the message has {expected}: sender and receiver disagree about its type"
            ),
            Self::WrongTail { len, head, item } => write!(
                f,
                "the payload has {len} bytes where the message has {head} and then a whole number of items of {item}: \
                 sender and receiver disagree about its type"
            ),
            Self::Misaligned { align } => write!(
                f,
                "the payload does not start at a multiple of {align} bytes: copy it to an aligned buffer first"
            ),
            Self::InvalidBits { what } => write!(
                f,
                "the bits are no value of {what}: a bool, char or enum in it holds a number that means nothing"
            ),
            Self::Panicked { text } => write!(f, "decoding panicked: {text}"),
        }
    }
}

in_words!(DecodeError);

impl core::error::Error for DecodeError {}

#[cfg(test)]
mod tests {
    use super::{DecodeError, EncodeError, Overflow};

    #[test]
    fn errors_say_the_numbers_and_what_to_do() {
        let overflow = Overflow {
            len: 5,
            remaining: 3,
        };
        let encode = [
            (
                EncodeError::Codec {
                    codec: "bincode",
                    reason: "no length".into(),
                },
                ["bincode", "no length"],
            ),
            (EncodeError::Overflow(overflow), ["5 bytes", "room for 3"]),
            (
                EncodeError::Length {
                    message: "Ball",
                    claimed: 4,
                    written: 6,
                },
                ["counted 4", "wrote 6"],
            ),
            (
                EncodeError::Misaligned {
                    message: "Ball",
                    align: 8,
                },
                ["8 bytes", "in a claim"],
            ),
            (
                EncodeError::ZeroIsInvalid { message: "Ball" },
                ["no valid Ball", "send a whole value"],
            ),
        ];
        for (error, parts) in encode {
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
        let decode = [
            (
                DecodeError::Codec {
                    codec: "prost",
                    reason: "a bad varint".into(),
                },
                ["prost", "a bad varint"],
            ),
            (
                DecodeError::TooMany {
                    announced: 99,
                    possible: 7,
                },
                ["99 elements", "at most 7"],
            ),
            (
                DecodeError::TooLarge {
                    len: 9,
                    memory: 80,
                    limit: 70,
                },
                [
                    "80 bytes of memory are asked for where a payload of 9 may take 70",
                    "in a `Box`",
                ],
            ),
            (DecodeError::TooDeep { limit: 128 }, ["deeper", "128"]),
            (
                DecodeError::LeftOver { len: 9, left: 2 },
                ["2 of", "9 bytes"],
            ),
            (
                DecodeError::WrongSize {
                    len: 9,
                    expected: 8,
                },
                ["9 bytes", "has 8"],
            ),
            (
                DecodeError::WrongTail {
                    len: 9,
                    head: 4,
                    item: 2,
                },
                ["9 bytes", "items of 2"],
            ),
            (
                DecodeError::Misaligned { align: 16 },
                ["multiple of 16", "copy it"],
            ),
            (
                DecodeError::InvalidBits { what: "Side" },
                ["no value of Side", "means nothing"],
            ),
        ];
        for (error, parts) in decode {
            let text = error.to_string();
            assert!(parts.iter().all(|part| text.contains(part)), "{text}");
        }
    }
}
