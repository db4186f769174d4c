//! Damage of every kind: `verify` finds it, `repair` gives up what has to be, and no more.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use messenger::bus::{Start, Tag};
use messenger::journal::{
    Damage, DamageKind, HeaderError, Journal, Reader, Repaired, Retention, plan_repair, repair,
    verify,
};

use crate::kit::{Dir, payload, quiet, small, tag};

const SEGMENT: u64 = 4096;
const HEADER: u64 = 4096;

type Sent = Vec<(u64, Tag, Vec<u8>)>;

/// A journal of several segments, closed, so that all of it is synced.
fn written(name: &str) -> (Dir, Sent) {
    let dir = Dir::new(name);
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    let mut sent = Vec::new();
    for n in 0..150_u16 {
        let bytes = payload(u64::from(n));
        let position = publisher.send(tag(n), &bytes).unwrap();
        sent.push((position, tag(n), bytes));
    }
    drop(publisher);
    journal.close().unwrap();
    (dir, sent)
}

fn segment(dir: &Path, base: u64) -> std::path::PathBuf {
    dir.join(format!("{base:020}.segment"))
}

fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn flip(dir: &Path, position: u64, bit: u8) {
    let base = position & !(SEGMENT - 1);
    change(&segment(dir, base), |bytes| {
        bytes[(HEADER + position - base) as usize] ^= 1 << bit;
    });
}

/// All files, by name, but what a keeper has just given its name.
fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap();
    let files = entries.map(|entry| entry.unwrap().path());
    { files }
        .filter(|path| path.is_file())
        .filter_map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            match fs::read(path) {
                Ok(bytes) => Some((name, bytes)),
                Err(_) if name.ends_with(".new") => None,
                Err(error) => panic!("{name}: {error}"),
            }
        })
        .collect()
}

/// Plans and does a repair. Then the journal opens, holds what was sent before the cut, and goes on there.
fn repaired(dir: &Path, sent: &[(u64, Tag, Vec<u8>)]) -> Repaired {
    let before = files(dir);
    let plan = plan_repair(dir, |_| {}).unwrap();
    assert!(files(dir) == before, "a plan changes nothing");
    let done = repair(dir, |_| {}).unwrap();
    assert_eq!(done, plan, "what was planned is done");
    let again = plan_repair(dir, |_| {}).unwrap();
    assert!(again.is_nothing(), "once is enough: {again:?}");
    opens_with(dir, sent, done.cut.as_ref().map(|cut| cut.from));
    done
}

fn opens_with(dir: &Path, sent: &[(u64, Tag, Vec<u8>)], cut: Option<u64>) {
    let cut = cut.unwrap_or(u64::MAX);
    let kept: Vec<_> = sent.iter().filter(|(at, ..)| *at < cut).collect();
    let journal = Journal::open_existing(dir, small()).unwrap();
    assert_eq!(journal.recovery().dropped, None);
    let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
    let mut publisher = journal.bus().publisher().unwrap();
    let new = publisher.send(tag(9), b"after the repair").unwrap();
    assert!(kept.last().is_none_or(|(at, ..)| new > *at));
    if cut != u64::MAX {
        assert_eq!(new, cut, "the next record stands where the damage was");
    }
    for (position, tag, bytes) in &kept {
        let record = subscriber.try_next().unwrap().expect("kept");
        let found = (record.position(), record.tag(), record.payload());
        assert_eq!(found, (*position, *tag, &bytes[..]));
    }
    let record = subscriber.try_next().unwrap().expect("just sent");
    assert_eq!(record.payload(), b"after the repair");
    assert!(subscriber.try_next().unwrap().is_none());
    drop((subscriber, publisher));
    journal.close().unwrap();
    let verified = verify(dir, |_| {}).unwrap();
    assert_eq!(verified.damage, []);
    assert_eq!(verified.records, kept.len() as u64 + 1);
}

/// The first thing that is found.
fn first(dir: &Path) -> Damage {
    verify(dir, |_| {}).unwrap().damage.swap_remove(0)
}

