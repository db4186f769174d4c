//! The processes that use a bus, as others see them.

use core::fmt;
use std::time::{Duration, SystemTime};

/// A process that uses a shared bus, or did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Process {
    /// Its place on the bus, from 0 on: unlike a process number, the same for everybody who looks. Another may have it later.
    pub place: usize,
    /// Its process number as this process sees it; 0 if it can't be seen from here: it is in another
    /// namespace, or gone.
    pub pid: u32,
    /// Its process number as it sees it itself.
    pub own_pid: u32,
    /// What it is called: its program's name, unless it said another.
    pub name: String,
    /// When it came.
    pub since: SystemTime,
}

impl Process {
    pub(super) fn new(place: usize, pid: u32, own_pid: u32, name: String, nanos: u64) -> Self {
        Self {
            place,
            pid,
            own_pid,
            name,
            since: SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos),
        }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            0 => write!(
                f,
                "the process {} by its own count (`{}`)",
                self.own_pid, self.name
            ),
            pid => write!(f, "the process {pid} (`{}`)", self.name),
        }
    }
}

/// Somebody has come or gone.
///
/// ```
/// # if cfg!(miri) { return Ok(()); } // It has no such files.
/// use messenger::shared::{Change, SharedBus};
///
/// let name = format!("membership-{}", std::process::id());
/// let shared = SharedBus::create(&name, 1 << 16)?;
/// let changes = shared.membership();
/// // Later, and again and again.
/// for change in changes.try_iter() {
///     match change.change {
///         Change::Died { .. } => println!("{change}, and is to be started again"),
///         _ => println!("{change}"),
///     }
/// }
/// assert_eq!(shared.processes().len(), 1, "nobody else has come");
/// # Ok::<(), messenger::shared::SharedError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MembershipEvent {
    /// Who.
    pub process: Process,
    /// How.
    pub change: Change,
    /// When this process learnt of it.
    pub at: SystemTime,
}

/// How somebody has come or gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Change {
    /// It has come.
    Joined,
    /// It has left in good order.
    Left,
    /// It has died. What it had begun is finished, and what it held is free.
    Died {
        /// How it ended, if that is known: the kernel tells only its parent.
        cause: Option<Cause>,
    },
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// It was killed by the signal with this number.
    Signal(i32),
    /// It ended with this code.
    Exit(i32),
}

impl fmt::Display for MembershipEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let process = &self.process;
        match self.change {
            Change::Joined => write!(f, "{process} has joined"),
            Change::Left => write!(f, "{process} has left"),
            Change::Died { cause: None } => write!(f, "{process} has died"),
            Change::Died {
                cause: Some(Cause::Signal(signal)),
            } => write!(f, "{process} was killed by signal {signal}"),
            Change::Died {
                cause: Some(Cause::Exit(code)),
            } => write!(f, "{process} ended with code {code} and did not leave"),
        }
    }
}
