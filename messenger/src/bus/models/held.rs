//! Edges 22 and 31: what a subscriber held goes on being held after its death, until one takes it over, or frees it. Two may settle for it at once.

use std::sync::atomic::AtomicBool;

use loom::sync::Arc;
use loom::thread;

use super::{Model, Publisher, RECORD, check, memory, step};
use crate::bus::hold::{Entries, HELD, Seat};
use crate::bus::layout::Owner;
use crate::bus::park::Barrier;
use crate::bus::ring::{Memory, Ring};
use crate::bus::seats::{take, whose};
use crate::sync::{AtomicU64, Ordering::Relaxed};

type Bus = Ring<Model>;

const DEAD: Owner = 1;

fn process(memory: &Model, owner: Owner) -> Bus {
    Ring::shared(
        memory.clone(),
        super::CAPACITY,
        0x5EED,
        owner,
        Barrier::Process,
    )
}

/// Who takes it over finds from where on it is held: not what was read and let go of.
#[test]
fn what_is_held_is_taken_over_from_where_it_is() {
    check(3, || {
        let memory = memory(2, false);
        let [dead, settler, other] = [DEAD, 2, 3].map(|owner| process(&memory, owner));
        let slot = dead.join(0).expect("a slot").slot;
        let settles = thread::spawn(move || {
            dead.advance(slot, RECORD);
            settler.hand_over(slot, (DEAD, HELD));
        });
        if let Some(joined) = other.take_over(slot, HELD) {
            assert_eq!((joined.slot, joined.floor), (slot, RECORD));
        }
        settles.join().expect("no panic");
    });
}

/// Two take it over at once, and leave it; one of them does, and nothing is overwritten until it has. Who joins by that slot then keeps its place.
#[test]
fn what_is_held_is_freed_once() {
    check(3, || {
        let memory = memory(2, false);
        let dead = process(&memory, DEAD);
        let slot = dead.join(0).expect("a slot").slot;
        let mut publisher = Publisher::new(&process(&memory, 2));
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        dead.hand_over(slot, (DEAD, HELD));
        let leave = move |bus: &Bus| {
            if let Some(joined) = bus.take_over(slot, HELD) {
                step(bus, joined.floor).expect("a record");
                bus.leave(slot);
            }
        };
        let joins = {
            let bus = process(&memory, 3);
            thread::spawn(move || {
                leave(&bus);
                if let Some(joined) = bus.join(0) {
                    step(&bus, joined.floor);
                    assert_eq!(bus.owner_of(joined.slot), Some(3), "it has lost its place");
                }
            })
        };
        let leaves = {
            let bus = process(&memory, 4);
            thread::spawn(move || leave(&bus))
        };
        let _ = publisher.try_publish();
        joins.join().expect("no panic");
        leaves.join().expect("no panic");
    });
}

/// As `check`, of a model that says whether it has come to what it is about: in some schedule it does.
fn check_that_reaches(preemptions: usize, model: impl Fn() -> bool + Sync + Send + 'static) {
    let reached = std::sync::Arc::new(AtomicBool::new(false));
    let reaches = std::sync::Arc::clone(&reached);
    check(preemptions, move || {
        if model() {
            reaches.store(true, Relaxed);
        }
    });
    assert!(reached.load(Relaxed), "nothing is shown");
}

/// The entry of a worker, or of a seat in a pool.
struct Entry([AtomicU64; 3]);

impl Entry {
    /// Whose it is; it names no slot.
    fn new(owner: Owner) -> Arc<Self> {
        let words = [u64::from(owner), 0, 0];
        Arc::new(Self(words.map(AtomicU64::new)))
    }

    fn seat(&self) -> Seat<'_> {
        let [whose, slot, until] = &self.0;
        Seat { whose, slot, until }
    }

    /// Frees the seat of the dead one; what it has still to read is to be held, or not.
    fn free(&self, bus: &Bus, shares: bool, is_to_be: bool) {
        let hold_anew = || self.seat().until.store(is_to_be.into(), Relaxed);
        bus.free_seat(self.seat(), (DEAD, shares), hold_anew, || is_to_be);
    }

    /// Settles for the dead one; `own` is the slot that pins.
    fn settle(&self, bus: &Bus, own: usize, shares: bool, is_to_be: bool) {
        let is_dead = |owner| owner == DEAD;
        assert!(bus.finish_claims_of(DEAD, (&mut (), own), bus.claimed(), &is_dead));
        self.free(bus, shares, is_to_be);
        bus.free_slots_of(DEAD, self);
    }
}

impl Entries for Entry {
    fn wanted(&self, slot: usize) -> u64 {
        match self.seat().named(usize::MAX) {
            Some(named) if named == slot => self.seat().left_alone(0),
            _ => 0,
        }
    }

