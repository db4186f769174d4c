//! The bytes of each codec, written out: they must not change from version to version.

#![forbid(unsafe_code)]
#![cfg(all(
    feature = "bincode",
    feature = "postcard",
    feature = "prost",
    feature = "zero_copy"
))]

use std::collections::BTreeMap;

use messenger::{DeserializeFrom, ExtendedMessage, Message, MessageInfo};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
enum Kind {
    Plain,
    Tuple(u8, u8),
    Named { n: u32 },
}

#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
struct Everything {
    byte: u8,
    word: u16,
    signed: i32,
    long: u64,
    flag: bool,
    float: f32,
    letter: char,
    text: String,
    some: Option<u8>,
    none: Option<u8>,
    list: Vec<u16>,
    kinds: [Kind; 3],
    map: BTreeMap<u8, String>,
    size: usize,
    huge: i128,
}

fn everything() -> Everything {
    Everything {
        byte: 1,
        word: 0x0203,
        signed: -2,
        long: 300,
        flag: true,
        float: 1.5,
        letter: 'é',
        text: "hé".into(),
        some: Some(9),
        none: None,
        list: vec![1, 500],
        kinds: [Kind::Plain, Kind::Tuple(7, 8), Kind::Named { n: 6 }],
        map: BTreeMap::from([(5, "x".into())]),
        size: 4,
        huge: -1,
    }
}

#[test]
fn bincode_is_bincode_1() {
    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    #[message(id = 1, codec = bincode)]
    struct Golden(Everything);

    // bincode 1.3 with its `serialize`: fixed-width little-endian numbers, lengths as u64, enum numbers as u32,
    // an option's tag as one byte, a char as its UTF-8.
    #[rustfmt::skip]
    let bytes: Vec<u8> = [
        &[1][..],
        &[0x03, 0x02],
        &[0xfe, 0xff, 0xff, 0xff],
        &[0x2c, 1, 0, 0, 0, 0, 0, 0],
        &[1],
        &[0, 0, 0xc0, 0x3f],
        &[0xc3, 0xa9],
        &[3, 0, 0, 0, 0, 0, 0, 0], b"h\xc3\xa9",
        &[1, 9],
        &[0],
        &[2, 0, 0, 0, 0, 0, 0, 0], &[1, 0, 0xf4, 1],
        &[0, 0, 0, 0],
        &[1, 0, 0, 0, 7, 8],
        &[2, 0, 0, 0, 6, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0], &[5], &[1, 0, 0, 0, 0, 0, 0, 0], b"x",
        &[4, 0, 0, 0, 0, 0, 0, 0],
        &[0xff; 16],
    ].concat();
    assert_eq!(Golden(everything()).to_vec().unwrap(), bytes);
    assert_eq!(Golden::deserialize_from(&bytes), Ok(Golden(everything())));
}

#[test]
fn postcard_is_its_wire_format_1() {
    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    #[message(id = 1, codec = postcard)]
    struct Golden(Everything);

    // The postcard wire specification: varints of 7 bits, zigzag for signed numbers, lengths and enum numbers as
    // varints, floats little-endian, a char as text.
    #[rustfmt::skip]
    let bytes: Vec<u8> = [
        &[1][..],
        &[0x83, 0x04],
        &[3],
        &[0xac, 0x02],
        &[1],
        &[0, 0, 0xc0, 0x3f],
        &[2, 0xc3, 0xa9],
        &[3], b"h\xc3\xa9",
        &[1, 9],
        &[0],
        &[2, 1, 0xf4, 0x03],
        &[0],
        &[1, 7, 8],
        &[2, 6],
        &[1, 5, 1], b"x",
        &[4],
        &[1],
    ].concat();
    assert_eq!(Golden(everything()).to_vec().unwrap(), bytes);
    assert_eq!(Golden::deserialize_from(&bytes), Ok(Golden(everything())));
}

#[test]
fn prost_is_protocol_buffers() {
    #[derive(Clone, PartialEq, prost::Message, Message)]
    #[message(id = 1, codec = prost)]
    struct Golden {
        #[prost(uint64, tag = "1")]
        long: u64,
        #[prost(sint32, tag = "2")]
        signed: i32,
        #[prost(string, tag = "3")]
        text: String,
        #[prost(uint32, repeated, tag = "4")]
        list: Vec<u32>,
        #[prost(float, tag = "5")]
        float: f32,
    }

    let golden = Golden {
        long: 300,
        signed: -2,
        text: "hé".into(),
        list: vec![1, 500],
        float: 1.5,
    };
    // The encoding guide of Protocol Buffers: key = field number * 8 + wire type.
    #[rustfmt::skip]
    let bytes: Vec<u8> = [
        &[0x08, 0xac, 0x02][..],
        &[0x10, 3],
        &[0x1a, 3], b"h\xc3\xa9",
        &[0x22, 3, 1, 0xf4, 0x03],
        &[0x2d, 0, 0, 0xc0, 0x3f],
    ].concat();
    assert_eq!(golden.to_vec().unwrap(), bytes);
    assert_eq!(Golden::deserialize_from(&bytes), Ok(golden));
}

#[test]
fn zero_copy_is_the_struct() {
    #[derive(Clone, Copy, Message)]
    #[message(id = 1, codec = zero_copy)]
    #[repr(C)]
    struct Golden {
        price: u32,
        side: char,
        flags: [bool; 3],
        pad: u8,
    }

    let golden = Golden {
        price: 0x0102_0304,
        side: 'B',
        flags: [true, false, true],
        pad: 0,
    };
    let bytes = [
        &golden.price.to_ne_bytes()[..],
        &u32::from('B').to_ne_bytes(),
        &[1, 0, 1, 0],
    ]
    .concat();
    assert_eq!(golden.to_vec().unwrap(), bytes);
    let info = MessageInfo::of::<Golden>();
    assert_eq!((info.schema.size, info.schema.align), (12, 4));
    if cfg!(all(target_endian = "little", target_pointer_width = "64")) {
        assert_eq!(info.schema.layout, 0x1268_3b6e_466e_979f);
    }
}
