//! Payloads by what they are made of: zero-copy ones by the journal itself, those of serde's codecs by `--schema`.

use std::collections::BTreeMap;

use messenger::bus::{MessageId, Publisher, SourceId, Tag};
use messenger::journal::{Journal, Schema};
use messenger::message::ExtendedMessage;
use messenger::{App, Handler, Message, Plain, messenger, messenger_id_enum};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use serde_reflection::{Tracer, TracerConfig};

use crate::exchange::{content, import};
use crate::kit::{Dir, err, json as ran, lines, out};
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
fn zero_copy_payloads_are_shown_by_their_fields() {
    let dir = Dir::new("plain");
    kinds(&dir);
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(
        records[0]["decoded"],
        json!({
            "wide": "340282366920938463463374607431768211455",
            "price": u64::MAX,
            "count": i64::MIN,
            "ratio": 0.0,
            "share": 0.1,
            "letter": "ß",
            "pairs": [[[-1, 0], [-32768, 32767]]],
            "sides": ["Buy", "Sell"],
            "firm": true,
            "flags": [true, false],
            "none": null,
            "pad": [0, 0, 0],
        })
    );
    assert_eq!(records[6]["decoded"]["share"], "NaN");
    assert_eq!(records[12]["decoded"]["share"], "NaN:ffc00001");
    assert_eq!(
        records[13]["decoded"],
        json!({"head": 2, "tail": [[0, -1], [1, -1]]})
    );
    assert_eq!(records[2]["decoded"], json!({"tail": [[0, 7], [8, 9]]}));
    // For serde's codecs nobody has said it.
    assert_eq!(records[3].get("decoded"), None);
    assert_eq!(records[3].get("undecoded"), None);

    let text = out(0, &["tail", "-n", "5", dir.str()]);
    assert!(text.contains(r#"{"tail":[[23,7],[8,9]]}"#), "{text}");
    let info = ran(0, &["info", "--json", dir.str()]);
    let shapes = info["schema"]["shapes"].as_array().unwrap();
    let of = |layout: &Value| {
        shapes
            .iter()
            .find(|shape| shape["layout"] == *layout)
            .unwrap()
    };
    let shape = of(&info["schema"]["messages"][0]["layout"]);
    assert_eq!(
        shape["fields"][0],
        json!({"name": "wide", "offset": 0, "size": 16, "type": "u128"})
    );
    let side = shape["fields"][8]["type"].as_str().unwrap();
    let side = of(&json!(side[2..18]));
    assert_eq!(side["variants"][0], json!({"name": "Buy", "number": "-1"}));
}

#[test]
fn what_has_no_such_payload_is_hex_and_says_why() {
    let dir = Dir::new("unlike");
    let (journal, mut publisher) = open(&dir);
    let mut bytes = tick(0).to_vec().unwrap();
    let firm = std::mem::offset_of!(Tick, firm);
    bytes[firm] = 2;
    publisher.send(tag(Tick::ID), &bytes).unwrap();
    bytes[firm] = 1;
    bytes[firm - 1] = 3;
    publisher.send(tag(Tick::ID), &bytes).unwrap();
    publisher.send(tag(Tick::ID), b"short").unwrap();
    publisher.send(tag(Depth::ID), b"nine byte").unwrap();
    drop(publisher);
    journal.close().unwrap();
    let records = lines(&out(0, &["export", dir.str()]));
    let why: Vec<_> = records[1..]
        .iter()
        .map(|record| record["undecoded"].as_str().unwrap())
        .collect();
    assert_eq!(
        why,
        [
            "no Tick: firm: 2 is no bool",
            "no Tick: sides: 3 is no variant",
            "no Tick: 5 bytes, and it has 64",
            "no Depth: 9 bytes are no head of 8 and items of 4",
        ]
    );
    // They are imported as they are.
    let copy = Dir::new("unlike-copy");
    let text = out(0, &["export", dir.str()]);
    assert_eq!(import(&copy, &[], &text).code, Some(0));
    assert_eq!(content(&out(0, &["export", copy.str()])), content(&text));
    let text = out(0, &["cat", dir.str()]);
    assert!(
        text.contains("73686f7274") && text.contains("no Tick: 5 bytes"),
        "{text}"
    );
}

#[test]
fn a_journal_without_shapes_shows_hex() {
    let dir = Dir::new("shapeless");
    kinds(&dir);
    std::fs::remove_file(dir.join("shapes")).unwrap();
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(records[0].get("decoded"), None);
    assert_eq!(records[0].get("undecoded"), None);
    // The program brings them again.
    drop(open(&dir));
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(records[0]["decoded"]["letter"], "ß");
}

#[cfg(target_os = "linux")]
#[test]
fn a_bus_knows_what_its_messages_are_made_of() {
    let shm = crate::bus_kit::Shm::new();
    let bus = messenger::shared::SharedBus::options().directory(shm.str());
    let bus = bus.create("ticks").unwrap();
    bus.admit(&Schema::from(Kinds::INFO)).unwrap();
    send(&mut bus.bus().publisher().unwrap(), &tick(0));
    let records = lines(&shm.out(0, &["tail", "--json", "ticks"]));
    assert_eq!(records[0]["decoded"]["sides"], json!(["Buy", "Sell"]));
}

#[test]
fn payloads_of_serde_are_shown_by_a_schema() {
    let dir = Dir::new("serde");
    let file = kinds(&dir);
    let records = lines(&out(0, &["cat", "--json", dir.str(), "--schema", &file]));
    let [report, remark, small] = [&records[9], &records[10], &records[11]];
    assert_eq!(report["message"]["codec"], "bincode");
    assert_eq!(remark["message"]["codec"], "postcard");
    assert_eq!(report["decoded"], remark["decoded"]);
    assert_eq!(
        report["decoded"],
        json!({
            "text": "Grüße 1\u{1b}",
            "numbers": {
                "small": [-1, 1],
                "array": [1, 300, 65535],
                "wide": "170141183460469231731687303715884105727",
                "float": "NaN",
                "double": 1.0 / 3.0 - 1e300,
                "truth": false,
            },
            "kinds": [
                "Plain",
                {"Boxed": {"Named": {"number": "-1180591620717411303423", "some": null}}},
                {"Pair": [1, "ß"]},
                {"Named": {"number": "-1180591620717411303423", "some": null}},
            ],
            "bytes": [1],
            "named": {"1": 1, "2": 2, "3": 3},
            "numbered": [
                [i64::MIN, "Plain"],
                [1, {"Named": {"number": "-1180591620717411303423", "some": null}}],
            ],
            "nothing": null,
            "perhaps": [null, {"Some": null}, 1],
            "unit": null,
        })
    );
    assert_eq!(records[3]["decoded"]["nothing"], json!({"Some": null}));
    // It has another name, and its type's in the registry.
    assert_eq!(
        (&small["message"]["name"], &small["decoded"]),
        (&json!("Tiny"), &json!(1))
    );
}

#[test]
fn payloads_are_made_of_what_they_say() {
    let dir = Dir::new("said");
    let file = kinds(&dir);
    let export = out(0, &["export", dir.str(), "--schema", &file]);
    // As `jq 'del(.payload)'` has it.
    let said = |export: &str| {
        let (header, records) = export.split_once('\n').unwrap();
        let records = lines(records).into_iter().map(|mut record| {
            record.as_object_mut().unwrap().remove("payload").unwrap();
            assert!(record["decoded"] != Value::Null, "{record}");
            record.to_string() + "\n"
        });
        format!("{header}\n{}", records.collect::<String>())
    };
    let copy = Dir::new("said-copy");
    let done = import(&copy, &["--schema", &file], said(&export));
    assert_eq!(done.code, Some(0), "{done:?}");
    let again = out(0, &["export", copy.str(), "--schema", &file]);
    assert_eq!(content(&again), content(&export));

    // One is changed, to what it can't be.
    let said = said(&export);
    for (from, to, why) in [
        (
            r#"["Buy","Sell"]"#,
            r#"["Buy","Hold"]"#,
            "Tick: sides: \"Hold\" is none of Buy, Sell",
        ),
        (
            r#""letter":"ß""#,
            r#""letter":"ss""#,
            "Tick: letter: \"ss\" is no text of one character",
        ),
        (
            r#""firm":true"#,
            r#""firm":1"#,
            "Tick: firm: 1 is neither true nor false",
        ),
        (
            r#""pad":[0,0,0]"#,
            r#""pad":[0,0]"#,
            "Tick: pad: an array of 2, where there are 3",
        ),
        (
            r#""pad":[0,0,0]"#,
            r#""pad":[0,0,256]"#,
            "Tick: pad: 256 is no unsigned number of 8 bits",
        ),
        (r#","pad":[0,0,0]"#, "", "Tick: no field \"pad\""),
        (
            r#","pad":"#,
            r#","bad":0,"pad":"#,
            "Tick: there is no field \"bad\", but wide, price",
        ),
    ] {
        let refused = import(
            &Dir::new("said-wrong"),
            &["--schema", &file],
            said.replacen(from, to, 1),
        );
        let text = format!(
            "line 2 of stdin, after 0 records that were imported: no payload can be made of what is decoded: {why}"
        );
        assert!(
            refused.code == Some(1) && refused.err.contains(&text),
            "{refused:?}"
        );
    }
    for (from, to, why) in [
        (
            r#"["Plain","#,
            r#"["Plane","#,
            "Report: kinds: 0: \"Plane\" is none of Plain, Boxed, Pair, Named",
        ),
        (
            r#""array":[0,"#,
            r#""array":["#,
            "Report: numbers: array: an array of 2, where there are 3",
        ),
        (
            r#""unit":null"#,
            r#""unit":0"#,
            "Report: unit: 0 is not null",
        ),
        (
            r#"{"Pair":[0,"#,
            r#"{"Pair":["#,
            "Report: kinds: 2: Pair: an array of 1, where there are 2",
        ),
        (
            r#"["Plain","#,
            r#"[{"Plain":0},"#,
            "Report: kinds: 0: Plain: there is nothing in it",
        ),
    ] {
        let refused = import(
            &Dir::new("said-wrong"),
            &["--schema", &file],
            said.replacen(from, to, 1),
        );
        let text = format!(
            "line 5 of stdin, after 3 records that were imported: no payload can be made of what is decoded: {why}"
        );
        assert!(
            refused.code == Some(1) && refused.err.contains(&text),
            "{refused:?}"
        );
    }
    let refused = import(&Dir::new("said-unknown"), &[], &said);
    let text = "line 5 of stdin, after 3 records that were imported: no payload can be made of what is decoded: \
                Report: what it is made of is not known: say it by --descriptor or --schema";
    assert!(
        refused.code == Some(1) && refused.err.contains(text),
        "{refused:?}"
    );
    let empty = said.replacen("\"decoded\"", "\"encoded\"", 1);
    let refused = import(&Dir::new("said-nothing"), &[], empty);
    assert!(
        refused.err.contains("line 2 of stdin") && refused.err.contains("neither a payload"),
        "{refused:?}"
    );
}

#[test]
fn what_decodes_to_null_is_made_of_it() {
    let dir = Dir::new("said-null");
    drop(open(&dir));
    let file = dir.join("formats.json");
    let formats = r#"{"Small": {"NEWTYPESTRUCT": {"OPTION": "U32"}}}"#;
    std::fs::write(&file, formats).unwrap();
    let mut text = out(4, &["export", dir.str()]);
    text += "{\"source\":{\"id\":1},\"message\":{\"id\":6},\"decoded\":null}\n";
    let copy = Dir::new("said-null-copy");
    let done = import(&copy, &["--schema", file.to_str().unwrap()], text);
    assert_eq!(done.code, Some(0), "{done:?}");
    let records = lines(&out(0, &["cat", "--json", copy.str()]));
    assert_eq!(records[0]["payload"], "00");
}

#[test]
fn a_type_that_both_files_have_is_that_of_the_codec() {
    let dir = Dir::new("both-files");
    let (journal, mut publisher) = open(&dir);
    send(&mut publisher, &Small(7));
    drop(publisher);
    journal.close().unwrap();
    let file = dir.join("formats.json");
    let (file, quotes) = (
        file.to_str().unwrap(),
        crate::reading::descriptor(&dir, &[""]),
    );
    let typed = |formats, pair| {
        std::fs::write(file, formats).unwrap();
        let by = ["--schema", file, "--descriptor", &quotes, "--type", pair];
        let ran = crate::kit::run(&[&["cat", "--json", dir.str()], &by[..]].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        (lines(&ran.out).remove(0), ran.err)
    };
    let (number, none) = (
        r#"{"Quote": {"NEWTYPESTRUCT": "U32"}}"#,
        r#"{"Other": {"NEWTYPESTRUCT": "U32"}}"#,
    );
    assert_eq!(typed(number, "Tiny=Quote").0["decoded"], 7);
    // Only the descriptor has it.
    let why = typed(none, "Tiny=Quote").0["undecoded"].clone();
    assert!(why.as_str().unwrap().starts_with("no Quote: "), "{why}");
    // Nobody's type is told.
    let (record, note) = typed(number, "Tinny=Quote");
    assert_eq!(record.get("decoded"), None);
    assert!(
        note.contains("note: --type Tinny=Quote: there is no message Tinny, but Tick, Depth"),
        "{note}"
    );
    let by = ["--schema", file, "--type", "Tinny=Quote"];
    let text = out(0, &["export", dir.str()]);
    for ran in [
        crate::kit::run(&[&["export", dir.str()], &by[..]].concat()),
        import(&Dir::new("both-files-copy"), &by, text),
    ] {
        let noted = ran.err.contains("note: --type Tinny=Quote: ");
        assert!(ran.code == Some(0) && noted, "{ran:?}");
    }
    std::fs::remove_file(&quotes).unwrap();
}

#[test]
fn protobuf_is_made_of_what_it_says() {
    let dir = Dir::new("said-protobuf");
    crate::market::five(&dir);
    let file = crate::reading::descriptor(&dir, &["market"]);
    let export = out(0, &["export", dir.str(), "--descriptor", &file]);
    let mut lines = lines(&export);
    lines.truncate(2);
    let payload = lines[1].as_object_mut().unwrap().remove("payload");
    let text = |lines: &[Value]| format!("{}\n{}\n", lines[0], lines[1]);
    let copy = Dir::new("said-protobuf-copy");
    let done = import(&copy, &["--descriptor", &file], text(&lines));
    assert_eq!(done.code, Some(0), "{done:?}");
    let again = out(0, &["cat", "--json", copy.str()]);
    assert_eq!(
        crate::kit::lines(&again)[0].get("payload"),
        payload.as_ref()
    );
    lines[1]["decoded"]["lastPrice"] = json!("much");
    let refused = import(&copy, &["--descriptor", &file], text(&lines));
    std::fs::remove_file(&file).unwrap();
    let why = "line 2 of stdin, after 0 records that were imported: no payload can be made of what is decoded: Quote: ";
    assert!(
        refused.code == Some(1) && refused.err.contains(why),
        "{refused:?}"
    );
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

#[test]
fn a_schema_that_is_none_is_an_error() {
    let dir = Dir::new("no-schema");
    let file = kinds(&dir);
    let with = |text: &str| {
        std::fs::write(&file, text).unwrap();
        err(1, &["cat", dir.str(), "--schema", &file])
    };
    assert!(with("{").contains("formats.json is no registry of formats: "));
    let missing = with(r#"{"Report": {"NEWTYPESTRUCT": {"TYPENAME": "Kind"}}}"#);
    assert!(
        missing.contains("says that Kind is in Report, and not what Kind is"),
        "{missing}"
    );

    // A type that has no end.
    std::fs::write(
        &file,
        r#"{"Small": {"NEWTYPESTRUCT": {"TYPENAME": "Small"}}}"#,
    )
    .unwrap();
    let records = lines(&out(0, &["cat", "--json", dir.str(), "--schema", &file]));
    let why = records[5]["undecoded"].as_str().unwrap();
    assert!(
        why.starts_with("no Small: ") && why.contains("deep"),
        "{why}"
    );
    let mut text = out(0, &["export", dir.str()])
        .lines()
        .next()
        .unwrap()
        .to_owned();
    text += "\n{\"source\":{\"id\":1},\"message\":{\"id\":6},\"decoded\":1}\n";
    let refused = import(&Dir::new("endless"), &["--schema", &file], text);
    assert!(refused.err.contains("it nests too deep"), "{refused:?}");

    let typed = |pair: &str| {
        std::fs::write(&file, r#"{"Other": {"NEWTYPESTRUCT": "U32"}}"#).unwrap();
        let args = [
            "cat",
            "--json",
            dir.str(),
            "--schema",
            &file,
            "--type",
            pair,
        ];
        crate::kit::run(&args)
    };
    assert_eq!(lines(&typed("Tiny=Other").out)[11]["decoded"], 1);
    let alone = err(1, &["cat", dir.str(), "--type", "Tiny=Other"]);
    assert!(
        alone.contains("say --descriptor or --schema, too"),
        "{alone}"
    );
    let unknown = typed("Tiny=Another");
    assert!(
        unknown
            .err
            .contains("there is no Another; the files of --descriptor and --schema have Other"),
        "{unknown:?}"
    );
}
