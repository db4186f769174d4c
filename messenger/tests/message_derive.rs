//! `derive(Message)` in each codec: what it makes of a type, and what comes back.

#![forbid(unsafe_code)]
#![cfg(all(feature = "bincode", feature = "zero_copy"))]

use messenger::bus::MessageId;
use messenger::{DeserializeFrom, ExtendedMessage, Message, MessageInfo, messenger_id_enum};

messenger_id_enum! {
    /// The messages of these tests.
    enum Mid {
        Ball = 1,
        Note,
        Quote = 70,
        Book,
        Levels,
    }
}

mod bincode {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    #[message(id = Mid::Ball, codec = bincode)]
    struct Ball {
        n: u8,
    }

    #[derive(Message, Serialize, Deserialize, PartialEq, Debug)]
    #[message(id = Mid::Note, codec = bincode, name = "Remark")]
    struct Note<'a> {
        text: &'a str,
        more: Option<&'a [u8]>,
    }

    #[test]
    fn owned() {
        assert_eq!(Ball::ID, MessageId::new(1));
        assert_eq!(Ball::NAME, "Ball");
        let info = MessageInfo::of::<Ball>();
        assert_eq!(info.schema.codec, "bincode");
        assert_eq!(info.schema.path, "message_derive::bincode::Ball");
        let bytes = Ball { n: 7 }.to_vec().unwrap();
        assert_eq!(bytes, [7]);
        assert_eq!(Ball::deserialize_from(&bytes), Ok(Ball { n: 7 }));
    }

    #[test]
    fn borrowed() {
        assert_eq!((Note::ID, Note::NAME), (MessageId::new(2), "Remark"));
        let note = Note {
            text: "hi",
            more: Some(&[1, 2]),
        };
        let bytes = note.to_vec().unwrap();
        let back = Note::deserialize_from(&bytes).unwrap();
        assert_eq!(back, note);
        assert!(bytes.as_ptr_range().contains(&back.text.as_ptr()));
    }
}

mod zero_copy {
    use super::*;
    use messenger::message::zero_copy::Aligned;
    use messenger::message::{DecodeError, Receive, ZeroCopyMessage};
    use messenger::{Plain, message};

    #[derive(Clone, Copy, Plain, PartialEq, Debug)]
    #[repr(u8)]
    enum Side {
        Buy = 1,
        Sell = 2,
    }

    #[derive(Clone, Copy, Message, PartialEq, Debug)]
    #[message(id = Mid::Quote, codec = zero_copy)]
    #[repr(C)]
    struct Quote {
        price: u64,
        side: Side,
        firm: bool,
        sides: [[Side; 2]; 2],
        pad: [u8; 2],
    }

    #[derive(Clone, Copy, Plain, PartialEq, Debug)]
    #[repr(C)]
    struct Level {
        price: u32,
        side: Side,
        pad: [u8; 3],
    }

    #[derive(Message, PartialEq, Debug)]
    #[message(id = Mid::Book, codec = zero_copy)]
    struct Book<'a> {
        head: &'a Quote,
        levels: &'a [Level],
    }

    #[derive(Message, PartialEq, Debug)]
    #[message(id = Mid::Levels, codec = zero_copy)]
    struct Levels<'a>(&'a [Level]);

    fn quote() -> Quote {
        Quote {
            price: 5,
            side: Side::Sell,
            firm: true,
            sides: [[Side::Buy, Side::Sell]; 2],
            pad: [0; 2],
        }
    }

    fn is_zero_copy<M: ZeroCopyMessage>() {}

    #[test]
    fn fixed() {
        is_zero_copy::<Quote>();
        assert_eq!(Quote::ID, MessageId::new(70));
        let mut payload = Aligned([0; 16]);
        payload.0.copy_from_slice(&quote().to_vec().unwrap());
        assert_eq!(Quote::receive(&payload.0), Ok(&quote()));
        for (at, bad) in [(8, 0), (8, 3), (9, 2), (13, 0)] {
            let mut payload = payload;
            payload.0[at] = bad;
            let error = Quote::receive(&payload.0).unwrap_err();
            assert!(
                matches!(error, DecodeError::InvalidBits { .. }),
                "{at}: {error}"
            );
        }
        assert_eq!(
            Quote::receive(&payload.0[..15]),
            Err(DecodeError::WrongSize {
                len: 15,
                expected: 16
            })
        );
    }

    #[test]
    fn with_tail() {
        let level = |price| Level {
            price,
            side: Side::Buy,
            pad: [0; 3],
        };
        let levels = [level(1), level(2)];
        let book = Book {
            head: &quote(),
            levels: &levels,
        };
        let mut payload = Aligned([0; 32]);
        payload.0.copy_from_slice(&book.to_vec().unwrap());
        assert_eq!(Book::receive(&payload.0), Ok(book));
        assert_eq!(Book::receive(&payload.0[..16]).unwrap().levels, []);
        let wrong = |len| {
            Err(DecodeError::WrongTail {
                len,
                head: 16,
                item: 8,
            })
        };
        assert_eq!(Book::receive(&payload.0[..31]), wrong(31));
        assert_eq!(Book::receive(&payload.0[..15]), wrong(15));
        let bytes = Levels(&levels).to_vec().unwrap();
        assert_eq!(bytes, payload.0[16..]);
    }

    #[test]
    fn layouts_differ() {
        let layouts = [
            MessageInfo::of::<Quote>().schema.layout,
            MessageInfo::of::<Book>().schema.layout,
            MessageInfo::of::<Levels>().schema.layout,
            <Level as message::Plain>::LAYOUT,
            <Side as message::Plain>::LAYOUT,
        ];
        for (i, layout) in layouts.iter().enumerate() {
            assert_ne!(*layout, 0);
            assert!(!layouts[..i].contains(layout));
        }
    }
}
