//! Members of a pool in one process, step by step.

use std::cell::{Cell, RefCell};

use super::{Company, PoolSeat, Start, Subscriber, Took};
use crate::bus::{MessageId, SourceId, Tag};
use crate::shared::SharedBus;

/// A bus with eight records of 16 bytes.
fn bus(name: &str) -> SharedBus {
    let name = format!("test-{}-{name}", std::process::id());
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    for _ in 0..8 {
        publisher.send(tag, &[]).unwrap();
    }
    bus
}

/// What it takes is handled when the test says so.
struct Member<'a> {
    // Before the subscriber, whose slot it gives back.
    seat: PoolSeat,
    subscriber: Subscriber,
    bus: &'a SharedBus,
}

impl<'a> Member<'a> {
    fn new(bus: &'a SharedBus) -> Self {
        let mut seat = bus.pool_seat("Table.Pool").unwrap();
        let start = seat.starts().unwrap().map_or(Start::Oldest, Start::At);
        let mut subscriber = bus.bus().subscribe_holding(start).unwrap();
        assert!(seat.sit(&mut subscriber).unwrap());
        Self {
            seat,
            subscriber,
            bus,
        }
    }

    /// Takes so many records; says where they begin and end.
    fn take(&mut self, most: usize) -> (u64, u64) {
        let mut count = 0;
        let takes = |_, _| {
            count += 1;
            count <= most
        };
        let took = self
            .seat
            .take_some(self.bus.bus(), &mut self.subscriber, takes);
        assert!(matches!(took, Ok(Took::Something)));
        self.seat.range
    }

    /// Reads what it has taken.
    fn read(&mut self) -> usize {
        let end = self.seat.end();
        self.subscriber.poll_before(end, |_| true).unwrap()
    }

    fn move_on(&mut self) -> bool {
        let moved = { &mut self.seat }.move_on(self.bus.bus(), &mut self.subscriber, u64::MAX);
        moved.ok().unwrap()
    }
}

#[test]
fn who_changes_seats_is_there_all_the_time() {
    let bus = bus("seats");
    let mut first = Member::new(&bus);
    first.take(2);
    let (second, third) = (Member::new(&bus), RefCell::new(Member::new(&bus)));
    drop(first);
    // Who looks has seen that nobody is in the first seat; and then the third moves there.
    let moved = Cell::new(false);
    let except = |index, _| {
        let is_second = index == second.seat.index;
        if is_second && !moved.replace(true) {
            assert!(third.borrow_mut().move_on());
        }
        is_second
    };
    let (desk, pool) = (second.seat.desk(), second.seat.pool().unwrap());
    assert_eq!(desk.company(&pool, except), Company::Holds);
    assert!(moved.get());
}

/// What it has handled, and whose answers wait for room, it owes until they are out.
#[test]
fn who_owes_something_holds_it_when_it_takes_over_what_is_newer() {
    let bus = bus("older");
    let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
    assert_eq!(first.take(2), (0, 32));
    assert_eq!(first.read(), 2);
    assert_eq!(second.take(3), (32, 80));
    let slots = bus.bus().stats().members;
    drop(second);
    assert_eq!(bus.bus().stats().members, slots);
    assert!(first.move_on());
    assert_eq!(bus.bus().stats().members, slots - 1);
    assert_eq!((first.subscriber.held(), first.seat.range), (0, (32, 80)));
    assert_eq!(first.read(), 3);
    // It dies, in a way; who comes next is given all of it.
    drop(first);
    let mut next = Member::new(&bus);
    assert_eq!(next.seat.range, (0, 32));
    assert_eq!(next.read(), 2);
    assert!(next.move_on());
    assert_eq!(next.seat.range, (32, 80));
    assert_eq!(next.read(), 3);
}

#[test]
fn who_holds_what_is_older_goes_back_to_it() {
    let bus = bus("back");
    let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
    assert_eq!(first.take(2), (0, 32));
    assert_eq!(second.take(3), (32, 80));
    assert_eq!(second.read(), 3);
    second.seat.store(80);
    let slot = second.subscriber.slot();
    drop(first);
    assert!(second.move_on());
    assert_eq!(second.subscriber.slot(), slot);
    let subscriber = &second.subscriber;
    assert_eq!((subscriber.held(), subscriber.position()), (0, 0));
    assert_eq!(second.read(), 2);
    second.seat.store(32);
    assert_eq!(second.take(3), (80, 128));
    assert_eq!(second.read(), 3);
    // Where that had been let go of, it takes over the other's slot.
    let mut third = Member::new(&bus);
    second.subscriber.let_go(128);
    let mut publisher = bus.bus().publisher().unwrap();
    let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    publisher.send(tag, &[]).unwrap();
    publisher.send(tag, &[]).unwrap();
    second.seat.store(128);
    assert_eq!(third.take(1), (128, 144));
    assert_eq!(second.take(1), (144, 160));
    assert_eq!(second.read(), 1);
    second.seat.store(160);
    second.subscriber.let_go(160);
    let held = third.subscriber.held();
    drop(third);
    assert!(second.move_on());
    assert_ne!(second.subscriber.slot(), slot);
    assert_eq!(second.subscriber.held(), held);
    assert_eq!(second.read(), 1);
}
