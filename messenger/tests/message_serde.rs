//! The two serde codecs: what comes back is what went in, and no bytes do harm.

#![forbid(unsafe_code)]
#![cfg(all(feature = "bincode", feature = "postcard"))]

use std::collections::BTreeMap;

use messenger::message::{DecodeError, EncodeError, MAX_DEPTH};
use messenger::{DeserializeFrom, ExtendedMessage, Message};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// The same messages and tests for each codec.
macro_rules! suite {
    ($codec:ident) => {
        mod $codec {
            use super::*;

            #[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
            enum Shape {
                Nothing,
                Tuple(u8, i64),
                Struct { side: Side, text: Option<String> },
                New(Vec<Shape>),
            }

            #[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Debug)]
            enum Side {
                Buy,
                Sell,
            }

            #[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
            struct Unit;

            #[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
            struct New(u16);

            #[derive(Message, Serialize, Deserialize, Clone, PartialEq, Debug)]
            #[message(id = 1, codec = $codec)]
            struct Rich {
                small: (u8, i8, u16, i16, u32, i32),
                large: (u64, i64, u128, i128),
                floats: [f64; 2],
                flag: bool,
                letter: char,
                text: String,
                bytes: Vec<u8>,
                shapes: Vec<Shape>,
                map: BTreeMap<String, Vec<u32>>,
                optional: Option<Box<Side>>,
                unit: (Unit, ()),
                new: New,
            }

            #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
            #[message(id = 2, codec = $codec)]
            struct Note<'a, 'b> {
                text: &'a str,
                bytes: &'b [u8],
                #[serde(borrow)]
                inner: Option<Inner<'a>>,
            }

            #[derive(Serialize, Deserialize, PartialEq, Debug)]
            struct Inner<'a>(&'a str);

            #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
            #[message(id = 3, codec = $codec)]
            enum Choice {
                Left(bool),
                Right { letter: char },
            }

            #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
            #[message(id = 4, codec = $codec)]
            struct Lists {
                units: Vec<()>,
                words: Vec<String>,
            }

            #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
            #[message(id = 5, codec = $codec)]
            enum Tree {
                Leaf,
                Node(Box<Tree>),
            }

            /// Says another length each time it is asked.
            #[derive(Default)]
            struct Fickle(std::cell::Cell<usize>, bool);

            impl Serialize for Fickle {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let times = self.0.get();
                    self.0.set(times + 1);
                    let len = if self.1 { 9 - times } else { times };
                    vec![7_u8; len].serialize(serializer)
                }
            }

            impl<'de> Deserialize<'de> for Fickle {
                fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                    Ok(Self::default())
                }
            }

            #[derive(Message, Serialize, Deserialize)]
            #[message(id = 6, codec = $codec)]
            struct Changing(Fickle);

            /// Can't be encoded.
            struct Refusing;

            impl Serialize for Refusing {
                fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                    Err(serde::ser::Error::custom("not today"))
                }
            }

            impl<'de> Deserialize<'de> for Refusing {
                fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                    Ok(Self)
                }
            }

            #[derive(Message, Serialize, Deserialize)]
            #[message(id = 7, codec = $codec)]
            struct Impossible(Refusing);

            fn shape() -> impl Strategy<Value = Shape> {
                let leaf = prop_oneof![
                    Just(Shape::Nothing),
                    (any::<u8>(), any::<i64>()).prop_map(|(a, b)| Shape::Tuple(a, b)),
                    (any::<bool>(), proptest::option::of(".{0,8}")).prop_map(|(buy, text)| Shape::Struct {
                        side: if buy { Side::Buy } else { Side::Sell },
                        text,
                    }),
                ];
                leaf.prop_recursive(3, 12, 4, |inner| vec(inner, 0..4).prop_map(Shape::New))
            }

            fn rich() -> impl Strategy<Value = Rich> {
                let numbers = (any::<(u8, i8, u16, i16, u32, i32)>(), any::<(u64, i64, u128, i128)>());
                let plain = (any::<[i32; 2]>(), any::<bool>(), any::<char>(), any::<u16>());
                let owned = (
                    ".{0,20}",
                    vec(any::<u8>(), 0..40),
                    vec(shape(), 0..4),
                    btree_map(".{0,4}", vec(any::<u32>(), 0..3), 0..3),
                    any::<Option<bool>>(),
                );
                (numbers, plain, owned).prop_map(
                    |((small, large), (floats, flag, letter, new), (text, bytes, shapes, map, optional))| Rich {
                        small,
                        large,
                        floats: floats.map(f64::from),
                        flag,
                        letter,
                        text,
                        bytes,
                        shapes,
                        map,
                        optional: optional.map(|buy| Box::new(if buy { Side::Buy } else { Side::Sell })),
                        unit: (Unit, ()),
                        new: New(new),
                    },
                )
            }

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn comes_back(message in rich()) {
                    let bytes = message.to_vec().unwrap();
                    prop_assert_eq!(bytes.len(), message.encoded_len().unwrap());
                    prop_assert_eq!(Rich::deserialize_from(&bytes).unwrap(), message);
                }

                #[test]
                fn cut_short_is_an_error(message in rich(), at in any::<prop::sample::Index>()) {
                    let bytes = message.to_vec().unwrap();
                    prop_assert!(Rich::deserialize_from(&bytes[..at.index(bytes.len())]).is_err());
                }

                #[test]
                fn longer_is_left_over(message in rich(), more in 1..9_usize) {
                    let mut bytes = message.to_vec().unwrap();
                    bytes.resize(bytes.len() + more, 0);
                    let error = Rich::deserialize_from(&bytes).unwrap_err();
                    prop_assert_eq!(error, DecodeError::LeftOver { len: bytes.len(), left: more });
                }

                #[test]
                fn damage_does_no_harm(message in rich(), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5)) {
                    let mut bytes = message.to_vec().unwrap();
                    for (at, byte) in damage {
                        let at = at.index(bytes.len());
                        bytes[at] = byte;
                    }
                    let _ = Rich::deserialize_from(&bytes);
                }

                #[test]
                fn noise_does_no_harm(noise in vec(any::<u8>(), 0..200)) {
                    let _ = Rich::deserialize_from(&noise);
                    let _ = Note::deserialize_from(&noise);
                    let _ = Lists::deserialize_from(&noise);
                    let _ = Choice::deserialize_from(&noise);
                    let _ = Tree::deserialize_from(&noise);
                }
            }

            #[test]
            fn borrows_from_the_payload() {
                let note = Note {
                    text: "text",
                    bytes: &[1, 2, 3],
                    inner: Some(Inner("inner")),
                };
                let payload = note.to_vec().unwrap();
                let back = Note::deserialize_from(&payload).unwrap();
                assert_eq!(back, note);
                let within = payload.as_ptr_range();
                assert!(within.contains(&back.text.as_ptr()) && within.contains(&back.bytes.as_ptr()));
            }

            #[test]
            fn enums_are_messages() {
                for message in [Choice::Left(true), Choice::Right { letter: 'ß' }] {
                    assert_eq!(Choice::deserialize_from(&message.to_vec().unwrap()), Ok(message));
                }
            }

            #[test]
            fn values_without_meaning_are_errors() {
                let is_refused = |bytes: &[u8]| {
                    let error = Choice::deserialize_from(bytes).unwrap_err();
                    let DecodeError::Codec { codec, reason } = &error else {
                        panic!("{error}");
                    };
                    assert_eq!(*codec, stringify!($codec));
                    assert!(!reason.is_empty());
                };
                let left = Choice::Left(true).to_vec().unwrap();
                let bool_of_2 = [&left[..left.len() - 1], &[2]].concat();
                is_refused(&bool_of_2);
                let no_variant = [&[9], &left[1..]].concat();
                is_refused(&no_variant);
                let right = Choice::Right { letter: 'a' }.to_vec().unwrap();
                let no_char = [&right[..right.len() - 1], &[0xff]].concat();
                is_refused(&no_char);
                if stringify!($codec) == "postcard" {
                    // Its length, and what is no part of it.
                    is_refused(&[&right[..right.len() - 2], &[3], b"abc"].concat());
                    is_refused(&[&right[..right.len() - 2], &[0]].concat());
                }
                is_refused(&[]);

                let note = Note {
                    text: "a",
                    bytes: &[],
                    inner: None,
                };
                let mut bytes = note.to_vec().unwrap();
                let at = bytes.iter().position(|byte| *byte == b'a').unwrap();
                bytes[at] = 0x80;
                assert!(matches!(Note::deserialize_from(&bytes), Err(DecodeError::Codec { .. })));
            }

            #[test]
            fn empty_elements_have_a_limit_too() {
                let units = |count| Lists {
                    units: vec![(); count],
                    words: vec![String::new()],
                };
                let few = units(1);
                assert_eq!(Lists::deserialize_from(&few.to_vec().unwrap()), Ok(few));
                let many = units(100).to_vec().unwrap();
                assert_eq!(
                    Lists::deserialize_from(&many),
                    Err(DecodeError::TooMany {
                        announced: 100,
                        possible: many.len()
                    })
                );
            }

            #[test]
            fn nesting_has_a_limit() {
                let tree = |depth| (1..depth).fold(Tree::Leaf, |tree, _| Tree::Node(Box::new(tree)));
                let deepest = tree(MAX_DEPTH).to_vec().unwrap();
                assert_eq!(Tree::deserialize_from(&deepest), Ok(tree(MAX_DEPTH)));
                let deeper = tree(MAX_DEPTH + 1).to_vec().unwrap();
                let too_deep = Err(DecodeError::TooDeep { limit: MAX_DEPTH });
                assert_eq!(Tree::deserialize_from(&deeper), too_deep);
                let node = deeper[..deeper.len() / (MAX_DEPTH as usize + 1)].to_vec();
                let endless = node.repeat(if cfg!(miri) { 1000 } else { 1_000_000 });
                assert_eq!(Tree::deserialize_from(&endless), too_deep);
            }

            #[test]
            fn another_length_in_the_second_pass_is_an_error() {
                for shrinks in [false, true] {
                    let error = Changing(Fickle(0.into(), shrinks)).to_vec().unwrap_err();
                    let EncodeError::Length {
                        message: "Changing",
                        claimed,
                        written,
                    } = error
                    else {
                        panic!("{error}");
                    };
                    assert_eq!(written < claimed, shrinks);
                }
            }

            #[test]
            fn what_cannot_be_encoded_is_an_error() {
                let error = Impossible(Refusing).to_vec().unwrap_err();
                let EncodeError::Codec { codec, .. } = error else {
                    panic!("{error}");
                };
                assert_eq!(codec, stringify!($codec));
            }

            #[test]
            fn without_room_it_overflows() {
                let note = Choice::Right { letter: 'a' };
                let mut bytes = vec![0; note.encoded_len().unwrap() - 1];
                let mut writer = messenger::bus::PayloadWriter::over(&mut bytes);
                assert!(matches!(note.write(&mut writer), Err(EncodeError::Overflow(_))));
            }
        }
    };
}

suite!(bincode);
suite!(postcard);

/// bincode writes a sequence's length before its items.
#[test]
fn a_sequence_that_does_not_know_its_length_is_an_error() {
    struct Endless;

    impl Serialize for Endless {
        fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            serde::ser::SerializeSeq::end(to.serialize_seq(None)?)
        }
    }

    let error = messenger::message::bincode::encoded_len(&Endless).unwrap_err();
    assert_eq!(
        error.to_string(),
        "bincode can't encode this value: a sequence or map in it does not know its length beforehand"
    );
}