#[test]
fn a_sound_journal_is_counted_and_left_alone() {
    let (dir, sent) = written("sound");
    let mut told = Vec::new();
    let verified = verify(&dir, |progress| told.push(progress)).unwrap();
    assert_eq!(verified.damage, []);
    assert_eq!((verified.records, verified.oldest), (150, 0));
    assert!(!verified.live && verified.pending == 0);
    assert_eq!(verified.newest, verified.synced);
    let bytes = sent
        .iter()
        .map(|(_, _, bytes)| 16 + bytes.len().next_multiple_of(16));
    assert_eq!(verified.bytes, bytes.sum::<usize>() as u64);
    let notes = verified.notes * 32 + verified.padding;
    assert_eq!(verified.newest, verified.bytes + notes);
    assert!(told.windows(2).all(|two| two[0].done < two[1].done));
    let end = told.last().unwrap();
    assert_eq!(
        (end.done, end.total),
        (verified.segments * SEGMENT, end.done)
    );
    assert!(repaired(&dir, &sent).is_nothing());
}

#[test]
fn a_live_journal_is_verified_from_outside() {
    let dir = Dir::new("live");
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..100 {
        publisher.send(tag(n), &payload(u64::from(n))).unwrap();
    }
    let claim = publisher.claim(tag(1), 100).unwrap();
    let at = claim.position();
    let verified = verify(&dir, |_| {}).unwrap();
    assert_eq!((verified.records, verified.live), (100, true));
    assert_eq!((verified.damage, verified.newest), (vec![], at));
    assert!(verified.pending > 0);
    let error = repair(&dir, |_| {}).unwrap_err().to_string();
    assert!(error.contains("open for writing already"), "{error}");
    drop(claim);
}

#[test]
fn a_writer_that_comes_while_it_is_verified_damages_nothing() {
    let (dir, _) = written("comes");
    let (tell, told) = channel();
    let (did, done) = channel();
    let verified = std::thread::scope(|scope| {
        let dir = &dir;
        scope.spawn(move || {
            told.recv().unwrap();
            let journal = dir.open(quiet());
            let mut slow = journal.bus().publisher().unwrap();
            let claim = slow.claim(tag(1), 100).unwrap();
            let mut quick = journal.bus().publisher().unwrap();
            quick.send(tag(2), b"after it").unwrap();
            did.send(()).unwrap();
            told.recv().unwrap();
            drop(claim);
            did.send(()).unwrap();
            // Until all has been looked at.
            assert!(told.recv().is_err());
        });
        let mut steps = 0;
        let verified = verify(dir, |progress| {
            // The claim is finished once it has been looked at.
            if steps == 0 || (steps == 1 && progress.done == progress.total) {
                steps += 1;
                tell.send(()).unwrap();
                done.recv().unwrap();
            }
        });
        drop(tell);
        verified
    });
    let verified = verified.unwrap();
    assert_eq!((verified.damage, verified.live), (vec![], true));
    assert_eq!((verified.records, verified.aborted), (151, 1));
}

#[test]
fn who_verifies_does_not_run_after_who_writes() {
    let dir = Dir::new("ahead");
    let journal = dir.open(small());
    let mut publisher = journal.bus().publisher().unwrap();
    for n in 0..12 {
        publisher.send(tag(n), &[1; 1000]).unwrap();
    }
    let mut told = Vec::new();
    let verified = verify(&dir, |progress| {
        told.push(progress);
        if told.len() < 100 {
            for n in 0..6 {
                publisher.send(tag(n), &[1; 1000]).unwrap();
            }
        }
    });
    assert_eq!(verified.unwrap().damage, []);
    assert!(told.len() < 10, "{}", told.len());
    assert!(told.iter().all(|at| at.total == told[0].total), "{told:?}");
}

