//! How long it takes to reopen a journal of a gibibyte, closed or left by a killed process.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use messenger::journal::{Journal, JournalConfig, LeftBy, Reader, Recovery};

use crate::kit::{Dir, cases, tag};

const VARIABLE: &str = "MESSENGER_CRASH_FILL";
/// What is asserted is that it takes no time in proportion to what is there; what it takes is printed.
const LONGEST: Duration = Duration::from_secs(2);

fn mebibytes() -> u64 {
    cases("MESSENGER_REOPEN_MIB", 1024)
}

fn config() -> JournalConfig {
    JournalConfig::new()
}

/// Does nothing but in a child.
#[test]
fn fills_until_it_is_killed() {
    let Ok(dir) = std::env::var(VARIABLE) else {
        return;
    };
    let dir = Path::new(&dir);
    let journal = Journal::open(dir.join("journal"), config()).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let bytes = vec![7; 60_000];
    while journal.bus().tail() < mebibytes() << 20 {
        publisher.send(tag(0, 0), &bytes).unwrap();
    }
    fs::write(dir.join("full"), "").unwrap();
    // As many as it can, so that much has been finished since the keeper looked.
    loop {
        publisher.send(tag(0, 1), &bytes[..64]).unwrap();
    }
}

fn reopened(dir: &Path) -> (Duration, Recovery) {
    let begun = Instant::now();
    let journal = Journal::open_existing(dir, config()).unwrap();
    let took = begun.elapsed();
    let recovery = journal.recovery().clone();
    journal.close().unwrap();
    assert!(took < LONGEST, "{took:?}: {recovery:?}");
    (took, recovery)
}

#[test]
fn a_gibibyte_is_reopened_at_once() {
    let dir = Dir::new("reopen");
    let journal = dir.join("journal");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "reopen::fills_until_it_is_killed"])
        .env(VARIABLE, &*dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    while !dir.join("full").exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ends by itself");
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(300));
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));

    let (killed, recovery) = reopened(&journal);
    assert_eq!((recovery.left, recovery.dropped), (LeftBy::Dying, None));
    assert!(recovery.tail >= mebibytes() << 20);
    let tail = recovery.tail;
    let (closed, recovery) = reopened(&journal);
    assert_eq!((recovery.left, recovery.tail), (LeftBy::Closing, tail));
    // The system has been started since.
    let restart = |state: u8| {
        let mut control = fs::read(journal.join("control")).unwrap();
        control[32..48].fill(0xB0);
        control[48] = state;
        fs::write(journal.join("control"), control).unwrap();
    };
    restart(2);
    let (restarted, recovery) = reopened(&journal);
    assert_eq!((recovery.left, recovery.tail), (LeftBy::Closing, tail));
    // Without having been closed.
    restart(1);
    let (lost, recovery) = reopened(&journal);
    assert_eq!((recovery.left, recovery.tail), (LeftBy::PowerLoss, tail));
    let begun = Instant::now();
    let reader = Reader::open(&journal).unwrap();
    let reading = begun.elapsed();
    drop(reader);
    println!(
        "{} MiB in segments of 64 MiB reopened: killed {killed:?}; closed {closed:?}; closed, in another boot {restarted:?}; synced and not closed, in another boot {lost:?}; by a reader {reading:?}",
        tail >> 20
    );
}
