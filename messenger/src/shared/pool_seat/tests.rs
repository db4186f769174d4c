//! Members of a pool in one process, step by step.

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;

use super::{Company, Desk, NONE, PoolSeat, Relaxed, Start, Subscriber, Took, Trouble};
use crate::bus::hold::HELD;
use crate::bus::processes::Memory;
use crate::bus::seats::{leave, take};
use crate::bus::{MessageId, SourceId, Tag};
use crate::journal::testing::fresh;
use crate::shared::SharedBus;
use crate::shared::desk::{enter, taken_after};
use crate::shared::layout::Place;
use crate::shared::presence::core_of;

const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

/// A bus with eight records of 16 bytes.
fn bus(name: &str) -> SharedBus {
    let name = fresh(&format!("test-{name}"));
    let bus = SharedBus::create(&name, 1 << 12).unwrap();
    send_eight(&bus);
    bus
}

/// The same where what nobody has read who lives is held for longer than any test lasts.
fn holding(name: &str) -> SharedBus {
    let name = format!("test-{}-{name}", std::process::id());
    let hold = std::time::Duration::from_secs(600);
    let options = SharedBus::options().bytes(1 << 12).hold_for_workers(hold);
    let bus = options.create(&name).unwrap();
    send_eight(&bus);
    bus
}

fn send_eight(bus: &SharedBus) {
    let mut publisher = bus.bus().publisher().unwrap();
    for _ in 0..8 {
        publisher.send(TAG, &[]).unwrap();
    }
}

/// Writes over all that nobody holds.
fn fill(bus: &SharedBus) {
    let mut publisher = bus.bus().publisher().unwrap();
    // More than the ring has room for.
    let _ = (0..1000).all(|_| publisher.try_send(TAG, &[]).is_ok());
}

