//! `info`, `cat`, `tail`, `stat`, `graph`.

use messenger::Graph;
use messenger::journal::{Journal, Schema};
use serde_json::{Value, json};

use crate::kit::{Dir, err, json as ran, lines, out, snapshot};
use crate::market::{self, Market, five, quotes};

fn positions(records: &[Value]) -> Vec<u64> {
    let positions = records.iter().map(|record| record["position"].as_u64());
    positions.map(Option::unwrap).collect()
}

#[test]
fn people_read_records() {
    let dir = Dir::new("people");
    five(&dir);
    snapshot("cat.txt", &out(0, &["cat", dir.str()]));
    let full = out(0, &["cat", "--full", dir.str()]);
    assert!(full.contains(&"ff".repeat(100)), "{full}");
}

#[test]
fn scripts_read_records() {
    let dir = Dir::new("scripts");
    let sent = five(&dir);
    let records = lines(&out(0, &["cat", "--json", dir.str()]));
    assert_eq!(positions(&records), sent);
    assert_eq!(
        records[1],
        json!({
            "position": sent[1],
            "time": "2026-11-27T04:00:00Z",
            "source": {"id": 2, "name": "Trader"},
            "message": {"id": 2, "name": "Order", "codec": "bincode"},
            "payload": "64000000",
        })
    );
    assert_eq!(
        records[4],
        json!({
            "position": sent[4],
            "time": null,
            "source": {"id": 70, "name": null},
            "message": {"id": 71, "name": null, "codec": null},
            "payload": "ff".repeat(100),
        })
    );
}

#[test]
fn a_range_goes_from_place_to_place() {
    let dir = Dir::new("range");
    let sent = five(&dir);
    let of = |args: &[&str]| {
        let args = [&["cat", "--json", dir.str()], args].concat();
        positions(&lines(&out(0, &args)))
    };
    let (second, third) = (sent[1].to_string(), sent[2].to_string());
    assert_eq!(of(&["--from", &second]), sent[1..]);
    // Between two records: the next one.
    let between = (sent[1] + 16).to_string();
    assert_eq!(of(&["--from", &between]), sent[2..]);
    assert_eq!(of(&["--from", &second, "--to", &third]), sent[1..2]);
    assert_eq!(of(&["--to", "newest"]), sent);
    // Times: the records by 04:00:00, by 04:00:02, and those of which no time is known.
    assert_eq!(of(&["--from", "2026-11-27T04:00:00Z"]), sent);
    assert_eq!(of(&["--from", "2026-11-27T05:00:00.001+01:00"]), sent[2..]);
    assert_eq!(of(&["--from", "@1795752002.5"]), sent[4..]);
    assert_eq!(of(&["--to", "2026-11-27T04:00:02Z"]), sent[..2]);
    assert_eq!(of(&["--to", "2026-11-27T04:00:02.1Z"]), sent);
    let (from, to) = ("2026-11-27T04:00:01Z", "2026-11-27T04:00:03Z");
    assert_eq!(
        of(&["--from", from, "--to", to, "--message", "Note"]),
        sent[3..4]
    );
    // Names and ids.
    assert_eq!(of(&["--source", "Trader"]), sent[1..3]);
    assert_eq!(
        of(&["--source", "Feed", "--source", "70"]),
        [sent[0], sent[3], sent[4]]
    );
    assert_eq!(of(&["--message", "2", "--source", "2"]), sent[1..3]);
    // Nothing.
    out(4, &["cat", dir.str(), "--from", "newest"]);
    out(4, &["cat", dir.str(), "--to", "oldest"]);
    out(4, &["cat", dir.str(), "--from", "16", "--to", "16"]);
    let times = ["2026-11-27T04:00:02Z", "2026-11-27T04:00:01Z"];
    for [from, to] in [["17", "5"], times] {
        let backwards = format!("--from {from} lies after --to {to}");
        for command in [&["cat"][..], &["export"], &["stat"]] {
            let args = [command, &[dir.str(), "--from", from, "--to", to]].concat();
            let text = err(2, &args);
            assert!(text.contains(&backwards), "{text}");
        }
    }
    out(
        4,
        &["cat", dir.str(), "--source", "Feed", "--message", "Order"],
    );
    let wrong = err(1, &["cat", dir.str(), "--source", "Fed"]);
    assert!(
        wrong.contains("no source \"Fed\": it knows Feed, Trader"),
        "{wrong}"
    );
    let ahead = err(1, &["cat", dir.str(), "--from", "1000000"]);
    assert!(ahead.contains("lies ahead of the journal"), "{ahead}");
    let usage = err(2, &["cat", dir.str(), "--from", "yesterday"]);
    assert!(usage.contains("`oldest`, `newest`"), "{usage}");
    err(2, &["cat"]);
    err(2, &["dog"]);
}

