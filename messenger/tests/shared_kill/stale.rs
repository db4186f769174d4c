//! Victims on a bus that nobody else uses: they make it, leave it as the last, or find what all before them have left.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use messenger::bus::Start;
use messenger::shared::SharedBus;

use crate::arena::{alone, check_journal, descriptors, until, watchers};
use crate::kit::{Acks, Dir, PUBLISHERS, Rng, Seen, cases, first_seed, payload, tag};
use crate::points::{self, SETTLING, chosen, living};
use crate::victim::{BYTES, NAME, Plan, Role, Storage, journal, options};

/// How many kills one directory sees.
const RUN: u64 = 25;

struct Trial {
    dir: Dir,
    storage: Storage,
    /// Whether the bus stays when all leave.
    keeps: bool,
    rng: Rng,
    victims: u64,
    /// The numbers by which was published here, 100 records each.
    looks: Vec<u64>,
    at_points: BTreeMap<&'static str, u64>,
}

impl Trial {
    fn new(storage: Storage, seed: u64) -> Self {
        let mut rng = Rng(seed);
        let keeps = rng.one_in(2);
        let dir = Dir::new(&storage.name("shared-stale"));
        if keeps {
            drop(options(&dir).keep(true).create(NAME).unwrap());
        }
        Self {
            dir,
            storage,
            keeps,
            rng,
            victims: 0,
            looks: Vec::new(),
            at_points: BTreeMap::new(),
        }
    }

    /// Some victims that die one after the other, or two at a time, then a look at what they have left.
    fn round(&mut self) {
        let before = self.victims;
        for _ in 0..1 + self.rng.below(4) {
            let count = 1 + self.rng.below(2);
            let deaths: Vec<_> = (0..count).map(|_| self.plan()).collect();
            let deaths = std::thread::scope(|scope| {
                let running: Vec<_> = deaths
                    .iter()
                    .map(|(plan, fault)| {
                        let patience = match fault {
                            None => Duration::from_micros(2000 + plan.seed % 10_000),
                            Some(_) => Duration::from_millis(40),
                        };
                        scope.spawn(move || plan.run(*fault, patience).point)
                    })
                    .collect();
                let join = |running: std::thread::ScopedJoinHandle<'_, _>| running.join().unwrap();
                running.into_iter().map(join).collect::<Vec<_>>()
            });
            for point in deaths.into_iter().flatten() {
                *self.at_points.entry(point).or_default() += 1;
            }
        }
        self.look(before);
    }

