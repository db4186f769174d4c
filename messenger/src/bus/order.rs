//! The orderings of the protocol, each with the number of its happens-before edge in
//! `docs/bus.md`, so that the two ends of an edge cite the same name.
//!
//! `--cfg mutant="name"` weakens the one of that name; `ci/loom.sh --mutants` shows that a
//! model fails for each.

use crate::sync::Ordering::{self, Acquire, Relaxed, Release};
use crate::sync::fence;

macro_rules! orderings {
    ($($(#[$doc:meta])* $name:ident = $strong:ident, $mutant:literal;)*) => {
        $($(#[$doc])* pub(crate) const $name: Ordering = if cfg!(mutant = $mutant) { Relaxed } else { $strong };)*
    };
}

orderings! {
    /// Edge 1, commit: the publisher's bytes, before its stamp (committed, aborted or padding).
    FINISH_STORE = Release, "finish_store";
    /// Edge 1, commit: a reader's load of the stamp.
    STAMP_LOAD = Acquire, "stamp_load";
    /// Edge 2, reuse: a subscriber's reads, before it stores its position.
    POSITION_STORE = Release, "position_store";
    /// Edges 2, 6, 9, 10: a refresher's load of a slot's word.
    SCAN_LOAD = Acquire, "scan_load";
    /// Edge 3, limit: what a refresher saw read, before it raises the limit.
    LIMIT_STORE = Release, "limit_store";
    /// Edge 3, limit: a publisher's load of the limit before it overwrites.
    LIMIT_LOAD = Acquire, "limit_load";
    /// Edge 4, room without subscribers: a walker's load of the stamps that it certifies.
    WALK_LOAD = Acquire, "walk_load";
    /// Edge 5, floor: what lies before the floor, before the floor is raised.
    FLOOR_STORE = Release, "floor_store";
    /// Edge 5, floor: the load of the floor by one who starts there.
    FLOOR_LOAD = Acquire, "floor_load";
    /// Edge 6, leave: a member's last reads, before its slot is free.
    LEAVE_STORE = Release, "leave_store";
    /// Edge 7, takeover: the next owner of a slot, after the last one's reads.
    TAKE_SLOT = Acquire, "take_slot";
    /// Edge 9, re-pin: the reads under the last pin, before the next pin replaces it.
    PIN_STORE = Release, "pin_store";
    /// Edge 10, unpin: the reads under a pin, before it goes.
    UNPIN_STORE = Release, "unpin_store";
}

macro_rules! fences {
    ($($(#[$doc:meta])* $name:ident, $mutant:literal;)*) => {
        $($(#[$doc])* #[inline] pub(crate) fn $name() {
            if !cfg!(mutant = $mutant) {
                fence(Ordering::SeqCst);
            }
        })*
    };
}

fences! {
    /// Edges 8 and 11: between raising the floor and the second scan.
    refresh_fence, "refresh_fence";
    /// Edge 8, join: between taking a slot and loading the floor.
    join_fence, "join_fence";
    /// Edge 11, pin: between the pin and loading the floor.
    pin_fence, "pin_fence";
    /// Edge 12, sleep: between announcing a sleeper and its last look.
    sleep_fence, "sleep_fence";
    /// Edge 12, wake: between a commit (or an advance) and the look for sleepers.
    wake_fence, "wake_fence";
}