#[test]
fn a_journal_that_grows_and_is_trimmed_meanwhile_is_not_damaged() {
    let dir = Dir::new("moving");
    let retain = Retention::all().at_most(20 * SEGMENT);
    let journal = dir.open(small().retain(retain));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for source in 0..2 {
            let mut publisher = journal.bus().publisher().unwrap();
            let stop = &stop;
            scope.spawn(move || {
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    if n % 10 == 3 {
                        drop(publisher.claim(tag(source), 77).unwrap());
                    }
                    publisher.send(tag(source), &payload(n)).unwrap();
                    n += 1;
                    if n % 50 == 0 {
                        std::thread::sleep(std::time::Duration::from_micros(500));
                    }
                }
            });
        }
        let _stop = Stop(&stop);
        let begun = std::time::Instant::now();
        let (mut rounds, mut newest) = (0, 0);
        let long = std::env::var("LONG").map_or(2, |t| t.parse().unwrap());
        let is_enough = |rounds, newest| rounds >= 3 && newest > 100 * SEGMENT;
        while begun.elapsed().as_secs() < long || !is_enough(rounds, newest) {
            assert!(begun.elapsed().as_secs() < long + 60, "{rounds} {newest}");
            let verified = verify(&dir, |progress| {
                assert!(progress.done <= progress.total, "{progress:?}");
            });
            let verified = verified.unwrap();
            assert_eq!(verified.damage, []);
            assert!(
                verified.live && verified.newest >= newest,
                "{newest} {verified:?} now {} {:?}",
                journal.bus().tail(),
                verify(&dir, |_| {}).unwrap()
            );
            newest = verified.newest;
            rounds += 1;
        }
    });
    drop(journal);
    assert_eq!(verify(&dir, |_| {}).unwrap().damage, []);
}

/// Ends the threads, also if an assertion fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn who_verifies_keeps_nobody_from_opening() {
    let (dir, _) = written("both");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(verify(&dir, |_| {}).unwrap().damage, []);
            }
        });
        let _stop = Stop(&stop);
        for _ in 0..100 {
            let journal = Journal::open_existing(&dir, small()).unwrap();
            journal.close().unwrap();
        }
    });
}

#[test]
fn a_flipped_bit_in_a_payload() {
    let (dir, sent) = written("payload");
    let (position, ..) = sent
        .iter()
        .find(|s| s.0 > SEGMENT && s.2.len() > 16)
        .unwrap();
    flip(&dir, position + 20, 3);
    let damage = first(&dir);
    assert_eq!((damage.position, damage.synced), (*position, true));
    assert_eq!(damage.what, DamageKind::Checksum);
    // What stands in later segments is found all the same.
    let verified = verify(&dir, |_| {}).unwrap();
    assert_eq!(verified.damage.len(), 1);
    let found = sent
        .iter()
        .filter(|s| s.0 < *position || s.0 >= 2 * SEGMENT);
    assert_eq!(verified.records, found.count() as u64);
    let done = repaired(&dir, &sent);
    let cut = done.cut.unwrap();
    assert_eq!((cut.from, cut.synced), (*position, verified.synced));
    assert_eq!(cut.to, verified.synced);
    assert!(!done.removed.is_empty() && done.mended.is_empty());
    let text = cut.to_string();
    let lost = cut.to - cut.from;
    assert_eq!(
        text,
        format!(
            "{lost} bytes from position {position} on are given up: the record at position {position} has another checksum than was \
             written with it (synced); {lost} of them had been synced"
        )
    );
}

#[test]
fn a_flipped_bit_in_the_last_segment_whose_header_says_what_was_synced() {
    let (dir, sent) = written("last");
    let (position, ..) = sent[148];
    assert!(verify(&dir, |_| {}).unwrap().newest - position < SEGMENT);
    flip(&dir, position + 9, 3);
    let cut = repaired(&dir, &sent).cut.unwrap();
    assert!(cut.from == position && cut.synced > position);
}

