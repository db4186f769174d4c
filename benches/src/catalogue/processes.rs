//! Who takes part in the work between two processes.

use super::{Cell, Field};
use crate::log::Done;
use crate::ours;
use crate::rivals::*;
use crate::work::{
    OBSERVERS, STREAMED, SUBSCRIBERS, Sides, ping_pong, read_by_many, streamed, survived,
    unread_by_many,
};

/// The function that says what the two processes do.
type Work = fn() -> Sides;

jobs! { SPINNING, spinning as Work:
    "messenger shared" => ping_pong of ours::Between<ours::OneByOne>,
    "iceoryx2" => ping_pong of Iceoryx<false>,
    #[cfg(aeron)]
    "Aeron IPC" => ping_pong of AeronIpc,
    "Unix stream socket, spinning" => ping_pong of Calls<UnixSocket<false>, false, true>,
    "named pipe, spinning" => ping_pong of Calls<NamedPipe, false, true>,
}

jobs! { ASLEEP, asleep as Work:
    "messenger shared" => ping_pong of ours::Between<ours::Blocking<true>>,
    "iceoryx2" => ping_pong of Iceoryx<true>,
    "named pipe" => ping_pong of Calls<NamedPipe, false, false>,
    "Unix stream socket" => ping_pong of Calls<UnixSocket<false>, false, false>,
    "Unix packet socket" => ping_pong of Calls<UnixSocket<true>, false, false>,
}

jobs! { SMALL, small as Work:
    "messenger shared" => streamed of ours::Between<ours::Singly>,
    "messenger shared, batches" => streamed of ours::Between<ours::Batches>,
    "iceoryx2" => streamed of Iceoryx<false>,
    #[cfg(aeron)]
    "Aeron IPC" => streamed of AeronIpc,
    "named pipe" => streamed of Calls<NamedPipe, false, false>,
    "named pipe, batches" => streamed of Calls<NamedPipe, true, false>,
    "Unix stream socket" => streamed of Calls<UnixSocket<false>, false, false>,
    "Unix stream socket, batches" => streamed of Calls<UnixSocket<false>, true, false>,
    "Unix packet socket" => streamed of Calls<UnixSocket<true>, false, false>,
}

// What one call carries is what one record is.
jobs! { LARGE, large as Work:
    "messenger shared" => streamed of ours::Between<ours::Singly>,
    "iceoryx2" => streamed of Iceoryx<false>,
    "named pipe" => streamed of Calls<NamedPipe, false, false>,
    "Unix stream socket" => streamed of Calls<UnixSocket<false>, false, false>,
}

jobs! { OBSERVED, observed as Work:
    "messenger shared, attached" => unread_by_many of ours::Observed,
    "messenger shared, reading" => read_by_many of ours::Observed,
    "iceoryx2, attached" => unread_by_many of IceoryxCrowd<true>,
    "iceoryx2, reading" => read_by_many of IceoryxCrowd<true>,
}

jobs! { GATED, gated as Work:
    "messenger shared" => read_by_many of ours::Gated,
    "iceoryx2" => read_by_many of IceoryxCrowd<false>,
}

// No rival: see `report/processes.rs`.
jobs! { DEATH, death as Work:
    "messenger shared, spinning" => survived of ours::OneByOne,
    "messenger shared, blocking" => survived of ours::Blocking<false>,
}

/// The sizes of the two kinds of streams, in bytes.
pub(crate) const SMALL_SIZES: &[usize] = STREAMED.split_at(2).0;
/// Those whose payloads are written in place, where there is one.
pub(crate) const LARGE_SIZES: &[usize] = STREAMED.split_at(2).1;

/// All of them.
pub(super) const FIELDS: &[Field] = &[
    ("ipc-spinning", &[64], SPINNING),
    ("ipc-asleep", &[64], ASLEEP),
    ("ipc-1-1", SMALL_SIZES, SMALL),
    ("ipc-in-place", LARGE_SIZES, LARGE),
    ("ipc-observed", OBSERVERS, OBSERVED),
    ("ipc-gating", SUBSCRIBERS, GATED),
    ("ipc-death", &[64], DEATH),
];

/// What the two processes do for one of them.
pub(super) fn sides(cell: &Cell<'_>) -> Done<Sides> {
    let work = match (cell.work, cell.size) {
        ("ipc-spinning", 64) => spinning::<64>(cell.who),
        ("ipc-asleep", 64) => asleep::<64>(cell.who),
        ("ipc-1-1", 64) => small::<64>(cell.who),
        ("ipc-1-1", 1024) => small::<1024>(cell.who),
        ("ipc-in-place", 65536) => large::<65536>(cell.who),
        ("ipc-in-place", 4194304) => large::<{ 4 << 20 }>(cell.who),
        ("ipc-observed", _) => observed::<64>(cell.who),
        ("ipc-gating", _) => gated::<64>(cell.who),
        ("ipc-death", _) => death::<64>(cell.who),
        (work, size) => Err(format!("there is no work {work:?} of size {size}")),
    };
    Ok(work?())
}
