//! `export` and `import`.

use std::io::Write;
use std::process::Stdio;

use messenger::journal::{Journal, JournalConfig, Schema};
use serde_json::{Value, json};

use crate::kit::{Dir, err, json as ran, lines, out, program, run};
use crate::market::{config, five, quotes};

/// The header's schema, and the records without their positions.
pub(crate) fn content(export: &str) -> (Value, Vec<Value>) {
    let mut lines = lines(export);
    let header = lines.remove(0);
    for line in &mut lines {
        line.as_object_mut().unwrap().remove("position").unwrap();
    }
    (header["schema"].clone(), lines)
}

/// Runs `import` with `text` on stdin.
pub(crate) fn import(dir: &Dir, args: &[&str], text: impl AsRef<[u8]>) -> crate::kit::Ran {
    let mut child = program(&[&["import", dir.str()], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended at an error.
    let _ = stdin.write_all(text.as_ref());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    crate::kit::Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn what_is_exported_and_imported_is_the_same() {
    let dir = Dir::new("round");
    five(&dir);
    // Payloads of all lengths and bytes, over several segments; then some after the last note of the time.
    let (journal, mut publisher) = crate::market::open(&dir);
    for n in 0..600_u32 {
        let bytes: Vec<u8> = (0..n).map(|i| (i * 7 + n) as u8).collect();
        publisher.send(crate::market::ORDER, &bytes).unwrap();
        if n % 50 == 0 {
            let time = crate::market::at(5000 + u64::from(n));
            journal.note_time(&mut publisher, time).unwrap();
        }
    }
    drop(publisher);
    journal.close().unwrap();

    let first = out(0, &["export", dir.str()]);
    let (schema, records) = content(&first);
    assert_eq!(records.len(), 605);
    assert_eq!(records[0]["time"], "2026-11-27T04:00:00Z");
    assert_eq!(records[604]["time"], Value::Null);
    assert_eq!(schema["tables"][0]["name"], "Market");

    let copy = Dir::new("round-copy");
    let done = import(&copy, &["--json"], &first);
    assert_eq!(done.code, Some(0), "{done:?}");
    let done: Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&done["records"], &done["first"]), (&json!(605), &json!(0)));
    let second = out(0, &["export", copy.str()]);
    assert_eq!(content(&second), (schema.clone(), records.clone()));
    assert_eq!(
        ran(0, &["info", "--json", copy.str()])["segment_bytes"],
        4096
    );
    out(0, &["verify", copy.str()]);
    let graph = |dir: &Dir| out(0, &["graph", dir.str()]);
    assert_eq!(graph(&dir), graph(&copy));

    // By files, with other segments, which move the records.
    let file = copy.join("export.jsonl");
    let path = file.to_str().unwrap();
    out(0, &["export", dir.str(), "-o", path]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    // What can't be exported takes no file away.
    out(1, &["export", "/no/such/journal", "-o", path]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    let wide = Dir::new("round-wide");
    out(0, &["import", wide.str(), path, "--segment-bytes", "65536"]);
    let third = out(0, &["export", wide.str()]);
    assert_eq!(content(&third), (schema, records));
    assert_ne!(third.lines().last(), first.lines().last());
}

#[test]
fn a_part_goes_into_a_journal_that_is_there() {
    let (from, to) = (Dir::new("part-from"), Dir::new("part-to"));
    quotes(&from, 200);
    five(&to);
    let part = out(0, &["export", from.str(), "--from", "2026-11-27T04:00:01Z"]);
    assert_eq!(lines(&part).len(), 101);
    assert_eq!(import(&to, &[], &part).code, Some(0));
    let all = lines(&out(0, &["cat", "--json", to.str()]));
    assert_eq!(all.len(), 105);
    assert_eq!(all[104]["payload"], lines(&part)[100]["payload"]);
    out(4, &["export", from.str(), "--from", "newest"]);
}

#[test]
fn a_line_that_can_not_be_taken_costs_no_time() {
    let dir = Dir::new("import-broken");
    five(&dir);
    let export = out(0, &["export", dir.str()]);
    let before: Vec<_> = export.lines().take(3).collect();
    let before = before.join("\n").into_bytes();
    for broken in [
        &b"{\"position\":"[..],
        b"{\"position\":0,\"time\":\"\xFF\"}",
    ] {
        let copy = Dir::new("import-broken-copy");
        let done = import(&copy, &[], [&before[..], b"\n", broken, b"\n"].concat());
        assert_eq!(done.code, Some(1), "{done:?}");
        let place = "line 4 of stdin, after 2 records that were imported: it can't be read: ";
        assert!(done.err.contains(place), "{done:?}");
        // The next ones have another time.
        let (header, rest) = export.split_once('\n').unwrap();
        let rest: Vec<_> = rest.lines().skip(2).collect();
        let rest = format!("{header}\n{}\n", rest.join("\n"));
        assert_eq!(import(&copy, &[], rest).code, Some(0));
        assert_eq!(content(&out(0, &["export", copy.str()])), content(&export));
    }
}

#[test]
fn what_a_payload_says_is_not_read_again() {
    let dir = Dir::new("import-deep");
    five(&dir);
    let export = out(0, &["export", dir.str()]);
    // Deeper than JSON is read.
    let deep = format!(",\"decoded\":{}{}}}\n", "[".repeat(200), "]".repeat(200));
    let (header, records) = export.split_once('\n').unwrap();
    let text = format!("{header}\n{}", records.replace("}\n", &deep));
    let copy = Dir::new("import-deep-copy");
    let done = import(&copy, &[], text);
    assert_eq!(done.code, Some(0), "{done:?}");
    let again = out(0, &["export", copy.str()]);
    assert_eq!(content(&again), content(&export));
}

#[test]
fn what_can_not_be_taken_is_named() {
    let dir = Dir::new("import-wrong");
    let header = json!({
        "messenger_export": 1,
        "journal": {"id": "", "created": "", "segment_bytes": 4096},
        "schema": {"messages": [{"id": 7, "name": "Tick"}], "sources": [{"id": 3, "name": "Clock"}]},
    });
    let record = |payload: &str, time: Value| json!({"position": 0, "time": time, "source": {"id": 3}, "message": {"id": 7}, "payload": payload});
    let fails = |texts: &[String]| {
        let ran = import(&dir, &[], texts.join("\n"));
        assert_eq!(ran.code, Some(1), "{ran:?}");
        ran.err
    };
    let good = record("00ff", Value::Null).to_string();
    let header = header.to_string();
    for (line, why) in [
        (
            record("0", Value::Null).to_string(),
            "its payload is no hex",
        ),
        (
            record("", json!("noon")).to_string(),
            "its time \"noon\" is none",
        ),
        (
            record("", json!("1969-12-31T23:59:59Z")).to_string(),
            "its time \"1969-12-31T23:59:59Z\" is none that a journal can note",
        ),
        (
            record("", json!("@18446744073.709551616")).to_string(),
            "is none that a journal can note",
        ),
        (
            record(&"00".repeat(5000), Value::Null).to_string(),
            "--segment-bytes",
        ),
        (
            "{\"position\":1}".to_owned(),
            "it can't be read: missing field",
        ),
        ("no JSON".to_owned(), "it can't be read"),
    ] {
        let text = fails(&[header.clone(), good.clone(), line]);
        let place = "line 3 of stdin, after 1 record that were imported: ";
        assert!(text.contains(place) && text.contains(why), "{text}");
    }
    let text = fails(std::slice::from_ref(&good));
    assert!(
        text.contains("line 1 of stdin") && text.contains("no schema stands before it"),
        "{text}"
    );
    let newer = header.replacen(":1,", ":2,", 1).replacen(
        "\"messenger_export\":1",
        "\"messenger_export\":2",
        1,
    );
    assert!(fails(&[newer]).contains("an export of version 2"));
    assert!(fails(&[]).contains("is empty"));

    // Another meaning of the same id.
    let other = Dir::new("import-conflict");
    let journal = Journal::open(&other, config()).unwrap();
    journal
        .admit(&"source\t3\tWatch\n".parse::<Schema>().unwrap())
        .unwrap();
    journal.close().unwrap();
    let ran = import(&other, &[], &header);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.err.contains("`Watch`") && ran.err.contains("`Clock`"),
        "{ran:?}"
    );

    // A name that would command a terminal.
    let rogue = Dir::new("import-rogue");
    let red = header.replace("Clock", "\\u001b[31mClock");
    assert_eq!(
        import(&rogue, &[], format!("{red}\n{good}\n")).code,
        Some(0)
    );
    for command in ["cat", "stat", "info"] {
        let text = out(0, &[command, rogue.str()]);
        assert!(text.contains("\\u{1b}[31mClock"), "{text}");
    }
    let known = err(1, &["cat", rogue.str(), "--source", "Watch"]);
    assert!(known.contains("knows \\u{1b}[31mClock"), "{known}");
    let conflict = import(&rogue, &[], &header);
    assert!(conflict.err.contains("\\u{1b}[31mClock"), "{conflict:?}");
    // Some terminals take one of these for the same command.
    let single = Dir::new("import-single");
    let green = header.replace("Clock", "\u{9b}32mClock");
    let done = import(&single, &[], format!("{green}\n{good}\n"));
    assert_eq!(done.code, Some(0));
    for args in [&["cat", "--json"][..], &["stat", "--json"], &["export"]] {
        let text = out(0, &[args, &[single.str()]].concat());
        assert!(text.contains("\"\\u009b32mClock\""), "{text}");
    }

    // Somebody writes it.
    let busy = Journal::open(&other, JournalConfig::new()).unwrap();
    for text in [&*header, "no line of an export"] {
        let ran = import(&other, &[], text);
        assert!(ran.err.contains("open for writing already"), "{ran:?}");
        assert!(!ran.err.contains("line 1"), "{ran:?}");
        if cfg!(target_os = "linux") {
            let by = format!("by process {}, ", std::process::id());
            assert!(ran.err.contains(&by), "{ran:?}");
        }
    }
    drop(busy);
    let absent = run(&["import", other.str(), "/no/such/file"]);
    assert!(
        absent.code == Some(1) && absent.err.contains("could not read /no/such/file"),
        "{absent:?}"
    );
}
