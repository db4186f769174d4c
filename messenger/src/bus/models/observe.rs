//! Edges 9, 10 and 11: an observer's pin keeps what it looks at, and nothing else.

use loom::thread;

use super::{Bus, Publisher, bus, check, step};

/// Looks once at `position` as an observer does; gives where it goes on.
fn look_once(bus: &Bus, slot: usize, position: u64) -> u64 {
    match bus.pin(slot, position) {
        Err(floor) => {
            assert!(floor > position);
            floor
        }
        Ok(()) => {
            let next = step(bus, position);
            bus.unpin(slot);
            next.unwrap_or(position)
        }
    }
}

/// An observer copies while a publisher laps it: each copy is whole, or it is told.
#[test]
fn observe_during_wrap() {
    check(2, || {
        let bus = bus(2, false);
        let slot = bus.attach().expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let observer = {
            let bus = bus.clone();
            thread::spawn(move || {
                let position = look_once(&bus, slot, 0);
                look_once(&bus, slot, position);
            })
        };
        for _ in 0..3 {
            let _ = publisher.try_publish();
        }
        observer.join().expect("no panic");
    });
}

/// The same with a subscriber that has read all, so that the floor moves by its position.
#[test]
fn observe_beside_a_subscriber() {
    check(2, || {
        let bus = bus(3, false);
        let joined = bus.join(0).expect("a slot");
        let slot = bus.attach().expect("a slot");
        let mut publisher = Publisher::new(&bus);
        let mut position = joined.floor;
        for _ in 0..4 {
            publisher.try_publish().expect("room");
            position = step(&bus, position).expect("just committed");
        }
        bus.advance(joined.slot, position);
        let observer = {
            let bus = bus.clone();
            thread::spawn(move || {
                let position = look_once(&bus, slot, 0);
                look_once(&bus, slot, position);
            })
        };
        for _ in 0..2 {
            let _ = publisher.try_publish();
        }
        observer.join().expect("no panic");
    });
}

/// Edges 3 and 10: one publisher's refresh saw the pin go; another writes by its limit.
#[test]
fn observe_during_wrap_by_two() {
    check(2, || {
        let bus = bus(3, false);
        let slot = bus.attach().expect("a slot");
        let mut publishers = [Publisher::new(&bus), Publisher::new(&bus)];
        for _ in 0..4 {
            publishers[0].try_publish().expect("room");
        }
        let observer = {
            let bus = bus.clone();
            thread::spawn(move || look_once(&bus, slot, 0))
        };
        let [mut one, mut other] = publishers;
        let one = thread::spawn(move || one.try_claim().is_ok());
        let _ = other.try_publish();
        one.join().expect("no panic");
        observer.join().expect("no panic");
    });
}

/// Edge 9: a pin that replaces another speaks for what was read under that one.
#[test]
fn repin() {
    check(4, || {
        let bus = bus(2, false);
        let slot = bus.attach().expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let observer = {
            let bus = bus.clone();
            thread::spawn(move || {
                if bus.pin(slot, 0).is_ok() {
                    let next = step(&bus, 0).expect("four are there");
                    bus.unpin(slot);
                    // Kept pinned.
                    let _ = bus.pin(slot, next);
                }
            })
        };
        let _ = publisher.try_publish();
        observer.join().expect("no panic");
    });
}