#[test]
fn a_flipped_bit_in_each_byte_of_a_record_header() {
    for byte in 0..16 {
        let (dir, sent) = written("header-byte");
        let (position, ..) = sent[40];
        flip(&dir, position + byte, 0);
        let damage = first(&dir);
        assert_eq!(damage.position, position, "byte {byte}");
        let expected = match byte {
            // The state and the position, without which there is no header.
            0..4 => damage.what == DamageKind::Unfinished,
            8..12 => matches!(
                damage.what,
                DamageKind::Length { .. } | DamageKind::Checksum
            ),
            _ => damage.what == DamageKind::Checksum,
        };
        assert!(expected, "byte {byte}: {damage:?}");
        assert_eq!(repaired(&dir, &sent).cut.unwrap().from, position);
    }
}

#[test]
fn a_damaged_segment_header_is_made_anew_and_loses_nothing() {
    for base in [0, SEGMENT, 2 * SEGMENT] {
        let (dir, sent) = written("segment-header");
        change(&segment(&dir, base), |bytes| bytes[..100].fill(0xa5));
        let damage = first(&dir);
        assert_eq!(damage.position, base);
        assert_eq!(damage.what, DamageKind::Header(HeaderError::Foreign));
        assert!(Journal::open_existing(&dir, small()).is_err());
        let done = repaired(&dir, &sent);
        assert_eq!((done.cut, done.mended), (None, vec![base]));
    }
}

#[test]
fn a_segment_that_was_cut_off_keeps_what_is_whole() {
    let (dir, sent) = written("cut");
    let file = fs::OpenOptions::new()
        .write(true)
        .open(segment(&dir, SEGMENT));
    file.unwrap().set_len(HEADER + 1000).unwrap();
    let damage = first(&dir);
    assert_eq!((damage.position, damage.synced), (SEGMENT, true));
    let (len, expected) = (HEADER + 1000, HEADER + SEGMENT);
    assert_eq!(damage.what, DamageKind::Cut { len, expected });
    assert!(Journal::open_existing(&dir, small()).is_err());
    let done = repaired(&dir, &sent);
    let whole = |s: &&(u64, Tag, Vec<u8>)| s.0 + 16 + s.2.len() as u64 <= SEGMENT + 1000;
    let (last, _, bytes) = sent.iter().rfind(whole).unwrap();
    let cut = done.cut.unwrap().from;
    // A note of the time may stand between them.
    assert!(cut >= last + 16 + bytes.len() as u64 && cut <= SEGMENT + 1000);
}

#[test]
fn missing_segments() {
    let (dir, sent) = written("missing");
    fs::remove_file(segment(&dir, SEGMENT)).unwrap();
    let damage = first(&dir);
    assert_eq!(damage.what, DamageKind::Missing { to: 2 * SEGMENT });
    assert!(Journal::open_existing(&dir, small()).is_err());
    assert_eq!(repaired(&dir, &sent).cut.unwrap().from, SEGMENT);

    // The last writer says that nothing had been given up. What comes after stays.
    let (dir, sent) = written("missing-first");
    fs::remove_file(segment(&dir, 0)).unwrap();
    let damage = first(&dir);
    assert_eq!((damage.position, damage.synced), (0, true));
    assert_eq!(damage.what, DamageKind::Missing { to: SEGMENT });
    let error = Journal::open_existing(&dir, small()).unwrap_err();
    assert!(error.to_string().contains("position 0 is missing"));
    let later: Vec<_> = sent.into_iter().filter(|s| s.0 >= SEGMENT).collect();
    let done = repaired(&dir, &later);
    assert_eq!((done.cut, done.begins), (None, Some(SEGMENT)));

    // Where nobody says so, the oldest one that is there is the oldest one: what was before may have been given up.
    let (dir, sent) = written("missing-first-unknown");
    fs::remove_file(segment(&dir, 0)).unwrap();
    fs::remove_file(dir.join("control")).unwrap();
    let later: Vec<_> = sent.into_iter().filter(|s| s.0 >= SEGMENT).collect();
    assert!(repaired(&dir, &later).is_nothing());
}

