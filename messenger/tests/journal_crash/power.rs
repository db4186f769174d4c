//! The power goes: what was synced is there, and of the rest what stands before the first thing that is not whole.

use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use messenger::bus::{Publisher, Start};
use messenger::journal::{DropCause, Journal, JournalConfig, LeftBy, Reader, SyncPolicy};

use crate::disk::{Disk, Snapshot};
use crate::harm::change;
use crate::kit::{self, Dir, Rng, cases, first_seed};

pub(crate) const SEGMENT: u64 = 4096;
const LONGEST: usize = 1000;
/// How often the power goes in the life of one journal.
const CRASHES: u16 = 4;
const CURSOR: &str = "reader";

/// Which disk each test's files are on: the hook is one for all.
static DISKS: Mutex<Vec<Arc<Disk>>> = Mutex::new(Vec::new());

pub(crate) fn watch(disk: &Arc<Disk>) {
    DISKS.lock().unwrap().push(Arc::clone(disk));
    messenger::fault::on_flush(Box::new(|path| {
        // Not while the disk is told: the power may go.
        let disks = DISKS.lock().unwrap().clone();
        for disk in disks {
            disk.flushing(path);
        }
        Ok(())
    }));
}

pub(crate) fn unwatch(disk: &Arc<Disk>) {
    DISKS
        .lock()
        .unwrap()
        .retain(|other| !Arc::ptr_eq(other, disk));
}

/// A record that was committed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Committed {
    position: u64,
    publisher: u16,
    sequence: u64,
}

/// One journal, and what is known of it.
struct Life {
    root: Dir,
    rng: Rng,
    policy: SyncPolicy,
    /// Hardly ever syncs.
    lazy: bool,
    epoch: u16,
    /// All that was ever committed and not lost, in order.
    committed: Vec<Committed>,
    /// What was acknowledged as synced.
    synced: Arc<AtomicU64>,
    /// What the cursor may say: what it said when it was last synced, and all that was stored since. Nothing: it need not be there.
    marks: Arc<Mutex<Vec<u64>>>,
    /// The oldest position that may have been given up.
    trimmed: u64,
}

/// What the whole test has seen, so that it is known to have seen something.
#[derive(Default, Debug)]
struct Sum {
    crashes: u64,
    while_opening: u64,
    while_closing: u64,
    closed: u64,
    recoveries_killed: u64,
    records: u64,
    lost: u64,
    dropped: u64,
    synced: u64,
    marks: u64,
    set_back: u64,
}

/// What was promised when the power went, and what the disk may hold.
struct Gone {
    synced: u64,
    marks: Vec<u64>,
    disk: Snapshot,
    /// Whether the disk may know it as closed.
    closed: bool,
}

