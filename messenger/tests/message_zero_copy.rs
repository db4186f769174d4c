//! Zero-copy messages: received in place, built in place, with a tail; and what is refused.

#![forbid(unsafe_code)]
#![cfg(feature = "zero_copy")]

use std::num::NonZeroU16;

use messenger::bus::{MessageId, PayloadWriter};
use messenger::message::zero_copy::{self, Aligned};
use messenger::message::{DecodeError, EncodeError, Receive};
use messenger::{DeserializeFrom, ExtendedMessage, Message, MessageInfo, Plain, ZeroCopyMessage};
use proptest::collection::vec;
use proptest::prelude::*;

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

#[derive(Clone, Copy, Plain, PartialEq, Debug)]
#[repr(u8)]
enum Side {
    Buy = 1,
    Sell = 2,
}

#[derive(Clone, Copy, Plain, PartialEq, Debug)]
#[repr(i16)]
enum Signed {
    Below = -1,
    Zero,
}

#[derive(Clone, Copy, Message, PartialEq, Debug)]
#[message(id = 70, codec = zero_copy)]
#[repr(C)]
struct Quote {
    price: u64,
    side: Side,
    firm: bool,
    sides: [[Side; 2]; 2],
    signed: Signed,
}

#[derive(Clone, Copy, Plain, PartialEq, Debug)]
#[repr(C)]
struct Level {
    price: u32,
    side: Side,
    pad: [u8; 3],
}

#[derive(Message, PartialEq, Debug)]
#[message(id = 71, codec = zero_copy)]
struct Book<'a> {
    head: &'a Quote,
    levels: &'a [Level],
}

#[derive(Message, PartialEq, Debug)]
#[message(id = 72, codec = zero_copy)]
struct Levels<'a>(&'a [Level]);

#[derive(Clone, Copy, Message, Default, PartialEq, Debug)]
#[message(id = 73, codec = zero_copy)]
#[repr(C)]
struct Many {
    numbers: (),
    nested: Nested,
    letter: char,
    some: Option<NonZeroU16>,
    words: [u16; 3],
    long: i64,
    floats: [f64; 1],
    wide: u128,
}

#[derive(Clone, Copy, Plain, Default, PartialEq, Debug)]
#[repr(transparent)]
struct Nested(u32);

#[derive(Clone, Copy, Message, PartialEq, Debug)]
#[message(id = 74, codec = zero_copy)]
#[repr(C)]
struct Tick;

#[derive(Clone, Copy, Message, PartialEq, Debug)]
#[message(id = 75, codec = zero_copy)]
#[repr(C, align(16))]
struct Wide([u64; 2]);

fn quote() -> Quote {
    Quote {
        price: 5,
        side: Side::Sell,
        firm: true,
        sides: [[Side::Buy, Side::Sell]; 2],
        signed: Signed::Below,
    }
}

fn level(price: u32) -> Level {
    Level {
        price,
        side: Side::Buy,
        pad: [0; 3],
    }
}

/// The message's bytes as they stand in a payload, with room for a few more.
fn payload(message: &impl ExtendedMessage) -> (Aligned<128>, usize) {
    let mut payload = Aligned([0; 128]);
    let len = message.encoded_len().unwrap();
    message
        .fill(&mut PayloadWriter::over(&mut payload.0[..len]))
        .unwrap();
    (payload, len)
}

#[test]
fn fixed_messages_are_received_in_place() {
    fn is_zero_copy<M: ZeroCopyMessage>() {}
    is_zero_copy::<Quote>();
    assert_eq!(Quote::ID, MessageId::new(70));

    let (payload, len) = payload(&quote());
    let held = Quote::receive(&payload.0[..len]).unwrap();
    assert_eq!(*held, quote());
    assert_eq!(core::ptr::from_ref(held).addr(), payload.0.as_ptr().addr());

    assert_eq!(Tick::receive(&[]), Ok(&Tick));
    assert_eq!(Tick.encoded_len(), Ok(0));
}

