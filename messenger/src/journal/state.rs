//! How far a journal has got, in words that all who write it share: those of the page before the bus's words. What is said in them of records and
//! flushes is the protocol's affair (`bus/progress.rs`).
//!
//! Any of them may be killed or stopped between two steps. So no word is a lock. What only grows is raised; who does what is to be done
//! now and then takes a *turn*, and if nothing comes of it another takes the next one. So two may do it at once, each must find for himself what there
//! is to do, and a turn orders nothing.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use super::control::{self, Control};
use crate::bus::kept::{Progress, Word, growth_load, growth_store};
use crate::bus::record_len;
use crate::sync::{fetch_max, load_acquire};

/// What may be done by one process at a time, and is done again if that one is not heard of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// Making a segment.
    Making,
    /// Noting the time.
    Timing,
    /// Flushing by policy.
    Flushing,
    /// Giving up old segments.
    Trimming,
    /// Walking over what is finished.
    Walking,
}

impl Progress for Control {
    fn progress(&self, word: Word) -> &AtomicU64 {
        self.word(match word {
            Word::Finished => control::FINISHED_AT,
            Word::FinishedCheck => control::FINISHED_CHECK_AT,
            Word::Synced => control::SYNCED_AT,
            Word::Syncs => control::SYNCS_AT,
            Word::Failed => control::FAILED_AT,
            Word::FailedCode => control::FAILED_CODE_AT,
            Word::Noting => control::NOTING_AT,
            Word::Removed => control::REMOVED_AT,
        })
    }

    fn tail_word(&self) -> &AtomicU64 {
        self.tail.word(0)
    }
}

impl Control {
    fn turn(&self, turn: Turn) -> &AtomicU64 {
        self.word(match turn {
            Turn::Making => control::MAKING_AT,
            Turn::Timing => control::TIMED_AT,
            Turn::Flushing => control::FLUSHED_AT,
            Turn::Trimming => control::TRIMMED_AT,
            Turn::Walking => control::WALKED_AT,
        })
    }

    /// Takes a turn, if the last one was taken at least so long ago, or given back.
    pub(super) fn take_turn(&self, turn: Turn, every: Duration) -> bool {
        let word = self.turn(turn);
        let last = word.load(Relaxed);
        // After the last one was read, so that it lies before; if it does not, that is a turn more than is of use.
        let now = clock();
        let passed = now.wrapping_sub(last);
        let is_due = last == 0 || u128::from(passed) >= every.as_nanos();
        let taken = is_due && word.compare_exchange(last, now, Relaxed, Relaxed).is_ok();
        if taken {
            fault!("duty_taken");
        }
        taken
    }

    /// Whether the last turn was taken less than so long ago, and has not been given back.
    pub(super) fn is_taken(&self, turn: Turn, within: Duration) -> bool {
        let last = self.turn(turn).load(Relaxed);
        last != 0 && u128::from(clock().wrapping_sub(last)) < within.as_nanos()
    }

    /// Gives a turn back, whosever it is by now: then one more takes it than is of use.
    pub(super) fn give_back(&self, turn: Turn) {
        self.turn(turn).store(0, Relaxed);
        fault!("duty_given_back");
    }

    /// As if a turn had been taken now.
    pub(super) fn put_off(&self, turn: Turn) {
        self.turn(turn).store(clock(), Relaxed);
        fault!("duty_put_off");
    }

    /// Up to where there are segments.
    pub(super) fn prepared(&self) -> u64 {
        let word = self.word(control::PREPARED_AT);
        if self.is_read_only() {
            // Edge 13, growth.
            return load_acquire(word);
        }
        // Edge 13, growth.
        word.load(growth_load())
    }

    /// There are segments up to `end`.
    pub(super) fn grew_to(&self, end: u64) {
        // Edge 13, growth: whoever sees it finds the segment, and zeros in it.
        fetch_max(self.word(control::PREPARED_AT), end, growth_store());
        fault!("grown");
    }

    /// Where the oldest segment begins that is not given up. Asked by who finds no file, or one that he names to have been given up before: he
    /// sees what was said before that file went (docs/bus.md, "files").
    pub(super) fn oldest(&self) -> u64 {
        self.word(control::OLDEST_AT).load(Relaxed)
    }

    /// All before `base` is given up: said before the first file goes.
    pub(super) fn give_up_before(&self, base: u64) {
        fetch_max(self.word(control::OLDEST_AT), base, Relaxed);
        fault!("given_up");
    }

    /// Where the journal ended when it was opened; a multiple of 16, whatever has become of the word.
    pub(super) fn opened_at(&self) -> u64 {
        self.word(control::OPENED_AT).load(Relaxed) & !15
    }

