//! One that is stopped, or dies, while it makes a segment of a journal holds nobody up, and leaves nothing.

use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use messenger::bus::{MessageId, SourceId, Start, Tag};
use messenger::journal::LeftBy;
use messenger::shared::{MemberKind, SharedBus};
use rustix::process::{Pid, Signal, kill_process};

use crate::arena::{alone, check_journal};
use crate::kit::{Dir, again, stands_still, until};
use crate::left::check_nothing_but_files;
use crate::victim::{BYTES, NAME, Storage, journal, options};

const VARIABLE: &str = "MESSENGER_SHARED_MAKER";
const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

/// Does nothing but in a child: publishes, until it is stopped in the making of a segment; and goes on after that.
#[test]
fn publishes_over_segments() {
    let Ok(dir) = std::env::var(VARIABLE) else {
        return;
    };
    let bus = options(dir.as_ref()).open(NAME).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    for _ in 0..20_000 {
        publisher.send(TAG, &[1; 300]).unwrap();
        std::thread::sleep(Duration::from_micros(50));
    }
}

struct Maker(Child);

impl Maker {
    fn stopped_at(point: &str, dir: &Dir) -> Self {
        let child = again(
            "makers::publishes_over_segments",
            VARIABLE,
            dir.display().to_string(),
        )
        .env("MESSENGER_FAULT", format!("{point}:2:stop"))
        .spawn()
        .unwrap();
        stands_still(&child);
        Self(child)
    }

    /// On a bus of this storage, which it gives with its directory: one that was not in the middle of a claim, or of a look. (Its keeper may be
    /// the thread that is stopped, and all others with it; then its claim would be waited for, as it must be.)
    fn on(storage: Storage, test: &str, point: &str) -> (Dir, SharedBus, Self) {
        loop {
            let dir = Dir::new(&storage.name(test));
            let bus = options(&dir).keep(true).create(NAME).unwrap();
            let maker = Self::stopped_at(point, &dir);
            let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
            // The other keeper notes the time now and then, and is done soon.
            for _ in 0..100 {
                while subscriber.try_next().unwrap().is_some() {}
                let looked = SharedBus::look(&dir, NAME).unwrap().look.unwrap();
                let holds = |kind| matches!(kind, MemberKind::Looking { .. } | MemberKind::Joining);
                let held = looked.members.iter().any(|member| holds(member.kind));
                if !held && subscriber.position() == bus.bus().tail() {
                    drop(subscriber);
                    return (dir, bus, maker);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }

    fn go_on(&self) {
        kill_process(Pid::from_child(&self.0), Signal::CONT).unwrap();
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Maker {
    fn drop(&mut self) {
        self.kill();
    }
}

fn names(dir: &Dir) -> Vec<PathBuf> {
    let all = std::fs::read_dir(journal(dir)).unwrap();
    all.map(|entry| entry.unwrap().path()).collect()
}

/// The segments that are being made.
fn new(dir: &Dir) -> Vec<PathBuf> {
    let is_new = |path: &PathBuf| path.to_string_lossy().ends_with(".new");
    names(dir).into_iter().filter(is_new).collect()
}

/// Publishes over so many segments; says how long the longest took, of each as much as one holds.
fn publish(bus: &SharedBus, segments: u64) -> Duration {
    let mut publisher = bus.bus().publisher().unwrap();
    let mut longest = Duration::ZERO;
    for _ in 0..segments {
        let begun = Instant::now();
        let end = bus.bus().tail() + BYTES as u64;
        while bus.bus().tail() < end {
            publisher.send(TAG, &[2; 300]).unwrap();
        }
        longest = longest.max(begun.elapsed());
    }
    longest
}

#[test]
fn one_stopped_while_it_makes_a_segment_holds_up_nobody() {
    let _alone = alone();
    let points = ["segment_made", "segment_named", "grown"];
    let storages = [Storage::Bounded, Storage::Whole];
    for (point, storage) in points.into_iter().flat_map(|p| storages.map(|s| (p, s))) {
        // A busy machine may hold it up, but not each time.
        let is_short = |_| held_up(storage, point) < Duration::from_secs(2);
        assert!((0..5).any(is_short), "{storage:?}, {point}");
    }
}

/// For how long at the most one who publishes is held up by one who is stopped there, and goes on later.
fn held_up(storage: Storage, point: &str) -> Duration {
    let (dir, bus, maker) = Maker::on(storage, "shared-maker", point);
    let longest = publish(&bus, 30);
    // It finds that it comes too late; if not all is retained, by more than is.
    maker.go_on();
    until("it goes on", || {
        let begins = bus.bus().tail();
        std::thread::sleep(Duration::from_millis(5));
        bus.bus().tail() > begins
    });
    drop(maker);
    until("it is settled", || bus.processes().len() == 1);
    if storage == Storage::Bounded {
        // By a keeper, in its turn.
        until("what is given up is removed", || names(&dir).len() < 12);
    }
    drop(bus);
    check_nothing_but_files(&dir);
    check_journal(&journal(&dir));
    longest
}

#[test]
fn a_segment_that_is_named_too_late_is_removed() {
    let _alone = alone();
    for is_seen in [true, false] {
        let (dir, bus, mut maker) = Maker::on(Storage::Bounded, "shared-late", "segment_made");
        let mut made = Vec::new();
        // This process may be making one, too.
        until("only that one is being made", || {
            made = new(&dir);
            made.len() == 1
        });
        publish(&bus, 30);
        // As if it had named the segment, and died before it saw that others had done so before.
        let name = made[0]
            .to_string_lossy()
            .split(".segment")
            .next()
            .unwrap()
            .to_owned();
        let late = PathBuf::from(name + ".segment");
        until("its place is given up", || !late.exists());
        std::fs::rename(&made[0], &late).unwrap();
        if is_seen {
            maker.kill();
            until("it is settled", || {
                bus.processes().len() == 1 && !late.exists()
            });
            drop(bus);
        } else {
            let tail = bus.bus().tail();
            drop(bus);
            maker.kill();
            let bus = options(&dir).open(NAME).unwrap();
            assert!(!late.exists());
            let recovery = bus.journal().unwrap().recovery();
            assert_eq!((recovery.left, &recovery.dropped), (LeftBy::Dying, &None));
            assert!(recovery.tail >= tail);
            let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
            until("all is read", || {
                while subscriber.try_next().unwrap().is_some() {}
                subscriber.position() == bus.bus().tail()
            });
        }
        SharedBus::remove_in(&dir, NAME).unwrap();
        check_nothing_but_files(&dir);
        check_journal(&journal(&dir));
    }
}