/// As a refresh does that meets neither the slot of one who goes nor that of one who came before that.
fn raise_floor(desk: &Desk, to: u64) {
    desk.core.memory.control().floor.store(to, Relaxed);
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
        Self::of(bus, bus.pool_seat("Table.Pool").unwrap())
    }

    fn of(bus: &'a SharedBus, mut seat: PoolSeat) -> Self {
        let oldest = seat.starts().unwrap();
        let start = oldest.map_or(Start::Oldest, Start::At);
        let joined = bus.bus().subscribe_holding(start).ok();
        let held = || seat.take_over(bus.bus(), oldest?);
        let mut subscriber = joined.or_else(held).expect("it is held");
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

    /// `Err`: from where on up to where something is missing.
    fn try_move_on(&mut self) -> Result<bool, (u64, u64)> {
        let moved = { &mut self.seat }.move_on(self.bus.bus(), &mut self.subscriber, u64::MAX);
        moved.map_err(|trouble| match trouble {
            Trouble::Missed { position, oldest } => (position, oldest),
            Trouble::Shared(error) => panic!("{error}"),
            Trouble::Read(error) => panic!("{error}"),
        })
    }

    /// Takes the seat of one that owes something, and comes no further.
    fn adopts(&self, seat: usize) {
        let desk = self.seat.desk();
        let whose = desk.words.worker(&desk.parts, seat).whose();
        assert!(take(whose, desk.place.owner().into()));
    }

    fn move_on(&mut self) -> bool {
        self.try_move_on().unwrap()
    }

    /// Takes so many records, and is done with them.
    fn does(&mut self, most: usize) {
        let (_, end) = self.take(most);
        self.read();
        self.seat.store(end);
        self.subscriber.let_go(end);
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
    publisher.send(TAG, &[]).unwrap();
    publisher.send(TAG, &[]).unwrap();
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

/// What is let go of of what is owed is told by the slot; so nothing else is let go of.
#[test]
fn what_is_owed_is_held_from_its_beginning_if_that_is_no_record() {
    let bus = bus("skip");
    let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
    first.does(8);
    let mut publisher = bus.bus().publisher().unwrap();
    drop(publisher.try_claim(TAG, 0).unwrap());
    for _ in 0..3 {
        publisher.send(TAG, &[]).unwrap();
    }
    assert_eq!(first.take(1), (128, 160));
    second.does(1);
    drop(first);
    assert!(second.move_on());
    assert_eq!(
        (second.subscriber.held(), second.seat.range),
        (128, (128, 160))
    );
    drop(second);
    let mut third = Member::new(&bus);
    assert_eq!(
        (third.subscriber.held(), third.seat.range),
        (128, (128, 160))
    );
    assert_eq!(third.read(), 1);
}

#[test]
fn of_what_is_owed_all_is_kept_that_is_retained() {
    for gone in [48, 80] {
        let bus = bus(&format!("gone-{gone}"));
        let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
        assert_eq!(first.take(5), (0, 80));
        assert_eq!(first.read(), 5);
        second.does(3);
        // Its answers wait for room, and all wait for it.
        first.subscriber.let_go(gone);
        let mut publisher = bus.bus().publisher().unwrap();
        while publisher.try_send(TAG, &[]).is_ok() {}
        drop(first);
        let Err((position, oldest)) = second.try_move_on() else {
            panic!("nothing was said to be missing");
        };
        assert_eq!((position, oldest), (0, gone));
        if gone < 80 {
            assert_eq!(second.seat.range, (48, 80));
            assert_eq!(second.read(), 2);
            second.seat.store(80);
        }
        assert!(!second.move_on());
        assert!(second.take(1).0 >= 128);
        second.read();
    }
}

/// What one owes from two seats, others take over one by one: who is faster lets go of nothing that the other has still to take.
#[test]
fn what_is_owed_from_two_seats_is_held_until_both_are_taken_over() {
    for slow in [0, 1] {
        let bus = bus(&format!("two-{slow}"));
        let mut first = Member::new(&bus);
        let mut second = Member::new(&bus);
        let (mut third, fourth) = (Member::new(&bus), Member::new(&bus));
        let seats = [first.seat.index, second.seat.index];
        let ranges = [first.take(2), second.take(3)];
        first.read();
        drop(second);
        assert!(first.move_on());
        let members = bus.bus().stats().members;
        drop(first);
        assert_eq!(bus.bus().stats().members, members, "it is held");
        fourth.adopts(seats[slow]);
        assert!(third.move_on());
        assert_eq!(third.seat.range, ranges[1 - slow]);
        third.read();
        third.seat.store(third.seat.end());
        third.subscriber.let_go(third.seat.end());
        third.does(3);
        // It holds nothing by a slot of its own.
        drop(fourth);
        let mut publisher = bus.bus().publisher().unwrap();
        while publisher.try_send(TAG, &[]).is_ok() {}
        let start = Start::At(ranges[slow].0);
        assert!(bus.bus().subscribe_holding(start).is_ok(), "it is lost");
    }
}

/// Who had found it held for nobody took it over to free it, and dies before it can give back what is wanted by then.
#[test]
fn what_is_wanted_is_held_when_who_took_it_over_to_free_it_dies() {
    let bus = bus("freed");
    let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
    assert_eq!(first.take(2), (0, 32));
    assert_eq!(second.take(3), (32, 80));
    let slot = second.subscriber.slot();
    drop(second);
    let desk = first.seat.desk();
    let place = Place::new(usize::from(desk.place.index()) + 1);
    let header = desk.words.header(desk.parts.len as u64).unwrap();
    let dead = core_of(&desk.words, &desk.parts, &header, place.owner());
    assert!(dead.take_over(slot, HELD).is_some());
    let entry = desk.entry(place);
    enter(&entry, taken_after(entry.state()), "dead");
    desk.settle_all();
    assert!(desk.is_held(slot));
    first.read();
    first.seat.store(32);
    first.does(3);
    let mut publisher = bus.bus().publisher().unwrap();
    while publisher.try_send(TAG, &[]).is_ok() {}
    assert!(first.move_on());
    assert_eq!(first.seat.range, (32, 80));
    assert_eq!(first.read(), 3);
}

/// Removes the file of a bus on which this process stays, by what a test never drops.
fn remove(bus: &SharedBus) {
    std::fs::remove_file(bus.path()).unwrap();
}

/// The member is that of a process that has died, but for that nobody knows it before it [`dies`].
fn becomes_anothers(member: &Member<'_>) {
    let desk = member.seat.desk();
    let other = Place::new(usize::from(desk.place.index()) + 1).owner();
    let entry = desk.words.worker(&desk.parts, member.seat.index);
    entry.whose().store(other.into(), Relaxed);
    let slot = member.subscriber.slot();
    assert!(desk.core.hand_over(slot, (desk.place.owner(), other)));
}

/// A place whose process has died, when this is back.
fn dies(desk: &Desk) -> Place {
    let place = Place::new(usize::from(desk.place.index()) + 1);
    let entry = desk.entry(place);
    enter(&entry, taken_after(entry.state()), "dead");
    place
}

/// Goes on with what is held for a worker that ran alone, and dies before it reads.
#[test]
fn what_one_had_still_to_read_who_ran_alone_has_its_time_anew_when_a_member_dies() {
    let name = fresh("test-alone");
    let hold = std::time::Duration::from_secs(60);
    let options = SharedBus::options().bytes(1 << 12).hold_for_workers(hold);
    let bus = options.create(&name).unwrap();
    let other = bus.pool_seat("Table.Other").unwrap();
    let desk = other.desk();
    let mut alone = bus.seat("Table.Pool").unwrap();
    let mut subscriber = bus.bus().subscribe_holding(Start::Oldest).unwrap();
    alone.sit(&mut subscriber);
    subscriber.stay();
    let slot = subscriber.slot();
    let index = desk.worker_named("Table.Pool").unwrap();
    desk.hold_anew(index, desk.hold);
    assert!(desk.core.hand_over(slot, (desk.place.owner(), HELD)));
    drop((alone, subscriber));

    let first = std::mem::ManuallyDrop::new(bus.pool_seat("Table.Pool").unwrap());
    // Its time was over long ago.
    let entry = |index| desk.words.worker(&desk.parts, index);
    entry(index).until().store(0, Relaxed);
    desk.settle_all();
    assert!(desk.is_held(slot), "somebody is coming");
    let dead = u64::from(Place::new(usize::from(desk.place.index()) + 1).owner());
    entry(first.index).whose().store(dead, Relaxed);
    dies(desk);
    desk.settle_all();
    assert!(desk.is_held(slot));
    remove(&bus);
}

/// As one whose handlers can't be made.
#[test]
fn what_nobody_has_taken_stays_held_when_one_sits_down_and_does_not_run() {
    let name = fresh("test-unrun");
    let hold = std::time::Duration::from_secs(60);
    let options = SharedBus::options().bytes(1 << 12).hold_for_workers(hold);
    let bus = options.create(&name).unwrap();
    let mut first = std::mem::ManuallyDrop::new(Member::new(&bus));
    bus.bus().publisher().unwrap().send(TAG, &[]).unwrap();
    first.does(1);
    becomes_anothers(&first);
    let (desk, slot) = (first.seat.desk(), first.subscriber.slot());
    dies(desk);
    desk.settle_all();
    assert!(desk.is_held(slot));
    for runs in [false, true] {
        let mut second = Member::new(&bus);
        assert!(second.seat.comes_for_it);
        if runs {
            second.seat.run();
        }
        let (slot, position) = (second.subscriber.slot(), second.subscriber.held());
        drop(second);
        assert_eq!(desk.is_held(slot), !runs);
        desk.settle_all();
        assert_eq!(desk.is_held(slot), !runs);
        assert_eq!(position, 16);
    }
    remove(&bus);
}

#[test]
fn an_entry_that_is_forgotten_is_nobody_elses_before_its_dead_one_is_settled() {
    let bus = bus("forgotten");
    let seat = std::mem::ManuallyDrop::new(bus.pool_seat("Table.Pool").unwrap());
    let desk = seat.desk();
    let entry = |index| desk.words.worker(&desk.parts, index);
    let dead = Place::new(usize::from(desk.place.index()) + 1);
    entry(seat.index)
        .whose()
        .store(dead.owner().into(), Relaxed);
    desk.forget_pool(seat.pool, "Table.Pool").unwrap();
    assert_ne!(desk.free_entry().ok(), Some(seat.index));
    dies(desk);
    desk.settle_all();
    assert_eq!(desk.free_entry().ok(), Some(seat.index));
    remove(&bus);
}

#[test]
fn what_nobody_has_taken_stays_held_when_two_sit_down_and_neither_runs() {
    let bus = holding("two-unrun");
    let dead = ManuallyDrop::new(Member::new(&bus));
    becomes_anothers(&dead);
    let (first, second) = (Member::new(&bus), Member::new(&bus));
    let desk = dead.seat.desk();
    dies(desk);
    desk.settle_all();
    for unrun in [first, second] {
        drop(unrun);
        desk.settle_all();
    }
    fill(&bus);
    let mut next = Member::new(&bus);
    assert_eq!(next.take(8), (0, 128));
    assert_eq!(next.read(), 8);
    remove(&bus);
}

/// Who settles for him finds a member there, who then does not come to run; or by whose slot alone it can be gone on, where the floor has passed it.
#[test]
fn what_one_had_still_to_read_who_ran_alone_is_held_when_a_member_comes_before_that_is_settled() {
    for is_passed in [false, true] {
        let bus = holding(&format!("unsettled-{is_passed}"));
        let other = bus.pool_seat("Table.Other").unwrap();
        let desk = other.desk();
        let mut alone = ManuallyDrop::new(bus.seat("Table.Pool").unwrap());
        let subscriber = bus.bus().subscribe_holding(Start::Oldest).unwrap();
        let mut subscriber = ManuallyDrop::new(subscriber);
        alone.sit(&mut subscriber);
        let index = desk.worker_named("Table.Pool").unwrap();
        let entry = desk.words.worker(&desk.parts, index);
        let dead = Place::new(usize::from(desk.place.index()) + 1).owner();
        entry.whose().store(dead.into(), Relaxed);
        assert!((desk.core).hand_over(subscriber.slot(), (desk.place.owner(), dead)));
        if is_passed {
            raise_floor(desk, 64);
        }
        let member = Member::new(&bus);
        dies(desk);
        desk.settle_all();
        assert_eq!(desk.slot_of(&entry), None, "who has that next is another");
        drop(member);
        desk.settle_all();
        fill(&bus);
        let mut next = Member::new(&bus);
        assert_eq!(next.take(8), (0, 128));
        assert_eq!(next.read(), 8);
        remove(&bus);
    }
}

/// The floor has passed where a pool goes on. Who has a dead one's seat goes on by what is held for that, and nobody else.
#[test]
fn what_is_held_for_a_seat_is_taken_over_by_who_has_that() {
    let bus = holding("own-seat");
    let mut dead = Member::new(&bus);
    assert_eq!(dead.take(2), (0, 32));
    drop(dead);
    let seat = || bus.pool_seat("Table.Pool").unwrap();
    let (first, mut second) = (seat(), seat());
    raise_floor(first.desk(), 64);
    let start = second.starts().unwrap().unwrap();
    assert_eq!(start, 32);
    assert!(bus.bus().subscribe_holding(Start::At(start)).is_err());
    assert!(second.take_over(bus.bus(), start).is_none());
    let mut first = Member::of(&bus, first);
    assert_eq!(first.seat.range, (0, 32));
    assert_eq!(first.read(), 2);
}

/// Nor does one take a seat for which nothing is held, where something is for another.
#[test]
fn who_comes_takes_the_seat_for_which_something_is_held() {
    let bus = holding("held-first");
    let (first, second) = (Member::new(&bus), Member::new(&bus));
    let held = second.seat.index;
    assert!(first.seat.index < held);
    drop(first);
    drop(second);
    let next = bus.pool_seat("Table.Pool").unwrap();
    assert_eq!(next.index, held);
    raise_floor(next.desk(), 64);
    let mut next = Member::of(&bus, next);
    assert_eq!(next.take(8), (0, 128));
    assert_eq!(next.read(), 8);
}

#[test]
fn what_is_taken_over_stays_held_when_its_member_cannot_sit_down() {
    let bus = holding("unseated");
    let mut dead = Member::new(&bus);
    assert_eq!(dead.take(2), (0, 32));
    let slot = dead.subscriber.slot();
    drop(dead);
    let other = bus.pool_seat("Table.Other").unwrap();
    let desk = other.desk();
    raise_floor(desk, 64);
    let mut seat = bus.pool_seat("Table.Pool").unwrap();
    let mut subscriber = seat.take_over(bus.bus(), 0).unwrap();
    let last = desk.words.worker(&desk.parts, seat.pool).last();
    let word = last.swap(u64::MAX, Relaxed);
    assert!(seat.sit(&mut subscriber).is_err());
    drop((subscriber, seat));
    last.store(word, Relaxed);
    assert!(desk.is_held(slot));
    let mut next = Member::new(&bus);
    assert_eq!(next.seat.range, (0, 32));
    assert_eq!(next.read(), 2);
}

/// Another begins the pool before that.
#[test]
fn what_is_taken_over_is_given_up_where_its_member_has_to_begin_elsewhere() {
    let bus = holding("elsewhere");
    let other = bus.pool_seat("Table.Other").unwrap();
    let desk = other.desk();
    // One who ran the worker alone has died before it had said where it begins.
    let mut alone = bus.seat("Table.Pool").unwrap();
    let mut subscriber = bus.bus().subscribe_holding(Start::Oldest).unwrap();
    alone.sit(&mut subscriber);
    subscriber.stay();
    let slot = subscriber.slot();
    let index = desk.worker_named("Table.Pool").unwrap();
    let entry = desk.words.worker(&desk.parts, index);
    entry.at().store(NONE, Relaxed);
    desk.hold_anew(index, desk.hold);
    assert!(desk.core.hand_over(slot, (desk.place.owner(), HELD)));
    drop((alone, subscriber));

    let mut second = bus.pool_seat("Table.Pool").unwrap();
    raise_floor(desk, 64);
    let mut late = second.take_over(bus.bus(), 32).unwrap();
    raise_floor(desk, 0);
    let first = Member::new(&bus);
    assert!(!second.sit(&mut late).unwrap());
    drop(late);
    assert_eq!(desk.core.owner_of(slot), None);
    let second = Member::of(&bus, second);
    let held = [&first, &second].map(|member| member.subscriber.held());
    assert_eq!(held, [0, 0]);
}

/// It is held for several seats; who goes on by it has one of them, and leaves before it comes to the other.
#[test]
fn what_is_held_for_another_seat_too_stays_so_when_a_member_leaves() {
    let bus = holding("both-seats");
    let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
    let other = bus.pool_seat("Table.Other").unwrap();
    assert_eq!(first.take(2), (0, 32));
    first.read();
    assert_eq!(second.take(3), (32, 80));
    drop(second);
    assert!(first.move_on());
    drop(first);
    raise_floor(other.desk(), 96);
    let mut next = Member::new(&bus);
    next.seat.run();
    assert_eq!(next.seat.range, (0, 32));
    assert_eq!(next.read(), 2);
    next.seat.store(32);
    next.subscriber.let_go(32);
    drop(next);
    fill(&bus);
    let mut last = Member::new(&bus);
    assert_eq!(last.seat.range, (32, 80));
    assert_eq!(last.read(), 3);
}

/// Where nobody can join any more, who moves to the first of them holds the rest, too; and nobody moves to the rest before that.
#[test]
fn what_is_held_for_two_seats_is_taken_over_where_the_floor_has_passed_it() {
    for is_first in [true, false] {
        let bus = bus(&format!("passed-two-{is_first}"));
        let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
        let (mut third, mut fourth) = (Member::new(&bus), Member::new(&bus));
        let older = first.seat.index;
        assert_eq!(first.take(2), (0, 32));
        first.read();
        assert_eq!(second.take(3), (32, 80));
        drop(second);
        assert!(first.move_on());
        drop(first);
        third.does(2);
        fourth.does(1);
        raise_floor(third.seat.desk(), 96);
        if is_first {
            assert!(fourth.move_on());
            // The other one's slot holds it.
            assert!(!third.move_on());
        } else {
            fourth.adopts(older);
            assert!(!third.move_on());
            // It dies, in a way, before it has come any further.
            let desk = fourth.seat.desk();
            leave(desk.words.worker(&desk.parts, older).whose());
            assert!(fourth.move_on());
        }
        for range in [(0, 32), (32, 80)] {
            assert_eq!(fourth.seat.range, range);
            assert_eq!(fourth.read() as u64 * 16, range.1 - range.0);
            fourth.seat.store(range.1);
            fourth.subscriber.let_go(range.1);
            assert_eq!(fourth.move_on(), range.0 == 0);
        }
    }
}

/// As where the death of one who was in both is settled for the newer one only. Who comes for that holds nothing of the other.
#[test]
fn what_is_held_for_an_older_seat_too_is_not_taken_over() {
    let bus = holding("newer-seat");
    let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
    let fourth = Member::new(&bus);
    let older = first.seat.index;
    assert_eq!(first.take(2), (0, 32));
    first.read();
    assert_eq!(second.take(3), (32, 80));
    drop(second);
    assert!(first.move_on());
    drop(first);
    raise_floor(fourth.seat.desk(), 96);
    fourth.adopts(older);
    let mut next = bus.pool_seat("Table.Pool").unwrap();
    assert_eq!(next.range, (32, 80));
    assert!(next.take_over(bus.bus(), 32).is_none());
    let desk = fourth.seat.desk();
    leave(desk.words.worker(&desk.parts, older).whose());
    let mut last = Member::new(&bus);
    assert_eq!(last.seat.range, (0, 32));
    assert_eq!(last.read(), 2);
}

/// Who goes on by it has one of the seats, and moves on by another slot.
#[test]
fn what_is_held_for_another_seat_too_stays_so_when_a_member_moves() {
    let bus = bus("moves-by-another");
    let mut oldest = Member::new(&bus);
    let (mut first, mut second) = (Member::new(&bus), Member::new(&bus));
    let (mut third, mut fourth) = (Member::new(&bus), Member::new(&bus));
    assert_eq!(oldest.take(1), (0, 16));
    assert_eq!(first.take(1), (16, 32));
    first.read();
    assert_eq!(second.take(3), (32, 80));
    drop(second);
    assert!(first.move_on());
    drop(first);
    third.does(2);
    fourth.does(1);
    raise_floor(third.seat.desk(), 96);
    assert!(third.move_on());
    assert_eq!(third.seat.range, (16, 32));
    assert_eq!(third.read(), 1);
    third.seat.store(32);
    third.subscriber.let_go(32);
    drop(oldest);
    assert!(third.move_on());
    assert_eq!(third.seat.range, (0, 16));
    assert!(fourth.move_on());
    assert_eq!(fourth.seat.range, (32, 80));
    assert_eq!(fourth.read(), 3);
}
