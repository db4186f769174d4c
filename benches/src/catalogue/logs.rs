//! Who takes part in the work that keeps records.

use super::{Cell, Field};
use crate::log::Done;
use crate::ours;
use crate::rivals::*;
use crate::work::{Conditions, Metrics, append, publish, replay, roll, synced};

/// Work with one of a field.
type Work = fn(Conditions) -> Done<Metrics>;
/// The same with what the caches hold, or more.
type ReplayWork = fn(bool, Conditions) -> Done<Metrics>;
/// The same with so many publishers, who sync so many records at a time.
type SyncedWork = fn(usize, u64, Conditions) -> Done<Metrics>;

jobs! { APPENDED, appended as Work:
    "messenger shared" => append of ours::RingLog,
    "messenger journal" => append of ours::Journalled<false, false>,
    "messenger journal, batches" => append of ours::Journalled<false, true>,
    "BufWriter" => append of Buffered<true>,
    "BufWriter, payloads only" => append of Buffered<false>,
    "commitlog" => append of CommitLogs,
    "redb" => append of Redb,
    "memcpy" => append of Mapping<false>,
    "memcpy to a mapped file" => append of Mapping<true>,
}

jobs! { REPLAYED, replayed as ReplayWork:
    "messenger journal, verified" => replay of ours::JournalReplay<false>,
    "messenger journal, trusting" => replay of ours::JournalReplay<true>,
    "BufReader" => replay of BufferedReplay<true>,
    "BufReader, payloads only" => replay of BufferedReplay<false>,
    "commitlog" => replay of CommitLogReplay,
    "mapped file, no checks" => replay of MappedReplay,
}

jobs! { SYNCED, sync as SyncedWork:
    "messenger journal" => synced of ours::JournalSynced,
    "BufWriter + fdatasync" => synced of FlushAndSync<false>,
    "BufWriter + fdatasync, written ahead" => synced of FlushAndSync<true>,
    "okaywal" => synced of Okaywal,
}

jobs! { PUBLISHED, published as Work:
    "messenger shared" => publish of ours::RingLog,
    "messenger journal" => publish of ours::Journalled<true, false>,
    "BufWriter" => publish of Buffered<true>,
    "File" => publish of Unbuffered,
    "commitlog" => publish of CommitLogs,
}

jobs! { ROLLED, rolled as Work:
    "messenger shared" => roll of ours::RingLog,
    "messenger journal" => roll of ours::Journalled<true, false>,
}

/// The payload sizes of appending, in bytes.
pub(crate) const APPENDS: &[usize] = &[64, 1024, 65536];
/// The payload sizes of replaying, in bytes.
pub(crate) const REPLAYS: &[usize] = &[64, 1024, 65536];
/// The numbers of publishers that wait for their record to be safe.
pub(crate) const GROUPS: &[usize] = &[1, 4, 16];
/// How many records share a sync, where one publisher has many.
pub(crate) const BATCH: u64 = 1000;

/// All of them.
pub(super) const FIELDS: &[Field] = &[
    ("append", APPENDS, APPENDED),
    ("replay", REPLAYS, REPLAYED),
    ("replay-large", REPLAYS, REPLAYED),
    ("sync", &[64], SYNCED),
    ("group", GROUPS, SYNCED),
    ("publish", &[64], PUBLISHED),
    ("roll", &[64], ROLLED),
];

/// Measures one of them; `None` if it is none.
pub(super) fn measure(cell: &Cell<'_>, on: Conditions) -> Option<Done<Metrics>> {
    let Cell { work, size, who } = *cell;
    let large = work == "replay-large";
    Some(match (work, size) {
        ("append", 64) => appended::<64>(who).and_then(|work| work(on)),
        ("append", 1024) => appended::<1024>(who).and_then(|work| work(on)),
        ("append", 65536) => appended::<65536>(who).and_then(|work| work(on)),
        ("replay" | "replay-large", 64) => replayed::<64>(who).and_then(|work| work(large, on)),
        ("replay" | "replay-large", 1024) => replayed::<1024>(who).and_then(|work| work(large, on)),
        ("replay" | "replay-large", 65536) => {
            replayed::<65536>(who).and_then(|work| work(large, on))
        }
        ("sync", 64) => sync::<64>(who).and_then(|work| work(1, BATCH, on)),
        ("group", publishers) => sync::<64>(who).and_then(|work| work(publishers, 1, on)),
        ("publish", 64) => published::<64>(who).and_then(|work| work(on)),
        ("roll", 64) => rolled::<64>(who).and_then(|work| work(on)),
        _ => return None,
    })
}
