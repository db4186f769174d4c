//! From samples to `RESULTS.md` and the plots.

mod logs;
mod plot;
mod processes;
mod table;
mod targets;

use std::fs;
use std::path::Path;

use crate::catalogue::{Cell, all};
use crate::machine::Machine;
use crate::run::Samples;
use crate::sample::Sample;

/// Median, least and most of some samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    /// How many samples these are from.
    pub(crate) good: usize,
    /// How many there were.
    pub(crate) all: usize,
    pub(crate) mark: Mark,
}

/// What is to be said against a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Nothing.
    Clean,
    /// In no undisturbed sample were the cores near each other.
    Far,
    /// In no sample with the cores near was the machine otherwise idle.
    Disturbed,
}

impl Mark {
    /// What stands behind the figure.
    pub(crate) const fn sign(self) -> &'static str {
        match self {
            Self::Clean => "",
            Self::Far => " †",
            Self::Disturbed => " ‡",
        }
    }
}

/// The figures of a run, looked up by cell.
pub(crate) struct Figures<'a>(&'a Samples);

impl Figures<'_> {
    /// The spread of figure `key` of a cell; what is set aside counts only if nothing else is there.
    pub(crate) fn spread(&self, cell: &Cell<'_>, key: &str) -> Option<Spread> {
        let name = (cell.work.to_owned(), cell.size, cell.who.to_owned());
        let samples = self.0.of.get(&name)?;
        let values = |keep: &dyn Fn(&Sample) -> bool| -> Vec<f64> {
            samples
                .iter()
                .filter(|sample| keep(sample))
                .filter_map(|sample| sample.get(key))
                .collect()
        };
        let kept = [
            (Mark::Clean, values(&|s| s.is_near() && !s.is_disturbed())),
            (Mark::Disturbed, values(&Sample::is_near)),
            (Mark::Far, values(&|_| true)),
        ];
        let (mark, mut values) = kept.into_iter().find(|(_, values)| !values.is_empty())?;
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Spread {
            median,
            min: values[0],
            max: values[values.len() - 1],
            good: values.len(),
            all: samples.len(),
            mark,
        })
    }
}

/// Writes `RESULTS.md`, `raw.tsv` and `plots/` into `into`.
///
/// # Errors
///
/// What the file system said.
pub(crate) fn write(samples: &Samples, machine: &Machine, into: &Path) -> std::io::Result<()> {
    let figures = Figures(samples);
    let cells = all();
    let plots = into.join("plots");
    fs::create_dir_all(&plots)?;
    for (name, svg) in plot::all(&figures, &cells) {
        fs::write(plots.join(name), svg)?;
    }
    fs::write(
        into.join("RESULTS.md"),
        table::document(&figures, samples, machine, &cells),
    )
}

/// Prints the main figures of some cells.
pub(crate) fn print(samples: &Samples, cells: &[Cell<'_>]) {
    let figures = Figures(samples);
    for cell in cells {
        let keys: &[&str] = match (cell.work, cell.figure().0) {
            ("phases", _) => &["write", "read"],
            ("memory", _) => &["bytes", "reader"],
            ("ipc-death", _) => &["p50", "p99", "max"],
            (_, "p50") => &["p50", "p99", "p999"],
            (_, key) => &[key],
        };
        let mut line = format!("{:<12} {:>6} {:<38}", cell.work, cell.size, cell.who);
        for key in keys {
            if let Some(s) = figures.spread(cell, key) {
                line += &format!(
                    " {key} {:>6} ({} to {}; {} of {}{})",
                    table::short(s.median),
                    table::short(s.min),
                    table::short(s.max),
                    s.good,
                    s.all,
                    s.mark.sign()
                );
            }
        }
        println!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn far_and_disturbed_samples_are_set_aside_while_there_are_others() {
        let cell = Cell {
            work: "1-1",
            size: 64,
            who: "x",
        };
        let mut samples = Samples::default();
        let mut add = |line: &str| {
            samples
                .of
                .entry(("1-1".to_owned(), 64, "x".to_owned()))
                .or_default()
                .push(Sample::parse(line));
        };
        add("mps=1 hop=300 hop-after=30 others=0");
        add("mps=2 hop=30 hop-after=30 others=0.5");
        add("mps=10 hop=30 hop-after=30 others=0");
        add("mps=30 hop=30 hop-after=30 others=0");
        let spread = Figures(&samples).spread(&cell, "mps").unwrap();
        assert_eq!((spread.median, spread.min, spread.max), (20.0, 10.0, 30.0));
        assert_eq!((spread.good, spread.all, spread.mark), (2, 4, Mark::Clean));
    }
}
