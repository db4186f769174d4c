//! A bus whose records lie in a journal that its processes share.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use messenger::bus::{ClaimError, MessageId, SourceId, Start, Subscriber, Tag, WaitStrategy};
use messenger::journal::{
    Journal, JournalConfig, LeftBy, OpenFault, Reader, Retention, Schema, SyncPolicy, repair,
    verify,
};
use messenger::shared::{Change, SharedBus, SharedFault, SharedOptions};

use crate::kit::{Other, TAG, forever, fresh, say, until};
use crate::numbers::mix;
use crate::reader::number_of;

mod read;
mod rights;

/// As short as they can be, so that there are many.
const SEGMENT: u64 = 4096;

fn config() -> JournalConfig {
    JournalConfig::new().segment_bytes(SEGMENT)
}

/// The directory of a journal, removed when it goes.
struct Dir(PathBuf);

impl Dir {
    fn path(name: &str) -> PathBuf {
        Path::new("/dev/shm").join(format!("messenger-journal-{name}"))
    }

    fn new(name: &str) -> Self {
        let path = Self::path(name);
        let _ = std::fs::remove_dir_all(&path);
        Self(path)
    }

    fn options(&self) -> SharedOptions {
        SharedBus::options().journal(&self.0, config())
    }

    /// What lies in it that no journal has which was closed.
    fn litter(&self) -> Vec<String> {
        let names = std::fs::read_dir(&self.0).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.ends_with(".new")).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn payload(publisher: u16, sequence: u64) -> Vec<u8> {
    let mut bytes = sequence.to_le_bytes().to_vec();
    bytes.resize(
        8 + (sequence as usize * 31 + usize::from(publisher)) % 200,
        publisher as u8,
    );
    bytes
}

fn tag(publisher: u16) -> Tag {
    Tag::new(SourceId::new(publisher), MessageId::new(1))
}

/// What a child does. Says whether `role` is one of these.
pub(crate) fn child_process(role: &str, name: &str) -> bool {
    let Some(role) = role.strip_prefix("journal-") else {
        return false;
    };
    if role == "damaged" {
        (0..300).for_each(|seed| use_what_is_damaged(&format!("{name}-{seed}"), seed));
        say("done");
        return true;
    }
    if role == "visits" {
        for sequence in 0..200 {
            let bus = SharedBus::options().keep(true).open(name).unwrap();
            let mut publisher = bus.bus().publisher().unwrap();
            publisher.send(TAG, &payload(1, sequence)).unwrap();
        }
        say("done");
        return true;
    }
    if role == "repairs" {
        repair(Dir::path(name), |_| ()).unwrap();
        say("done");
        return true;
    }
    if role == "joins" {
        rights::joins(name);
        return true;
    }
    if role == "fills-as-nobody" {
        rights::fills_as_nobody(name);
    }
    let bus = SharedBus::open(name).unwrap();
    let journal = bus.journal().unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    match role {
        "sends" => {
            say("here");
            std::io::stdin().read_exact(&mut [0]).unwrap();
            let own = std::env::var("PUBLISHER").unwrap().parse().unwrap();
            for sequence in 0..600 {
                publisher.send(tag(own), &payload(own, sequence)).unwrap();
                if sequence % 100 == 99 {
                    let synced = journal.sync().unwrap();
                    assert!(synced <= bus.bus().tail());
                }
            }
            say("sent");
            std::io::stdin().read_exact(&mut [0]).unwrap();
        }
        "recovery" => {
            let recovery = journal.recovery();
            say(format!("{:?}", (recovery.left, &recovery.dropped)));
        }
        "claims" => {
            let position = publisher.send(TAG, b"whole").unwrap();
            let mut claim = publisher.claim(TAG, 100).unwrap();
            claim.writer().put(&[1; 50]).unwrap();
            say(position);
            forever();
        }
        "syncs" => {
            let position = publisher.send(TAG, b"mine").unwrap();
            assert!(journal.wait_synced(position, None).unwrap());
            say(position);
            std::io::stdin().read_exact(&mut [0]).unwrap();
            say(journal.synced());
            std::io::stdin().read_exact(&mut [0]).unwrap();
        }
        "fills" => {
            for sequence in 0..100 {
                publisher.send(TAG, &payload(1, sequence)).unwrap();
            }
            say("filled");
            forever();
        }
        "waits" => {
            let position = publisher.send(TAG, b"mine").unwrap();
            say(journal.wait_synced(position, None).is_ok());
            forever();
        }
        other => panic!("no role {other}"),
    }
    true
}

/// Does what can be done with a bus of which some of the journal's words have been written over; what comes of it is nobody's affair.
fn use_what_is_damaged(name: &str, seed: u64) {
    let dir = Dir::new(name);
    let config = config().bound(if seed % 2 == 0 { SEGMENT } else { 1 << 40 });
    let options = SharedBus::options().journal(&dir.0, config).members(8);
    let bus = options.create(name).unwrap();
    let there = SharedBus::open(name).unwrap();
    let journal = bus.journal().unwrap();
    let control = std::fs::File::options()
        .write(true)
        .open(dir.0.join("control"))
        .unwrap();
    let mut subscriber = there.bus().subscribe(Start::Oldest);
    let mut publisher = there.bus().publisher();
    for round in 0..4_u64 {
        for turn in 0..30_u64 {
            if let Ok(publisher) = &mut publisher {
                let _ = publisher.try_send(TAG, &payload(1, round * 30 + turn));
            }
            if let Ok(subscriber) = &mut subscriber {
                let _ = subscriber.try_next();
            }
        }
        let _ = journal.sync();
        let _ = journal.wait_synced(journal.oldest(), Some(Duration::from_millis(1)));
        let _ = journal.trim(there.bus().tail() / 2);
        let _ = journal.position_at(std::time::SystemTime::now());
        let _ = bus
            .bus()
            .observe(Start::Oldest)
            .map(|mut o| o.try_next(&mut Vec::new()).map(drop));
        let _ = SharedBus::look(Path::new("/dev/shm"), name);
        let noise = mix(seed << 8 | round);
        let at = match noise % 4 {
            // Of whose the words are, and how far the journal has got.
            0..=2 => 8 * (mix(noise) % 72),
            _ => 4096 + 8 * (mix(noise) % 100),
        };
        let value = match mix(noise + 1) % 5 {
            0 => 0,
            1 => there.bus().tail() + mix(noise + 2) % 5000,
            2 => mix(noise + 2) % (8 * SEGMENT),
            3 => u64::MAX - mix(noise + 2) % 5000,
            _ => mix(noise + 2),
        };
        std::os::unix::fs::FileExt::write_all_at(&control, &value.to_le_bytes(), at).unwrap();
    }
    drop((subscriber, publisher, bus, there));
    let files = std::fs::read_dir(&dir.0).unwrap().count();
    assert!(files < 60, "{files} files after {seed}");
    let _ = options.open_or_create(name).map(|bus| {
        bus.bus()
            .publisher()
            .map(|mut publisher| publisher.try_send(TAG, b"again").map(drop))
    });
    let _ = SharedBus::remove(name);
}

/// All records that are retained.
fn all(bus: &SharedBus) -> Vec<(u64, Tag, Vec<u8>)> {
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut records = Vec::new();
    let tail = bus.bus().tail();
    // A note of the time may stand before the last ones that is not finished.
    until("all is finished", || {
        while let Some(record) = subscriber.try_next().unwrap() {
            records.push((record.position(), record.tag(), record.payload().to_vec()));
        }
        subscriber.position() >= tail
    });
    records
}

#[test]
fn records_survive_the_last_process() {
    let name = fresh();
    let dir = Dir::new(&name);
    let mut expected = 0;
    for round in 0..4 {
        let bus = dir.options().create(&name).unwrap();
        let journal = bus.journal().unwrap();
        let left = journal.recovery().left;
        let right = if round == 0 {
            LeftBy::Nobody
        } else {
            LeftBy::Closing
        };
        assert_eq!(left, right);
        assert_eq!(all(&bus).len(), expected);
        let mut publisher = bus.bus().publisher().unwrap();
        for sequence in 0..100 {
            publisher.send(tag(3), &payload(3, sequence)).unwrap();
        }
        expected += 100;
        // Another comes, and leaves first.
        let there = SharedBus::open(&name).unwrap();
        assert_eq!(all(&there).len(), expected);
        drop((publisher, bus));
        let tail = SharedBus::open(&name).unwrap().bus().tail();
        assert!(tail <= there.bus().tail(), "it is the same one");
        drop(there);
        assert!(matches!(
            SharedBus::open(&name).unwrap_err().fault(),
            SharedFault::Absent
        ));
        assert_eq!(dir.litter(), Vec::<String>::new());
    }
    // Nobody uses it: it can be had alone.
    let journal = Journal::open_existing(&dir.0, config()).unwrap();
    assert_eq!(journal.recovery().left, LeftBy::Closing);
    journal.close().unwrap();
    assert_eq!(verify(&dir.0, |_| ()).unwrap().records, expected as u64);
}

#[test]
fn one_process_or_those_of_a_bus_write_a_journal() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let error = Journal::open(&dir.0, config()).unwrap_err();
    assert!(matches!(error.fault(), OpenFault::InUse { .. }), "{error}");
    assert!(error.to_string().contains("share it"), "{error}");
    // A bus of another name has no part in it.
    let other = format!("{name}-b");
    let error = dir.options().create(&other).unwrap_err();
    assert!(error.to_string().contains("share it"), "{error}");
    let error = dir.options().create(&name).unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::Exists { .. }),
        "{error}"
    );
    // Those who look know that it is written.
    assert!(verify(&dir.0, |_| ()).unwrap().live);
    bus.bus().publisher().unwrap().send(TAG, b"seen").unwrap();
    let mut reader = Reader::open(&dir.0).unwrap();
    until("a reader has it", || reader.next_item().unwrap().is_some());
    drop(bus);
    let alone = Journal::open(&dir.0, config()).unwrap();
    let error = dir.options().create(&name).unwrap_err();
    assert!(error.to_string().contains("open for writing"), "{error}");
    assert!(matches!(
        SharedBus::open(&name).unwrap_err().fault(),
        SharedFault::Absent
    ));
    drop(alone);
    assert!(!verify(&dir.0, |_| ()).unwrap().live);
}

