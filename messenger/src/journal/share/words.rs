//! What a journal is to be like, as words, for the processes that come to one which others have opened.

use std::time::Duration;

use crate::journal::config::{JournalConfig, Retention, SyncPolicy};
use crate::journal::header::MIN_SEGMENT_BYTES;
use crate::journal::opening::check;

// What of a retention has been said.
const PASSED: u64 = 1;
const AGE: u64 = 2;
const MOST: u64 = 4;
const ALL: u64 = PASSED + AGE + MOST;
/// The number of segments ahead, where it was not said.
const NOT_SAID: u64 = u64::MAX;

impl JournalConfig {
    /// How many words.
    pub(crate) const WORDS: usize = 10;

    pub(crate) fn to_words(self) -> [u64; Self::WORDS] {
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let (sync, bytes, interval) = match self.sync {
            SyncPolicy::OnDemand => (0, 0, 0),
            SyncPolicy::Every { bytes, interval } => (1, bytes, nanos(interval)),
            SyncPolicy::EachRecord => (2, 0, 0),
        };
        let Retention { passed, age, most } = self.retain;
        let retain = u64::from(passed) * PASSED
            + u64::from(age.is_some()) * AGE
            + u64::from(most.is_some()) * MOST;
        let resolution = nanos(self.time_resolution);
        [
            self.segment_bytes,
            sync,
            bytes,
            interval,
            retain,
            age.map_or(0, nanos),
            most.unwrap_or(0),
            self.bound,
            resolution,
            self.ahead.unwrap_or(NOT_SAID),
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
            age,
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
                0..=ALL => Retention {
                    passed: retain & PASSED != 0,
                    age: (retain & AGE != 0).then(|| Duration::from_nanos(age)),
                    most: (retain & MOST != 0).then_some(most),
                },
                _ => return None,
            },
            bound,
            time_resolution: Duration::from_nanos(resolution),
            ahead: (ahead != NOT_SAID).then_some(ahead),
        };
        // As when it was asked for.
        check(&config, MIN_SEGMENT_BYTES).ok()?;
        Some(config)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_say_what_was_asked_for() {
        let interval = Duration::from_millis(7);
        let often = SyncPolicy::Every { bytes: 9, interval };
        for sync in [SyncPolicy::OnDemand, often, SyncPolicy::EachRecord] {
            let minute = Duration::from_secs(60);
            for retain in [
                Retention::all(),
                Retention::all().at_most(1 << 40),
                Retention::all().at_most(0),
                Retention::all().until_older_than(minute),
                Retention::all().until_older_than(Duration::ZERO),
                Retention::all().until_passed(),
                Retention::all()
                    .until_passed()
                    .until_older_than(minute)
                    .at_most(1 << 40),
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
        let config = JournalConfig::new();
        assert_eq!(JournalConfig::of_words(config.to_words()), Some(config));
        // The segments' length, two policies, the bound, the segments ahead.
        for (word, said) in [(0, 100), (1, 4), (4, 8), (7, 4), (9, 0), (9, 1 << 40)] {
            let mut words = JournalConfig::new().to_words();
            words[word] = said;
            assert_eq!(JournalConfig::of_words(words), None);
        }
    }
}
