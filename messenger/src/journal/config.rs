//! What a journal is to be like.

use std::time::Duration;

/// What a journal is to be like. The length of its segments is settled when it is created; all else may be another each
/// time it is opened.
///
/// ```
/// use messenger::journal::{Journal, JournalConfig, SyncPolicy};
/// use std::time::Duration;
///
/// let often = SyncPolicy::Every { bytes: 1 << 20, interval: Duration::from_millis(50) };
/// let journal = Journal::in_memory(JournalConfig::new().segment_bytes(1 << 16).sync(often))?;
/// assert_eq!(journal.segment_bytes(), 1 << 16);
/// # Ok::<(), messenger::journal::OpenError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct JournalConfig {
    pub(super) segment_bytes: u64,
    pub(super) members: usize,
    pub(super) sync: SyncPolicy,
    pub(super) retain: Retention,
    pub(super) bound: u64,
    pub(super) time_resolution: Duration,
    /// `None`: it was not said.
    pub(super) ahead: Option<u64>,
}

/// When what has been committed is flushed to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncPolicy {
    /// When somebody asks for it, and when the journal is closed; where processes share it, and it retains what has not been
    /// [passed](Retention::until_passed), also each time a segment has been filled: the cursors of their workers follow what is synced.
    OnDemand,
    /// When so many bytes have been committed since, or so much time has passed, whatever comes first.
    Every {
        /// Bytes of records, headers included.
        bytes: u64,
        /// The longest that a record waits.
        interval: Duration,
    },
    /// Before a commit returns. Publishers that commit meanwhile share the next flush.
    EachRecord,
}

/// Which of the oldest segments may go. Never one that a subscriber has yet to read, or that an observer looks at.
///
/// A segment stays until all has come that it is to wait for: it has been [passed](Self::until_passed), it is
/// [older](Self::until_older_than). Of more than the [most](Self::at_most) that is kept the oldest go, whatever they wait for. With nothing
/// said everything is kept.
///
/// ```
/// use messenger::journal::{JournalConfig, Retention};
/// use std::time::Duration;
///
/// // What all have read, a day later; and of more than a TiB the oldest, even if a cursor has not passed it.
/// let day = Duration::from_secs(24 * 60 * 60);
/// let retention = Retention::all().until_passed().until_older_than(day).at_most(1 << 40);
/// let config = JournalConfig::new().retain(retention);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Retention {
    pub(super) passed: bool,
    pub(super) age: Option<Duration>,
    pub(super) most: Option<u64>,
}

impl Retention {
    /// Everything is kept.
    pub const fn all() -> Self {
        Self {
            passed: false,
            age: None,
            most: None,
        }
    }

    /// Until all subscribers and all named cursors have passed it. With none of either it stays; and it stays as long as a cursor can't be read, or counts
    /// in another journal, which [`Journal::cursors`](super::Journal::cursors) tells: what that one has yet to pass is not known. Remove it then.
    pub const fn until_passed(mut self) -> Self {
        self.passed = true;
        self
    }

    /// Until its last record is older, as far as the [notes of the time](JournalConfig::time_resolution) tell.
    pub const fn until_older_than(mut self, age: Duration) -> Self {
        self.age = Some(age);
        self
    }

    /// No longer than until it lies further back than so many bytes, whatever else it waits for. A cursor that has not passed it then misses it,
    /// and its reader is told.
    pub const fn at_most(mut self, bytes: u64) -> Self {
        self.most = Some(bytes);
        self
    }
}

impl JournalConfig {
    /// Segments of 64 MiB, 64 members, synced on demand, everything retained.
    pub const fn new() -> Self {
        Self {
            segment_bytes: 64 << 20,
            members: 64,
            sync: SyncPolicy::OnDemand,
            retain: Retention::all(),
            bound: u64::MAX,
            time_resolution: Duration::from_millis(10),
            ahead: None,
        }
    }

    /// The length of a segment in bytes: a power of two from 4 KiB to 1 GiB. The longest payload is a quarter of it. A journal
    /// that exists keeps what it was created with.
    pub const fn segment_bytes(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// How many publishers, subscribers and observers may be attached at a time: 2 to 65,534.
    pub const fn members(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// When what has been committed is flushed to the disk.
    pub const fn sync(mut self, policy: SyncPolicy) -> Self {
        self.sync = policy;
        self
    }

    /// Which of the oldest segments may go.
    pub const fn retain(mut self, retention: Retention) -> Self {
        self.retain = retention;
        self
    }

    /// Makes the journal a ring on disk: publishers wait, or get `Full`, when the slowest subscriber is more than `bytes`
    /// behind (rounded up to a power of two), and what all have read may go. Takes the place of [`retain`](Self::retain). The longest payload
    /// that can be sent is then at most a quarter of it; longer ones from before are read as ever.
    pub const fn bound(mut self, bytes: u64) -> Self {
        self.bound = bytes;
        self
    }

    /// How finely the journal notes the time, while something is published, and once more when it is closed; 10 ms unless told. Zero: never, and then
    /// nothing can be retained by its age.
    pub const fn time_resolution(mut self, resolution: Duration) -> Self {
        self.time_resolution = resolution;
        self
    }

    /// How many segments are made ready ahead of the one in use: 1 to 16. Unless told as many as hold a MiB, but no more than 4: short ones are soon used up.
    pub const fn ahead(mut self, segments: u64) -> Self {
        self.ahead = Some(segments);
        self
    }

    /// The same, of segments of so many bytes.
    pub(super) fn ahead_of(&self, segment_bytes: u64) -> u64 {
        let unless_told = ((1 << 20) / segment_bytes).clamp(1, 4);
        self.ahead.unwrap_or(unless_told)
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self::new()
    }
}
