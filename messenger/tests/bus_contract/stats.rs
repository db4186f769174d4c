//! Statistics, at rest and while the bus runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use messenger::bus::{ObserveError, Start};

use crate::kit::{Kind, Setup, drain, spawn, tag};

pub(crate) fn a_fresh_bus<K: Kind>(setup: Setup) {
    let (bus, publisher) = setup.bus::<K>(1000);
    let stats = bus.stats();
    assert_eq!((stats.head, stats.tail, stats.used), (0, 0, 0));
    assert_eq!(stats.capacity, 1024, "rounded up");
    assert_eq!((bus.capacity(), publisher.capacity()), (1024, 1024));
    let own = setup.own_members();
    assert_eq!((stats.members, stats.subscribers.len()), (own + 1, 0));
    assert_eq!((stats.aborted, stats.lagged), (0, 0));
    assert!(
        bus.memory_len() >= 1024 + 16 * 128,
        "ring and slots: {}",
        bus.memory_len()
    );
    assert!(format!("{bus:?}").contains("capacity: 1024"));
}

pub(crate) fn numbers_follow_what_happens<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(512);
    publisher.send(tag(1), &[0; 16]).unwrap();
    drop(publisher.claim(tag(1), 16).unwrap());
    let stats = bus.stats();
    assert_eq!((stats.tail, stats.used, stats.aborted), (64, 64, 1));
    assert_eq!(bus.tail(), 64);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    assert_eq!(bus.stats().members, setup.own_members() + 3);
    for _ in 0..40 {
        publisher.send(tag(1), &[0; 16]).unwrap();
        drain(&mut subscriber);
    }
    let stats = bus.stats();
    assert_eq!(stats.tail, 64 + 40 * 32);
    assert!(
        stats.head > 0 && stats.used == stats.tail - stats.head,
        "{stats:?}"
    );
    let lagged = observer.try_next(&mut Vec::new());
    assert!(matches!(lagged, Err(ObserveError::Lagged { skipped }) if skipped == stats.head));
    assert_eq!(bus.stats().lagged, 1);
    drop((publisher, subscriber, observer));
    assert_eq!(bus.stats().members, setup.own_members());
}

pub(crate) fn lag_is_per_subscriber<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut quick) = setup.trio::<K>(1024);
    let mut slow = bus.subscribe(Start::Oldest).unwrap();
    for n in 0..6 {
        publisher.send(tag(1), &[n; 16]).unwrap();
    }
    assert_eq!(quick.poll(100, |_| ()), Ok(6));
    assert_eq!(slow.poll(2, |_| ()), Ok(2));
    let lags: Vec<_> = bus
        .stats()
        .subscribers
        .iter()
        .map(|s| (s.position, s.lag))
        .collect();
    assert_eq!(lags, [(192, 0), (64, 128)]);
    let slots: Vec<_> = bus.stats().subscribers.iter().map(|s| s.slot).collect();
    let own = setup.own_members();
    assert_eq!(slots, [own + 1, own + 2], "after the publisher's");
}

pub(crate) fn stats_while_it_runs<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(512);
    let done = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&done);
    let watching = spawn(move || {
        let (mut head, mut tail) = (0, 0);
        while !over.load(Ordering::SeqCst) {
            let stats = bus.stats();
            assert!(stats.head >= head && stats.tail >= tail, "{stats:?}");
            assert!(stats.tail >= stats.head, "{stats:?}");
            let lag = stats.subscribers.iter().map(|one| one.lag).max();
            let most = stats.used.max(lag.unwrap_or(0));
            assert!(most <= stats.capacity, "{stats:?}");
            (head, tail) = (stats.head, stats.tail);
            std::thread::yield_now();
        }
    });
    let count = setup.rounds(1500) as u64;
    let sending = spawn(move || {
        for n in 0..count {
            publisher.send(tag(1), &n.to_le_bytes()).unwrap();
        }
    });
    for n in 0..count {
        assert_eq!(
            subscriber.next(setup.wait).unwrap().payload(),
            n.to_le_bytes()
        );
    }
    done.store(true, Ordering::SeqCst);
    sending.finish();
    watching.finish();
}