#[test]
fn bits_without_meaning_are_refused() {
    let (good, len) = payload(&quote());
    assert_eq!(len, 16);
    for (at, bad) in [(8, 0), (8, 3), (9, 2), (9, 0xff), (10, 0), (13, 3), (14, 7)] {
        let mut payload = good;
        payload.0[at] = bad;
        let error = Quote::receive(&payload.0[..len]).unwrap_err();
        let DecodeError::InvalidBits { what } = error else {
            panic!("{at}: {error}");
        };
        assert_eq!(what, "message_zero_copy::Quote");
    }
    let many = Many {
        letter: 'x',
        ..Many::default()
    };
    let (mut payload, len) = payload(&many);
    assert_eq!(Many::receive(&payload.0[..len]), Ok(&many));
    payload.0[4..8].copy_from_slice(&0xd800_u32.to_ne_bytes());
    assert!(matches!(
        Many::receive(&payload.0[..len]),
        Err(DecodeError::InvalidBits { .. })
    ));
}

#[test]
fn another_size_or_address_is_refused() {
    let (payload, _) = payload(&quote());
    for len in [0, 15, 17] {
        assert_eq!(
            Quote::receive(&payload.0[..len]),
            Err(DecodeError::WrongSize { len, expected: 16 })
        );
    }
    assert_eq!(
        Quote::receive(&payload.0[1..17]),
        Err(DecodeError::Misaligned { align: 8 })
    );
    assert_eq!(
        Wide::receive(&payload.0[8..24]),
        Err(DecodeError::Misaligned { align: 16 })
    );
    assert_eq!(
        Levels::receive(&payload.0[2..10]),
        Err(DecodeError::Misaligned { align: 4 })
    );
}

#[test]
fn messages_are_built_in_place() {
    let mut claim = Aligned([0; 128]);
    let len = size_of::<Many>();
    let many: &mut Many = zero_copy::build(&mut claim.0[..len]).unwrap();
    many.words[1] = 9;
    many.letter = 'y';
    let built = *many;
    assert_eq!(Many::receive(&claim.0[..len]), Ok(&built));

    assert_eq!(
        zero_copy::build::<Quote>(&mut claim.0[32..48]).map(|_| ()),
        Err(EncodeError::ZeroIsInvalid { message: "Quote" })
    );
    assert_eq!(
        zero_copy::build::<Many>(&mut claim.0[..len - 1]).map(|_| ()),
        Err(EncodeError::Length {
            message: "Many",
            claimed: len - 1,
            written: len
        })
    );
    assert_eq!(
        zero_copy::build::<Wide>(&mut claim.0[8..24]).map(|_| ()),
        Err(EncodeError::Misaligned {
            message: "Wide",
            align: 16
        })
    );
    let mut short = [0; 8];
    let error = quote()
        .write(&mut PayloadWriter::over(&mut short))
        .unwrap_err();
    assert!(matches!(error, EncodeError::Overflow(_)));
}

