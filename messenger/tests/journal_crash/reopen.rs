//! How long it takes to reopen a journal of a gibibyte, closed or left by a killed process. What counts is the processor's time: it lies in memory, and
//! how long a thread waits for a processor is the machine's affair.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use messenger::journal::{Journal, JournalConfig, LeftBy, Reader};
use rustix::time::{ClockId, clock_gettime};

use crate::kit::{Dir, cases, tag};

const VARIABLE: &str = "MESSENGER_CRASH_FILL";
const OPENED: &str = "MESSENGER_CRASH_OPEN";
/// The processor's time that it may take, at best of three.
const LONGEST: Duration = Duration::from_millis(100);

fn mebibytes() -> u64 {
    cases("MESSENGER_REOPEN_MIB", 1024)
}

fn config() -> JournalConfig {
    JournalConfig::new()
}

/// Does something; says how much of a processor's time this thread had for it, too.
fn timed<T>(done: impl FnOnce() -> T) -> (T, Duration) {
    let had = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let begun = had();
    let made = done();
    (made, had() - begun)
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

/// Does nothing but in a child: opens the journal, says what that took and what was found, and dies.
#[test]
fn opens_and_dies() {
    let Ok(dir) = std::env::var(OPENED) else {
        return;
    };
    let dir = Path::new(&dir);
    let (journal, took) = timed(|| Journal::open_existing(dir.join("journal"), config()).unwrap());
    let recovery = journal.recovery();
    let (took, left, tail) = (took.as_nanos(), recovery.left, recovery.tail);
    let said = format!("{took} {left:?} {tail}");
    fs::write(dir.join("said"), said).unwrap();
    // Not closed, so that the next one finds what this one did.
    std::process::abort();
}

/// How long it takes to open the journal with these words in `control`, at best of three, and where it ends.
fn opened(dir: &Path, control: &[u8], left: LeftBy) -> (Duration, String) {
    let once = || {
        fs::write(dir.join("journal/control"), control).unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "reopen::opens_and_dies"])
            .env(OPENED, dir)
            .output()
            .unwrap();
        assert_eq!(output.status.signal(), Some(6), "{output:?}");
        let said = fs::read_to_string(dir.join("said")).unwrap();
        let [took, found, tail] = said.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{said}");
        };
        assert_eq!(found, format!("{left:?}"));
        (Duration::from_nanos(took.parse().unwrap()), tail.to_owned())
    };
    let [one, two, three] = [once(), once(), once()];
    assert_eq!((&one.1, &one.1), (&two.1, &three.1));
    one.min(two).min(three)
}

/// These words of `control`, with the journal closed or not, after the system has been started anew.
fn in_another_boot(control: &[u8], closed: bool) -> Vec<u8> {
    let mut control = control.to_vec();
    control[32..48].fill(0xB0);
    control[48] = 1 + u8::from(closed);
    control
}

#[test]
fn a_gibibyte_is_reopened_at_once() {
    let dir = Dir::new("reopen");
    let path = dir.join("journal");
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
    let control = || fs::read(path.join("control")).unwrap();

    let left = control();
    let (killed, tail) = opened(&dir, &left, LeftBy::Dying);
    // Nothing says how far it was whole, so all of it is read.
    let unsynced = opened(&dir, &in_another_boot(&left, false), LeftBy::PowerLoss);
    let journal = Journal::open_existing(&path, config()).unwrap();
    assert!(journal.bus().tail() >= mebibytes() << 20);
    journal.close().unwrap();
    let left = control();
    let closed = opened(&dir, &left, LeftBy::Closing);
    let restarted = opened(&dir, &in_another_boot(&left, true), LeftBy::Closing);
    let lost = opened(&dir, &in_another_boot(&left, false), LeftBy::PowerLoss);
    fs::write(path.join("control"), left).unwrap();
    for (_, end) in [&unsynced, &closed, &restarted, &lost] {
        assert_eq!(end, &tail);
    }
    let [unsynced, closed, restarted, lost] = [unsynced, closed, restarted, lost].map(|it| it.0);
    let (reader, reading) = timed(|| Reader::open(&path).unwrap());
    drop(reader);
    println!(
        "{tail} bytes in segments of 64 MiB reopened: killed {killed:?}; closed {closed:?}; closed, in another boot {restarted:?}; synced and not closed, in another boot {lost:?}; by a reader {reading:?}; never synced, in another boot {unsynced:?}"
    );
    // On a slow machine it takes as much longer as it takes to read all.
    let longest = LONGEST.max(unsynced / 32);
    for took in [killed, closed, restarted, reading] {
        assert!(took < longest, "{took:?}");
    }
    // It looks at each word of the last segments, which takes that long without optimisation.
    let patience = if cfg!(debug_assertions) { 30 } else { 1 };
    assert!(lost < (LONGEST * patience).max(unsynced / 2), "{lost:?}");
}
