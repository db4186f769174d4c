//! Victims on a bus that nobody else uses: they make it, leave it as the last, or find what all before them have left.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use messenger::bus::Start;
use messenger::shared::SharedBus;

use crate::arena::{alone, check_journal};
use crate::kit::{Acks, Dir, PUBLISHERS, Rng, Seen, cases, first_seed, payload, tag, until};
use crate::left::check_nothing_but_files;
use crate::points::{self, HOLES, NAMING, SETTLING, Tries, When, chosen, living};
use crate::victim::{BYTES, How, NAME, Plan, Role, Storage, journal, options};

/// How long one is given to come to its point.
const PATIENCE: Duration = Duration::from_millis(40);
/// How many kills one directory sees.
const RUN: u64 = 25;

struct Trial<'a> {
    dir: Dir,
    storage: Storage,
    /// Whether the bus stays when all leave.
    keeps: bool,
    rng: Rng,
    victims: u64,
    /// The numbers by which was published here, 100 records each.
    looks: Vec<u64>,
    kills: &'a mut Kills,
}

/// What all trials have come to.
struct Kills {
    /// The points that one meets who is alone on a bus.
    alone: Tries,
    at_points: u64,
    at_random: u64,
    in_vain: u64,
}

impl Kills {
    fn died(&mut self, how: How, when: When, is_tried: bool) {
        match how {
            How::At(_) => self.at_points += 1,
            How::AtRandom => self.at_random += 1,
            How::InVain => self.in_vain += 1,
        }
        if let (true, When::At(point, _)) = (is_tried, when) {
            self.alone.died(point, how);
        }
    }
}

impl<'a> Trial<'a> {
    fn new(storage: Storage, seed: u64, kills: &'a mut Kills) -> Self {
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
            kills,
        }
    }

    /// Some victims that die one after the other, or two at a time, then a look at what they have left.
    fn round(&mut self) {
        let before = self.victims;
        for _ in 0..1 + self.rng.below(4) {
            let count = 1 + self.rng.below(2);
            let victims: Vec<_> = (0..count).map(|_| self.plan()).collect();
            let is_of_hole =
                |when: &When| matches!(when, When::At(point, _) if HOLES.contains(point));
            if victims.iter().any(|(_, when, ..)| is_of_hole(when)) {
                // One before leaves a hole. It has as much time as they have.
                let patience = victims.iter().map(|&(_, _, patience, _)| patience).max();
                let (plan, when) = (self.next_plan(), When::At("half_filled", 1));
                let died = plan.run(when, patience.unwrap());
                self.kills.died(died.how, when, false);
            }
            let deaths: Vec<How> = std::thread::scope(|scope| {
                let run = |(plan, when, patience, _): &(Plan, When, Duration, bool)| {
                    let (plan, when, patience) = (plan.clone(), *when, *patience);
                    scope.spawn(move || plan.run(when, patience).how)
                };
                let running: Vec<_> = victims.iter().map(run).collect();
                let join = |running: std::thread::ScopedJoinHandle<'_, _>| running.join().unwrap();
                running.into_iter().map(join).collect()
            });
            for (how, (_, when, _, is_tried)) in deaths.into_iter().zip(victims) {
                self.kills.died(how, when, is_tried);
            }
        }
        self.look(before);
    }

    fn next_plan(&mut self) -> Plan {
        let number = self.victims;
        self.victims += 1;
        Plan {
            dir: self.dir.to_path_buf(),
            number,
            seed: self.rng.next(),
            role: if self.keeps { Role::Lives } else { Role::Makes },
        }
    }

    /// The next victim, when it dies, how long it is given to come there, and whether that is one of the points that are tried until enough were killed
    /// there.
    fn plan(&mut self) -> (Plan, When, Duration, bool) {
        let plan = self.next_plan();
        let rng = &mut self.rng;
        let when = match rng.below(8) {
            0 => When::AtRandom,
            1..=3 => chosen(&living(self.storage), rng),
            4 => chosen(&SETTLING, rng),
            _ => {
                let keeps = self.keeps;
                let may = |point: &str| !(keeps && NAMING.contains(&point));
                match self.kills.alone.next(rng, PATIENCE, may) {
                    Some((when, patience)) => return (plan, when, patience, true),
                    None => chosen(&points::alone(self.storage), rng),
                }
            }
        };
        (plan, when, PATIENCE, false)
    }

    /// Whether the bus can be had, whatever they have left, and has what was committed on it.
    fn look(&mut self, before: u64) {
        let most = 1 + 2 * usize::from(self.victims > 0) + usize::from(self.storage.is_journal());
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
            // Not waiting: if a note stands before it that is not finished, it is this thread that has still to read.
            until("room", || {
                read(&mut seen);
                publisher.try_send(tag(number, sequence), &bytes).is_ok()
            });
        }
        // A journal's note of the time may stand before the last one, and not be finished.
        until("the last one", || {
            read(&mut seen);
            seen.next.get(&number) == Some(&100)
        });
        drop((bus, subscriber, publisher));
        check_nothing_but_files(&self.dir);
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
    kill_all_on(Storage::Ring, cases("MESSENGER_SHARED_KILLS", 2000) / 4);
}

#[test]
fn a_journal_has_all_that_was_committed_whoever_was_killed() {
    kill_all_on(Storage::Whole, cases("MESSENGER_SHARED_KILLS", 2000) / 8);
}

#[test]
fn a_bounded_journal_goes_on_whoever_was_killed() {
    kill_all_on(Storage::Bounded, cases("MESSENGER_SHARED_KILLS", 2000) / 20);
}

/// Kills so many on buses of this storage, at the least, and at each point that only one meets who is alone.
fn kill_all_on(storage: Storage, wanted: u64) {
    let _alone = alone();
    let begun = Instant::now();
    let mut kills = Kills {
        alone: Tries::new(points::alone(storage), 1 + wanted / 500),
        at_points: 0,
        at_random: 0,
        in_vain: 0,
    };
    let (mut done, mut seed) = (0, first_seed());
    while done < wanted || !kills.alone.is_done() {
        let mut trial = Trial::new(storage, seed, &mut kills);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            while trial.victims < RUN {
                trial.round();
            }
        }));
        if let Err(panic) = ran {
            eprintln!("MESSENGER_SEED={seed}");
            resume_unwind(panic);
        }
        done += trial.victims;
        seed += 1;
    }
    let Kills {
        alone,
        at_points,
        at_random,
        in_vain,
    } = kills;
    println!(
        "{storage:?}, in {:?}: {at_points} kills at points, {at_random} at random moments, {in_vain} of those that did not come to their \
         point in time",
        begun.elapsed()
    );
    alone.check();
}
