use std::thread;

use super::*;

/// The pool's own number.
const OWN: usize = 3;

type Words = words::Words<OWN>;

fn take(words: &Words, last: &Turn, index: usize, range: (u64, u64)) -> bool {
    super::take(words, last, (index, &words.seat(index).unwrap()), range)
}

#[test]
fn turns_follow_each_other() {
    let words = Words::new(32);
    assert_eq!(taken(&words, 0), None);
    for (index, to) in [(0, 64), (0, 96), (2, 112), (0, 128), (2, 160), (1, 176)] {
        let last = look(&words).unwrap();
        assert!(take(&words, &last, index, (last.next, to)));
        assert_eq!(taken(&words, index), Some((last.next, to)));
        assert_eq!(look(&words).unwrap().next, to);
    }
    // The last of each.
    assert_eq!(taken(&words, 0), Some((112, 128)));
    assert_eq!(taken(&words, 2), Some((128, 160)));
    assert_eq!(taken(&words, OWN), None);
}

#[test]
fn who_is_late_has_what_he_had() {
    let words = Words::new(0);
    let first = look(&words).unwrap();
    assert!(take(&words, &first, 0, (0, 16)));
    // It is late again and again, and its last turn stays, beside that of another.
    for turn in 1..5 {
        let last = look(&words).unwrap();
        assert!(take(&words, &last, 1, (last.next, last.next + 16)));
        assert!(!take(&words, &last, 0, (last.next, last.next + 32)));
        assert_eq!(taken(&words, 0), Some((0, 16)));
        assert_eq!(taken(&words, 1), Some((turn * 16, turn * 16 + 16)));
    }
    let last = look(&words).unwrap();
    assert!(take(&words, &last, 0, (last.next, 96)));
    assert_eq!(taken(&words, 0), Some((80, 96)));
}

#[test]
fn words_that_cannot_be_are_told() {
    let words = Words::new(0);
    for word in [word_of(1, 0), word_of(7, 1), word_of(1, 4000), u64::MAX] {
        words.last().store(word, Relaxed);
        assert_eq!(look(&words), Err(word));
    }
}

/// Words that somebody writes over all the time, who keeps to nothing.
struct Restless(Words);

impl Pool for Restless {
    fn own(&self) -> usize {
        OWN
    }

    fn last(&self) -> &AtomicU64 {
        self.0.last().fetch_add(word_of(1, 0), Relaxed);
        self.0.last()
    }

    fn start(&self) -> &AtomicU64 {
        self.0.start()
    }

    fn seat(&self, index: usize) -> Option<SeatWords<'_>> {
        self.0.seat(index)
    }
}

#[test]
fn a_word_that_is_never_the_same_is_told() {
    assert!(look(&Restless(Words::new(0))).is_err());
}

#[test]
fn many_take_each_range_once() {
    let words = Words::new(0);
    let turns = if cfg!(miri) { 20 } else { 20_000 };
    let all: Vec<u64> = thread::scope(|scope| {
        let work = |index: usize| {
            let words = &words;
            move || {
                let take_one = || {
                    let last = look(words).unwrap();
                    let took = take(words, &last, index, (last.next, last.next + 16));
                    took.then_some(last.next)
                };
                (0..turns).filter_map(|_| take_one()).collect::<Vec<_>>()
            }
        };
        let threads: Vec<_> = (0..OWN).map(|index| scope.spawn(work(index))).collect();
        let all = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        all.collect()
    });
    let mut sorted = all.clone();
    sorted.sort_unstable();
    let next = look(&words).unwrap().next;
    assert_eq!(sorted, (0..next / 16).map(|n| n * 16).collect::<Vec<_>>());
}
