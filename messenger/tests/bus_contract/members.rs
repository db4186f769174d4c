//! Joining, leaving, and the slots for it.

use messenger::bus::{JoinError, Start};

use crate::kit::{Kind, LONG, Publisher, Setup, drain, fill, payload, rounds, spawn, tag, take};

pub(crate) fn the_oldest_is_what_is_retained<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    let mut early = bus.subscribe(Start::Oldest).unwrap();
    publisher.send(tag(1), b"first").unwrap();
    let mut late = bus.subscribe(Start::Oldest).unwrap();
    assert_eq!(drain(&mut early), [b"first"]);
    assert_eq!(drain(&mut late), [b"first"]);
    drop((early, late));

    // After some laps without anybody: an unbroken run of records up to the newest.
    let sent: Vec<_> = (0..rounds(200).max(40) as u64)
        .map(|n| payload(n, n as usize % 60))
        .collect();
    for bytes in &sent {
        publisher.try_send(tag(1), bytes).unwrap();
    }
    let head = bus.stats().head;
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    assert_eq!((subscriber.position(), subscriber.start()), (head, head));
    let read = drain(&mut subscriber);
    assert!(!read.is_empty());
    assert_eq!(read, sent[sent.len() - read.len()..]);
}

pub(crate) fn the_newest_is_what_is_claimed_after_the_join<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    for n in 0..rounds(100) {
        publisher.send(tag(1), &[n as u8; 20]).unwrap();
    }
    let mut subscriber = bus.subscribe(Start::Newest).unwrap();
    assert_eq!(subscriber.start(), bus.tail());
    assert_eq!(take(&mut subscriber), None);
    publisher.send(tag(1), b"new").unwrap();
    assert_eq!(drain(&mut subscriber), [b"new"]);
    let mut subscriber = bus.subscribe(Start::Newest).unwrap();
    assert!(
        !subscriber
            .wait_until(setup.wait, Some(std::time::Instant::now()), || false)
            .unwrap()
    );
    publisher.send(tag(1), b"newer").unwrap();
    assert_eq!(
        subscriber.poll(9, |r| assert_eq!(r.payload(), b"newer")),
        Ok(1)
    );
}

pub(crate) fn a_newest_steps_over_claims_finished_after_its_join<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    let mut claim = publisher.claim(tag(1), 3).unwrap();
    let mut newest = bus.subscribe(Start::Newest).unwrap();
    let mut oldest = bus.subscribe(Start::Oldest).unwrap();
    claim.writer().put(b"old").unwrap();
    claim.commit().unwrap();
    publisher.send(tag(1), b"new").unwrap();
    assert_eq!(drain(&mut newest), [b"new"]);
    assert_eq!(drain(&mut oldest), [b"old", b"new"]);
}

pub(crate) fn a_joiner_holds_back_from_its_start<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(512);
    for start in [Start::Oldest, Start::Newest] {
        fill_a_lap(&mut publisher);
        let mut subscriber = bus.subscribe(start).unwrap();
        let before = drain_len(&mut subscriber);
        if start == Start::Newest {
            assert_eq!(before, 0);
        }
        assert_eq!(take(&mut subscriber), None);
        let sent = fill(&mut publisher, &[3; 16]);
        assert!(sent >= 12, "room for nearly a lap: {sent}");
        assert_eq!(drain(&mut subscriber), vec![[3; 16]; sent]);
    }
}

fn fill_a_lap<K: Kind>(publisher: &mut Publisher<K>) {
    for _ in 0..20 {
        publisher.send_timeout(tag(1), &[1; 16], LONG).unwrap();
    }
}

fn drain_len(subscriber: &mut messenger::bus::Subscriber) -> usize {
    drain(subscriber).len()
}

pub(crate) fn leaving_gives_room<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(256);
    for start in [Start::Oldest, Start::Newest] {
        let subscriber = bus.subscribe(start).unwrap();
        fill(&mut publisher, &[0; 16]);
        assert!(publisher.try_send(tag(1), &[0; 16]).is_err());
        drop(subscriber);
        publisher.try_send(tag(1), &[0; 16]).unwrap();
    }
    // One that has read on leaves, one that has not stays.
    let slow = bus.subscribe(Start::Oldest).unwrap();
    let mut fast = bus.subscribe(Start::Oldest).unwrap();
    fill(&mut publisher, &[0; 16]);
    drain(&mut fast);
    drop(fast);
    assert!(publisher.try_send(tag(1), &[0; 16]).is_err());
    drop(slow);
    publisher.try_send(tag(1), &[0; 16]).unwrap();
}

