//! Edge 12 where sleepers fence for the publishers, by a call that a lock stands in for here, and where members enrol
//! so that publishers fence. A lost wake-up is a deadlock to loom.

use loom::sync::Arc;
use loom::thread;

use super::{Bus, Event, bus_with, check};
use crate::bus::park::Barrier;
use crate::bus::ring::Memory;
use crate::bus::wait::FENCED;
use crate::sync::{AtomicU32, Ordering::Relaxed};

fn bus() -> Bus {
    bus_with(3, Barrier::Model)
}

/// A member that sleeps until the word is 1; `enrols` first, or fences for the publishers when it goes to sleep.
fn sleeper(bus: &Bus, word: &Arc<AtomicU32>, enrols: bool) -> thread::JoinHandle<()> {
    let slot = bus.attach().expect("a slot");
    let (bus, word) = (bus.clone(), word.clone());
    thread::spawn(move || {
        if enrols {
            assert!(bus.enrol(slot));
        }
        bus.sleep(Event::Data, enrols, None, &mut || {
            (word.load(Relaxed) == 1).then_some(())
        });
    })
}

/// What a publisher does, in short.
fn publish(bus: &Bus, word: &AtomicU32) {
    word.store(1, Relaxed);
    bus.after_finish();
}

fn is_fenced(bus: &Bus) -> bool {
    bus.memory.control().sleepers.load(Relaxed) & FENCED != 0
}

/// A member that has enrolled.
fn enrolled(bus: &Bus) -> usize {
    let slot = bus.attach().expect("a slot");
    assert!(bus.enrol(slot));
    slot
}

fn leaves(bus: &Bus, slot: usize) -> thread::JoinHandle<()> {
    let bus = bus.clone();
    thread::spawn(move || bus.leave(slot))
}

#[test]
fn one_who_fences_for_the_publishers_is_woken() {
    check(3, || {
        let (bus, word) = (bus(), Arc::new(AtomicU32::new(0)));
        let sleeper = sleeper(&bus, &word, false);
        publish(&bus, &word);
        sleeper.join().expect("no panic");
        assert!(!is_fenced(&bus));
    });
}

#[test]
fn one_who_enrols_is_woken() {
    check(3, || {
        let (bus, word) = (bus(), Arc::new(AtomicU32::new(0)));
        let sleeper = sleeper(&bus, &word, true);
        publish(&bus, &word);
        sleeper.join().expect("no panic");
        assert!(is_fenced(&bus));
    });
}

/// The last who was enrolled leaves as another enrols and goes to sleep, and a record is published.
#[test]
fn one_who_enrols_while_another_leaves_is_woken() {
    check(3, || {
        let (bus, word) = (bus(), Arc::new(AtomicU32::new(0)));
        let leaver = leaves(&bus, enrolled(&bus));
        let sleeper = sleeper(&bus, &word, true);
        publish(&bus, &word);
        sleeper.join().expect("no panic");
        leaver.join().expect("no panic");
        assert!(is_fenced(&bus), "the flag stays while somebody is enrolled");
    });
}

/// What leaving does, without the fences that are in it by chance.
fn withdraws(bus: &Bus, slot: usize) {
    assert!(bus.withdraw(slot));
    bus.settle_fenced();
}

/// Two withdraw at once: no fences are left behind.
#[test]
fn the_last_two_who_withdraw_leave_no_fences() {
    check(3, || {
        let bus = bus();
        let (one, other) = (enrolled(&bus), enrolled(&bus));
        let withdrawer = {
            let bus = bus.clone();
            thread::spawn(move || withdraws(&bus, one))
        };
        withdraws(&bus, other);
        withdrawer.join().expect("no panic");
        assert!(!is_fenced(&bus));
    });
}

/// The same, where one of them has just enrolled, and the other set the flag for it.
#[test]
fn one_who_enrols_and_withdraws_leaves_no_fences() {
    check(3, || {
        let bus = bus();
        let one = enrolled(&bus);
        let withdrawer = {
            let bus = bus.clone();
            thread::spawn(move || withdraws(&bus, one))
        };
        withdraws(&bus, enrolled(&bus));
        withdrawer.join().expect("no panic");
        assert!(!is_fenced(&bus));
    });
}

/// One who has cleared the publishers' flag is killed before it looks whether somebody is enrolled.
#[test]
fn a_dead_leaver_is_made_good() {
    check(3, || {
        let (bus, word) = (bus(), Arc::new(AtomicU32::new(0)));
        let dead = enrolled(&bus);
        let sleeper = sleeper(&bus, &word, true);
        let mender = {
            let bus = bus.clone();
            thread::spawn(move || {
                bus.withdraw(dead);
                bus.memory.control().sleepers.fetch_and(!FENCED, Relaxed);
                bus.mend_sleepers();
            })
        };
        publish(&bus, &word);
        sleeper.join().expect("no panic");
        mender.join().expect("no panic");
        assert!(is_fenced(&bus));
    });
}