#[test]
fn a_bus_lies_where_it_was_made() {
    let name = fresh();
    let (dir, other) = (Dir::new(&name), Dir::new(&format!("{name}-b")));
    let bus = dir.options().create(&name).unwrap();
    let error = other.options().open(&name).unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::Storage { journal: Some(it) } if *it == dir.0),
        "{error}"
    );
    assert_eq!(
        error.fault().to_string(),
        format!(
            "its records lie in the journal in {}, and not where they were asked for: open it without saying where",
            dir.0.display()
        )
    );
    assert_eq!(bus.journal().unwrap().path(), Some(&*dir.0));
    drop(dir.options().open(&name).unwrap());
    drop(bus);
    let ring = SharedBus::create(&name, 4096).unwrap();
    assert!(ring.journal().is_none());
    let error = dir.options().open(&name).unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::Storage { journal: None }),
        "{error}"
    );
    assert_eq!(
        error.fault().to_string(),
        "its records lie in a ring, and not in a journal: open it without saying where, or create another one"
    );
    // Nor is a journal that has still to be made the ring that is there.
    let error = other.options().open_or_create(&name).unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::Storage { journal: None }),
        "{error}"
    );
    assert!(!other.0.exists());
}

/// Who is refused has had a hold on the bus for a moment, perhaps the last one.
#[test]
fn one_is_refused_while_the_last_one_leaves() {
    let name = fresh();
    let (dir, other) = (Dir::new(&name), Dir::new(&format!("{name}-b")));
    let (done, is_done) = std::sync::mpsc::channel();
    let (here, refused) = (dir.options(), other.options());
    let refusals = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&refusals);
    let (ours, theirs) = (name.clone(), name);
    std::thread::spawn(move || {
        for _ in 0..60 {
            let bus = here.open_or_create(&ours).unwrap();
            let before = seen.load(Relaxed);
            until("somebody is refused", || seen.load(Relaxed) > before);
            drop(bus);
        }
        done.send(()).unwrap();
    });
    let over = Arc::new(AtomicBool::new(false));
    for _ in 0..2 {
        let (refused, theirs) = (refused.clone(), theirs.clone());
        let (over, refusals) = (over.clone(), refusals.clone());
        std::thread::spawn(move || {
            while !over.load(Relaxed) {
                let error = refused.open(&theirs).unwrap_err();
                if matches!(error.fault(), SharedFault::Storage { .. }) {
                    refusals.fetch_add(1, Relaxed);
                }
            }
        });
    }
    let waited = is_done.recv_timeout(Duration::from_secs(60));
    over.store(true, Relaxed);
    waited.expect("nobody is stuck");
}

