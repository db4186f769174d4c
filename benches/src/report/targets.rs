//! What messenger is meant to reach, as ratios within one run.

use std::fmt::Write as _;

use super::Figures;
use super::table::short;
use crate::catalogue::Cell;

/// A contender's figure: work, payload size, names to choose the best of, key.
#[derive(Clone, Copy)]
struct Side {
    work: &'static str,
    size: usize,
    /// Starts of names; an empty list means every rival.
    who: &'static [&'static str],
    key: &'static str,
}

/// One comparison.
struct Target {
    what: &'static str,
    ours: Side,
    theirs: Side,
    meant: Meant,
}

/// How the ratio of ours to theirs is meant.
#[derive(Clone, Copy)]
enum Meant {
    AtLeast(f64),
    AtMost(f64),
}

const SHARED: &[&str] = &["messenger shared"];
const SINGLE: &[&str] = &["messenger single"];
const OURS: &[&str] = &["messenger"];
const ANY_RIVAL: &[&str] = &[];
/// Rivals which many threads can write to.
const MULTI: &[&str] = &[
    "disruptor multi",
    "crossbeam-channel",
    "kanal",
    "thingbuf",
    "std",
    "Mutex",
];

const fn side(
    work: &'static str,
    size: usize,
    who: &'static [&'static str],
    key: &'static str,
) -> Side {
    Side {
        work,
        size,
        who,
        key,
    }
}

const fn throughput(
    what: &'static str,
    (work, size): (&'static str, usize),
    ours: &'static [&'static str],
    theirs: &'static [&'static str],
    ratio: f64,
) -> Target {
    Target {
        what,
        ours: side(work, size, ours, "mps"),
        theirs: side(work, size, theirs, "mps"),
        meant: Meant::AtLeast(ratio),
    }
}

const fn time(
    what: &'static str,
    work: &'static str,
    key: &'static str,
    ours: &'static [&'static str],
    theirs: Side,
    ratio: f64,
) -> Target {
    Target {
        what,
        ours: side(work, 64, ours, key),
        theirs,
        meant: Meant::AtMost(ratio),
    }
}

/// All of them, in the order of the report.
fn targets() -> Vec<Target> {
    let multi = &["disruptor multi"];
    let single = &["disruptor single"];
    let crossbeam = &["crossbeam-channel"];
    vec![
        time(
            "one thread, write + read, 64 B, shared, against an uncontended compare-and-swap",
            "one-thread",
            "ns",
            SHARED,
            side("floor", 0, &["compare-and-swap"], "ns"),
            7.5 / 5.0,
        ),
        time(
            "the same, one declared publisher",
            "one-thread",
            "ns",
            SINGLE,
            side("one-thread", 64, single, "ns"),
            1.3,
        ),
        throughput("1-1, 64 B, shared", ("1-1", 64), SHARED, multi, 3.0),
        throughput("1-1, 64 B, shared", ("1-1", 64), SHARED, crossbeam, 1.2),
        throughput(
            "1-1, 64 B, one declared publisher",
            ("1-1", 64),
            SINGLE,
            single,
            1.0,
        ),
        throughput(
            "1-1, 64 B, one declared publisher",
            ("1-1", 64),
            SINGLE,
            &["rtrb chunks"],
            1.0,
        ),
        throughput("1-1, 16 B, shared", ("1-1", 16), SHARED, MULTI, 1.5),
        throughput("1-1, 1 KiB", ("1-1", 1024), OURS, ANY_RIVAL, 0.95),
        throughput("1-1, 64 KiB", ("1-1", 65536), OURS, ANY_RIVAL, 0.95),
        throughput("2-1, 64 B", ("2-1", 64), SHARED, ANY_RIVAL, 1.0),
        throughput(
            "1-2, 64 B, one declared publisher",
            ("1-2", 64),
            SINGLE,
            ANY_RIVAL,
            1.0,
        ),
        throughput("1-2, 64 B, shared", ("1-2", 64), SHARED, ANY_RIVAL, 0.85),
        throughput(
            "1-2, 1 KiB, one declared publisher",
            ("1-2", 1024),
            SINGLE,
            ANY_RIVAL,
            1.0,
        ),
        throughput("1-2, 1 KiB, shared", ("1-2", 1024), SHARED, ANY_RIVAL, 0.85),
        latency("ping-pong, spinning, p50", "spinning", "p50", multi),
        latency("ping-pong, spinning, p99.9", "spinning", "p999", multi),
        latency("the same, p50 (an aim)", "spinning", "p50", single),
        latency("the same, p99.9 (an aim)", "spinning", "p999", single),
        latency(
            "ping-pong, default waiting, p50",
            "waiting",
            "p50",
            crossbeam,
        ),
        latency(
            "ping-pong, default waiting, p99.9",
            "waiting",
            "p999",
            crossbeam,
        ),
        latency(
            "ping-pong, sleeping at once, p50",
            "asleep",
            "p50",
            &["Mutex + Condvar"],
        ),
        time(
            "empty poll",
            "empty-poll",
            "ns",
            OURS,
            side("empty-poll", 64, multi, "ns"),
            1.0,
        ),
    ]
}

const fn latency(
    what: &'static str,
    work: &'static str,
    key: &'static str,
    theirs: &'static [&'static str],
) -> Target {
    time(what, work, key, SHARED, side(work, 64, theirs, key), 1.0)
}

/// The best figure of a side: its contender and median, and what is to be said against it.
fn best(
    figures: &Figures<'_>,
    cells: &[Cell<'static>],
    side: Side,
    more_is_better: bool,
) -> Option<(String, f64)> {
    cells
        .iter()
        .filter(|cell| cell.work == side.work && cell.size == side.size)
        .filter(|cell| match side.who {
            [] => !cell.who.starts_with("messenger"),
            starts => starts.iter().any(|start| cell.who.starts_with(start)),
        })
        .filter_map(|cell| {
            let spread = figures.spread(cell, side.key)?;
            let says = format!(
                "{} {}{}",
                cell.who,
                short(spread.median),
                spread.mark.sign()
            );
            Some((says, spread.median))
        })
        .reduce(|a, b| {
            let b_wins = if more_is_better { b.1 > a.1 } else { b.1 < a.1 };
            if b_wins { b } else { a }
        })
}

/// The end of the report: each target, reached or missed.
pub(crate) fn table(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'static>]) {
    *text += "\n## Targets\n\nWhat messenger is meant to reach, as ratios of the medians above.\n\n\
        | work | ours | against | ratio | target | |\n|---|---|---|---:|---:|---|\n";
    for target in targets() {
        let more_is_better = matches!(target.meant, Meant::AtLeast(_));
        let (Some(ours), Some(theirs)) = (
            best(figures, cells, target.ours, more_is_better),
            best(figures, cells, target.theirs, more_is_better),
        ) else {
            continue;
        };
        let ratio = ours.1 / theirs.1;
        let (reached, limit) = match target.meant {
            Meant::AtLeast(limit) => (ratio >= limit, format!("≥ {limit:.2}")),
            Meant::AtMost(limit) => (ratio <= limit, format!("≤ {limit:.2}")),
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {ratio:.2} | {limit} | {} |",
            target.what,
            ours.0,
            theirs.0,
            if reached { "reached" } else { "**missed**" }
        );
    }
}
