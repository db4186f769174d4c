//! Buses that processes share: the program looks at those that children of this one use.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use messenger::Graph;
use messenger::bus::Start;
use messenger::shared::SharedBus;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use crate::kit::{err, json, lines, out, program, run, snapshot};
use crate::market::{Feed, Market, ORDER, Quote, quote};

const ROLE: &str = "MESSENGER_CLI_ROLE";

/// A directory in memory, which goes with its guard.
struct Shm(PathBuf);

impl Shm {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("messenger-cli-{}-{number}", std::process::id());
        let path = Path::new("/dev/shm").join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn str(&self) -> &str {
        self.0.to_str().unwrap()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("messenger.{name}"))
    }

    /// Runs a command of the program on the buses here.
    #[track_caller]
    fn out(&self, code: i32, args: &[&str]) -> String {
        out(code, &[args, &["--dir", self.str()]].concat())
    }

    #[track_caller]
    fn json(&self, code: i32, args: &[&str]) -> Value {
        json(code, &[args, &["--json", "--dir", self.str()]].concat())
    }

    /// What `ls` says of the bus `name`.
    #[track_caller]
    fn listed(&self, name: &str) -> Value {
        let all = self.json(0, &["ls"]);
        let mut all = all.as_array().unwrap().iter();
        all.find(|bus| bus["name"] == name).unwrap().clone()
    }
}

impl Drop for Shm {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A child, which does what it is told, and is killed when this goes.
struct Other {
    child: Child,
    stdin: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Other {
    fn start(role: &str, shm: &Shm, name: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["shared::child_process", "--exact", "--nocapture", "--quiet"])
            .env(ROLE, format!("{role} {} {name}", shm.str()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut other = Self {
            stdin: child.stdin.take().unwrap(),
            lines: BufReader::new(child.stdout.take().unwrap()),
            child,
        };
        assert_eq!(other.line(), "ready");
        other
    }

    /// The next line that the child says.
    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the child ended and said nothing");
            // What the test harness says stands before it.
            if let Some((_, said)) = line.split_once("> ") {
                return said.trim_end().to_owned();
            }
        }
    }

    fn tell(&mut self, what: &str) -> String {
        writeln!(self.stdin, "{what}").unwrap();
        self.line()
    }

