//! How far a bus that is kept has got, in words that all who write it share: what is finished, flushed, failed, removed. What each
//! says stands in `docs/journal.md`, "Control", and where it lies is the journal's affair.
//!
//! Any of them may be killed or stopped between two steps. So no word is a lock, and what only grows is raised.

use std::io;

use super::{Lost, order};
use crate::sync::{AtomicU64, Ordering::Relaxed, fetch_max};

/// One of the words.
#[derive(Clone, Copy)]
pub(crate) enum Word {
    Finished,
    FinishedCheck,
    Synced,
    Syncs,
    Failed,
    FailedCode,
    Noting,
    Removed,
}

/// What the check of the finished position is mixed with: a position that is none would be read as a header.
const FINISHED_MASK: u64 = 0x6669_6E69_7368_6564;

/// That what is written is going to be flushed soon.
const SYNCS: u64 = 1;
/// That, and that all names of segments which were made before are flushed.
const NAMES_FLUSHED: u64 = 2;

/// What stands beside the finished position.
pub(crate) const fn finished_check(position: u64) -> u64 {
    position ^ FINISHED_MASK
}

/// Who has the words.
pub(crate) trait Progress {
    fn progress(&self, word: Word) -> &AtomicU64;

    /// The bus's own word of where the next claim begins.
    fn tail_word(&self) -> &AtomicU64;

    /// Everything before `position` is finished. Of those who say so at once the one that comes last has it stand with its check; if
    /// all are killed before, the next opening has a longer way to walk.
    fn set_finished(&self, position: u64) {
        let word = self.progress(Word::Finished);
        let checked = self.progress(Word::FinishedCheck);
        // Edge 23, finished.
        fetch_max(word, position, order::finished_store());
        loop {
            // Edge 24, check: another may go on meanwhile, and its check be written over.
            order::check_fence();
            let check = finished_check(word.load(Relaxed));
            if checked.load(Relaxed) == check {
                break;
            }
            fault!("finished_known");
            checked.store(check, Relaxed);
            fault!("finished_checked");
        }
    }

    /// Up to where all is finished: a record boundary, if nobody has written over it; a multiple of 16 whatever happens.
    fn finished(&self) -> u64 {
        // Edge 23, finished.
        self.progress(Word::Finished).load(order::finished_load()) & !15
    }

    /// The watermark: everything before it is flushed.
    fn synced(&self) -> u64 {
        // Edge 25, synced.
        self.progress(Word::Synced).load(order::synced_load())
    }

    fn synced_to(&self, position: u64) {
        let word = self.progress(Word::Synced);
        // Edge 25, synced.
        fetch_max(word, position, order::synced_store());
        fault!("synced_to");
    }

    /// Whether what is written is going to be flushed soon, as far as is known.
    fn syncs(&self) -> bool {
        self.progress(Word::Syncs).load(Relaxed) != 0
    }

    /// Says whether it is, where nobody else uses the words yet: from the start, or not at all.
    fn set_syncs(&self, syncs: bool) {
        let said = if syncs { NAMES_FLUSHED } else { 0 };
        self.progress(Word::Syncs).store(said, Relaxed);
    }

    /// From now on it is. After this the names are flushed of all segments that are there.
    fn begin_syncing(&self) {
        fetch_max(self.progress(Word::Syncs), SYNCS, Relaxed);
        fault!("syncs_begun");
        // Edge 26, naming: a name that the flush misses is flushed by who gives it.
        order::syncing_fence();
    }

    /// Whether who has named a segment, or found it named, has to flush the name.
    fn flushes_names(&self) -> bool {
        // Edge 26, naming: if not, who begins to sync finds the name.
        order::naming_fence();
        self.syncs()
    }

    /// Whether the names of those segments are flushed, too, that were made before.
    fn are_names_flushed(&self) -> bool {
        // Edge 27, names.
        self.progress(Word::Syncs).load(order::names_load()) == NAMES_FLUSHED
    }

    /// They are.
    fn names_flushed(&self) {
        let word = self.progress(Word::Syncs);
        // Edge 27, names.
        fetch_max(word, NAMES_FLUSHED, order::names_store());
        fault!("names_flushed");
    }

    /// Why a flush has failed, if one has. What it was to take may be lost though a later one succeeds, so there is none.
    fn failed(&self) -> Option<Lost> {
        // Edge 28, failure.
        let at = self.progress(Word::Failed).load(order::failed_load());
        let code = self.progress(Word::FailedCode).load(Relaxed) as i32;
        let error = match code {
            0 => io::Error::other("it failed before"),
            code => io::Error::from_raw_os_error(code),
        };
        Some(Lost::new(at.checked_sub(1)?, &error))
    }

    /// A flush has failed: from now on all do. Of two that fail at once one may tell the other's reason.
    fn fail(&self, lost: &Lost) {
        let code = lost.raw_os_error().unwrap_or(0);
        self.progress(Word::FailedCode).store(code as u64, Relaxed);
        let word = self.progress(Word::Failed);
        let at = lost.position() + 1;
        // Edge 28, failure.
        let _ = word.compare_exchange(0, at, order::failed_store(), Relaxed);
    }

    /// Says that one, whose number this is, makes a note of the time: before it claims the note's place, and so moves the tail.
    fn begin_note(&self, own: u64) {
        self.progress(Word::Noting).store(own, Relaxed);
        fault!("noting");
    }

    /// That one makes no note any more: it is finished.
    fn end_note(&self, own: u64) {
        let noting = self.progress(Word::Noting);
        // Edge 29, noted. Another may have taken the next turn.
        let _ = noting.compare_exchange(own, 0, order::noted_store(), Relaxed);
        fault!("noted");
    }

    /// Whether somebody makes a note whose place is before one that was claimed. If not, the note is finished.
    fn is_noting(&self) -> bool {
        // Edge 15: by the tail it is known who had said so before he claimed.
        self.tail_word().load(order::tail_load());
        // Edge 29, noted.
        self.progress(Word::Noting).load(order::noted_load()) != 0
    }

    /// Where the oldest segment begins of which it is not known that its file is gone.
    fn removed(&self) -> u64 {
        // Edge 30, removed.
        self.progress(Word::Removed).load(order::removed_load())
    }

    /// No file of a segment before `base` is there.
    fn removed_before(&self, base: u64) {
        let word = self.progress(Word::Removed);
        // Edge 30, removed.
        fetch_max(word, base, order::removed_store());
        fault!("removal_known");
    }
}

/// Writes `number` into `word`, and its check beside it, unless a greater number stands there with its check. Of those who do so at once
/// the one that comes last has its number stand with its check.
pub(crate) fn note_checked(
    [word, checked]: [&AtomicU64; 2],
    number: u64,
    check: impl Fn(u64) -> u64,
) {
    loop {
        // Edge 24, check: another may do so meanwhile, and of either one a half be written over.
        order::check_fence();
        // A number that does not fit its check may be a damaged one, and not greater than any to come.
        let known = word.load(Relaxed);
        if checked.load(Relaxed) == check(known) && known >= number {
            return;
        }
        word.store(number, Relaxed);
        fault!("synced_noted");
        checked.store(check(number), Relaxed);
        fault!("synced_checked");
    }
}