#[test]
fn three_processes_publish_over_many_segments_and_each_syncs() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let mut others: Vec<_> = (1..=3)
        .map(|own: u16| {
            let own = own.to_string();
            Other::start_with("journal-sends", &name, Some(("PUBLISHER", &own)))
        })
        .collect();
    for other in &mut others {
        assert_eq!(other.line(), "here");
    }
    for other in &mut others {
        std::io::Write::write_all(other.child.stdin.as_mut().unwrap(), b"!").unwrap();
    }
    let mut subscriber = bus.bus().subscribe(Start::At(0)).unwrap();
    let mut next = [0_u64; 4];
    while next[1..] != [600; 3] {
        let record = subscriber
            .next_timeout(WaitStrategy::Block, Duration::from_secs(60))
            .unwrap()
            .expect("they publish");
        let own = record.tag().source.get();
        let due = &mut next[usize::from(own)];
        assert_eq!(
            record.payload(),
            payload(own, *due),
            "at {}",
            record.position()
        );
        *due += 1;
    }
    assert!(bus.bus().tail() > 40 * SEGMENT, "they are many");
    let journal = bus.journal().unwrap();
    for other in &mut others {
        assert_eq!(other.line(), "sent");
    }
    let tail = bus.bus().tail();
    // A note of the time may stand there that is not finished, and a segment be made.
    until("all is synced", || journal.sync().unwrap() >= tail);
    until("nothing is being made", || dir.litter().is_empty());
    drop(others);
    // They were killed: one who is left goes on, and all is there.
    until("all have died", || bus.processes().len() == 1);
    assert_eq!(all(&bus).len(), 1800);
    drop((subscriber, bus));
    let again = dir.options().create(&name).unwrap();
    assert_eq!(again.journal().unwrap().recovery().left, LeftBy::Closing);
    assert_eq!(all(&again).len(), 1800);
}

