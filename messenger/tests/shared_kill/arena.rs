//! Victims on a bus on which three survivors publish and read, one after the other and two at a time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::time::{Duration, Instant};

use messenger::shared::SharedBus;

use crate::kit::{Acks, Dir, PUBLISHERS, Rng, SURVIVORS, cases, first_seed, now, until};
use crate::left::{WATCHER, check_nothing_but_files, threads};
use crate::other::Other;
use crate::points::{SETTLING, Tries, When, living};
use crate::stall::{Stalls, Table};
use crate::survivor::{Orders, Report, Survivor};
use crate::victim::{Death, How, NAME, Plan, Role, Storage, journal, options, says_of};
use messenger::journal::{Journal, JournalConfig, LeftBy, verify};

/// How many kills one bus sees.
const RUN: u64 = 400;
/// How long one that lives is given to come to its point. (Who settles waits for another's death first.)
const PATIENCE: Duration = Duration::from_millis(40);
/// How many victims there are at a time.
const AT_A_TIME: u64 = 2;
/// How many more there are that only settle what others have left, and die in that.
const SETTLERS: u64 = 2;
/// After so many victims the survivors are left alone for a while.
const ALONE: u64 = 16;
/// The members that are there when all victims have gone, beside those that each process has for itself: three of each survivor.
const MEMBERS: usize = 3 * 3;

/// Who is still to be killed, on this bus or the next one.
struct Todo {
    living: Tries,
    settling: Tries,
    at_random: u64,
}

impl Todo {
    fn is_done(&self) -> bool {
        self.at_random == 0 && self.living.is_done() && self.settling.is_done()
    }

    /// What kind of a victim is next, when it dies, and how long it is given to come there.
    fn next(&mut self, settles: bool, rng: &mut Rng) -> Option<(Role, When, Duration)> {
        if settles {
            if let Some((when, patience)) = self.settling.next(rng, 5 * PATIENCE, |_| true) {
                return Some((Role::Settles, when, patience));
            }
        }
        if let Some((when, patience)) = self.living.next(rng, PATIENCE, |_| true) {
            return Some((Role::Lives, when, patience));
        }
        if self.at_random == 0 {
            if self.settling.is_done() {
                return None;
            }
            // Those that settle need others that leave something.
            let (when, patience) = self.living.again("half_filled", rng, PATIENCE);
            return Some((Role::Lives, when, patience));
        }
        self.at_random -= 1;
        Some((Role::Lives, When::AtRandom, PATIENCE))
    }

    fn died(&mut self, role: Role, when: When, how: How) {
        let When::At(point, _) = when else { return };
        let tries = match role {
            Role::Settles => &mut self.settling,
            _ => &mut self.living,
        };
        tries.died(point, how);
    }
}

/// What all buses have come to.
#[derive(Default)]
struct Sum {
    /// Those of this bus.
    deaths: Vec<Death>,
    records: u64,
    of_victims: u64,
}

/// What the others stood still for on all buses of this run, so that the last test to end tells of all.
static STALLS: Mutex<Table> = Mutex::new(Table::new());

/// One test at a time: what is left at the end is counted.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A bus with its victims.
struct Arena<'a> {
    dir: &'a Dir,
    victims: AtomicU64,
    failed: AtomicBool,
    todo: &'a Mutex<Todo>,
    /// Held, for reading, by who has a victim.
    lives: RwLock<()>,
    /// How many wait until there is none: who settles then waits for a death that does not come.
    awaited: AtomicU64,
    bus: &'a SharedBus,
    sum: &'a Mutex<Sum>,
}

impl Arena<'_> {
    /// Starts one victim after the other, and sees to it that it dies.
    fn kill(&self, mut rng: Rng, settles: bool) {
        loop {
            let number = self.victims.fetch_add(1, SeqCst);
            if number >= RUN || self.failed.load(SeqCst) {
                return;
            }
            let next = self.todo.lock().unwrap().next(settles, &mut rng);
            let Some((role, when, patience)) = next else {
                return;
            };
            let plan = Plan {
                dir: self.dir.to_path_buf(),
                number,
                seed: rng.next(),
                role,
            };
            let lives = self.lives.read().unwrap();
            let died = plan.run_while(when, patience, || {
                !settles || self.awaited.load(SeqCst) == 0
            });
            drop(lives);
            self.todo.lock().unwrap().died(role, when, died.how);
            self.sum.lock().unwrap().deaths.push(died);
            if number % ALONE == 0 {
                self.look_on();
            }
        }
    }

    /// With no victim there, whose doings would send them to look, the survivors go on: none sleeps for what a dead one had to do.
    fn look_on(&self) {
        self.awaited.fetch_add(1, SeqCst);
        let _nobody = self.lives.write().unwrap();
        self.awaited.fetch_sub(1, SeqCst);
        // More than once around the ring, so each has read, too.
        let far = self.bus.bus().tail() + 4 * self.bus.bus().capacity() as u64;
        until("the survivors go on", || {
            self.bus.bus().tail() > far || self.failed.load(SeqCst)
        });
    }
}

