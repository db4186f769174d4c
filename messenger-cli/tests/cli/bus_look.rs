//! `ls`, `top`, `clean`: buses that children of this process use, seen from outside.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use messenger::bus::{MessageId, SourceId, Start, Tag};
use messenger::shared::SharedBus;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::Value;

use crate::bus_kit::{Other, Shm, until, users};
use crate::kit::{err, fresh, program, snapshot};

/// The text without what differs from run to run: process numbers and times.
fn settled(text: &str, others: &[&Other]) -> String {
    let mut text = text.to_owned();
    for (index, other) in others.iter().enumerate() {
        // With what stands around it: there are other numbers.
        let (pid, role) = (other.child.id(), &other.role);
        text = text.replace(&format!(" {pid} {role}"), &format!(" PID{index} {role}"));
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
fn ls_tells_who_rests_and_who_is_evicted() {
    let shm = Shm::new();
    let options = SharedBus::options().directory(shm.str()).bytes(4096);
    let bus = options.create("slow").unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut subscriber = bus
        .bus()
        .subscribe_evictable(Start::Oldest, Duration::from_millis(5))
        .unwrap();
    let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    publisher.send(tag, &[1; 48]).unwrap();
    let text = shm.out(0, &["ls", "-v"]);
    assert!(
        text.contains("  resting subscriber, 64 B behind, "),
        "{text}"
    );
    // One more than there is room for.
    for _ in 0..64 {
        publisher.send(tag, &[1; 48]).unwrap();
    }
    let text = shm.out(0, &["ls", "-v"]);
    assert!(text.contains("live, 1 evicted\n"), "{text}");
    assert!(
        text.contains("  evicted subscriber, 4.06 KiB behind, "),
        "{text}"
    );
    let look = &shm.listed("slow")["bus"];
    assert_eq!(look["evicted"], 1);
    let evicted = look["members"].as_array().unwrap();
    let evicted = evicted.iter().find(|member| member["kind"] == "evicted");
    assert_eq!(evicted.unwrap()["position"], 0);
    assert!(subscriber.try_next().is_err());
    let text = shm.out(0, &["ls", "-v"]);
    assert!(text.contains("live\n"), "{text}");
    assert!(text.contains("  resting subscriber, "), "{text}");
    assert_eq!(shm.listed("slow")["bus"]["evicted"], 1);
}

#[test]
fn ls_tells_who_shares_a_worker() {
    let shm = Shm::new();
    let crew = Other::start("crew", &shm, "jobs");
    let text = settled(&shm.out(0, &["ls", "-v"]), &[&crew]);
    let worker = text.lines().skip_while(|line| !line.contains("worker  "));
    let worker: Vec<_> = worker.skip(1).take(3).collect();
    assert!(
        text.contains("Crew.Desk, 32 B behind, a pool of 2 members"),
        "{text}"
    );
    assert!(
        worker.contains(&"      of it     PID0 crew, idle"),
        "{text}"
    );
    assert!(
        worker.contains(&"      of it     PID0 crew, 32 B in hand"),
        "{text}"
    );
    let pool = shm.listed("jobs")["bus"]["workers"][0]["pool"].clone();
    let owes = |seat: &Value| !seat["owes"].is_null();
    assert_eq!(
        pool.as_array()
            .unwrap()
            .iter()
            .filter(|it| owes(it))
            .count(),
        1
    );
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
    until("what became of each", || {
        let states = ["broken", "kept", "live", "other", "stale"]
            .map(|name| shm.listed(name)["state"].as_str().unwrap().to_owned());
        states == ["damaged", "kept", "live", "unknown", "stale"]
    });
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
fn who_may_only_read_it_can_look_at_it() {
    if !geteuid().is_root() {
        return;
    }
    let shm = Shm::new();
    let _market = Other::start("market", &shm, "prices");
    let ls = || {
        let mut ls = program(&["ls", "--json", "--dir", shm.str()]);
        // Where the program itself can't be read there is nothing to be seen.
        let output = ls.uid(65534).gid(65534).output().ok()?;
        let all: Value = serde_json::from_slice(&output.stdout).unwrap();
        Some(all[0].clone())
    };
    let file = shm.file("prices");
    let Some(theirs) = ls() else { return };
    assert_eq!(theirs["state"], "unreadable");
    assert!(theirs["why"].as_str().unwrap().contains("ermission"));
    std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let seen = ls().unwrap();
    assert_eq!(seen["state"], "live");
    assert_eq!(seen["bus"]["workers"][0]["name"], "Market.Desk");
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
                begun.elapsed().as_secs() < 300,
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

#[test]
fn a_command_for_journals_says_that_it_was_given_a_bus() {
    let name = fresh("messenger-cli-given");
    let _bus = SharedBus::create(&name, 1 << 16).unwrap();
    for what in [name.clone(), format!("shm:{name}")] {
        let text = err(1, &["info", &what]);
        assert!(text.contains("but a shared bus has that name"), "{text}");
    }
}

#[test]
fn top_leaves_the_screen_also_when_it_is_told_twice() {
    let shm = Shm::new();
    let args = ["top", "--dir", shm.str()];
    let (mut master, child) = crate::terminal::started(&args, (80, 24));
    let mut seen = Vec::new();
    while !String::from_utf8_lossy(&seen).contains("\x1b[?1049h") {
        let mut some = [0; 4096];
        let len = master.read(&mut some).unwrap();
        seen.extend_from_slice(&some[..len]);
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::TERM).unwrap();
    // Taken by now, and not looked at: it looks each 100 ms.
    std::thread::sleep(Duration::from_millis(10));
    let _ = kill_process(pid, Signal::TERM);
    let (text, code) = crate::terminal::ended(master, child);
    assert!(text.contains("\x1b[?1049l"), "{text:?}");
    assert_eq!(code, Some(0), "{text}");
}