/// Given up and missing are two things.
#[test]
fn missing_segments_of_a_journal_that_was_trimmed() {
    for missing in [false, true] {
        let (dir, _) = written("missing-trimmed");
        let journal = dir.open(small());
        assert_eq!(journal.trim(2 * SEGMENT).unwrap(), 2 * SEGMENT);
        journal.close().unwrap();
        if missing {
            fs::remove_file(segment(&dir, 2 * SEGMENT)).unwrap();
            let damage = first(&dir);
            let to = 3 * SEGMENT;
            assert_eq!(
                (damage.position, damage.what),
                (2 * SEGMENT, DamageKind::Missing { to })
            );
            assert!(Journal::open_existing(&dir, small()).is_err());
        } else {
            assert_eq!(verify(&dir, |_| {}).unwrap().damage, []);
            assert_eq!(dir.open(small()).oldest(), 2 * SEGMENT);
        }
    }
}

/// By a process that made it so slowly that others had used it up and given it up, as a loss of power leaves it.
#[test]
fn a_segment_that_was_named_too_late() {
    let dir = Dir::new("late");
    let journal = dir.open(small().ahead(4));
    let mut publisher = journal.bus().publisher().unwrap();
    let blank = dir.join("blank");
    let base = 2 * SEGMENT;
    while !segment(&dir, base).exists() {
        std::thread::yield_now();
    }
    fs::copy(segment(&dir, base), &blank).unwrap();
    for n in 0..200_u16 {
        publisher.send(tag(n), &payload(u64::from(n))).unwrap();
    }
    journal.sync().unwrap();
    while journal.trim(6 * SEGMENT).unwrap() < 4 * SEGMENT {}
    let oldest = journal.oldest();
    drop(publisher);
    journal.close().unwrap();
    let (control, late) = (dir.join("control"), segment(&dir, base));
    for is_known in [true, false] {
        fs::copy(&blank, &late).unwrap();
        if !is_known {
            fs::remove_file(&control).unwrap();
        }
        let journal = Journal::open_existing(&dir, small()).unwrap();
        assert_eq!(journal.oldest(), oldest);
        assert!(!late.exists());
        let mut all = journal.bus().subscribe(Start::Oldest).unwrap();
        assert!(all.try_next().unwrap().is_some());
        drop(all);
        journal.close().unwrap();
    }
    // One that has been written to is not given up like that.
    fs::copy(segment(&dir, oldest), &late).unwrap();
    fs::remove_file(&control).unwrap();
    assert!(Journal::open_existing(&dir, small()).is_err());
    fs::copy(&blank, &late).unwrap();
    change(&late, |bytes| bytes[HEADER as usize] = 1);
    assert!(Journal::open_existing(&dir, small()).is_err());
}

#[test]
fn all_segments_missing() {
    let (dir, sent) = written("all-missing");
    let reached = verify(&dir, |_| {}).unwrap().newest;
    for (name, _) in files(&dir) {
        if name.ends_with(".segment") {
            fs::remove_file(dir.join(name)).unwrap();
        }
    }
    assert!(Journal::open_existing(&dir, small()).is_err());
    let plan = plan_repair(&dir, |_| {}).unwrap();
    let cut = plan.cut.clone().unwrap();
    assert_eq!(cut.from, reached.next_multiple_of(SEGMENT));
    assert_eq!(repair(&dir, |_| {}).unwrap(), plan);
    // Positions go on after all that there ever was.
    opens_with(&dir, &[], Some(cut.from));
    drop(sent);
}

#[test]
fn all_segments_missing_and_only_a_cursor_or_nothing_knows_how_far_there_were_some() {
    for known in [true, false] {
        let (dir, _) = written("cursor-knows");
        if known {
            let journal = dir.open(small());
            let mut cursor = journal.cursor("reports").unwrap();
            cursor.store(3 * SEGMENT + 160).unwrap();
        }
        for (name, _) in files(&dir) {
            if name.ends_with(".segment") || name == "control" {
                fs::remove_file(dir.join(name)).unwrap();
            }
        }
        let error = Journal::open_existing(&dir, small()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("position 0 is missing"), "{text}");
        let done = repair(&dir, |_| {}).unwrap();
        let goes_on = if known { 4 * SEGMENT } else { 0 };
        assert_eq!(done.cut.unwrap().from, goes_on);
        opens_with(&dir, &[], Some(goes_on));
    }
}

