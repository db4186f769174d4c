//! What messenger is meant to reach, as ratios within one run, or over a fixed time.

mod bus;
mod journal;
mod processes;

use std::fmt::Write as _;

use super::Figures;
use super::table::short;
use crate::catalogue::Cell;

/// Whose figure is taken: the best of them.
#[derive(Clone, Copy)]
enum Who {
    /// These.
    Names(&'static [&'static str]),
    /// Every rival, in every mode.
    Rivals,
    /// Every rival that writes record by record.
    RivalsOneByOne,
    /// Every rival that several threads can write to, in whatever mode.
    Multi,
    /// The same, record by record.
    MultiOneByOne,
    /// Nobody: the figure is this, in whatever unit ours is.
    Fixed(f64),
}

impl Who {
    fn has(self, name: &str) -> bool {
        let ours = name.starts_with("messenger");
        let many_at_once = name.contains("batches") || name.contains("chunks");
        match self {
            Self::Names(names) => names.contains(&name),
            Self::Rivals => !ours,
            Self::RivalsOneByOne => !ours && !many_at_once,
            Self::Multi => !ours && !name.starts_with("rtrb") && !name.contains("single"),
            Self::MultiOneByOne => Self::Multi.has(name) && !many_at_once,
            Self::Fixed(_) => false,
        }
    }
}

/// How the ratio of ours to theirs is meant.
#[derive(Clone, Copy)]
enum Meant {
    AtLeast(f64),
    AtMost(f64),
    /// Nothing is promised; more is better.
    Shown,
}

/// A figure: work, size, whose, key.
type Side = (&'static str, usize, Who, &'static str);

/// One comparison: what, ours, theirs, how it is meant.
type Target = (&'static str, Side, Side, Meant);

/// Figure `key` of one work, ours and theirs.
const fn k(
    what: &'static str,
    (work, size, key): (&'static str, usize, &'static str),
    ours: Who,
    theirs: Who,
    meant: Meant,
) -> Target {
    (
        what,
        (work, size, ours, key),
        (work, size, theirs, key),
        meant,
    )
}

/// Throughput of `size` bytes.
const fn m(
    what: &'static str,
    (work, size): (&'static str, usize),
    ours: Who,
    theirs: Who,
    meant: Meant,
) -> Target {
    k(what, (work, size, "mps"), ours, theirs, meant)
}

/// A time in nanoseconds.
const fn t(
    what: &'static str,
    (work, size, who): (&'static str, usize, Who),
    (their_work, their_size, theirs): (&'static str, usize, Who),
    most: f64,
) -> Target {
    (
        what,
        (work, size, who, "ns"),
        (their_work, their_size, theirs, "ns"),
        Meant::AtMost(most),
    )
}

/// The best figure of a side: its contender and median, and what is to be said against it. Of what is the longest in a sample it is
/// the longest in all of them.
fn best(
    figures: &Figures<'_>,
    cells: &[Cell<'static>],
    (work, size, who, key): Side,
    more_is_better: bool,
) -> Option<(String, f64)> {
    if let Who::Fixed(value) = who {
        return Some((short(value), value));
    }
    cells
        .iter()
        .filter(|cell| cell.work == work && cell.size == size && who.has(cell.who))
        .filter_map(|cell| {
            let spread = figures.spread(cell, key)?;
            let value = if key == "max" {
                spread.max
            } else {
                spread.median
            };
            let says = format!("{} {}{}", cell.who, short(value), spread.mark.sign());
            Some((says, value))
        })
        .reduce(|a, b| {
            let b_wins = if more_is_better { b.1 > a.1 } else { b.1 < a.1 };
            if b_wins { b } else { a }
        })
}

/// The end of the report: each target, reached or missed.
pub(crate) fn table(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'static>]) {
    *text += "\n## Targets\n\nWhat messenger is meant to reach, as ratios of the medians above: M/s, or ns. Each side \
        is the best of its modes. Where a writer dies ours is in microseconds, over a fixed time, and the longest is that of all \
        good samples. Rows without a target are shown for fairness. What a table of 1000 routes costs to compile is measured by \
        `ci/compile-cost.sh`; how long a writer that is killed anywhere else keeps the others waiting, by the tests that kill.\n\n\
        | work | ours | against | ratio | target | |\n|---|---|---|---:|---:|---|\n";
    let all = bus::TARGETS
        .iter()
        .chain(journal::TARGETS)
        .chain(processes::TARGETS);
    for &(what, ours, theirs, meant) in all {
        let more_is_better = !matches!(meant, Meant::AtMost(_));
        let (Some(ours), Some(theirs)) = (
            best(figures, cells, ours, more_is_better),
            best(figures, cells, theirs, more_is_better),
        ) else {
            continue;
        };
        let ratio = ours.1 / theirs.1;
        let (limit, verdict) = match meant {
            Meant::AtLeast(limit) => (format!("≥ {limit:.2}"), Some(ratio >= limit)),
            Meant::AtMost(limit) => (format!("≤ {limit:.2}"), Some(ratio <= limit)),
            Meant::Shown => (String::new(), None),
        };
        let verdict = match verdict {
            Some(true) => "reached",
            Some(false) => "**missed**",
            None => "",
        };
        let _ = writeln!(
            text,
            "| {what} | {} | {} | {ratio:.2} | {limit} | {verdict} |",
            ours.0, theirs.0
        );
    }
}
