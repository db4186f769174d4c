//! A subscriber that may be evicted holds back publishers for its time only, is told what it missed, and goes on.

use std::future::poll_fn;
use std::pin::Pin;
use std::thread::sleep;
use std::time::{Duration, Instant};

use futures_core::Stream;
use messenger::bus::{Bus, ClaimError, Evictable, ReadError, Start, Subscriber, SubscriberState};

use crate::kit::{
    Kind, LONG, Publisher, SHORT, Setup, block_on, fill, payload, rounds, soon, spawn, tag,
};

/// Its records are of 64 bytes.
const BYTES: usize = 1024;

/// The seed and the position of each record that is there.
fn read(subscriber: &mut Subscriber<Evictable>) -> Result<Vec<(u64, u64)>, ReadError> {
    let mut all = Vec::new();
    subscriber.poll(usize::MAX, |record| {
        let seed = u64::from_le_bytes(record.payload()[..8].try_into().unwrap());
        assert_eq!(record.payload(), numbered(seed));
        all.push((seed, record.position()));
    })?;
    Ok(all)
}

fn numbered(seed: u64) -> Vec<u8> {
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(payload(seed, 40));
    bytes
}

fn trio<K: Kind>(
    setup: Setup,
    evict_after: Duration,
) -> (Bus<K>, Publisher<K>, Subscriber<Evictable>) {
    let (bus, publisher) = setup.bus::<K>(BYTES);
    let subscriber = bus.subscribe_evictable(Start::Oldest, evict_after);
    (bus, publisher, subscriber.unwrap())
}

/// As [`fill`], with the numbers from 0 on.
fn fill_numbered<K: Kind>(publisher: &mut Publisher<K>) -> u64 {
    let mut next = 0;
    while publisher.try_send(tag(1), &numbered(next)).is_ok() {
        next += 1;
    }
    assert_eq!(next, 16, "sixteen records of 64 bytes");
    next
}

pub(crate) fn one_that_reads_in_time_gets_every_record<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, LONG);
    let count = rounds(600) as u64;
    let mut stream = bus
        .subscribe_evictable(Start::Oldest, LONG)
        .unwrap()
        .into_stream();
    let by_wait = spawn(move || {
        let mut seen = 0;
        while seen < count {
            match seen % 3 {
                0 => {
                    let record = subscriber.next(setup.wait).unwrap();
                    assert_eq!(record.payload(), numbered(seen));
                    seen += 1;
                }
                1 => {
                    assert_eq!(
                        subscriber.wait_until(setup.wait, soon(), || false),
                        Ok(true)
                    );
                    let took = subscriber.poll(2, |record| {
                        assert_eq!(record.payload(), numbered(seen));
                        seen += 1;
                    });
                    assert!(took.unwrap() > 0);
                }
                _ => {
                    if let Some(record) = subscriber.try_next().unwrap() {
                        assert_eq!(record.payload(), numbered(seen));
                        seen += 1;
                    }
                }
            }
        }
    });
    let by_task = spawn(move || {
        block_on(async {
            for n in 0..count {
                let item = poll_fn(|task| Pin::new(&mut stream).poll_next(task)).await;
                assert_eq!(item.unwrap().unwrap().payload, numbered(n));
            }
        });
    });
    for n in 0..count {
        publisher.send(tag(1), &numbered(n)).unwrap();
        if n % 5 == 0 {
            drop(publisher.claim(tag(1), 3).unwrap());
        }
    }
    by_wait.finish();
    by_task.finish();
    assert_eq!(bus.stats().evicted, 0);
}

