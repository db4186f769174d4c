//! What those who share a bus say of their seats, as far as it orders anything: whose a seat is, and that somebody has left one. See
//! `docs/shared.md`.
//!
//! What is done behind the door, or for a dead process, is ordered by the kernel's locks. This goes on beside it.

use super::order;
use crate::sync::{AtomicU64, Ordering::Relaxed, load};

/// Whose a seat is; 0: nobody's.
pub(crate) fn whose(seat: &AtomicU64) -> u64 {
    // Edges 31, seat, and 33, move.
    load(seat, order::seat_load())
}

/// Takes a seat, if it is nobody's.
pub(crate) fn take(seat: &AtomicU64, owner: u64) -> bool {
    // Edge 31, seat.
    seat.compare_exchange(0, owner, order::seat_take(), Relaxed)
        .is_ok()
}

/// The seat is nobody's any more.
pub(crate) fn leave(seat: &AtomicU64) {
    // Edges 31, seat, and 33, move.
    seat.store(0, order::seat_store());
}

/// The same of a seat that is perhaps another's by now, and then stays so.
pub(crate) fn leave_for(seat: &AtomicU64, owner: u64) {
    // Edge 31, seat.
    order::leave_swap(seat, owner, 0);
}

/// Says, after it is so, that somebody has left a pool who may owe something; or that one is in two seats of it, and about to leave one.
pub(crate) fn call(left: &AtomicU64) {
    // Edges 32, call, and 33, move.
    left.fetch_add(1, order::call_store());
}

/// What has been said so, before it is looked at what is there.
pub(crate) fn calls(left: &AtomicU64) -> u64 {
    // Edges 32, call, and 33, move.
    load(left, order::call_load())
}

/// What `look` finds in the seats of a pool, one after the other.
pub(crate) fn look_round<T: PartialEq>(left: &AtomicU64, nobody: T, look: impl Fn() -> T) -> T {
    // Edge 34, deaths: of two who die at once, each is said to be dead before it is asked for the other: one of them at least finds the other dead.
    order::death_fence();
    loop {
        let before = calls(left);
        let found = look();
        // Edge 33, move: who moved from a seat that was not looked at yet to one that had been has said so in between.
        if found != nobody || left.load(Relaxed) == before {
            return found;
        }
    }
}
