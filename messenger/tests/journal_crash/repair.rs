//! The power goes while a journal is repaired, or after: then it can be repaired again, what was to stay is there, and a repair that was done is not undone.

use std::path::Path;
use std::sync::{Arc, Mutex};

use messenger::bus::Start;
use messenger::journal::{Journal, Repaired, plan_repair, repair};

use crate::disk::Disk;
use crate::harm::change;
use crate::kit::{self, Dir, Rng, cases, first_seed};
use crate::power::{SEGMENT, copy_dir, short, unwatch, watch};

const RECORDS: u64 = 60;

type Sent = Vec<(u64, Vec<u8>)>;

/// A journal of several segments, closed. Gives where each record stands, and what it says.
fn written(dir: &Path) -> Sent {
    let journal = Journal::open(dir, short()).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let sent = (0..RECORDS).map(|n| {
        let bytes = kit::payload(1, n, 1000);
        (publisher.send(kit::tag(1, n), &bytes).unwrap(), bytes)
    });
    let sent = sent.collect();
    drop(publisher);
    journal.close().unwrap();
    sent
}

fn segment(dir: &Path, base: u64) -> std::path::PathBuf {
    dir.join(format!("{base:020}.segment"))
}

/// Damages what was synced, near the record at `hit`. Says how.
fn damage(root: &Dir, dir: &Path, hit: u64, rng: &mut Rng) -> u64 {
    let base = hit & !(SEGMENT - 1);
    let at = 4096 + (hit - base) as usize;
    let path = segment(dir, base);
    let kind = rng.below(7);
    match kind {
        0 => change(&path, |bytes| bytes[at + 9] ^= 1),
        1 => std::fs::remove_file(path).unwrap(),
        2 => {
            let other = root.join("other");
            written(&other);
            std::fs::copy(segment(&other, base), path)
                .map(drop)
                .unwrap();
        }
        3 => change(&path, |bytes| bytes[..100].fill(7)),
        4 => change(&path, |bytes| bytes.truncate(at)),
        5 => std::fs::remove_file(dir.join("control")).unwrap(),
        _ => {}
    }
    if kind == 6 || rng.one_in(3) {
        change(&dir.join("schema"), |bytes| bytes[20] ^= 1);
    }
    kind
}

/// What is found in a journal, up to the first damage.
fn found(journal: &Journal) -> Sent {
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut found = Vec::new();
    while let Ok(Some(record)) = subscriber.try_next() {
        found.push((record.position(), record.payload().to_vec()));
    }
    found
}

fn power_goes(seed: u64) -> (u64, bool) {
    let mut rng = Rng(seed);
    let root = Dir::in_memory("repair");
    let [dir, after, at_once] = ["journal", "after", "at-once"].map(|name| root.join(name));
    let sent = written(&dir);
    let hit = sent[rng.below(RECORDS) as usize].0;
    let kind = damage(&root, &dir, hit, &mut rng);
    let disk = Disk::new(&dir);
    watch(&disk);
    let gone = Arc::new(Mutex::new(None));
    let at = Arc::clone(&gone);
    disk.crash_at(1 + rng.below(14), move |disk| {
        *at.lock().unwrap() = Some(disk);
    });
    let Repaired { begins, cut, .. } = repair(&dir, |_| {}).unwrap();
    unwatch(&disk);
    let meanwhile = gone.lock().unwrap().take();
    let is_done = meanwhile.is_none();
    let gone = meanwhile.unwrap_or_else(|| disk.snapshot());
    gone.restore(&after, &mut rng);

    let from = begins.unwrap_or(0);
    let cut = cut.map_or(u64::MAX, |cut| cut.from);
    let stays = |(at, _): &&(u64, Vec<u8>)| (from..cut).contains(at);
    let staying: Sent = sent.iter().filter(stays).cloned().collect();
    // Until it is repaired again it may open with what was to be given up.
    copy_dir(&after, &at_once);
    if let Ok(journal) = Journal::open_existing(&at_once, short()) {
        let found = found(&journal);
        let first = sent.iter().position(|it| Some(it) == found.first());
        let row = &sent[first.unwrap_or(0)..][..found.len()];
        assert_eq!(found, row);
        assert!(staying.iter().all(|it| found.contains(it)));
    }
    if is_done {
        assert!(plan_repair(&after, |_| {}).unwrap().is_nothing());
    }
    repair(&after, |_| {}).unwrap();
    let journal = Journal::open_existing(&after, short()).unwrap();
    assert_eq!(found(&journal), staying);
    (kind, is_done)
}

#[test]
fn a_repair_survives_a_loss_of_power_or_is_done_again() {
    let seeds = cases("MESSENGER_POWER_SEEDS", 8000) / 16;
    let mut kinds = std::collections::BTreeMap::<_, u64>::new();
    for seed in first_seed()..first_seed() + seeds {
        let ran = std::panic::catch_unwind(|| power_goes(seed));
        match ran {
            Ok(kind) => *kinds.entry(kind).or_default() += 1,
            Err(panic) => {
                eprintln!("MESSENGER_SEED={seed}");
                std::panic::resume_unwind(panic);
            }
        }
    }
    println!("kind of damage, whether the repair was done: {kinds:?}");
    assert!(seeds < 500 || kinds.len() == 14);
}