/// Nor do those hide it of which nothing can be known, or that say what can't be.
#[test]
fn all_segments_missing_and_one_of_several_cursors_knows_how_far_there_were_some() {
    let (other, _) = written("all-missing-other");
    let cursor = |dir: &Dir, name, position| {
        let journal = dir.open(small());
        journal.cursor(name).unwrap().store(position).unwrap();
        journal.close().unwrap();
    };
    cursor(&other, "foreign", 40 * SEGMENT);
    for odd in ["damaged", "foreign", "beyond"] {
        let (dir, _) = written("all-missing-cursors");
        cursor(&dir, "sound", 3 * SEGMENT + 16);
        let path = dir.join("cursors").join(odd);
        match odd {
            "damaged" => fs::write(path, [0xFF; 8192]).unwrap(),
            "foreign" => drop(fs::copy(other.join("cursors/foreign"), path).unwrap()),
            _ => cursor(&dir, odd, !15),
        }
        for (name, _) in files(&dir) {
            if name.ends_with(".segment") || name == "control" {
                fs::remove_file(dir.join(name)).unwrap();
            }
        }
        let done = repair(&dir, |_| {}).unwrap();
        assert_eq!(done.cut.unwrap().from, 4 * SEGMENT, "{odd}");
    }
}

#[test]
fn a_segment_of_another_journal_is_set_aside() {
    for base in [0, SEGMENT] {
        let (dir, sent) = written("mine");
        let (other, _) = written("theirs");
        fs::copy(segment(&other, base), segment(&dir, base)).unwrap();
        let damage = first(&dir);
        let foreign = matches!(
            damage.what,
            DamageKind::Header(HeaderError::OtherJournal { .. })
        );
        assert!(foreign && damage.position == base, "{damage:?}");
        let done = repaired(&dir, &sent);
        assert_eq!((done.set_aside, done.cut.unwrap().from), (vec![base], base));
        let aside = dir.join(format!("{base:020}.segment.set-aside"));
        let theirs = fs::read(segment(&other, base)).unwrap();
        assert!(fs::read(aside).unwrap() == theirs);
    }
}

#[test]
fn what_an_earlier_repair_has_set_aside_stays() {
    let names = |name: &str| ["", ".2", ".3"].map(|number| format!("{name}{number}"));
    for base in [SEGMENT, 40 * SEGMENT] {
        let (dir, _) = written("mine");
        for name in names(&format!("{base:020}.segment.set-aside")) {
            let (other, _) = written("theirs");
            fs::copy(segment(&other, SEGMENT), segment(&dir, base)).unwrap();
            let before = files(&dir);
            assert_eq!(repair(&dir, |_| {}).unwrap().set_aside, [base]);
            let after = files(&dir);
            assert!(after[&name] == before[&format!("{base:020}.segment")]);
            let aside = |name: &String| name.contains(".set-aside");
            let mut earlier = before.iter().filter(|(name, _)| aside(name));
            assert!(earlier.all(|(name, bytes)| after[name] == *bytes));
        }
    }
    let (dir, _) = written("schema");
    for name in names("schema.damaged") {
        change(&dir.join("schema"), |bytes| bytes[40] ^= 1);
        let before = files(&dir);
        assert!(repair(&dir, |_| {}).unwrap().schema);
        let after = files(&dir);
        assert!(after[&name] == before["schema"] && after["schema"] != before["schema"]);
        let mut earlier = before.iter().filter(|(name, _)| name.contains(".damaged"));
        assert!(earlier.all(|(name, bytes)| after[name] == *bytes));
    }
}

