//! Edges 5, 7 and 8: joining while the ring wraps.

use loom::thread;

use super::{Bus, Publisher, RECORD, bus, check, step};

/// Joins, reads what is there, and stays joined.
fn join_and_read(bus: &Bus) {
    let joined = bus.join(0).expect("a slot");
    // Edge 5: the tail that a joiner reads is not before its floor.
    assert!(joined.tail >= joined.floor);
    let mut position = joined.floor;
    for _ in 0..2 {
        position = step(bus, position).unwrap_or(position);
    }
    bus.advance(joined.slot, position);
}

/// Edges 5 and 8: one joins while a publisher laps a ring without subscribers. What the joiner
/// finds from its floor on is never overwritten under its feet.
#[test]
fn join_during_wrap() {
    check(2, || {
        let bus = bus(2, false);
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let joiner = {
            let bus = bus.clone();
            thread::spawn(move || join_and_read(&bus))
        };
        for _ in 0..3 {
            let _ = publisher.try_publish();
        }
        joiner.join().expect("no panic");
    });
}

/// Edge 8: one joins while another subscriber's reading lets a publisher lap.
#[test]
fn join_beside_a_subscriber() {
    check(2, || {
        let bus = bus(3, false);
        let first = bus.join(0).expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let mut position = first.floor;
        for _ in 0..3 {
            position = step(&bus, position).expect("four are there");
        }
        bus.advance(first.slot, position);
        let joiner = {
            let bus = bus.clone();
            thread::spawn(move || join_and_read(&bus))
        };
        for _ in 0..3 {
            let _ = publisher.try_publish();
        }
        joiner.join().expect("no panic");
    });
}

/// Edge 5: one who reads the floor sees a tail that is not before it.
#[test]
fn floor_before_tail() {
    check(3, || {
        let bus = bus(2, false);
        let mut publisher = Publisher::new(&bus);
        let joiner = {
            let bus = bus.clone();
            thread::spawn(move || {
                let joined = bus.join(0).expect("a slot");
                assert!(joined.tail >= joined.floor);
            })
        };
        for _ in 0..6 {
            let _ = publisher.try_publish();
        }
        joiner.join().expect("no panic");
    });
}

/// Edge 7: the next owner of a slot, here an observer, speaks for the reads of the last one.
#[test]
fn slot_takeover() {
    check(4, || {
        let bus = bus(2, false);
        let mut publisher = Publisher::new(&bus);
        let first = bus.join(0).expect("the last slot");
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let leaver = {
            let bus = bus.clone();
            thread::spawn(move || {
                step(&bus, first.floor).expect("four are there");
                bus.leave(first.slot);
            })
        };
        let observer = {
            let bus = bus.clone();
            thread::spawn(move || {
                if let Some(slot) = bus.attach() {
                    // Kept pinned.
                    let _ = bus.pin(slot, RECORD);
                }
            })
        };
        let _ = publisher.try_publish();
        leaver.join().expect("no panic");
        observer.join().expect("no panic");
    });
}