#[test]
fn what_one_has_synced_is_synced_for_all() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let journal = bus.journal().unwrap();
    let mut other = Other::start("journal-syncs", &name);
    let theirs: u64 = other.line().parse().unwrap();
    assert!(journal.synced() > theirs);
    let own = bus.bus().publisher().unwrap().send(TAG, b"ours").unwrap();
    assert!(journal.synced() <= own);
    let synced = journal.sync().unwrap();
    assert!(synced > own);
    std::io::Write::write_all(other.child.stdin.as_mut().unwrap(), b"!").unwrap();
    let seen: u64 = other.line().parse().unwrap();
    assert!(seen >= synced);
}

/// One whose flush has succeeded says so when another's has failed: of the same bytes, perhaps.
#[cfg(feature = "fault")]
#[test]
fn nobody_goes_on_after_anothers_flush_has_failed() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let journal = bus.journal().unwrap();
    let synced = journal.synced();
    let flushed = Some(("MESSENGER_FAULT", "flushed:1:stop"));
    let mut other = Other::start_with("journal-waits", &name, flushed);
    other.stands_still();
    // As another would say it, in the word *failed*: at position 0.
    let control = dir.0.join("control");
    let control = std::fs::File::options().write(true).open(control).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&control, &1_u64.to_le_bytes(), 400).unwrap();
    other.signal("-CONT");
    assert_eq!(other.line(), "false", "it is told");
    assert_eq!(journal.synced(), synced);
    assert!(journal.sync().is_err());
}

/// Of the segments of a journal that this process has mapped, how many have no name any more.
fn given_up_and_mapped(dir: &Dir) -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let dir = format!("{}/", dir.0.display());
    let gone = |line: &&str| line.contains(&dir) && line.ends_with(".segment (deleted)");
    maps.lines().filter(gone).count()
}

