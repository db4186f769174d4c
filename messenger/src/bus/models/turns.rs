//! Edges 20 and 21: the turns of a pool. Each range is a record's length, so the turn `n` ends at `n` records.

use loom::sync::Arc;
use loom::thread;

use super::{RECORD, check};
use crate::bus::turns::{Pool, look, take, taken};
use crate::sync::Ordering::Relaxed;

type Words = crate::bus::turns::words::Words<2>;

/// Takes a turn, if nobody else is faster; gives where what it took begins.
fn turn(words: &Words, index: usize) -> Option<u64> {
    let last = look(words).expect("words that can be");
    // By the number of the turn it is known where it has to end.
    let before = words.last().load(Relaxed) >> 12;
    assert!(last.next <= before * RECORD, "a turn that is not there yet");
    assert_eq!(last.next % RECORD, 0);
    let seat = words.seat(index).expect("it is one");
    take(
        words,
        &last,
        (index, &seat),
        (last.next, last.next + RECORD),
    )
    .then_some(last.next)
}

/// That each range was taken once.
fn all_once(words: &Words, mut ranges: Vec<u64>) {
    ranges.sort_unstable();
    let next = look(words).expect("words that can be").next;
    let all: Vec<u64> = (0..next / RECORD).map(|turn| turn * RECORD).collect();
    assert_eq!(ranges, all);
}

/// Edges 20 and 21: two take turns while they can.
#[test]
fn each_range_is_taken_once() {
    check(3, || {
        let words = Arc::new(Words::new(0));
        let other = {
            let words = Arc::clone(&words);
            thread::spawn(move || [turn(&words, 1), turn(&words, 1)])
        };
        let own = [turn(&words, 0), turn(&words, 0), turn(&words, 0)];
        let other = other.join().expect("no panic");
        all_once(&words, own.into_iter().chain(other).flatten().collect());
    });
}

/// Edge 20: one takes a turn, and is dead before it learns whether it has got it; another goes on and then looks what the dead one
/// has taken.
#[test]
fn what_a_dead_one_has_taken_is_known() {
    check(3, || {
        let words = Arc::new(Words::new(0));
        let dead = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                let _ = turn(&words, 1);
            })
        };
        let own = [turn(&words, 0), turn(&words, 0)];
        // The kernel tells of the death.
        dead.join().expect("no panic");
        let more = turn(&words, 0);
        let left = taken(&*words, 1).map(|(from, to)| {
            assert_eq!(to, from + RECORD);
            from
        });
        all_once(
            &words,
            own.into_iter().chain([more, left]).flatten().collect(),
        );
    });
}