    fn plan(&mut self) -> (Plan, Option<(&'static str, u64)>) {
        let number = self.victims;
        self.victims += 1;
        let plan = Plan {
            dir: self.dir.to_path_buf(),
            number,
            seed: self.rng.next(),
            role: if self.keeps { Role::Lives } else { Role::Makes },
        };
        let fault = match self.rng.below(8) {
            0 => None,
            1..=3 => Some(chosen(&living(self.storage), &mut self.rng)),
            4 | 5 if !self.keeps || self.storage.is_journal() => {
                Some(chosen(&points::alone(self.storage), &mut self.rng))
            }
            _ => Some(chosen(&SETTLING, &mut self.rng)),
        };
        (plan, fault)
    }

    /// Whether the bus can be had, whatever they have left, and has what was committed on it.
    fn look(&mut self, before: u64) {
        let most = 1 + usize::from(self.victims > 0) + usize::from(self.storage.is_journal());
        assert!(self.dir.files().len() <= most, "{:?}", self.dir.files());
        let bus = self.open();
        assert_eq!(bus.processes().len(), 1);
        assert_eq!(bus.bus().stats().members, self.storage.own_members());
        let mut subscriber = bus.bus().subscribe(Start::Oldest).unwrap();
        let mut seen = Seen::default();
        let mut read = |seen: &mut Seen| {
            let took = subscriber.poll(usize::MAX, |record| {
                seen.take(
                    record.position(),
                    record.tag(),
                    record.payload(),
                    BYTES / 4,
                    true,
                );
            });
            took.unwrap();
            subscriber.position()
        };
        // (A journal notes the time now and then.)
        until("all is finished", || read(&mut seen) == bus.bus().tail());
        if self.storage == Storage::Whole {
            // All that was ever committed is there, whoever was killed at what.
            let acks = Acks::open(&self.dir.join("acks"));
            for number in 0..self.victims * PUBLISHERS {
                let next = seen.next.get(&number).copied().unwrap_or(0);
                let acked = acks.get(number);
                let right = next == acked || next == acked + 1 || self.looks.contains(&number);
                assert!(
                    right,
                    "of {number} {acked} were committed, and {next} are there"
                );
            }
            for number in &self.looks {
                assert_eq!(seen.next[number], 100);
            }
        } else if self.keeps {
            let acks = Acks::open(&self.dir.join("acks"));
            for number in before * PUBLISHERS..self.victims * PUBLISHERS {
                let Some(&next) = seen.next.get(&number) else {
                    continue;
                };
                let acked = acks.get(number);
                assert!(
                    next == acked || next == acked + 1,
                    "of {number} {acked} were committed, and {next} are there"
                );
            }
        }
        // And it is as good as new.
        let mut publisher = bus.bus().publisher().unwrap();
        let number = self.victims * PUBLISHERS;
        self.looks.push(number);
        self.victims += 1;
        for sequence in 0..100 {
            let bytes = payload(number, sequence, BYTES / 4);
            publisher.send(tag(number, sequence), &bytes).unwrap();
            read(&mut seen);
        }
        // A journal's note of the time may stand before the last one, and not be finished.
        until("the last one", || {
            read(&mut seen);
            seen.next[&number] == 100
        });
        drop((bus, subscriber, publisher));
        assert_eq!((watchers(), descriptors(&self.dir)), (0, 0));
        let file = self.dir.join(format!("messenger.{NAME}"));
        assert_eq!(file.exists(), self.keeps);
        if self.storage.is_journal() {
            check_journal(&journal(&self.dir));
        }
    }

    fn open(&self) -> SharedBus {
        let (to, from) = mpsc::channel();
        let options = options(&self.dir);
        let (keeps, begun) = (self.keeps, Instant::now());
        std::thread::spawn(move || {
            let bus = if keeps {
                options.open(NAME)
            } else {
                options.open_or_create(NAME)
            };
            to.send(bus).unwrap();
        });
        match from.recv_timeout(Duration::from_secs(60)) {
            Ok(bus) => bus.unwrap(),
            Err(_) => panic!("it could not be opened in {:?}", begun.elapsed()),
        }
    }
}

#[test]
fn what_all_have_left_is_no_harm_to_who_comes() {
    kill_all_on(
        Storage::Ring,
        cases("MESSENGER_SHARED_KILLS", 2000) / 4,
        500,
    );
}

#[test]
fn a_journal_has_all_that_was_committed_whoever_was_killed() {
    kill_all_on(
        Storage::Whole,
        cases("MESSENGER_SHARED_KILLS", 2000) / 8,
        2500,
    );
}

#[test]
fn a_bounded_journal_goes_on_whoever_was_killed() {
    kill_all_on(
        Storage::Bounded,
        cases("MESSENGER_SHARED_KILLS", 2000) / 20,
        2500,
    );
}

/// Kills so many on buses of this storage, and sees to it that each point has been met if they are at least `all`.
fn kill_all_on(storage: Storage, wanted: u64, all: u64) {
    let _alone = alone();
    let begun = Instant::now();
    let mut at_points = BTreeMap::<_, u64>::new();
    let (mut kills, mut seed) = (0, first_seed());
    while kills < wanted {
        let mut trial = Trial::new(storage, seed);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            while trial.victims < RUN {
                trial.round();
            }
        }));
        if let Err(panic) = ran {
            eprintln!("MESSENGER_SEED={seed}");
            resume_unwind(panic);
        }
        kills += trial.victims;
        for (point, count) in std::mem::take(&mut trial.at_points) {
            *at_points.entry(point).or_default() += count;
        }
        seed += 1;
    }
    println!(
        "{kills} kills in {:?}; at points: {at_points:?}",
        begun.elapsed()
    );
    if wanted >= all {
        let settling = SETTLING
            .iter()
            .filter(|(point, _)| at_points.contains_key(point));
        assert!(settling.count() >= 4, "few were killed while they settled");
        for (point, _) in points::alone(storage) {
            assert!(
                at_points.contains_key(&point),
                "nobody was killed at {point}"
            );
        }
    }
}