    /// Where the tail was after the last note of the time.
    pub(super) fn timed_tail(&self) -> u64 {
        self.word(control::TIMED_TAIL_AT).load(Relaxed)
    }

    /// What the last note of the time says; 0: none has been written since the opening.
    pub(super) fn timed(&self) -> u64 {
        self.word(control::TIME_AT).load(Relaxed)
    }

    /// Of a journal that is opened and ends at `tail`: there is nothing to be timed yet.
    pub(super) fn begin_timing(&self, tail: u64) {
        self.word(control::TIMED_TAIL_AT).store(tail, Relaxed);
    }

    /// The note of the time at `position` says `nanos`.
    pub(super) fn set_timed(&self, position: u64, nanos: u64) {
        let tail = position + record_len(size_of_val(&nanos)) as u64;
        // Another may have noted a later one, and been the first to say so.
        if self.timed_tail() < tail {
            self.word(control::TIME_AT).store(nanos, Relaxed);
            self.word(control::TIMED_TAIL_AT).store(tail, Relaxed);
        }
        fault!("timed_to");
    }

    /// How often it has been flushed since it was opened, and how long that took at the most.
    pub(super) fn flushes(&self) -> (u64, Duration) {
        let longest = self.word(control::LONGEST_FLUSH_AT).load(Relaxed);
        let flushes = self.word(control::FLUSHES_AT).load(Relaxed);
        (flushes, Duration::from_nanos(longest))
    }

    /// It has been flushed once more.
    pub(super) fn flush_took(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        fetch_max(self.word(control::LONGEST_FLUSH_AT), nanos, Relaxed);
        self.word(control::FLUSHES_AT).fetch_add(1, Relaxed);
        fault!("flush_counted");
    }

    /// Takes over what is said in `other`, which nobody else uses.
    pub(super) fn take_over(&self, other: &Self) {
        let words = [
            control::PREPARED_AT,
            control::OLDEST_AT,
            control::REMOVED_AT,
            control::SYNCS_AT,
        ];
        for at in words.into_iter().chain(control::DROPPED_AT) {
            let value = other.word(at).load(Relaxed);
            self.word(at).store(value, Relaxed);
        }
    }
}

/// The system's clock of nanoseconds since some start; never 0. Processes in different time namespaces read different ones: then a turn may be due
/// to one as soon as another has had it, and what is done now and then is done more often.
#[cfg(all(target_os = "linux", not(miri)))]
pub(super) fn clock() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    (now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64).max(1)
}

/// The same elsewhere, where one process writes a journal.
#[cfg(not(all(target_os = "linux", not(miri))))]
pub(super) fn clock() -> u64 {
    use std::sync::OnceLock;
    use std::time::Instant;

    static START: OnceLock<Instant> = OnceLock::new();
    let passed = START.get_or_init(Instant::now).elapsed();
    u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::bus::Lost;
    use crate::memory::MemoryKind;

    #[test]
    fn a_turn_is_taken_once_in_its_time() {
        let control = Control::in_memory(0, MemoryKind::Heap).unwrap();
        let long = Duration::from_secs(3600);
        assert!(!control.is_taken(Turn::Making, long));
        assert!(control.take_turn(Turn::Making, long));
        assert!(!control.take_turn(Turn::Making, long));
        assert!(control.is_taken(Turn::Making, long));
        // Who took it is not heard of any more.
        assert!(!control.is_taken(Turn::Making, Duration::ZERO));
        assert!(control.take_turn(Turn::Making, Duration::ZERO));
        control.give_back(Turn::Making);
        assert!(control.take_turn(Turn::Making, long));
        // The others' are their own.
        assert!(control.take_turn(Turn::Trimming, long));
        control.put_off(Turn::Flushing);
        assert!(!control.take_turn(Turn::Flushing, long));
    }

    #[test]
    fn what_grows_is_never_set_back() {
        let control = Control::in_memory(0, MemoryKind::Heap).unwrap();
        for (late, first) in [(64, 128), (4096, 16), (0, 0)] {
            control.grew_to(first);
            control.grew_to(late);
            control.set_finished(first);
            control.set_finished(late);
            control.synced_to(first);
            control.synced_to(late);
        }
        assert_eq!(control.prepared(), 4096);
        assert_eq!(control.finished(), 4096);
        assert_eq!(control.synced(), 4096);
    }

    #[test]
    fn a_failure_is_told_to_all_and_the_first_one_stays() {
        let control = Control::in_memory(0, MemoryKind::Heap).unwrap();
        assert_eq!(control.failed(), None);
        let lost = Lost::new(0, &io::Error::from_raw_os_error(5));
        control.fail(&lost);
        assert_eq!(control.failed(), Some(lost));
        control.fail(&Lost::new(64, &io::Error::from_raw_os_error(5)));
        assert_eq!(control.failed(), Some(lost));
    }
}