    fn unname(&self, slot: usize) {
        self.seat().unname(slot);
    }
}

impl<const N: usize> Entries for [Arc<Entry>; N] {
    fn wanted(&self, slot: usize) -> u64 {
        self.iter()
            .map(|entry| entry.wanted(slot))
            .max()
            .unwrap_or(0)
    }

    fn unname(&self, slot: usize) {
        self.iter().for_each(|entry| entry.unname(slot));
    }
}

/// Two find at once that nobody wants what is held. One of them has freed the slot, and it is held anew for another worker, as the other takes it over.
#[test]
fn what_is_held_anew_is_not_freed() {
    check_that_reaches(3, || {
        let memory = memory(1, true);
        let [dead, frees, other] = [DEAD, 2, 3].map(|owner| process(&memory, owner));
        let entries = [0, DEAD].map(Entry::new);
        let slot = dead.join(0).expect("a slot").slot;
        assert_eq!(dead.seat_in(entries[0].seat(), slot, &entries), None);
        assert!(dead.hand_over(slot, (DEAD, HELD)));
        let anew = {
            let entries = entries.clone();
            thread::spawn(move || {
                let Some(slot) = other.take_unwanted(slot, &entries) else {
                    return false;
                };
                other.leave(slot);
                let slot = dead.join(0).expect("it is free").slot;
                assert_eq!(dead.seat_in(entries[1].seat(), slot, &entries), None);
                entries[1].free(&other, false, true);
                true
            })
        };
        if let Some(slot) = frees.take_unwanted(slot, &entries) {
            frees.leave(slot);
        }
        let anew = anew.join().expect("no panic");
        assert_eq!(frees.is_held(slot), anew);
        anew
    });
}

/// Edge 8: a refresh meets neither the slot of one who goes nor that of one who came before that, and raises the floor beyond what the latter holds. He dies,
/// and who comes next goes on by what is held, from where it is and not before, as nobody can join there any more.
#[test]
fn what_is_held_stays_where_the_floor_has_passed_it() {
    for from in [0, RECORD] {
        check_that_reaches(3, move || {
            let memory = memory(4, true);
            let [dead, other, next] = [DEAD, 2, 3].map(|owner| process(&memory, owner));
            let [free, goes] = [0, 1].map(|_| dead.join(0).expect("a slot").slot);
            let mut publisher = Publisher::new(&other);
            for _ in 0..4 {
                publisher.try_publish().expect("room");
            }
            let own = next.attach().expect("a slot");
            dead.leave(free);
            let comes = thread::spawn(move || {
                let entry = Entry::new(DEAD);
                let came = dead.join(0).expect("a slot");
                assert_eq!((came.slot, came.floor), (free, 0));
                assert_eq!(dead.seat_in(entry.seat(), came.slot, &*entry), None);
                dead.leave(goes);
                dead.advance(came.slot, from);
                // The kernel tells of the death.
                entry.settle(&next, own, false, true);
                let joined = next.join(0).expect("a slot");
                if joined.floor == 0 {
                    step(&next, 0).expect("a record");
                    return false;
                }
                next.leave(joined.slot);
                assert_eq!(next.holds(came.slot, 0), from == 0);
                let taken = next.take_over_at(came.slot, 0);
                assert_eq!(taken.is_some(), from == 0, "it is not held from there on");
                let taken = taken.or_else(|| next.take_over_at(came.slot, from));
                assert_eq!(taken.expect("it is held").floor, from);
                step(&next, from).expect("a record");
                true
            });
            let _ = publisher.try_publish();
            comes.join().expect("no panic")
        });
    }
}

/// Who has a dead one's seat next settles there while another settles for the dead one. What is held is the next one's, and nothing is written over before it
/// has read that.
#[test]
fn two_settle_for_a_dead_ones_seat() {
    check(3, || {
        let memory = memory(3, true);
        let [dead, settler, next] = [DEAD, 2, 3].map(|owner| process(&memory, owner));
        let entry = Entry::new(DEAD);
        let slot = dead.join(0).expect("a slot").slot;
        assert_eq!(dead.seat_in(entry.seat(), slot, &*entry), None);
        let mut publisher = Publisher::new(&next);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let pins = settler.attach().expect("a slot");
        let settles = {
            let entry = Arc::clone(&entry);
            thread::spawn(move || entry.settle(&settler, pins, false, true))
        };
        entry.free(&next, false, true);
        entry.seat().whose.store(3, Relaxed);
        let joined = next.take_over_at(slot, 0).expect("it is held");
        assert!(publisher.try_publish().is_err(), "it is not held");
        step(&next, joined.floor).expect("a record");
        settles.join().expect("no panic");
        assert_eq!(next.owner_of(slot), Some(3), "it has lost its place");
        assert_eq!(whose(entry.seat().whose), 3, "it has lost its seat");
    });
}

