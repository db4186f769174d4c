//! Edges 2, 3, 4 and 6: nothing is overwritten before all who gate have read it.

use loom::thread;

use super::{ByCas, Publisher, RECORD, TAG, bus, check, step};

/// Edges 2 and 3: a reader reads on; one publisher refreshes, another profits from its limit.
#[test]
fn reuse_after_reading() {
    check(3, || {
        let bus = bus(3, false);
        let joined = bus.join(0).expect("a slot");
        let mut filler = Publisher::new(&bus);
        let mut other = Publisher::new(&bus);
        for _ in 0..4 {
            filler.try_publish().expect("room");
        }
        assert!(filler.try_publish().is_err(), "the ring is full");
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                let mut position = joined.floor;
                for _ in 0..2 {
                    position = step(&bus, position).expect("four are there");
                }
                bus.advance(joined.slot, position);
                position
            })
        };
        let one = thread::spawn(move || filler.try_publish().is_ok());
        let two = other.try_publish().is_ok();
        let one = one.join().expect("no panic");
        let position = reader.join().expect("no panic");
        // All that was there is there still, for the reader.
        let mut at = position;
        while let Some(next) = step(&bus, at) {
            at = next;
        }
        assert_eq!(at, 4 * RECORD + RECORD * (u64::from(one) + u64::from(two)));
    });
}

/// Edge 4: without subscribers a publisher may only overwrite what is finished: it walks over
/// the first of two claims that are being filled, and not over the second.
#[test]
fn room_without_subscribers() {
    check(4, || {
        let bus = bus(3, false);
        let mut slow = [Publisher::new(&bus), Publisher::new(&bus)];
        let mut fast = Publisher::new(&bus);
        let claims = slow.each_mut().map(|p| {
            let claim = p.bus.try_claim::<ByCas>(&mut p.room, RECORD);
            claim.expect("room")
        });
        for _ in 0..2 {
            fast.try_publish()
                .expect("a claim that is being filled delays no other");
        }
        let slow = thread::spawn(move || {
            for (publisher, position) in slow.iter().zip(claims) {
                publisher.bus.write_meta(&(), position, TAG, 0);
                publisher.commit(position);
            }
        });
        for _ in 0..2 {
            let _ = fast.try_publish();
        }
        slow.join().expect("no panic");
    });
}

/// Edge 6: what a subscriber read before it left.
#[test]
fn leave_orders_reads() {
    check(3, || {
        let bus = bus(2, false);
        let joined = bus.join(0).expect("a slot");
        let mut publisher = Publisher::new(&bus);
        for _ in 0..4 {
            publisher.try_publish().expect("room");
        }
        let reader = {
            let bus = bus.clone();
            thread::spawn(move || {
                step(&bus, joined.floor).expect("four are there");
                bus.leave(joined.slot);
            })
        };
        let _ = publisher.try_publish();
        reader.join().expect("no panic");
        publisher.try_publish().expect("nobody gates");
    });
}
