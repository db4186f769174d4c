//! Waiting for room as a task.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use messenger::bus::{Bus, Claim, ClaimError, Publisher, Start};

use crate::kit::{Kind, LONG, Setup, block_on, drain, rounds, spawn, tag};
use crate::publisher;
use crate::woken::Woken;

/// The publisher, which is to be in this process: tasks can't be told to another one.
fn here<K: Kind>(bus: &Bus<K>, publisher: publisher::Publisher<K>) -> Publisher<K> {
    match publisher {
        publisher::Publisher::Here(publisher) => publisher,
        publisher::Publisher::There(_) => match K::another(bus) {
            Some(Ok(publisher::Publisher::Here(publisher))) => publisher,
            _ => panic!("a bus that processes share has any number of publishers"),
        },
    }
}

/// A bus that is full, its publisher and how many records it took.
fn full<K: Kind>(bus: &Bus<K>, publisher: publisher::Publisher<K>) -> (Publisher<K>, usize) {
    let mut publisher = here(bus, publisher);
    let mut sent = 0;
    while publisher.try_send(tag(1), &[7; 16]).is_ok() {
        sent += 1;
    }
    (publisher, sent)
}

type Claimed<'a> = Poll<Result<Claim<'a>, ClaimError>>;

#[track_caller]
fn commit(claimed: Claimed<'_>) {
    let Poll::Ready(Ok(mut claim)) = claimed else {
        panic!("there is room: {claimed:?}");
    };
    claim.zeroed().fill(8);
    claim.commit().unwrap();
}

/// Nobody has its waker any more, nor is just about to wake it.
#[track_caller]
fn let_go(count: &Arc<Woken>) {
    let begun = Instant::now();
    while Arc::strong_count(count) > 1 {
        assert!(begun.elapsed() < LONG, "it is still kept");
        std::thread::yield_now();
    }
}

/// A task waits, and does so no longer.
#[track_caller]
fn waits<K: Kind>(publisher: &mut Publisher<K>, task: &mut Context<'_>) {
    let waiting = pin!(publisher.claim_async(tag(1), 16)).poll(task);
    assert!(waiting.is_pending());
}

pub(crate) fn a_task_is_woken_when_there_is_room<K: Kind>(setup: Setup) {
    let (bus, publisher, mut subscriber) = setup.trio::<K>(256);
    let (mut publisher, sent) = full(&bus, publisher);
    let max = publisher.max_payload();
    let (count, waker) = Woken::new();
    let mut task = Context::from_waker(&waker);
    {
        let too_large = pin!(publisher.claim_async(tag(1), max + 1)).poll(&mut task);
        assert!(matches!(
            too_large,
            Poll::Ready(Err(ClaimError::TooLarge { .. }))
        ));
    }
    {
        let mut claim = pin!(publisher.claim_async(tag(1), 16));
        assert!(claim.as_mut().poll(&mut task).is_pending());
        assert!(claim.as_mut().poll(&mut task).is_pending());
        assert_eq!(drain(&mut subscriber).len(), sent);
        setup.woken(|| count.get() > 0);
        commit(claim.poll(&mut task));
    }
    assert_eq!(drain(&mut subscriber), [[8; 16]]);
    // Where there is room it waits for nothing.
    let woken = count.get();
    let claim = pin!(publisher.claim_async(tag(1), 16)).poll(&mut task);
    commit(claim);
    assert_eq!(drain(&mut subscriber), [[8; 16]]);
    if !setup.wakes_late() {
        assert_eq!(count.get(), woken);
    }
}

pub(crate) fn a_task_never_misses_that_there_is_room<K: Kind>(setup: Setup) {
    let (bus, publisher, mut subscriber) = setup.trio::<K>(256);
    let mut publisher = here(&bus, publisher);
    let count = rounds(1000) as u32;
    let work = spawn(move || {
        block_on(async {
            for n in 0..count {
                let mut claim = publisher.claim_async(tag(1), 4).await.unwrap();
                claim.zeroed().copy_from_slice(&n.to_le_bytes());
                claim.commit().unwrap();
            }
        });
    });
    for n in 0..count {
        let next = subscriber.next_timeout(setup.wait, LONG).unwrap();
        assert_eq!(next.expect("it goes on").payload(), n.to_le_bytes());
        // So that it is full now and then.
        if n % 64 == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    work.finish();
}

pub(crate) fn a_task_is_woken_when_a_subscriber_leaves<K: Kind>(setup: Setup) {
    let (bus, publisher, subscriber) = setup.trio::<K>(256);
    let (mut publisher, _) = full(&bus, publisher);
    let work = spawn(move || {
        block_on(async {
            let claim = publisher.claim_async(tag(1), 16).await;
            commit(Poll::Ready(claim));
        });
    });
    assert!(work.runs_still());
    drop(subscriber);
    work.finish();
}

pub(crate) fn a_task_that_waits_for_room_no_longer_leaves_nothing<K: Kind>(setup: Setup) {
    let (bus, publisher, mut subscriber) = setup.trio::<K>(256);
    let (mut publisher, sent) = full(&bus, publisher);
    let (count, waker) = Woken::new();
    let mut task = Context::from_waker(&waker);
    waits(&mut publisher, &mut task);
    drop(waker);
    // Its publisher goes on without it.
    assert_eq!(drain(&mut subscriber).len(), sent);
    publisher.send(tag(1), b"as a thread").unwrap();
    assert_eq!(drain(&mut subscriber), [b"as a thread"]);
    let_go(&count);
    assert_eq!(bus.stats().aborted, 0);

    let (count, waker) = Woken::new();
    while publisher.try_send(tag(1), &[7; 16]).is_ok() {}
    let mut task = Context::from_waker(&waker);
    waits(&mut publisher, &mut task);
    drop(waker);
    drop(publisher);
    let_go(&count);
    // Keepers and other processes may have made it look in vain.
    if setup.own_members() == 0 {
        assert_eq!(count.get(), 0, "woken as its publisher went");
    }
}

/// A task can't sleep for some time only, and so is woken to look.
pub(crate) fn a_subscriber_is_evicted_for_a_task<K: Kind>(setup: Setup) {
    let (bus, publisher) = setup.bus::<K>(256);
    let rest = Duration::from_millis(20);
    let _subscriber = bus.subscribe_evictable(Start::Oldest, rest).unwrap();
    let (mut publisher, _) = full(&bus, publisher);
    let mut noop = Context::from_waker(Waker::noop());
    waits(&mut publisher, &mut noop);
    let claim = block_on(publisher.claim_async(tag(1), 16));
    commit(Poll::Ready(claim));
    assert_eq!(bus.stats().evicted, 1);
}
