//! Edge 22: what a subscriber held goes on being held after its death, until one takes it over, or frees it.

use loom::thread;

use super::{Model, Publisher, RECORD, check, memory, step};
use crate::bus::layout::Owner;
use crate::bus::park::Barrier;
use crate::bus::ring::Ring;

type Bus = Ring<Model>;

/// The dead one, and what its slot is held for.
const DEAD: Owner = 1;
const HELD: Owner = 9;

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
