//! Edge 12: nobody sleeps through what it waits for. A lost wake-up is a deadlock to loom.

use loom::thread;

use super::{Event, Found, Publisher, RECORD, bus, check, step};
use crate::sync::{AtomicU32, Ordering::Relaxed};

/// A reader sleeps for a record.
#[test]
fn sleep_for_data() {
    check(3, || {
        let bus = bus(2, true);
        let joined = bus.join().expect("a slot");
        let mut publisher = Publisher::new(&bus);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let found = bus.sleep(Event::Data, true, None, &mut || match bus
                    .look(&mut (), joined.floor)
                    .expect("a sound header")
                {
                    Found::Nothing => None,
                    found => Some(found),
                });
                assert!(matches!(found, Some(Found::Record { .. })));
                step(&bus, joined.floor);
            })
        };
        publisher.try_publish().expect("room");
        reader.join().expect("no panic");
    });
}

/// A publisher sleeps for room until the subscriber reads on.
#[test]
fn sleep_for_room() {
    check(2, || {
        let bus = bus(2, true);
        let joined = bus.join().expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let waiter = {
            let bus = bus.clone();
            thread::spawn(move || {
                let position = bus.sleep(Event::Room, true, None, &mut || {
                    publisher.try_publish().ok()
                });
                assert_eq!(position, Some(4 * RECORD));
            })
        };
        bus.advance(joined.slot, RECORD);
        waiter.join().expect("no panic");
    });
}

/// A publisher sleeps for room, and the subscriber leaves.
#[test]
fn sleep_until_leave() {
    check(2, || {
        let bus = bus(2, true);
        let joined = bus.join().expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let waiter = {
            let bus = bus.clone();
            thread::spawn(move || {
                bus.sleep(Event::Room, true, None, &mut || {
                    publisher.try_publish().ok()
                });
            })
        };
        bus.leave(joined.slot);
        waiter.join().expect("no panic");
    });
}

/// Without subscribers, a publisher sleeps until another finishes the claim that is in its way.
#[test]
fn sleep_until_finished() {
    check(2, || {
        let bus = bus(2, true);
        let mut slow = Publisher::new(&bus);
        let mut fast = Publisher::new(&bus);
        let position = slow.try_claim().expect("room");
        for _ in 0..3 {
            fast.try_publish().expect("room");
        }
        let waiter = {
            let bus = bus.clone();
            thread::spawn(move || {
                bus.sleep(Event::Room, true, None, &mut || fast.try_publish().ok());
            })
        };
        slow.commit(position);
        waiter.join().expect("no panic");
    });
}

/// A publisher that meets a joiner, or a pin, in its refresh is woken when that has gone.
#[test]
fn sleep_beside_a_pin() {
    check(2, || {
        let bus = bus(2, true);
        let mut publisher = Publisher::new(&bus);
        let slot = bus.attach().expect("a slot");
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let waiter = {
            let bus = bus.clone();
            thread::spawn(move || {
                bus.sleep(Event::Room, true, None, &mut || {
                    publisher.try_publish().ok()
                });
            })
        };
        if bus.pin(slot, 0).is_ok() {
            step(&bus, 0);
            bus.unpin(slot);
            bus.after_room();
        }
        waiter.join().expect("no panic");
    });
}

/// A flag that is set before all are roused is seen by whoever sleeps.
#[test]
fn rouse_all_shows_what_was_written() {
    check(3, || {
        let bus = bus(2, true);
        let stop = loom::sync::Arc::new(AtomicU32::new(0));
        let sleeper = {
            let (bus, stop) = (bus.clone(), stop.clone());
            thread::spawn(move || {
                bus.sleep(Event::Data, true, None, &mut || {
                    (stop.load(Relaxed) == 1).then_some(())
                });
            })
        };
        stop.store(1, Relaxed);
        bus.rouse_all();
        sleeper.join().expect("no panic");
    });
}
