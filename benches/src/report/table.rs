//! `RESULTS.md`.

use std::fmt::Write as _;

use super::{Figures, Spread, logs, processes, targets};
use crate::catalogue::{Cell, SIZES};
use crate::machine::Machine;
use crate::probe::NEAR_HOP_NS;
use crate::run::Samples;
use crate::sample::DISTURBED;
use crate::work::{LONG_RING, MEMORY_RING, RINGS, ROUTES};

/// A figure with three digits that count.
pub(crate) fn short(value: f64) -> String {
    match value {
        v if v >= 1000.0 => format!("{v:.0}"),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v => format!("{v:.3}"),
    }
}

fn with_range(spread: &Spread) -> String {
    format!(
        "{} ({} to {}){}",
        short(spread.median),
        short(spread.min),
        short(spread.max),
        spread.mark.sign()
    )
}

/// The whole document.
pub(crate) fn document(
    figures: &Figures<'_>,
    samples: &Samples,
    machine: &Machine,
    cells: &[Cell<'static>],
) -> String {
    let mut text = String::new();
    head(&mut text, samples, machine);
    floors(&mut text, figures, cells);
    alone(&mut text, figures, cells);
    phases(&mut text, figures, cells);
    for (work, title, says) in [
        (
            "1-1",
            "One writer, one reader",
            "Million records per second, each thread pinned to a core of its own.",
        ),
        (
            "2-1",
            "Two writers, one reader",
            "Million records per second. Three threads on two cores: the writers share one, and whoever finds nothing to do gives way, so the figure is the scheduler's as much as the queue's.",
        ),
        (
            "1-2",
            "One writer, two readers, each gets every record",
            "Million records per second (each delivered twice). The readers share a core.",
        ),
    ] {
        throughput(&mut text, figures, cells, (work, title, says));
    }
    rings(&mut text, figures, cells);
    latency(&mut text, figures, cells);
    routing(&mut text, figures, cells);
    program(&mut text, figures, cells);
    logs::section(&mut text, figures, cells);
    processes::section(&mut text, figures, cells);
    memory(&mut text, figures, cells);
    failed(&mut text, samples);
    targets::table(&mut text, figures, cells);
    text
}

fn head(text: &mut String, samples: &Samples, machine: &Machine) {
    let taken: usize = samples.of.values().map(Vec::len).sum();
    let aside: usize = samples
        .of
        .values()
        .flatten()
        .filter(|sample| !sample.is_near() || sample.is_disturbed())
        .count();
    let _ = write!(
        text,
        "# Results\n\n\
         Written by `cargo bench -p messenger-benches`; how it measures stands in [README.md](README.md), \
         every sample in [raw.tsv](raw.tsv).\n\n\
         | | |\n|---|---|\n\
         | processor | {} ({} cores in use) |\n| kernel | {} |\n| compiler | {} |\n| commit | {} |\n\
         | files of the samples on | {} |\n\
         | samples | {taken}, one process each, interleaved; {aside} set aside |\n\n\
         A figure is the median over the good samples, with the least and the most. Set aside are samples \
         before or after which a cache line took {NEAR_HOP_NS} ns or more from core to core (far), and those during \
         which others took more than {:.0} % of the cores (disturbed). A row that has only far ones is \
         marked †, one that has only disturbed ones ‡. The best of each column is bold, whoever it is.\n",
        machine.cpu,
        machine.cores,
        machine.kernel,
        machine.compiler,
        machine.commit,
        machine.files,
        100.0 * DISTURBED,
    );
}

fn floors(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## The machine's own floors\n\n\
        \"payload\" is what writing every byte, summing every byte and checking the sequence number \
        costs without any bus: it is part of each figure below.\n\n\
        | what | ns |\n|---|---:|\n";
    for cell in cells.iter().filter(|cell| cell.work == "floor") {
        let Some(spread) = figures.spread(cell, "ns") else {
            continue;
        };
        let size = match cell.size {
            0 => String::new(),
            size => format!(
                ", {size} bytes ({} GB/s)",
                short(size as f64 / spread.median)
            ),
        };
        let _ = writeln!(text, "| {}{size} | {} |", cell.who, with_range(&spread));
    }
}

fn alone(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## One thread\n\n![](plots/one-thread.svg)\n\n\
        Nanoseconds to write and then read a record of 64 bytes, and to look into an empty ring.\n\n\
        | | write and read | empty poll |\n|---|---:|---:|\n";
    let best = |work| best_of(figures, cells.iter().filter(|cell| cell.work == work), "ns");
    let bests = [best("one-thread"), best("empty-poll")];
    for cell in cells.iter().filter(|cell| cell.work == "one-thread") {
        let _ = write!(text, "| {}", cell.who);
        for (work, best) in ["one-thread", "empty-poll"].iter().zip(bests) {
            let cell = Cell { work, ..*cell };
            column(text, figures.spread(&cell, "ns"), best);
        }
        *text += " |\n";
    }
}

/// What each side costs without the other.
fn phases(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\nThe same apart: one thread writes 1024 records, then reads them; nanoseconds per record.\n\n\
        | | write | read |\n|---|---:|---:|\n";
    let here = || cells.iter().filter(|cell| cell.work == "phases");
    let bests = ["write", "read"].map(|key| (key, best_of(figures, here(), key)));
    for cell in here() {
        let _ = write!(text, "| {}", cell.who);
        for (key, best) in bests {
            column(text, figures.spread(cell, key), best);
        }
        *text += " |\n";
    }
}

/// The best median of figure `key` among `cells`.
fn best_of<'a>(
    figures: &Figures<'_>,
    cells: impl Iterator<Item = &'a Cell<'a>>,
    key: &str,
) -> Option<f64> {
    let medians =
        cells.filter_map(|cell| Some((figures.spread(cell, key)?.median, cell.figure().1)));
    medians
        .reduce(|a, b| {
            let b_wins = if a.1 { b.0 > a.0 } else { b.0 < a.0 };
            if b_wins { b } else { a }
        })
        .map(|(median, _)| median)
}

