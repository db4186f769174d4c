//! Edge 19 and rule 4: a subscriber that may be evicted reads, or is evicted, and never both.

use std::sync::atomic::AtomicBool;

use loom::thread;

use super::{Bus, Publisher, RECORD, bus, check, step};
use crate::bus::layout::Gate;
use crate::sync::Ordering::Relaxed;

/// So long that no model comes to it: they evict by name.
const LONG: u64 = u64::MAX;
/// So short that it has passed by the second look, whatever the clock says.
const NONE: u64 = 0;

/// A full bus of `slots` slots, a publisher, and the slot of a subscriber that rests before all of it.
fn full(slots: usize) -> (Bus, Publisher, usize) {
    full_for(slots, LONG)
}

/// The same, of a subscriber that may rest for so long.
fn full_for(slots: usize, evict_after: u64) -> (Bus, Publisher, usize) {
    let bus = bus(slots, false);
    let joined = bus.join(evict_after).expect("a slot");
    bus.rest(joined.slot, joined.floor, false);
    let mut publisher = Publisher::new(&bus);
    for _ in 0..4 {
        publisher.try_publish().expect("room");
    }
    (bus, publisher, joined.slot)
}

/// Reads a batch of one record, as the crate's subscriber does, from `position` on or, if it was evicted, from where it joins
/// again; gives where it rests then, and whether it was evicted.
fn read_batch(bus: &Bus, slot: usize, position: u64) -> (u64, bool) {
    let entered = bus.enter(slot, position);
    let position = if entered {
        position
    } else {
        let floor = bus.join_again(slot).floor;
        // Of what it has read already it reads nothing again.
        let position = position.max(floor);
        bus.advance(slot, position);
        position
    };
    let next = step(bus, position).unwrap_or(position);
    bus.rest(slot, next, true);
    (next, !entered)
}

/// A publisher evicts one that begins a batch: what that one reads is never overwritten under its feet, and it is told.
#[test]
fn evict_against_enter() {
    check(3, || {
        let (bus, mut publisher, slot) = full(2);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || read_batch(&bus, slot, 0))
        };
        let evicted = bus.evict(slot, 0);
        let _ = publisher.try_publish();
        let (_, told) = reader.join().expect("no panic");
        assert_eq!(told, evicted, "one of the two comes about");
    });
}

/// A publisher evicts one that has just ended a batch, and writes over what was read in it.
#[test]
fn evict_after_a_batch() {
    check(3, || {
        let (bus, mut publisher, slot) = full(2);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || read_batch(&bus, slot, 0))
        };
        if bus.evict(slot, RECORD) {
            publisher
                .try_publish()
                .expect("nobody holds the first record");
        }
        let (next, told) = reader.join().expect("no panic");
        assert_eq!((next, told), (RECORD, false));
    });
}

/// One that was evicted joins again while the publisher writes on: from the floor that it finds, nothing is overwritten.
#[test]
fn join_again_during_wrap() {
    check(2, || {
        let (bus, mut publisher, slot) = full(2);
        assert!(bus.evict(slot, 0));
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let (position, told) = read_batch(&bus, slot, 0);
                assert!(told);
                read_batch(&bus, slot, position);
            })
        };
        for _ in 0..3 {
            let _ = publisher.try_publish();
        }
        reader.join().expect("no panic");
    });
}

/// The same beside a subscriber that has read all, so that the floor moves by its position.
#[test]
fn join_again_beside_a_subscriber() {
    check(2, || {
        let (bus, mut publisher, slot) = full(3);
        let other = bus.join(0).expect("a slot");
        bus.advance(other.slot, 3 * RECORD);
        assert!(bus.evict(slot, 0));
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || read_batch(&bus, slot, 0))
        };
        for _ in 0..3 {
            let _ = publisher.try_publish();
        }
        reader.join().expect("no panic");
    });
}

/// Two publishers evict one at a time at which it reads: one of the three gets it, and each writes only where it may.
#[test]
fn two_evict_one_that_reads() {
    check(2, || {
        let (bus, mut one, slot) = full(3);
        let mut other = Publisher::new(&bus);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || read_batch(&bus, slot, 0))
        };
        let first = thread::spawn(move || {
            let evicted = one.bus.evict(slot, 0);
            let _ = one.try_publish();
            evicted
        });
        let second = bus.evict(slot, 0);
        let _ = other.try_publish();
        let first = first.join().expect("no panic");
        let (_, told) = reader.join().expect("no panic");
        assert_eq!(u8::from(told), u8::from(first) + u8::from(second));
        assert_eq!(bus.memory.0.control.evicted.load(Relaxed), u64::from(told));
    });
}

/// Who evicts dies before it has made room of it. Another one does, and the evicted one is told.
#[test]
fn who_evicts_dies() {
    check(3, || {
        let (bus, mut publisher, slot) = full(2);
        let dying = {
            let bus = bus.clone();
            thread::spawn(move || bus.evict(slot, 0))
        };
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || read_batch(&bus, slot, 0))
        };
        let _ = publisher.try_publish();
        let evicted = dying.join().expect("no panic");
        let (next, told) = reader.join().expect("no panic");
        assert_eq!(told, evicted);
        let word = bus.memory.0.slots[slot].gate.load(Relaxed);
        assert_eq!(Gate::of(word), Gate::Resting(next));
    });
}

/// One that may be evicted leaves, or is evicted at that time: its reads come before what is written over them.
#[test]
fn leave_against_evict() {
    check(3, || {
        let (bus, mut publisher, slot) = full(2);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let (next, _) = read_batch(&bus, slot, 0);
                bus.leave(slot);
                next
            })
        };
        let _ = bus.evict(slot, 0) || bus.evict(slot, RECORD);
        let _ = publisher.try_publish();
        reader.join().expect("no panic");
        publisher.try_publish().expect("nobody gates");
    });
}

/// A publisher in want of room evicts by itself one whose time has passed.
#[test]
fn one_that_is_overdue_is_evicted_or_reads_on() {
    check(3, || {
        let (bus, mut publisher, slot) = full_for(2, NONE);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let (position, first) = read_batch(&bus, slot, 0);
                let (_, second) = read_batch(&bus, slot, position);
                u64::from(first) + u64::from(second)
            })
        };
        for _ in 0..3 {
            let _ = publisher.try_publish();
        }
        let told = reader.join().expect("no panic");
        let evicted = bus.memory.0.control.evicted.load(Relaxed);
        // Once more, perhaps, after its last batch.
        let word = bus.memory.0.slots[slot].gate.load(Relaxed);
        let since = matches!(Gate::of(word), Gate::Evicted(_));
        assert_eq!(evicted, told + u64::from(since));
    });
}

/// The same of one that stands before the floor, as when it joined beside a refresh that had seen nobody.
#[test]
fn one_that_stands_before_the_floor_is_evicted_or_reads_on() {
    // That both come about in some schedule.
    static SEEN: [AtomicBool; 2] = [AtomicBool::new(false), AtomicBool::new(false)];
    check(3, || {
        let (bus, mut publisher, slot) = full_for(2, NONE);
        bus.memory.0.control.floor.store(RECORD, Relaxed);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || read_batch(&bus, slot, 0))
        };
        for _ in 0..3 {
            let _ = publisher.try_publish();
        }
        let (_, told) = reader.join().expect("no panic");
        SEEN[usize::from(told)].store(true, Relaxed);
    });
    assert!(SEEN.iter().all(|seen| seen.load(Relaxed)));
}
