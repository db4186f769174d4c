//! Allocations, counted: none for messages without owned fields, and none that forged bytes ask for.

#![cfg(all(
    feature = "bincode",
    feature = "postcard",
    feature = "prost",
    feature = "zero_copy"
))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};

use messenger::bus::PayloadWriter;
use messenger::message::DecodeError;
use messenger::message::zero_copy::Aligned;
use messenger::{DeserializeFrom, ExtendedMessage, Message, Receive};
use serde::{Deserialize, Serialize};

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    COUNT.set(COUNT.get() + 1);
    LARGEST.set(LARGEST.get().max(bytes));
}

// SAFETY: hands everything on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `run` makes, the largest of them in bytes, and what it returns.
fn counted<T>(run: impl FnOnce() -> T) -> (usize, usize, T) {
    COUNT.set(0);
    LARGEST.set(0);
    let result = run();
    (COUNT.get(), LARGEST.get(), result)
}

/// Encodes, decodes and compares without any allocation.
macro_rules! allocates_nothing {
    ($message:expr, $type:ident) => {
        let mut payload = Aligned([0_u8; 256]);
        let message = $message;
        let (count, _, ()) = counted(|| {
            let len = message.encoded_len().unwrap();
            message
                .fill(&mut PayloadWriter::over(&mut payload.0[..len]))
                .unwrap();
            let held = <$type as Receive>::receive(&payload.0[..len]).unwrap();
            assert!(*std::borrow::Borrow::<$type>::borrow(&held) == message);
        });
        assert_eq!(count, 0, "{}", stringify!($type));
    };
}

mod bincode {
    use super::*;

    #[derive(Message, Serialize, Deserialize, PartialEq)]
    #[message(id = 1, codec = bincode)]
    pub(crate) struct Ball {
        pub(crate) n: (u8, i64, f32, Option<char>),
    }

    #[derive(Message, Serialize, Deserialize, PartialEq)]
    #[message(id = 2, codec = bincode)]
    pub(crate) struct Note<'a> {
        pub(crate) text: &'a str,
    }
}

mod postcard {
    use super::*;

    #[derive(Message, Serialize, Deserialize, PartialEq)]
    #[message(id = 1, codec = postcard)]
    pub(crate) struct Ball {
        pub(crate) n: (u8, i64, f32, Option<char>),
    }

    #[derive(Message, Serialize, Deserialize, PartialEq)]
    #[message(id = 2, codec = postcard)]
    pub(crate) struct Note<'a> {
        pub(crate) text: &'a str,
    }
}

#[derive(Clone, Copy, Message, PartialEq)]
#[message(id = 3, codec = zero_copy)]
#[repr(C)]
struct Quote {
    price: u64,
    firm: bool,
    pad: [u8; 7],
}

#[derive(Message, PartialEq)]
#[message(id = 4, codec = zero_copy)]
struct Book<'a> {
    head: &'a Quote,
    levels: &'a [u64],
}

#[derive(Message, PartialEq, prost::Message)]
#[message(id = 5, codec = prost)]
struct Proto {
    #[prost(uint64, tag = "1")]
    n: u64,
}

#[test]
fn messages_without_owned_fields_allocate_nothing() {
    let n = (1, -2, 0.5, Some('x'));
    let quote = Quote {
        price: 7,
        firm: true,
        pad: [0; 7],
    };
    {
        use bincode::{Ball, Note};
        allocates_nothing!(Ball { n }, Ball);
        allocates_nothing!(Note { text: "borrowed" }, Note);
    }
    {
        use postcard::{Ball, Note};
        allocates_nothing!(Ball { n }, Ball);
        allocates_nothing!(Note { text: "borrowed" }, Note);
    }
    allocates_nothing!(quote, Quote);
    allocates_nothing!(
        Book {
            head: &quote,
            levels: &[1, 2, 3],
        },
        Book
    );
    allocates_nothing!(Proto { n: 300 }, Proto);
}

/// Writes a length as the codec writes it.
trait Length {
    fn of(len: u64) -> Vec<u8>;
}

struct Fixed;

impl Length for Fixed {
    fn of(len: u64) -> Vec<u8> {
        len.to_le_bytes().to_vec()
    }
}

struct Varint;

impl Length for Varint {
    fn of(mut len: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while len >= 0x80 {
            bytes.push(len as u8 | 0x80);
            len >>= 7;
        }
        bytes.push(len as u8);
        bytes
    }
}

