//! Reading all that is there, up to so many.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::kit::{Kind, Setup, fill, tag, take};

pub(crate) fn a_batch_takes_at_most_so_many<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    assert_eq!(subscriber.poll(10, |_| ()), Ok(0));
    for n in 0..5_u8 {
        publisher.send(tag(1), &[n]).unwrap();
    }
    assert_eq!(subscriber.poll(0, |_| panic!("none was asked for")), Ok(0));
    let mut seen = Vec::new();
    assert_eq!(subscriber.poll(3, |r| seen.push(r.payload()[0])), Ok(3));
    assert_eq!(
        subscriber.poll(usize::MAX, |r| seen.push(r.payload()[0])),
        Ok(2)
    );
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    assert_eq!(subscriber.poll(3, |_| ()), Ok(0));
}

pub(crate) fn a_batch_is_held_until_its_end<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    let sent = fill(&mut publisher, &[1; 16]);
    let mut read = 0;
    let all = subscriber.poll(100, |record| {
        read += 1;
        assert!(
            publisher.try_send(tag(1), &[2; 16]).is_err(),
            "what is lent is held"
        );
        assert_eq!(record.payload(), [1; 16]);
        assert_eq!(bus.stats().subscribers[0].position, 0);
    });
    assert_eq!((all, read), (Ok(sent), sent));
    assert_eq!(
        bus.stats().subscribers[0].lag,
        0,
        "and let go of at its end"
    );
    assert_eq!(fill(&mut publisher, &[2; 16]), sent);
}

pub(crate) fn a_reader_that_panics_has_read_its_record<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(256);
    for n in 0..4_u8 {
        publisher.send(tag(1), &[n]).unwrap();
    }
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        subscriber.poll(10, |r| {
            if r.payload() == [1] {
                std::panic::resume_unwind(Box::new("a handler's bug"));
            }
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(subscriber.position(), 64);
    assert_eq!(
        bus.stats().subscribers[0].position,
        64,
        "stored, as room for others"
    );
    assert_eq!(take(&mut subscriber).unwrap().payload, [2]);
    assert_eq!(take(&mut subscriber).unwrap().payload, [3]);
}

pub(crate) fn aborts_do_not_count<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    for n in 0..4_u8 {
        drop(publisher.claim(tag(1), 30).unwrap());
        publisher.send(tag(1), &[n]).unwrap();
    }
    let mut seen = Vec::new();
    assert_eq!(subscriber.poll(3, |r| seen.push(r.payload()[0])), Ok(3));
    assert_eq!(seen, [0, 1, 2]);
}

pub(crate) fn a_batch_ends_when_its_reader_says_so<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    for n in 0..6_u8 {
        publisher.send(tag(1), &[n]).unwrap();
    }
    let mut seen = Vec::new();
    let count = subscriber.poll_while(5, |r| {
        seen.push(r.payload()[0]);
        r.payload() != [2]
    });
    assert_eq!(
        (count, &seen[..]),
        (Ok(3), &[0, 1, 2][..]),
        "the last one is read too"
    );
    assert_eq!(bus.stats().subscribers[0].position, 3 * 32);
    assert_eq!(subscriber.poll_while(2, |_| true), Ok(2));
    assert_eq!(subscriber.poll_while(2, |r| r.payload() == [9]), Ok(1));
    assert_eq!(subscriber.poll_while(2, |_| true), Ok(0));
}