/// Says so if its thread panics.
struct Failing<'a>(&'a AtomicBool);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, SeqCst);
        }
    }
}

fn one_bus(storage: Storage, seed: u64, todo: &Mutex<Todo>, sum: &Mutex<Sum>) {
    let dir = Dir::new(&storage.name("shared-kill"));
    let bus = options(&dir).create(NAME).unwrap();
    let mut rng = Rng(seed);
    let orders = Orders::new();
    let survivors = [0, 1].map(|number| Survivor::new(&bus, number, rng.next()));
    // It publishes as soon as it is there.
    let mut other = Other::start(&dir, 2, rng.next());
    let arena = Arena {
        dir: &dir,
        victims: AtomicU64::new(0),
        failed: AtomicBool::new(false),
        todo,
        lives: RwLock::default(),
        awaited: AtomicU64::new(0),
        bus: &bus,
        sum,
    };
    let mut quiet_moments = Vec::new();
    let reports: Vec<Report> = std::thread::scope(|scope| {
        let (quiet, quieted) = mpsc::channel();
        let (arena, orders, bus) = (&arena, &orders, &bus);
        let running = survivors.map(|survivor| {
            let quiet = quiet.clone();
            scope.spawn(move || {
                let _failing = Failing(&arena.failed);
                survivor.run(orders, bus, || quiet.send(()).unwrap())
            })
        });
        drop(quiet);
        // Whatever fails here, the survivors end.
        let told = catch_unwind(AssertUnwindSafe(|| {
            quiet_moments.extend((0..100).map(|_| {
                std::thread::sleep(Duration::from_millis(2));
                now()
            }));
            std::thread::scope(|scope| {
                for number in 0..AT_A_TIME + SETTLERS {
                    let rng = Rng(rng.next());
                    scope.spawn(move || {
                        let _failing = Failing(&arena.failed);
                        arena.kill(rng, number >= AT_A_TIME);
                    });
                }
            });
            assert!(other.lives());
            until("the dead are settled", || settled(bus, storage));
            orders.only_read(bus);
            other.only_read();
            for _ in 0..2 {
                quieted.recv().expect("a survivor has failed");
            }
            bus.bus().tail()
        }));
        orders.read_to(told.as_ref().map_or(0, |&end| end), bus);
        let mut reports: Vec<Report> = Vec::new();
        for running in running {
            match running.join() {
                Ok(report) => reports.push(report),
                Err(panic) => resume_unwind(panic),
            }
        }
        match told {
            Ok(end) => reports.push(other.read_to(end)),
            Err(panic) => resume_unwind(panic),
        }
        reports
    });
    compare(&dir, &reports);
    until("the other survivor has left", || bus.processes().len() == 1);
    let members = bus.bus().stats().members;
    assert_eq!(members, storage.own_members(), "{:?}", bus.bus().stats());
    let watchers = threads().into_iter().filter(|name| name == WATCHER);
    assert_eq!(watchers.count(), 1);
    check_what_was_said(&dir, &bus.schema().unwrap().to_string());
    for file in ["acks", "said"] {
        std::fs::remove_file(dir.join(file)).unwrap();
    }
    drop(bus);
    check_nothing_but_files(&dir);
    if storage.is_journal() {
        check_journal(&journal(&dir));
        std::fs::remove_dir_all(journal(&dir)).unwrap();
    }
    assert_eq!(dir.files(), [] as [std::path::PathBuf; 0]);
    let mut sum = sum.lock().unwrap();
    sum.records += reports[0].seen.records;
    let sent: u64 = reports.iter().map(|report| report.sent).sum();
    sum.of_victims += reports[0].seen.records - sent;
    let stalls = Stalls::of(reports.into_iter().flat_map(|report| report.stalls));
    let deaths = std::mem::take(&mut sum.deaths);
    let moments: Vec<u64> = deaths.iter().map(|death| death.at).collect();
    let around = stalls.around(&moments);
    let mut table = STALLS.lock().unwrap();
    for (death, stall) in deaths.into_iter().zip(around) {
        table.take(format!("{storage:?}: {}", death.how), stall);
    }
    table.take_usual(stalls.around(&quiet_moments));
}