    /// It leaves the bus in good order.
    fn quit(&mut self) {
        assert_eq!(self.tell("quit"), "left");
        self.child.wait().unwrap();
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child does; a test that does nothing in the parent.
#[test]
fn child_process() {
    let Ok(told) = std::env::var(ROLE) else {
        return;
    };
    let mut told = told.split(' ');
    let mut next = || told.next().unwrap();
    let (role, directory, name) = (next(), next(), next());
    let say = |what: &str| println!("\n> {what}");
    let told = std::io::stdin().lines().map(Result::unwrap);
    let options = SharedBus::options().directory(directory).process_name(role);
    match role {
        "market" => {
            let bus = options.bytes(1 << 14).create(name).unwrap();
            let market = Market::builder(&bus).run().unwrap();
            let mut feed = market.publisher::<Feed>().unwrap();
            say("ready");
            let mut price = 0;
            for line in told {
                let Some(number) = line.strip_prefix("send ") else {
                    break;
                };
                for _ in 0..number.parse().unwrap() {
                    let symbol = "ACME".to_owned();
                    feed.send(&Quote { symbol, price }).unwrap();
                    price += 1;
                }
                // Until the trader has handled them, and its orders.
                let begun = Instant::now();
                while bus.workers()[0].1 != Some(bus.bus().tail()) {
                    assert!(begun.elapsed().as_secs() < 20);
                    std::thread::sleep(Duration::from_micros(50));
                }
                say(&bus.bus().tail().to_string());
            }
            drop(feed);
            market.stop().unwrap();
            drop(bus);
            say("left");
        }
        "sleeper" => {
            let bus = options.open(name).unwrap();
            let subscriber = bus.bus().subscribe(Start::Newest).unwrap();
            say("ready");
            for _ in told.take(1) {}
            drop((bus, subscriber));
            say("left");
        }
        "kept" => {
            let bus = options.keep(true).create(name).unwrap();
            bus.bus().publisher().unwrap().send(ORDER, b"kept").unwrap();
            drop(bus);
            say("ready");
        }
        other => panic!("no role {other}"),
    }
}

/// The text without what differs from run to run: process numbers and times.
fn settled(text: &str, others: &[&Other]) -> String {
    let mut text = text.to_owned();
    for (index, other) in others.iter().enumerate() {
        text = text.replace(&format!("{} ", other.child.id()), &format!("PID{index} "));
    }
    let lines = text.lines().map(|line| {
        let (before, after) = line.split_once("since ").unwrap_or((line, ""));
        let (time, after) = after.split_once(',').unwrap_or((after, ""));
        match (time, after) {
            ("", _) => line.to_owned(),
            (_, "") => format!("{before}since TIME"),
            _ => format!("{before}since TIME,{after}"),
        }
    });
    lines.collect::<Vec<_>>().join("\n") + "\n"
}

#[test]
fn ls_tells_who_uses_a_bus_and_how_far_they_are() {
    let shm = Shm::new();
    assert_eq!(
        shm.out(4, &["ls"]),
        format!("there is no shared bus in {}\n", shm.str())
    );
    let mut market = Other::start("market", &shm, "prices");
    let mut sleeper = Other::start("sleeper", &shm, "prices");
    market.tell("send 3");
    let all = [&market, &sleeper];
    let text = shm.out(0, &["ls"]);
    snapshot("ls.txt", &settled(&text, &all));
    let text = shm.out(0, &["ls", "-v"]);
    snapshot("ls-members.txt", &settled(&text, &all));

    let bus = shm.listed("prices");
    assert_eq!(bus["state"], "live");
    assert_eq!(
        bus["file_bytes"],
        shm.file("prices").metadata().unwrap().len()
    );
    let look = &bus["bus"];
    // `ls` itself is none of them.
    let pids: Vec<_> = look["processes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| p["pid"].as_u64().unwrap())
        .collect();
    assert_eq!(pids, all.map(|other| u64::from(other.child.id())));
    let tail = look["tail"].as_u64().unwrap();
    let worker = &look["workers"][0];
    assert_eq!(
        (&worker["name"], &worker["lag"]),
        (&"Market.Desk".into(), &0.into())
    );
    assert_eq!(worker["position"], tail);
    assert_eq!(worker["process"], look["processes"][0]["place"]);
    // The sleeper came when the bus was empty, and has read nothing.
    assert_eq!((&look["lag"], &look["used"]), (&tail.into(), &tail.into()));

    // One that died is told while nobody has its place.
    sleeper.kill();
    until("the death of the sleeper", || {
        shm.listed("prices")["bus"]["died"][0]["pid"] == sleeper.child.id()
            && shm.listed("prices")["bus"]["lag"] == 0
    });
    assert!(shm.out(0, &["ls"]).contains("live, 1 died"));
    market.quit();
    assert_eq!(shm.json(4, &["ls"]), Value::Array(Vec::new()));
    let error = err(1, &["ls", "--dir", "/nowhere"]);
    assert!(error.contains("/nowhere"), "{error}");
}

#[test]
fn clean_removes_what_nobody_uses() {
    let shm = Shm::new();
    assert_eq!(shm.out(0, &["clean"]), "there is no stale bus\n");
    let mut stale = Other::start("market", &shm, "stale");
    stale.kill();
    let mut theirs = Other::start("market", &shm, "theirs");
    theirs.kill();
    drop(Other::start("kept", &shm, "kept"));
    let _live = Other::start("market", &shm, "live");
    let mut broken = Other::start("market", &shm, "broken");
    broken.kill();
    // Of its capacity.
    let file = std::fs::File::options()
        .write(true)
        .open(shm.file("broken"))
        .unwrap();
    std::os::unix::fs::FileExt::write_at(&file, &[0xFF; 8], 24).unwrap();
    std::fs::write(shm.file("other"), vec![7; 8192]).unwrap();
    let is_root = geteuid().is_root();
    if is_root {
        std::os::unix::fs::chown(shm.file("theirs"), Some(12345), None).unwrap();
    }
    let there = |name: &str| shm.file(name).exists();
    let states: Vec<_> = ["broken", "kept", "live", "other", "stale"]
        .map(|name| shm.listed(name)["state"].as_str().unwrap().to_owned())
        .to_vec();
    assert_eq!(states, ["damaged", "kept", "live", "unknown", "stale"]);
    assert!(
        shm.out(0, &["ls"])
            .contains("damaged: its first page's checksum can't be")
    );

    let would = shm.out(0, &["clean", "--dry-run"]);
    assert!(would.contains("would remove stale, "), "{would}");
    for name in ["kept", "live", "other"] {
        assert!(!would.contains(name), "{would}");
    }
    assert!(
        would.contains("left broken: it is damaged: name it"),
        "{would}"
    );
    assert!(there("stale"));
    let done = shm.json(0, &["clean"]);
    assert_eq!(done["done"], true);
    assert!(!there("stale"));
    if is_root {
        assert_eq!(done["removed"].as_array().unwrap().len(), 1);
        assert!(
            done["left"][1]["why"]
                .as_str()
                .unwrap()
                .contains("the user 12345")
        );
        let left = shm.out(1, &["clean", "theirs"]);
        assert_eq!(left, "left theirs: it belongs to the user 12345\n");
        assert!(there("theirs"));
    }
    for (name, code) in [("live", 1), ("other", 1), ("kept", 0), ("broken", 0)] {
        assert!(there(name));
        let dry = shm.json(code, &["clean", "--dry-run", name]);
        assert!(there(name));
        let said = shm.json(code, &["clean", name]);
        assert_eq!(said["removed"], dry["removed"]);
        assert_eq!(there(name), code == 1, "{name}: {said}");
    }
    let error = err(1, &["clean", "nobody", "--dir", shm.str()]);
    assert!(error.contains("there is no bus \"nobody\""), "{error}");
}

#[test]
fn records_of_a_live_bus_are_read() {
    let shm = Shm::new();
    let mut market = Other::start("market", &shm, "prices");
    let before = shm.file("prices");
    assert_eq!(shm.out(4, &["tail", "prices"]), "");
    let tail: u64 = market.tell("send 3").parse().unwrap();
    let records = lines(&shm.out(0, &["tail", "--json", "-n", "4", "prices"]));
    let prices = |records: &[Value], name: &str| -> Vec<String> {
        let its = records
            .iter()
            .filter(|record| record["message"]["name"] == name);
        its.map(|record| record["payload"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(records.len(), 4);
    assert_eq!(records[3]["source"]["name"], "Trader");
    assert_eq!(*prices(&records, "Order").last().unwrap(), "02000000");
    let quotes = lines(&shm.out(0, &["tail", "--json", "--message", "Quote", "prices"]));
    assert_eq!(
        prices(&quotes, "Quote"),
        [0, 1, 2].map(|price| hex(&quote(price)))
    );
    // By its file, and as `shm:`.
    let file = shm.file("prices");
    assert_eq!(
        lines(&out(0, &["tail", "--json", file.to_str().unwrap()])).len(),
        6
    );
    assert_eq!(
        shm.out(0, &["tail", "shm:prices"]),
        shm.out(0, &["tail", "prices"])
    );

    snapshot("stat-bus.txt", &shm.out(0, &["stat", "prices"]));
    let counted = shm.json(0, &["stat", "prices"]);
    assert_eq!(
        (&counted["records"], &counted["missed_bytes"]),
        (&6.into(), &0.into())
    );
    let place = records[3]["position"].to_string();
    let counted = shm.json(0, &["stat", "prices", "--from", &place]);
    assert_eq!(counted["records"], 1);
    let error = run(&["stat", "prices", "--from", "-1m", "--dir", shm.str()]);
    assert!(error.err.contains("notes no times"), "{error:?}");

    let drawn = shm.out(0, &["graph", "prices"]);
    assert_eq!(drawn, Graph::of::<Market>().mermaid());

    // Nobody is left behind, and nothing has changed.
    let look = &shm.listed("prices")["bus"];
    assert_eq!(look["processes"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&look["tail"], &look["died"]),
        (&tail.into(), &Value::Array(Vec::new()))
    );
    market.quit();
    assert!(!before.exists());
    let error = err(1, &["tail", "prices", "--dir", shm.str()]);
    assert!(error.contains("there is no bus"), "{error}");
    let error = err(1, &["tail", "no-bus-of-this-name"]);
    assert!(error.contains("`messenger ls` lists the buses"), "{error}");
}

#[test]
fn stat_counts_what_comes() {
    let shm = Shm::new();
    let mut market = Other::start("market", &shm, "prices");
    market.tell("send 3");
    let counting = program(&[
        "stat",
        "--for",
        "1s",
        "--json",
        "prices",
        "--dir",
        shm.str(),
    ])
    .stdout(Stdio::piped())
    .spawn()
    .unwrap();
    // Its observer is its second member.
    until("the program to come", || {
        shm.listed("prices")["bus"]["processes"][1]["members"] == 2
    });
    market.tell("send 50");
    let output = counting.wait_with_output().unwrap();
    let counted: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(counted["records"], 100);
    let rate = counted["per_second"].as_f64().unwrap();
    assert!((50.0..=100.0).contains(&rate), "{rate}");
}

/// `tail -f`, with its output.
fn follow(shm: &Shm, name: &str) -> (Child, BufReader<ChildStdout>) {
    let args = ["tail", "-f", "-n", "1", "--json", name, "--dir", shm.str()];
    let mut child = program(&args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    (child, out)
}

fn next(lines: &mut BufReader<ChildStdout>) -> Value {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

/// What is left of its output when the program has ended, and what it said of that.
fn ended(mut child: Child, mut out: BufReader<ChildStdout>) -> (Option<i32>, String, String) {
    let (mut rest, mut said) = (String::new(), String::new());
    out.read_to_string(&mut rest).unwrap();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    (child.wait().unwrap().code(), rest, said)
}

#[test]
fn tail_follows_until_nobody_is_there() {
    for killed in [false, true] {
        let shm = Shm::new();
        let mut market = Other::start("market", &shm, "prices");
        market.tell("send 2");
        let mut tails = [follow(&shm, "prices"), follow(&shm, "prices")];
        for (_, lines) in &mut tails {
            assert_eq!(next(lines)["payload"], "01000000");
        }
        // As many as there is room for without their being written over.
        market.tell("send 100");
        for (_, lines) in &mut tails {
            let records: Vec<_> = (0..200).map(|_| next(lines)).collect();
            let quotes = records.iter().filter(|r| r["source"]["name"] == "Feed");
            let quotes: Vec<_> = quotes.map(|r| r["payload"].as_str().unwrap()).collect();
            assert_eq!(
                quotes,
                Vec::from_iter((2..102).map(|price| hex(&quote(price))))
            );
        }
        if killed {
            market.kill();
        } else {
            market.quit();
        }
        let begun = Instant::now();
        for (child, lines) in tails {
            let (code, rest, said) = ended(child, lines);
            assert_eq!((code, &*rest), (Some(0), ""), "{said}");
            assert!(
                said.contains("nobody uses the bus prices any more"),
                "{said}"
            );
        }
        assert!(begun.elapsed() < Duration::from_secs(5));
        // It is as if they had not been there.
        assert_eq!(shm.file("prices").exists(), killed);
        if killed {
            assert_eq!(shm.listed("prices")["state"], "stale");
            let last = lines(&shm.out(0, &["tail", "-n", "1", "--json", "prices"]));
            assert_eq!(last[0]["payload"], "65000000");
            shm.out(0, &["stat", "prices"]);
            shm.out(0, &["graph", "prices"]);
            assert_eq!(shm.listed("prices")["state"], "stale");
        }
    }
}

#[test]
fn tail_leaves_in_good_order_when_interrupted() {
    let shm = Shm::new();
    let mut market = Other::start("market", &shm, "prices");
    market.tell("send 1");
    for signal in [Signal::INT, Signal::TERM] {
        let (child, mut lines) = follow(&shm, "prices");
        next(&mut lines);
        kill_process(Pid::from_child(&child), signal).unwrap();
        let (code, _, said) = ended(child, lines);
        assert_eq!((code, &*said), (Some(0), ""));
        let look = &shm.listed("prices")["bus"];
        assert_eq!(look["processes"].as_array().unwrap().len(), 1);
        assert_eq!(look["died"], Value::Array(Vec::new()));
    }
    market.quit();
    assert!(!shm.file("prices").exists());
}

#[test]
fn tail_holds_back_nobody_and_says_what_it_missed() {
    let shm = Shm::new();
    let mut market = Other::start("market", &shm, "prices");
    market.tell("send 1");
    let (mut child, mut lines) = follow(&shm, "prices");
    next(&mut lines);
    // Nobody reads what it writes, so it soon waits for that; the market does not wait for it. Far more than the ring and
    // all pipes hold.
    let begun = Instant::now();
    for _ in 0..20 {
        market.tell("send 1000");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(20), "{took:?}");
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let heard = std::thread::spawn(move || stderr.lines().next().unwrap().unwrap());
    // The last record of all is the order that follows the last quote; that may be missed.
    let mut last = String::new();
    while last != hex(&20_000_u32.to_le_bytes()) {
        last = next(&mut lines)["payload"].as_str().unwrap().to_owned();
    }
    let said = heard.join().unwrap();
    assert!(
        said.contains("bytes, which were written over before they were read"),
        "{said}"
    );
    assert!(shm.listed("prices")["bus"]["lagged"].as_u64() > Some(0));
    let _ = child.kill();
    let _ = child.wait();
    until("the death of the program", || users(&shm, "prices") == 1);
    market.quit();
}

#[test]
fn top_needs_a_terminal() {
    let shm = Shm::new();
    let error = err(1, &["top", "--dir", shm.str()]);
    assert!(error.contains("`messenger ls`"), "{error}");
    assert!(err(2, &["top", "--every", "1ms"]).contains("less than 100ms"));
}

#[test]
fn top_shows_what_goes_on() {
    let shm = Shm::new();
    let mut market = Other::start("market", &shm, "prices");
    let args = ["top", "--every", "100ms", "--dir", shm.str()];
    let (mut master, child) = crate::terminal::started(&args, (80, 24));
    let mut seen = Vec::new();
    let mut see = |what: &str, market: &mut Other| {
        let mut some = [0; 4096];
        let begun = Instant::now();
        // What changes on the screen is written, and so there has to be something.
        while !String::from_utf8_lossy(&seen).contains(what) {
            assert!(
                begun.elapsed().as_secs() < 20,
                "{}",
                String::from_utf8_lossy(&seen)
            );
            market.tell("send 10");
            let len = master.read(&mut some).unwrap();
            seen.extend_from_slice(&some[..len]);
        }
        String::from_utf8_lossy(&seen).into_owned()
    };
    see("Market.Desk", &mut market);
    see("~", &mut market);
    // It has taken no place.
    assert_eq!(users(&shm, "prices"), 1);
    master.write_all(b"q").unwrap();
    let (text, code) = crate::terminal::ended(master, child);
    assert_eq!(code, Some(0), "{text}");
    // The screen is as it was.
    assert!(text.contains("\x1b[?1049l"), "{text:?}");
}

/// How many processes use a bus.
fn users(shm: &Shm, name: &str) -> usize {
    shm.listed(name)["bus"]["processes"]
        .as_array()
        .unwrap()
        .len()
}

fn until(what: &str, mut there: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed().as_secs() < 20, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
