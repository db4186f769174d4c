//! The bus between threads.

use super::Meant::{AtLeast, AtMost, Shown};
use super::Who::{Multi, MultiOneByOne, Names, Rivals, RivalsOneByOne};
use super::{Target, Who, k, m, t};

const SHARED: Who = Names(&["messenger shared", "messenger shared, one by one"]);
const SHARED_BATCHES: Who = Names(&["messenger shared, batches"]);
const SHARED_ONE_BY_ONE: Who = Names(&[
    "messenger shared",
    "messenger shared, one by one",
    "messenger shared, blocking",
]);
const SHARED_ANY: Who = Names(&[
    "messenger shared",
    "messenger shared, one by one",
    "messenger shared, batches",
    "messenger shared, blocking",
]);
const SINGLE: Who = Names(&[
    "messenger single",
    "messenger single, one by one",
    "messenger single, batches",
]);
const OURS: Who = Names(&[
    "messenger shared",
    "messenger shared, batches",
    "messenger single",
    "messenger single, batches",
]);
const MULTI: Who = Names(&["disruptor multi"]);
const MULTI_BATCHES: Who = Names(&["disruptor multi, batches"]);
const SINGLE_RIVAL: Who = Names(&["disruptor single", "disruptor single, batches"]);
const CROSSBEAM: Who = Names(&["crossbeam-channel", "crossbeam-channel, spinning"]);
const RTRB: Who = Names(&["rtrb chunks"]);
const LOCK: Who = Names(&["Mutex + Condvar"]);
const FIXED: Who = Names(&["4 fixed routes"]);
const MISS: Who = Names(&["a miss"]);
const MESSENGER: Who = Names(&["messenger"]);
const MATCH: Who = Names(&["match on raw ids"]);
const MACRO: Who = Names(&["messenger!, one worker"]);
const BY_HAND: Who = Names(&["raw bus, encode and decode"]);
const CAS: Who = Names(&["compare-and-swap"]);

/// One-way latency.
const fn l(
    what: &'static str,
    work: &'static str,
    key: &'static str,
    theirs: Who,
    meant: super::Meant,
) -> Target {
    k(what, (work, 64, key), SHARED, theirs, meant)
}

pub(super) const TARGETS: &[Target] = &[
    t(
        "one thread, write + read, 64 B, shared",
        ("one-thread", 64, SHARED),
        ("floor", 0, CAS),
        7.5 / 5.0,
    ),
    t(
        "the same, one declared publisher",
        ("one-thread", 64, SINGLE),
        ("one-thread", 64, SINGLE_RIVAL),
        1.3,
    ),
    m(
        "1-1, 64 B, shared, record by record",
        ("1-1", 64),
        SHARED,
        MULTI,
        AtLeast(3.0),
    ),
    m(
        "1-1, 64 B, shared, record by record",
        ("1-1", 64),
        SHARED,
        CROSSBEAM,
        AtLeast(1.2),
    ),
    m(
        "the same, both in batches",
        ("1-1", 64),
        SHARED_BATCHES,
        MULTI_BATCHES,
        Shown,
    ),
    m(
        "1-1, 64 B, one declared publisher, batched reading",
        ("1-1", 64),
        SINGLE,
        SINGLE_RIVAL,
        AtLeast(1.0),
    ),
    m(
        "1-1, 64 B, one declared publisher, batched reading",
        ("1-1", 64),
        SINGLE,
        RTRB,
        AtLeast(1.0),
    ),
    m(
        "1-1, 16 B, shared",
        ("1-1", 16),
        SHARED_ANY,
        Multi,
        AtLeast(1.5),
    ),
    m(
        "the same, record by record",
        ("1-1", 16),
        SHARED,
        MultiOneByOne,
        Shown,
    ),
    m(
        "the same, both in batches",
        ("1-1", 16),
        SHARED_BATCHES,
        MULTI_BATCHES,
        Shown,
    ),
    m("1-1, 1 KiB", ("1-1", 1024), OURS, Rivals, AtLeast(0.95)),
    m("1-1, 64 KiB", ("1-1", 65536), OURS, Rivals, AtLeast(0.95)),
    m("2-1, 64 B", ("2-1", 64), SHARED_ANY, Rivals, AtLeast(1.0)),
    m(
        "the same, record by record",
        ("2-1", 64),
        SHARED_ONE_BY_ONE,
        RivalsOneByOne,
        Shown,
    ),
    m(
        "the same, both in batches",
        ("2-1", 64),
        SHARED_BATCHES,
        MULTI_BATCHES,
        Shown,
    ),
    m(
        "1-2, 64 B, one declared publisher",
        ("1-2", 64),
        SINGLE,
        Rivals,
        AtLeast(1.0),
    ),
    m(
        "1-2, 64 B, shared",
        ("1-2", 64),
        SHARED_ANY,
        Rivals,
        AtLeast(0.85),
    ),
    m(
        "1-2, 1 KiB, one declared publisher",
        ("1-2", 1024),
        SINGLE,
        Rivals,
        AtLeast(1.0),
    ),
    m(
        "1-2, 1 KiB, shared",
        ("1-2", 1024),
        SHARED_ANY,
        Rivals,
        AtLeast(0.85),
    ),
    l(
        "ping-pong, spinning, p50",
        "spinning",
        "p50",
        MULTI,
        AtMost(1.0),
    ),
    l(
        "ping-pong, spinning, p99.9",
        "spinning",
        "p999",
        MULTI,
        AtMost(1.0),
    ),
    l(
        "the same, p50, an aim",
        "spinning",
        "p50",
        SINGLE_RIVAL,
        AtMost(1.0),
    ),
    l(
        "the same, p99.9, an aim",
        "spinning",
        "p999",
        SINGLE_RIVAL,
        AtMost(1.0),
    ),
    l(
        "ping-pong, default waiting, p50",
        "waiting",
        "p50",
        CROSSBEAM,
        AtMost(1.0),
    ),
    l(
        "ping-pong, default waiting, p99.9",
        "waiting",
        "p999",
        CROSSBEAM,
        AtMost(1.0),
    ),
    l(
        "ping-pong, sleeping at once, p50",
        "asleep",
        "p50",
        LOCK,
        AtMost(1.0),
    ),
    t(
        "empty poll",
        ("empty-poll", 64, SHARED),
        ("empty-poll", 64, MULTI),
        1.0,
    ),
    t(
        "whole delivery, 1000 routes over 1: a hit",
        ("delivery", 1000, FIXED),
        ("delivery", 1, FIXED),
        1.2,
    ),
    t(
        "whole delivery, 1000 routes over 1: a miss",
        ("delivery", 1000, MISS),
        ("delivery", 1, MISS),
        1.2,
    ),
    t(
        "1000 routes, uniform random, dispatch",
        ("dispatch", 1000, MESSENGER),
        ("dispatch", 1000, MATCH),
        0.5,
    ),
    t(
        "whole program, round trip",
        ("program", 0, MACRO),
        ("program", 0, BY_HAND),
        1.5,
    ),
];
