//! What a journal is to be like.

use std::time::Duration;

#[cfg(all(feature = "shared", target_os = "linux"))]
use super::{header::MIN_SEGMENT_BYTES, opening::check};

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
    pub(super) ahead: u64,
}

/// When what has been committed is flushed to the disk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SyncPolicy {
    /// When somebody asks for it, and when the journal is closed; where processes share it, and it retains what has not been
    /// [passed](Retention::Passed), also each time a segment has been filled: the cursors of their workers follow what is synced.
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
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retention {
    /// None: everything is kept.
    All,
    /// Those that lie further back than so many bytes.
    Bytes(u64),
    /// Those whose last record is older, as far as the [notes of the time](JournalConfig::time_resolution) tell.
    Age(Duration),
    /// Those that all subscribers and all named cursors have passed. With none of either, none; and none as long as a cursor can't be read,
    /// which [`Journal::cursors`](super::Journal::cursors) tells: what it has yet to pass is not known. Remove it then.
    Passed,
}

impl JournalConfig {
    /// Segments of 64 MiB, 64 members, synced on demand, everything retained.
    pub const fn new() -> Self {
        Self {
            segment_bytes: 64 << 20,
            members: 64,
            sync: SyncPolicy::OnDemand,
            retain: Retention::All,
            bound: u64::MAX,
            time_resolution: Duration::from_millis(10),
            ahead: 1,
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

    /// How finely the journal notes the time, while something is published; 10 ms unless told. Zero: never, and then nothing can be retained
    /// by its age.
    pub const fn time_resolution(mut self, resolution: Duration) -> Self {
        self.time_resolution = resolution;
        self
    }

    /// How many segments are made ready ahead of the one in use: 1 to 16; 1 unless told.
    pub const fn ahead(mut self, segments: u64) -> Self {
        self.ahead = segments;
        self
    }
}

/// As words, for the processes that come to a journal which others have opened.
#[cfg(all(feature = "shared", target_os = "linux"))]
impl JournalConfig {
    /// How many words.
    pub(crate) const WORDS: usize = 9;

    pub(crate) fn to_words(self) -> [u64; Self::WORDS] {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (sync, bytes, interval) = match self.sync {
            SyncPolicy::OnDemand => (0, 0, 0),
            SyncPolicy::Every { bytes, interval } => (1, bytes, nanos(interval)),
            SyncPolicy::EachRecord => (2, 0, 0),
        };
        let (retain, most) = match self.retain {
            Retention::All => (0, 0),
            Retention::Bytes(bytes) => (1, bytes),
            Retention::Age(age) => (2, nanos(age)),
            Retention::Passed => (3, 0),
        };
        let resolution = nanos(self.time_resolution);
        [
            self.segment_bytes,
            sync,
            bytes,
            interval,
            retain,
            most,
            self.bound,
            resolution,
            self.ahead,
        ]
    }

    /// What the words say; `None`: nothing that could be said.
    pub(crate) fn of_words(words: [u64; Self::WORDS]) -> Option<Self> {
        let [
            segment_bytes,
            sync,
            bytes,
            interval,
            retain,
            most,
            bound,
            resolution,
            ahead,
        ] = words;
        let interval = Duration::from_nanos(interval);
        let config = Self {
            segment_bytes,
            members: Self::new().members,
            sync: match sync {
                0 => SyncPolicy::OnDemand,
                1 => SyncPolicy::Every { bytes, interval },
                2 => SyncPolicy::EachRecord,
                _ => return None,
            },
            retain: match retain {
                0 => Retention::All,
                1 => Retention::Bytes(most),
                2 => Retention::Age(Duration::from_nanos(most)),
                3 => Retention::Passed,
                _ => return None,
            },
            bound,
            time_resolution: Duration::from_nanos(resolution),
            ahead,
        };
        // As when it was asked for.
        check(&config, MIN_SEGMENT_BYTES).ok()?;
        Some(config)
    }
}

impl Default for JournalConfig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, feature = "shared", target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_was_asked_for() {
        let interval = Duration::from_millis(7);
        let often = SyncPolicy::Every { bytes: 9, interval };
        for sync in [SyncPolicy::OnDemand, often, SyncPolicy::EachRecord] {
            for retain in [
                Retention::All,
                Retention::Bytes(1 << 40),
                Retention::Age(Duration::from_secs(60)),
                Retention::Passed,
            ] {
                let config = JournalConfig::new()
                    .segment_bytes(1 << 16)
                    .sync(sync)
                    .retain(retain)
                    .bound(1 << 20)
                    .time_resolution(Duration::from_micros(3))
                    .ahead(5);
                assert_eq!(JournalConfig::of_words(config.to_words()), Some(config));
            }
        }
        // The segments' length, two policies, the bound, the segments ahead.
        for (word, said) in [(0, 100), (1, 4), (4, 4), (6, 4), (8, 0), (8, 1 << 40)] {
            let mut words = JournalConfig::new().to_words();
            words[word] = said;
            assert_eq!(JournalConfig::of_words(words), None);
        }
    }
}
