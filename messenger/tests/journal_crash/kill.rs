//! A process is killed at any time, over and over again, also while it recovers: what it had acknowledged is there.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::Child;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use messenger::journal::{Journal, LeftBy};

use crate::check::Seen;
use crate::child::{Acks, Plan};
use crate::kit::{Dir, Rng, cases, first_seed};

/// Every store of a commit, of growing, flushing and giving up, and the highest hit that is tried of it.
const POINTS: [(&str, u64); 19] = [
    ("intent", 200),
    ("claimed", 200),
    ("owned", 200),
    ("filled", 200),
    ("finished", 200),
    ("settled", 200),
    ("segment_made", 6),
    ("segment_named", 6),
    ("flushing", 12),
    ("flushed", 6),
    ("synced_noted", 6),
    ("finished_known", 8),
    ("sealed", 2),
    ("closed", 2),
    ("segment_removed", 3),
    ("schema_made", 1),
    ("schema_named", 1),
    ("control_made", 3),
    ("control_named", 3),
];

/// The stores of a recovery, and of what follows it before anybody can publish.
const RECOVERING: [&str; 8] = [
    "hole_measured",
    "hole_mended",
    "control_made",
    "control_superseded",
    "control_named",
    "finished_known",
    "segment_made",
    "segment_named",
];

/// How many milliseconds a child is given to come to its point: more and more where it does not even begin to publish in that time.
static USUAL: AtomicU64 = AtomicU64::new(150);

fn usual() -> Duration {
    Duration::from_millis(USUAL.load(Ordering::Relaxed))
}

/// How many times longer than usual one is given to come to its point while it recovers: twice as long each time until one was killed there, then 0.
static LONGER: AtomicU64 = AtomicU64::new(1);

/// How many kills one directory sees.
const RUN: u64 = 25;

/// The point that the trial with this seed is there for, which is met in it.
fn focus(seed: u64) -> (&'static str, u64) {
    POINTS[(seed % POINTS.len() as u64) as usize]
}

/// What is known of a journal that children write and are killed over.
struct Trial {
    // First, so that it stays when a check panics.
    dir: Dir,
    plan: Plan,
    focus: (&'static str, u64),
    rng: Rng,
    acks: Acks,
    /// The longest time that reopening took, after each kill.
    reopened: Vec<Duration>,
    kills: u64,
    recoveries_killed: u64,
    at_points: BTreeMap<&'static str, u64>,
    records: u64,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let mut rng = Rng(seed);
        let dir = if rng.one_in(4) {
            Dir::new("kill")
        } else {
            Dir::in_memory("kill")
        };
        let focus = focus(seed);
        let retained = focus.0 == "segment_removed" || rng.one_in(4);
        let closes = matches!(focus.0, "sealed" | "closed") || rng.one_in(3);
        let flushes = matches!(focus.0, "flushing" | "flushed" | "synced_noted");
        let segment_bytes = rng.pick(&[4 << 10, 4 << 10, 16 << 10, 64 << 10]);
        let plan = Plan {
            segment_bytes,
            publishers: 1 + rng.below(4) as u16,
            sync: rng.pick(if flushes { &[1, 2] } else { &[0, 0, 1, 1, 2] }),
            retain: if retained { segment_bytes * 4 } else { 0 },
            close_after: if closes { 20 } else { 0 },
            seed,
        };
        let acks = Acks::open(&dir.join("acks"));
        Self {
            dir,
            plan,
            focus,
            rng,
            acks,
            reopened: Vec::new(),
            kills: 0,
            recoveries_killed: 0,
            at_points: BTreeMap::new(),
            records: 0,
        }
    }

    fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    fn acked(&self) -> u64 {
        (0..self.plan.publishers).map(|p| self.acks.get(p).0).sum()
    }

    /// Runs a child until it is dead. Says whether it died at the point that was chosen.
    fn one_kill(&mut self, fault: Option<(&'static str, u64)>, patience: Duration) -> bool {
        let plan = Plan {
            seed: self.rng.next(),
            ..self.plan
        };
        let mut child = plan.start(&self.journal(), &self.dir.join("acks"), fault);
        let goal = self.acked() + self.rng.below(300);
        let (begun, before) = (Instant::now(), self.acked());
        let mut killed = false;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if begun.elapsed() > patience || (fault.is_none() && self.acked() > goal) {
                child.kill().unwrap();
                killed = true;
                break child.wait().unwrap();
            }
            std::thread::sleep(Duration::from_micros(300));
        };
        self.kills += 1;
        assert_eq!(
            status.signal(),
            Some(9),
            "{fault:?}, {plan:?}: {}",
            said(&mut child)
        );
        if killed && patience == usual() && self.acked() == before {
            let longer = (2 * patience).min(Duration::from_secs(10));
            USUAL.fetch_max(longer.as_millis() as u64, Ordering::Relaxed);
        }
        if let (Some((point, _)), false) = (fault, killed) {
            *self.at_points.entry(point).or_default() += 1;
        }
        !killed
    }

