//! The machine: its name, its cores, and what else runs on it.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::scratch::file_system;

/// What the report says about where the figures come from.
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) compiler: String,
    pub(crate) commit: String,
    /// What the files that the samples write are on.
    pub(crate) files: String,
}

impl Machine {
    /// Asks the system, the compiler and git.
    pub(crate) fn ask() -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let cpu = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned());
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")
            .map(|release| {
                // The version alone: what follows names a build.
                let version = release.split('-').next().unwrap_or_default();
                format!("Linux {}", version.trim())
            })
            .unwrap_or_else(|_| std::env::consts::OS.to_owned());
        let changed = !said("git", &["status", "--porcelain", "--", "*.rs", "*.toml"]).is_empty();
        let commit = said("git", &["rev-parse", "--short=12", "HEAD"]);
        Self {
            cpu,
            cores: cores().len(),
            kernel,
            compiler: said("rustc", &["--version"]),
            commit: commit + if changed { " with changes" } else { "" },
            files: file_system(),
        }
    }
}

impl Machine {
    /// As lines of a comment.
    pub(crate) fn to_lines(&self) -> String {
        let Self {
            cpu,
            cores,
            kernel,
            compiler,
            commit,
            files,
        } = self;
        format!("# {cpu}\n# {cores}\n# {kernel}\n# {compiler}\n# {commit}\n# {files}\n")
    }

    /// Reads what [`Self::to_lines`] wrote at the start of `text`.
    pub(crate) fn from_lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().map(|line| line.strip_prefix("# "));
        let mut next = || Some(lines.next()??.to_owned());
        Some(Self {
            cpu: next()?,
            cores: next()?.parse().ok()?,
            kernel: next()?,
            compiler: next()?,
            commit: next()?,
            // What was written before there were files has no such line.
            files: next().unwrap_or_else(|| "none".to_owned()),
        })
    }
}

fn said(program: &str, args: &[&str]) -> String {
    Command::new(program)
        .args(args)
        .output()
        .ok()
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// The cores this process may run on.
pub(crate) fn cores() -> Vec<usize> {
    sched_getaffinity(None).map_or_else(
        |_| vec![0],
        |set| (0..CpuSet::MAX_CPU).filter(|&i| set.is_set(i)).collect(),
    )
}

/// Pins the calling thread. What it spawns inherits that, so each thread of a sample pins itself.
pub(crate) fn pin(core: usize) {
    let mut set = CpuSet::new();
    set.set(core);
    if let Err(error) = sched_setaffinity(None, &set) {
        eprintln!("can't pin a thread to core {core}: {error}");
    }
}

/// Waits at most `patience` for a moment in which nobody else runs. Only this process, which
/// sleeps here, may ask.
pub(crate) fn await_quiet(patience: Duration) {
    let end = Instant::now() + patience;
    while Instant::now() < end {
        let before = Ticks::now();
        std::thread::sleep(Duration::from_millis(50));
        let now = Ticks::now();
        // One tick is no evidence.
        if now.all + now.stolen <= before.all + before.stolen + 1 {
            break;
        }
    }
}

/// Processor time, in ticks, spent so far.
#[derive(Clone, Copy)]
pub(crate) struct Ticks {
    /// By everybody, on all cores.
    all: u64,
    /// By other guests of the same hardware.
    stolen: u64,
    /// By this process, and those of its children that it has waited for.
    own: u64,
}

impl Ticks {
    /// Reads `/proc`; zeros where there is none.
    pub(crate) fn now() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let fields: Vec<u64> = stat
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(1)
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        let field = |i: usize| fields.get(i).copied().unwrap_or(0);
        // user, nice, system, idle, iowait, irq, softirq, steal
        let all = field(0) + field(1) + field(2) + field(5) + field(6);
        let own = fs::read_to_string("/proc/self/stat")
            .ok()
            .and_then(|stat| {
                let rest = stat.rsplit_once(')')?.1.to_owned();
                let mut times = rest.split_whitespace().skip(11);
                // In user mode, in the kernel, and both of the children that are gone.
                (0..4).try_fold(0, |sum, _| Some(sum + times.next()?.parse::<u64>().ok()?))
            })
            .unwrap_or(0);
        Self {
            all,
            stolen: field(7),
            own,
        }
    }

    /// The part of `seconds` on `cores` cores that others took since `self`, from 0 to 1.
    pub(crate) fn taken_by_others(self, seconds: f64, cores: usize) -> f64 {
        let now = Self::now();
        let others = (now.all - self.all).saturating_sub(now.own - self.own);
        // Accounting goes by whole ticks: one is no evidence.
        let ticks = (others + now.stolen - self.stolen).saturating_sub(1);
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        ticks as f64 / per_second / (seconds * cores as f64)
    }
}