/// Behind the end, where no writer has left it: so it is not removed as what a killed one left.
#[test]
fn a_stray_segment_behind_the_end_is_not_removed() {
    for (behind, foreign) in [(0, true), (3, true), (3, false)] {
        let (dir, sent) = written("stray");
        let (other, _) = written("theirs");
        let newest = verify(&dir, |_| {}).unwrap().newest;
        let end = newest.next_multiple_of(SEGMENT);
        // The keeper was one segment ahead, or not yet.
        let _ = fs::remove_file(segment(&dir, end));
        let stray = end + behind * SEGMENT;
        let from = if foreign { &other } else { &dir };
        let mut bytes = fs::read(segment(from, SEGMENT)).unwrap();
        if !foreign {
            bytes[32..40].copy_from_slice(&stray.to_le_bytes());
            let crc = crc32c::crc32c(&bytes[..64]);
            bytes[64..68].copy_from_slice(&crc.to_le_bytes());
        }
        fs::write(segment(&dir, stray), &bytes).unwrap();
        let error = Journal::open_existing(&dir, small()).unwrap_err();
        let said = if foreign {
            format!("segment {stray}: the segment belongs to the journal ")
        } else {
            format!("the segment with position {end} is missing, ")
        };
        assert!(error.to_string().contains(&said), "{error}");
        assert!(fs::read(segment(&dir, stray)).unwrap() == bytes);
        let done = repair(&dir, |_| {}).unwrap();
        let found = if foreign {
            &done.set_aside
        } else {
            &done.removed
        };
        assert_eq!(found, &[stray]);
        opens_with(&dir, &sent, None);
    }
}

#[test]
fn a_damaged_or_missing_schema_is_made_anew() {
    for missing in [false, true] {
        let (dir, sent) = written("schema");
        let path = dir.join("schema");
        let old = fs::read(&path).unwrap();
        if missing {
            fs::remove_file(&path).unwrap();
        } else {
            change(&path, |bytes| bytes[40] ^= 1);
        }
        assert!(matches!(first(&dir).what, DamageKind::Schema { .. }));
        assert!(Journal::open_existing(&dir, small()).is_err());
        let done = repaired(&dir, &sent);
        assert!(done.schema && done.cut.is_none());
        assert_eq!(dir.join("schema.damaged").exists(), !missing);
        let reader = Reader::open(&dir).unwrap();
        assert_eq!(reader.segment_bytes(), SEGMENT);
        // Names aside it is what it was; when it was made it has from the oldest segment.
        let new = fs::read_to_string(&path).unwrap();
        let old = String::from_utf8(old).unwrap();
        assert!(new.lines().zip(old.lines()).take(4).all(|(a, b)| a == b));
    }
}

#[test]
fn what_only_has_to_be_recovered_is_no_damage_to_repair() {
    // A copy of a journal that is being written: the last record is not finished.
    let dir = Dir::new("recovered");
    let copy = Dir::new("recovered-copy");
    let journal = dir.open(quiet());
    let mut publisher = journal.bus().publisher().unwrap();
    let mut sent = Vec::new();
    for n in 0..60_u16 {
        let bytes = payload(u64::from(n));
        let position = publisher.send(tag(n), &bytes).unwrap();
        sent.push((position, tag(n), bytes));
    }
    let claim = publisher.claim(tag(1), 100).unwrap();
    fs::create_dir_all(&copy).unwrap();
    for (name, bytes) in files(&dir) {
        fs::write(copy.join(name), bytes).unwrap();
    }
    drop(claim);
    let verified = verify(&copy, |_| {}).unwrap();
    assert_eq!((verified.records, verified.damage), (60, vec![]));
    assert!(verified.pending > 0);
    let plan = plan_repair(&copy, |_| {}).unwrap();
    assert!(plan.is_nothing() && plan.found.damage.is_empty());
    // A record of before that has lost its header is damage still.
    let gone = Dir::new("recovered-gone");
    fs::create_dir_all(&gone).unwrap();
    for (name, bytes) in files(&copy) {
        fs::write(gone.join(name), bytes).unwrap();
    }
    let (position, ..) = sent[5];
    flip(&gone, position, 0);
    let damage = first(&gone);
    assert_eq!(
        (damage.position, damage.what, damage.synced),
        (position, DamageKind::Unfinished, false)
    );
    assert!(repair(&copy, |_| {}).unwrap().is_nothing());
    opens_with(&copy, &sent, None);
}