#[test]
fn ago_is_before_now() {
    let dir = Dir::new("ago");
    let (journal, mut publisher) = market::open(&dir);
    let hour = std::time::Duration::from_secs(3600);
    let now = std::time::SystemTime::now();
    for (hours, payload) in [(3, b"three"), (2, b"two ."), (1, b"one .")] {
        publisher.send(market::ORDER, payload).unwrap();
        journal
            .note_time(&mut publisher, now - hour * hours)
            .unwrap();
    }
    drop(publisher);
    journal.close().unwrap();
    let number = |place| lines(&out(0, &["cat", "--json", dir.str(), "--from", place])).len();
    assert_eq!(
        (number("-1h30m"), number("-150m"), number("-1d")),
        (1, 2, 3)
    );
}

#[test]
fn tail_shows_the_last() {
    let dir = Dir::new("last");
    // Some 40 segments.
    let sent = quotes(&dir, 4000);
    let of = |args: &[&str]| {
        let args = [&["tail", "--json", dir.str()], args].concat();
        positions(&lines(&out(0, &args)))
    };
    assert_eq!(of(&[]), sent[3990..]);
    assert_eq!(of(&["-n", "1"]), sent[3999..]);
    assert_eq!(of(&["-n", "1000"]), sent[3000..]);
    assert_eq!(of(&["-n", "100000"]), sent);
    assert_eq!(of(&["-n", "3", "--message", "Quote"]), sent[3997..]);
    out(4, &["tail", dir.str(), "-n", "0"]);
    out(4, &["tail", dir.str(), "--message", "Order"]);
}

#[test]
fn rates_are_of_the_time_between_notes() {
    let dir = Dir::new("rates");
    quotes(&dir, 500);
    let stat = ran(0, &["stat", "--json", dir.str()]);
    // The first hundred came before the first note; 400 came in 4 s.
    assert_eq!(stat["records"], 500);
    assert_eq!(stat["per_second"], 100.0);
    assert_eq!(stat["first"], "2026-11-27T04:00:00Z");
    assert_eq!(stat["last"], "2026-11-27T04:00:04Z");
    assert_eq!(stat["rows"][0]["message"]["name"], "Quote");
    assert_eq!(stat["rows"][0]["per_second"], 100.0);
    let one = ran(
        0,
        &["stat", "--json", dir.str(), "--to", "2026-11-27T04:00:01Z"],
    );
    assert_eq!(
        (&one["records"], &one["per_second"]),
        (&json!(100), &Value::Null)
    );

    let dir = Dir::new("five-rates");
    let sent = five(&dir);
    snapshot("stat.txt", &out(0, &["stat", dir.str()]));
    let stat = ran(0, &["stat", "--json", dir.str()]);
    let nameless = (&stat["rows"][3]["records"], &stat["rows"][3]["per_second"]);
    assert_eq!(nameless, (&json!(1), &Value::Null));
    let from = |position: u64| {
        let from = position.to_string();
        let text = out(0, &["stat", dir.str(), "--from", &from]);
        text.lines().next().unwrap().to_owned()
    };
    assert_eq!(
        from(sent[3]),
        "2026-11-27T04:00:02Z, and no other time known"
    );
    assert_eq!(from(sent[4]), "no time known");
    let none = ran(4, &["stat", "--json", dir.str(), "--from", "newest"]);
    assert_eq!(none["rows"], json!([]));
}