fn column(text: &mut String, spread: Option<Spread>, best: Option<f64>) {
    let _ = match spread {
        None => write!(text, " | "),
        Some(spread) if Some(spread.median) == best => {
            write!(text, " | **{}**", with_range(&spread))
        }
        Some(spread) => write!(text, " | {}", with_range(&spread)),
    };
}

fn throughput(
    text: &mut String,
    figures: &Figures<'_>,
    cells: &[Cell<'_>],
    (work, title, says): (&str, &str, &str),
) {
    let _ = write!(
        text,
        "\n## {title}\n\n![](plots/{work}.svg)\n\n{says} Every contender has a ring of {} MiB.\n\n",
        LONG_RING >> 20,
    );
    by_size(text, figures, cells, (work, "mps"), (SIZES, "B"));
}

fn rings(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## How long a ring\n\n![](plots/ring.svg)\n\n\
        Million records of 64 bytes per second, one writer and one reader, with rings of several lengths. What fits in the caches \
        that a core has for itself goes from one core's to the other's line by line, and each line that is written once more has to \
        be taken back first; what is longer has gone to the cache that they share, or further, before it is needed again.\n\n";
    by_size(text, figures, cells, ("ring", "mps"), (RINGS, "KiB"));
}

/// Figure `key` of `work`: a row for each contender, a column for each size.
pub(super) fn by_size(
    text: &mut String,
    figures: &Figures<'_>,
    cells: &[Cell<'_>],
    (work, key): (&str, &str),
    (sizes, unit): (&[usize], &str),
) {
    *text += "|";
    for size in sizes {
        let _ = write!(text, " | {size} {unit}");
    }
    *text += " |\n|---";
    *text += &"|---:".repeat(sizes.len());
    *text += "|\n";
    let here: Vec<_> = cells.iter().filter(|cell| cell.work == work).collect();
    let mut names: Vec<&str> = Vec::new();
    for cell in &here {
        if !names.contains(&cell.who) {
            names.push(cell.who);
        }
    }
    let bests: Vec<_> = sizes
        .iter()
        .map(|&size| {
            best_of(
                figures,
                here.iter().copied().filter(|cell| cell.size == size),
                key,
            )
        })
        .collect();
    for who in names {
        let _ = write!(text, "| {who}");
        for (&size, &best) in sizes.iter().zip(&bests) {
            column(text, figures.spread(&Cell { work, size, who }, key), best);
        }
        *text += " |\n";
    }
}

fn latency(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## One-way latency, 64 bytes\n\n\
        Nanoseconds, half of a round trip between two pinned threads over two queues; the reading of the clock \
        is in it. The first tenth of each sample is dropped.\n";
    for (work, title) in [
        ("spinning", "Spinning"),
        ("waiting", "Default waiting: may spin briefly, then sleeps"),
        ("asleep", "Sleeping at once"),
    ] {
        let _ = write!(text, "\n### {title}\n\n![](plots/{work}.svg)\n\n");
        percentiles(text, figures, cells, work);
    }
}

/// The percentiles of a work's times.
pub(super) fn percentiles(
    text: &mut String,
    figures: &Figures<'_>,
    cells: &[Cell<'_>],
    work: &str,
) {
    let last = ("p999", "p99.9");
    times(text, figures, cells, work, last);
}

/// The median, the 99th percentile and a last figure of a work's times, by its key and its name.
pub(super) fn times(
    text: &mut String,
    figures: &Figures<'_>,
    cells: &[Cell<'_>],
    work: &str,
    (last, name): (&str, &str),
) {
    let _ = write!(text, "| | p50 | p99 | {name} |\n|---|---:|---:|---:|\n");
    let here = || cells.iter().filter(|cell| cell.work == work);
    let bests = ["p50", "p99", last].map(|key| (key, best_of(figures, here(), key)));
    for cell in here() {
        let _ = write!(text, "| {}", cell.who);
        for (key, best) in bests {
            column(text, figures.spread(cell, key), best);
        }
        *text += " |\n";
    }
}

fn routing(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## Routing\n\n![](plots/delivery.svg)\n\n\
        Nanoseconds per record. A whole delivery is: read from the bus, find the route, decode by bincode, call the \
        handler, count. Dispatch alone is of uniform random traffic, beside a plain `match` on the raw ids: finding \
        the route and jumping to its arm, nothing else.\n\n\
        | routes |";
    let columns = [
        ("delivery", "4 fixed routes"),
        ("delivery", "a miss"),
        ("delivery", "uniform random"),
        ("dispatch", "messenger"),
        ("dispatch", "match on raw ids"),
    ];
    for (work, who) in columns {
        let _ = write!(text, " {work}: {who} |");
    }
    *text += "\n|---:|---:|---:|---:|---:|---:|\n";
    for &size in ROUTES {
        let _ = write!(text, "| {size}");
        let dispatch = cells
            .iter()
            .filter(|cell| cell.work == "dispatch" && cell.size == size);
        let best = best_of(figures, dispatch, "ns");
        for (work, who) in columns {
            let best = best.filter(|_| work == "dispatch");
            column(text, figures.spread(&Cell { work, size, who }, "ns"), best);
        }
        *text += " |\n";
    }
}

fn program(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    *text += "\n## A whole program\n\n\
        Nanoseconds for a round trip of two bincode messages between two handlers on one worker, and for the \
        same by hand on the raw bus in one thread.\n\n| | ns |\n|---|---:|\n";
    for cell in cells.iter().filter(|cell| cell.work == "program") {
        let _ = write!(text, "| {}", cell.who);
        column(text, figures.spread(cell, "ns"), None);
        *text += " |\n";
    }
}

fn memory(text: &mut String, figures: &Figures<'_>, cells: &[Cell<'_>]) {
    let _ = write!(
        text,
        "\n## Memory\n\n\
         Bytes over a ring of {} KiB with payloads of 64 bytes, one writer and one reader; what the ring itself takes \
         is not in it (slots with a word of their own beside the payload show here). A reader of ours takes one of \
         the 64 slots that a bus has unless told, of 128 bytes each: they are in the first figure.\n\n\
         | | beside the ring | each reader more |\n|---|---:|---:|\n",
        MEMORY_RING >> 10
    );
    for cell in cells.iter().filter(|cell| cell.work == "memory") {
        let of = |key| figures.spread(cell, key).map(|spread| spread.median);
        let (Some(bytes), reader) = (of("bytes"), of("reader")) else {
            continue;
        };
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} |",
            cell.who,
            bytes - MEMORY_RING as f64,
            reader.map_or_else(String::new, |bytes| format!("{bytes:.0}"))
        );
    }
}

fn failed(text: &mut String, samples: &Samples) {
    if samples.failed.is_empty() {
        return;
    }
    *text += "\n## Failed samples\n\nRecords were lost, torn, repeated or out of order, or the sample did not end:\n\n";
    for (name, why) in &samples.failed {
        let _ = writeln!(text, "- {name}: {why}");
    }
}
