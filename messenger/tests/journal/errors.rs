//! What errors say that others provoke less plainly: of cursors, of headers, of what is damaged, and of what was given up.

use std::fs;
use std::path::PathBuf;

use messenger::bus::ReadError;
use messenger::journal::{CursorError, DropCause, Journal, JournalFault, Reader, Schema, verify};

use crate::kit::{Dir, quiet, tag};

fn segment(dir: &Dir, base: u64) -> PathBuf {
    dir.join(format!("{base:020}.segment"))
}

/// Publishes 100 records, which take 128 bytes each.
fn written(dir: &Dir) -> Journal {
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..100 {
        publisher.send(tag(n), &[n as u8; 100]).unwrap();
    }
    journal
}

/// Changes bytes of a file.
fn change(path: PathBuf, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(&path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn put(bytes: &mut [u8], at: usize, part: &[u8]) {
    bytes[at..at + part.len()].copy_from_slice(part);
}

/// Writes at `at` the checksum of the bytes from `from` to there.
fn seal(bytes: &mut [u8], from: usize, at: usize) {
    let crc = crc32c::crc32c(&bytes[from..at]);
    put(bytes, at, &crc.to_le_bytes());
}

#[test]
fn of_cursors() {
    let dir = Dir::new("cursor-errors");
    let journal = dir.open(quiet());
    let error = journal.remove_cursor("nobody").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the journal has no cursor `nobody`: `cursors()`, or `messenger cursors list DIR`, names those it has"
    );
    drop(journal.cursor("mine").unwrap());
    let file = dir.join("cursors/mine");
    let whole = fs::read(&file).unwrap();
    change(file.clone(), |bytes| {
        for slot in [0, 4096] {
            put(bytes, slot + 8, &2_u32.to_le_bytes());
            seal(bytes, slot, slot + 60);
        }
    });
    let error = journal.cursor("mine").unwrap_err();
    assert!(matches!(error, CursorError::Newer { found: 2, .. }));
    assert_eq!(
        error.to_string(),
        "the cursor `mine` is of version 2, and this program knows versions up to 1: use a newer one"
    );
    fs::write(&file, [0xAA; 8192]).unwrap();
    let error = journal.cursor("mine").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cursor `mine` is damaged in both places of its file: remove it (`remove_cursor`, or `messenger cursors remove DIR mine`), and open it anew at a position from which its reader can go on (or `messenger cursors set DIR mine PLACE`)"
    );
    let other = Dir::new("cursor-errors");
    let journal = other.open(quiet());
    drop(journal.cursor("theirs").unwrap());
    fs::write(other.join("cursors/theirs"), whole).unwrap();
    let error = journal.cursor("theirs").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the cursor `theirs` counts in another journal: move its file back to that one's directory, or remove it"
    );
    fs::remove_dir_all(other.join("cursors")).unwrap();
    fs::write(other.join("cursors"), "no directory").unwrap();
    let error = journal.cursor("mine").unwrap_err();
    assert!(matches!(error, CursorError::Io { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with("to open the cursor `mine` failed: "),
        "{text}"
    );
}

#[test]
fn of_headers() {
    let dir = Dir::new("header-errors");
    drop(written(&dir));
    let whole = fs::read(segment(&dir, 4096)).unwrap();
    let says = |at: usize, number: u64, text: &str| {
        change(segment(&dir, 4096), |bytes| {
            put(bytes, at, &number.to_le_bytes());
            seal(bytes, 0, 64);
        });
        let error = Journal::open(&dir, quiet()).unwrap_err();
        let header = error.fault().to_string();
        assert_eq!(header, format!("segment 4096: {text}"));
        let damage = &verify(&dir, |_| {}).unwrap().damage[0];
        assert_eq!(
            damage.to_string(),
            format!("the header of segment 4096: {text} (synced)")
        );
        fs::write(segment(&dir, 4096), &whole).unwrap();
    };
    says(
        32,
        8192,
        "the segment begins at position 8192, and its file's name says 4096: give it its own name again",
    );
    says(
        40,
        5000,
        "the segment's header says it begins at position 4096 and is 5000 bytes long, which no segment is and does (a power of two from 4096 \
         to 1073741824): restore it from a copy",
    );
    says(
        48,
        7,
        "the segment says the id of this journal, and another salt or length (4096 bytes, where the journal's segments have 4096): it was \
         made up, or the journal's schema was replaced; restore both from one copy",
    );
}

#[test]
fn of_what_is_damaged() {
    let dir = Dir::new("damage-errors");
    drop(written(&dir));
    let whole = fs::read(segment(&dir, 4096)).unwrap();
    let says = |text: &str| {
        let damage = &verify(&dir, |_| {}).unwrap().damage[0];
        assert_eq!(damage.to_string(), text);
        fs::write(segment(&dir, 4096), &whole).unwrap();
    };
    fs::write(segment(&dir, 4096), &whole[..5000]).unwrap();
    says("the file of segment 4096 has 5000 bytes in place of 8192 (synced)");
    fs::remove_file(segment(&dir, 4096)).unwrap();
    says("the segments from position 4096 to 8192 are missing (synced)");
    // The second record of the segment.
    let at = 4096 + 128;
    change(segment(&dir, 4096), |bytes| put(bytes, at + 8, &[0xFF; 4]));
    says("the record at position 4224 says 4294967295 bytes of payload, which cannot be (synced)");
    change(segment(&dir, 4096), |bytes| put(bytes, at, &[0; 8]));
    says("at position 4224 no record was finished, and something comes after it (synced)");
    change(segment(&dir, 4096), |bytes| bytes[at + 16] ^= 1);
    let mut reader = Reader::open(&dir).unwrap();
    reader.seek(4096 + 128).unwrap();
    let error = reader.next().map(drop).unwrap_err();
    assert!(matches!(
        error.fault(),
        JournalFault::Read(ReadError::Damaged { position: 4224 })
    ));
    assert_eq!(
        error.to_string(),
        format!(
            "the journal in {}: the record at position 4224 is damaged: its checksum is another than was written with it; `verify` says how much is, \
             `repair` gives up what stands from there on",
            dir.display()
        )
    );
    says("the record at position 4224 has another checksum than was written with it (synced)");
}

#[test]
fn of_a_schema_that_can_not_be_written() {
    let dir = Dir::new("schema-errors");
    let journal = dir.open(quiet());
    fs::remove_dir_all(&dir).unwrap();
    let schema: Schema = "source\t1\tOne\n".parse().unwrap();
    let error = journal.admit(&schema).unwrap_err();
    assert!(matches!(error.fault(), JournalFault::System { .. }));
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("the journal in {}: could not ", dir.display()))
            && text.ends_with("No such file or directory (os error 2)"),
        "{text}"
    );
}

