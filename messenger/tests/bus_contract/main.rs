//! What a bus promises, checked for each kind of memory, each way to wait, and for buses of many
//! publishers as of one.
//!
//! Each test is a function over a [`kit::Setup`] and a [`kit::Kind`]; `contract!` makes a module
//! of tests for every combination (fewer under Miri, which maps no files). A journal that is bounded and notes no
//! times is a ring too, in segments: what it promises is the same, to the byte. On a bus that processes share, publisher and readers
//! are also in two of them, either of which has made it: the tests are the same, but for those that `in_one_process` lists.

mod kit;

mod awaiting;
mod batches;
mod claims;
mod evict;
mod forging;
mod life;
mod members;
mod observers;
mod order;
#[cfg_attr(
    not(all(feature = "shared", target_os = "linux", not(miri))),
    allow(dead_code, reason = "there is no bus for another process")
)]
mod publisher;
mod reservations;
mod room;
mod stats;
mod tasks;
mod waiting;
#[path = "../support/woken.rs"]
mod woken;

use tasks::{observers as tasks_that_observe, subscribers as tasks_that_subscribe};

/// Instantiates the tests named in both lists for one setup.
macro_rules! setup {
    ($name:ident: $place:expr, $wait:ident, $kind:ident;
     { $($subject:ident { $($test:ident),* $(,)? })* } { $($of:ident::$own:ident,)* }) => {
        mod $name {
            use crate::kit::{Setup, named};
            use messenger::bus::{$kind as Kind, WaitStrategy};

            const SETUP: Setup = Setup { place: $place, wait: WaitStrategy::$wait };

            $(mod $subject {
                $(#[test] fn $test() {
                    super::named(stringify!($name));
                    crate::$subject::$test::<super::Kind>(super::SETUP);
                })*
            })*
            $(#[test] fn $own() {
                named(stringify!($name));
                crate::$of::$own::<Kind>(SETUP);
            })*
        }
    };
}

const HEAP: kit::Place = kit::Place::Ring(messenger::memory::MemoryKind::Heap);
const MAPPED: kit::Place = kit::Place::Ring(messenger::memory::MemoryKind::Mapped);
#[cfg(feature = "journal")]
const SEGMENTS: kit::Place = kit::Place::Segments;
#[cfg(all(feature = "journal", not(miri)))]
const FILES: kit::Place = kit::Place::Files;

