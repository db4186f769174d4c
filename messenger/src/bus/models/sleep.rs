//! Edge 12: nobody sleeps through what it waits for. A lost wake-up is a deadlock to loom.

use loom::sync::Arc;
use loom::thread;

use super::{Bus, Event, Found, Publisher, RECORD, bus, check, killed_at_the_bed, step};
use crate::bus::ring::Memory;
use crate::bus::wait::DATA;
use crate::sync::{AtomicU32, Ordering::Relaxed};

/// A reader sleeps for a record.
#[test]
fn sleep_for_data() {
    check(3, || {
        let bus = bus(2, true);
        let joined = bus.join(0).expect("a slot");
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
        let joined = bus.join(0).expect("a slot");
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
        let joined = bus.join(0).expect("a slot");
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
            bus.unpin_at(slot, 0);
        }
        waiter.join().expect("no panic");
    });
}

/// A flag that is set before all are roused is seen by whoever sleeps.
#[test]
fn rouse_all_shows_what_was_written() {
    check(3, || {
        let bus = bus(2, true);
        let stop = Arc::new(AtomicU32::new(0));
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

/// Sleeps for data until `word` is 1.
fn sleep_until(bus: &Bus, word: &Arc<AtomicU32>) -> thread::JoinHandle<()> {
    let (bus, word) = (bus.clone(), word.clone());
    thread::spawn(move || {
        bus.sleep(Event::Data, true, None, &mut || {
            (word.load(Relaxed) == 1).then_some(())
        });
    })
}

/// Two who wait for different things share the flag and the epoch, and each is woken, whoever clears the flag.
#[test]
fn two_sleepers_and_two_wakers() {
    check(2, || {
        let bus = bus(2, true);
        let words = [(); 2].map(|()| Arc::new(AtomicU32::new(0)));
        let sleepers = [0, 1].map(|i| sleep_until(&bus, &words[i]));
        let waker = {
            let (bus, word) = (bus.clone(), words[0].clone());
            thread::spawn(move || {
                word.store(1, Relaxed);
                bus.after_finish();
            })
        };
        words[1].store(1, Relaxed);
        bus.after_finish();
        waker.join().expect("no panic");
        for sleeper in sleepers {
            sleeper.join().expect("no panic");
        }
    });
}

/// A sleeper that was killed after it announced itself costs one wake, not one for each record.
#[test]
fn a_dead_sleeper_costs_one_wake() {
    check(3, || {
        let bus = bus(2, true);
        let mut publisher = Publisher::new(&bus);
        let dead = {
            let bus = bus.clone();
            thread::spawn(move || {
                bus.announce(Event::Data, true);
            })
        };
        publisher.try_publish().expect("room");
        dead.join().expect("no panic");
        let control = bus.memory.control();
        publisher.try_publish().expect("room");
        assert_eq!(control.sleepers.load(Relaxed) & DATA, 0);
        let wakes = control.data_epoch.load(Relaxed);
        assert_eq!(wakes, 1);
        publisher.try_publish().expect("room");
        assert_eq!(control.data_epoch.load(Relaxed), wakes);
    });
}

/// One who wakes for a dead sleeper wakes the living beside it.
#[test]
fn a_dead_sleeper_takes_nobody_along() {
    check(3, || {
        let bus = bus(2, true);
        let word = Arc::new(AtomicU32::new(0));
        bus.announce(Event::Data, true);
        let sleeper = sleep_until(&bus, &word);
        bus.after_finish();
        word.store(1, Relaxed);
        bus.after_finish();
        sleeper.join().expect("no panic");
    });
}

/// One is stopped as it wakes: the next who publishes wakes in its place.
#[test]
fn a_stopped_waker_keeps_nobody_asleep() {
    check(3, || {
        let bus = bus(2, true);
        let word = Arc::new(AtomicU32::new(0));
        let sleeper = sleep_until(&bus, &word);
        let stopped = {
            let bus = bus.clone();
            thread::spawn(move || killed_at_the_bed(|| bus.after_finish()))
        };
        word.store(1, Relaxed);
        bus.after_finish();
        sleeper.join().expect("no panic");
        stopped.join().expect("no panic");
    });
}

/// One is killed as it wakes, and nobody publishes any more.
#[test]
fn a_dead_waker_is_made_good() {
    check(3, || {
        let bus = bus(2, true);
        let word = Arc::new(AtomicU32::new(0));
        let sleeper = sleep_until(&bus, &word);
        word.store(1, Relaxed);
        killed_at_the_bed(|| bus.after_finish());
        bus.mend_sleepers();
        sleeper.join().expect("no panic");
    });
}
