//! `tail`, `stat`, `graph` on buses that children of this process use.

use std::fs::Permissions;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use messenger::Graph;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use crate::bus_kit::{Other, Shm, hex, until, users};
use crate::kit::{err, lines, out, program, run, snapshot};
use crate::market::{Market, quote};

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
fn the_right_to_read_a_bus_is_enough() {
    // Only root can be somebody else.
    if !geteuid().is_root() {
        return;
    }
    let shm = Shm::new();
    let mut market = Other::start("market", &shm, "prices");
    market.tell("send 3");
    let nobody = |args: &[&str]| {
        let mut command = program(&[args, &["prices", "--dir", shm.str()]].concat());
        // Where the program itself can't be read there is nothing to be seen.
        let output = command.uid(65534).gid(65534).output().ok()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Some((output.status.code(), lines(&to_text(output.stdout)), said))
    };
    let tail = ["tail", "--json", "--trust-others"];
    let Some((code, _, said)) = nobody(&tail) else {
        return;
    };
    assert!(
        code == Some(1) && said.contains("its owner has to allow it"),
        "{said}"
    );
    let readable = Permissions::from_mode(0o644);
    std::fs::set_permissions(shm.file("prices"), readable).unwrap();
    let (code, _, said) = nobody(&["tail", "--json"]).unwrap();
    assert!(code == Some(1) && said.contains("--trust-others"), "{said}");
    let (code, records, said) = nobody(&tail).unwrap();
    assert_eq!((code, records.len(), &*said), (Some(0), 6, ""));
    let (_, counted, _) = nobody(&["stat", "--json", "--trust-others"]).unwrap();
    assert_eq!(counted[0]["records"], 6);
    market.quit();
}

fn to_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn stat_counts_what_comes() {
    let shm = Shm::new();
    let mut market = Other::start("market", &shm, "prices");
    market.tell("send 3");
    let args = ["stat", "--for", "1s", "--json", "prices"];
    // A busy machine may let nobody send while it counts.
    until("something to count", || {
        let begun = Instant::now();
        let mut counting = program(&[&args[..], &["--dir", shm.str()]].concat())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // When it begins to count is its own affair: so there is something to count all the time.
        let mut sent = 0;
        while counting.try_wait().unwrap().is_none() {
            market.tell("send 1");
            sent += 2;
            std::thread::sleep(Duration::from_millis(5));
        }
        let longest = begun.elapsed().as_secs_f64();
        let output = counting.wait_with_output().unwrap();
        let counted: Value = serde_json::from_slice(&output.stdout).unwrap();
        let records = counted["records"].as_u64().unwrap();
        assert!(records <= sent, "{records} of {sent}");
        if records == 0 {
            return false;
        }
        // It counts for a second, or longer on a busy machine, but not for longer than it ran.
        let (rate, count) = (counted["per_second"].as_f64().unwrap(), records as f64);
        assert!((count / longest..=count).contains(&rate), "{rate}");
        true
    });
}

/// Whether a process has mapped the file of a bus for reading; it may not have done so for more.
fn reads(pid: u32, file: &Path) -> bool {
    let file = file.to_str().unwrap();
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let its: Vec<_> = maps.lines().filter(|line| line.contains(file)).collect();
    assert!(its.iter().all(|line| line.contains(" r--s ")), "{its:?}");
    !its.is_empty()
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
        for (child, lines) in &mut tails {
            assert_eq!(next(lines)["payload"], "01000000");
            assert!(reads(child.id(), &shm.file("prices")));
        }
        assert_eq!(users(&shm, "prices"), 1, "they take no place");
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
        assert!(begun.elapsed() < Duration::from_secs(300));
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
    assert!(took < Duration::from_secs(300), "{took:?}");
    let mut stderr = child.stderr.take().unwrap();
    let heard = std::thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).unwrap();
        said
    });
    // The last record of all is the order that follows the last quote; that may be missed.
    let mut last = String::new();
    while last != hex(&20_000_u32.to_le_bytes()) {
        last = next(&mut lines)["payload"].as_str().unwrap().to_owned();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    child.wait().unwrap();
    let said = heard.join().unwrap();
    let missed = "bytes, which were written over before they were read";
    assert!(said.contains(missed), "{said}");
    market.quit();
}