#[test]
fn tails_are_built_in_place() {
    #[derive(Message, PartialEq, Debug)]
    #[message(id = 76, codec = zero_copy)]
    struct Walk<'a> {
        start: &'a u64,
        steps: &'a [i16],
    }
    #[derive(Message, PartialEq, Debug)]
    #[message(id = 77, codec = zero_copy)]
    struct Steps<'a>(&'a [i16]);

    let mut claim = Aligned([0; 128]);
    let (start, steps) = zero_copy::build_tailed::<Walk>(&mut claim.0[..14]).unwrap();
    assert_eq!((*start, steps.len()), (0, 3));
    *start = u64::MAX;
    steps.copy_from_slice(&[1, -2, 3]);
    let walk = Walk {
        start: &u64::MAX,
        steps: &[1, -2, 3],
    };
    assert_eq!(Walk::receive(&claim.0[..14]), Ok(walk));
    // Without a tail, and without a head.
    let (start, steps) = zero_copy::build_tailed::<Walk>(&mut claim.0[16..24]).unwrap();
    assert_eq!((*start, &*steps), (0, &[][..]));
    let ((), steps) = zero_copy::build_tailed::<Steps>(&mut claim.0[16..20]).unwrap();
    steps[1] = 4;
    assert_eq!(Steps::receive(&claim.0[16..20]), Ok(Steps(&[0, 4])));

    let refused = |claimed: usize, at: usize| {
        let mut claim = Aligned([0; 128]);
        let bytes = &mut claim.0[at..at + claimed];
        zero_copy::build_tailed::<Walk>(bytes).map(drop)
    };
    let message = "Walk";
    for (claimed, written) in [(0, 8), (7, 8), (9, 8), (15, 14)] {
        let length = EncodeError::Length {
            message,
            claimed,
            written,
        };
        assert_eq!(refused(claimed, 0), Err(length));
    }
    let align = align_of::<u64>();
    assert_eq!(
        refused(10, 2),
        Err(EncodeError::Misaligned { message, align })
    );
    // A head, and an item, that is never zero.
    let zero = |message| Err(EncodeError::ZeroIsInvalid { message });
    let mut claim = Aligned([0; 128]);
    let book = zero_copy::build_tailed::<Book>(&mut claim.0[..16]);
    assert_eq!(book.map(drop), zero("Book"));
    let levels = zero_copy::build_tailed::<Levels>(&mut claim.0[..8]);
    assert_eq!(levels.map(drop), zero("Levels"));
}

#[test]
fn a_tail_takes_what_is_left() {
    let levels = [level(1), level(2)];
    let book = Book {
        head: &quote(),
        levels: &levels,
    };
    let (payload, len) = payload(&book);
    assert_eq!(len, 32);
    let held = Book::deserialize_from(&payload.0[..len]).unwrap();
    assert_eq!(held, book);
    assert_eq!(held.levels.as_ptr().addr(), payload.0.as_ptr().addr() + 16);
    assert_eq!(Book::receive(&payload.0[..16]).unwrap().levels, []);
    assert_eq!(Levels::receive(&payload.0[16..32]), Ok(Levels(&levels)));
    assert_eq!(Levels::receive(&payload.0[..0]), Ok(Levels(&[])));

    for len in [0, 15, 17, 31] {
        let wrong = DecodeError::WrongTail {
            len,
            head: 16,
            item: 8,
        };
        assert_eq!(Book::receive(&payload.0[..len]), Err(wrong));
    }
    let mut bad = payload;
    bad.0[16 + 8 + 4] = 0;
    let error = Book::receive(&bad.0[..len]).unwrap_err();
    assert!(
        matches!(error, DecodeError::InvalidBits { what } if what.ends_with("Level")),
        "{error}"
    );
    bad = payload;
    bad.0[9] = 2;
    let error = Book::receive(&bad.0[..len]).unwrap_err();
    assert!(
        matches!(error, DecodeError::InvalidBits { what } if what.ends_with("Quote")),
        "{error}"
    );
}

#[test]
fn the_schema_tells_layouts_apart() {
    mod other {
        use super::*;

        #[derive(Clone, Copy, Plain)]
        #[repr(u8)]
        pub(super) enum Side {
            Buy = 2,
            Sell = 1,
        }

        #[derive(Clone, Copy, Message)]
        #[message(id = 70, codec = zero_copy)]
        #[repr(C)]
        pub(super) struct Quote {
            pub(super) price: u64,
            pub(super) side: Side,
            pub(super) firm: bool,
            pub(super) sides: [[Side; 2]; 2],
            pub(super) signed: Signed,
        }
    }
    let _ = (other::Side::Buy, other::Side::Sell);
    let info = MessageInfo::of::<Quote>();
    assert_eq!(
        (info.schema.codec, info.schema.size, info.schema.align),
        ("zero_copy", 16, 8)
    );
    assert_eq!(info.schema.path, "message_zero_copy::Quote");
    let book = MessageInfo::of::<Book>();
    assert_eq!((book.schema.size, book.schema.align), (0, 8));
    let layouts = [
        info.schema.layout,
        // The numbers of an enum, three levels down, are part of the layout.
        MessageInfo::of::<other::Quote>().schema.layout,
        book.schema.layout,
        MessageInfo::of::<Levels>().schema.layout,
        <Level as Plain>::LAYOUT,
        <Side as Plain>::LAYOUT,
        <Signed as Plain>::LAYOUT,
    ];
    for (i, layout) in layouts.iter().enumerate() {
        assert_ne!(*layout, 0);
        assert!(!layouts[..i].contains(layout));
    }
}