impl Life {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let lazy = rng.one_in(4);
        let policy = match rng.below(3) {
            _ if lazy => SyncPolicy::OnDemand,
            0 => SyncPolicy::OnDemand,
            1 => SyncPolicy::Every {
                bytes: 600,
                interval: Duration::from_millis(1),
            },
            _ => SyncPolicy::EachRecord,
        };
        Self {
            root: Dir::in_memory("power"),
            rng,
            policy,
            lazy,
            epoch: 0,
            committed: Vec::new(),
            synced: Arc::default(),
            marks: Arc::default(),
            trimmed: 0,
        }
    }

    fn dir(&self, epoch: u16) -> std::path::PathBuf {
        self.root.join(format!("after-{epoch}"))
    }

    fn config(&self) -> JournalConfig {
        JournalConfig::new()
            .segment_bytes(SEGMENT)
            .ahead(1)
            .members(8)
            .time_resolution(Duration::from_millis(1))
            .sync(self.policy)
    }

    /// Writes until the power goes, and looks at what is left.
    fn epoch(&mut self, sum: &mut Sum) {
        let dir = self.dir(self.epoch);
        std::fs::create_dir_all(&dir).unwrap();
        let disk = Disk::new(&dir);
        watch(&disk);
        let gone = Arc::new(Mutex::new(None));
        let at_flush = self.rng.one_in(2);
        if at_flush {
            let (gone, synced) = (Arc::clone(&gone), Arc::clone(&self.synced));
            let marks = Arc::clone(&self.marks);
            // Some of the first are those of opening.
            disk.crash_at(1 + self.rng.below(20), move |disk| {
                *gone.lock().unwrap() = Some(Gone {
                    synced: synced.load(Ordering::Relaxed),
                    marks: marks.lock().unwrap().clone(),
                    disk,
                    closed: false,
                });
            });
        }
        let journal = Journal::open(&dir, self.config()).unwrap();
        // Nothing is promised of a journal that is being created.
        let created = self.epoch == 0;
        let early = gone.lock().unwrap().is_some() && !created;
        if created {
            *gone.lock().unwrap() = None;
        }
        if !early {
            self.write(&journal, &disk, &gone);
        }
        if gone.lock().unwrap().is_some() {
            drop(journal);
        } else {
            self.close(journal, &disk, &gone);
            sum.while_closing += 1;
        }
        unwatch(&disk);
        let mut gone = gone.lock().unwrap().take().unwrap();
        // It may have been closed before.
        gone.closed |= early;
        sum.crashes += 1;
        sum.while_opening += u64::from(early);
        self.epoch += 1;
        let dir = self.dir(self.epoch);
        gone.disk.restore(&dir, &mut self.rng);
        self.look(&dir, &gone, sum);
    }

    fn publisher_id(&self, n: u16) -> u16 {
        self.epoch * 2 + n
    }

    /// The power goes now, if it has not gone.
    fn crash(&self, synced: u64, disk: &Disk, gone: &Mutex<Option<Gone>>) {
        // Not under one lock: a flush has the disk's when it asks for the marks.
        let marks = self.marks.lock().unwrap().clone();
        let disk = disk.snapshot();
        gone.lock().unwrap().get_or_insert(Gone {
            synced,
            marks,
            disk,
            closed: false,
        });
    }

    fn write(&mut self, journal: &Journal, disk: &Disk, gone: &Mutex<Option<Gone>>) {
        let mut cursor = journal.cursor(CURSOR).unwrap();
        *self.marks.lock().unwrap() = vec![cursor.position()];
        let mut publishers = [0, 1].map(|_| journal.bus().publisher().unwrap());
        let mut next = [0; 2];
        let lazy = self.lazy && !self.rng.one_in(8);
        let mut ops = 1 + self.rng.below(if lazy { 150 } else { 60 });
        while gone.lock().unwrap().is_none() {
            let synced = journal.synced();
            self.synced.fetch_max(synced, Ordering::Relaxed);
            if ops == 0 {
                if self.rng.one_in(4) {
                    return;
                }
                return self.crash(synced, disk, gone);
            }
            ops -= 1;
            let which = self.rng.below(2) as usize;
            match self.rng.below(16) {
                0 | 2 if lazy => {}
                0 => {
                    journal.sync().unwrap();
                }
                1 => disk.note(),
                2 if self.committed.len() > 4 => {
                    let back = self.rng.below(4) as usize;
                    let last = self.committed[self.committed.len() - 1 - back];
                    assert!(journal.wait_synced(last.position, None).unwrap());
                    assert!(journal.synced() > last.position);
                }
                3 => drop(publishers[which].claim(kit::tag(9, 9), 50).unwrap()),
                4 => {
                    let before = self.committed.last().map_or(0, |last| last.position);
                    let before = before.saturating_sub(self.rng.below(4) * SEGMENT);
                    self.trimmed = self.trimmed.max(journal.trim(before).unwrap());
                }
                5 | 6 if self.policy != SyncPolicy::EachRecord => {
                    ops = ops.min(self.held(journal, disk, gone, &mut publishers, &mut next, ops));
                }
                7 if !self.committed.is_empty() => {
                    let at = self.rng.below(self.committed.len() as u64) as usize;
                    let position = self.committed[at].position;
                    self.marks.lock().unwrap().push(position);
                    cursor.store(position).unwrap();
                    if self.rng.one_in(2) {
                        cursor.sync().unwrap();
                        *self.marks.lock().unwrap() = vec![position];
                    }
                }
                _ => self.send(which, &mut publishers[which], &mut next),
            }
        }
    }

    /// The power goes while it is closed, or after.
    fn close(&mut self, journal: Journal, disk: &Disk, gone: &Arc<Mutex<Option<Gone>>>) {
        let (synced, tail) = (journal.synced(), journal.bus().tail());
        let marks = self.marks.lock().unwrap().clone();
        let was = move |synced, disk| Gone {
            synced,
            marks: marks.clone(),
            disk,
            closed: true,
        };
        let (at, meanwhile) = (Arc::clone(gone), was.clone());
        disk.crash_at(1 + self.rng.below(6), move |disk| {
            *at.lock().unwrap() = Some(meanwhile(synced, disk));
        });
        journal.close().unwrap();
        let after = was(tail, disk.snapshot());
        gone.lock().unwrap().get_or_insert(after);
    }

    fn send(&mut self, which: usize, publisher: &mut Publisher, next: &mut [u64; 2]) {
        let (id, sequence) = (self.publisher_id(which as u16), next[which]);
        let bytes = kit::payload(id, sequence, LONGEST);
        let position = publisher.send(kit::tag(id, sequence), &bytes).unwrap();
        next[which] += 1;
        self.keep(position, id, sequence);
    }

    fn keep(&mut self, position: u64, publisher: u16, sequence: u64) {
        let committed = Committed {
            position,
            publisher,
            sequence,
        };
        let at = self.committed.binary_search(&committed).unwrap_err();
        self.committed.insert(at, committed);
    }

    /// A claim is being filled while others commit after it. The power may go meanwhile.
    fn held(
        &mut self,
        journal: &Journal,
        disk: &Disk,
        gone: &Mutex<Option<Gone>>,
        publishers: &mut [Publisher; 2],
        next: &mut [u64; 2],
        ops: u64,
    ) -> u64 {
        let (one, other) = publishers.split_at_mut(1);
        let (id, sequence) = (self.publisher_id(0), next[0]);
        let bytes = kit::payload(id, sequence, LONGEST);
        let mut claim = one[0].claim(kit::tag(id, sequence), bytes.len()).unwrap();
        claim.writer().put(&bytes).unwrap();
        for _ in 0..self.rng.below(5) {
            self.send(1, &mut other[0], next);
            if !self.lazy && self.rng.one_in(3) {
                journal.sync().unwrap();
                assert!(journal.synced() <= claim.position());
            }
        }
        if ops < 5 && gone.lock().unwrap().is_none() {
            self.crash(journal.synced(), disk, gone);
        }
        if self.rng.one_in(4) {
            drop(claim);
        } else {
            let position = claim.commit().unwrap();
            next[0] += 1;
            self.keep(position, id, sequence);
        }
        ops
    }

    /// Opens what the disk has kept.
    fn look(&mut self, dir: &Path, gone: &Gone, sum: &mut Sum) {
        let synced = gone.synced;
        let [copy, before] = ["copy", "before"].map(|name| self.root.join(name));
        let _ = std::fs::remove_dir_all(&copy);
        let _ = std::fs::remove_dir_all(&before);
        copy_dir(dir, &copy);
        copy_dir(&copy, &before);
        let mut killed = false;
        while self.rng.one_in(8) {
            let point = self.rng.pick(&RECOVERING);
            sum.recoveries_killed += u64::from(recover_until(&copy, point));
            killed = true;
        }
        // The disk may have kept what was given up: what was there is what counts, whoever has given it up now.
        let beyond = |from: u64| {
            let bytes = self.bytes_beyond(&before, from);
            bytes.iter().any(|&byte| byte != 0)
        };
        let journal = Journal::open_existing(&copy, self.config()).unwrap();
        let recovery = journal.recovery().clone();
        assert!(
            matches!(recovery.left, LeftBy::PowerLoss | LeftBy::Nobody)
                || (killed && recovery.left == LeftBy::Dying)
                || (gone.closed && recovery.left == LeftBy::Closing),
            "{recovery:?}"
        );
        sum.closed += u64::from(recovery.left == LeftBy::Closing);
        assert!(
            recovery.tail >= synced,
            "{recovery:?}, and {synced} was synced"
        );
        assert!(recovery.synced <= recovery.tail, "{recovery:?}");
        if beyond(recovery.tail) {
            let dropped = recovery.dropped.as_ref().expect("something was there");
            assert_eq!(dropped.from, recovery.tail);
            sum.dropped += 1;
        }
        let found = self.read(&journal);
        *self.marks.lock().unwrap() = Vec::new();
        if copy.join("cursors").join(CURSOR).exists() {
            let said = journal.cursor(CURSOR).unwrap().position();
            let may_say = |mark: &u64| *mark.min(&recovery.tail) == said;
            assert!(
                gone.marks.is_empty() || gone.marks.iter().any(may_say),
                "{said}, and not one of {:?}; {recovery:?}",
                gone.marks
            );
            sum.marks += 1;
            sum.set_back += u64::from(!gone.marks.contains(&said));
            *self.marks.lock().unwrap() = vec![said];
        } else {
            assert!(gone.marks.is_empty(), "there is no cursor: {recovery:?}");
        }
        drop(journal);
        let mut found_again = Vec::new();
        let mut reader = Reader::open(&copy).unwrap();
        while let Some(entry) = reader.next().unwrap() {
            found_again.push(self.known(entry.position, entry.tag, entry.payload));
        }
        assert_eq!(found, found_again);
        assert!(
            self.bytes_beyond(&copy, reader.position())
                .iter()
                .all(|&byte| byte == 0),
            "something is left after {}",
            reader.position()
        );
        // From where it was trimmed, or before that, to what was synced, or after that: all of it, in order.
        let gone = |c: &&Committed| match found.first() {
            Some(first) => c.position < first.position,
            None => c.position < self.trimmed,
        };
        let from = self.committed.iter().take_while(gone).count();
        assert!(
            self.committed[..from]
                .iter()
                .all(|c| c.position < self.trimmed),
            "{recovery:?}"
        );
        let to = from + found.len();
        assert_eq!(found, self.committed[from..to], "{recovery:?}");
        let lost = &self.committed[to..];
        assert!(
            lost.iter().all(|c| c.position >= synced),
            "{lost:?}; synced up to {synced}; {recovery:?}"
        );
        sum.records += found.len() as u64;
        sum.lost += lost.len() as u64;
        sum.synced += found.iter().filter(|c| c.position < synced).count() as u64;
        self.committed = found;
        self.synced
            .store(synced.min(recovery.tail), Ordering::Relaxed);
    }

    fn read(&self, journal: &Journal) -> Vec<Committed> {
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        let mut found = Vec::new();
        while let Some(record) = subscriber.try_next().unwrap() {
            found.push(self.known(record.position(), record.tag(), record.payload()));
        }
        found
    }

    fn known(&self, position: u64, tag: messenger::bus::Tag, bytes: &[u8]) -> Committed {
        let publisher = tag.source.get() - 1;
        let sequence = kit::sequence_of(bytes);
        assert_eq!(tag, kit::tag(publisher, sequence));
        assert_eq!(
            bytes,
            kit::payload(publisher, sequence, LONGEST),
            "at {position}"
        );
        Committed {
            position,
            publisher,
            sequence,
        }
    }

    /// What the segments in a row from the one with `from` on hold from there on.
    fn bytes_beyond(&self, dir: &Path, from: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut base = from & !(SEGMENT - 1);
        while let Ok(segment) = std::fs::read(dir.join(format!("{base:020}.segment"))) {
            if (segment.len() as u64) < 4096 + SEGMENT || !segment.starts_with(b"MSGRSEG\0") {
                break;
            }
            let skip = from.saturating_sub(base) as usize;
            bytes.extend(&segment[4096 + skip..]);
            base += SEGMENT;
        }
        bytes
    }
}

