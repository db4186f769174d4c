//! Observers: copies, no holding back, and being lapped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use messenger::bus::{ObserveError, Start, record_len};

use crate::kit::{
    Kind, LONG, SHORT, Setup, drain, observed, payload, rounds, soon, spawn, stopped, tag, take,
};

pub(crate) fn an_observer_gets_copies<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    let mut bytes = vec![9; 300];
    assert_eq!(observer.try_next(&mut bytes), Ok(None));
    for n in 0..rounds(100) as u64 {
        let sent = payload(n, n as usize * 3 % 257);
        let position = publisher.try_send(tag(n as u16), &sent).unwrap();
        let seen = observer
            .try_next(&mut bytes)
            .unwrap()
            .expect("it was committed");
        assert_eq!((seen.position, seen.tag), (position, tag(n as u16)));
        assert_eq!(bytes, sent, "in place of what was there");
        assert_eq!(
            observer.position(),
            position + record_len(sent.len()) as u64
        );
    }
    assert_eq!(observer.try_next(&mut bytes), Ok(None));
}

pub(crate) fn an_observer_holds_nobody_back<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    let _observer = bus.observe(Start::Oldest).unwrap();
    for _ in 0..rounds(200) {
        publisher.try_send(tag(1), &[1; 64]).unwrap();
    }
    assert!(bus.stats().head > 0);
}

pub(crate) fn a_lapped_observer_is_told_how_much_it_missed<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    let mut bytes = Vec::new();
    // All bytes of the bus are read, or skipped, or padding.
    let (mut read, mut skipped, mut laps) = (0, 0, 0);
    let mut next = 0_u64;
    for n in 0..rounds(400) as u64 {
        publisher.try_send(tag(1), &n.to_le_bytes()).unwrap();
        if n % 70 != 0 {
            continue;
        }
        loop {
            let before = observer.position();
            match observer.try_next(&mut bytes) {
                Ok(None) => break,
                Ok(Some(seen)) => {
                    assert_eq!(seen.position, before);
                    let n = u64::from_le_bytes(bytes[..].try_into().unwrap());
                    assert!(n >= next);
                    next = n + 1;
                    read += record_len(8) as u64;
                }
                Err(ObserveError::Lagged { skipped: missed }) => {
                    assert!(missed > 0);
                    assert_eq!(before + missed, observer.position());
                    assert_eq!(observer.position(), bus.stats().head);
                    skipped += missed;
                    laps += 1;
                    assert_eq!(bus.stats().lagged, laps);
                }
                Err(other) => panic!("{other}"),
            }
        }
        // Records of 32 bytes never meet the ring's end with a gap: there is no padding.
        assert_eq!(read + skipped, bus.tail());
        assert_eq!(observer.position(), bus.tail());
        assert_eq!(next, n + 1);
    }
    assert_eq!(laps > 0, rounds(400) > 70, "{laps}");
}

pub(crate) fn an_observer_misses_only_what_it_wanted<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    let mut bytes = Vec::new();
    for _ in 0..20 {
        publisher.try_send(tag(1), &[0; 16]).unwrap();
    }
    let start = publisher.try_send(tag(2), b"this").unwrap();
    let mut observer = bus.observe(Start::At(start)).unwrap();
    let mut late = bus.observe(Start::At(start)).unwrap();
    // Those before it are overwritten, and then itself and some more.
    while bus.stats().head == 0 {
        publisher.try_send(tag(1), &[0; 16]).unwrap();
    }
    assert!(bus.stats().head <= start);
    let seen = observer.try_next(&mut bytes).unwrap();
    assert_eq!(seen.map(|seen| seen.position), Some(start));
    assert_eq!(bus.stats().lagged, 0);
    while bus.stats().head <= start {
        publisher.try_send(tag(1), &[0; 16]).unwrap();
    }
    let skipped = bus.stats().head - start;
    let lagged = Err(ObserveError::Lagged { skipped });
    assert_eq!(late.try_next(&mut bytes), lagged);
    assert_eq!(bus.stats().lagged, 1);
}

pub(crate) fn a_newest_observer_sees_only_what_follows<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    publisher.send(tag(1), b"old").unwrap();
    let mut newest = bus.observe(Start::Newest).unwrap();
    let mut oldest = bus.observe(Start::Oldest).unwrap();
    assert_eq!(observed(&mut newest), None);
    publisher.send(tag(1), b"new").unwrap();
    assert_eq!(observed(&mut newest).unwrap(), b"new");
    assert_eq!(observed(&mut oldest).unwrap(), b"old");
    assert_eq!(observed(&mut oldest).unwrap(), b"new");
}