pub(crate) fn one_that_rests_for_too_long_is_evicted_and_told<K: Kind>(setup: Setup) {
    let evict_after = 3 * SHORT;
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, evict_after);
    let mut next = 0;
    for round in 1..=2 {
        let begun_at = next * 64;
        for _ in 0..16 {
            publisher.try_send(tag(1), &numbered(next)).unwrap();
            next += 1;
        }
        let begun = Instant::now();
        publisher.send(tag(1), &numbered(next)).unwrap();
        next += 1;
        assert!(begun.elapsed() >= evict_after, "not before its time");
        let stats = bus.stats();
        assert_eq!(stats.evicted, round);
        assert_eq!(stats.subscribers[0].state, SubscriberState::Evicted);
        assert_eq!(stats.subscribers[0].position, begun_at);
        // Nobody holds anything back now.
        for _ in 0..20 {
            publisher.try_send(tag(1), &numbered(next)).unwrap();
            next += 1;
        }

        let oldest = bus.stats().head;
        let told = ReadError::Evicted {
            position: begun_at,
            skipped: oldest - begun_at,
        };
        // In each way in which it can be asked.
        let asked = match round {
            1 => read(&mut subscriber).map(drop),
            _ => subscriber
                .wait_until(setup.wait, soon(), || false)
                .map(drop),
        };
        assert_eq!(asked, Err(told));
        assert_eq!(subscriber.position(), oldest);
        let state = bus.stats().subscribers[0].state;
        assert_eq!(state, SubscriberState::Resting, "it is a subscriber again");
        let there: Vec<_> = (oldest / 64..next).map(|n| (n, n * 64)).collect();
        assert_eq!(read(&mut subscriber), Ok(there), "all from there on");
        assert_eq!(read(&mut subscriber), Ok(vec![]), "it is told once");
    }
}

pub(crate) fn one_whose_turn_it_is_is_told_also_as_a_task<K: Kind>(setup: Setup) {
    let (bus, mut publisher, subscriber) = trio::<K>(setup, SHORT);
    let mut stream = subscriber.into_stream();
    for n in 0..40 {
        publisher.send(tag(1), &numbered(n)).unwrap();
    }
    let oldest = bus.stats().head;
    let mut item =
        || block_on(poll_fn(|task| Pin::new(&mut stream).poll_next(task))).expect("no end");
    let told = ReadError::Evicted {
        position: 0,
        skipped: oldest,
    };
    assert_eq!(item(), Err(told));
    // Between two items it rests.
    let first = item().unwrap();
    assert_eq!(first.payload, numbered(oldest / 64));
    assert_eq!(bus.stats().subscribers[0].state, SubscriberState::Resting);
    assert_eq!(bus.stats().subscribers[0].position, oldest + 64);
    for n in oldest / 64 + 1..40 {
        assert_eq!(item().unwrap().payload, numbered(n));
    }
    let mut subscriber = stream.into_inner();
    assert_eq!(read(&mut subscriber), Ok(vec![]));
}

pub(crate) fn one_that_reads_is_not_evicted<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, SHORT / 4);
    let mut next = fill_numbered(&mut publisher);
    let refused = |publisher: &mut Publisher<K>| {
        let sent = publisher.send_timeout(tag(1), &[0; 48], 3 * SHORT);
        assert_eq!(sent, Err(ClaimError::Timeout { needed: 64 }));
    };
    let state = |bus: &Bus<K>| bus.stats().subscribers[0].state;
    // In a batch.
    let took = subscriber.poll(1, |record| {
        refused(&mut publisher);
        assert_eq!(state(&bus), SubscriberState::Holding);
        assert_eq!(record.payload(), numbered(0));
    });
    assert_eq!(took, Ok(1));
    assert_eq!(state(&bus), SubscriberState::Resting);
    publisher.try_send(tag(1), &numbered(next)).unwrap();
    next += 1;
    // While a record is lent, and while it may be lent still.
    let record = subscriber.try_next().unwrap().unwrap();
    refused(&mut publisher);
    assert_eq!(record.payload(), numbered(1));
    refused(&mut publisher);
    assert_eq!(state(&bus), SubscriberState::Holding);
    subscriber.rest();
    assert_eq!(state(&bus), SubscriberState::Resting);
    assert_eq!(bus.stats().evicted, 0);
    publisher.try_send(tag(1), &numbered(next)).unwrap();
    let there: Vec<_> = (2..=next).map(|n| (n, n * 64)).collect();
    assert_eq!(read(&mut subscriber), Ok(there), "it has lost nothing");
}

/// The end of a batch wakes who waits for its room; it need not look by itself.
pub(crate) fn the_end_of_a_batch_gives_room_at_once<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = trio::<K>(setup, 100 * LONG);
    let next = fill_numbered(&mut publisher);
    let waiting = spawn(move || {
        publisher.send(tag(1), &numbered(next)).unwrap();
    });
    sleep(4 * SHORT);
    assert_eq!(subscriber.poll(3, |_| ()), Ok(3));
    // It panics after a time that is far shorter than a quarter of that of the subscriber.
    waiting.finish();
    assert_eq!(read(&mut subscriber).map(|all| all.len()), Ok(14));
}

