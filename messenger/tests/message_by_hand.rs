//! Each mode implemented by hand and sent over a bus, beside its derived twin: the same bytes, the same result.

#![forbid(unsafe_code)]
#![cfg(all(
    feature = "bincode",
    feature = "postcard",
    feature = "prost",
    feature = "zero_copy"
))]

use std::borrow::Borrow;
use std::fmt::Debug;

use messenger::bus::{Bus, BusConfig, MessageId, PayloadWriter, SourceId, Start, Tag};
use messenger::memory::MemoryKind;
use messenger::message::{self, DecodeError, EncodeError, Schema, Serialized, ZeroCopy, zero_copy};
use messenger::{DeserializeFrom, ExtendedMessage, Message, MessageInfo, Receive, ZeroCopyMessage};
use serde::{Deserialize, Serialize};

/// Sends a message over a bus and sees that it comes back; returns its payload.
macro_rules! over_a_bus {
    ($type:ident, $message:expr) => {{
        let message = $message;
        let kind = if cfg!(miri) {
            MemoryKind::Heap
        } else {
            MemoryKind::Mapped
        };
        let bus = Bus::new(BusConfig::bytes(16 * 1024).memory(kind)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();

        let tag = Tag::new(SourceId::new(1), $type::ID);
        let mut claim = publisher
            .try_claim(tag, message.encoded_len().unwrap())
            .unwrap();
        message.fill(&mut claim.writer()).unwrap();
        claim.commit().unwrap();

        let record = subscriber.try_next().unwrap().expect("it was committed");
        assert_eq!(record.message(), $type::ID);
        let held = <$type as Receive>::receive(record.payload()).unwrap();
        assert_eq!(Borrow::<$type>::borrow(&held), &message);
        record.payload().to_vec()
    }};
}

/// Implements a message by hand through the functions of a serde codec or of prost.
macro_rules! serialized {
    ($type:ident, $id:literal, $codec:ident) => {
        impl Message for $type {
            const ID: MessageId = MessageId::new($id);
            const NAME: &'static str = stringify!($type);
            type Mode = Serialized;
        }

        impl ExtendedMessage for $type {
            fn encoded_len(&self) -> Result<usize, EncodeError> {
                message::$codec::encoded_len(self)
            }

            fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
                message::$codec::write(self, to)
            }
        }

        impl<'a> DeserializeFrom<'a> for $type {
            fn deserialize_from(bytes: &'a [u8]) -> Result<Self, DecodeError> {
                message::$codec::decode(bytes)
            }
        }
    };
}

#[test]
fn bincode() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Hand {
        n: u32,
        text: String,
    }
    serialized!(Hand, 1, bincode);

    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    #[message(id = 1, codec = bincode)]
    struct Derived {
        n: u32,
        text: String,
    }

    let (n, text) = (7, "text".to_owned());
    let hand = over_a_bus!(
        Hand,
        Hand {
            n,
            text: text.clone()
        }
    );
    assert_eq!(hand, over_a_bus!(Derived, Derived { n, text }));
    assert_eq!(MessageInfo::of::<Hand>().schema, Schema::UNKNOWN);
}

#[test]
fn postcard() {
    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Hand(Vec<u32>);
    serialized!(Hand, 2, postcard);

    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    #[message(id = 2, codec = postcard)]
    struct Derived(Vec<u32>);

    let hand = over_a_bus!(Hand, Hand(vec![1, 1000]));
    assert_eq!(hand, over_a_bus!(Derived, Derived(vec![1, 1000])));
}

#[test]
fn prost() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Hand {
        #[prost(string, tag = "1")]
        text: String,
    }
    serialized!(Hand, 3, prost);

    #[derive(Clone, PartialEq, prost::Message, Message)]
    #[message(id = 3, codec = prost)]
    struct Derived {
        #[prost(string, tag = "1")]
        text: String,
    }

    let text = "text".to_owned();
    let hand = over_a_bus!(Hand, Hand { text: text.clone() });
    assert_eq!(hand, over_a_bus!(Derived, Derived { text }));
}

#[test]
fn zero_copy() {
    #[derive(Clone, Copy, PartialEq, Debug, bytemuck::NoUninit, bytemuck::CheckedBitPattern)]
    #[repr(C)]
    struct Hand {
        price: u32,
        firm: bool,
        pad: [u8; 3],
    }

    impl Message for Hand {
        const ID: MessageId = MessageId::new(4);
        const NAME: &'static str = "Hand";
        type Mode = ZeroCopy;
        const SCHEMA: Schema = Schema::zero_copy::<Self>("by hand", 1);
    }

    impl ZeroCopyMessage for Hand {}

    #[derive(Clone, Copy, PartialEq, Debug, Message)]
    #[message(id = 4, codec = zero_copy)]
    #[repr(C)]
    struct Derived {
        price: u32,
        firm: bool,
        pad: [u8; 3],
    }

    let (price, firm, pad) = (5, true, [0; 3]);
    let hand = over_a_bus!(Hand, Hand { price, firm, pad });
    assert_eq!(hand, over_a_bus!(Derived, Derived { price, firm, pad }));
    assert_eq!(MessageInfo::of::<Hand>().schema.size, 8);
}

