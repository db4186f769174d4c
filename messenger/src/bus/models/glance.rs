//! Edges 1 and 18: one who holds nothing copies first, and finds out afterwards whether that was worth it.
//!
//! What stands for a payload is an atomic word here: to who reads it, it may change at any time.

use core::cell::Cell;

use loom::thread;

use super::super::glance::Missed;
use super::super::layout::State;
use super::super::ring::Found;
use super::{Bus, Publisher, TAG, bus, check, index};
use crate::sync::Ordering::Relaxed;

/// Claims a record and commits it, with its position as the word that stands for its payload.
fn try_publish(publisher: &mut Publisher) -> Option<u64> {
    let position = publisher.try_claim().ok()?;
    let bus = &publisher.bus;
    bus.memory.0.words[index(position)].store(position, Relaxed);
    bus.finish(&(), position, State::Committed, 0);
    Some(position)
}

/// Glances once at `position`, checks what that gives, and says where it goes on.
fn glance_once(bus: &Bus, position: u64) -> u64 {
    let copied = Cell::new(None);
    let copy = |(): &(), _, len: u32| {
        let word = bus.memory.0.words[index(position)].load(Relaxed);
        copied.set(Some((len, word)));
        None
    };
    match bus.glance(&mut (), position, copy) {
        Ok(Found::Nothing) => position,
        Ok(Found::Skip { next }) => next,
        Ok(Found::Record { tag, len, next }) => {
            let record = (tag, copied.get());
            assert_eq!((record, len), ((TAG, Some((0, position))), 0));
            next
        }
        Err(Missed::Lapped(floor)) => {
            assert!(floor > position);
            floor
        }
        Err(Missed::Read(error)) => panic!("a sound header: {error}"),
    }
}

/// Edge 1: what is there for the first time.
#[test]
fn glance_at_the_newest() {
    check(3, || {
        let bus = bus(1, false);
        let mut publisher = Publisher::new(&bus);
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let position = glance_once(&bus, 0);
                glance_once(&bus, position);
            })
        };
        for _ in 0..2 {
            try_publish(&mut publisher).expect("room");
        }
        reader.join().expect("no panic");
    });
}

/// A publisher laps it: each copy is whole, or it is told.
#[test]
fn glance_during_wrap() {
    check(3, || {
        let bus = bus(1, false);
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            try_publish(&mut publisher).expect("room");
        }
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let position = glance_once(&bus, 0);
                glance_once(&bus, position);
            })
        };
        for _ in 0..3 {
            try_publish(&mut publisher).expect("room");
        }
        reader.join().expect("no panic");
    });
}

/// Edge 18: one publisher raises floor and limit, and another one writes by them.
#[test]
fn glance_during_wrap_by_two() {
    check(2, || {
        let bus = bus(2, false);
        let mut publishers = [Publisher::new(&bus), Publisher::new(&bus)];
        for _ in 0..4 {
            try_publish(&mut publishers[0]).expect("room");
        }
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || glance_once(&bus, 0))
        };
        let [mut one, mut other] = publishers;
        let other = thread::spawn(move || {
            let _ = try_publish(&mut other);
        });
        let _ = one.try_claim();
        other.join().expect("no panic");
        reader.join().expect("no panic");
    });
}
