//! Cursors on real files.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::journal::testing::{TempDir, config};

const ID: [u8; 16] = [7; 16];

fn open(dir: &Path) -> Result<Cursor, CursorError> {
    Cursor::open(&Dir::of(dir), ID, "desk", 160)
}

fn bytes(dir: &Path) -> Vec<u8> {
    fs::read(path(dir, "desk")).unwrap()
}

#[test]
fn keeps_what_was_stored() {
    let dir = TempDir::new();
    let before = SystemTime::now();
    let mut cursor = open(&dir).unwrap();
    assert_eq!((cursor.name(), cursor.position()), ("desk", 160));
    cursor.store(320).unwrap();
    cursor.sync().unwrap();
    // Back, too.
    cursor.store(32).unwrap();
    assert_eq!(cursor.position(), 32);
    assert!(cursor.time() >= before && cursor.time() <= SystemTime::now());
    drop(cursor);
    assert_eq!(open(&dir).unwrap().position(), 32);
}

#[test]
fn one_holds_it_at_a_time() {
    let dir = TempDir::new();
    let cursor = open(&dir).unwrap();
    let other = Cursor::open(&Dir::of(&dir), ID, "other", 0).unwrap();
    assert!(matches!(open(&dir), Err(CursorError::Held { name }) if name == "desk"));
    assert!(matches!(
        remove(&Dir::of(&dir), "desk"),
        Err(CursorError::Held { .. })
    ));
    // Those who look need not hold it.
    assert_eq!(info(&dir, ID, "desk").unwrap().position, 160);
    drop((cursor, other));
    open(&dir).unwrap();
    remove(&Dir::of(&dir), "desk").unwrap();
    assert!(matches!(
        remove(&Dir::of(&dir), "desk"),
        Err(CursorError::Missing { .. })
    ));
    assert!(matches!(
        info(&dir, ID, "desk"),
        Err(CursorError::Missing { .. })
    ));
    assert_eq!(open(&dir).unwrap().position(), 160);
}

#[test]
fn lists_cursors_and_nothing_else() {
    let dir = TempDir::new();
    assert_eq!(list(&dir, ID).unwrap(), []);
    let mut held = Cursor::open(&Dir::of(&dir), ID, "b", 16).unwrap();
    drop(Cursor::open(&Dir::of(&dir), ID, "a.1", 0).unwrap());
    held.store(48).unwrap();
    fs::write(path(&dir, "not a cursor"), "").unwrap();
    let cursors = list(&dir, ID).unwrap();
    let named: Vec<_> = (cursors.iter())
        .map(|cursor| (cursor.name.as_str(), cursor.position))
        .collect();
    assert_eq!(named, [("a.1", 0), ("b", 48)]);
    assert_eq!(cursors[1].time, held.time());

    fs::write(path(&dir, "broken"), "x").unwrap();
    assert!(matches!(list(&dir, ID), Err(CursorError::Damaged { name }) if name == "broken"));
    assert_eq!(names(&dir).unwrap(), ["a.1", "b", "broken"]);
    remove(&Dir::of(&dir), "broken").unwrap();
    assert_eq!(list(&dir, ID).unwrap().len(), 2);
}

#[test]
fn refuses_what_is_no_name_or_position() {
    let dir = TempDir::new();
    let long = "x".repeat(129);
    for name in ["", ".", "..", ".hidden", "a/b", "a b", "ä", "a\0", &long] {
        let error = Cursor::open(&Dir::of(&dir), ID, name, 0).unwrap_err();
        assert!(matches!(&error, CursorError::Name { name: n } if n == name));
        assert!(
            error
                .to_string()
                .starts_with(&format!("{name:?} is no name for a cursor: "))
        );
    }
    assert_eq!(fs::read_dir(&*dir).unwrap().count(), 0);
    for name in ["a", "A-1_b.c", "-", &long[1..]] {
        Cursor::open(&Dir::of(&dir), ID, name, 0).unwrap();
    }
    let odd = Cursor::open(&Dir::of(&dir), ID, "odd", 8).unwrap_err();
    assert!(matches!(odd, CursorError::Position { position: 8, .. }));
    let mut cursor = open(&dir).unwrap();
    assert_eq!(
        cursor.store(17).unwrap_err().to_string(),
        "the cursor `desk` was to be stored at 17, where no record can stand (positions are multiples of 16): store the \
         position after the last record that was read"
    );
    assert_eq!(cursor.position(), 160);
    drop(cursor);
    let other = Cursor::open(&Dir::of(&dir), [8; 16], "desk", 0).unwrap_err();
    assert!(matches!(other, CursorError::OtherJournal { .. }));
}