/// What is done to a segment's bytes, at an offset.
type Harm = fn(&mut Vec<u8>, usize);

/// A copy of a journal that was never synced is as a loss of power may leave one.
#[test]
fn of_what_was_given_up() {
    let dir = Dir::new("dropped");
    let journal = written(&dir);
    let at = 4096 + 3 * 128;
    let cases: [(DropCause, &str, Harm); 3] = [
        (
            DropCause::Unfinished,
            "the record there was never finished",
            |bytes, at| put(bytes, at, &[0; 8]),
        ),
        (
            DropCause::Checksum,
            "the record there is not as it was written",
            |bytes, at| bytes[at + 16] ^= 1,
        ),
        (
            DropCause::Length,
            "the record there says a length that cannot be",
            |bytes, at| put(bytes, at + 8, &[0xFF; 4]),
        ),
    ];
    let copied = || {
        let copy = Dir::new("dropped-copy");
        fs::create_dir_all(&copy).unwrap();
        for name in [dir.join("schema"), segment(&dir, 0), segment(&dir, 4096)] {
            let name = PathBuf::from(name.file_name().unwrap());
            fs::copy(dir.join(&name), copy.join(&name)).unwrap();
        }
        copy
    };
    let says = |copy: &Dir, cause, from, why: &str| {
        let journal = copy.open(quiet());
        let dropped = journal.recovery().dropped.as_ref().expect("given up");
        assert_eq!((dropped.why, dropped.from), (cause, from));
        assert_eq!(
            dropped.to_string(),
            format!(
                "{} bytes from position {from} on were given up: {why}; none of them had been synced",
                dropped.to - from
            )
        );
    };
    for (cause, why, harm) in cases {
        let copy = copied();
        change(segment(&copy, 0), |bytes| harm(bytes, at));
        says(&copy, cause, 3 * 128, why);
    }
    let copy = copied();
    change(segment(&copy, 4096), |bytes| bytes.truncate(5000));
    says(
        &copy,
        DropCause::Segment,
        4096,
        "the segment there is missing or not whole",
    );
    drop(journal);
}
