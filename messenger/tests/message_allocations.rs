//! Allocations, counted: none for messages without owned fields, none that forged bytes ask for, and never more memory
//! than what goes with the payload.

#![cfg(all(
    feature = "bincode",
    feature = "postcard",
    feature = "prost",
    feature = "zero_copy"
))]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, VecDeque};

use messenger::bus::PayloadWriter;
use messenger::message::zero_copy::Aligned;
use messenger::message::{DecodeError, max_memory};
use messenger::{DeserializeFrom, ExtendedMessage, Message, Receive};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// The system's allocator, counting what each thread asks of it.
struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize) {
    COUNT.set(COUNT.get() + 1);
    LARGEST.set(LARGEST.get().max(bytes));
    LIVE.set(LIVE.get() + bytes as isize);
    PEAK.set(PEAK.get().max(LIVE.get()));
}

fn freed(bytes: usize) {
    LIVE.set(LIVE.get() - bytes as isize);
}

// SAFETY: hands everything on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        freed(layout.size());
        // SAFETY: the caller's promise is the one asked for.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // As if it moved, when for a moment there are both.
        count(size);
        freed(layout.size());
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

/// How many bytes `run` had allocated at most at a time, and what it returns.
fn peak<T>(run: impl FnOnce() -> T) -> (usize, T) {
    LIVE.set(0);
    PEAK.set(0);
    let result = run();
    (PEAK.get().unsigned_abs(), result)
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

/// What serde makes before it knows the elements' size, once, and an error's text.
const AHEAD: usize = (1 << 20) + 256;

/// Decodes, and has looked how much memory that took at a time.
fn within_memory<M: for<'a> DeserializeFrom<'a>>(bytes: &[u8]) -> Result<M, DecodeError> {
    // A vector that grows: the old half and the new whole. Texts and scalars in boxes are not counted.
    let most = 3 * (max_memory(bytes.len()) + 24 * bytes.len()) + AHEAD;
    let (peak, result) = peak(|| M::deserialize_from(bytes));
    assert!(
        peak <= most,
        "{}: {peak} bytes of memory for {} bytes, at most {most}",
        M::NAME,
        bytes.len()
    );
    result
}

/// That the message comes back, within its memory.
fn comes_back<M: for<'a> DeserializeFrom<'a> + ExtendedMessage + PartialEq>(message: M) {
    let bytes = message.to_vec().unwrap();
    match within_memory::<M>(&bytes) {
        Ok(back) => assert!(back == message, "{}", M::NAME),
        Err(error) => panic!("{} of {} bytes: {error}", M::NAME, bytes.len()),
    }
}

macro_rules! wide_values {
    ($test:ident, $codec:ident, $length:ident) => {
        mod $test {
            use super::*;

            /// 8 KiB, and where it is absent one byte in the payload.
            type Large = Option<[[u64; 32]; 32]>;

            macro_rules! message {
                ($name:ident, $type:ty) => {
                    #[derive(Message, Serialize, Deserialize, PartialEq)]
                    #[message(id = 1, codec = $codec)]
                    struct $name($type);
                };
            }
            message!(Wide, Vec<Large>);
            message!(Nested, Vec<Vec<Large>>);
            message!(Queue, VecDeque<Large>);
            message!(Slice, Box<[Large]>);
            message!(Within, (u8, Option<Vec<(u8, Large)>>));
            message!(Keys, HashMap<(u16, Large), u8>);
            message!(Hash, HashMap<u16, Large>);
            message!(Tree, BTreeMap<u16, Large>);
            message!(Few, Vec<BTreeMap<u8, Option<[u64; 32]>>>);
            message!(Boxed, Vec<Option<Box<[Large; 2]>>>);
            message!(Words, Vec<String>);
            message!(Heads, Vec<HashMap<u8, u8>>);
            message!(HeadsInBoxes, Vec<Box<HashMap<u8, u8>>>);
            message!(Longs, Vec<[[u128; 8]; 8]>);
            message!(Sparse, Vec<Option<Box<[u64; 32]>>>);

            #[derive(Message, Serialize, Deserialize, PartialEq)]
            #[message(id = 1, codec = $codec)]
            #[expect(clippy::large_enum_variant, reason = "its other values shall be as large")]
            enum Sum {
                Nothing,
                Plus(Box<Sum>, Box<Sum>),
                Wide([u64; 32]),
            }

            fn sum_of(depth: usize) -> Sum {
                match depth {
                    0 => Sum::Nothing,
                    _ => Sum::Plus(Box::new(sum_of(depth - 1)), Box::new(sum_of(depth - 1))),
                }
            }

            #[derive(Message, Serialize, Deserialize, PartialEq)]
            #[message(id = 1, codec = $codec)]
            struct Node {
                children: Vec<Node>,
                wide: Option<[u64; 32]>,
            }

            #[derive(Serialize, Deserialize, Clone, Debug, PartialEq)]
            struct Scratch {
                number: u8,
                #[serde(skip, default = "zeros")]
                room: [u64; 1024],
            }

            const fn zeros() -> [u64; 1024] {
                [0; 1024]
            }

            message!(Scratches, Vec<Scratch>);

            /// Absent values, each of them large, and so many that they would take more than they may.
            fn too_large<M: for<'a> DeserializeFrom<'a>>(bytes: &[u8]) {
                let (peak, result) = peak(|| M::deserialize_from(bytes));
                let most = max_memory(bytes.len()) + AHEAD;
                assert!(peak <= most, "{}: {peak} bytes of memory for {} bytes, at most {most}", M::NAME, bytes.len());
                let Err(error) = result else {
                    panic!("{} was made of {} bytes", M::NAME, bytes.len());
                };
                let text = error.to_string();
                let DecodeError::TooLarge { len, memory, limit } = error else {
                    panic!("{}: {text}", M::NAME);
                };
                assert_eq!((len, limit), (bytes.len(), max_memory(bytes.len())));
                assert!(memory > limit, "{text}");
                for number in [len, memory, limit] {
                    assert!(text.contains(&number.to_string()), "{text}");
                }
                assert!(text.contains("`Box`"), "{text}");
            }

            #[test]
            #[cfg_attr(miri, ignore = "hundreds of kibibytes of payload")]
            fn take_no_more_memory_than_goes_with_their_bytes() {
                let len = $length::of;
                // 4096 of them, one byte each.
                let nothing = [0; 4096];
                let absent = [&len(4096)[..], &nothing].concat();
                too_large::<Wide>(&absent);
                too_large::<Queue>(&absent);
                too_large::<Slice>(&absent);
                too_large::<Scratches>(&absent);
                too_large::<Within>(&[&[0, 1][..], &len(4096), &nothing, &nothing].concat());
                too_large::<Nested>(&[&len(64)[..], &[&len(64)[..], &nothing[..64]].concat().repeat(64)].concat());

                let entries = (0..1024_u16).map(|key| (key, None)).collect();
                too_large::<Hash>(&Hash(entries).to_vec().unwrap());
                let entries = (0..1024_u16).map(|key| (key, None)).collect();
                too_large::<Tree>(&Tree(entries).to_vec().unwrap());
                let entries = (0..1024_u16).map(|key| ((key, None), 0)).collect();
                too_large::<Keys>(&Keys(entries).to_vec().unwrap());

                too_large::<Boxed>(&[&len(1024)[..], &[1, 0, 0].repeat(1024)].concat());
                // A leaf has one byte or four, and is as large as the others.
                let sum = sum_of(13).to_vec().unwrap();
                if stringify!($codec) == "postcard" {
                    too_large::<Sum>(&sum);
                } else {
                    assert!(within_memory::<Sum>(&sum).is_ok());
                }

                // In the first of so many there are as many again, and so on.
                too_large::<Node>(&[&len(1000).repeat(60)[..], &[0; 60_000]].concat());
            }

            #[test]
            #[cfg_attr(miri, ignore = "tens of mebibytes")]
            fn that_people_send_come_back() {
                let large = |n: usize| (n % 8 == 0).then_some([[n as u64; 32]; 32]);
                comes_back(Wide((0..100).map(large).collect()));
                comes_back(Queue((0..100).map(large).collect()));
                comes_back(Slice((0..100).map(large).collect()));
                comes_back(Nested((0..10).map(|n| (0..n).map(large).collect()).collect()));
                comes_back(Within((1, Some((0..100).map(|n| (n as u8, large(n))).collect()))));
                comes_back(Hash((0..100).map(|n| (n as u16, large(n))).collect()));
                comes_back(Tree((0..100).map(|n| (n as u16, large(n))).collect()));
                comes_back(Boxed((0..100).map(|n| large(n).map(|wide| Box::new([Some(wide), None]))).collect()));
                comes_back(Node {
                    children: (0..100).map(|n| Node { children: Vec::new(), wide: Some([n; 32]) }).collect(),
                    wide: None,
                });
                comes_back(Scratches(vec![Scratch { number: 1, room: zeros() }; 100]));
                // 10 MB, all of it there.
                comes_back(Wide(vec![Some([[u64::MAX; 32]; 32]); 1200]));
                // The shortest bytes of what is not absent.
                let many = 50_000;
                comes_back(Longs(vec![[[0; 8]; 8]; 2000]));
                comes_back(Words(vec![String::new(); many]));
                comes_back(Words(vec!["some words".repeat(10); many]));
                comes_back(Heads(vec![HashMap::new(); many]));
                comes_back(HeadsInBoxes(vec![Box::default(); many]));
                // What the error's text advises.
                comes_back(Sparse((0..many).map(|n| (n % 100 == 0).then(|| Box::new([1; 32]))).collect()));
            }

            /// A node has room for eleven.
            #[test]
            #[cfg_attr(miri, ignore = "thousands of trees")]
            fn trees_of_one_entry_take_the_room_of_a_node() {
                let one = vec![BTreeMap::from([(1, None)]); 3000];
                let bytes = Few(one).to_vec().unwrap();
                let (peak, result) = peak(|| Few::deserialize_from(&bytes));
                assert!(result.is_ok());
                assert!(peak <= 12 * max_memory(bytes.len()), "{peak}");
            }

            proptest! {
                #![proptest_config(ProptestConfig {
                    cases: if cfg!(miri) { 4 } else { 256 },
                    failure_persistence: None,
                    ..ProptestConfig::default()
                })]

                #[test]
                fn noise_takes_its_memory_at_most(
                    lengths in vec(0..200_u64, 0..6),
                    noise in vec(0..3_u8, 0..2000),
                ) {
                    let lengths: Vec<u8> = lengths.iter().flat_map(|len| $length::of(*len)).collect();
                    let bytes = [lengths, noise].concat();
                    let _ = within_memory::<Wide>(&bytes);
                    let _ = within_memory::<Nested>(&bytes);
                    let _ = within_memory::<Within>(&bytes);
                    let _ = within_memory::<Hash>(&bytes);
                    let _ = within_memory::<Keys>(&bytes);
                    let _ = within_memory::<Boxed>(&bytes);
                    let _ = within_memory::<Sum>(&bytes);
                    let _ = within_memory::<Node>(&bytes);
                }
            }
        }
    };
}

