//! Payloads by what they are made of: zero-copy ones by the journal itself, those of serde's codecs by `--schema`, those of prost by
//! `--descriptor`.

mod protobuf;
mod registry;
mod said;
mod shapes;

use std::collections::BTreeMap;

use messenger::bus::{MessageId, Publisher, SourceId, Tag};
use messenger::journal::{Journal, Schema};
use messenger::message::ExtendedMessage;
use messenger::{App, Handler, Message, Plain, messenger, messenger_id_enum};
use serde::{Deserialize, Serialize};
use serde_reflection::{Tracer, TracerConfig};

use crate::exchange::{content, import};
use crate::kit::{Dir, lines, out};
use crate::market::config;

messenger_id_enum! {
    enum Mid { Tick = 1, Depth = 2, Levels = 3, Report = 4, Remark = 5, Small = 6 }
}

#[derive(Clone, Copy, Plain)]
#[repr(i8)]
enum Side {
    Buy = -1,
    Sell = 1,
}

#[derive(Clone, Copy, Plain)]
#[repr(transparent)]
struct Price(u64);

#[derive(Clone, Copy, Plain)]
#[repr(C)]
struct Pair(i16, i16);

const BOTH: usize = 2;

#[derive(Clone, Copy, Message)]
#[message(id = Mid::Tick, codec = zero_copy)]
#[repr(C)]
struct Tick {
    wide: u128,
    price: Price,
    count: i64,
    ratio: f64,
    share: f32,
    letter: char,
    pairs: [[Pair; BOTH]; 1],
    none: [u32; 0],
    sides: [Side; BOTH],
    firm: bool,
    flags: [bool; 2],
    pad: [u8; 3],
}

#[derive(Message)]
#[message(id = Mid::Depth, codec = zero_copy)]
struct Depth<'a> {
    best: &'a Price,
    pairs: &'a [Pair],
}

#[derive(Message)]
#[message(id = Mid::Levels, codec = zero_copy)]
struct Levels<'a> {
    numbers: &'a [[u16; 2]],
}

#[derive(Serialize, Deserialize, Clone)]
enum Kind {
    Plain,
    Boxed(Box<Kind>),
    Pair(u8, char),
    Named { number: i128, some: Option<u8> },
}

#[derive(Serialize, Deserialize, Clone)]
struct Unit;

#[derive(Serialize, Deserialize, Clone)]
struct Wrapped(String);

#[derive(Serialize, Deserialize, Clone)]
struct Numbers {
    small: (i8, u8),
    array: [u16; 3],
    wide: u128,
    float: f32,
    double: f64,
    truth: bool,
}

macro_rules! all_kinds {
    ($name:ident, $id:expr, $codec:ident) => {
        #[derive(Message, Serialize, Deserialize, Clone)]
        #[message(id = $id, codec = $codec)]
        struct $name {
            text: Wrapped,
            numbers: Numbers,
            kinds: Vec<Kind>,
            bytes: Vec<u8>,
            named: BTreeMap<String, u32>,
            numbered: BTreeMap<i64, Kind>,
            nothing: Option<()>,
            perhaps: Vec<Option<Option<u8>>>,
            unit: Unit,
        }

        impl $name {
            fn some(n: u8) -> Self {
                let kind = Kind::Named {
                    number: i128::from(n) - (1 << 70),
                    some: (n % 2 == 0).then_some(n),
                };
                Self {
                    text: Wrapped(format!("Grüße {n}\u{1b}")),
                    numbers: Numbers {
                        small: (-(n as i8), n),
                        array: [n.into(), 300, 65535],
                        wide: u128::MAX >> n,
                        float: [0.1, f32::NAN, -0.0, f32::INFINITY][usize::from(n % 4)],
                        double: f64::from(n) / 3.0 - 1e300,
                        truth: n % 3 == 0,
                    },
                    kinds: vec![
                        Kind::Plain,
                        Kind::Boxed(Box::new(kind.clone())),
                        Kind::Pair(n, 'ß'),
                        kind.clone(),
                    ],
                    bytes: vec![n; n.into()],
                    named: (n..n + 3).map(|n| (n.to_string(), n.into())).collect(),
                    numbered: [(i64::MIN, Kind::Plain), (n.into(), kind)].into(),
                    nothing: (n % 2 == 0).then_some(()),
                    perhaps: vec![None, Some(None), Some(Some(n))],
                    unit: Unit,
                }
            }
        }
    };
}

all_kinds! { Report, Mid::Report, bincode }
all_kinds! { Remark, Mid::Remark, postcard }

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Small, codec = bincode, name = "Tiny")]
struct Small(u32);

#[derive(Handler)]
#[handler(id = 1, sends(Tick, Depth<'_>, Levels<'_>, Report, Remark, Small))]
struct Feed;

