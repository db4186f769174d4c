//! The orderings of the protocol, each with the number of its happens-before edge in
//! `docs/bus.md`, so that the two ends of an edge cite the same name.
//!
//! In a build for loom the one that the environment variable `MUTANT` names is weakened; `ci/loom.sh --mutants` shows that
//! a model fails for each. Beside each stands a model that fails without it, or that none does: then the reason stands in
//! `docs/bus.md`.

use crate::sync::Ordering::{self, Acquire, Relaxed, Release};
use crate::sync::{AtomicU32, AtomicU64, fence};

/// Whether this is the ordering that the run is to do without.
#[cfg(loom)]
fn is_mutant(name: &str) -> bool {
    static MUTANT: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    MUTANT
        .get_or_init(|| std::env::var("MUTANT").ok())
        .as_deref()
        == Some(name)
}

#[cfg(not(loom))]
#[inline(always)]
const fn is_mutant(_: &str) -> bool {
    false
}

macro_rules! orderings {
    ($($(#[$doc:meta])* $name:ident = $strong:ident;)*) => {
        $($(#[$doc])* #[inline(always)] pub(crate) fn $name() -> Ordering {
            if is_mutant(stringify!($name)) { Relaxed } else { $strong }
        })*
    };
}

orderings! {
    /// Edge 1, commit: the publisher's bytes, before its stamp (committed, aborted or padding).
    /// Model: `commit::claim_commit_read`.
    finish_store = Release;
    /// Edge 1, commit: a reader's load of the stamp.
    /// Model: `commit::claim_commit_read`.
    stamp_load = Acquire;
    /// Edge 2, reuse: a subscriber's reads, before it stores its position.
    /// Model: `room::reuse_after_reading`.
    position_store = Release;
    /// Edges 2, 6, 9, 10, 19: a refresher's load of a slot's word.
    /// Model: `observe::repin`.
    scan_load = Acquire;
    /// Edge 3, limit: what a refresher saw read, before it raises the limit.
    /// Model: `observe::observe_during_wrap_by_two`.
    limit_store = Release;
    /// Edge 3, limit: a publisher's load of the limit before it overwrites.
    /// Model: `room::reuse_after_reading`.
    limit_load = Acquire;
    /// Edge 4, room without subscribers: a walker's load of the stamps that it certifies.
    /// Model: `room::room_without_subscribers`.
    walk_load = Acquire;
    /// Edge 5, floor: what lies before the floor, before the floor is raised.
    /// Model: `segments::the_tail_is_not_before_the_floor`.
    floor_store = Release;
    /// Edge 5, floor: the load of the floor by one who starts there.
    /// Model: `segments::the_tail_is_not_before_the_floor`.
    floor_load = Acquire;
    /// Edge 6, leave: a member's last reads, before its slot is free.
    /// Model: `room::leave_orders_reads`.
    leave_store = Release;
    /// Edge 7, takeover: the next owner of a slot, after the last one's reads.
    /// Model: `enrol::one_who_enrols_while_another_leaves_is_woken`.
    take_slot = Acquire;
    /// Edge 9, re-pin: the reads under the last pin, before the next pin replaces it.
    /// Model: `observe::repin`.
    pin_store = Release;
    /// Edge 10, unpin: the reads under a pin, before it goes.
    /// Model: `observe::observe_during_wrap`.
    unpin_store = Release;
    /// Edge 19, rest: a subscriber's reads in a batch, before it may be evicted.
    /// Model: `evict::evict_after_a_batch`.
    rest_store = Release;
    /// Edge 12, epoch: a sleeper's load of the epoch, and a task's waker, before the announcement.
    /// By reason.
    announce_store = Release;
    /// Edge 12, epoch: a waker's load of the announcement, before it bumps the epoch.
    /// By reason.
    announce_load = Acquire;
    /// Edge 13, growth: a segment, before there are said to be some up to its end.
    /// Model: `segments::a_publisher_crosses_by_the_limit_of_another`.
    growth_store = Release;
    /// Edge 13, growth: the load of that, before a member turns to a segment.
    /// Model: `segments::a_publisher_crosses_by_the_limit_of_another`.
    growth_load = Acquire;
    /// Edge 15, intent: what a publisher says that it tries to claim, before it moves the tail.
    /// Model: `recover::a_live_one_that_goes_on_is_not_robbed`.
    tail_move = Release;
    /// Edge 15, intent: the load of the tail by one who then looks at intents, or whether a note is made.
    /// Model: `progress::a_note_is_finished_before_what_comes_after_it_is_synced`.
    tail_load = Acquire;
    /// Edge 16, settled: the stamps of a claim, before it is said to be finished.
    /// Model: `recover::two_settle_for_two_dead`.
    settle_store = Release;
    /// Edge 16, settled: likewise, and the length of a claim, before what is said next.
    /// Model: `recover::a_live_one_that_goes_on_is_not_robbed`.
    intent_store = Release;
    /// Edge 16, settled: the load of an intent, before a look at the stamps.
    /// Model: `recover::two_settle_for_two_dead`.
    intent_load = Acquire;
    /// Edge 17, length: that an intent is over, before the length of the next one.
    /// Model: `recover::a_live_one_that_goes_on_is_not_robbed`.
    length_store = Release;
    /// Edge 17, length: the load of a length, before another look at its intent.
    /// Model: `recover::a_live_one_that_goes_on_is_not_robbed`.
    length_load = Acquire;
    /// Edge 22, held: what the last owner of a slot did, before the slot is said to be held for another.
    /// Model: `held::what_is_held_is_taken_over_from_where_it_is`.
    hold_store = Release;
    /// Edge 22, held: who takes that over, before it looks from where on it is held.
    /// Model: `held::what_is_held_is_taken_over_from_where_it_is`.
    hold_load = Acquire;
    /// Edge 20, turn: what a member of a pool takes, and whose the last turn was, before the word of the last turn goes on.
    /// Model: `turns::what_a_dead_one_has_taken_is_known`.
    turn_store = Release;
    /// Edge 20, turn: the load of that word.
    /// Model: `turns::what_a_dead_one_has_taken_is_known`.
    turn_load = Acquire;
    /// Edge 21, cell: that its turn is the last no more, before a cell is written anew.
    /// Model: `turns::each_range_is_taken_once`.
    cell_store = Release;
    /// Edge 21, cell: the load of a cell, before another look at the word.
    /// Model: `turns::each_range_is_taken_once`.
    cell_load = Acquire;
    /// Edge 23, finished: what somebody has walked over, before that is said to be finished.
    /// Model: `progress::what_is_finished_is_flushed_by_another`.
    finished_store = Release;
    /// Edge 23, finished: the load of that, by who does not walk over it.
    /// Model: `progress::what_is_finished_is_flushed_by_another`.
    finished_load = Acquire;
    /// Edge 25, synced: a flush, before what it took is said to be synced.
    /// Model: `progress::what_is_synced_has_been_flushed`.
    synced_store = Release;
    /// Edge 25, synced: the load of the watermark, by who relies on it.
    /// Model: `progress::what_is_synced_has_been_flushed`.
    synced_load = Acquire;
    /// Edge 27, names: the flush of the names of segments, before they are said to be flushed.
    /// Model: `progress::names_are_flushed_once_for_all`.
    names_store = Release;
    /// Edge 27, names: the load of that, by who does not flush them.
    /// Model: `progress::names_are_flushed_once_for_all`.
    names_load = Acquire;
    /// Edge 28, failure: why a flush has failed, before it is said to have failed.
    /// Model: `progress::a_failure_is_told_with_its_reason`.
    failed_store = Release;
    /// Edge 28, failure: the load of that, before the reason is looked at.
    /// Model: `progress::a_failure_is_told_with_its_reason`.
    failed_load = Acquire;
    /// Edge 29, noted: the stamp of a note of the time, before nobody is said to make one.
    /// Model: `progress::a_note_is_finished_before_what_comes_after_it_is_synced`.
    noted_store = Release;
    /// Edge 29, noted: the load of that, before the walk.
    /// Model: `progress::a_note_is_finished_before_what_comes_after_it_is_synced`.
    noted_load = Acquire;
    /// Edge 30, removed: a segment that is removed, and the flush of that, before it is said to be gone.
    /// Model: `progress::a_segment_is_removed_after_those_before_it`.
    removed_store = Release;
    /// Edge 30, removed: the load of that, before the next segment is removed.
    /// Model: `progress::a_segment_is_removed_after_those_before_it`.
    removed_load = Acquire;
    /// Edges 31, seat, and 33, move: what who had a seat has done there, and said, before it is nobody's any more.
    /// Model: `seats::who_moves_is_found`.
    seat_store = Release;
    /// Edges 31, seat, and 33, move: the load of whose a seat is.
    /// Model: `seats::who_moves_is_found`.
    seat_load = Acquire;
    /// Edge 31, seat: who takes it, before it looks what is owed there.
    /// Model: `seats::who_takes_a_seat_finds_what_was_done_there`.
    seat_take = Acquire;
    /// Edges 32, call, and 33, move: a seat that is left, or taken beside another, before that is said.
    /// Model: `seats::who_has_looked_is_called_again`.
    call_store = Release;
    /// Edges 32, call, and 33, move: the load of that, before a look at the seats.
    /// Model: `seats::who_has_looked_is_called_again`.
    call_load = Acquire;
    /// Edge 35, entry: the words of an entry, before it says what it is.
    /// Model: `seats::of_an_entry_that_stays_all_is_of_one`.
    entry_store = Release;
    /// Edge 35, entry: the load of that, before its words.
    /// Model: `seats::of_an_entry_that_stays_all_is_of_one`.
    entry_load = Acquire;
    /// Edge 37, said: what a worker has handled and sent, or where a pool was told to begin, before its position is said.
    /// Model: `seats::a_pool_begins_before_the_tail`.
    said_store = Release;
    /// Edge 37, said: the load of a position.
    /// Model: `seats::what_is_handled_has_been_sent`.
    said_load = Acquire;
    /// Edge 38, schema: the text of a schema, before it counts.
    /// Model: `seats::a_schema_that_counts_is_whole`.
    schema_store = Release;
    /// Edge 38, schema: the load of which one counts, by who looks at it without the door.
    /// Model: `seats::a_schema_that_counts_is_whole`.
    schema_load = Acquire;
}

macro_rules! light_fences {
    ($($(#[$doc:meta])* $name:ident = $strong:ident;)*) => {
        $($(#[$doc])* #[inline(always)] pub(crate) fn $name() {
            if !is_mutant(stringify!($name)) {
                fence($strong);
            }
        })*
    };
}

light_fences! {
    /// Edge 1, commit: after a relaxed load of the stamp, where nothing can be written.
    /// Model: `glance::glance_at_the_newest`.
    glance_fence = Acquire;
    /// Edge 18, overwriting: what allowed a publisher to write over others' bytes, before it does.
    /// Model: `glance::glance_during_wrap_by_two`.
    overwrite_fence = Release;
    /// Edge 18, overwriting: a copy by one who holds nothing, before it looks whether that was allowed.
    /// Model: `glance::glance_during_wrap`.
    validate_fence = Acquire;
    /// Edge 22, held: that a slot is held, before the look until when, and for whom.
    /// Model: `held::who_sees_that_it_is_held_sees_until_when`.
    held_fence = Acquire;
    /// Edge 35, entry: that who had an entry before has gone, before its words are written anew.
    /// Model: `seats::of_an_entry_that_stays_all_is_of_one`.
    new_entry_fence = Release;
    /// Edge 35, entry: the words of an entry, before another look whether it is still the same one's.
    /// Model: `seats::of_an_entry_that_stays_all_is_of_one`.
    known_fence = Acquire;
}

macro_rules! fences {
    ($($(#[$doc:meta])* $name:ident;)*) => {
        $($(#[$doc])* #[inline(always)] pub(crate) fn $name() {
            if !is_mutant(stringify!($name)) {
                fence(Ordering::SeqCst);
            }
        })*
    };
}

fences! {
    /// Edges 8 and 11: between raising the floor and the second scan.
    /// Model: `join::join_during_wrap`.
    refresh_fence;
    /// Edge 14, retire: the same, where segments are given up.
    /// Model: `segments::a_segment_is_given_up_beside_a_joiner`.
    retire_fence;
    /// Edge 8, join: between taking a slot, or being evicted from it, and loading the floor.
    /// Model: `join::join_during_wrap`.
    join_fence;
    /// Edge 11, pin: between the pin and loading the floor.
    /// Model: `observe::observe_during_wrap`.
    pin_fence;
    /// Edge 12, sleep: between announcing a sleeper and its last look.
    /// Model: `enrol::one_who_enrols_is_woken`.
    sleep_fence;
    /// Edge 12, wake: between a commit (or an advance) and the look for sleepers.
    /// Model: `enrol::one_who_enrols_is_woken`.
    wake_fence;
    /// Edge 12, enrol: between a slot that says that its member is enrolled and the publishers' flag.
    /// Model: `enrol::one_who_enrols_while_another_leaves_is_woken`.
    enrol_fence;
    /// Edge 12, enrol: between clearing the publishers' flag and the last look at the slots.
    /// Model: `enrol::one_who_enrols_while_another_leaves_is_woken`.
    settle_fence;
    /// Edge 12, enrol: between a slot that says so no more and the first look at the others.
    /// Model: `enrol::the_last_two_who_withdraw_leave_no_fences`.
    withdraw_fence;
    /// Edge 24, check: between a number, or its check, and the next look at both.
    /// Model: `progress::the_check_fits_whoever_comes_last`.
    check_fence;
    /// Edge 26, naming: between saying that somebody syncs and flushing the names that are there.
    /// Model: `progress::a_name_is_flushed_by_who_gives_it_or_who_begins_to_sync`.
    syncing_fence;
    /// Edge 26, naming: between naming a segment and the look whether somebody syncs.
    /// Model: `progress::a_name_is_flushed_by_who_gives_it_or_who_begins_to_sync`.
    naming_fence;
    /// Edge 34, deaths: between saying that a process is dead and the look who else lives.
    /// Model: `seats::of_two_who_die_one_finds_the_other_dead`.
    death_fence;
    /// Edge 36, arrivals: between saying that a process is here and the look who else is.
    /// Model: `seats::of_two_who_come_one_finds_the_other`.
    arrival_fence;
}

macro_rules! swaps {
    ($word:ident: $value:ident; $($(#[$doc:meta])* $name:ident = $order:expr;)*) => {
        $($(#[$doc])* #[inline(always)] pub(crate) fn $name(word: &$word, from: $value, to: $value) -> bool {
            if is_mutant(stringify!($name)) {
                // The orderings are not what it is about.
                let is_there = word.load(Acquire) == from;
                if is_there {
                    word.store(to, Release);
                }
                return is_there;
            }
            word.compare_exchange(from, to, $order, Relaxed).is_ok()
        })*
    };
}

// Each in one step, of which only one can succeed. What they order is weakened by its own name.
swaps! {
    AtomicU64: u64;
    /// Rule 4: a subscriber that rests begins to read.
    /// Model: `evict::evict_against_enter`.
    enter_swap = Relaxed;
    /// Rule 4: a subscriber that rests is evicted.
    /// Model: `evict::evict_against_enter`.
    evict_swap = Relaxed;
    /// A dead one's seat is left for it, unless that is another's by now. Edge 31, seat.
    /// Model: `held::two_settle_for_a_dead_ones_seat`.
    leave_swap = seat_store();
    /// A slot that is about to be free is named by a seat no more, unless that names another by now.
    /// Model: `held::a_seat_is_anothers_when_it_is_settled`.
    unname_swap = Relaxed;
}

swaps! {
    AtomicU32: u32;
    /// A slot is held for another from now on, unless that was done by now. Edge 22, held.
    /// Model: `held::two_settle_for_a_dead_ones_seat`.
    hand_over_swap = hold_store();
    /// A slot that is held is taken over, by one. Edge 22, held.
    /// Model: `held::what_is_held_is_freed_once`.
    take_over_swap = hold_load();
}
