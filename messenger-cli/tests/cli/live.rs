//! A journal that this process writes, while the program reads it.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use messenger::bus::Start;
use messenger::journal::{Journal, JournalConfig, Schema};
use serde_json::Value;

use crate::kit::{Dir, json, lines, out, program, run};
use crate::market::{self, NAMELESS, QUOTE, quote};

/// Nothing takes so long.
const LONG: Duration = Duration::from_secs(300);

/// The program, and the lines that it writes.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(args: &[&str]) -> Self {
        Self::of(program(args).stdout(Stdio::piped()).spawn().unwrap())
    }

    /// Begins to read what `child` writes.
    fn of(mut child: Child) -> Self {
        let stdout = child.stdout.take().unwrap();
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if to.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines }
    }

    /// The next line: it does not wait for more to come.
    fn line(&self) -> Value {
        let line = self.lines.recv_timeout(LONG).expect("a line");
        serde_json::from_str(&line).unwrap()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn tail_follows_who_writes() {
    let dir = Dir::new("follow");
    let config = JournalConfig::new().segment_bytes(4096).ahead(1);
    let journal = Journal::open(&dir, config).unwrap();
    journal
        .admit(&Schema::from(<market::Market as messenger::App>::INFO))
        .unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    for price in 0..5 {
        publisher.send(QUOTE, &quote(price)).unwrap();
    }
    // A note of the time may stand before the last one that is not finished.
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let (end, begun) = (journal.bus().tail(), Instant::now());
    while subscriber.position() < end {
        assert!(begun.elapsed() < LONG);
        while subscriber.try_next().unwrap().is_some() {}
    }
    drop(subscriber);
    let tail = Following::start(&["tail", "-f", "-n", "2", "--json", dir.str()]);
    let payload = |price| Value::from(hex(&quote(price)));
    assert_eq!(
        [&tail.line()["payload"], &tail.line()["payload"]],
        [&payload(3), &payload(4)]
    );

    // One at a time, then many, over several segments.
    for price in 5..8 {
        let position = publisher.send(QUOTE, &quote(price)).unwrap();
        let line = tail.line();
        assert_eq!(
            (&line["payload"], &line["position"]),
            (&payload(price), &position.into())
        );
        // It was seen, or noted, just now.
        let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
        let ago = jiff::Timestamp::now().duration_since(time);
        assert!(ago.as_secs().abs() < 60, "{ago}");
    }
    for price in 8..1000 {
        publisher.send(QUOTE, &quote(price)).unwrap();
    }
    for price in 8..1000 {
        assert_eq!(tail.line()["payload"], payload(price));
    }

    // Names that come later.
    publisher.send(NAMELESS, b"").unwrap();
    assert_eq!(tail.line()["source"]["name"], Value::Null);
    let late = "message\t81\tLate\tby hand\t\t0\t1\t0000000000000000\nsource\t80\tLatecomer\n";
    journal.admit(&late.parse::<Schema>().unwrap()).unwrap();
    use messenger::bus::{MessageId, SourceId, Tag};
    let tag = Tag::new(SourceId::new(80), MessageId::new(81));
    publisher.send(tag, b"").unwrap();
    let line = tail.line();
    assert_eq!(
        (&line["source"]["name"], &line["message"]["name"]),
        (&"Latecomer".into(), &"Late".into())
    );
}

/// Has a command that reads a journal from its oldest record on come to a stop, since nobody reads what it writes, and gives up all of
/// the journal but its end. Gives the command, and where the last record stands.
fn overtaken(dir: &Dir, args: &[&str]) -> (Following, ChildStderr, u64) {
    let (journal, mut publisher) = market::open(dir);
    for price in 0..4000 {
        publisher.send(QUOTE, &quote(price)).unwrap();
    }
    let mut child = program(&[args, &[dir.str()]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    for price in 4000..8000 {
        publisher.send(QUOTE, &quote(price)).unwrap();
    }
    // The journal's thread has yet to see that they are finished.
    let newest = journal.bus().tail();
    let begun = Instant::now();
    while journal.trim(newest).unwrap() < newest / 4096 * 4096 {
        assert!(begun.elapsed() < LONG);
        std::thread::sleep(Duration::from_millis(1));
    }
    let last = publisher.send(QUOTE, &quote(9999)).unwrap();
    let stderr = child.stderr.take().unwrap();
    let following = Following::of(child);
    // The rest of the first line.
    following.lines.recv_timeout(LONG).expect("a line");
    (following, stderr, last)
}

const GIVEN_UP: &str = "were given up before they were read";

#[test]
fn tail_goes_on_after_what_was_given_up() {
    let dir = Dir::new("overtaken");
    let args = ["tail", "-f", "-n", "4000", "--json"];
    let (tail, mut stderr, last) = overtaken(&dir, &args);
    while tail.line()["position"] != last {}
    drop(tail);
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    assert!(text.contains(GIVEN_UP), "{text}");
}

#[test]
fn who_asked_for_no_place_goes_on_after_what_was_given_up() {
    for (args, code) in [
        (&["tail", "-n", "4000", "--json"][..], 0),
        (&["cat", "--json"], 0),
        (&["cat", "--json", "--from", "oldest"], 0),
        (&["export"], 0),
        // Who did is told that it is not there any more.
        (&["cat", "--json", "--from", "0"], 1),
    ] {
        let dir = Dir::new("overtaken-all");
        let (mut reading, mut stderr, _) = overtaken(&dir, args);
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        let ended = reading.child.wait().unwrap();
        assert_eq!(ended.code(), Some(code), "{args:?}: {text}");
        let told = if code == 0 {
            GIVEN_UP
        } else {
            "not retained any more"
        };
        assert!(text.contains(told), "{args:?}: {text}");
    }
}

#[test]
fn the_others_read_it_too() {
    let dir = Dir::new("live");
    let (journal, mut publisher) = market::open(&dir);
    for price in 0..500 {
        publisher.send(QUOTE, &quote(price)).unwrap();
    }
    let before = names(&dir);
    assert_eq!(lines(&out(0, &["cat", "--json", dir.str()])).len(), 500);
    assert_eq!(json(0, &["stat", "--json", dir.str()])["records"], 500);
    assert_eq!(lines(&out(0, &["export", dir.str()])).len(), 501);
    assert_eq!(
        json(0, &["info", "--json", dir.str()])["newest"],
        journal.bus().tail()
    );
    let verified = json(0, &["verify", "--json", dir.str()]);
    assert_eq!(
        (&verified["records"], &verified["live"]),
        (&500.into(), &true.into())
    );
    out(0, &["graph", dir.str()]);
    // They have made no file; the writer makes segments ahead.
    assert_eq!(names(&dir), before);
    publisher.send(QUOTE, &quote(500)).unwrap();
    drop(publisher);
    journal.close().unwrap();
}

#[test]
fn all_is_there_when_a_writer_was_killed() {
    let (from, dir) = (Dir::new("killed-from"), Dir::new("killed"));
    market::quotes(&from, 300);
    let export = out(0, &["export", from.str()]);
    let mut writer = program(&["import", dir.str()])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = writer.stdin.take().unwrap();
    stdin.write_all(export.as_bytes()).unwrap();
    stdin.flush().unwrap();
    // It has taken all of them, and waits for more.
    let begun = Instant::now();
    while run(&["cat", "--json", dir.str()]).out.lines().count() < 300 {
        assert!(begun.elapsed() < LONG);
    }
    assert_eq!(json(0, &["verify", "--json", dir.str()])["live"], true);
    writer.kill().unwrap();
    writer.wait().unwrap();

    let verified = json(0, &["verify", "--json", dir.str()]);
    assert_eq!(
        (&verified["live"], &verified["records"]),
        (&false.into(), &300.into())
    );
    let last = lines(&out(0, &["tail", "--json", "-n", "1", dir.str()]));
    assert_eq!(last[0]["payload"], hex(&quote(299)));
    out(0, &["repair", dir.str()]);
    // The next writer goes on where it ended.
    let path = from.join("export.jsonl");
    std::fs::write(&path, export).unwrap();
    let done = json(0, &["import", "--json", dir.str(), path.to_str().unwrap()]);
    assert!(done["first"].as_u64() > last[0]["position"].as_u64());
    assert_eq!(lines(&out(0, &["cat", "--json", dir.str()])).len(), 600);
    drop(stdin);
}

/// The names of all files but segments.
fn names(dir: &Dir) -> Vec<std::path::PathBuf> {
    let names = std::fs::read_dir(dir).unwrap();
    let names = names.map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = names.filter(|path| path.extension().is_none()).collect();
    names.sort();
    names
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