macro_rules! contract {
    (anywhere $tests:tt in_one_process $own:tt) => {
        setup! { heap_spin_multi: crate::HEAP, Spin, Multi; $tests $own }
        setup! { mapped_yield_single: crate::MAPPED, Yield, Single; $tests $own }
        setup! { heap_block_multi: crate::HEAP, Block, Multi; $tests $own }
        setup! { mapped_block_now_single: crate::MAPPED, BlockNow, Single; $tests $own }
        #[cfg(feature = "journal")]
        mod journal {
            setup! { segments_yield: crate::SEGMENTS, Yield, Multi; $tests $own }
            setup! { segments_block_now: crate::SEGMENTS, BlockNow, Multi; $tests $own }
            #[cfg(not(miri))]
            mod more {
                setup! { segments_spin: crate::SEGMENTS, Spin, Multi; $tests $own }
                setup! { segments_block: crate::SEGMENTS, Block, Multi; $tests $own }
                setup! { files_spin: crate::FILES, Spin, Multi; $tests $own }
                setup! { files_yield: crate::FILES, Yield, Multi; $tests $own }
                setup! { files_block: crate::FILES, Block, Multi; $tests $own }
                setup! { files_block_now: crate::FILES, BlockNow, Multi; $tests $own }
            }
        }
        #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
        mod shared {
            setup! { shared_spin: crate::kit::Place::SHARED, Spin, Multi; $tests $own }
            setup! { shared_yield: crate::kit::Place::SHARED, Yield, Multi; $tests $own }
            setup! { shared_block: crate::kit::Place::SHARED, Block, Multi; $tests $own }
            setup! { shared_block_now: crate::kit::Place::SHARED, BlockNow, Multi; $tests $own }
            setup! { files_spin: crate::kit::Place::SHARED_FILES, Spin, Multi; $tests $own }
            setup! { files_yield: crate::kit::Place::SHARED_FILES, Yield, Multi; $tests $own }
            setup! { files_block: crate::kit::Place::SHARED_FILES, Block, Multi; $tests $own }
            setup! { files_block_now: crate::kit::Place::SHARED_FILES, BlockNow, Multi; $tests $own }
        }
        #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
        mod two_processes {
            setup! { shared_spin: crate::kit::Place::SPLIT, Spin, Multi; $tests {} }
            setup! { shared_yield: crate::kit::Place::SPLIT, Yield, Multi; $tests {} }
            setup! { shared_block: crate::kit::Place::SPLIT, Block, Multi; $tests {} }
            setup! { shared_block_now: crate::kit::Place::SPLIT, BlockNow, Multi; $tests {} }
            setup! { files_spin: crate::kit::Place::SPLIT_FILES, Spin, Multi; $tests {} }
            setup! { files_yield: crate::kit::Place::SPLIT_FILES, Yield, Multi; $tests {} }
            setup! { files_block: crate::kit::Place::SPLIT_FILES, Block, Multi; $tests {} }
            setup! { files_block_now: crate::kit::Place::SPLIT_FILES, BlockNow, Multi; $tests {} }
        }
        #[cfg(all(feature = "shared", target_os = "linux", not(miri)))]
        mod readers_come_later {
            setup! { shared_block: crate::kit::Place::JOINED, Block, Multi; $tests {} }
            setup! { files_block_now: crate::kit::Place::JOINED_FILES, BlockNow, Multi; $tests {} }
        }
        // All else; under Miri each memory, each wait and each kind of publisher is enough, and not each with each.
        #[cfg(not(miri))]
        mod more {
            setup! { heap_spin_single: crate::HEAP, Spin, Single; $tests $own }
            setup! { heap_yield_multi: crate::HEAP, Yield, Multi; $tests $own }
            setup! { heap_yield_single: crate::HEAP, Yield, Single; $tests $own }
            setup! { heap_block_single: crate::HEAP, Block, Single; $tests $own }
            setup! { heap_block_now_multi: crate::HEAP, BlockNow, Multi; $tests $own }
            setup! { heap_block_now_single: crate::HEAP, BlockNow, Single; $tests $own }
            setup! { mapped_spin_multi: crate::MAPPED, Spin, Multi; $tests $own }
            setup! { mapped_spin_single: crate::MAPPED, Spin, Single; $tests $own }
            setup! { mapped_yield_multi: crate::MAPPED, Yield, Multi; $tests $own }
            setup! { mapped_block_multi: crate::MAPPED, Block, Multi; $tests $own }
            setup! { mapped_block_single: crate::MAPPED, Block, Single; $tests $own }
            setup! { mapped_block_now_multi: crate::MAPPED, BlockNow, Multi; $tests $own }
        }
    };
}