#[test]
fn what_is_given_up_stays_mapped_by_nobody() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let there = SharedBus::open(&name).unwrap();
    // By a view that no keeper keeps, faster than the keeper: it makes segments itself. After that it rests.
    for view in [&there, &bus] {
        let mut publisher = view.bus().publisher().unwrap();
        for sequence in 0..400 {
            publisher.send(TAG, &payload(1, sequence)).unwrap();
        }
    }
    let (journal, tail) = (bus.journal().unwrap(), bus.bus().tail());
    let last = tail - tail % SEGMENT;
    until("all but the last are given up", || {
        journal.trim(tail).unwrap() >= last
    });
    until("they are unmapped", || given_up_and_mapped(&dir) == 0);
}

#[test]
fn a_bus_that_all_have_died_on_goes_on() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let mut others = [(); 3].map(|()| Other::start("journal-claims", &name));
    for other in &mut others {
        other.line();
    }
    let tail = bus.bus().tail();
    // This one has not been killed, and has left.
    drop(bus);
    for other in &mut others {
        other.kill();
    }
    let error = SharedBus::create(&name, 4096);
    let error = error.map(drop).map_err(|error| error.to_string());
    // (What it is made of does not matter to who replaces it.)
    assert_eq!(error, Ok(()));
    let bus = dir.options().create(&name).unwrap();
    let recovery = bus.journal().unwrap().recovery().clone();
    assert_eq!(recovery.left, LeftBy::Dying);
    assert!(recovery.tail >= tail, "{recovery:?}");
    // Those that died first may have been settled by the others; and each may have been about to note the time.
    assert!((1..=6).contains(&recovery.aborted), "{recovery:?}");
    let whole: Vec<_> = all(&bus).into_iter().map(|(.., payload)| payload).collect();
    assert_eq!(whole, [b"whole"; 3]);
}

#[test]
fn a_stale_bus_is_opened_with_what_was_committed() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let mut other = Other::start("journal-claims", &name);
    other.line();
    drop(bus);
    other.kill();
    let bus = SharedBus::open(&name).unwrap();
    let journal = bus.journal().unwrap();
    assert_eq!(journal.recovery().left, LeftBy::Dying);
    assert_eq!(all(&bus).len(), 1);
    assert_eq!((bus.processes().len(), bus.bus().stats().aborted), (1, 0));
    let there = SharedBus::open(&name).unwrap();
    let mut publisher = there.bus().publisher().unwrap();
    publisher.send(TAG, b"more").unwrap();
    assert_eq!(all(&bus).len(), 2);
}

#[test]
fn a_stale_bus_without_its_journal_says_so() {
    let name = fresh();
    let dir = Dir::new(&name);
    drop(dir.options().keep(true).create(&name).unwrap());
    let away = dir.0.with_extension("away");
    std::fs::rename(&dir.0, &away).unwrap();
    let error = SharedBus::open(&name).unwrap_err();
    assert!(
        matches!(error.fault(), SharedFault::Journal(e) if matches!(e.fault(), OpenFault::Absent)),
        "{error}"
    );
    assert!(!dir.0.exists(), "no other one is made in its place");
    drop(Journal::create(&dir.0, config()).unwrap());
    let error = SharedBus::open(&name).unwrap_err().to_string();
    assert!(error.contains("another journal"), "{error}");
    std::fs::remove_dir_all(&dir.0).unwrap();
    std::fs::rename(&away, &dir.0).unwrap();
    drop(SharedBus::open(&name).unwrap());
    SharedBus::remove(&name).unwrap();
}

#[test]
fn a_dead_ones_claim_is_aborted_while_others_go_on() {
    let name = fresh();
    let dir = Dir::new(&name);
    // Without notes of the time, so that what it was told to claim is all that is aborted.
    let config = config().time_resolution(Duration::ZERO);
    let options = SharedBus::options().journal(&dir.0, config);
    let bus = options.create(&name).unwrap();
    let membership = bus.membership();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut other = Other::start("journal-claims", &name);
    other.line();
    let behind = bus
        .bus()
        .publisher()
        .unwrap()
        .send(TAG, b"behind it")
        .unwrap();
    let journal = bus.journal().unwrap();
    assert!(
        !journal
            .wait_synced(behind, Some(Duration::from_millis(20)))
            .unwrap()
    );
    other.kill();
    assert!(
        journal
            .wait_synced(behind, Some(Duration::from_secs(60)))
            .unwrap()
    );
    until(
        "its death is told",
        || matches!(membership.try_recv(), Ok(m) if matches!(m.change, Change::Died { .. })),
    );
    let mut read = Vec::new();
    while let Some(record) = subscriber.try_next().unwrap() {
        read.push(record.payload().to_vec());
    }
    assert_eq!(read, [&b"whole"[..], b"behind it"]);
    assert_eq!(bus.bus().stats().aborted, 1);
    // What was aborted for it is as whole as all else.
    drop((subscriber, bus));
    let verified = verify(&dir.0, |_| ()).unwrap();
    assert!(verified.damage.is_empty(), "{verified:?}");
    assert_eq!((verified.records, verified.aborted), (2, 1));
}