/// Whether only the survivors are left.
fn settled(bus: &SharedBus, storage: Storage) -> bool {
    let members = MEMBERS + 2 * storage.own_members();
    bus.processes().len() == 2 && bus.bus().stats().members == members
}

/// The journal is as one that was closed, and has nothing that is no part of it.
pub(crate) fn check_journal(dir: &Path) {
    let names = std::fs::read_dir(dir).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let litter: Vec<String> = names.filter(|name| name.ends_with(".new")).collect();
    assert_eq!(litter, Vec::<String>::new());
    let verified = verify(dir, |_| ()).unwrap();
    assert!(verified.damage.is_empty() && !verified.live, "{verified:?}");
    let alone = Journal::open_existing(dir, JournalConfig::new()).unwrap();
    assert_eq!(alone.recovery().left, LeftBy::Closing);
}

/// The schema has all that victims were told it has, whatever they died of after.
fn check_what_was_said(dir: &Dir, schema: &str) {
    let said = Acks::open(&dir.join("said"));
    for victim in 0..RUN {
        let has = schema.contains(&says_of(victim));
        // One whose process was killed before it could tell may have been heard.
        assert!(
            has || said.get(victim * PUBLISHERS) == 0,
            "not what {victim} said: {schema}"
        );
    }
}

/// Whether all survivors have seen the same, and all that was committed.
fn compare(dir: &Dir, reports: &[Report]) {
    let saw = |report: &Report| (report.seen.records, report.seen.hash);
    for report in &reports[1..] {
        assert_eq!(saw(report), saw(&reports[0]), "they saw another order");
    }
    for report in &reports[..2] {
        let next = |number| report.seen.next.get(&number).copied().unwrap_or(0);
        for (number, report) in (0..).zip(reports) {
            assert_eq!(next(SURVIVORS + number), report.sent);
        }
        let acks = Acks::open(&dir.join("acks"));
        for number in 0..RUN * PUBLISHERS {
            let (acked, seen) = (acks.get(number), next(number));
            // One that was committed, and its process killed before it could tell.
            assert!(
                seen == acked || seen == acked + 1,
                "of {number} {acked} were committed, and {seen} seen"
            );
        }
    }
}

#[test]
fn nothing_is_lost_and_nobody_held_up_by_a_kill() {
    kill_on(Storage::Ring, cases("MESSENGER_SHARED_KILLS", 2000));
}

#[test]
fn nothing_is_lost_on_a_journal_either() {
    kill_on(
        Storage::Bounded,
        cases("MESSENGER_SHARED_KILLS", 2000).div_ceil(4),
    );
}

/// Kills on buses of this storage, at each point more than once, and so many at random moments.
///
/// How long the others stood still is told, and not judged: what else the machine does is in it, as around moments without a kill.
fn kill_on(storage: Storage, at_random: u64) {
    // With more kills more at each point, too.
    let each = 3 + at_random / 1000;
    let _alone = alone();
    let begun = Instant::now();
    let sum = Mutex::new(Sum::default());
    let todo = Mutex::new(Todo {
        living: Tries::new(living(storage), each),
        settling: Tries::new(SETTLING.to_vec(), each),
        at_random,
    });
    let mut seed = first_seed();
    while !todo.lock().unwrap().is_done() {
        let ran = catch_unwind(AssertUnwindSafe(|| one_bus(storage, seed, &todo, &sum)));
        if let Err(panic) = ran {
            eprintln!("MESSENGER_SEED={seed}");
            resume_unwind(panic);
        }
        seed += 1;
    }
    let sum = sum.into_inner().unwrap();
    println!(
        "{storage:?}, in {:?}: {} records, {} of them of victims\n\n{}",
        begun.elapsed(),
        sum.records,
        sum.of_victims,
        STALLS.lock().unwrap()
    );
    let todo = todo.into_inner().unwrap();
    todo.living.check();
    todo.settling.check();
}
