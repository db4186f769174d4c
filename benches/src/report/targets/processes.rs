//! The bus between processes.

use super::Meant::{AtLeast, AtMost, Shown};
use super::Who::{Fixed, Names};
use super::{Meant, Target, Who, k};

const SHARED: Who = Names(&["messenger shared"]);
const BATCHES: Who = Names(&["messenger shared, batches"]);
const THREADS: Who = Names(&["messenger shared"]);
const ICEORYX: Who = Names(&["iceoryx2"]);
/// Takes part only where it was asked for; see README.md.
const AERON: Who = Names(&["Aeron IPC"]);
const PIPE: Who = Names(&["named pipe"]);
const ATTACHED: Who = Names(&["messenger shared, attached"]);
const READING: Who = Names(&["messenger shared, reading"]);
const SPINNING: Who = Names(&["messenger shared, spinning"]);
const BLOCKING: Who = Names(&["messenger shared, blocking"]);

/// One way, 64 bytes, beside our own between threads.
const fn threads(what: &'static str, key: &'static str) -> Target {
    (
        what,
        ("ipc-spinning", 64, SHARED, key),
        ("spinning", 64, THREADS, key),
        AtMost(1.05),
    )
}

/// A record's cost with so many members over that with so many.
const fn n(
    what: &'static str,
    (work, who): (&'static str, Who),
    (many, few): (usize, usize),
    meant: Meant,
) -> Target {
    (what, (work, many, who, "ns"), (work, few, who, "ns"), meant)
}

/// For how long a writer that dies holds up the others: so many microseconds at most.
const fn d(what: &'static str, who: Who, key: &'static str, most: f64) -> Target {
    (
        what,
        ("ipc-death", 64, who, key),
        ("ipc-death", 64, Fixed(most), key),
        AtMost(1.0),
    )
}

pub(super) const TARGETS: &[Target] = &[
    k(
        "processes, ping-pong, spinning, p50",
        ("ipc-spinning", 64, "p50"),
        SHARED,
        ICEORYX,
        AtMost(0.35),
    ),
    k(
        "processes, ping-pong, spinning, p99.9",
        ("ipc-spinning", 64, "p999"),
        SHARED,
        ICEORYX,
        AtMost(0.35),
    ),
    k(
        "processes, ping-pong, spinning, p50",
        ("ipc-spinning", 64, "p50"),
        SHARED,
        AERON,
        AtMost(0.9),
    ),
    k(
        "processes, ping-pong, spinning, p99.9",
        ("ipc-spinning", 64, "p999"),
        SHARED,
        AERON,
        AtMost(0.9),
    ),
    threads("the same, p50, against our own between threads", "p50"),
    threads("the same, p99.9, against our own between threads", "p999"),
    k(
        "processes, ping-pong, sleeping, p50",
        ("ipc-asleep", 64, "p50"),
        SHARED,
        PIPE,
        AtMost(1.0),
    ),
    k(
        "processes, ping-pong, sleeping, p50",
        ("ipc-asleep", 64, "p50"),
        SHARED,
        ICEORYX,
        Shown,
    ),
    k(
        "processes, 1-1, 64 B, record by record",
        ("ipc-1-1", 64, "mps"),
        SHARED,
        ICEORYX,
        AtLeast(10.0),
    ),
    k(
        "processes, 1-1, 1 KiB, record by record",
        ("ipc-1-1", 1024, "mps"),
        SHARED,
        ICEORYX,
        AtLeast(10.0),
    ),
    k(
        "processes, 1-1, 64 B, record by record",
        ("ipc-1-1", 64, "mps"),
        SHARED,
        AERON,
        AtLeast(1.0),
    ),
    k(
        "processes, 1-1, 1 KiB, record by record",
        ("ipc-1-1", 1024, "mps"),
        SHARED,
        AERON,
        AtLeast(1.0),
    ),
    k(
        "processes, 1-1, 64 B, ours in batches",
        ("ipc-1-1", 64, "mps"),
        BATCHES,
        ICEORYX,
        Shown,
    ),
    k(
        "processes, 1-1, 64 KiB, written in place and summed",
        ("ipc-in-place", 65536, "gbs"),
        SHARED,
        ICEORYX,
        AtLeast(1.3),
    ),
    k(
        "processes, 1-1, 4 MiB, written in place and summed",
        ("ipc-in-place", 4 << 20, "gbs"),
        SHARED,
        ICEORYX,
        Shown,
    ),
    n(
        "publisher, 50 observers attached over none",
        ("ipc-observed", ATTACHED),
        (50, 0),
        AtMost(1.1),
    ),
    n(
        "publisher, 50 observers reading over one",
        ("ipc-observed", READING),
        (50, 1),
        Shown,
    ),
    n(
        "publisher, 50 gating subscribers over one",
        ("ipc-gating", SHARED),
        (50, 1),
        AtMost(2.0),
    ),
    d(
        "a writer dies in mid-claim, the others spin, p99, µs",
        SPINNING,
        "p99",
        5_000.0,
    ),
    d("the same, the longest, µs", SPINNING, "max", 50_000.0),
    d(
        "a writer dies in mid-claim, the others block, p99, µs",
        BLOCKING,
        "p99",
        5_000.0,
    ),
    d("the same, the longest, µs", BLOCKING, "max", 50_000.0),
];
