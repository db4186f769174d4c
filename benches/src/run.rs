//! The driver: one process per sample, A B C A B C.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::catalogue::Cell;
use crate::machine::await_quiet;
use crate::sample::Sample;
use crate::scratch::{Scratch, handed_on};

/// How a run goes.
pub(crate) struct Options {
    /// How often each cell is measured.
    pub(crate) rounds: usize,
    /// How long each sample measures.
    pub(crate) time: Duration,
    /// How long each sample waits for the cores to be near each other, and for quiet.
    pub(crate) patience: Duration,
    /// After this no further round begins.
    pub(crate) budget: Duration,
}

/// All samples of a run.
#[derive(Default)]
pub(crate) struct Samples {
    /// By cell, in the order they were taken.
    pub(crate) of: BTreeMap<(String, usize, String), Vec<Sample>>,
    /// The cells whose records were wrong, and how.
    pub(crate) failed: Vec<(String, String)>,
    last_was_disturbed: bool,
}

impl Samples {
    fn add(&mut self, cell: &Cell<'_>, sample: Sample) {
        let key = (cell.work.to_owned(), cell.size, cell.who.to_owned());
        self.last_was_disturbed = sample.is_disturbed();
        self.of.entry(key).or_default().push(sample);
    }

    /// The samples of a cell which nothing is known against.
    fn good(&self, cell: &Cell<'_>) -> usize {
        let key = (cell.work.to_owned(), cell.size, cell.who.to_owned());
        self.of.get(&key).map_or(0, |samples| {
            samples
                .iter()
                .filter(|sample| sample.is_near() && !sample.is_disturbed())
                .count()
        })
    }

    /// One line per sample.
    pub(crate) fn to_tsv(&self) -> String {
        let mut text = String::from("work\tsize\twho\tnear\tdisturbed\tfigures\n");
        for ((work, size, who), samples) in &self.of {
            for sample in samples {
                let figures: Vec<_> = sample
                    .values
                    .iter()
                    .map(|(key, value)| format!("{key}={value}"))
                    .collect();
                text += &format!(
                    "{work}\t{size}\t{who}\t{}\t{}\t{}\n",
                    sample.is_near(),
                    sample.is_disturbed(),
                    figures.join(" ")
                );
            }
        }
        text
    }

    /// Reads what [`Self::to_tsv`] wrote.
    pub(crate) fn from_tsv(text: &str) -> Self {
        let mut samples = Self::default();
        for line in text.lines().filter(|line| !line.starts_with("# ")).skip(1) {
            let fields: Vec<_> = line.split('\t').collect();
            if let [work, size, who, _, _, figures] = fields[..] {
                let cell = Cell {
                    work,
                    size: size.parse().unwrap_or(0),
                    who,
                };
                samples.add(&cell, Sample::parse(figures));
            }
        }
        samples
    }
}

/// Measures all cells, round after round, and then those again which have too few good samples.
pub(crate) fn run(cells: &[Cell<'_>], options: &Options) -> std::io::Result<Samples> {
    let start = Instant::now();
    let mut samples = Samples::default();
    for round in 0..options.rounds {
        if round > 0 && start.elapsed() > options.budget {
            break;
        }
        for cell in cells {
            take(cell, options, &mut samples)?;
        }
        progress(&format!(
            "round {} of {} done after {:.0} s",
            round + 1,
            options.rounds,
            start.elapsed().as_secs_f64()
        ));
    }
    // What was taken while the cores were apart, or something else ran, gets more chances.
    let enough = options.rounds.div_ceil(2);
    for _ in 0..options.rounds {
        let poor: Vec<_> = cells
            .iter()
            .filter(|cell| options.rounds > 1 && samples.good(cell) < enough)
            .collect();
        for cell in poor {
            if start.elapsed() > options.budget {
                return Ok(samples);
            }
            take(cell, options, &mut samples)?;
        }
    }
    Ok(samples)
}

fn progress(line: &str) {
    let mut to = std::io::stderr().lock();
    let _ = writeln!(to, "{line}");
}

/// Takes one sample in a process of its own.
fn take(cell: &Cell<'_>, options: &Options, samples: &mut Samples) -> std::io::Result<()> {
    let name = format!("{} {} {}", cell.work, cell.size, cell.who);
    if samples.last_was_disturbed {
        await_quiet(options.patience);
    }
    // A sample that fails or is killed leaves its files: they go with the directory they are in.
    let scratch = if cell.has_two_processes() {
        Scratch::in_memory()
    } else {
        Scratch::new()
    };
    let scratch = scratch.map_err(std::io::Error::other)?;
    let (variable, path) = handed_on(&scratch);
    let mut child = Command::new(std::env::current_exe()?)
        .env(variable, path)
        .args(["sample", cell.work, &cell.size.to_string(), cell.who])
        .arg(options.time.as_millis().to_string())
        .arg(options.patience.as_millis().to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // A lost record or wake-up shows as a sample that does not end.
    let limit = Instant::now() + options.patience + 20 * options.time + Duration::from_secs(10);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if Instant::now() > limit {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let mut line = String::new();
    if let Some(out) = child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    let mut error = String::new();
    if let Some(mut err) = child.stderr.take() {
        err.read_to_string(&mut error)?;
    }
    match status {
        Some(status) if status.success() => samples.add(cell, Sample::parse(&line)),
        status => {
            let why = match status {
                None => "did not end".to_owned(),
                Some(_) => error.trim().to_owned(),
            };
            progress(&format!("{name}: {why}"));
            samples.failed.push((name, why));
        }
    }
    Ok(())
}
