//! Measures messenger beside its rivals: see `README.md`.

mod catalogue;
mod contender;
mod link;
mod log;
mod machine;
mod ours;
mod payload;
mod probe;
mod report;
mod rivals;
mod run;
mod sample;
mod scratch;
mod second;
mod tally;
mod work;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use catalogue::Cell;
use machine::Machine;
use run::{Options, Samples};

const USAGE: &str = "arguments:
  (none)                    measure everything, write RESULTS.md, raw.tsv and plots/
  --quick                   everything once and briefly: do all records come, whole and in order?
  only WORK[,WORK...] WHO ROUNDS MILLISECONDS
                            measure what contains these words (or `all`) and print it
  report                    write RESULTS.md and plots/ again from raw.tsv
  sample WORK SIZE WHO MILLISECONDS PATIENCE
                            one sample, as the driver runs it; also for a profiler
  second WORK SIZE WHO CORE PID DIRECTORY
                            the second process of a sample, as the first, PID, starts it
  count WHO RECORDS         one thread writes and reads so many records of 64 bytes, nothing else:
                            for a profiler that counts instructions
files are written below $MESSENGER_BENCHES_DIR, or the system's directory for temporary files";

/// The command line.
#[must_use]
pub fn main() -> ExitCode {
    // Cargo adds `--bench`.
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        [] => full(),
        ["--quick"] => quick(),
        ["only", works, who, rounds, time] => only(works, who, rounds, time),
        ["report"] => report_again(),
        ["count", who, records] => number(records).and_then(|n| catalogue::count(who, n)),
        ["sample", work, size, who, time, patience] => sample_of(work, size, who, time, patience),
        ["second", work, size, who, core, first, at] => second_of(work, size, who, core, first, at),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Where the results go.
fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn full() -> Result<(), String> {
    let options = Options {
        rounds: 7,
        time: Duration::from_millis(80),
        patience: Duration::from_millis(200),
        budget: Duration::from_secs(600),
    };
    let machine = Machine::ask();
    let samples = run::run(&catalogue::all(), &options).map_err(|error| error.to_string())?;
    let raw = machine.to_lines() + &samples.to_tsv();
    std::fs::write(here().join("raw.tsv"), raw).map_err(|error| error.to_string())?;
    report::write(&samples, &machine, here()).map_err(|error| error.to_string())?;
    verdict(&samples)
}

fn quick() -> Result<(), String> {
    let options = Options {
        rounds: 1,
        time: Duration::from_millis(10),
        patience: Duration::ZERO,
        budget: Duration::ZERO,
    };
    let samples = run::run(&catalogue::all(), &options).map_err(|error| error.to_string())?;
    verdict(&samples)
}

fn only(works: &str, who: &str, rounds: &str, time: &str) -> Result<(), String> {
    let works: Vec<_> = works.split(',').collect();
    let cells: Vec<_> = catalogue::all()
        .into_iter()
        .filter(|cell| {
            let named = format!("{}/{}", cell.work, cell.size);
            works
                .iter()
                .any(|&work| ["all", cell.work, &named].contains(&work))
        })
        .filter(|cell| who == "all" || who.split(',').any(|part| cell.who.contains(part)))
        .collect();
    let options = Options {
        rounds: number(rounds)? as usize,
        time: Duration::from_millis(number(time)?),
        patience: Duration::from_secs(2),
        budget: Duration::from_secs(420),
    };
    let samples = run::run(&cells, &options).map_err(|error| error.to_string())?;
    report::print(&samples, &cells);
    verdict(&samples)
}

fn report_again() -> Result<(), String> {
    let raw = std::fs::read_to_string(here().join("raw.tsv")).map_err(|error| error.to_string())?;
    let machine = Machine::from_lines(&raw).ok_or("raw.tsv does not begin with the machine")?;
    report::write(&Samples::from_tsv(&raw), &machine, here()).map_err(|error| error.to_string())
}

/// An error if any sample had wrong records.
fn verdict(samples: &Samples) -> Result<(), String> {
    match samples.failed.len() {
        0 => Ok(()),
        count => Err(format!("{count} samples failed")),
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no number\n{USAGE}"))
}

fn sample_of(work: &str, size: &str, who: &str, time: &str, patience: &str) -> Result<(), String> {
    let cell = Cell {
        work,
        size: number(size)? as usize,
        who,
    };
    let time = Duration::from_millis(number(time)?);
    let patience = Duration::from_millis(number(patience)?);
    sample::run(&cell, time, patience)
}

fn second_of(
    work: &str,
    size: &str,
    who: &str,
    core: &str,
    first: &str,
    at: &str,
) -> Result<(), String> {
    let cell = Cell {
        work,
        size: number(size)? as usize,
        who,
    };
    second::begin(number(core)? as usize, number(first)?)?;
    cell.second(Path::new(at))
}
