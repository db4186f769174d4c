//! Messages through prost: what comes back is what went in, and no bytes do harm.

#![forbid(unsafe_code)]
#![cfg(feature = "prost")]

use std::collections::BTreeMap;

use messenger::bus::PayloadWriter;
use messenger::message::{DecodeError, EncodeError};
use messenger::{DeserializeFrom, ExtendedMessage, Message, MessageInfo};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[derive(Clone, PartialEq, Message, prost::Message)]
#[message(id = 1, codec = prost)]
struct Order {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(string, tag = "2")]
    symbol: String,
    #[prost(sint32, repeated, tag = "3")]
    deltas: Vec<i32>,
    #[prost(message, optional, boxed, tag = "4")]
    parent: Option<Box<Order>>,
    #[prost(btree_map = "string, double", tag = "5")]
    prices: BTreeMap<String, f64>,
    #[prost(enumeration = "Side", tag = "6")]
    side: i32,
    #[prost(bytes = "vec", tag = "7")]
    raw: Vec<u8>,
    #[prost(oneof = "Choice", tags = "8, 9")]
    choice: Option<Choice>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Choice {
    #[prost(bool, tag = "8")]
    Flag(bool),
    #[prost(fixed32, tag = "9")]
    Number(u32),
}

#[derive(Clone, Copy, PartialEq, Debug, prost::Enumeration)]
#[repr(i32)]
enum Side {
    Buy = 0,
    Sell = 1,
}

fn order() -> impl Strategy<Value = Order> {
    let flat = (
        any::<(u64, bool)>(),
        ".{0,9}",
        vec(any::<i32>(), 0..5),
        btree_map(".{0,3}", any::<i32>(), 0..3),
        vec(any::<u8>(), 0..20),
        proptest::option::of(prop_oneof![
            any::<bool>().prop_map(Choice::Flag),
            any::<u32>().prop_map(Choice::Number)
        ]),
    );
    let flat = flat.prop_map(
        |((number, buy), symbol, deltas, prices, raw, choice)| Order {
            number,
            symbol,
            deltas,
            parent: None,
            prices: prices
                .into_iter()
                .map(|(name, price)| (name, price.into()))
                .collect(),
            side: if buy { Side::Buy } else { Side::Sell }.into(),
            raw,
            choice,
        },
    );
    (flat.clone(), proptest::option::of(flat)).prop_map(|(order, parent)| Order {
        parent: parent.map(Box::new),
        ..order
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn comes_back(order in order()) {
        let bytes = order.to_vec().unwrap();
        prop_assert_eq!(&bytes, &prost::Message::encode_to_vec(&order));
        prop_assert_eq!(Order::deserialize_from(&bytes).unwrap(), order);
    }

    #[test]
    fn damage_does_no_harm(order in order(), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
        let mut bytes = order.to_vec().unwrap();
        bytes.push(0);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = Order::deserialize_from(&bytes);
    }

    #[test]
    fn noise_does_no_harm(noise in vec(any::<u8>(), 0..200)) {
        let _ = Order::deserialize_from(&noise);
    }
}

#[test]
fn the_schema_names_the_codec() {
    let info = MessageInfo::of::<Order>();
    assert_eq!((info.name, info.schema.codec), ("Order", "prost"));
    assert_eq!((info.schema.layout, info.schema.size), (0, 0));
}

#[test]
fn bad_bytes_are_errors() {
    let bad: [&[u8]; 5] = [
        &[0],             // field number 0
        &[0x0a, 0],       // field 1 with the wire type of a text
        &[0x12, 2, b'a'], // a text cut short
        &[0x12, 1, 0xff], // not UTF-8
        &[0x08, 0x80],    // a varint cut short
    ];
    for bytes in bad {
        let error = Order::deserialize_from(bytes).unwrap_err();
        assert!(
            matches!(error, DecodeError::Codec { codec: "prost", .. }),
            "{bytes:?}: {error}"
        );
    }
}

#[test]
fn unknown_fields_are_skipped() {
    assert_eq!(
        Order::deserialize_from(&[0xa0, 0x06, 7]),
        Ok(Order::default())
    );
}

#[test]
fn nesting_has_a_limit() {
    let nested = |depth: usize| {
        (0..depth).fold(Vec::new(), |inner, _| {
            let mut outer = vec![0x22];
            prost::encoding::encode_varint(inner.len() as u64, &mut outer);
            outer.extend(inner);
            outer
        })
    };
    assert!(Order::deserialize_from(&nested(50)).is_ok());
    let deep = nested(if cfg!(miri) { 200 } else { 5_000 });
    assert!(matches!(
        Order::deserialize_from(&deep),
        Err(DecodeError::Codec { .. })
    ));
}

#[test]
fn without_room_it_overflows() {
    let order = Order {
        symbol: "ABC".into(),
        ..Order::default()
    };
    for room in 0..5 {
        let mut bytes = [0; 5];
        let error = order
            .write(&mut PayloadWriter::over(&mut bytes[..room]))
            .unwrap_err();
        let EncodeError::Overflow(overflow) = error else {
            panic!("{error}");
        };
        assert_eq!((overflow.len, overflow.remaining), (5, room));
    }
}

/// A hand-written prost message that counts one length and writes another.
#[derive(Debug, Default, Message)]
#[message(id = 2, codec = prost)]
struct Fickle {
    says: usize,
    writes: usize,
}

impl prost::Message for Fickle {
    fn encode_raw(&self, to: &mut impl prost::bytes::BufMut) {
        // Through the chunk that a sink hands out ..
        to.put(&vec![7; self.writes / 2][..]);
        // .. and as a slice.
        to.put_slice(&vec![7; self.writes - self.writes / 2]);
    }

    fn merge_field(
        &mut self,
        _: u32,
        _: prost::encoding::WireType,
        _: &mut impl prost::bytes::Buf,
        _: prost::encoding::DecodeContext,
    ) -> Result<(), prost::DecodeError> {
        Ok(())
    }

    fn encoded_len(&self) -> usize {
        self.says
    }

    fn clear(&mut self) {}
}

#[test]
fn another_length_in_the_second_pass_is_an_error() {
    for (says, writes) in [(3, 4), (4, 3), (0, 40)] {
        let error = Fickle { says, writes }.to_vec().unwrap_err();
        let EncodeError::Length {
            message: "Fickle",
            claimed,
            ..
        } = error
        else {
            panic!("{error}");
        };
        assert_eq!(claimed, says);
    }
    assert!(
        Fickle {
            says: 40,
            writes: 40
        }
        .to_vec()
        .is_ok()
    );
}