wide_values!(wide_values_in_bincode, bincode, Fixed);
wide_values!(wide_values_in_postcard, postcard, Varint);

/// With prost the type sets the factor: an element of a repeated field has two bytes or more, and takes its type's size.
#[test]
fn elements_in_prost_take_the_size_of_their_type() {
    #[derive(Clone, PartialEq, prost::Message)]
    struct Leg {
        #[prost(string, tag = "1")]
        symbol: String,
        #[prost(string, tag = "2")]
        venue: String,
    }

    #[derive(Clone, PartialEq, Message, prost::Message)]
    #[message(id = 1, codec = prost)]
    struct Order {
        #[prost(message, repeated, tag = "1")]
        legs: Vec<Leg>,
        #[prost(uint64, repeated, tag = "2")]
        numbers: Vec<u64>,
        #[prost(btree_map = "uint32, message", tag = "3")]
        by_number: BTreeMap<u32, Leg>,
        #[prost(bytes = "vec", repeated, tag = "4")]
        raw: Vec<Vec<u8>>,
    }

    let bytes = [0x0a, 0].repeat(4096);
    let (most, order) = peak(|| Order::deserialize_from(&bytes).unwrap());
    assert_eq!(order.legs.len(), bytes.len() / 2);
    assert!(most <= 3 * bytes.len() / 2 * size_of::<Leg>(), "{most}");

    for field in [0x22, 0x1a] {
        let bytes = [field, 0].repeat(4096);
        let (most, result) = peak(|| Order::deserialize_from(&bytes));
        assert!(result.is_ok());
        assert!(most <= 3 * bytes.len() / 2 * size_of::<Leg>(), "{most}");
    }

    // A packed field: a byte or more for each.
    let bytes = [&[0x12][..], &Varint::of(8192), &[0; 8192]].concat();
    let (most, order) = peak(|| Order::deserialize_from(&bytes).unwrap());
    assert_eq!(order.numbers.len(), 8192);
    assert!(most <= 3 * bytes.len() * size_of::<u64>(), "{most}");
}