pub(crate) fn one_whose_reader_panics_rests<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, LONG);
    fill_numbered(&mut publisher);
    let reading = std::panic::AssertUnwindSafe(|| {
        let _ = subscriber.poll(9, |_| std::panic::resume_unwind(Box::new(())));
    });
    assert!(std::panic::catch_unwind(reading).is_err());
    let stats = bus.stats().subscribers[0];
    assert_eq!(stats.state, SubscriberState::Resting);
    assert_eq!((stats.position, subscriber.position()), (64, 64));
}

pub(crate) fn one_that_waits_for_a_claim_is_not_evicted<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, SHORT / 4);
    let Some(slow) = K::another(&bus) else { return };
    let mut slow = slow.unwrap();
    let mut claim = slow.try_claim(tag(2), 48).unwrap();
    let sent = fill(&mut publisher, &[1; 48]);
    assert_eq!(sent, 15);
    assert_eq!(read(&mut subscriber), Ok(vec![]), "the claim is open");
    let refused = publisher.send_timeout(tag(1), &[0; 48], 4 * SHORT);
    assert_eq!(refused, Err(ClaimError::Timeout { needed: 64 }));
    assert_eq!(bus.stats().evicted, 0, "it could not have read on");
    claim.writer().put(&[2; 48]).unwrap();
    claim.commit().unwrap();
    assert_eq!(subscriber.poll(99, |_| ()), Ok(16));
}

pub(crate) fn none_is_evicted_in_vain<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, SHORT / 4);
    let mut gating = bus.subscribe(Start::Oldest).unwrap();
    let next = fill_numbered(&mut publisher);
    let refused = publisher.send_timeout(tag(1), &[0; 48], 4 * SHORT);
    assert_eq!(refused, Err(ClaimError::Timeout { needed: 64 }));
    assert_eq!(bus.stats().evicted, 0, "the other one holds the same");
    assert_eq!(gating.poll(2, |_| ()), Ok(2));
    for next in next..next + 2 {
        publisher.send(tag(1), &numbered(next)).unwrap();
    }
    assert_eq!(bus.stats().evicted, 1, "now it alone does");
    let told = read(&mut subscriber);
    let is_told = matches!(told, Err(ReadError::Evicted { position: 0, skipped }) if skipped >= 64);
    assert!(is_told, "{told:?}");
    assert!(!read(&mut subscriber).unwrap().is_empty());
}

pub(crate) fn several_are_evicted_at_once<K: Kind>(setup: Setup) {
    let (bus, mut publisher, first) = trio::<K>(setup, SHORT);
    let mut all = vec![first];
    for evict_after in [SHORT, 2 * SHORT, 3 * SHORT] {
        all.push(bus.subscribe_evictable(Start::Oldest, evict_after).unwrap());
    }
    // The first look is the one by which the bus is found to be full.
    let begun = Instant::now();
    fill_numbered(&mut publisher);
    publisher.send(tag(1), &numbered(16)).unwrap();
    assert!(begun.elapsed() >= 3 * SHORT);
    assert_eq!(bus.stats().evicted, 4, "any one would have held as much");
    for mut subscriber in all {
        let told = read(&mut subscriber);
        assert!(matches!(told, Err(ReadError::Evicted { .. })), "{told:?}");
    }
}

/// Who looks seldom, or was stopped itself, does not take all that time for the subscriber's.
pub(crate) fn a_gap_between_two_looks_counts_little<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, SHORT);
    let mut next = fill_numbered(&mut publisher);
    // The last try before the bus was full was in vain, and so the first look.
    for _ in 0..3 {
        sleep(2 * SHORT);
        assert!(publisher.try_send(tag(1), &numbered(next)).is_err());
    }
    sleep(2 * SHORT);
    publisher.try_send(tag(1), &numbered(next)).unwrap();
    assert_eq!(bus.stats().evicted, 1);
    assert!(read(&mut subscriber).is_err());
    // Whoever reads on in between begins anew.
    next += 1;
    while publisher.try_send(tag(1), &numbered(next)).is_ok() {
        next += 1;
    }
    for _ in 0..8 {
        sleep(SHORT);
        assert_eq!(subscriber.poll(1, |_| ()), Ok(1));
        publisher.try_send(tag(1), &numbered(next)).unwrap();
        assert!(publisher.try_send(tag(1), &numbered(next)).is_err());
        next += 1;
    }
    assert_eq!(bus.stats().evicted, 1);
}

