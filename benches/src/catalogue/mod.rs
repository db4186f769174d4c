//! Who takes part in what.

use std::path::Path;
use std::time::Duration;

use crate::contender::Contender;
use crate::ours;
use crate::rivals::*;
use crate::work::{
    Conditions, Count, EmptyPoll, Job, LONG_RING, MEMORY_RING, Memory, Metrics, OneThread, Phases,
    PingPong, RINGS, ROUTES, TRAFFIC, Throughput, WAYS, delivery, dispatch, floor, program,
};

/// Makes the list of names of a field, and the function that finds the job with one of them.
macro_rules! jobs {
    ($list:ident, $pick:ident as $kind:ty: $($(#[$if:meta])* $name:literal => $job:ident of $with:ty,)*) => {
        const $list: &[&str] = &[$($(#[$if])* $name),*];

        fn $pick<const N: usize>(who: &str) -> Done<$kind> {
            match who {
                $($(#[$if])* $name => Ok($job::<$with, N>),)*
                _ => Err(format!("{who:?} is none of {:?}", $list)),
            }
        }
    };
}

mod logs;
mod processes;

pub(crate) use logs::{APPENDS, BATCH, GROUPS, REPLAYS};
pub(crate) use processes::{LARGE_SIZES, SMALL_SIZES};

/// Makes the list of names of a field of contenders, and the function that picks one by name.
macro_rules! field {
    ($list:ident, $pick:ident: $($name:literal => $contender:ty,)*) => {
        pub(crate) const $list: &[&str] = &[$($name),*];

        fn $pick<J: Job, const N: usize>(who: &str, job: J, on: Conditions) -> Result<Metrics, String> {
            match who {
                $($name => <J as RunOn<N>>::run_on::<$contender>(job, on),)*
                _ => Err(format!("{who:?} is none of {:?}", $list)),
            }
        }
    };
}

/// Names `N` once, so that the lists need not.
trait RunOn<const N: usize>: Job + Sized {
    fn run_on<C: Contender<N>>(self, on: Conditions) -> Result<Metrics, String> {
        self.run::<C, N>(on)
    }
}
impl<J: Job, const N: usize> RunOn<N> for J {}

field! { PAIRS, pair:
    "messenger shared" => ours::Shared<ours::Singly>,
    "messenger shared, batches" => ours::Shared<ours::Batches>,
    "messenger shared, one by one" => ours::Shared<ours::OneByOne>,
    "messenger single" => ours::Alone<ours::Singly>,
    "messenger single, batches" => ours::Alone<ours::Batches>,
    "messenger single, one by one" => ours::Alone<ours::OneByOne>,
    "messenger journal" => ours::JournalBus,
    "disruptor multi" => DisruptorMulti<false>,
    "disruptor multi, batches" => DisruptorMulti<true>,
    "disruptor single" => DisruptorSingle<false>,
    "disruptor single, batches" => DisruptorSingle<true>,
    "rtrb" => RtrbOne,
    "rtrb chunks" => RtrbChunks,
    "crossbeam-channel" => CrossbeamBlock,
    "crossbeam-channel, spinning" => CrossbeamSpin,
    "crossbeam-channel, boxed" => CrossbeamBoxed,
    "kanal" => KanalBlock,
    "thingbuf" => ThingBufRing,
    "std sync_channel" => StdBound,
    "std channel" => StdUnbound,
    "Mutex + Condvar" => MutexQueue,
}

field! { MANY, many:
    "messenger shared" => ours::Shared<ours::Singly>,
    "messenger shared, batches" => ours::Shared<ours::Batches>,
    "messenger shared, blocking" => ours::Shared<ours::Blocking<false>>,
    "disruptor multi" => DisruptorMulti<false>,
    "disruptor multi, batches" => DisruptorMulti<true>,
    "crossbeam-channel" => CrossbeamBlock,
    "crossbeam-channel, spinning" => CrossbeamSpin,
    "crossbeam-channel, boxed" => CrossbeamBoxed,
    "kanal" => KanalBlock,
    "thingbuf" => ThingBufRing,
    "std sync_channel" => StdBound,
    "std channel" => StdUnbound,
    "Mutex + Condvar" => MutexQueue,
}

field! { FANS, fan:
    "messenger shared" => ours::Shared<ours::Singly>,
    "messenger shared, batches" => ours::Shared<ours::Batches>,
    "messenger single" => ours::Alone<ours::Singly>,
    "messenger single, batches" => ours::Alone<ours::Batches>,
    "disruptor multi" => DisruptorMultiFan<false>,
    "disruptor multi, batches" => DisruptorMultiFan<true>,
    "disruptor single" => DisruptorSingleFan<false>,
    "disruptor single, batches" => DisruptorSingleFan<true>,
    "rtrb chunks, one ring per reader" => RtrbFan,
}

// Those which can look without waiting, one thread being both ends.
field! { ALONE, alone:
    "messenger shared" => ours::Shared<ours::OneByOne>,
    "messenger single" => ours::Alone<ours::OneByOne>,
    "disruptor multi" => DisruptorMulti<false>,
    "disruptor single" => DisruptorSingle<false>,
    "rtrb" => RtrbOne,
    "crossbeam-channel" => CrossbeamSpin,
    "thingbuf" => ThingBufRing,
}

field! { SPINNING, spinning:
    "messenger shared" => ours::Shared<ours::OneByOne>,
    "messenger single" => ours::Alone<ours::OneByOne>,
    "disruptor multi" => DisruptorMulti<false>,
    "disruptor single" => DisruptorSingle<false>,
    "rtrb" => RtrbOne,
    "crossbeam-channel" => CrossbeamSpin,
    "thingbuf" => ThingBufRing,
}

field! { WAITING, waiting:
    "messenger shared" => ours::Shared<ours::Blocking<false>>,
    "crossbeam-channel" => CrossbeamBlock,
    "kanal" => KanalBlock,
    "std sync_channel" => StdBound,
}

field! { ASLEEP, asleep:
    "messenger shared" => ours::Shared<ours::Blocking<true>>,
    "Mutex + Condvar" => MutexQueue,
}

/// Those in [`PAIRS`] which can write a thousand records without a reader.
const PHASED: &[&str] = &[
    "messenger shared",
    "messenger shared, batches",
    "messenger single",
    "messenger single, batches",
    "disruptor multi",
    "disruptor multi, batches",
    "disruptor single",
    "disruptor single, batches",
    "rtrb",
    "rtrb chunks",
    "crossbeam-channel, spinning",
    "thingbuf",
];

/// One thread writes and reads `records` records.
///
/// # Errors
///
/// If there is no such contender, or records went wrong.
pub(crate) fn count(who: &str, records: u64) -> Result<(), String> {
    let nowhere = Conditions {
        cores: [0, 0],
        time: Duration::ZERO,
    };
    pair::<_, 64>(who, Count { records }, nowhere).map(|_| ())
}

/// The ways of finding a record's handler.
const DISPATCHED: &[&str] = &["messenger", "match on raw ids"];

/// Those whose memory is told.
const MEMORIES: &[&str] = &[
    "messenger shared",
    "disruptor multi",
    "disruptor single",
    "rtrb",
    "crossbeam-channel",
    "kanal",
    "thingbuf",
    "std sync_channel",
    "Mutex + Condvar",
];

/// Those in [`PAIRS`] that are compared at several lengths of the ring.
const RINGED: &[&str] = &[
    "messenger shared, one by one",
    "messenger shared, batches",
    "messenger single, batches",
    "disruptor multi",
    "disruptor multi, batches",
    "disruptor single, batches",
    "rtrb chunks",
    "crossbeam-channel, spinning",
];

/// The payload sizes of the throughput rows, in bytes.
pub(crate) const SIZES: &[usize] = &[16, 64, 256, 1024, 65536];

/// One thing to measure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Cell<'a> {
    pub(crate) work: &'a str,
    pub(crate) size: usize,
    pub(crate) who: &'a str,
}

impl Cell<'_> {
    /// Whether the distance of the cores decides the figure.
    pub(crate) fn needs_near(&self) -> bool {
        matches!(
            self.work,
            "1-1" | "2-1" | "1-2" | "ring" | "spinning" | "waiting" | "asleep"
        ) || self.has_two_processes() && self.work != "ipc-death"
            || self.work == "floor" && matches!(self.who, "cache-line hop" | "park and unpark")
    }

    /// Moving a payload is cheaper than allocating for it unless it is large. What a journal makes of other sizes is seen where records
    /// are appended to it.
    fn is_worth_it(&self) -> bool {
        (self.size >= 1024 || !self.who.ends_with("boxed"))
            && (self.work != "1-1" || self.size == 64 || self.who != "messenger journal")
    }

    /// What the main figure is: its key, and whether more is better.
    pub(crate) fn figure(&self) -> (&'static str, bool) {
        match self.work {
            "1-1" | "2-1" | "1-2" | "ring" => ("mps", true),
            "ipc-1-1" => ("mps", true),
            "ipc-in-place" => ("gbs", true),
            "ipc-spinning" | "ipc-asleep" | "ipc-death" => ("p50", false),
            "append" | "replay" | "replay-large" | "sync" => ("mps", true),
            "group" => ("kps", true),
            "spinning" | "waiting" | "asleep" | "publish" | "roll" => ("p50", false),
            "memory" => ("bytes", false),
            _ => ("ns", false),
        }
    }

    /// Whether the sample's process starts a second one.
    pub(crate) fn has_two_processes(&self) -> bool {
        self.work.starts_with("ipc-")
    }

    /// What the second process of a sample does: they meet in the directory `at`.
    ///
    /// # Errors
    ///
    /// What was wrong with the records, or with the cell.
    pub(crate) fn second(&self, at: &Path) -> Result<(), String> {
        (processes::sides(self)?.far)(self, at)
    }

    /// Measures.
    ///
    /// # Errors
    ///
    /// What was wrong with the records, or with the cell.
    pub(crate) fn measure(&self, on: Conditions) -> Result<Metrics, String> {
        match self.work {
            "floor" => floor(self.who, self.size, on),
            "one-thread" => alone::<_, 64>(self.who, OneThread, on),
            "phases" => pair::<_, 64>(self.who, Phases, on),
            "empty-poll" => alone::<_, 64>(self.who, EmptyPoll, on),
            "spinning" => spinning::<_, 64>(self.who, PingPong, on),
            "waiting" => waiting::<_, 64>(self.who, PingPong, on),
            "asleep" => asleep::<_, 64>(self.who, PingPong, on),
            "delivery" => delivery(self.who, self.size, on),
            "dispatch" => dispatch(self.who, self.size, on),
            "program" => program(self.who, on),
            "memory" => self.memory(on),
            "ring" => {
                let ring = self.size << 10;
                let (writers, readers) = (1, 1);
                let job = Throughput {
                    writers,
                    readers,
                    ring,
                };
                pair::<_, 64>(self.who, job, on)
            }
            "1-1" => self.sized(on, (1, 1)),
            "2-1" => self.sized(on, (2, 1)),
            "1-2" => self.sized(on, (1, 2)),
            _ if self.has_two_processes() => (processes::sides(self)?.near)(self, on),
            other => logs::measure(self, on)
                .unwrap_or_else(|| Err(format!("there is no work {other:?} of this size"))),
        }
    }

    fn memory(&self, on: Conditions) -> Result<Metrics, String> {
        let mut figures = pair::<_, 64>(self.who, Memory { readers: 1 }, on)?;
        if FANS.contains(&self.who) {
            let two = fan::<_, 64>(self.who, Memory { readers: 2 }, on)?;
            figures.push(("reader", two[0].1 - figures[0].1));
        }
        if self.who.starts_with("messenger") {
            figures[0].1 += ours::mapped(MEMORY_RING) as f64;
        }
        Ok(figures)
    }

    fn sized(&self, on: Conditions, ends: (usize, usize)) -> Result<Metrics, String> {
        match self.size {
            16 => self.throughput::<16>(on, ends),
            64 => self.throughput::<64>(on, ends),
            256 => self.throughput::<256>(on, ends),
            1024 => self.throughput::<1024>(on, ends),
            65536 => self.throughput::<65536>(on, ends),
            other => Err(format!("{other} is none of the sizes {SIZES:?}")),
        }
    }

    fn throughput<const N: usize>(
        &self,
        on: Conditions,
        (writers, readers): (usize, usize),
    ) -> Result<Metrics, String> {
        let job = Throughput {
            writers,
            readers,
            ring: LONG_RING,
        };
        match (writers, readers) {
            (1, 1) => pair::<_, N>(self.who, job, on),
            (_, 1) => many::<_, N>(self.who, job, on),
            _ => fan::<_, N>(self.who, job, on),
        }
    }
}

/// A kind of work, the sizes in which it is done, and who takes part.
type Field = (&'static str, &'static [usize], &'static [&'static str]);

const FIELDS: &[Field] = &[
    ("one-thread", &[64], ALONE),
    ("empty-poll", &[64], ALONE),
    ("phases", &[64], PHASED),
    ("spinning", &[64], SPINNING),
    ("waiting", &[64], WAITING),
    ("memory", &[64], MEMORIES),
    ("asleep", &[64], ASLEEP),
    ("delivery", ROUTES, TRAFFIC),
    ("dispatch", ROUTES, DISPATCHED),
    ("program", &[0], WAYS),
    ("1-1", SIZES, PAIRS),
    ("2-1", SIZES, MANY),
    ("1-2", SIZES, FANS),
    ("ring", RINGS, RINGED),
];

/// Everything that is measured. Cells to be compared stand together.
pub(crate) fn all() -> Vec<Cell<'static>> {
    let floors = crate::work::FLOORS.iter().map(|&(who, size)| Cell {
        work: "floor",
        size,
        who,
    });
    let fields = [FIELDS, logs::FIELDS, processes::FIELDS];
    let cells = fields
        .into_iter()
        .flatten()
        .flat_map(|&(work, sizes, field)| {
            let cells = move |&size| field.iter().map(move |&who| Cell { work, size, who });
            sizes.iter().flat_map(cells)
        });
    floors.chain(cells.filter(Cell::is_worth_it)).collect()
}
