//! `trim` and `cursors`.

use messenger::journal::{Journal, Reader};
use serde_json::json;

use crate::kit::{Dir, err, json as ran, out, run, unread};
use crate::market::{self, config, quotes};

#[test]
fn whole_segments_are_given_up_when_told_to() {
    let dir = Dir::new("trim");
    quotes(&dir, 1000);
    let before = dir.files();
    let plan = ran(
        0,
        &[
            "trim",
            dir.str(),
            "--before",
            "10000",
            "--dry-run",
            "--json",
        ],
    );
    assert_eq!(
        plan,
        json!({"done": false, "segments": [0, 4096], "bytes": 8192, "oldest": 8192, "cursors": []})
    );
    let asked = run(&["trim", dir.str(), "--before", "10000"]);
    assert_eq!(asked.code, Some(1));
    assert!(
        asked.out.contains("2 segments, positions 0 to 8192, 8 KiB"),
        "{asked:?}"
    );
    assert!(asked.err.contains("say --yes"), "{asked:?}");
    assert_eq!(dir.files(), before);

    let done = ran(
        0,
        &["trim", dir.str(), "--before", "10000", "--yes", "--json"],
    );
    assert_eq!(
        (&done["done"], &done["oldest"]),
        (&json!(true), &json!(8192))
    );
    let reader = Reader::open(&dir).unwrap();
    assert_eq!(reader.oldest().unwrap(), 8192);
    let gone = err(1, &["cat", dir.str(), "--from", "0"]);
    assert!(gone.contains("not retained any more"), "{gone}");
    // The segment that is written stays.
    let newest = reader.newest().unwrap();
    out(0, &["trim", dir.str(), "--before", "newest", "--yes"]);
    assert_eq!(
        Reader::open(&dir).unwrap().oldest().unwrap(),
        newest / 4096 * 4096
    );
    let nothing = out(0, &["trim", dir.str(), "--before", "newest", "--yes"]);
    assert!(nothing.contains("nothing to give up"), "{nothing}");
}

#[test]
fn what_is_told_to_nobody_is_done() {
    for json in [&[][..], &["--json"]] {
        let dir = Dir::new("trim-unread");
        quotes(&dir, 1000);
        let trim = ["trim", dir.str(), "--before", "10000", "--yes"];
        let done = unread(&[&trim[..], json].concat());
        assert_eq!(done, (Some(0), String::new()), "{json:?}");
        assert_eq!(Reader::open(&dir).unwrap().oldest().unwrap(), 8192);
    }
}

#[test]
fn what_cursors_have_yet_to_read_stays_unless_told() {
    let dir = Dir::new("trim-cursors");
    quotes(&dir, 1000);
    out(0, &["cursors", "set", dir.str(), "desk", "4096"]);
    let trim = ["trim", dir.str(), "--yes", "--before"];
    out(0, &[&trim[..], &["4096"]].concat());
    let kept = run(&[&trim[..], &["8192"]].concat());
    assert_eq!(kept.code, Some(1));
    assert!(
        kept.out.contains("yet to read some of it: desk"),
        "{kept:?}"
    );
    assert!(kept.err.contains("--past-cursors"), "{kept:?}");
    assert_eq!(Reader::open(&dir).unwrap().oldest().unwrap(), 4096);
    out(0, &[&trim[..], &["8192", "--past-cursors"]].concat());
    assert_eq!(Reader::open(&dir).unwrap().oldest().unwrap(), 8192);
}

#[test]
fn cursors_are_set_listed_and_removed() {
    let dir = Dir::new("cursors");
    let sent = quotes(&dir, 100);
    assert_eq!(ran(0, &["cursors", "list", "--json", dir.str()]), json!([]));
    let between = (sent[3] + 16).to_string();
    let set = ran(
        0,
        &["cursors", "set", "--json", dir.str(), "desk", &between],
    );
    assert_eq!(set, json!({"name": "desk", "position": sent[4]}));
    out(0, &["cursors", "set", dir.str(), "audit", "newest"]);
    let list = ran(0, &["cursors", "list", "--json", dir.str()]);
    assert_eq!(
        (&list[0]["name"], &list[0]["behind"]),
        (&json!("audit"), &json!(0))
    );
    assert_eq!(
        (&list[1]["name"], &list[1]["position"]),
        (&json!("desk"), &json!(sent[4]))
    );
    let text = out(0, &["cursors", "list", dir.str()]);
    assert!(text.lines().nth(2).unwrap().contains("desk"), "{text}");

    let ahead = err(1, &["cursors", "set", dir.str(), "far", "1000000"]);
    assert!(ahead.contains("lies ahead"), "{ahead}");
    let name = err(1, &["cursors", "set", dir.str(), "a/b", "oldest"]);
    assert!(name.contains("no name for a cursor"), "{name}");
    let journal = Journal::open(&dir, config()).unwrap();
    let held = journal.cursor("desk").unwrap();
    assert_eq!(held.position(), sent[4]);
    let busy = err(1, &["cursors", "remove", dir.str(), "desk"]);
    assert!(busy.contains("is held by another"), "{busy}");
    drop(held);
    out(0, &["cursors", "remove", dir.str(), "desk"]);
    let missing = err(1, &["cursors", "remove", dir.str(), "desk"]);
    assert!(missing.contains("no cursor `desk`"), "{missing}");
}

#[test]
fn a_journal_in_use_is_not_changed() {
    let dir = Dir::new("in-use");
    quotes(&dir, 1000);
    let (journal, publisher) = market::open(&dir);
    for command in [
        &["trim", "--before", "8192", "--yes"][..],
        &["repair", "--yes"],
    ] {
        let text = err(1, &[command, &[dir.str()]].concat());
        assert!(text.contains("open for writing already"), "{text}");
    }
    assert_eq!(journal.oldest(), 0);
    drop(publisher);
}
