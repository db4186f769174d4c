//! One order: every record, whole, to every subscriber.

use messenger::bus::{PAYLOAD_ALIGN, Start, record_len};

use crate::kit::{Kind, Setup, drain, payload, rounds, spawn, tag, take};

pub(crate) fn records_arrive_whole_and_in_order<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut last = None;
    for n in 0..rounds(600) as u64 {
        let bytes = payload(n, n as usize * 31 % (publisher.max_payload() + 1));
        let position = publisher.send(tag(n as u16), &bytes).unwrap();
        assert!(last < Some(position), "positions only grow");
        last = Some(position);
        let record = take(&mut subscriber).expect("it was committed");
        assert_eq!(record.position, position);
        assert_eq!(record.tag, tag(n as u16));
        assert_eq!(record.payload, bytes);
        assert_eq!(
            subscriber.position(),
            position + record_len(bytes.len()) as u64
        );
    }
    assert_eq!(take(&mut subscriber), None);
}

pub(crate) fn every_subscriber_gets_every_record<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(4096);
    let mut all: Vec<_> = (0..3)
        .map(|_| bus.subscribe(Start::Oldest).unwrap())
        .collect();
    for round in 0..rounds(60) as u64 {
        let sent: Vec<_> = (0..1 + round % 5)
            .map(|n| payload(round * 10 + n, (round * 13 + n) as usize % 200))
            .collect();
        for bytes in &sent {
            publisher.send(tag(3), bytes).unwrap();
        }
        for subscriber in &mut all {
            assert_eq!(drain(subscriber), sent);
        }
    }
}

pub(crate) fn payloads_of_every_length_arrive<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    assert_eq!(bus.capacity(), 256);
    assert_eq!((bus.max_payload(), publisher.max_payload()), (64, 64));
    for len in (0..=64).chain((0..=64).rev()) {
        let bytes = payload(len as u64, len);
        publisher.try_send(tag(1), &bytes).unwrap();
        assert_eq!(take(&mut subscriber).unwrap().payload, bytes);
    }
}

pub(crate) fn the_longest_payload_fits_wherever_the_ring_stands<K: Kind>(setup: Setup) {
    let capacity = 512;
    let step = if cfg!(miri) { 5 } else { 1 };
    let around_the_end = setup.lap(capacity) / 16 - capacity / 16..setup.lap(capacity) / 16;
    for offset in around_the_end.step_by(step) {
        let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(capacity);
        for _ in 0..offset {
            publisher.try_send(tag(1), &[]).unwrap();
            assert_eq!(take(&mut subscriber).unwrap().payload, []);
        }
        let bytes = payload(offset as u64, publisher.max_payload());
        let position = publisher.try_send(tag(2), &bytes).unwrap();
        let end = (offset * 16) as u64 + record_len(bytes.len()) as u64;
        let lap = setup.lap(capacity) as u64;
        let expected = if end <= lap { offset as u64 * 16 } else { lap };
        assert_eq!(
            position, expected,
            "at the end of the ring, padding comes before"
        );
        let record = take(&mut subscriber).expect("past the padding");
        assert_eq!((record.position, record.payload), (position, bytes));
    }
}

pub(crate) fn payloads_start_aligned<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    for len in (1..100).step_by(if cfg!(miri) { 13 } else { 1 }) {
        let mut claim = publisher.claim(tag(1), len).unwrap();
        assert_eq!(claim.zeroed().as_ptr().addr() % PAYLOAD_ALIGN, 0);
        claim.commit().unwrap();
        let record = subscriber.try_next().unwrap().unwrap();
        assert_eq!(record.payload().as_ptr().addr() % PAYLOAD_ALIGN, 0);
    }
}

pub(crate) fn many_publishers_share_one_order<K: Kind>(setup: Setup) {
    let (bus, first, mut subscriber) = setup.trio::<K>(1024);
    let Some(second) = K::another(&bus) else {
        return;
    };
    let mut other = bus.subscribe(Start::Oldest).unwrap();
    let each = setup.rounds(400) as u64;
    let work: Vec<_> = [first, second.unwrap()]
        .into_iter()
        .zip(1_u16..)
        .map(|(mut publisher, source)| {
            publisher.set_wait(setup.wait);
            spawn(move || {
                for n in 0..each {
                    publisher.send(tag(source), &n.to_le_bytes()).unwrap();
                }
            })
        })
        .collect();
    let mut seen = Vec::new();
    let mut next = [0_u64; 3];
    while seen.len() < 2 * each as usize {
        let record = subscriber.next(setup.wait).unwrap();
        let source = usize::from(record.source().get());
        assert_eq!(record.payload(), next[source].to_le_bytes());
        next[source] += 1;
        seen.push(record.to_owned());
        // The second reader follows, so that the bus goes on, and sees the same order.
        let twin = other.next(setup.wait).unwrap().to_owned();
        assert_eq!(seen.last(), Some(&twin));
    }
    assert!(seen.is_sorted_by_key(|r| r.position));
    work.into_iter().for_each(|w| w.finish());
    assert_eq!(take(&mut subscriber), None);
}