pub(crate) fn joins_and_leaves_while_it_runs<K: Kind>(setup: Setup) {
    let (bus, mut publisher) = setup.bus::<K>(1024);
    let mut whole = bus.subscribe(Start::Oldest).unwrap();
    let count = setup.rounds(1500) as u64;
    let sending = spawn(move || {
        for n in 0..count {
            publisher.send(tag(1), &n.to_le_bytes()).unwrap();
        }
    });
    let joining = {
        let bus = bus.clone();
        spawn(move || {
            let mut read = 0_u64;
            for round in 0.. {
                let start = if round % 2 == 0 {
                    Start::Oldest
                } else {
                    Start::Newest
                };
                let mut subscriber = bus.subscribe(start).unwrap();
                let mut last = None;
                for _ in 0..20 {
                    let timeout = std::time::Duration::from_millis(5);
                    let Some(record) = subscriber.next_timeout(setup.wait, timeout).unwrap() else {
                        break;
                    };
                    let n = u64::from_le_bytes(record.payload().try_into().unwrap());
                    assert!(
                        last.is_none_or(|last| n == last + 1),
                        "a gap: {last:?}, {n}"
                    );
                    last = Some(n);
                    read += 1;
                }
                if last == Some(count - 1) || (last.is_none() && round > 0) {
                    break;
                }
            }
            read
        })
    };
    for n in 0..count {
        assert_eq!(whole.next(setup.wait).unwrap().payload(), n.to_le_bytes());
    }
    sending.finish();
    joining.finish();
}

pub(crate) fn slots_run_out_and_come_back<K: Kind>(setup: Setup) {
    let (bus, publisher) = setup.bus_for::<K>(1024, 4);
    let own = setup.own_members();
    let refused = JoinError::NoFreeSlot { members: 4 + own };
    let one = bus.subscribe(Start::Oldest).unwrap();
    let two = bus.observe(Start::Oldest).unwrap();
    let three = bus.subscribe(Start::Newest).unwrap();
    assert_eq!(bus.stats().members, 4 + own);
    assert_eq!(bus.subscribe(Start::Oldest).map(drop), Err(refused));
    assert_eq!(bus.observe(Start::Oldest).map(drop), Err(refused));
    if let Some(another) = K::another(&bus) {
        assert_eq!(another.map(drop), Err(refused));
    }
    drop(two);
    let four = bus.subscribe(Start::Oldest).unwrap();
    assert_eq!(bus.subscribe(Start::Oldest).map(drop), Err(refused));
    drop(publisher);
    let five = bus.observe(Start::Newest).unwrap();
    assert_eq!(bus.observe(Start::Oldest).map(drop), Err(refused));
    drop((one, three, four, five));
    assert_eq!(bus.stats().members, own);
}

pub(crate) fn a_hundred_subscribers<K: Kind>(setup: Setup) {
    let many = rounds(100);
    let (bus, mut publisher) = setup.bus_for::<K>(4096, many + 1);
    let mut all: Vec<_> = (0..many)
        .map(|_| bus.subscribe(Start::Oldest).unwrap())
        .collect();
    assert!(bus.subscribe(Start::Oldest).is_err());
    for round in 0..5_u8 {
        for n in 0..10 {
            publisher.try_send(tag(1), &[round, n]).unwrap();
        }
        for subscriber in &mut all {
            let mut n = 0;
            let read = subscriber.poll(100, |r| {
                assert_eq!(r.payload(), [round, n]);
                n += 1;
            });
            assert_eq!(read, Ok(10));
        }
    }
    // The last of them alone holds the bus back.
    let last = all.pop().unwrap();
    fill(&mut publisher, &[0; 200]);
    all.iter_mut().for_each(|s| while take(s).is_some() {});
    assert!(publisher.try_send(tag(1), &[0; 200]).is_err());
    drop(last);
    publisher.try_send(tag(1), &[0; 200]).unwrap();
}
