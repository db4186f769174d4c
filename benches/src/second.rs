//! The second process of a sample: this program again, started by the first.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};

use crate::catalogue::Cell;
use crate::log::{Done, text};
use crate::machine::pin;
use crate::sample::fail;

/// What the first process holds of it.
pub(crate) struct Second {
    pid: Pid,
    /// Whether it is meant to die.
    is_killed: Arc<AtomicBool>,
    says: BufReader<ChildStdout>,
    ended: JoinHandle<Done>,
}

impl Second {
    /// Starts it on `core`; the two of them meet in `at`. The calling thread isn't pinned yet, or what watches over the second
    /// process would be with it.
    ///
    /// Should it fail, so does this process, which otherwise waited for ever.
    pub(crate) fn start(cell: &Cell<'_>, core: usize, at: &Path) -> Done<Self> {
        let mut child = Command::new(std::env::current_exe().map_err(text)?)
            .args(["second", cell.work, &cell.size.to_string(), cell.who])
            .arg(core.to_string())
            .arg(std::process::id().to_string())
            .arg(at)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(text)?;
        let out = child.stdout.take().ok_or("no pipe to the second process")?;
        let is_killed = Arc::new(AtomicBool::new(false));
        Ok(Self {
            pid: Pid::from_child(&child),
            is_killed: Arc::clone(&is_killed),
            says: BufReader::new(out),
            ended: thread::spawn(move || watch(&mut child, &is_killed)),
        })
    }

    /// Waits for the next numbers that it says.
    pub(crate) fn numbers<const N: usize>(&mut self) -> Done<[u64; N]> {
        let mut line = String::new();
        self.says.read_line(&mut line).map_err(text)?;
        let numbers: Option<Vec<u64>> = line.split_whitespace().map(|n| n.parse().ok()).collect();
        numbers
            .and_then(|numbers| numbers.try_into().ok())
            .ok_or_else(|| format!("the second process says {line:?}, not {N} numbers"))
    }

    /// Kills it, which is no failure then, and says when: just before.
    pub(crate) fn kill(&self) -> Done<u64> {
        self.is_killed.store(true, Ordering::Release);
        let at = now();
        // Its number is nobody else's: had it ended by itself this process would fail.
        kill_process(self.pid, Signal::KILL).map_err(text)?;
        Ok(at)
    }

    /// Waits until it is gone: its time on the processors can be asked for then.
    pub(crate) fn end(self) -> Done {
        let gone = |_| "the thread that watches the second process panicked".to_owned();
        self.ended.join().map_err(gone)?
    }
}

fn watch(child: &mut Child, is_killed: &AtomicBool) -> Done {
    match child.wait() {
        Ok(status)
            if status.signal() == Some(Signal::KILL.as_raw())
                && is_killed.load(Ordering::Acquire) =>
        {
            Ok(())
        }
        Ok(status) if status.success() => Ok(()),
        // It has said why.
        Ok(status) => fail(&format!("the second process ended: {status}")),
        Err(error) => fail(&format!("the second process: {error}")),
    }
}

/// Begins the second process: on its core, and gone when `first` is.
pub(crate) fn begin(core: usize, first: u64) -> Done {
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(text)?;
    // It may have died before that was said.
    if getppid().map(|pid| u64::from(pid.as_raw_nonzero().get().unsigned_abs())) != Some(first) {
        return Err(format!("process {first}, which is the first, is gone"));
    }
    pin(core);
    Ok(())
}

/// Says numbers to the first process.
pub(crate) fn say(numbers: &[u64]) -> Done {
    let line: Vec<_> = numbers.iter().map(u64::to_string).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", line.join(" ")).map_err(text)?;
    out.flush().map_err(text)
}

/// A moment, in nanoseconds, on the clock that all processes share.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}