/// Fields of one size, by the names that a module gives to their types.
macro_rules! spelt {
    ($module:ident { $($items:tt)* } $price:ty, $name:ty, $grid:ty) => {
        mod $module {
            use super::*;

            $($items)*

            #[derive(Clone, Copy, Message)]
            #[message(id = 71, codec = zero_copy)]
            #[repr(C)]
            pub(super) struct Tick {
                pub(super) price: $price,
                pub(super) name: $name,
                pub(super) grid: $grid,
            }

            #[derive(Message)]
            #[message(id = 72, codec = zero_copy)]
            pub(super) struct Ticks<'a> {
                pub(super) last: &'a $price,
                pub(super) all: &'a [$price],
            }

            pub(super) fn layouts() -> [u64; 2] {
                [<Tick as Message>::SCHEMA.layout, <Ticks<'_> as Message>::SCHEMA.layout]
            }
        }
    };
}

spelt!(written { } u64, [u8; 8], [[i16; 2]; 4]);
spelt!(aliased {
    type Px = u64;
    type Name = [u8; LEN];
    type Pair = [i16; 2];
    const LEN: usize = 8;
} Px, Name, [Pair; LEN / 2]);
spelt!(floating {
    type Px = f64;
    type Name = [u8; 8];
    type Pair = [i16; 2];
} Px, Name, [Pair; 4]);
spelt!(signed {
    type Px = u64;
    type Name = [i8; 8];
    type Pair = [i16; 2];
} Px, Name, [Pair; 4]);

#[test]
fn numbers_are_told_apart_by_what_they_are_and_not_by_how_they_are_spelt() {
    let (written, aliased) = (written::layouts(), aliased::layouts());
    assert_eq!(written, aliased);
    // As they were before aliases were seen through.
    assert_eq!(written, [0x30d9_4436_0183_5f03, 0x9718_ff12_3c3f_efb1]);
    for (i, floating) in floating::layouts().iter().enumerate() {
        assert_ne!(*floating, aliased[i]);
    }
    assert_ne!(signed::layouts()[0], aliased[0]);
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_value_comes_back(
        price: u64, buy: bool, firm: bool,
        prices in vec(any::<u32>(), 0..12),
    ) {
        let side = if buy { Side::Buy } else { Side::Sell };
        let head = Quote { price, side, firm, ..quote() };
        let levels: Vec<_> = prices.iter().map(|price| level(*price)).collect();
        let (fixed, len) = payload(&head);
        prop_assert_eq!(Quote::receive(&fixed.0[..len]), Ok(&head));
        let book = Book { head: &head, levels: &levels };
        let (tailed, len) = payload(&book);
        prop_assert_eq!(Book::receive(&tailed.0[..len]), Ok(book));
    }

    #[test]
    fn noise_is_refused_or_valid(noise: [[u8; 16]; 8], len in 0..=128_usize) {
        let noise = Aligned(*noise.as_flattened().first_chunk::<128>().unwrap());
        if let Ok(quote) = Quote::receive(&noise.0[..len]) {
            // Reading every field of a value that was let through: Miri sees if one is invalid.
            let _ = format!("{quote:?}");
        }
        if let Ok(book) = Book::receive(&noise.0[..len]) {
            let _ = format!("{book:?}");
        }
        if let Ok(many) = Many::receive(&noise.0[..len]) {
            let _ = format!("{many:?}");
        }
    }
}