/// What lies before the start, of which it wanted nothing, is not missed.
pub(crate) fn only_what_was_wanted_is_missed<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(BYTES);
    let Some(slow) = K::another(&bus) else { return };
    let mut slow = slow.unwrap();
    for n in 0..4 {
        publisher.try_send(tag(1), &numbered(n)).unwrap();
    }
    let mut claim = slow.try_claim(tag(1), 48).unwrap();
    for n in 5..16 {
        publisher.try_send(tag(1), &numbered(n)).unwrap();
    }
    // It stands at the open claim, before its start.
    let mut late = bus
        .subscribe_evictable(Start::At(10 * 64), SHORT / 4)
        .unwrap();
    assert_eq!((late.position(), late.start()), (4 * 64, 10 * 64));
    claim.writer().put(&numbered(4)).unwrap();
    claim.commit().unwrap();
    for n in 16..40 {
        publisher.send(tag(1), &numbered(n)).unwrap();
    }
    let oldest = bus.stats().head;
    let told = ReadError::Evicted {
        position: 10 * 64,
        skipped: oldest - 10 * 64,
    };
    assert_eq!(read(&mut late), Err(told));
    assert_eq!(read(&mut late).unwrap()[0], (oldest / 64, oldest));
}

pub(crate) fn one_that_is_evicted_may_leave<K: Kind>(setup: Setup) {
    let (bus, mut publisher, subscriber) = trio::<K>(setup, SHORT / 4);
    let before = bus.stats().members;
    fill_numbered(&mut publisher);
    publisher.send(tag(1), &numbered(16)).unwrap();
    assert_eq!(bus.stats().evicted, 1);
    drop(subscriber);
    assert_eq!(bus.stats().members, before - 1);
    // Its slot is had by one that is never evicted.
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    fill(&mut publisher, &[0; 48]);
    let refused = publisher.send_timeout(tag(1), &[0; 48], 2 * SHORT);
    assert_eq!(refused, Err(ClaimError::Timeout { needed: 64 }));
    assert!(subscriber.poll(99, |_| ()).unwrap() > 0);
    assert_eq!(bus.stats().evicted, 1);
}

/// Publishers that wait, a reader that stops again and again: each record is read, or told to be missed.
pub(crate) fn what_is_not_read_is_told_while_all_run<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = trio::<K>(setup, Duration::from_micros(300));
    let count = rounds(2000) as u64;
    let holds = |bus: &Bus<K>| bus.stats().subscribers[0].state != SubscriberState::Evicted;
    let reader = spawn(move || {
        let (mut at, mut seen, mut missed) = (0, 0, 0);
        while at < count * 64 {
            let mut last = at;
            let read = subscriber.poll(7, |record| {
                assert_eq!(record.position(), last, "no gap that is not told");
                assert_eq!(record.payload(), numbered(last / 64));
                last += 64;
            });
            match read {
                Ok(0) => std::thread::yield_now(),
                Ok(read) => seen += read as u64,
                Err(ReadError::Evicted { position, skipped }) => {
                    assert_eq!((position, skipped % 64), (at, 0));
                    last += skipped;
                    missed += skipped / 64;
                }
                Err(error) => panic!("{error}"),
            }
            at = last;
            // Stands still until it is evicted, or nobody is left to do it.
            while at / 64 % 250 < 20 && holds(&bus) && bus.tail() < count * 64 {
                sleep(Duration::from_millis(1));
            }
        }
        assert_eq!(seen + missed, count);
        bus.stats().evicted
    });
    for n in 0..count {
        publisher.send(tag(1), &numbered(n)).unwrap();
    }
    // Under Miri they are too few to fill the bus for sure.
    assert!(reader.finish() > 0 || cfg!(miri));
}
