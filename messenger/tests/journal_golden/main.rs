//! Journals of version 1, in `data`, are read by this version, and by all that come: each byte of them. `journal-v1` has each
//! state of a record, and a cursor; `journal-v1-ran` is that of a table that ran (`ran.rs`).
//!
//! `MESSENGER_GOLDEN=DIRECTORY cargo test --features journal --test journal_golden` writes such journals anew into a directory
//! that is not there yet, with what stands in each as `expected.txt`. What is checked in changes with the format's version only.
#![cfg(all(feature = "journal", feature = "bincode", not(miri)))]

#[path = "../support/dir.rs"]
mod dir;
#[cfg(feature = "zero_copy")]
mod ran;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use messenger::bus::{MessageId, ReadError, SourceId, Start, Tag};
use messenger::journal::{Item, Journal, JournalConfig, LeftBy, Reader, Schema};
use messenger::{App, Handle, Handler, Message, Outbox, Result, messenger};
use serde::{Deserialize, Serialize};

use dir::Dir;

const SEGMENT: u64 = 4096;
const PAGE: u64 = 4096;
const ID: &str = "000102030405060708090a0b0c0d0e0f";
const SALT: u64 = 0xfedc_ba98_7654_3210;
const SALT_TEXT: &str = "fedcba9876543210";
const CREATED: u64 = 1_700_000_000_000_000_000;

/// A message of the journal's schema.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 7, codec = bincode)]
struct Trade(u64);

/// Another.
#[derive(Message, Serialize, Deserialize, Debug)]
#[message(id = 9, codec = bincode)]
struct Total(u64);

#[derive(Debug, Handler)]
#[handler(id = 1, sends(Trade))]
struct Seller;

#[derive(Debug, Handler)]
#[handler(id = 3, sends(Total))]
struct Adds(u64);

impl Handle<Trade> for Adds {
    fn handle(&mut self, trade: &Trade, out: &mut Outbox<'_, Self>) -> Result {
        self.0 += trade.0;
        out.send(&Total(self.0))?;
        Ok(())
    }
}

