//! The thread of a worker, from its first line to its last.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::app::App;
use super::control::Sending;
use super::failure::{Failure, FailureKind};
use super::gate::{Gate, Pass};
#[cfg(feature = "journal")]
use super::kept::Ready;
use super::link::Link;
use super::runner::Runner;
use super::running::Alive;
use super::worker::{Making, Worker};
use crate::bus::{Runs, Subscriber};

/// What a worker's thread begins with.
pub(crate) struct Start<A: App> {
    pub(crate) link: Link,
    pub(crate) subscriber: Subscriber,
    /// Held until the worker has gone. A shared bus has seats for that.
    pub(crate) runs: Option<Runs>,
    pub(crate) config: Arc<A::Config>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) sending: Sending,
    /// Held until the thread ends.
    pub(crate) alive: Arc<Alive>,
    #[cfg(feature = "journal")]
    pub(crate) way: super::kept::Way,
}

/// Starts the thread of `W`.
pub(crate) fn spawn<W: Worker>(start: Start<W::App>) -> std::io::Result<JoinHandle<()>> {
    let name = format!("{}.{}", W::App::INFO.name, W::INFO.name);
    std::thread::Builder::new()
        .name(name)
        .spawn(move || run::<W>(start))
}

fn run<W: Worker>(start: Start<W::App>) {
    let Start {
        // The first one here, so that it goes last.
        alive: _alive,
        link,
        subscriber,
        runs: _runs,
        config,
        gate,
        sending,
        #[cfg(feature = "journal")]
        way,
    } = start;
    let mut pass = Pass {
        gate: &gate,
        through: false,
    };
    if let Some(core) = W::INFO.options.core {
        if let Err(error) = pin(core) {
            let kind = FailureKind::Pin { core, error };
            return gate.failed(Failure::of(W::INFO.name, kind));
        }
    }
    let mut making = Making::new(const { &W::INFO });
    let Some(worker) = W::make(&config, &mut making) else {
        if let Some(failure) = making.failure {
            gate.failed(failure);
        }
        return;
    };
    if !gate.made() {
        return;
    }
    let mut runner = Runner::new(worker, link, subscriber, config);
    #[cfg(feature = "journal")]
    match runner.get_ready(way, &gate) {
        Ok(Some(Ready::Made)) => {}
        Ok(Some(Ready::Restored {
            stopped,
            stop_asked,
        })) => {
            runner.started(&gate);
            pass.through = true;
            if stop_asked {
                runner.link.control.stop();
            }
            if !stopped {
                runner.run();
            }
            return runner.end(sending);
        }
        Ok(None) => return runner.leave(sending),
        Err(error) => {
            gate.failed(error);
            return runner.leave(sending);
        }
    }
    match runner.begin() {
        None => {
            runner.started(&gate);
            pass.through = true;
            runner.run();
        }
        Some(failure) => gate.failed(failure),
    }
    runner.end(sending);
}

/// Keeps this thread on one core.
#[cfg(all(target_os = "linux", not(miri)))]
fn pin(core: usize) -> std::io::Result<()> {
    use rustix::io::Errno;
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let mut cores = CpuSet::new();
    let pinned = match core < CpuSet::MAX_CPU {
        true => {
            cores.set(core);
            sched_setaffinity(None, &cores)
        }
        false => Err(Errno::INVAL),
    };
    if pinned != Err(Errno::INVAL) {
        return Ok(pinned?);
    }
    let own = sched_getaffinity(None)?;
    let own: Vec<_> = (0..CpuSet::MAX_CPU)
        .filter(|&core| own.is_set(core))
        .collect();
    let (first, last) = (own.first().unwrap_or(&0), own.last().unwrap_or(&0));
    Err(std::io::Error::new(
        std::io::ErrorKind::InvalidInput,
        format!("those of this process have the numbers {first} to {last}"),
    ))
}

/// Keeps this thread on one core.
#[cfg(not(all(target_os = "linux", not(miri))))]
fn pin(_core: usize) -> std::io::Result<()> {
    Err(std::io::Error::new(
        std::io::ErrorKind::Unsupported,
        "this system keeps no thread on a core: take `pin = ..` out of the table",
    ))
}