/// Where a process may be killed that recovers from a loss of power.
const RECOVERING: [&str; 9] = [
    "cleared",
    "clear_flushed",
    "after_removed",
    "cursor_set_back",
    "control_made",
    "control_superseded",
    "control_named",
    "segment_made",
    "segment_named",
];

const VARIABLE: &str = "MESSENGER_CRASH_RECOVER";

/// Has a child recover the journal in `dir`, or create it, and killed at `point`. Says whether it came there.
fn recover_until(dir: &Path, point: &str) -> bool {
    child_until("power::recovers_until_it_is_killed", dir, point)
}

fn child_until(test: &str, dir: &Path, point: &str) -> bool {
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .env(VARIABLE, dir)
        .env("MESSENGER_FAULT", format!("{point}:1"))
        .output()
        .unwrap();
    let killed = ended.status.signal() == Some(9);
    assert!(killed || ended.status.success(), "{ended:?}");
    killed
}

/// Does nothing but in a child.
#[test]
fn recovers_until_it_is_killed() {
    if let Some(dir) = std::env::var_os(VARIABLE) {
        let journal = Journal::open(dir, short()).unwrap();
        // Not closed.
        std::mem::forget(journal);
    }
}

/// Does nothing but in a child.
#[test]
fn has_a_cursor_until_it_is_killed() {
    if let Some(dir) = std::env::var_os(VARIABLE) {
        Reader::open(dir).unwrap().cursor(CURSOR).unwrap();
    }
}

