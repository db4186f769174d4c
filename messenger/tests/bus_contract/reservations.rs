//! Several records by one claim.

use std::mem::forget;
use std::time::{Duration, Instant};

use messenger::bus::{ClaimError, record_len};

use crate::kit::{
    Kind, LONG, SHORT, Setup, drain, fill, payload, rounds, soon, spawn, stopped, tag, take,
};

pub(crate) fn a_reservation_carries_several_records<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let sent: Vec<_> = (0..4).map(|n| payload(n, n as usize * 9)).collect();
    let bytes = sent.iter().map(|p| record_len(p.len())).sum();
    let mut batch = publisher.reserve(bytes).unwrap();
    assert_eq!(batch.remaining(), bytes);
    let mut expected = 0;
    for payload in &sent {
        assert_eq!(batch.send(tag(5), payload), Ok(expected));
        expected += record_len(payload.len()) as u64;
    }
    assert_eq!(batch.remaining(), 0);
    drop(batch);
    assert_eq!(drain(&mut subscriber), sent);
    assert_eq!((bus.stats().aborted, bus.tail()), (0, expected));
}

pub(crate) fn each_record_of_a_reservation_is_seen_at_once<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut batch = publisher.reserve(3 * record_len(8)).unwrap();
    let mut claim = batch.claim(tag(1), 8).unwrap();
    claim.zeroed()[0] = 1;
    assert_eq!(take(&mut subscriber), None);
    claim.commit().unwrap();
    assert_eq!(take(&mut subscriber).unwrap().payload[0], 1);
    drop(batch.claim(tag(1), 8).unwrap());
    batch.send(tag(1), &[3; 8]).unwrap();
    assert_eq!(take(&mut subscriber).unwrap().payload, [3; 8]);
}

pub(crate) fn the_rest_of_a_reservation_is_aborted<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut batch = publisher.try_reserve(200).unwrap();
    batch.send(tag(1), b"one").unwrap();
    assert_eq!(batch.remaining(), 208 - 32);
    drop(batch);
    assert_eq!(bus.stats().aborted, 1);
    drop(publisher.reserve(0).unwrap());
    drop(publisher.reserve(1).unwrap());
    assert_eq!((bus.stats().aborted, bus.tail()), (3, 208 + 16 + 16));
    publisher.send(tag(1), b"two").unwrap();
    assert_eq!(drain(&mut subscriber), [b"one", b"two"]);
}

pub(crate) fn a_forgotten_reservation_is_aborted_by_the_next_use<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut batch = publisher.reserve(160).unwrap();
    batch.send(tag(1), b"kept").unwrap();
    forget(batch);
    assert_eq!(drain(&mut subscriber), [b"kept"]);
    publisher.send(tag(1), b"next").unwrap();
    assert_eq!(drain(&mut subscriber), [b"next"]);
    forget(publisher.reserve(160).unwrap());
    drop(publisher);
    assert_eq!(take(&mut subscriber), None);
    assert_eq!(subscriber.position(), bus.tail());
    assert_eq!(bus.stats().aborted, 2);
}

pub(crate) fn a_claim_forgotten_in_a_reservation_gives_its_place<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut batch = publisher.reserve(2 * record_len(8)).unwrap();
    let mut claim = batch.claim(tag(1), 8).unwrap();
    claim.zeroed().fill(0xBB);
    forget(claim);
    assert_eq!(batch.remaining(), 2 * record_len(8));
    let mut claim = batch.claim(tag(2), 8).unwrap();
    assert_eq!(claim.zeroed(), [0; 8]);
    claim.commit().unwrap();
    forget(batch.claim(tag(1), 8).unwrap());
    drop(batch);
    let record = take(&mut subscriber).unwrap();
    assert_eq!((record.position, record.tag), (0, tag(2)));
    assert_eq!(take(&mut subscriber), None);
    assert_eq!(
        (bus.stats().aborted, subscriber.position()),
        (1, bus.tail())
    );
}