contract! {
    anywhere {
        awaiting {
            a_task_is_woken_when_there_is_room,
            a_task_never_misses_that_there_is_room,
            a_task_is_woken_when_a_subscriber_leaves,
            a_task_that_waits_for_room_no_longer_leaves_nothing,
            a_subscriber_is_evicted_for_a_task,
        }
        order {
            records_arrive_whole_and_in_order,
            every_subscriber_gets_every_record,
            payloads_of_every_length_arrive,
            the_longest_payload_fits_wherever_the_ring_stands,
            many_publishers_share_one_order,
        }
        claims {
            a_dropped_claim_is_stepped_over,
            a_forgotten_claim_is_aborted_by_the_next_use,
            a_forgotten_claim_is_aborted_by_the_publishers_drop,
            a_claim_half_filled_cannot_be_committed,
            a_writer_goes_on_where_the_last_one_ended,
            a_writer_takes_no_more_than_was_claimed,
            zeroed_bytes_are_zero_after_many_laps,
            a_writer_swapped_away_commits_nothing,
            a_claim_being_filled_delays_no_other_claim,
            a_payload_too_large_leaves_no_trace,
        }
        room {
            a_full_bus_says_so_and_keeps_what_is_unread,
            room_comes_back_record_by_record,
            a_bus_without_subscribers_is_never_full,
            a_wait_for_room_times_out,
            a_wait_for_room_ends_when_it_is_told_to,
            a_publisher_waits_for_the_reader,
            a_publisher_waits_for_the_slowest_to_leave,
            a_waiting_publisher_burns_nothing_when_it_blocks,
            a_waiting_publisher_is_not_woken_by_who_only_looks,
            nothing_unread_is_overwritten_while_both_run,
            a_claim_unfinished_is_not_overwritten,
        }
        waiting {
            a_reader_is_woken_by_a_commit,
            a_reader_sleeps_through_aborts,
            a_reader_burns_nothing_when_it_blocks,
            a_wait_for_records_times_out,
            a_wait_for_records_ends_when_it_is_told_to,
            what_is_there_is_given_at_once,
            two_who_answer_each_other_never_miss_a_wake,
        }
        members {
            the_oldest_is_what_is_retained,
            the_newest_is_what_is_claimed_after_the_join,
            a_newest_steps_over_claims_finished_after_its_join,
            a_joiner_holds_back_from_its_start,
            leaving_gives_room,
            joins_and_leaves_while_it_runs,
            slots_run_out_and_come_back,
            a_hundred_subscribers,
        }
        observers {
            an_observer_gets_copies,
            an_observer_holds_nobody_back,
            a_lapped_observer_is_told_how_much_it_missed,
            an_observer_misses_only_what_it_wanted,
            a_newest_observer_sees_only_what_follows,
            an_observer_steps_over_aborts,
            an_observer_waits,
            an_observer_that_waits_takes_its_time_or_none,
            an_observer_beside_a_subscriber_reads_behind_it,
            an_observer_three_quarters_behind_is_not_lapped,
            copies_are_whole_while_publishers_lap,
        }
        batches {
            a_batch_takes_at_most_so_many,
            a_batch_is_held_until_its_end,
            a_reader_that_panics_has_read_its_record,
            aborts_do_not_count,
            a_batch_ends_when_its_reader_says_so,
        }
        reservations {
            a_reservation_carries_several_records,
            each_record_of_a_reservation_is_seen_at_once,
            the_rest_of_a_reservation_is_aborted,
            a_forgotten_reservation_is_aborted_by_the_next_use,
            a_claim_forgotten_in_a_reservation_gives_its_place,
            a_reservation_takes_no_more_than_its_bytes,
            reservations_meet_the_rings_end,
            a_reservation_waits_for_room,
            a_reservation_waits_for_so_long,
            a_reservation_waits_until_it_is_told,
        }
        tasks_that_subscribe {
            a_task_is_woken_by_a_commit,
            a_stream_yields_copies,
            a_stream_holds_nothing_that_it_has_copied,
            a_stream_gives_its_reader_back,
            a_task_that_moved_is_woken_where_it_is,
            a_dropped_task_is_not_woken,
            tasks_and_sleepers_share_a_bus,
            a_waker_that_panics_takes_no_record_back,
            a_waker_may_drop_a_reader,
        }
        tasks_that_observe {
            a_task_is_woken_by_a_commit,
            a_stream_yields_copies,
            a_stream_holds_nobody_back,
            a_stream_gives_its_reader_back,
            a_task_that_moved_is_woken_where_it_is,
            a_dropped_task_is_not_woken,
            tasks_and_sleepers_share_a_bus,
            a_waker_that_panics_takes_no_record_back,
            a_waker_may_drop_a_reader,
        }
        evict {
            one_that_reads_in_time_gets_every_record,
            one_that_rests_for_too_long_is_evicted_and_told,
            one_whose_turn_it_is_is_told_also_as_a_task,
            one_that_reads_is_not_evicted,
            the_end_of_a_batch_gives_room_at_once,
            one_whose_reader_panics_rests,
            one_that_waits_for_a_claim_is_not_evicted,
            none_is_evicted_in_vain,
            several_are_evicted_at_once,
            a_gap_between_two_looks_counts_little,
            only_what_was_wanted_is_missed,
            one_that_is_evicted_may_leave,
            what_is_not_read_is_told_while_all_run,
        }
        stats {
            a_fresh_bus,
            numbers_follow_what_happens,
            lag_is_per_subscriber,
            stats_while_it_runs,
        }
        forging {
            old_payloads_are_never_taken_for_headers,
            payloads_before_aborts_are_never_taken_for_headers,
        }
        life {
            members_outlive_the_bus,
            records_outlive_their_publisher,
            members_cross_threads,
        }
    }
    in_one_process {
        // No pointer of this process says where a claim's bytes lie in another one.
        order::payloads_start_aligned,
        // The code that panics is in this process: to the other one it is a drop.
        claims::a_panic_while_filling_aborts,
        // The publisher has no part in it.
        life::a_registration_ends_with_its_guard,
    }
}