/// Nothing is noted but what is sent.
pub(crate) fn short() -> JournalConfig {
    JournalConfig::new()
        .segment_bytes(SEGMENT)
        .ahead(1)
        .members(8)
        .time_resolution(Duration::ZERO)
}

pub(crate) fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &to.join(entry.file_name()));
        } else if let Err(error) = std::fs::copy(entry.path(), to.join(entry.file_name())) {
            // A segment ahead, which has its name by now.
            let is_new = entry.path().extension().is_some_and(|end| end == "new");
            assert!(is_new && error.kind() == ErrorKind::NotFound, "{error}");
        }
    }
}

/// A journal of three records in `dir`, and a cursor behind the last, as a disk may have kept it: without the second record, nor the words, which lie beside
/// it, nor what was synced. Gives the first segment's file, and where in it the second record stood.
fn without_the_second(dir: &Dir) -> (PathBuf, usize) {
    // Without notes of the time, of which one that is not finished would be where the journal ends.
    let config = short().time_resolution(Duration::ZERO);
    let journal = Journal::open(dir.join("live"), config).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let sent = [1, 2, 3].map(|n| publisher.send(kit::tag(0, n), &[n as u8; 100]).unwrap());
    let mut cursor = journal.cursor(CURSOR).unwrap();
    cursor.store(journal.bus().tail()).unwrap();
    let kept = dir.join("kept");
    let control = || std::fs::read(dir.join("live/control")).unwrap();
    kit::until("nothing is done meanwhile", || {
        let _ = std::fs::remove_dir_all(&kept);
        let before = control();
        copy_dir(&dir.join("live"), &kept);
        control() == before
    });
    std::fs::rename(kept.join("control"), dir.join("control")).unwrap();
    let segment = kept.join(format!("{:020}.segment", 0));
    let at = 4096 + sent[1] as usize;
    change(&segment, |bytes| bytes[at] ^= 1);
    (segment, at)
}

