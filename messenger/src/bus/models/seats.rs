//! Edges 31 to 38: what those who share a bus say of themselves, and of their seats.
//!
//! What stands for what is done before is one of loom's cells, where the words alone are to order it; and else a word that is stored and loaded
//! without any order.

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::thread;

use super::{RECORD, check, word};
use crate::bus::seats::{call, calls, leave, look_round, take, whose};
use crate::bus::turns::{Pool, look};
use crate::bus::{order, turns};
use crate::sync::{AtomicU64, Ordering::Relaxed, load};

/// Numbers of processes.
const ONE: u64 = 1;
const OTHER: u64 = 2;

struct Words {
    said: AtomicU64,
    /// What is done before that is said.
    done: UnsafeCell<bool>,
}

/// One does its work and `says` so by a word that was `before`; another relies on it if it `hears` that.
fn who_hears_of_it_finds_it_done(before: u64, says: fn(&AtomicU64), hears: fn(&AtomicU64) -> bool) {
    check(3, move || {
        let words = Arc::new(Words {
            said: AtomicU64::new(before),
            done: UnsafeCell::new(false),
        });
        let other = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                words.done.with_mut(|done| {
                    // SAFETY: loom checks that no other access races with this one.
                    unsafe { *done = true }
                });
                says(&words.said);
            })
        };
        if hears(&words.said) {
            let done = words.done.with(|done| {
                // SAFETY: loom checks that no write races with this read.
                unsafe { *done }
            });
            assert!(done, "it is said to be done, and is not");
        }
        other.join().expect("no panic");
    });
}

/// Edge 31: who takes a seat goes by what the last owner has said there.
#[test]
fn who_takes_a_seat_finds_what_was_done_there() {
    who_hears_of_it_finds_it_done(ONE, leave, |seat| take(seat, OTHER));
}

/// Edge 31: so does who only finds that it is nobody's.
#[test]
fn who_finds_a_seat_left_finds_what_was_done_there() {
    who_hears_of_it_finds_it_done(ONE, leave, |seat| whose(seat) == 0);
}

/// Edge 32: a member looks for seats that were left while one is. If it does not find that, it is called again.
#[test]
fn who_has_looked_is_called_again() {
    check(3, || {
        let words = Arc::new([AtomicU64::new(ONE), word()]);
        let leaves = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                leave(&words[0]);
                call(&words[1]);
            })
        };
        let seen = calls(&words[1]);
        let found = whose(&words[0]) == 0;
        leaves.join().expect("no panic");
        assert!(found || calls(&words[1]) != seen, "nobody looks again");
    });
}

/// Edge 33: a member moves to another seat while somebody looks whether there is one.
#[test]
fn who_moves_is_found() {
    check(3, || {
        let words = Arc::new([word(), AtomicU64::new(ONE), word()]);
        let moves = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                let [new, old, left] = &*words;
                assert!(take(new, ONE));
                call(left);
                leave(old);
            })
        };
        let [new, old, left] = &*words;
        let is_there = || whose(new) != 0 || whose(old) != 0;
        assert!(look_round(left, false, is_there), "it is in neither");
        moves.join().expect("no panic");
    });
}

/// Two say something of themselves, and then each `looks` what the other has said. Gives what they found.
fn two_say_and_look(looks: fn(&AtomicU64) -> u64) -> [u64; 2] {
    let words = Arc::new([word(), word()]);
    let one = move |words: &[AtomicU64; 2], own: usize| {
        words[own].store(1, Relaxed);
        looks(&words[1 - own])
    };
    let other = {
        let words = Arc::clone(&words);
        thread::spawn(move || one(&words, 1))
    };
    let own = one(&words, 0);
    [own, other.join().expect("no panic")]
}

/// Edge 34: the last two members of a pool die at once, and two settle for them. What nobody has taken is held by one of them.
#[test]
fn of_two_who_die_one_finds_the_other_dead() {
    check(3, || {
        let found = two_say_and_look(|other| {
            let lives = || other.load(Relaxed) == 0;
            look_round(&word(), false, lives).into()
        });
        assert_ne!(found, [1, 1], "each is left to the other");
    });
}

/// Edge 36: two come at once, and one of them finds the other, and has it look.
#[test]
fn of_two_who_come_one_finds_the_other() {
    check(3, || {
        let found = two_say_and_look(|other| {
            order::arrival_fence();
            other.load(Relaxed)
        });
        assert_ne!(found, [0, 0], "neither knows of the other");
    });
}

/// Edge 35: an entry is left, and another has it; whoever reads it meanwhile finds whole what is said of either.
#[test]
fn of_an_entry_that_stays_all_is_of_one() {
    check(3, || {
        // What it is, and what is said of that.
        let words = Arc::new([AtomicU64::new(ONE), AtomicU64::new(ONE)]);
        let next = {
            let words = Arc::clone(&words);
            thread::spawn(move || {
                let [state, text] = &*words;
                state.store(0, order::entry_store());
                order::new_entry_fence();
                text.store(OTHER, Relaxed);
                state.store(OTHER, order::entry_store());
            })
        };
        let [state, text] = &*words;
        let before = load(state, order::entry_load());
        let found = text.load(Relaxed);
        order::known_fence();
        if state.load(Relaxed) == before && before != 0 {
            assert_eq!(found, before, "what was said of another");
        }
        next.join().expect("no panic");
    });
}

/// Edge 37: who reads up to where a worker has handled everything finds on the bus what it has sent.
#[test]
fn what_is_handled_has_been_sent() {
    who_hears_of_it_finds_it_done(
        0,
        |at| at.store(RECORD, order::said_store()),
        |at| load(at, order::said_load()) == RECORD,
    );
}

/// Edges 37 and 21: a pool is begun where something has been claimed, and another member compares that with the tail.
#[test]
fn a_pool_begins_before_the_tail() {
    check(3, || {
        let pool = Arc::new((turns::words::Words::<1>::new(0), word()));
        let begins = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                let (words, tail) = &*pool;
                tail.store(RECORD, Relaxed);
                words.start().store(RECORD, order::said_store());
            })
        };
        let (words, tail) = &*pool;
        let next = look(words).expect("words that can be").next;
        assert!(next <= tail.load(Relaxed), "it is taken for damaged");
        begins.join().expect("no panic");
    });
}

/// Edge 38: a schema is replaced while somebody looks at it who does not wait for the door.
#[test]
fn a_schema_that_counts_is_whole() {
    who_hears_of_it_finds_it_done(
        0,
        |counts| counts.store(1, order::schema_store()),
        |counts| load(counts, order::schema_load()) == 1,
    );
}
