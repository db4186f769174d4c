//! What is done with each contender, and measured.

mod append;
mod floors;
mod latency;
mod memory;
mod one_thread;
mod processes;
mod program;
mod publish;
mod replay;
mod routing;
mod synced;
mod throughput;

use std::time::Duration;

use crate::contender::Contender;

pub(crate) use append::append;
pub(crate) use floors::{FLOORS, floor};
pub(crate) use latency::PingPong;
pub(crate) use memory::{Memory, RING as MEMORY_RING};
pub(crate) use one_thread::{Count, EmptyPoll, OneThread, Phases};
pub(crate) use processes::{OBSERVERS, STREAMED, SUBSCRIBERS, Sides};
pub(crate) use processes::{ping_pong, read_by_many, streamed, survived, unread_by_many};
pub(crate) use program::{WAYS, program};
pub(crate) use publish::{publish, roll};
pub(crate) use replay::{CACHED, replay};
pub(crate) use routing::{ROUTES, TRAFFIC, delivery, dispatch};
pub(crate) use synced::synced;
pub(crate) use throughput::Throughput;

/// What a sample found: names and values.
pub(crate) type Metrics = Vec<(&'static str, f64)>;

/// Payload that goes into a log before what is measured once it runs, in bytes: it may lay out its first files before it knows how it is
/// used.
pub(crate) const LEAD: u64 = 32 << 20;

/// Where and how long a sample runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conditions {
    /// The two cores in use.
    pub(crate) cores: [usize; 2],
    /// How long to measure.
    pub(crate) time: Duration,
}

/// Work for any contender, at any payload size.
pub(crate) trait Job {
    /// Does it.
    ///
    /// # Errors
    ///
    /// What was wrong with the records that came.
    fn run<C: Contender<N>, const N: usize>(self, on: Conditions) -> Result<Metrics, String>;
}

/// How many bytes for records every contender gets where few records are under way at a time.
pub(crate) const SHORT_RING: usize = 256 << 10;

/// The same where records stream, unless the ring's length is what is asked about: more than the caches that a core has for itself.
pub(crate) const LONG_RING: usize = 4 << 20;

/// The lengths of the rings that are compared, in KiB.
pub(crate) const RINGS: &[usize] = &[64, 256, 1024, 4096, 16384];