/// What was set to zero may be there still on the disk, if who did that was killed before it was flushed.
#[test]
fn what_a_killed_recovery_has_cleared_is_flushed_by_the_next() {
    let dir = Dir::new("cleared");
    let (segment, at) = without_the_second(&dir);
    let dir = &dir.join("kept");
    assert!(recover_until(dir, "cleared"));
    let cleared = std::fs::read(&segment).unwrap();
    assert!(cleared[at..].iter().all(|&byte| byte == 0));
    assert!(recover_until(dir, "clear_flushed"));
}

/// Nor may the disk have what a cursor was set back to.
#[test]
fn what_a_killed_recovery_has_set_back_is_flushed_by_the_next() {
    let dir = Dir::new("set-back");
    without_the_second(&dir);
    let dir = &dir.join("kept");
    for _ in 0..2 {
        assert!(recover_until(dir, "cursor_set_back"));
    }
}

/// What an opening that dies has given up is told by the next, until somebody has used the journal.
#[test]
fn what_a_killed_recovery_has_dropped_is_said_by_the_next() {
    for words in [false, true] {
        for point in RECOVERING.into_iter().chain(["none"]) {
            let dir = Dir::new("said");
            let (segment, at) = without_the_second(&dir);
            let kept = dir.join("kept");
            let from = (at - 4096) as u64;
            let expected = if words {
                // Those of a writer that died: nothing else tells how far it had come. Up to where all was finished they don't say.
                std::fs::rename(dir.join("control"), kept.join("control")).unwrap();
                change(&kept.join("control"), |bytes| bytes[64] ^= 1);
                change(&segment, |bytes| bytes[at..].fill(0));
                (from, from + 2 * 128, DropCause::Segment)
            } else {
                // But for the last one's padding, and what of its payload's last word is none.
                (from, from + 128 + 16 + 104, DropCause::Unfinished)
            };
            let open = || Journal::open_existing(&kept, short()).unwrap();
            let said = |journal: &Journal| {
                let dropped = journal.recovery().dropped.clone();
                dropped.map(|it| (it.from, it.to, it.why))
            };
            for _ in 0..2 {
                recover_until(&kept, point);
            }
            let journal = open();
            assert_eq!(said(&journal), Some(expected), "{point}, words: {words}");
            let closes = point == "none";
            if !closes {
                let mut publisher = journal.bus().publisher().unwrap();
                publisher.send(kit::tag(0, 4), b"in its place").unwrap();
                // As one that is killed leaves it.
                let killed = dir.join("killed");
                copy_dir(&kept, &killed);
                let journal = Journal::open_existing(killed, short()).unwrap();
                assert_eq!(journal.recovery().left, LeftBy::Dying);
                assert_eq!(said(&journal), None, "{point}, words: {words}");
            }
            drop(journal);
            assert_eq!(said(&open()), None, "{point}, words: {words}");
        }
    }
}

