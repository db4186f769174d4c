//! The bus in files.

use super::Meant::{AtLeast, AtMost, Shown};
use super::Who::Names;
use super::{Meant, Target, Who, k, m};

const JOURNAL: Who = Names(&["messenger journal"]);
const APPENDED: Who = Names(&["messenger journal", "messenger journal, batches"]);
const VERIFIED: Who = Names(&["messenger journal, verified"]);
const TRUSTING: Who = Names(&["messenger journal, trusting"]);
const RING: Who = Names(&["messenger shared", "messenger shared, one by one"]);
const WRITER: Who = Names(&["BufWriter", "BufWriter, payloads only"]);
const READER: Who = Names(&["BufReader", "BufReader, payloads only"]);
const FDATASYNC: Who = Names(&["BufWriter + fdatasync"]);
const WRITTEN_AHEAD: Who = Names(&["BufWriter + fdatasync, written ahead"]);
const OKAYWAL: Who = Names(&["okaywal"]);

pub(super) const TARGETS: &[Target] = &[
    m(
        "append, 64 B, no sync",
        ("append", 64),
        APPENDED,
        WRITER,
        AtLeast(1.0),
    ),
    m(
        "append, 1 KiB, no sync",
        ("append", 1024),
        APPENDED,
        WRITER,
        AtLeast(0.7),
    ),
    m(
        "the same, an aim",
        ("append", 1024),
        APPENDED,
        WRITER,
        AtLeast(1.0),
    ),
    m(
        "append, 64 KiB, no sync",
        ("append", 65536),
        APPENDED,
        WRITER,
        Shown,
    ),
    m(
        "replay, 64 B, verified",
        ("replay", 64),
        VERIFIED,
        READER,
        AtLeast(1.0),
    ),
    m(
        "replay, 64 B, trusting",
        ("replay", 64),
        TRUSTING,
        READER,
        AtLeast(2.0),
    ),
    m(
        "replay, 1 KiB, verified",
        ("replay", 1024),
        VERIFIED,
        READER,
        AtLeast(1.0),
    ),
    m(
        "replay, 1 KiB, trusting",
        ("replay", 1024),
        TRUSTING,
        READER,
        AtLeast(1.8),
    ),
    m(
        "replay, 64 KiB, verified",
        ("replay", 65536),
        VERIFIED,
        READER,
        Shown,
    ),
    m(
        "replay, 64 KiB, trusting",
        ("replay", 65536),
        TRUSTING,
        READER,
        Shown,
    ),
    m(
        "append, 64 B, a sync each 1000 records",
        ("sync", 64),
        JOURNAL,
        OKAYWAL,
        AtLeast(1.0),
    ),
    m(
        "append, 64 B, a sync each 1000 records",
        ("sync", 64),
        JOURNAL,
        FDATASYNC,
        AtLeast(1.0),
    ),
    m(
        "the same, its file written before the clock runs",
        ("sync", 64),
        JOURNAL,
        WRITTEN_AHEAD,
        Shown,
    ),
    group("each record synced, 1 publisher", 1),
    group("each record synced, 4 publishers", 4),
    group("each record synced, 16 publishers", 16),
    roll(
        "publish where a segment is opened, p99.9",
        "p999",
        AtMost(5.0),
    ),
    roll("the same, p50", "p50", Shown),
    m(
        "1-1, 64 B, a journal over the ring",
        ("1-1", 64),
        JOURNAL,
        RING,
        AtLeast(0.6),
    ),
];

/// What opening a segment takes the publisher, over what a record does on the ring.
const fn roll(what: &'static str, key: &'static str, meant: Meant) -> Target {
    k(what, ("roll", 64, key), JOURNAL, RING, meant)
}

/// Thousand records per second of so many publishers.
const fn group(what: &'static str, publishers: usize) -> Target {
    k(what, ("group", publishers, "kps"), JOURNAL, OKAYWAL, Shown)
}