/// The same where the next one goes on by a slot of its own, and gives back that of the dead one: a publisher has that then, for which nobody settles.
#[test]
fn two_settle_for_a_dead_one_and_its_slot_is_anothers() {
    for is_to_be in [true, false] {
        check_that_reaches(2, move || {
            let memory = memory(4, false);
            memory.control().limit.store(super::CAPACITY, Relaxed);
            let [dead, settler, next] = [DEAD, 2, 3].map(|owner| process(&memory, owner));
            let entry = Entry::new(DEAD);
            let slot = dead.join(0).expect("a slot").slot;
            assert_eq!(dead.seat_in(entry.seat(), slot, &*entry), None);
            let pins = settler.attach().expect("a slot");
            let settles = {
                let entry = Arc::clone(&entry);
                thread::spawn(move || entry.settle(&settler, pins, false, is_to_be))
            };
            entry.free(&next, false, is_to_be);
            entry.seat().whose.store(3, Relaxed);
            let own = next.join(0).expect("a slot").slot;
            // Or the other one frees it.
            let freed = next.seat_in(entry.seat(), own, &*entry);
            freed.into_iter().for_each(|slot| next.leave(slot));
            let mut publisher = Publisher::new(&next);
            let has = publisher.room.slot;
            let at = publisher.try_publish().expect("room");
            next.settle(has);
            settles.join().expect("no panic");
            for slot in [own, has] {
                assert_eq!(next.owner_of(slot), Some(3), "it has lost its place");
            }
            assert_eq!(whose(entry.seat().whose), 3, "it has lost its seat");
            step(&next, at).expect("a record");
            has == slot && freed.is_some()
        });
    }
}

/// Edge 31: who takes a seat that a dead one has left, or an entry that is nobody's any more, finds what was done there, and nobody who settles there still.
#[test]
fn a_seat_is_anothers_when_it_is_settled() {
    let takes: [fn(&AtomicU64) -> bool; 2] = [
        |seat| take(seat, 3),
        |seat| {
            let is_free = whose(seat) == 0;
            if is_free {
                seat.store(3, Relaxed);
            }
            is_free
        },
    ];
    for takes in takes {
        for (shares, is_to_be) in [(true, true), (true, false), (false, false)] {
            check_that_reaches(3, move || {
                let memory = memory(3, true);
                let [dead, settler, next] = [DEAD, 2, 3].map(|owner| process(&memory, owner));
                let entry = Entry::new(DEAD);
                let [slot, own] = [&dead, &next].map(|bus| bus.join(0).expect("a slot").slot);
                assert_eq!(dead.seat_in(entry.seat(), slot, &*entry), None);
                let pins = settler.attach().expect("a slot");
                let takes = {
                    let entry = Arc::clone(&entry);
                    thread::spawn(move || {
                        let seat = entry.seat();
                        if !takes(seat.whose) {
                            return false;
                        }
                        if shares {
                            let named = seat.named(2);
                            assert_eq!(named, is_to_be.then_some(slot));
                            assert_eq!(
                                named.map(|slot| next.is_held(slot)),
                                is_to_be.then_some(true)
                            );
                        }
                        let freed = next.seat_in(seat, own, &*entry);
                        freed.into_iter().for_each(|slot| next.leave(slot));
                        true
                    })
                };
                entry.settle(&settler, pins, shares, is_to_be);
                let taken = takes.join().expect("no panic");
                if taken {
                    assert_eq!(entry.seat().named(2), Some(own), "it is named no more");
                    assert_eq!(settler.owner_of(own), Some(3), "it has lost its place");
                }
                taken
            });
        }
    }
}

/// Edge 22: who only sees that a slot is held finds for whom, and until when.
#[test]
fn who_sees_that_it_is_held_sees_until_when() {
    check_that_reaches(3, || {
        let memory = memory(2, true);
        let [dead, settler, other] = [DEAD, 2, 3].map(|owner| process(&memory, owner));
        let pins = settler.attach().expect("a slot");
        let entry = Entry::new(0);
        let settles = {
            let entry = Arc::clone(&entry);
            thread::spawn(move || {
                entry.seat().whose.store(DEAD.into(), Relaxed);
                let slot = dead.join(0).expect("a slot").slot;
                assert_eq!(dead.seat_in(entry.seat(), slot, &*entry), None);
                entry.settle(&settler, pins, false, true);
            })
        };
        let is_held = other.is_held(1);
        assert!(!is_held || entry.left(1) > 0, "it is held for nobody");
        settles.join().expect("no panic");
        is_held
    });
}
