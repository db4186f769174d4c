//! Who takes part in the work that keeps records.

use super::Cell;
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

/// Makes the list of names of a field, and the function that finds the work with one of them.
macro_rules! field {
    ($list:ident, $pick:ident = $job:ident as $work:ty: $($name:literal => $log:ty,)*) => {
        const $list: &[&str] = &[$($name),*];

        fn $pick<const N: usize>(who: &str) -> Done<$work> {
            match who {
                $($name => Ok($job::<$log, N>),)*
                _ => Err(format!("{who:?} is none of {:?}", $list)),
            }
        }
    };
}

field! { APPENDED, appended = append as Work:
    "messenger shared" => ours::RingLog,
    "messenger journal" => ours::Journalled<false>,
    "messenger journal, batches" => ours::JournalledInRuns,
    "BufWriter" => Buffered<true>,
    "BufWriter, payloads only" => Buffered<false>,
    "commitlog" => CommitLogs,
    "redb" => Redb,
    "memcpy" => Mapping<false>,
    "memcpy to a mapped file" => Mapping<true>,
}

field! { REPLAYED, replayed = replay as ReplayWork:
    "messenger journal, verified" => ours::JournalReplay<false>,
    "messenger journal, trusting" => ours::JournalReplay<true>,
    "BufReader" => BufferedReplay<true>,
    "BufReader, payloads only" => BufferedReplay<false>,
    "commitlog" => CommitLogReplay,
    "mapped file, no checks" => MappedReplay,
}

field! { SYNCED, sync = synced as SyncedWork:
    "messenger journal" => ours::JournalSynced,
    "BufWriter + fdatasync" => FlushAndSync<false>,
    "BufWriter + fdatasync, written ahead" => FlushAndSync<true>,
    "okaywal" => Okaywal,
}

field! { PUBLISHED, published = publish as Work:
    "messenger shared" => ours::RingLog,
    "messenger journal" => ours::Journalled<true>,
    "BufWriter" => Buffered<true>,
    "File" => Unbuffered,
    "commitlog" => CommitLogs,
}

field! { ROLLED, rolled = roll as Work:
    "messenger shared" => ours::RingLog,
    "messenger journal" => ours::Journalled<true>,
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
pub(super) fn all() -> impl Iterator<Item = Cell<'static>> {
    let fields = [
        ("append", APPENDS, APPENDED),
        ("replay", REPLAYS, REPLAYED),
        ("replay-large", REPLAYS, REPLAYED),
        ("sync", &[64][..], SYNCED),
        ("group", GROUPS, SYNCED),
        ("publish", &[64][..], PUBLISHED),
        ("roll", &[64][..], ROLLED),
    ];
    fields.into_iter().flat_map(|(work, sizes, field)| {
        let cells = move |&size| field.iter().map(move |&who| Cell { work, size, who });
        sizes.iter().flat_map(cells)
    })
}

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