pub(crate) fn an_observer_steps_over_aborts<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    let claim = publisher.claim(tag(1), 100).unwrap();
    assert_eq!(
        observed(&mut observer),
        None,
        "nothing of a claim being filled"
    );
    drop(claim);
    assert_eq!(observed(&mut observer), None);
    assert_eq!(observer.position(), record_len(100) as u64);
    drop(publisher.claim(tag(1), 10).unwrap());
    publisher.send(tag(1), b"good").unwrap();
    assert_eq!(observed(&mut observer).unwrap(), b"good");
}

pub(crate) fn an_observer_waits<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    let mut observer = bus.observe(Start::Newest).unwrap();
    let mut bytes = Vec::new();
    let start = Instant::now();
    let late = observer.next_until(&mut bytes, setup.wait, Some(start + SHORT), || false);
    assert_eq!(late, Ok(None));
    assert!(start.elapsed() >= SHORT);
    assert_eq!(
        observer.next_until(&mut bytes, setup.wait, None, || true),
        Ok(None)
    );

    let work = spawn(move || {
        let found = observer
            .next_until(&mut bytes, setup.wait, soon(), || false)
            .unwrap();
        (observer, bytes, found)
    });
    if setup.sleeps() {
        work.assert_sleeps();
    }
    assert!(work.runs_still());
    publisher.send(tag(1), b"wake up").unwrap();
    let (mut observer, bytes, found) = work.finish();
    assert_eq!((found.unwrap().position, bytes), (0, b"wake up".to_vec()));

    let found = stopped(&bus, move |stop| {
        observer.next_until(&mut Vec::new(), setup.wait, None, stop)
    });
    assert_eq!(found, Ok(None));
}

pub(crate) fn an_observer_that_waits_takes_its_time_or_none<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    let mut observer = bus.observe(Start::Newest).unwrap();
    let mut bytes = Vec::new();
    let start = Instant::now();
    let late = observer.next_timeout(&mut bytes, setup.wait, SHORT);
    assert_eq!(late, Ok(None));
    assert!(start.elapsed() >= SHORT);

    let work = spawn(move || {
        let first = observer.next(&mut bytes, setup.wait).unwrap();
        let one = (first.position, bytes.clone());
        let second = observer.next_timeout(&mut bytes, setup.wait, LONG);
        (one, (second.unwrap().unwrap().position, bytes))
    });
    assert!(work.runs_still());
    // What is aborted wakes it for nothing.
    drop(publisher.claim(tag(1), 16).unwrap());
    assert!(work.runs_still());
    publisher.send(tag(1), b"first").unwrap();
    publisher.send(tag(1), b"second").unwrap();
    let expected = ((32, b"first".to_vec()), (64, b"second".to_vec()));
    assert_eq!(work.finish(), expected);
}

pub(crate) fn an_observer_beside_a_subscriber_reads_behind_it<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(4096);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    for n in 0..10_u8 {
        publisher.send(tag(1), &[n; 50]).unwrap();
    }
    assert_eq!(drain(&mut subscriber).len(), 10);
    assert_eq!(take(&mut subscriber), None);
    // Read by all who gate, but not overwritten yet.
    for n in 0..10_u8 {
        assert_eq!(observed(&mut observer).unwrap(), [n; 50]);
    }
}

/// Room is made in steps of an eighth, so that most of what is read stays for a while.
pub(crate) fn an_observer_three_quarters_behind_is_not_lapped<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(2048);
    for n in 0..rounds(400) {
        publisher.try_send(tag(1), &[1; 40]).unwrap();
        drain(&mut subscriber);
        let stats = bus.stats();
        assert!(stats.used >= stats.tail.min(1536), "{n}: {stats:?}");
    }
}

pub(crate) fn copies_are_whole_while_publishers_lap<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    let mut observer = bus.observe(Start::Oldest).unwrap();
    let count = rounds(3000) as u64;
    let done = Arc::new(AtomicBool::new(false));
    let finished = Arc::clone(&done);
    let work = spawn(move || {
        for n in 0..count {
            publisher
                .send(tag(1), &payload(n, 8 + n as usize % 90))
                .unwrap();
            if n % 64 == 0 {
                std::thread::yield_now();
            }
        }
        finished.store(true, Ordering::SeqCst);
        publisher
    });
    let (mut bytes, mut last, mut position) = (Vec::new(), 0, 0);
    loop {
        let over = done.load(Ordering::SeqCst);
        match observer.try_next(&mut bytes) {
            Ok(Some(seen)) => {
                let first = if position == 0 { 0 } else { last + 1 };
                let n = (first..count).find(|&n| payload(n, 8 + n as usize % 90) == bytes);
                last = n.unwrap_or_else(|| panic!("no record is like the copy {bytes:?}"));
                assert!(seen.position >= position);
                position = observer.position();
            }
            Ok(None) if over => break,
            Ok(None) => std::thread::yield_now(),
            Err(ObserveError::Lagged { skipped }) => assert!(skipped > 0),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(
        last,
        count - 1,
        "the last is never skipped once all is quiet"
    );
    drop(work.finish());
}
