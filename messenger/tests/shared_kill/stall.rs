//! For how long nothing went through for one who goes on.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::kit::now;

/// Shorter ones are the system's own: it runs more threads here than it has processors.
const SHORTEST: u64 = 300_000;

/// The times of one thread in which it got nothing done.
pub(crate) struct Watch {
    last: u64,
    /// From when to when, in nanoseconds since 1970.
    pub(crate) stalls: Vec<(u64, u64)>,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self {
            last: now(),
            stalls: Vec::new(),
        }
    }

    /// It got something done.
    pub(crate) fn done(&mut self) {
        let now = now();
        if now.saturating_sub(self.last) >= SHORTEST {
            self.stalls.push((self.last, now));
        }
        self.last = now;
    }

    /// For how long it has got nothing done.
    pub(crate) fn since(&self) -> Duration {
        Duration::from_nanos(now().saturating_sub(self.last))
    }
}

/// The stalls of all, by their beginnings.
pub(crate) struct Stalls {
    all: Vec<(u64, u64)>,
    longest: u64,
}

impl Stalls {
    pub(crate) fn of(all: impl Iterator<Item = (u64, u64)>) -> Self {
        let mut all: Vec<_> = all.collect();
        all.sort_unstable();
        let longest = all.iter().map(|(from, to)| to - from).max().unwrap_or(0);
        Self { all, longest }
    }

    /// For each of the moments, the longest that something then may have caused.
    pub(crate) fn around(&self, moments: &[u64]) -> Vec<u64> {
        // A kill is learnt of a little later than it was, and takes some time to be told.
        const BEFORE: u64 = 1_000_000;
        const AFTER: u64 = 5_000_000;
        let of = |&moment: &u64| {
            let reaches = |from: u64| from + self.longest + BEFORE < moment;
            let first = self.all.partition_point(|&(from, _)| reaches(from));
            let near = self.all[first..]
                .iter()
                .take_while(|&&(from, _)| from < moment + AFTER)
                .filter(|&&(_, to)| to + BEFORE > moment);
            near.map(|(from, to)| to - from).max().unwrap_or(SHORTEST)
        };
        moments.iter().map(of).collect()
    }
}

/// Stalls by what they were around, as a table: those around all kills, those around none, and then each kind of a kill, the worst first.
pub(crate) struct Table {
    kinds: BTreeMap<String, Vec<u64>>,
    usual: Vec<u64>,
}

impl Table {
    pub(crate) const fn new() -> Self {
        Self {
            kinds: BTreeMap::new(),
            usual: Vec::new(),
        }
    }

    /// Takes in the longest stall around a kill of this kind, in nanoseconds.
    pub(crate) fn take(&mut self, kind: String, stall: u64) {
        self.kinds.entry(kind).or_default().push(stall);
    }

    /// The same around moments without a kill.
    pub(crate) fn take_usual(&mut self, stalls: Vec<u64>) {
        self.usual.extend(stalls);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| the others' longest stall, in us, around | kills | p50 | p99 | max |"
        )?;
        writeln!(f, "|---|--:|--:|--:|--:|")?;
        let mut row = |kind: &str, count: usize, stalls: Summary| {
            let Summary { p50, p99, max } = stalls;
            writeln!(f, "| {kind} | {count} | {p50} | {p99} | {max} |")
        };
        let all: Vec<u64> = self.kinds.values().flatten().copied().collect();
        row("all kills", all.len(), Summary::of(&all))?;
        row("moments without one", 0, Summary::of(&self.usual))?;
        let summed = self
            .kinds
            .iter()
            .map(|(kind, stalls)| (Summary::of(stalls), kind, stalls.len()));
        let mut kinds: Vec<_> = summed.collect();
        kinds.sort_by_key(|(stalls, ..)| Reverse((stalls.max, stalls.p99)));
        kinds
            .into_iter()
            .try_for_each(|(stalls, kind, count)| row(kind, count, stalls))
    }
}

/// In microseconds: the least that so many of a hundred don't exceed, and the greatest.
struct Summary {
    p50: u64,
    p99: u64,
    max: u64,
}

impl Summary {
    fn of(stalls: &[u64]) -> Self {
        let mut stalls = stalls.to_vec();
        stalls.sort_unstable();
        let at = |share: usize| {
            let before = (stalls.len() * share).div_ceil(100).saturating_sub(1);
            stalls.get(before).map_or(0, |stall| stall / 1000)
        };
        Self {
            p50: at(50),
            p99: at(99),
            max: at(100),
        }
    }
}

#[test]
fn the_worst_kind_stands_first_and_few_are_judged_by_the_worst() {
    let mut table = Table::new();
    for us in [300, 400, 9000] {
        table.take("some".to_owned(), us * 1000);
    }
    (1..=100).for_each(|us| table.take("many".to_owned(), us * 1000));
    table.take("one".to_owned(), 10_000_000);
    table.take_usual(vec![500_000; 4]);
    let rows = table.to_string();
    let rows: Vec<_> = rows.lines().skip(2).collect();
    let due = [
        "| all kills | 104 | 52 | 9000 | 10000 |",
        "| moments without one | 0 | 500 | 500 | 500 |",
        "| one | 1 | 10000 | 10000 | 10000 |",
        "| some | 3 | 400 | 9000 | 9000 |",
        "| many | 100 | 50 | 99 | 100 |",
    ];
    assert_eq!(rows, due);
}
