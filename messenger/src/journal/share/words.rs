//! What a journal is to be like, as words, for the processes that come to one which others have opened.

use std::time::Duration;

use crate::journal::config::{JournalConfig, Retention, SyncPolicy};
use crate::journal::header::MIN_SEGMENT_BYTES;
use crate::journal::opening::check;

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

#[cfg(test)]
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