/// The name of its directory, too, whether its user has made that, or one who died before he had flushed it.
#[test]
fn the_directory_of_a_journal_survives_a_loss_of_power() {
    for path in [
        "journal",
        "made/journal",
        "outer/journal",
        "outer/inner/journal",
    ] {
        let root = Dir::in_memory("directory");
        let disk = Disk::new(&root);
        watch(&disk);
        let dir = root.join(path);
        match path {
            "journal" => std::fs::create_dir(&dir).unwrap(),
            "made/journal" => assert!(recover_until(&dir, "directory_made")),
            _ => {}
        }
        let journal = Journal::open(&dir, short()).unwrap();
        drop(journal);
        unwatch(&disk);
        let first = Path::new(path).components().next().unwrap();
        for seed in 0..8 {
            let after = root.join(format!("after-{seed}"));
            disk.snapshot().restore(&after, &mut Rng(seed));
            assert!(after.join(first).is_dir(), "{path}, seed {seed}");
        }
    }
}

/// Nor does it matter who made a cursor, and died before he had flushed its name, or that of the cursors' directory.
#[test]
fn a_cursor_that_one_who_died_has_made_survives_a_loss_of_power() {
    for point in ["cursors_made", "schema_named"] {
        let root = Dir::in_memory("cursor");
        let dir = root.join("journal");
        let journal = Journal::open(&dir, short()).unwrap();
        let disk = Disk::new(&dir);
        assert!(child_until(
            "power::has_a_cursor_until_it_is_killed",
            &dir,
            point
        ));
        watch(&disk);
        let mut cursor = journal.cursor(CURSOR).unwrap();
        cursor.store(32).unwrap();
        cursor.sync().unwrap();
        unwatch(&disk);
        for seed in 0..8 {
            let after = root.join(format!("after-{seed}"));
            disk.snapshot().restore(&after, &mut Rng(seed));
            let cursor = Reader::open(&after).unwrap().cursor(CURSOR).unwrap();
            assert_eq!(cursor.position(), 32, "{point}, seed {seed}");
        }
    }
}

#[test]
fn what_was_synced_survives_a_loss_of_power() {
    let lives = cases("MESSENGER_POWER_SEEDS", 8000) / u64::from(CRASHES);
    let begun = Instant::now();
    let mut sum = Sum::default();
    for seed in first_seed()..first_seed() + lives {
        let mut life = Life::new(seed);
        let ran = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for _ in 0..CRASHES {
                life.epoch(&mut sum);
            }
        }));
        if let Err(panic) = ran {
            eprintln!(
                "MESSENGER_SEED={seed}, crash {}, {:?}",
                life.epoch, life.policy
            );
            std::panic::resume_unwind(panic);
        }
    }
    println!("{sum:?} in {:?}", begun.elapsed());
    if lives >= 100 {
        assert!(
            sum.recoveries_killed > 0
                && sum.while_opening > 0
                && sum.while_closing > 0
                && sum.closed > 0
                && sum.lost > 0
                && sum.dropped > 0
                && sum.synced > 0
                && sum.marks > 0
                && sum.set_back > 0
        );
    }
}