#[test]
fn one_schema_for_all() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let there = SharedBus::open(&name).unwrap();
    let one: Schema = "source\t1\tOne\n".parse().unwrap();
    let two: Schema = "source\t2\tTwo\n".parse().unwrap();
    bus.admit(&one).unwrap();
    there.journal().unwrap().admit(&two).unwrap();
    for schema in [
        bus.schema().unwrap(),
        there.schema().unwrap(),
        bus.journal().unwrap().schema(),
    ] {
        assert_eq!(schema.sources().len(), 2, "{schema}");
    }
    let other: Schema = "source\t2\tOther\n".parse().unwrap();
    assert!(matches!(
        bus.admit(&other).unwrap_err().fault(),
        SharedFault::Conflict(_)
    ));
    drop((bus, there));
    assert_eq!(Reader::open(&dir.0).unwrap().schema().sources().len(), 2);
}

#[test]
fn the_creators_policies_are_those_of_all() {
    let name = fresh();
    let dir = Dir::new(&name);
    let often = SyncPolicy::Every {
        bytes: 1,
        interval: Duration::from_millis(1),
    };
    let config = config()
        .sync(often)
        .retain(Retention::all().at_most(2 * SEGMENT));
    let bus = SharedBus::options()
        .journal(&dir.0, config)
        .create(&name)
        .unwrap();
    let there = SharedBus::open(&name).unwrap();
    let mut publisher = there.bus().publisher().unwrap();
    let mut last = 0;
    for sequence in 0..400 {
        last = publisher.send(tag(1), &payload(1, sequence)).unwrap();
    }
    let journal = bus.journal().unwrap();
    until("it is synced", || journal.synced() > last);
    until("it is trimmed", || journal.oldest() + 4 * SEGMENT > last);
    let oldest = journal.oldest();
    assert!(there.journal().unwrap().oldest() >= oldest);
    assert!(all(&there)[0].0 >= oldest);
    let oldest = journal.trim(last).unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    let begins = there.journal().unwrap().position_at(long_ago).unwrap();
    assert!(begins >= oldest, "{begins}, {oldest}");
}

#[test]
fn a_bounded_journal_is_full_for_all() {
    let name = fresh();
    let dir = Dir::new(&name);
    // Without notes of the time, so that what is sent is all there is.
    let config = config().bound(SEGMENT).time_resolution(Duration::ZERO);
    let bus = SharedBus::options()
        .journal(&dir.0, config)
        .create(&name)
        .unwrap();
    let there = SharedBus::open(&name).unwrap();
    let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
    let mut publisher = there.bus().publisher().unwrap();
    let mut sent = 0;
    while publisher.try_send(TAG, &[1; 100]).is_ok() {
        sent += 1;
    }
    assert!(sent > 20);
    assert!(matches!(
        publisher.try_send(TAG, &[1; 100]),
        Err(ClaimError::Full { .. })
    ));
    for _ in 0..sent {
        assert!(subscriber.try_next().unwrap().is_some());
    }
    for _ in 0..10 * sent {
        publisher.send(TAG, &[2; 100]).unwrap();
        assert!(subscriber.try_next().unwrap().is_some());
    }
}

#[test]
fn cursors_are_held_by_one_process_at_a_time() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let there = SharedBus::open(&name).unwrap();
    let mut cursor = bus.journal().unwrap().cursor("reader").unwrap();
    cursor.store(bus.bus().tail()).unwrap();
    assert!(there.journal().unwrap().cursor("reader").is_err());
    drop(cursor);
    assert!(there.journal().unwrap().cursor("reader").is_ok());
}

