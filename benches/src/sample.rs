//! One sample: one process, one cell, one line of figures.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use crate::catalogue::Cell;
use crate::machine::{Ticks, cores};
use crate::probe::{NEAR_HOP_NS, await_near, hop};
use crate::work::Conditions;

/// More of the processors than this taken by others, and a sample is set aside.
pub(crate) const DISTURBED: f64 = 0.05;

/// What a sample said.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) values: BTreeMap<String, f64>,
}

impl Sample {
    /// Reads what [`print`] wrote.
    pub(crate) fn parse(line: &str) -> Self {
        let values = line
            .split_whitespace()
            .filter_map(|pair| {
                let (key, value) = pair.split_once('=')?;
                Some((key.to_owned(), value.parse().ok()?))
            })
            .collect();
        Self { values }
    }

    pub(crate) fn get(&self, key: &str) -> Option<f64> {
        self.values.get(key).copied()
    }

    /// Whether the cores were near each other, before and after.
    pub(crate) fn is_near(&self) -> bool {
        ["hop", "hop-after"]
            .iter()
            .all(|key| self.get(key).is_none_or(|hop| hop < NEAR_HOP_NS))
    }

    /// Whether others ran meanwhile.
    pub(crate) fn is_disturbed(&self) -> bool {
        self.get("others").is_some_and(|others| others > DISTURBED)
    }
}

/// Runs one cell and prints its figures.
pub(crate) fn run(cell: &Cell<'_>, time: Duration, patience: Duration) -> Result<(), String> {
    let [first, second, ..] = cores()[..] else {
        return Err("two cores are needed".to_owned());
    };
    let on = Conditions {
        cores: [first, second],
        time,
    };
    let before = cell.needs_near().then(|| await_near(on.cores, patience));
    let ticks = Ticks::now();
    let start = Instant::now();
    let figures = cell.measure(on)?;
    let took = start.elapsed().as_secs_f64();
    let others = ticks.taken_by_others(took, 2);
    let mut line = String::new();
    for (key, value) in figures {
        let _ = write!(line, "{key}={value} ");
    }
    if let Some(before) = before {
        let _ = write!(line, "hop={before} hop-after={} ", hop(on.cores));
    }
    println!("{line}others={others:.4}");
    Ok(())
}

/// Ends the process of a sample whose records were wrong.
pub(crate) fn fail(error: &str) -> ! {
    eprintln!("{error}");
    std::process::exit(1)
}
