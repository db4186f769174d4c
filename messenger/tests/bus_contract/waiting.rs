//! Waiting for records: each way of it, its end, and what it costs.

use std::time::{Duration, Instant};

use messenger::bus::Start;

use crate::kit::{Kind, LONG, SHORT, Setup, rounds, soon, spawn, stopped, tag};

pub(crate) fn a_reader_is_woken_by_a_commit<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let work = spawn(move || subscriber.next(setup.wait).unwrap().to_owned());
    assert!(work.runs_still());
    let position = publisher.send(tag(4), b"wake up").unwrap();
    let record = work.finish();
    assert_eq!((record.position, record.tag), (position, tag(4)));
    assert_eq!(record.payload, b"wake up");
}

pub(crate) fn a_reader_sleeps_through_aborts<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let work = spawn(move || subscriber.next(setup.wait).unwrap().to_owned());
    // So many that they go round the ring: who waits lets go of what it steps over.
    for _ in 0..rounds(100) {
        drop(publisher.claim_timeout(tag(1), 16, LONG).unwrap());
    }
    assert!(work.runs_still());
    publisher.send_timeout(tag(1), b"at last", LONG).unwrap();
    assert_eq!(work.finish().payload, b"at last");
}

pub(crate) fn a_reader_burns_nothing_when_it_blocks<K: Kind>(setup: Setup) {
    if !setup.sleeps() {
        return;
    }
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let work = spawn(move || subscriber.next(setup.wait).unwrap().to_owned());
    work.assert_sleeps();
    publisher.send(tag(1), b"wake up").unwrap();
    assert_eq!(work.finish().payload, b"wake up");
}

pub(crate) fn a_wait_for_records_times_out<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let start = Instant::now();
    assert!(
        subscriber
            .next_timeout(setup.wait, SHORT)
            .unwrap()
            .is_none()
    );
    assert!(start.elapsed() >= SHORT);
    assert!(
        subscriber
            .next_timeout(setup.wait, Duration::ZERO)
            .unwrap()
            .is_none()
    );
    let past = Some(Instant::now());
    assert!(!subscriber.wait_until(setup.wait, past, || false).unwrap());
    publisher.send(tag(1), b"now").unwrap();
    let there = subscriber.next_timeout(setup.wait, Duration::ZERO).unwrap();
    assert_eq!(
        there.map(|r| r.payload().to_vec()).as_deref(),
        Some(&b"now"[..])
    );
}

pub(crate) fn a_wait_for_records_ends_when_it_is_told_to<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let (found, mut subscriber) = stopped(&bus, move |stop| {
        let found = subscriber.wait_until(setup.wait, None, stop).unwrap();
        (found, subscriber)
    });
    assert!(!found);
    publisher.send(tag(1), b"late").unwrap();
    assert!(
        subscriber.wait_until(setup.wait, None, || true).unwrap(),
        "records go before stop"
    );
}

pub(crate) fn what_is_there_is_given_at_once<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    publisher.send(tag(1), b"one").unwrap();
    publisher.send(tag(1), b"two").unwrap();
    assert!(subscriber.wait_until(setup.wait, soon(), || false).unwrap());
    assert!(
        subscriber.wait_until(setup.wait, soon(), || false).unwrap(),
        "it took nothing"
    );
    assert_eq!(subscriber.next(setup.wait).unwrap().payload(), b"one");
    assert_eq!(subscriber.next(setup.wait).unwrap().payload(), b"two");
}

/// Ping-pong: a wake-up that is missed once hangs it.
pub(crate) fn two_who_answer_each_other_never_miss_a_wake<K: Kind>(setup: Setup) {
    let (there, mut ping) = setup.bus::<K>(256);
    let (back, mut pong) = setup.bus::<K>(256);
    let mut hear_ping = there.subscribe(Start::Oldest).unwrap();
    let mut hear_pong = back.subscribe(Start::Oldest).unwrap();
    let count = setup.rounds(1000) as u32;
    let work = spawn(move || {
        for n in 0..count {
            assert_eq!(
                hear_ping.next(setup.wait).unwrap().payload(),
                n.to_le_bytes()
            );
            pong.send(tag(2), &n.to_le_bytes()).unwrap();
        }
    });
    for n in 0..count {
        ping.send(tag(1), &n.to_le_bytes()).unwrap();
        let answer = hear_pong.next_timeout(setup.wait, LONG).unwrap();
        assert_eq!(answer.expect("an answer").payload(), n.to_le_bytes());
    }
    work.finish();
}