    /// A kill while something is published, then perhaps some while that is mended, then a look at everything.
    fn round(&mut self) {
        let before = self.acked();
        let fault = if self.rng.one_in(4) {
            None
        } else {
            let (point, most) = loop {
                let (point, most) = if self.rng.one_in(3) {
                    self.focus
                } else {
                    self.rng.pick(&POINTS)
                };
                if self.is_reached(point) {
                    break (point, most);
                }
            };
            // Early hits more often than late ones.
            let time = 1 + self.rng.below(most);
            Some((point, 1 + self.rng.below(time)))
        };
        let patience = match fault {
            None => Duration::from_micros(self.rng.below(60_000)),
            Some(_) => usual(),
        };
        let hit = self.one_kill(fault, patience);
        // Most likely that has left something to be mended.
        let torn = hit && matches!(fault, Some(("claimed" | "owned" | "filled", _)));
        let mut first = torn;
        while self.rng.one_in(if torn { 2 } else { 3 }) {
            let mending = std::mem::take(&mut first);
            let point = self.rng.pick(if mending {
                &RECOVERING[..2]
            } else {
                &RECOVERING
            });
            let longer = LONGER.load(Ordering::Relaxed).max(1);
            let patience = usual() / 6 * longer as u32;
            let time = if mending { 1 } else { 1 + self.rng.below(2) };
            let hit = self.one_kill(Some((point, time)), patience);
            self.recoveries_killed += u64::from(hit);
            let longer = |longer: u64| Some(if hit { 0 } else { (2 * longer).min(64) });
            let _ = LONGER.fetch_update(Ordering::Relaxed, Ordering::Relaxed, longer);
        }
        self.look(before);
    }

    /// Whether a child comes by that point at all.
    fn is_reached(&self, point: &str) -> bool {
        let Plan {
            sync,
            retain,
            close_after,
            ..
        } = self.plan;
        match point {
            "schema_made" | "schema_named" => !self.journal().join("schema").exists(),
            "flushing" | "flushed" | "synced_noted" => sync > 0 || close_after > 0,
            "sealed" | "closed" => close_after > 0,
            "segment_removed" => retain > 0,
            _ => true,
        }
    }

    fn look(&mut self, before: u64) {
        let begun = Instant::now();
        let journal = Journal::open(self.journal(), self.plan.config()).unwrap();
        self.reopened.push(begun.elapsed());
        let recovery = journal.recovery().clone();
        let acked = self.acked();
        match recovery.left {
            LeftBy::Dying => {}
            // Killed before it had made anything, or had taken over what was closed. Or it closes itself.
            LeftBy::Nobody => assert_eq!(acked, 0),
            LeftBy::Closing => assert!(acked == before || self.plan.close_after > 0),
            LeftBy::PowerLoss => panic!("the system was not started anew: {recovery:?}"),
            LeftBy::Using => panic!("nobody shares it: {recovery:?}"),
        }
        assert_eq!(recovery.dropped, None);
        // A claim of each publisher, and one of the keeper's, in each process that died.
        let most = u64::from(self.plan.publishers) + 1;
        assert!(recovery.aborted <= most, "{recovery:?}");
        let empty = Seen::new(self.plan.publishers, self.plan.longest());
        let seen = empty.clone().by_subscriber(&journal).unwrap();
        journal.close().unwrap();
        let (again, end) = empty.by_reader(&self.journal()).unwrap();
        if self.plan.retain == 0 {
            assert_eq!(again, seen);
        }
        let lasts = |seen: &Seen| {
            seen.of
                .iter()
                .map(|run| run.map(|run| run.last))
                .collect::<Vec<_>>()
        };
        for (seen, again) in lasts(&seen).into_iter().zip(lasts(&again)) {
            assert!(again == seen || (again.is_none() && self.plan.retain > 0));
        }
        assert!(end >= recovery.tail);
        for publisher in 0..self.plan.publishers {
            self.compare(publisher, &seen);
        }
        self.records = seen.records;
    }

