//! Damaged journals: `verify`, `repair`, and what the others say.

use std::fs;

use crate::kit::{Dir, err, json, lines, out, run, unread};
use crate::market::quotes;

/// Flips a bit of the payload of the record at `position`.
fn flip(dir: &Dir, position: u64) {
    let path = dir.segment(position / 4096 * 4096);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096 + (position % 4096) as usize + 16] ^= 4;
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_sound_is_said_to_be() {
    let dir = Dir::new("sound");
    quotes(&dir, 300);
    let verified = json(0, &["verify", "--json", dir.str()]);
    assert_eq!(
        (verified["records"].as_u64(), verified["notes"].as_u64()),
        (Some(300), Some(3))
    );
    assert_eq!(verified["damage"], serde_json::json!([]));
    let text = out(0, &["verify", dir.str()]);
    assert!(
        text.starts_with("300 records, ") && text.ends_with("all of it is sound\n"),
        "{text}"
    );
    let before = dir.files();
    let plan = json(0, &["repair", "--json", dir.str(), "--yes"]);
    assert_eq!(
        (&plan["done"], &plan["cut"]),
        (&serde_json::json!(false), &serde_json::Value::Null)
    );
    assert!(out(0, &["repair", dir.str()]).ends_with("nothing to repair\n"));
    assert_eq!(dir.files(), before);
}

#[test]
fn a_flipped_bit_is_found_and_given_up() {
    let dir = Dir::new("flipped");
    let sent = quotes(&dir, 300);
    let at = sent[120];
    flip(&dir, at);

    let verified = json(3, &["verify", "--json", dir.str()]);
    assert_eq!(verified["damage"][0]["position"], at);
    assert_eq!(verified["damage"][0]["kind"], "checksum");
    assert_eq!(verified["damage"][0]["synced"], true);
    let ran = run(&["verify", dir.str()]);
    assert_eq!(ran.code, Some(3));
    let text = format!("damaged: the record at position {at} has another checksum");
    assert!(ran.out.contains(&text), "{ran:?}");
    assert!(ran.err.contains("messenger repair"), "{ran:?}");

    // All that stands before is shown.
    let ran = run(&["cat", "--json", dir.str()]);
    assert_eq!((ran.code, lines(&ran.out).len()), (Some(3), 120));
    assert!(
        ran.err.contains(&format!("position {at} is damaged")),
        "{ran:?}"
    );
    let ran = run(&["export", dir.str()]);
    assert_eq!((ran.code, lines(&ran.out).len()), (Some(3), 121));
    // What stands after it in a later segment can be had by its place.
    let after = (at / 4096 + 1) * 4096;
    let rest = lines(&out(
        0,
        &["cat", "--json", dir.str(), "--from", &after.to_string()],
    ));
    assert_eq!(rest.len(), sent.iter().filter(|&&p| p >= after).count());
    err(3, &["stat", dir.str()]);

    // A plan changes nothing.
    let before = dir.files();
    let plan = json(3, &["repair", "--dry-run", "--json", dir.str()]);
    assert_eq!(
        (plan["done"].as_bool(), plan["cut"]["from"].as_u64()),
        (Some(false), Some(at))
    );
    let ran = run(&["repair", dir.str()]);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.out
            .contains(&format!("from position {at} on are given up")),
        "{ran:?}"
    );
    assert!(ran.err.contains("say --yes"), "{ran:?}");
    assert_eq!(dir.files(), before);

    let done = json(0, &["repair", "--json", "--yes", dir.str()]);
    assert_eq!(
        (done["done"].as_bool(), done["cut"]["from"].as_u64()),
        (Some(true), Some(at))
    );
    out(0, &["verify", dir.str()]);
    let kept = lines(&out(0, &["cat", "--json", dir.str()]));
    let kept: Vec<_> = kept
        .iter()
        .map(|record| record["position"].as_u64().unwrap())
        .collect();
    assert_eq!(kept, sent[..120]);
    // It opens, and takes records.
    quotes(&dir, 10);
    assert_eq!(lines(&out(0, &["cat", "--json", dir.str()])).len(), 130);
}

#[test]
fn a_segment_that_is_missing_or_cut_is_found() {
    for (name, kind) in [("missing", "missing"), ("cut", "cut")] {
        let dir = Dir::new(name);
        quotes(&dir, 300);
        let path = dir.segment(4096);
        if kind == "missing" {
            fs::remove_file(path).unwrap();
        } else {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(5000).unwrap();
        }
        let verified = json(3, &["verify", "--json", dir.str()]);
        let kinds: Vec<_> = verified["damage"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["kind"].as_str().unwrap())
            .collect();
        assert!(kinds.contains(&kind), "{name}: {verified}");
        let ran = run(&["cat", dir.str()]);
        assert_eq!(ran.code, Some(3), "{name}: {}", ran.err);
        out(0, &["repair", "--yes", dir.str()]);
        out(0, &["verify", dir.str()]);
    }
}