#[test]
fn with_a_tail() {
    #[derive(PartialEq, Debug)]
    struct Hand<'a> {
        head: &'a u64,
        tail: &'a [u32],
    }

    impl Message for Hand<'_> {
        const ID: MessageId = MessageId::new(5);
        const NAME: &'static str = "Hand";
        type Mode = Serialized;
    }

    impl ExtendedMessage for Hand<'_> {
        fn encoded_len(&self) -> Result<usize, EncodeError> {
            Ok(zero_copy::tail_len(self.head, self.tail))
        }

        fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
            zero_copy::write_tail(self.head, self.tail, to)
        }
    }

    impl<'a> DeserializeFrom<'a> for Hand<'a> {
        fn deserialize_from(bytes: &'a [u8]) -> Result<Self, DecodeError> {
            let (head, tail) = zero_copy::split(bytes)?;
            Ok(Self { head, tail })
        }
    }

    #[derive(PartialEq, Debug, Message)]
    #[message(id = 5, codec = zero_copy)]
    struct Derived<'a> {
        head: &'a u64,
        tail: &'a [u32],
    }

    let (head, tail) = (&9, &[1, 2, 3][..]);
    let hand = over_a_bus!(Hand, Hand { head, tail });
    assert_eq!(hand.len(), 20);
    assert_eq!(hand, over_a_bus!(Derived, Derived { head, tail }));
}

/// A format that no codec knows: tenths of a degree, big-endian.
#[test]
fn a_format_of_its_own() {
    #[derive(PartialEq, Debug)]
    struct Celsius(f32);

    impl Message for Celsius {
        const ID: MessageId = MessageId::new(6);
        const NAME: &'static str = "Celsius";
        type Mode = Serialized;
        const SCHEMA: Schema = Schema::serialized("tenths", "Celsius");
    }

    impl ExtendedMessage for Celsius {
        fn encoded_len(&self) -> Result<usize, EncodeError> {
            Ok(2)
        }

        fn write(&self, to: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
            let tenths = (self.0 * 10.0).round();
            if !(f32::from(i16::MIN)..=f32::from(i16::MAX)).contains(&tenths) {
                return Err(EncodeError::Codec {
                    codec: "tenths",
                    reason: format!("{} degrees need more than 16 bits", self.0),
                });
            }
            Ok(to.put(&(tenths as i16).to_be_bytes())?)
        }
    }

    impl<'a> DeserializeFrom<'a> for Celsius {
        fn deserialize_from(bytes: &'a [u8]) -> Result<Self, DecodeError> {
            let tenths = bytes.try_into().map_err(|_| DecodeError::WrongSize {
                len: bytes.len(),
                expected: 2,
            })?;
            Ok(Self(f32::from(i16::from_be_bytes(tenths)) / 10.0))
        }
    }

    assert_eq!(over_a_bus!(Celsius, Celsius(-1.5)), [0xff, 0xf1]);
    let error = Celsius(1e9).to_vec().unwrap_err();
    assert_eq!(
        error.to_string(),
        "tenths can't encode this value: 1000000000 degrees need more than 16 bits"
    );
}

/// Generic code takes messages of every mode.
#[test]
fn generic_receivers() {
    fn shown<'a, M: Receive<'a> + Debug>(payload: &'a [u8]) -> String {
        let held = M::receive(payload).unwrap();
        let message: &M = held.borrow();
        format!("{message:?}")
    }

    #[derive(Debug, Message, Serialize, Deserialize)]
    #[message(id = 7, codec = bincode)]
    struct Owned(u8);

    #[derive(Clone, Copy, Debug, Message)]
    #[message(id = 8, codec = zero_copy)]
    #[repr(transparent)]
    struct InPlace(u8);

    assert_eq!(shown::<Owned>(&[1]), "Owned(1)");
    assert_eq!(shown::<InPlace>(&[1]), "InPlace(1)");
}

/// Says of another writer that it has no room.
struct Astray;

impl Message for Astray {
    const ID: MessageId = MessageId::new(80);
    const NAME: &'static str = "Astray";
    type Mode = Serialized;
}

impl ExtendedMessage for Astray {
    fn encoded_len(&self) -> Result<usize, EncodeError> {
        Ok(1)
    }

    fn write(&self, _: &mut PayloadWriter<'_>) -> Result<(), EncodeError> {
        PayloadWriter::over(&mut [0; 4]).put(&[0; 5])?;
        Ok(())
    }
}

#[test]
fn what_is_written_elsewhere_is_an_error() {
    let error = Astray.to_vec().unwrap_err();
    let EncodeError::Length {
        claimed, written, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!((claimed, written), (1, 5));
}