/// Who wakes a task runs what is no code of the bus's, and what that does may end all that this process has of it: no thread does so that is waited
/// for then.
#[test]
fn a_task_that_is_woken_may_drop_the_last_of_the_bus() {
    struct Last(Mutex<Option<(SharedBus, Subscriber)>>, Sender<String>);
    impl Wake for Last {
        fn wake(self: Arc<Self>) {
            let last = self.0.lock().unwrap().take();
            drop(last);
            let thread = std::thread::current();
            let _ = self.1.send(thread.name().unwrap_or_default().to_owned());
        }
    }
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let path = bus.path().to_owned();
    let mut other = Other::start("sends", &name);
    let mut subscriber = bus.bus().subscribe(Start::Newest).unwrap();
    let (to, woken) = channel();
    let last = Arc::new(Last(Mutex::default(), to));
    let waker = Waker::from(Arc::clone(&last));
    let mut task = Context::from_waker(&waker);
    // Whoever wakes it waits until it has the bus: a keeper may do so at once, who notes the time.
    let mut held = last.0.lock().unwrap();
    assert!(subscriber.poll_next(&mut task).unwrap().is_pending());
    *held = Some((bus, subscriber));
    drop(held);
    std::io::Write::write_all(&mut other.child.stdin.take().unwrap(), b"!").unwrap();
    let by = woken.recv_timeout(Duration::from_secs(120)).unwrap();
    assert_ne!(by, "journal", "the keeper of the process");
    until("its end", || !path.exists());
}

#[test]
fn damaged_words_harm_nobody() {
    let mut other = Other::start("journal-damaged", &fresh());
    assert_eq!(other.line(), "done");
    assert!(other.child.wait().unwrap().success());
}

/// Of a bus that stays: who comes while the last one leaves finds it closed, and opens it.
#[test]
fn one_comes_while_the_last_one_leaves() {
    let name = fresh();
    let dir = Dir::new(&name);
    drop(dir.options().keep(true).create(&name).unwrap());
    let mut others = [(); 2].map(|()| Other::start("journal-visits", &name));
    for other in &mut others {
        assert_eq!(other.line(), "done");
    }
    drop(others);
    let bus = SharedBus::open(&name).unwrap();
    assert_eq!(all(&bus).len(), 400);
    drop(bus);
    SharedBus::remove(&name).unwrap();
}

#[test]
fn many_come_and_go_at_once() {
    let name = fresh();
    let dir = Dir::new(&name);
    let sent = std::sync::atomic::AtomicU64::new(0);
    std::thread::scope(|scope| {
        for own in 1..=4_u16 {
            let (options, name, sent) = (dir.options(), &name, &sent);
            scope.spawn(move || {
                for sequence in 0..30 {
                    let bus = options.open_or_create(name).unwrap();
                    let mut publisher = bus.bus().publisher().unwrap();
                    publisher.send(tag(own), &payload(own, sequence)).unwrap();
                    sent.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            });
        }
    });
    let bus = dir.options().open_or_create(&name).unwrap();
    assert_eq!(all(&bus).len() as u64, sent.into_inner());
    until("nothing is being made", || dir.litter().is_empty());
}

/// Who had it may have been killed just now, and the kernel not have let go of all that was locked.
#[test]
fn who_makes_a_bus_waits_a_little_for_the_journal() {
    let name = fresh();
    let dir = Dir::new(&name);
    // It waits for two seconds, and on a busy machine they may be over before the journal is let go.
    until("it is let go in time", || {
        let held = Journal::open(&dir.0, config()).unwrap();
        std::thread::scope(|scope| {
            let made = scope.spawn(|| dir.options().create(&name));
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
            made.join().unwrap().is_ok()
        })
    });
}

/// Two that find nothing there: one of them makes the bus, and the other, who waits for the journal meanwhile, finds it.
#[test]
fn who_waits_for_the_journal_finds_the_bus_that_another_makes_of_it() {
    let name = fresh();
    let dir = Dir::new(&name);
    // As above: in time, on a busy machine.
    until("it is let go in time", || {
        let held = Journal::open(&dir.0, config()).unwrap();
        std::thread::scope(|scope| {
            let open = || dir.options().open_or_create(&name);
            let both = [scope.spawn(open), scope.spawn(open)];
            std::thread::sleep(Duration::from_millis(100));
            drop(held);
            let buses = both.map(|one| one.join().unwrap());
            buses.iter().all(Result::is_ok)
        })
    });
}
