//! How the members of a pool share the records of a bus: in turns, each of which takes the next range of positions for one of them.
//! See `docs/shared.md`, "Pools".
//!
//! A turn is taken by one compare-and-swap on one word, which says the turn's number and whose it is. So it is never in doubt
//! whose a range is, whenever a process dies.

use super::order;
use crate::sync::{AtomicU64, Ordering::Relaxed, fetch_max, load};

#[cfg(all(test, not(loom)))]
mod tests;
#[cfg(test)]
pub(super) mod words;

/// How many low bits of the word of the last turn say whose it is.
const INDEX_BITS: u32 = 12;
const INDEX: u64 = (1 << INDEX_BITS) - 1;

/// The words of a pool.
pub(crate) trait Pool {
    /// The number by which the pool itself is said to have had the last turn.
    fn own(&self) -> usize;

    /// The number of the last turn, and above whose number it is.
    fn last(&self) -> &AtomicU64;

    /// Up to where nothing is to be taken, while the pool itself has had the last turn.
    fn start(&self) -> &AtomicU64;

    /// The words of the seat with this number, if it is one of this pool.
    fn seat(&self, index: usize) -> Option<SeatWords<'_>>;
}

/// What a seat in a pool says of its turns. Only who has the seat writes the cells.
pub(crate) struct SeatWords<'a> {
    /// A turn that it has had: the last one, unless that is the last of the pool. Written by whoever takes the next turn.
    pub(crate) won: &'a AtomicU64,
    /// The last turn that it has had, and the one that it tries to take, or either of them and an older one.
    pub(crate) cells: [Cell<'a>; 2],
}

/// A turn, and what it takes: the records that begin in a range of positions.
pub(crate) struct Cell<'a> {
    pub(crate) turn: &'a AtomicU64,
    pub(crate) from: &'a AtomicU64,
    pub(crate) to: &'a AtomicU64,
}

impl SeatWords<'_> {
    /// The cell of this turn.
    fn cell(&self, turn: u64) -> Option<&Cell<'_>> {
        // Edge 21, cell.
        let is_its = |cell: &&Cell<'_>| load(cell.turn, order::cell_load()) == turn;
        self.cells.iter().find(is_its)
    }
}

/// The last turn of a pool, as it was at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Turn {
    word: u64,
    /// Up to where all is taken; where the next turn begins.
    pub(crate) next: u64,
    /// Nobody has had a turn yet: `next` is where the pool was told to begin. No record need begin or end there, and what stands before it
    /// may be unfinished.
    pub(crate) is_first: bool,
}

/// The word of the last turn before anybody has had one, and after [`forget`].
pub(crate) fn word_of(turn: u64, index: usize) -> u64 {
    turn << INDEX_BITS | index as u64 & INDEX
}

/// How often a look at the last turn is begun anew where the word has changed meanwhile. Members take turns far more slowly: beyond that somebody
/// else writes there.
const LOOKS: u32 = 1 << 10;

/// The last turn. `Err`: what the word says, which can't be, or is never the same.
pub(crate) fn look(pool: &impl Pool) -> Result<Turn, u64> {
    for _ in 0..LOOKS {
        // Edge 20, turn.
        let word = load(pool.last(), order::turn_load());
        let (turn, index) = (word >> INDEX_BITS, (word & INDEX) as usize);
        let is_first = index == pool.own();
        let next = if is_first {
            // Edge 37, said: likewise by the next load of the word.
            Some(load(pool.start(), order::cell_load()))
        } else {
            // Edge 21, cell: if it is another turn's by now, the next load of the word shows it.
            let next = |cell: &Cell<'_>| load(cell.to, order::cell_load());
            let seat = pool.seat(index);
            seat.and_then(|seat| seat.cell(turn).map(next))
        };
        if load(pool.last(), order::turn_load()) == word {
            let turn = |next| Turn {
                word,
                next,
                is_first,
            };
            return next.map(turn).ok_or(word);
        }
    }
    Err(load(pool.last(), Relaxed))
}

/// The last turn that a seat has had, which nobody takes turns for meanwhile; 0: none.
fn last_of(pool: &impl Pool, index: usize, seat: &SeatWords<'_>) -> u64 {
    // Edge 20, turn: if another has had the last turn, it has said before whose the one before was.
    let word = load(pool.last(), order::turn_load());
    let won = seat.won.load(Relaxed);
    if (word & INDEX) as usize == index {
        won.max(word >> INDEX_BITS)
    } else {
        won
    }
}

/// What a seat has taken last, which nobody takes turns for meanwhile.
pub(crate) fn taken(pool: &impl Pool, index: usize) -> Option<(u64, u64)> {
    let seat = pool.seat(index)?;
    let turn = last_of(pool, index, &seat);
    let cell = seat.cell(turn).filter(|_| turn != 0)?;
    Some((cell.from.load(Relaxed), cell.to.load(Relaxed)))
}

/// Takes the turn after `last` for `seat`, that with the number `index`, which is the caller's: all from `from` up to `to`. `false`: another was
/// faster.
///
/// It is the caller's, too, if it dies in here and the word says so.
pub(crate) fn take(
    pool: &impl Pool,
    last: &Turn,
    (index, seat): (usize, &SeatWords<'_>),
    (from, to): (u64, u64),
) -> bool {
    let before = last_of(pool, index, seat);
    let [first, second] = &seat.cells;
    // The other one may still be owed, or say where the next turn begins.
    let cell = if first.turn.load(Relaxed) == before {
        second
    } else {
        first
    };
    let (turn, whose) = (last.word >> INDEX_BITS, (last.word & INDEX) as usize);
    // Edge 21, cell: who reads any of these finds that the turn which stood here before is not the last any more.
    cell.turn.store(turn + 1, order::cell_store());
    fault!("turn_named");
    cell.from.store(from, order::cell_store());
    fault!("turn_begun");
    cell.to.store(to, order::cell_store());
    fault!("turn_written");
    if let Some(seat) = pool.seat(whose) {
        // Said before the word goes on: edge 20. It is true whenever it is said.
        fetch_max(seat.won, turn, Relaxed);
        fault!("turn_confirmed");
    }
    // Edge 20, turn.
    let (word, order) = (word_of(turn + 1, index), order::turn_store());
    let taken = pool
        .last()
        .compare_exchange(last.word, word, order, Relaxed)
        .is_ok();
    if taken {
        fault!("turn_taken");
    }
    taken
}