#[derive(Handler)]
#[handler(id = 2)]
struct Idle;

messenger! {
    Kinds;
    outside: [ Feed ]
    Desk:
        handlers: [ idle: Idle = Idle ]
        routes: []
    drop: [ Feed, Tick; Feed, Depth; Feed, Levels; Feed, Report; Feed, Remark; Feed, Small ]
}

fn tick(n: u8) -> Tick {
    Tick {
        wide: u128::MAX - u128::from(n),
        price: Price(u64::MAX - u64::from(n)),
        count: i64::MIN,
        ratio: f64::from(n) / 3.0,
        share: [
            0.1,
            f32::NAN,
            f32::from_bits(0xffc0_0001),
            f32::NEG_INFINITY,
        ][usize::from(n % 4)],
        letter: 'ß',
        pairs: [[Pair(-1, n.into()), Pair(i16::MIN, i16::MAX)]],
        sides: [Side::Buy, Side::Sell],
        firm: n % 2 == 0,
        flags: [true, false],
        none: [],
        pad: [n; 3],
    }
}

fn open(dir: &Dir) -> (Journal, Publisher) {
    let journal = Journal::open(dir, config()).unwrap();
    journal.admit(&Schema::from(Kinds::INFO)).unwrap();
    let publisher = journal.bus().publisher().unwrap();
    (journal, publisher)
}

fn send<M: ExtendedMessage>(to: &mut Publisher, message: &M) {
    to.send(tag(M::ID), &message.to_vec().unwrap()).unwrap();
}

fn tag(message: MessageId) -> Tag {
    Tag::new(SourceId::new(1), message)
}

/// A journal of some messages of each kind, and the file of those of serde's codecs.
fn kinds(dir: &Dir) -> String {
    let (journal, mut publisher) = open(dir);
    for n in 0..24 {
        send(&mut publisher, &tick(n));
        let pairs: Vec<_> = (0..n).map(|n| Pair(n.into(), -1)).collect();
        send(
            &mut publisher,
            &Depth {
                best: &Price(n.into()),
                pairs: &pairs,
            },
        );
        send(
            &mut publisher,
            &Levels {
                numbers: &[[n.into(), 7], [8, 9]],
            },
        );
        send(&mut publisher, &Report::some(n));
        send(&mut publisher, &Remark::some(n));
        send(&mut publisher, &Small(n.into()));
    }
    drop(publisher);
    journal.close().unwrap();
    let mut tracer = Tracer::new(TracerConfig::default());
    tracer.trace_simple_type::<Kind>().unwrap();
    tracer.trace_simple_type::<Report>().unwrap();
    tracer.trace_simple_type::<Remark>().unwrap();
    tracer.trace_simple_type::<Small>().unwrap();
    let file = dir.join("formats.json");
    let text = serde_json::to_string(&tracer.registry().unwrap()).unwrap();
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn any_bytes_are_shown_somehow() {
    let dir = Dir::new("forged");
    let (from, file) = (Dir::new("forged-from"), Dir::new("forged-file"));
    let file = {
        let path = kinds(&from);
        std::fs::create_dir_all(&file).unwrap();
        let to = file.join("formats.json");
        std::fs::copy(path, &to).unwrap();
        to.to_str().unwrap().to_owned()
    };
    let (journal, mut publisher) = open(&dir);
    // Bytes of all kinds, and sound ones with one byte changed, or cut.
    let mut state = 7_u64;
    let mut random = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize
    };
    let sound = [
        (Tick::ID, tick(3).to_vec().unwrap()),
        (Report::ID, Report::some(3).to_vec().unwrap()),
        (Remark::ID, Remark::some(3).to_vec().unwrap()),
    ];
    for _ in 0..400 {
        for (id, bytes) in &sound {
            let mut bytes = bytes.clone();
            let at = random() % bytes.len();
            bytes[at] = random() as u8;
            publisher.send(tag(*id), &bytes).unwrap();
            publisher.send(tag(*id), &bytes[..at]).unwrap();
        }
        let any: Vec<u8> = (0..random() % 100).map(|_| random() as u8 & 0x83).collect();
        for id in 1..=6 {
            publisher.send(tag(MessageId::new(id)), &any).unwrap();
        }
    }
    drop(publisher);
    journal.close().unwrap();
    let text = out(0, &["export", dir.str(), "--schema", &file]);
    let records = lines(&text);
    assert_eq!(records.len(), 1 + 400 * 12);
    for record in &records[1..] {
        let told = record.get("decoded").is_some() != record.get("undecoded").is_some();
        assert!(told, "{record}");
    }
    let copy = Dir::new("forged-copy");
    assert_eq!(import(&copy, &[], &text).code, Some(0));
    assert_eq!(
        content(&out(0, &["export", copy.str(), "--schema", &file])),
        content(&text)
    );
}