    fn compare(&self, publisher: u16, seen: &Seen) {
        let (next, position) = self.acks.get(publisher);
        let Some(run) = seen.of[usize::from(publisher)] else {
            // All of it may have been given up, where not all is retained.
            assert!(
                next == 0 || self.plan.retain > 0,
                "all {next} of {publisher} are lost"
            );
            return;
        };
        assert!(
            self.plan.retain > 0 || run.first == 0,
            "{publisher}: {run:?}"
        );
        assert!(
            run.last + 1 >= next,
            "{publisher}: {next} were acknowledged, and there are {run:?}"
        );
        // One that was committed, and its process killed before it could tell.
        assert!(run.last <= next, "{publisher}: {run:?} of {next}");
        if run.last + 1 == next {
            assert_eq!(run.position, position, "{publisher}: {run:?}");
        }
        // The next child goes on after it.
        self.acks.set(publisher, run.last + 1, run.position);
    }
}

fn said(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = stderr.read_to_string(&mut text);
    }
    text
}

/// What all trials have come to.
#[derive(Default)]
struct Sum {
    kills: u64,
    recoveries_killed: u64,
    records: u64,
    reopened: Vec<Duration>,
    at_points: BTreeMap<&'static str, u64>,
}

impl Sum {
    /// The points at which nobody was killed.
    fn missed(&self) -> Vec<&'static str> {
        let all = POINTS.iter().map(|&(point, _)| point);
        all.filter(|point| !self.at_points.contains_key(point))
            .collect()
    }

    /// The seed of the next trial, while there have not been so many kills, and some at each point if that is asked. Those after so many are for the
    /// points that were missed, which take a while where children are slow.
    fn next(&self, seeds: &AtomicU64, wanted: u64) -> Option<u64> {
        let mut seeds = std::iter::repeat_with(|| seeds.fetch_add(1, Ordering::Relaxed));
        if self.kills < wanted {
            return seeds.next();
        }
        let missed = self.missed();
        let goes_on = wanted >= ALL_POINTS && !missed.is_empty() && self.kills < 5 * wanted;
        goes_on.then(|| seeds.find(|&seed| missed.contains(&focus(seed).0)))?
    }
}

/// Of so many kills some are at each point.
const ALL_POINTS: u64 = 1000;

/// Kills with one seed after another, as many as it takes. A trial mostly waits, so there are two at a time.
fn kill_with(seeds: &AtomicU64, sum: &Mutex<Sum>, wanted: u64) {
    loop {
        let Some(seed) = sum.lock().unwrap().next(seeds, wanted) else {
            return;
        };
        let mut trial = Trial::new(seed);
        let context = format!("MESSENGER_SEED={seed}: {:?}", trial.plan);
        let ran = catch_unwind(AssertUnwindSafe(|| {
            while trial.kills < RUN {
                trial.round();
            }
        }));
        if let Err(panic) = ran {
            eprintln!("{context}");
            resume_unwind(panic);
        }
        let mut sum = sum.lock().unwrap();
        sum.kills += trial.kills;
        sum.recoveries_killed += trial.recoveries_killed;
        sum.records += trial.records;
        sum.reopened.append(&mut trial.reopened);
        for (point, n) in std::mem::take(&mut trial.at_points) {
            *sum.at_points.entry(point).or_default() += n;
        }
    }
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let wanted = cases("MESSENGER_KILLS", 1000);
    let begun = Instant::now();
    let (seeds, sum) = (AtomicU64::new(first_seed()), Mutex::default());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| kill_with(&seeds, &sum, wanted));
        }
    });
    let mut sum = sum.into_inner().unwrap();
    sum.reopened.sort_unstable();
    println!(
        "{} kills in {:?}, {} of them while recovering; {} records were there and right; \
         {} reopenings: p99 {:?}, max {:?}; at points: {:?}",
        sum.kills,
        begun.elapsed(),
        sum.recoveries_killed,
        sum.records,
        sum.reopened.len(),
        sum.reopened[sum.reopened.len() * 99 / 100],
        sum.reopened[sum.reopened.len() - 1],
        sum.at_points,
    );
    if wanted >= ALL_POINTS {
        let missed = sum.missed();
        assert!(missed.is_empty(), "nobody was killed at {missed:?}");
        assert!(sum.recoveries_killed > 0);
    }
}