/// Decodes forged bytes: an error, and no allocation beyond the error's own text.
fn refuses<M: for<'a> DeserializeFrom<'a>>(bytes: &[u8]) -> DecodeError {
    const TEXT: usize = 256;
    let (_, largest, result) = counted(|| M::deserialize_from(bytes));
    assert!(
        largest <= TEXT,
        "{}: {largest} bytes for {bytes:?}",
        M::NAME
    );
    match result {
        Ok(_) => panic!("{} was made of {bytes:?}", M::NAME),
        Err(error) => error,
    }
}

macro_rules! forged_lengths {
    ($test:ident, $codec:ident, $length:ident) => {
        #[test]
        fn $test() {
            macro_rules! message {
                ($name:ident, $type:ty) => {
                    #[derive(Message, Serialize, Deserialize)]
                    #[message(id = 1, codec = $codec)]
                    struct $name($type);
                };
            }
            message!(Text, String);
            message!(Bytes, Vec<u8>);
            message!(Longs, Vec<u64>);
            message!(Large, Vec<[[u64; 32]; 32]>);
            message!(Units, Vec<()>);
            message!(Nested, Vec<Vec<Vec<u16>>>);
            message!(Words, Vec<String>);
            message!(Tree, BTreeMap<u8, u8>);
            message!(Hash, HashMap<String, u64>);
            message!(Boxed, Option<Box<[u32]>>);
            message!(Path, std::path::PathBuf);
            message!(Zero, std::ffi::CString);

            for len in [1 << 60, u64::MAX, u64::from(u32::MAX), 1 << 20, 100] {
                // Some elements follow, fewer than announced.
                let forged = [&$length::of(len)[..], &[0; 40]].concat();
                let too_many = |error| {
                    let DecodeError::TooMany { announced, possible } = error else {
                        panic!("{error}");
                    };
                    assert_eq!(announced as u64, len);
                    assert!(possible <= 1 + forged.len());
                };
                refuses::<Text>(&forged);
                refuses::<Path>(&forged);
                refuses::<Zero>(&forged);
                too_many(refuses::<Bytes>(&forged));
                too_many(refuses::<Longs>(&forged));
                too_many(refuses::<Large>(&forged));
                too_many(refuses::<Units>(&forged));
                too_many(refuses::<Nested>(&forged));
                too_many(refuses::<Words>(&forged));
                too_many(refuses::<Tree>(&forged));
                too_many(refuses::<Hash>(&forged));

                let within = [&[1][..], &forged].concat();
                too_many(refuses::<Boxed>(&within));
                let innermost = [&$length::of(1)[..], &$length::of(1), &forged].concat();
                assert!(matches!(refuses::<Nested>(&innermost), DecodeError::TooMany { .. }));
                let first_word = [&$length::of(1)[..], &forged].concat();
                refuses::<Words>(&first_word);
                refuses::<Hash>(&first_word);
            }
            // All the elements of a payload together are limited, not only those of each sequence.
            message!(Empty, Vec<Vec<()>>);
            let together = [&$length::of(4)[..], &$length::of(30).repeat(4)].concat();
            assert!(matches!(refuses::<Empty>(&together), DecodeError::TooMany { announced: 30, .. }));
        }
    };
}

forged_lengths!(forged_lengths_in_bincode, bincode, Fixed);
forged_lengths!(forged_lengths_in_postcard, postcard, Varint);

#[test]
fn forged_lengths_in_prost() {
    #[derive(Clone, PartialEq, Message, prost::Message)]
    #[message(id = 1, codec = prost)]
    struct Proto {
        #[prost(string, tag = "1")]
        text: String,
        #[prost(bytes = "vec", tag = "2")]
        bytes: Vec<u8>,
        #[prost(uint64, repeated, tag = "3")]
        longs: Vec<u64>,
        #[prost(fixed64, repeated, tag = "4")]
        fixed: Vec<u64>,
        #[prost(message, optional, boxed, tag = "5")]
        inner: Option<Box<Proto>>,
        #[prost(btree_map = "string, uint64", tag = "6")]
        map: BTreeMap<String, u64>,
        #[prost(string, repeated, tag = "7")]
        words: Vec<String>,
    }

    for field in 1..=7_u8 {
        for len in [1 << 60, u64::MAX, u64::from(u32::MAX), 1 << 20, 100] {
            let forged = [&[field << 3 | 2][..], &Varint::of(len), &[0; 40]].concat();
            assert!(matches!(
                refuses::<Proto>(&forged),
                DecodeError::Codec { codec: "prost", .. }
            ));
        }
    }
}