#[test]
fn info_says_what_it_holds() {
    let dir = Dir::new("info");
    five(&dir);
    out(0, &["cursors", "set", dir.str(), "desk", "oldest"]);
    let info = ran(0, &["info", "--json", dir.str()]);
    assert_eq!(info["segment_bytes"], 4096);
    assert_eq!(info["oldest"], 0);
    assert_eq!(info["newest"], info["synced"]);
    assert_eq!(info["oldest_time"], "2026-11-27T04:00:00Z");
    assert_eq!(info["newest_time"], "2026-11-27T04:00:02Z");
    assert_eq!(
        (&info["unsynced_since"], &info["flushes"]),
        (&Value::Null, &json!(1))
    );
    assert!(info["longest_flush_seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(info["schema"]["messages"][0]["name"], "Quote");
    assert_eq!(info["schema"]["tables"][0]["name"], "Market");
    assert_eq!(info["cursors"][0]["name"], "desk");
    assert_eq!(info["cursors"][0]["behind"], info["newest"]);
    let id = info["id"].as_str().unwrap();
    assert_eq!(id.len(), 32);
    let created = info["created"].as_str().unwrap();
    let text = out(0, &["info", dir.str()]);
    let text = text.replace(id, "ID").replace(created, "CREATED");
    // A second segment may have been made ahead.
    let text = text.replace("2 segments of 4 KiB, 16 KiB", "1 segment of 4 KiB, 8 KiB");
    snapshot("info.txt", &text.replace(dir.str(), "DIR"));
}

#[test]
fn the_kept_table_is_drawn() {
    let dir = Dir::new("graph");
    five(&dir);
    let graph = Graph::of::<Market>();
    assert_eq!(out(0, &["graph", dir.str()]), graph.mermaid());
    assert_eq!(out(0, &["graph", dir.str(), "-f", "dot"]), graph.dot());
    let svg = out(0, &["graph", dir.str(), "--format", "svg"]);
    assert!(svg.contains("<svg") && svg.contains("trader"), "{svg}");
    let drawn = ran(0, &["graph", dir.str(), "--json"]);
    assert_eq!(
        drawn["nodes"][0],
        json!({"name": "trader", "type": "Trader", "id": 2, "worker": "Desk"})
    );
    assert_eq!(
        drawn["edges"][0],
        json!({"from": 1, "to": 0, "message": "Quote"})
    );
    let wrong = err(1, &["graph", dir.str(), "--table", "Bazaar"]);
    assert!(
        wrong.contains("no table \"Bazaar\"; it has: Market"),
        "{wrong}"
    );

    let journal = Journal::open(&dir, market::config()).unwrap();
    journal
        .admit(&"table\tBazaar\n".parse::<Schema>().unwrap())
        .unwrap();
    let several = err(1, &["graph", dir.str()]);
    assert!(
        several.contains("--table NAME, of Market, Bazaar"),
        "{several}"
    );
    out(0, &["graph", dir.str(), "--table", "Market"]);

    let none = Dir::new("no-graph");
    Journal::open(&none, market::config())
        .unwrap()
        .close()
        .unwrap();
    assert!(err(4, &["graph", none.str()]).contains("no table has run"));
    let named = err(4, &["graph", none.str(), "--table", "Market"]);
    assert!(named.contains("no table has run"), "{named}");
}

#[test]
fn what_is_no_journal_is_an_error() {
    let dir = Dir::new("none");
    for command in [
        "info", "cat", "tail", "stat", "verify", "repair", "export", "graph",
    ] {
        let text = err(1, &[command, dir.str()]);
        assert!(text.contains("there is none"), "{command}: {text}");
    }
    std::fs::create_dir(&dir).unwrap();
    std::fs::write(dir.join("letter.txt"), "Dear").unwrap();
    let text = err(1, &["info", dir.str()]);
    assert!(text.contains("no `schema` of a journal"), "{text}");
}

#[test]
fn who_has_read_enough_ends_it_quietly() {
    use std::io::{BufRead, BufReader};
    let dir = Dir::new("pipe");
    quotes(&dir, 4000);
    for command in [&["cat", "--json"][..], &["export"], &["tail", "-n", "4000"]] {
        let mut child = crate::kit::program(&[command, &[dir.str()]].concat())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{command:?}");
        assert_eq!(output.status.code(), Some(0), "{command:?}");
    }
}
