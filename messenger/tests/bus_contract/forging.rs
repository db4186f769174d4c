//! No payload passes for a header.

use messenger::bus::{Multi, Start, Subscriber, WaitStrategy};

use crate::kit::{Kind, Setup, fill, payload, rounds, tag, take};

/// Words that would be headers, were stamps not salted: for each place, the positions of the
/// next laps in each state, followed by a plausible length and tag.
fn headers(place: u64, capacity: u64, len: usize, round: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for at in 0..len.div_ceil(16) as u64 {
        let position = place + at * 16 + capacity * (round / 3 % 3);
        let state = 1 + round % 3;
        bytes.extend((position | state).to_le_bytes());
        bytes.extend((16_u64 | 7 << 32 | 7 << 48).to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Large payloads of would-be headers or of chance, then small records, so that a reader looks
/// at every 16th byte of what the payloads left behind.
pub(crate) fn old_payloads_are_never_taken_for_headers<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(512);
    let capacity = bus.capacity() as u64;
    for round in 0..rounds(60) as u64 {
        for n in 0..5 {
            let place = bus.tail() + 16;
            let bytes = if round % 4 == 3 {
                payload(round * 10 + n, 128)
            } else {
                headers(place, capacity, 128, round)
            };
            publisher.try_send(tag(1), &bytes).unwrap();
            assert_eq!(take(&mut subscriber).unwrap().payload, bytes);
        }
        for _ in 0..capacity / 16 {
            assert_eq!(
                take(&mut subscriber),
                None,
                "round {round}, {:?}",
                bus.stats()
            );
            let position = publisher.try_send(tag(9), &[]).unwrap();
            let record = take(&mut subscriber).unwrap();
            assert_eq!(
                (record.position, record.tag, record.payload),
                (position, tag(9), vec![])
            );
        }
    }
}

/// What an aborted claim has written stays in the ring as well.
pub(crate) fn payloads_before_aborts_are_never_taken_for_headers<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    let capacity = bus.capacity() as u64;
    for round in 0..rounds(30) as u64 {
        let mut observer = bus.observe(Start::Newest).unwrap();
        let mut subscriber = bus.subscribe(Start::Newest).unwrap();
        assert_eq!(
            take(&mut subscriber),
            None,
            "it lets go of what was before it"
        );
        for n in 0..8 {
            let mut claim = publisher.try_claim(tag(1), 100).unwrap();
            let bytes = headers(claim.position() + 16, capacity, 100, round + n);
            claim.writer().put(&bytes).unwrap();
            drop(claim);
            assert_eq!(take(&mut subscriber), None);
            assert_eq!(observer.try_next(&mut Vec::new()), Ok(None));
        }
        let sent = fill(&mut publisher, &[]);
        for _ in 0..sent {
            assert_eq!(take(&mut subscriber).unwrap().payload, []);
        }
        assert_eq!(take(&mut subscriber), None);
    }
}

/// A payload whose last bytes lie over an old stamp leaves the rest of that, salt and all. With stamps that differ from lap to lap in few
/// bytes, the others would make the stamp of a later lap, for one pair of bytes in 65,536: for a reader that waits there, a record.
#[test]
fn what_a_payload_leaves_of_a_stamp_is_no_stamp() {
    let setup = Setup {
        place: crate::HEAP,
        wait: WaitStrategy::Spin,
    };
    let (bus, mut publisher, mut subscriber) = setup.trio::<Multi>(256);
    let mut pass = |subscriber: &mut Subscriber, payloads: &[&[u8]]| {
        for payload in payloads {
            publisher.try_send(tag(1), payload).unwrap();
            let took = subscriber.poll(1, |record| assert_eq!(record.payload(), *payload));
            assert_eq!(took, Ok(1));
        }
    };
    let whole = [0; 16].as_slice();
    let rest = [0; 32].as_slice();
    for guess in 0..=u16::MAX {
        if cfg!(miri) && guess == 100 {
            break;
        }
        // A lap of records of 32 bytes: a stamp at offset 96.
        let lap = bus.tail();
        pass(&mut subscriber, &[whole; 8]);
        // A record over offsets 64 to 98. What it leaves there is right for the state that the guess is right for.
        let wanted = (lap + 2 * 256 + 96) as u16 ^ guess;
        let mut over = [0; 18];
        over[16..].copy_from_slice(&wanted.to_le_bytes());
        pass(&mut subscriber, &[whole, whole, &over, rest, rest, rest]);
        // In the third lap, one who waits at offset 96 sees nothing.
        pass(&mut subscriber, &[whole; 3]);
        let seen = subscriber.poll(1, |record| {
            panic!("{guess}: {record:?} of nobody");
        });
        assert_eq!(
            (seen, subscriber.position()),
            (Ok(0), bus.tail()),
            "{guess}"
        );
        pass(&mut subscriber, &[whole; 5]);
    }
}
