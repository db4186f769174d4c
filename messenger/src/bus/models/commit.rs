//! Edge 1: what a publisher wrote is there for whoever finds it committed, aborted or padded.

use loom::thread;

use super::{Found, Publisher, RECORD, State, TAG, bus, check, step};

/// Two publishers, one reader that looks while they write: one order, each record whole.
#[test]
fn claim_commit_read() {
    check(3, || {
        let bus = bus(3, false);
        let joined = bus.join(0).expect("a slot");
        let publishers: Vec<_> = (0..2)
            .map(|_| {
                let mut publisher = Publisher::new(&bus);
                thread::spawn(move || publisher.try_publish().expect("room for four"))
            })
            .collect();
        let mut position = joined.floor;
        for _ in 0..2 {
            position = step(&bus, position).unwrap_or(position);
        }
        let mut positions: Vec<_> = publishers
            .into_iter()
            .map(|p| p.join().expect("no panic"))
            .collect();
        positions.sort_unstable();
        assert_eq!(positions, [0, RECORD]);
        while let Some(next) = step(&bus, position) {
            position = next;
        }
        assert_eq!(position, 2 * RECORD, "a committed record was not delivered");
    });
}

/// A claim that is aborted delays nobody, and readers step over it.
#[test]
fn abort_is_stepped_over() {
    check(3, || {
        let bus = bus(3, false);
        let joined = bus.join(0).expect("a slot");
        let mut aborts = Publisher::new(&bus);
        let mut commits = Publisher::new(&bus);
        let aborter = {
            let bus = bus.clone();
            thread::spawn(move || {
                let position = aborts.try_claim().expect("room");
                bus.abort(&(), position, position + RECORD);
                position
            })
        };
        let committer = thread::spawn(move || commits.try_publish().expect("room"));
        let aborted = aborter.join().expect("no panic");
        let committed = committer.join().expect("no panic");
        assert_eq!(
            bus.look(&mut (), aborted),
            Ok(Found::Skip {
                next: aborted + RECORD
            })
        );
        assert_eq!(step(&bus, committed), Some(committed + RECORD));
        assert_eq!(joined.floor, 0);
    });
}

/// What an aborted claim had written is ordered before what the next lap writes there.
#[test]
fn aborted_bytes_are_ordered() {
    check(2, || {
        let bus = bus(2, false);
        let mut first = Publisher::new(&bus);
        let mut second = Publisher::new(&bus);
        let position = first.try_claim().expect("room");
        let aborter = {
            let bus = bus.clone();
            thread::spawn(move || {
                bus.memory.0.payloads[0].with_mut(|p| {
                    // SAFETY: loom checks that no other access races with this one.
                    unsafe { *p = 7 }
                });
                bus.write_meta(&(), position, TAG, 0);
                bus.finish(&(), position, State::Aborted, 0);
            })
        };
        for _ in 0..5 {
            let _ = second.try_publish();
        }
        aborter.join().expect("no panic");
    });
}
