//! Edges 23 to 30: what is said of how far a bus that is kept has got is so for whoever hears it.
//!
//! What stands for records, files and the disk is one of loom's cells, where the words alone are to order it. Where system calls have a part, it is
//! a word that is stored and loaded without any order.

use std::io;

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::{RECORD, check, word};
use crate::bus::progress::{Progress, Word, finished_check, note_checked};
use crate::bus::{Lost, order};
use crate::sync::{AtomicU64, Ordering::Relaxed};

struct Words {
    words: [AtomicU64; Word::Removed as usize + 1],
    tail: AtomicU64,
    /// What is done before one of the words says so.
    done: UnsafeCell<bool>,
    /// What is to be seen of a file, or of a record.
    outside: AtomicU64,
}

impl Progress for Words {
    fn progress(&self, word: Word) -> &AtomicU64 {
        &self.words[word as usize]
    }

    fn tail_word(&self) -> &AtomicU64 {
        &self.tail
    }
}

impl Words {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            words: core::array::from_fn(|_| word()),
            tail: word(),
            done: UnsafeCell::new(false),
            outside: word(),
        })
    }

    fn get(&self, word: Word) -> u64 {
        self.progress(word).load(Relaxed)
    }

    fn work(&self) {
        self.done.with_mut(|done| {
            // SAFETY: loom checks that no other access races with this one.
            unsafe { *done = true }
        });
    }

    fn rely_on_it(&self) {
        let done = self.done.with(|done| {
            // SAFETY: loom checks that no write races with this read.
            unsafe { *done }
        });
        assert!(done, "it is said to be done, and is not");
    }
}

/// One does its work and `says` so; another relies on it if it `hears` that.
fn who_hears_of_it_finds_it_done(says: fn(&Words), hears: fn(&Words) -> bool) {
    check(3, move || {
        let words = Words::new();
        let other = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                words.work();
                says(&words);
            })
        };
        if hears(&words) {
            words.rely_on_it();
        }
        other.join().expect("no panic");
    });
}

/// Edge 23: one has walked over what is finished, and another flushes it without walking over it again.
#[test]
fn what_is_finished_is_flushed_by_another() {
    who_hears_of_it_finds_it_done(
        |words| words.set_finished(RECORD),
        |words| words.finished() == RECORD,
    );
}

/// Edge 24: of two who go on at once one has the position stand with its check.
#[test]
fn the_check_fits_whoever_comes_last() {
    check(3, || {
        let words = Words::new();
        words.set_finished(RECORD);
        let other = {
            let words = Arc::clone(&words);
            thread::spawn(move || words.set_finished(2 * RECORD))
        };
        words.set_finished(3 * RECORD);
        other.join().expect("no panic");
        let finished = words.get(Word::Finished);
        assert_eq!(finished, 3 * RECORD);
        assert_eq!(words.get(Word::FinishedCheck), finished_check(finished));
    });
}

/// Edge 24: the same of a number that is not raised but written.
#[test]
fn a_number_is_noted_with_its_check() {
    check(3, || {
        let pair = Arc::new([word(), word()]);
        let check = |number: u64| !number;
        let note = move |[number, checked]: &[AtomicU64; 2], position| {
            note_checked([number, checked], position, check);
        };
        let other = {
            let pair = Arc::clone(&pair);
            thread::spawn(move || note(&pair, RECORD))
        };
        note(&pair, 2 * RECORD);
        other.join().expect("no panic");
        let [number, checked] = [0, 1].map(|half: usize| pair[half].load(Relaxed));
        assert!([RECORD, 2 * RECORD].contains(&number));
        assert_eq!(checked, check(number));
    });
}

/// Edge 25: what one has flushed another says to be synced, in a segment's header or to its caller.
#[test]
fn what_is_synced_has_been_flushed() {
    who_hears_of_it_finds_it_done(
        |words| words.synced_to(RECORD),
        |words| words.synced() == RECORD,
    );
}

/// Edge 26: a segment is named while somebody begins to sync.
#[test]
fn a_name_is_flushed_by_who_gives_it_or_who_begins_to_sync() {
    check(3, || {
        let words = Words::new();
        let maker = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                words.outside.store(1, Relaxed);
                words.flushes_names()
            })
        };
        words.begin_syncing();
        let found = words.outside.load(Relaxed) == 1;
        let flushed = maker.join().expect("no panic");
        assert!(found || flushed, "the name is not flushed");
    });
}

/// Edge 27: one has flushed the names of the segments, and another, who syncs, does not do it again.
#[test]
fn names_are_flushed_once_for_all() {
    who_hears_of_it_finds_it_done(
        |words| words.names_flushed(),
        |words| words.are_names_flushed(),
    );
}

/// Edge 28: whoever is told that a flush has failed is told why.
#[test]
fn a_failure_is_told_with_its_reason() {
    check(3, || {
        let words = Words::new();
        let other = {
            let words = Arc::clone(&words);
            let lost = Lost::new(RECORD, &io::Error::from_raw_os_error(5));
            thread::spawn(move || words.fail(&lost))
        };
        if let Some(lost) = words.failed() {
            assert_eq!((lost.position(), lost.raw_os_error()), (RECORD, Some(5)));
        }
        other.join().expect("no panic");
    });
}

/// Edges 15 and 29: the time is noted while another publishes, and syncs what it has published.
#[test]
fn a_note_is_finished_before_what_comes_after_it_is_synced() {
    check(3, || {
        let words = Words::new();
        let claim = |words: &Words| words.tail.fetch_add(RECORD, order::tail_move());
        let noting = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                words.begin_note(1);
                claim(&words);
                words.outside.store(1, Relaxed);
                words.end_note(1);
            })
        };
        if claim(&words) > 0 {
            while words.is_noting() {
                thread::yield_now();
            }
            let is_finished = words.outside.load(Relaxed) == 1;
            assert!(is_finished, "the walk stops at the note");
        }
        noting.join().expect("no panic");
    });
}

/// Edge 30: one has removed a segment, and flushed the directory, and another removes the next one.
#[test]
fn a_segment_is_removed_after_those_before_it() {
    who_hears_of_it_finds_it_done(
        |words| words.removed_before(RECORD),
        |words| words.removed() == RECORD,
    );
}
