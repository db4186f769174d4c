//! A shared bus whose records lie in a journal: all that is there for buses is there for it, and for its journal, too.

use messenger::journal::{Journal, JournalConfig};
use serde_json::Value;

use crate::bus_kit::{Other, Shm, until, users};
use crate::kit::{json, lines, out};

#[test]
fn a_bus_over_a_journal_is_seen_and_read_and_removed() {
    let shm = Shm::new();
    let mut keeper = Other::start("keeper", &shm, "prices");
    let tail: u64 = keeper.tell("send 3").parse().unwrap();
    let dir = format!("{}/prices.journal", shm.str());

    let text = shm.out(0, &["ls", "-v"]);
    assert!(text.contains(&format!("journal     {dir}")), "{text}");
    let bus = shm.listed("prices");
    let look = &bus["bus"];
    assert_eq!(
        (&bus["state"], &look["tail"]),
        (&"live".into(), &tail.into())
    );
    assert_eq!(
        (&look["capacity"], &look["journal"]),
        (&Value::Null, &dir.clone().into())
    );
    let help = out(0, &["ls", "--help"]);
    for field in look.as_object().unwrap().keys() {
        assert!(help.contains(field), "`ls --help` does not name {field}");
    }
    let records = lines(&shm.out(0, &["tail", "--json", "prices"]));
    assert_eq!(records.len(), 6);
    assert_eq!(shm.json(0, &["stat", "prices"])["records"], 6);
    let graph = shm.out(0, &["graph", "prices"]);
    assert!(graph.contains("Desk"), "{graph}");
    until("the readers have left", || users(&shm, "prices") == 1);

    // The journal of a bus in use is one that is written.
    let info = json(0, &["info", "--json", &dir]);
    assert_eq!(info["newest"], tail);
    assert_eq!(json(0, &["verify", "--json", &dir])["live"], true);

    keeper.kill();
    let stale = || shm.listed("prices");
    until("it is stale", || stale()["state"] == "stale");
    // Also one that nobody uses can be read.
    assert_eq!(lines(&shm.out(0, &["tail", "--json", "prices"])).len(), 6);
    shm.out(0, &["clean"]);
    assert!(!shm.file("prices").exists());
    // Its journal is nobody's but its owner's to remove.
    let info = json(0, &["info", "--json", &dir]);
    assert_eq!(info["newest"], tail);
}

/// A program has had the journal alone since: the bus's file is as it was, and nothing is damaged.
#[test]
fn a_bus_whose_journal_was_had_alone_is_not_damaged() {
    let shm = Shm::new();
    let mut keeper = Other::start("keeper", &shm, "prices");
    let tail: u64 = keeper.tell("send 3").parse().unwrap();
    keeper.kill();
    until("it is stale", || shm.listed("prices")["state"] == "stale");

    let dir = format!("{}/prices.journal", shm.str());
    let alone = Journal::open(&dir, JournalConfig::new()).unwrap();
    alone.close().unwrap();

    let bus = shm.listed("prices");
    assert_eq!(bus["state"], "unreadable");
    let why = bus["why"].as_str().unwrap();
    assert!(
        why.contains("since a program has had the journal alone"),
        "{why}"
    );
    assert!(
        why.contains("open the bus anew, or read the journal itself"),
        "{why}"
    );
    assert_eq!(json(0, &["info", "--json", &dir])["newest"], tail);
    shm.out(0, &["clean", "prices"]);
    assert!(!shm.file("prices").exists());
}