#[test]
fn what_is_damaged_heals_with_the_next_store() {
    let dir = TempDir::new();
    let mut cursor = open(&dir).unwrap();
    cursor.store(320).unwrap();
    cursor.sync().unwrap();
    cursor.store(480).unwrap();
    let next = cursor.next;
    drop(cursor);
    let mut damaged = bytes(&dir);
    damaged[next * SLOT_STEP + 40] ^= 1;
    fs::write(path(&dir, "desk"), &damaged).unwrap();
    assert_eq!(info(&dir, ID, "desk").unwrap().position, 320);
    let mut cursor = open(&dir).unwrap();
    assert_eq!(cursor.position(), 320);
    cursor.store(640).unwrap();
    assert!(slot::read(&bytes(&dir)).unwrap().whole);
    drop(cursor);
    assert_eq!(open(&dir).unwrap().position(), 640);

    fs::write(path(&dir, "desk"), [0; FILE_BYTES]).unwrap();
    assert!(matches!(open(&dir), Err(CursorError::Damaged { .. })));
    remove(&Dir::of(&dir), "desk").unwrap();
    assert_eq!(open(&dir).unwrap().position(), 160);
}

#[derive(Clone, Debug)]
enum Op {
    Store(u64),
    Sync,
    Reopen,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => any::<u64>().prop_map(|position| Op::Store(position & !15)),
        1 => Just(Op::Sync),
        1 => Just(Op::Reopen),
    ]
}

/// A cursor, what its file was at each store since the last sync, and the positions of those.
struct Played {
    dir: TempDir,
    files: Vec<Vec<u8>>,
    positions: Vec<u64>,
}

fn play(ops: Vec<Op>) -> Played {
    let dir = TempDir::new();
    let mut cursor = open(&dir).unwrap();
    let mut files = vec![bytes(&dir)];
    let mut positions = vec![160];
    for op in ops {
        let mut synced = true;
        match op {
            Op::Store(position) => {
                cursor.store(position).unwrap();
                synced = false;
            }
            Op::Sync => cursor.sync().unwrap(),
            Op::Reopen => {
                drop(cursor);
                cursor = open(&dir).unwrap();
            }
        }
        if synced {
            files.clear();
            positions.clear();
        }
        files.push(bytes(&dir));
        positions.push(cursor.position());
    }
    Played {
        dir,
        files,
        positions,
    }
}

proptest! {
    // Each case syncs.
    #![proptest_config(ProptestConfig { cases: config().cases / 4, ..config() })]

    #[test]
    fn a_power_loss_loses_nothing_synced(ops in vec(op(), 0..12), words in vec(any::<Index>(), 16)) {
        let played = play(ops);
        // Each word of the file is as it was at any time since the last sync.
        let mut torn = played.files[0].clone();
        for (n, word) in words.iter().enumerate() {
            let at = n / 8 * SLOT_STEP + n % 8 * 8;
            torn[at..at + 8].copy_from_slice(&word.get(&played.files)[at..at + 8]);
        }
        fs::write(path(&played.dir, "desk"), &torn).unwrap();
        let position = open(&played.dir).unwrap().position();
        prop_assert!(played.positions.contains(&position), "{position} of {:?}", played.positions);
    }

    #[test]
    fn damage_gives_an_older_position_or_an_error(
        ops in vec(op(), 0..12),
        flipped in vec((0..128_usize, 0..8_u32), 0..3),
        len: Option<Index>,
    ) {
        let played = play(ops.clone());
        let stored = |position| {
            position == 160 || ops.iter().any(|op| matches!(op, Op::Store(at) if *at == position))
        };
        let mut bytes = bytes(&played.dir);
        for (at, bit) in &flipped {
            bytes[at / 64 * SLOT_STEP + at % 64] ^= 1 << bit;
        }
        if let Some(len) = len {
            bytes.truncate(len.index(FILE_BYTES));
        }
        fs::write(path(&played.dir, "desk"), &bytes).unwrap();
        let seen = info(&played.dir, ID, "desk");
        match open(&played.dir) {
            Ok(cursor) => {
                prop_assert!(stored(cursor.position()));
                prop_assert_eq!(seen.unwrap().position, cursor.position());
                if flipped.is_empty() && len.is_none() {
                    prop_assert_eq!(Some(cursor.position()), played.positions.last().copied());
                }
            }
            Err(error) => {
                prop_assert!(matches!(error, CursorError::Damaged { .. }), "{error}");
                prop_assert!(len.is_some() || flipped.len() > 1);
            }
        }
    }
}
