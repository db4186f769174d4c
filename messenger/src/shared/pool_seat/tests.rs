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
