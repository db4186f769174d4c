//! Room is honest: a full bus waits or says so, and overwrites nothing unread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use messenger::bus::{ClaimError, Start, record_len};

use crate::kit::{
    Kind, LONG, SHORT, Setup, drain, fill, payload, rounds, soon, spawn, stopped, tag, take,
};

pub(crate) fn a_full_bus_says_so_and_keeps_what_is_unread<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut sent = Vec::new();
    let full = loop {
        let bytes = payload(sent.len() as u64, sent.len() * 5 % 90);
        match publisher.try_send(tag(1), &bytes) {
            Ok(_) => sent.push(bytes),
            Err(full) => break (full, bytes.len()),
        }
    };
    let needed = record_len(full.1);
    assert_eq!(
        full.0,
        ClaimError::Full {
            needed,
            capacity: 1024
        }
    );
    let stats = bus.stats();
    assert!(
        stats.used as usize + needed > 1024,
        "it was full: {stats:?}"
    );
    assert!(publisher.try_reserve(64).is_err());
    assert_eq!(drain(&mut subscriber), sent);
    publisher.try_send(tag(1), b"room again").unwrap();
    assert_eq!(drain(&mut subscriber), [b"room again"]);
}

pub(crate) fn room_comes_back_record_by_record<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(512);
    let mut sent = fill(&mut publisher, &[1; 48]);
    assert_eq!(sent, 8, "eight records of 64 bytes");
    for n in 0..rounds(100) {
        assert!(take(&mut subscriber).is_some());
        // The record just lent is held until the next call, which is the next round's.
        let room = fill(&mut publisher, &[1; 48]);
        assert_eq!(room, usize::from(n > 0));
        sent += room;
    }
    assert_eq!(drain(&mut subscriber).len(), sent - rounds(100));
}

pub(crate) fn a_bus_without_subscribers_is_never_full<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    for n in 0..rounds(300) as u64 {
        let bytes = payload(n, n as usize % 129);
        publisher.try_send(tag(1), &bytes).unwrap();
        if n % 7 == 0 {
            drop(publisher.try_claim(tag(1), 16).unwrap());
        }
    }
    let stats = bus.stats();
    assert!(stats.used <= 512 && stats.tail > 512, "{stats:?}");
}

pub(crate) fn a_wait_for_room_times_out<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let sent = fill(&mut publisher, &[1; 16]);
    let start = Instant::now();
    let late = publisher.send_timeout(tag(1), &[1; 16], SHORT);
    assert_eq!(late, Err(ClaimError::Timeout { needed: 32 }));
    assert!(start.elapsed() >= SHORT);
    let late = publisher
        .claim_timeout(tag(1), 16, Duration::ZERO)
        .map(drop);
    assert_eq!(late, Err(ClaimError::Timeout { needed: 32 }));
    assert_eq!(drain(&mut subscriber).len(), sent);
    publisher
        .send_timeout(tag(1), &[2], Duration::ZERO)
        .unwrap();
    publisher.send_timeout(tag(1), &[3], Duration::MAX).unwrap();
    assert_eq!(drain(&mut subscriber), [[2], [3]]);
}

pub(crate) fn a_wait_for_room_ends_when_it_is_told_to<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let sent = fill(&mut publisher, &[1; 16]);
    let (mut publisher, claim) = stopped(&bus, move |stop| {
        let claim = publisher.claim_until(tag(1), 16, None, stop).map(drop);
        (publisher, claim)
    });
    assert_eq!(claim, Err(ClaimError::Interrupted));
    assert_eq!(drain(&mut subscriber).len(), sent);
    publisher
        .claim_until(tag(1), 0, soon(), || true)
        .unwrap()
        .commit()
        .unwrap();
    assert_eq!(drain(&mut subscriber).len(), 1, "room goes before stop");
}

pub(crate) fn a_publisher_waits_for_the_reader<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let sent = fill(&mut publisher, &[1; 16]);
    let work = spawn(move || {
        publisher.send(tag(1), &[2; 16]).unwrap();
        publisher.claim(tag(1), 64).unwrap().zeroed().fill(3);
        publisher
    });
    assert!(work.runs_still());
    let mut seen = 0;
    while seen <= sent {
        seen += usize::from(subscriber.next_timeout(setup.wait, LONG).unwrap().is_some());
    }
    assert_eq!(take(&mut subscriber), None);
    let mut publisher = work.finish();
    publisher.try_send(tag(1), b"done").unwrap();
    assert_eq!(
        drain(&mut subscriber),
        [b"done"],
        "the dropped claim was aborted"
    );
}

pub(crate) fn a_publisher_waits_for_the_slowest_to_leave<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let slow = bus.subscribe(Start::Oldest).unwrap();
    let sent = fill(&mut publisher, &[1; 16]);
    assert_eq!(drain(&mut subscriber).len(), sent);
    assert!(publisher.try_send(tag(1), &[2; 16]).is_err());
    let work = spawn(move || publisher.send_timeout(tag(1), &[2; 16], LONG));
    assert!(work.runs_still());
    drop(slow);
    work.finish().unwrap();
    assert_eq!(drain(&mut subscriber), [[2; 16]]);
}

pub(crate) fn a_waiting_publisher_burns_nothing_when_it_blocks<K: Kind>(setup: Setup) {
    if !setup.sleeps() {
        return;
    }
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    fill(&mut publisher, &[1; 16]);
    let work = spawn(move || publisher.send(tag(1), b"late"));
    work.assert_sleeps();
    while take(&mut subscriber).is_some() {}
    work.finish().unwrap();
}

pub(crate) fn a_waiting_publisher_is_not_woken_by_who_only_looks<K: Kind>(setup: Setup) {
    if !setup.sleeps() {
        return;
    }
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    fill(&mut publisher, &[1; 16]);
    let mut observer = bus.observe(Start::Newest).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&done);
    let looking = spawn(move || {
        let mut bytes = Vec::new();
        while !over.load(Ordering::SeqCst) {
            let _ = observer.try_next(&mut bytes);
        }
    });
    let work = spawn(move || publisher.send(tag(1), b"late"));
    work.assert_sleeps();
    while take(&mut subscriber).is_some() {}
    work.finish().unwrap();
    done.store(true, Ordering::SeqCst);
    looking.finish();
}

pub(crate) fn nothing_unread_is_overwritten_while_both_run<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(512);
    let count = setup.rounds(2000) as u64;
    let work = spawn(move || {
        for n in 0..count {
            publisher
                .send(tag(1), &payload(n, n as usize % 100))
                .unwrap();
        }
    });
    for n in 0..count {
        let record = subscriber.next(setup.wait).unwrap();
        assert_eq!(record.payload(), payload(n, n as usize % 100), "record {n}");
    }
    work.finish();
}

pub(crate) fn a_claim_unfinished_is_not_overwritten<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    let Some(second) = K::another(&bus) else {
        return;
    };
    let mut second = second.unwrap();
    let mut slow = publisher.claim(tag(1), 16).unwrap();
    let sent = fill(&mut second, &[9; 16]);
    assert_eq!(sent, 15, "all but the record that is being filled");
    slow.zeroed().fill(5);
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    slow.commit().unwrap();
    let read = drain(&mut subscriber);
    assert_eq!(read[0], [5; 16]);
    assert_eq!(read.len(), 16);
    second.try_send(tag(1), &[9; 16]).unwrap();
}