#[cfg(feature = "fault")]
#[test]
fn a_repair_that_is_killed_is_done_again() {
    use crate::child;

    if let Some(place) = child::is("repair") {
        let _ = repair(place, |_| {});
        return;
    }
    let points = [
        "schema_repaired:1",
        "segment_mended:1",
        "control_superseded:1",
        "control_disowned:1",
        "synced_lowered:1",
        "synced_lowered:2",
        "later_removed:1",
        "later_removed:2",
        "zeroed:1",
        "last_made:1",
    ];
    let mut killed = 0;
    for point in points {
        for what in ["payload", "cut", "mixed", "foreign"] {
            let (dir, sent) = written("killed");
            let at = 2 * SEGMENT;
            match what {
                "payload" => flip(&dir, sent.iter().find(|s| s.0 > at).unwrap().0 + 5, 2),
                "cut" => {
                    let file = fs::OpenOptions::new().write(true).open(segment(&dir, at));
                    file.unwrap().set_len(HEADER + 700).unwrap();
                }
                "foreign" => {
                    let (other, _) = written("killed-other");
                    fs::copy(segment(&other, 0), segment(&dir, 0)).unwrap();
                }
                _ => {
                    change(&dir.join("schema"), |bytes| bytes[0] ^= 1);
                    change(&segment(&dir, SEGMENT), |bytes| bytes[20] ^= 1);
                    flip(&dir, sent.iter().find(|s| s.0 > at).unwrap().0 + 5, 2);
                }
            }
            let cut = plan_repair(&dir, |_| {}).unwrap().cut.unwrap().from;
            let test = "mend::a_repair_that_is_killed_is_done_again";
            let mut command = child::command(test, "repair", &dir);
            let status = command.env("MESSENGER_FAULT", point).status().unwrap();
            killed += u32::from(!status.success());
            // What is left may already open by itself, dropping what was to be cleared; a repair makes sure.
            repair(&dir, |_| {}).unwrap();
            let journal = Journal::open_existing(&dir, small()).unwrap();
            assert_eq!(journal.recovery().tail, cut, "{what}, killed at {point}");
            journal.close().unwrap();
            opens_with(&dir, &sent, Some(cut));
        }
    }
    assert!(killed >= 20, "only {killed} were killed");
}

/// A file of such a name is no segment, whatever it holds.
#[test]
fn a_segment_where_no_position_can_be_makes_nobody_panic() {
    for base in [u64::MAX - 4095, 1 << 63] {
        for what in ["nothing", "blank", "records"] {
            let (dir, _) = written("no-position");
            let mut bytes = fs::read(segment(&dir, 0)).unwrap();
            bytes[32..40].copy_from_slice(&base.to_le_bytes());
            let crc = crc32c::crc32c(&bytes[..64]);
            bytes[64..68].copy_from_slice(&crc.to_le_bytes());
            match what {
                "nothing" => bytes.clear(),
                "blank" => bytes[HEADER as usize..].fill(0),
                _ => {}
            }
            fs::write(segment(&dir, base), bytes).unwrap();
            let mut reader = Reader::open(&dir).unwrap();
            reader.stats().unwrap();
            reader.seek_time(std::time::SystemTime::now()).unwrap();
            assert!(reader.seek(base).is_err() && reader.seek(u64::MAX).is_err());
            assert_eq!(verify(&dir, |_| {}).unwrap().damage, [], "{base} {what}");
            assert_eq!(plan_repair(&dir, |_| {}).unwrap().cut, None);
            drop(dir.open(small()));
        }
    }
}