messenger! {
    Sums();
    outside: [ Seller ]
    drop: [ Adds, Total ]
    One:
        handlers: [ adds: Adds = Adds(0) ]
        routes: [ Seller, Trade: [adds] ]
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

/// Where a journal is written anew, and the guard with which it goes, unless it is to stay.
fn anew(name: &str) -> (PathBuf, Option<Dir>) {
    match std::env::var_os("MESSENGER_GOLDEN") {
        Some(asked) => (Path::new(&asked).join(name), None),
        None => {
            let dir = scratch(name);
            (dir.to_path_buf(), Some(dir))
        }
    }
}

fn scratch(name: &str) -> Dir {
    Dir::under(&std::env::temp_dir(), &format!("golden-{name}"))
}

fn config() -> JournalConfig {
    JournalConfig::new()
        .segment_bytes(SEGMENT)
        .time_resolution(Duration::from_millis(1))
}

/// CRC32C bit by bit: not the library's.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0x82F6_3B78 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// All that a reader is given, a line each.
fn items(dir: &Path) -> String {
    let mut reader = Reader::open(dir).unwrap();
    let mut text = String::new();
    while let Some(item) = reader.next_item().unwrap() {
        let line = match item {
            Item::Record(entry) => line("record", entry.position, entry.tag, entry.payload),
            Item::Note(entry) => line("note", entry.position, entry.tag, entry.payload),
            Item::Aborted { position, bytes } => format!("{position} aborted {bytes}\n"),
            Item::Padding { position, bytes } => format!("{position} padding {bytes}\n"),
            other => panic!("{other:?}"),
        };
        text += &line;
    }
    text
}

fn line(kind: &str, position: u64, tag: Tag, payload: &[u8]) -> String {
    let (source, message) = (tag.source.get(), tag.message.get());
    format!("{position} {kind} {source} {message} {}\n", hex(payload))
}

/// What stands in a segment, decoded as docs/journal.md says, by none of the library's code.
fn decoded(segment: &[u8], base: u64) -> String {
    let word = |at: usize| u64::from_le_bytes(*segment[at..].first_chunk().unwrap());
    let half = |at: usize| u32::from_le_bytes(*segment[at..].first_chunk().unwrap());
    assert_eq!(segment.len() as u64, PAGE + SEGMENT);
    assert_eq!(&segment[..8], b"MSGRSEG\0");
    assert_eq!((half(8), u64::from(half(12))), (1, PAGE));
    assert_eq!(hex(&segment[16..32]), ID);
    assert_eq!((word(32), word(40), word(48)), (base, SEGMENT, SALT));
    assert!(word(56) > CREATED, "when it was made");
    assert_eq!(half(64), crc(&segment[..64]));
    assert!(segment[68..128].iter().all(|&byte| byte == 0));
    assert_eq!(word(136), word(128) ^ SALT ^ 0x7379_6E63_6564_2121);
    assert!(segment[144..PAGE as usize].iter().all(|&byte| byte == 0));

    let mut text = String::new();
    let mut position = base;
    while position < base + SEGMENT {
        let at = (PAGE + position - base) as usize;
        let (stamp, len) = (word(at), half(at + 8) as usize);
        if stamp == 0 {
            assert!(
                segment[at..].iter().all(|&byte| byte == 0),
                "after {position}"
            );
            break;
        }
        let (source, message) = (half(at + 12) as u16, (half(at + 12) >> 16) as u16);
        let tag = Tag::new(SourceId::new(source), MessageId::new(message));
        let payload = || &segment[at + 16..at + 16 + len];
        let covered = |end: usize| u64::from(crc(&segment[at + 8..end])) << 32;
        let state = (stamp ^ SALT ^ position) as u32;
        let bytes = 16 + len.next_multiple_of(16) as u64;
        let (checked, line, bytes) = match state {
            1 => (
                covered(at + 16 + len),
                line("record", position, tag, payload()),
                bytes,
            ),
            2 => (
                covered(at + 16),
                format!("{position} aborted {bytes}\n"),
                bytes,
            ),
            3 => {
                let rest = base + SEGMENT - position;
                (0, format!("{position} padding {rest}\n"), rest)
            }
            4 => {
                let complement = u64::from(u32::MAX) << 32;
                let checked = covered(at + 16 + len) ^ complement;
                (checked, line("note", position, tag, payload()), bytes)
            }
            other => panic!("state {other} at {position}"),
        };
        assert_eq!(
            stamp,
            (position | u64::from(state)) ^ SALT ^ checked,
            "at {position}"
        );
        if matches!(state, 1 | 4) {
            let rest = &segment[at + 16 + len..at + bytes as usize];
            assert!(rest.iter().all(|&byte| byte == 0), "padding of {position}");
        }
        text += &line;
        position += bytes;
    }
    text
}

fn segment_name(base: u64) -> String {
    format!("{base:020}.segment")
}

/// All that stands in the segments of `dir`, decoded by none of the library's code, and how many segments there are.
fn decoded_all(dir: &Path) -> (String, u64) {
    let mut text = String::new();
    let mut segments = 0;
    while let Ok(segment) = fs::read(dir.join(segment_name(segments * SEGMENT))) {
        text += &decoded(&segment, segments * SEGMENT);
        segments += 1;
    }
    (text, segments)
}

/// The schema's text, with the right sum in its last line.
fn schema_of(dir: &Path) -> String {
    let schema = fs::read_to_string(dir.join("schema")).unwrap();
    assert!(schema.starts_with(&begin()), "{schema}");
    let (body, last) = schema.split_at(schema.rfind("crc\t").unwrap());
    assert_eq!(last, format!("crc\t{:08x}\n", crc(body.as_bytes())));
    schema
}

/// How each schema begins.
fn begin() -> String {
    format!(
        "messenger journal\t1\nid\t{ID}\nsegment\t{SEGMENT}\nsalt\t{SALT_TEXT}\ncreated\t{CREATED}\n"
    )
}

#[test]
fn each_byte_of_version_1_is_read() {
    let golden = golden("journal-v1");
    let expected = fs::read_to_string(golden.join("expected.txt")).unwrap();
    for kind in ["record", "note", "aborted", "padding"] {
        assert!(expected.contains(kind), "{kind}");
    }
    assert_eq!(items(&golden), expected);
    let (text, segments) = decoded_all(&golden);
    assert!(segments >= 3);
    assert_eq!(text, expected);

    let cursor = fs::read(golden.join("cursors/reader")).unwrap();
    let word = |at: usize| u64::from_le_bytes(*cursor[at..].first_chunk().unwrap());
    let mut positions = Vec::new();
    for at in [0, 4096] {
        assert_eq!(&cursor[at..at + 8], b"MSGRCUR\0");
        assert_eq!(word(at + 8), 1);
        assert_eq!(hex(&cursor[at + 16..at + 32]), ID);
        let sum = crc(&cursor[at..at + 60]).to_le_bytes();
        assert_eq!(cursor[at + 60..at + 64], sum);
        positions.push((word(at + 32), word(at + 40)));
    }
    positions.sort_unstable();
    schema_of(&golden);
    let reader = Reader::open(&golden).unwrap();
    assert_eq!(reader.schema(), &Schema::from(Sums::INFO));
    assert_eq!(reader.created(), UNIX_EPOCH + Duration::from_nanos(CREATED));

    // It is gone on with, in a copy.
    let copy = scratch("copy");
    copy_dir(&golden, &copy);
    let journal = Journal::open_existing(&copy, config()).unwrap();
    let recovery = journal.recovery().clone();
    // There is no `control`: it is no part of the format.
    assert_eq!((recovery.left, recovery.dropped), (LeftBy::PowerLoss, None));
    assert_eq!(journal.cursor("reader").unwrap().position(), positions[1].1);
    journal.admit(&Schema::from(Sums::INFO)).unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut records = String::new();
    while let Some(record) = subscriber.try_next().unwrap() {
        records += &line("record", record.position(), record.tag(), record.payload());
    }
    let wanted = expected.lines().filter(|line| line.contains(" record "));
    assert_eq!(
        records.lines().collect::<Vec<_>>(),
        wanted.collect::<Vec<_>>()
    );
    let tag = Tag::new(SourceId::new(1), MessageId::new(7));
    let position = journal
        .bus()
        .publisher()
        .unwrap()
        .send(tag, b"after")
        .unwrap();
    assert!(position >= recovery.tail);
    drop((subscriber, journal));
    let begins = items(&copy);
    assert!(begins.starts_with(&expected) && begins.len() > expected.len());
}

/// Padding has no checksum, so one that fits is forged with ease: it must not hide what is written after it.
#[test]
fn a_forged_padding_hides_nothing() {
    let copy = scratch("forged");
    copy_dir(&golden("journal-v1"), &copy);
    let last = fs::read_to_string(copy.join("expected.txt")).unwrap();
    let position = last.lines().rev().find(|line| line.contains(" record "));
    let position: u64 = position
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let path = copy.join(segment_name(position & !(SEGMENT - 1)));
    let mut bytes = fs::read(&path).unwrap();
    let at = (PAGE + position % SEGMENT) as usize;
    bytes[at..at + 8].copy_from_slice(&((position | 3) ^ SALT).to_le_bytes());
    fs::write(path, bytes).unwrap();

    let journal = Journal::open_existing(&copy, config()).unwrap();
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let error = loop {
        match subscriber.try_next() {
            Ok(Some(record)) => assert!(record.position() < position),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    assert_eq!(error, Err(ReadError::Damaged { position }));
    drop((subscriber, journal));
}

fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What is written by this version is what the test above takes for version 1: as long as it is, nothing has changed.
#[test]
fn what_is_written_now_is_of_version_1() {
    let (dir, goes) = anew("journal-v1");
    write(&dir);
    let written = items(&dir);
    assert_eq!(decoded_all(&dir).0, written);
    // The times in notes, and where they stand, differ.
    let records = |text: &str| {
        let records = text.lines().filter(|line| line.contains(" record "));
        let records = records.map(|line| line.split_once(' ').unwrap().1.to_owned());
        records.collect::<Vec<_>>()
    };
    if goes.is_none() {
        keep(&dir, &written);
        fs::remove_file(dir.join("cursors/.reader.lock")).unwrap();
    } else {
        let golden = golden("journal-v1");
        let expected = fs::read_to_string(golden.join("expected.txt")).unwrap();
        assert_eq!(records(&written), records(&expected));
        assert_eq!(schema_of(&dir), schema_of(&golden));
    }
}

/// Makes the journal in `dir` one to be checked in: with what stands in it, and without what is no part of the format.
fn keep(dir: &Path, written: &str) {
    fs::write(dir.join("expected.txt"), written).unwrap();
    for none in ["control", "lock"] {
        fs::remove_file(dir.join(none)).unwrap();
    }
}

/// Begins a journal with a known id, salt and time.
fn begun(dir: &Path) -> Journal {
    fs::create_dir_all(dir).unwrap();
    // As one leaves it who begins to create a journal and does not get on.
    let body = begin();
    let last = format!("crc\t{:08x}\n", crc(body.as_bytes()));
    fs::write(dir.join("schema"), body + &last).unwrap();
    fs::write(dir.join(segment_name(0) + ".new"), "").unwrap();
    Journal::open_existing(dir, config()).unwrap()
}

fn write(dir: &Path) {
    let journal = begun(dir);
    journal.admit(&Schema::from(Sums::INFO)).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let mut cursor = journal.cursor("reader").unwrap();
    let tag = |message| Tag::new(SourceId::new(3), MessageId::new(message));
    for n in 0..20_u16 {
        // Of each length modulo 16, the empty one and the longest among them.
        let len = match n {
            0 => 0,
            13 => 1024,
            n => usize::from(n) * 37 % 500,
        };
        let payload: Vec<u8> = (0..len).map(|i| (i as u16 * 7 + n) as u8).collect();
        let position = publisher.send(tag(7 + n % 2 * 2), &payload).unwrap();
        if n % 6 == 5 {
            drop(publisher.claim(tag(7), 40).unwrap());
            std::thread::sleep(Duration::from_millis(20));
            cursor.store(position).unwrap();
            cursor.sync().unwrap();
        }
    }
    drop((publisher, cursor));
    journal.close().unwrap();
}