#[test]
fn missing_oldest_segments_are_found_and_the_rest_stays() {
    let dir = Dir::new("missing-first");
    let sent = quotes(&dir, 300);
    fs::remove_file(dir.segment(0)).unwrap();
    let verified = json(3, &["verify", "--json", dir.str()]);
    assert_eq!(verified["damage"][0]["kind"], "missing");
    let plan = json(3, &["repair", "--json", "--dry-run", dir.str()]);
    assert_eq!(plan["begins"], 4096);
    let text = run(&["repair", "--dry-run", dir.str()]).out;
    let said = "the journal begins at position 4096 from now on: the segments before are missing";
    assert!(text.contains(said), "{text}");
    out(0, &["repair", "--yes", dir.str()]);
    out(0, &["verify", dir.str()]);
    let kept = sent.iter().filter(|&&at| at >= 4096).count();
    assert_eq!(lines(&out(0, &["cat", "--json", dir.str()])).len(), kept);
}

#[test]
fn a_damaged_schema_is_made_anew() {
    let dir = Dir::new("schema");
    let sent = quotes(&dir, 30);
    let path = dir.join("schema");
    let mut bytes = fs::read(&path).unwrap();
    bytes[60] ^= 1;
    fs::write(&path, bytes).unwrap();
    let text = err(3, &["info", dir.str()]);
    assert!(text.contains("`schema` is damaged"), "{text}");
    let verified = json(3, &["verify", "--json", dir.str()]);
    assert_eq!(verified["damage"][0]["kind"], "schema");
    out(0, &["repair", "--yes", dir.str()]);
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(records.len(), sent.len());
    assert_eq!(records[0]["message"]["name"], serde_json::Value::Null);
}

#[test]
fn a_damaged_cursor_hides_nothing_else() {
    let dir = Dir::new("cursor");
    quotes(&dir, 30);
    for name in ["broken", "sound"] {
        out(0, &["cursors", "set", dir.str(), name, "0"]);
    }
    fs::write(dir.join("cursors/broken"), "written over").unwrap();
    let texts = [
        "cursor `broken` is damaged",
        "messenger cursors remove DIR broken",
    ];
    for args in [&["info"][..], &["cursors", "list"]] {
        let ran = run(&[args, &[dir.str()]].concat());
        assert_eq!(ran.code, Some(3), "{ran:?}");
        assert!(texts.iter().all(|text| ran.err.contains(text)), "{ran:?}");
        let line = |name: &str| ran.out.lines().find(|line| line.contains(name)).unwrap();
        assert!(line("broken").ends_with("can't be read"), "{ran:?}");
        assert!(!line("sound").contains("can't be read"), "{ran:?}");
        assert_eq!(unread(&[args, &[dir.str()]].concat()).0, Some(3));
        let said = json(3, &[args, &["--json", dir.str()]].concat());
        let cursors = said.get("cursors").unwrap_or(&said);
        assert_eq!(cursors[0]["name"], "broken");
        assert!(cursors[0]["error"].as_str().unwrap().contains(texts[0]));
        assert_eq!(cursors[1]["position"], 0);
    }
    // As it says.
    out(0, &["cursors", "remove", dir.str(), "broken"]);
    out(0, &["cursors", "set", dir.str(), "broken", "oldest"]);
    out(0, &["info", dir.str()]);
}

#[test]
fn damage_counts_also_where_nobody_reads_of_it() {
    for json in [&[][..], &["--json"]] {
        let dir = Dir::new("unread");
        let sent = quotes(&dir, 300);
        flip(&dir, sent[120]);
        let ends = |args: &[&str]| unread(&[args, json, &[dir.str()]].concat()).0;
        assert_eq!(ends(&["verify"]), Some(3), "{json:?}");
        assert_eq!(ends(&["repair", "--dry-run"]), Some(3), "{json:?}");
        assert_eq!(ends(&["repair"]), Some(1), "{json:?}");
        err(3, &["verify", dir.str()]);
        assert_eq!(ends(&["repair", "--yes"]), Some(0), "{json:?}");
        out(0, &["verify", dir.str()]);
    }
}