pub(crate) fn a_reservation_takes_no_more_than_its_bytes<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let most = record_len(bus.max_payload());
    let refused = ClaimError::RunTooLarge {
        bytes: most + 1,
        max: most,
    };
    assert_eq!(publisher.reserve(most + 1).map(drop), Err(refused));
    assert_eq!(publisher.try_reserve(most + 1).map(drop), Err(refused));
    let mut batch = publisher.reserve(most).unwrap();
    batch.send(tag(1), &[1; 100]).unwrap();
    let left = batch.remaining();
    let fits = left - 16;
    for len in [fits + 1, left, left + 1, usize::MAX - 16, usize::MAX] {
        let bytes = len.saturating_add(16);
        let refused = Err(ClaimError::RunTooLarge { bytes, max: left });
        assert_eq!(batch.claim(tag(1), len).map(drop), refused);
    }
    batch.send(tag(1), &vec![2; fits]).unwrap();
    assert_eq!(batch.remaining(), 0);
    let none = Err(ClaimError::RunTooLarge { bytes: 16, max: 0 });
    assert_eq!(batch.claim(tag(1), 0).map(drop), none);
    drop(batch);
    assert_eq!(drain(&mut subscriber), [vec![1; 100], vec![2; fits]]);
}

pub(crate) fn reservations_meet_the_rings_end<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(512);
    for round in 0..rounds(80) as u64 {
        let bytes = 32 + round as usize * 48 % 100;
        let mut batch = publisher.try_reserve(bytes).unwrap();
        let mut sent = Vec::new();
        while batch.remaining() > 16 {
            let payload = payload(round, 16.min(batch.remaining() - 16));
            batch.send(tag(1), &payload).unwrap();
            sent.push(payload);
        }
        drop(batch);
        assert_eq!(drain(&mut subscriber), sent);
    }
}

pub(crate) fn a_reservation_waits_for_room<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let sent = fill(&mut publisher, &[1; 16]);
    assert!(matches!(
        publisher.try_reserve(64),
        Err(ClaimError::Full { needed: 64, .. })
    ));
    let work = spawn(move || {
        let mut batch = publisher.reserve(64).unwrap();
        batch.send(tag(1), &[2; 16]).unwrap();
        batch.send(tag(1), &[3; 16]).unwrap();
        drop(batch);
        publisher
    });
    assert!(work.runs_still());
    for _ in 0..sent {
        assert_eq!(take(&mut subscriber).unwrap().payload, [1; 16]);
    }
    assert_eq!(subscriber.next(setup.wait).unwrap().payload(), [2; 16]);
    assert_eq!(subscriber.next(setup.wait).unwrap().payload(), [3; 16]);
    drop(work.finish());
}

pub(crate) fn a_reservation_waits_for_so_long<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let sent = fill(&mut publisher, &[1; 16]);
    let start = Instant::now();
    let late = publisher.reserve_timeout(64, SHORT).map(drop);
    assert_eq!(late, Err(ClaimError::Timeout { needed: 64 }));
    assert!(start.elapsed() >= SHORT);
    let late = publisher.reserve_timeout(60, Duration::ZERO).map(drop);
    assert_eq!(late, Err(ClaimError::Timeout { needed: 64 }));
    let most = record_len(bus.max_payload());
    let refused = ClaimError::RunTooLarge {
        bytes: most + 1,
        max: most,
    };
    let late = publisher.reserve_timeout(most + 1, LONG).map(drop);
    assert_eq!(late, Err(refused));

    let work = spawn(move || {
        let mut batch = publisher.reserve_timeout(64, LONG).unwrap();
        batch.send(tag(1), &[2; 16]).unwrap();
        batch.send(tag(1), &[3; 16]).unwrap();
        drop(batch);
        publisher
    });
    assert!(work.runs_still());
    for _ in 0..sent {
        assert_eq!(take(&mut subscriber).unwrap().payload, [1; 16]);
    }
    let mut publisher = work.finish();
    let mut batch = publisher.reserve_timeout(32, Duration::ZERO).unwrap();
    batch.send(tag(1), &[4; 16]).unwrap();
    drop(batch);
    drop(publisher.reserve_timeout(32, Duration::MAX).unwrap());
    assert_eq!(drain(&mut subscriber), [[2; 16], [3; 16], [4; 16]]);
}

pub(crate) fn a_reservation_waits_until_it_is_told<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let sent = fill(&mut publisher, &[1; 16]);
    let (mut publisher, batch) = stopped(&bus, move |stop| {
        let batch = publisher.reserve_until(64, None, stop).map(drop);
        (publisher, batch)
    });
    assert_eq!(batch, Err(ClaimError::Interrupted));
    assert_eq!(drain(&mut subscriber).len(), sent);
    let batch = publisher.reserve_until(64, soon(), || true);
    batch.unwrap().send(tag(1), b"room").unwrap();
    assert_eq!(drain(&mut subscriber), [b"room"], "room goes before stop");
}
