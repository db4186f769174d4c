//! Claim, fill, commit; and all the ways in which a claim ends otherwise.

use std::mem::{forget, replace, swap};
use std::panic::{AssertUnwindSafe, catch_unwind};

use messenger::bus::{ClaimError, CommitError, Overflow, PayloadWriter, Start};

use crate::kit::{Kind, Setup, Writer, drain, payload, rounds, tag, take};

pub(crate) fn a_dropped_claim_is_stepped_over<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    publisher.send(tag(1), b"before").unwrap();
    drop(publisher.claim(tag(2), 40).unwrap());
    let mut half = publisher.claim(tag(2), 40).unwrap();
    half.writer().put(b"not all").unwrap();
    drop(half);
    publisher.send(tag(1), b"after").unwrap();
    assert_eq!(drain(&mut subscriber), [&b"before"[..], b"after"]);
    assert_eq!(bus.stats().aborted, 2);
}

pub(crate) fn a_panic_while_filling_aborts<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut claim = publisher.claim(tag(1), 8).unwrap();
        claim.writer().put(&[1]).unwrap();
        std::panic::resume_unwind(Box::new("a codec's bug"));
    }));
    assert!(panicked.is_err());
    assert_eq!(take(&mut subscriber), None);
    assert_eq!(bus.stats().aborted, 1);
    publisher.send(tag(1), b"on").unwrap();
    assert_eq!(drain(&mut subscriber), [b"on"]);
}

pub(crate) fn a_forgotten_claim_is_aborted_by_the_next_use<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut claim = publisher.claim(tag(1), 8).unwrap();
    claim.zeroed().fill(7);
    forget(claim);
    assert_eq!(take(&mut subscriber), None);
    assert_eq!(bus.stats().aborted, 0);
    publisher.send(tag(2), b"next").unwrap();
    assert_eq!(bus.stats().aborted, 1);
    assert_eq!(drain(&mut subscriber), [b"next"]);
    // A use that fails does it as well: by then readers wait for what was forgotten.
    forget(publisher.claim(tag(1), 8).unwrap());
    let unread = bus.subscribe(Start::Oldest).unwrap();
    while publisher.try_send(tag(1), &[0; 200]).is_ok() {}
    drop(unread);
    assert_eq!(bus.stats().aborted, 2);
}

pub(crate) fn a_forgotten_claim_is_aborted_by_the_publishers_drop<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let position = publisher.claim(tag(1), 8).map(|claim| {
        let position = claim.position();
        forget(claim);
        position
    });
    assert_eq!(position, Ok(0));
    assert_eq!(take(&mut subscriber), None);
    drop(publisher);
    assert_eq!(bus.stats().aborted, 1);
    assert_eq!(take(&mut subscriber), None);
    assert_eq!(subscriber.position(), 32, "stepped over");
}

pub(crate) fn a_claim_half_filled_cannot_be_committed<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut claim = publisher.claim(tag(1), 10).unwrap();
    claim.writer().put(&[1; 9]).unwrap();
    assert_eq!(
        claim.commit(),
        Err(CommitError::Incomplete {
            written: 9,
            claimed: 10
        })
    );
    assert_eq!(bus.stats().aborted, 1);
    assert_eq!(take(&mut subscriber), None);
    let claim = publisher.claim(tag(1), 0).unwrap();
    claim.commit().unwrap();
    assert_eq!(take(&mut subscriber).unwrap().payload, []);
}

pub(crate) fn a_writer_goes_on_where_the_last_one_ended<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut claim = publisher.claim(tag(1), 8).unwrap();
    assert_eq!(claim.payload_len(), 8);
    claim.writer().put(&[1, 2]).unwrap();
    let mut writer = claim.writer();
    assert_eq!((writer.written(), writer.remaining()), (2, 6));
    writer.put_zeros(2).unwrap();
    writer.put(&[5]).unwrap();
    assert_eq!(claim.writer().written(), 5);
    let bytes = claim.zeroed();
    assert_eq!(bytes, [1, 2, 0, 0, 5, 0, 0, 0]);
    bytes[7] = 8;
    assert_eq!(claim.zeroed(), [1, 2, 0, 0, 5, 0, 0, 8]);
    claim.commit().unwrap();
    assert_eq!(
        take(&mut subscriber).unwrap().payload,
        [1, 2, 0, 0, 5, 0, 0, 8]
    );
}

pub(crate) fn a_writer_takes_no_more_than_was_claimed<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let mut claim = publisher.claim(tag(1), 4).unwrap();
    let mut writer = claim.writer();
    writer.put(&[1, 2, 3]).unwrap();
    assert_eq!(
        writer.put(&[4, 5]),
        Err(Overflow {
            len: 2,
            remaining: 1
        })
    );
    assert_eq!(
        writer.put_zeros(2),
        Err(Overflow {
            len: 2,
            remaining: 1
        })
    );
    assert_eq!(writer.remaining(), 1, "nothing of it was written");
    writer.put(&[4]).unwrap();
    writer.put(&[]).unwrap();
    claim.commit().unwrap();
    assert_eq!(take(&mut subscriber).unwrap().payload, [1, 2, 3, 4]);
}

pub(crate) fn zeroed_bytes_are_zero_after_many_laps<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(512);
    for n in 0..rounds(100) {
        let len = n * 17 % 128;
        let mut claim = publisher.claim(tag(1), len).unwrap();
        assert!(
            claim.zeroed().iter().all(|&b| b == 0),
            "an earlier lap shows through"
        );
        claim.zeroed().fill(0xFF);
        claim.commit().unwrap();
        assert_eq!(take(&mut subscriber).unwrap().payload, vec![0xFF; len]);
    }
}

/// What was lent by reference once could be kept past the commit, or vouch for another claim.
pub(crate) fn a_writer_swapped_away_commits_nothing<K: Kind>(setup: Setup) {
    let (_bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    for _ in 0..8 {
        // So that there are bytes of an earlier lap to be seen.
        publisher.send(tag(1), &[0xAA; 200]).unwrap();
        assert!(take(&mut subscriber).is_some());
    }
    let mut claim = publisher.claim(tag(1), 8).unwrap();
    let mut writer = claim.writer();
    drop(replace(
        &mut writer,
        Writer::Here(PayloadWriter::over(&mut [])),
    ));
    assert_eq!(writer.remaining(), 0);
    assert_eq!(
        claim.commit(),
        Err(CommitError::Incomplete {
            written: 0,
            claimed: 8
        })
    );

    let (_other_bus, mut other) = setup.bus::<K>(1024);
    let mut one = publisher.claim(tag(1), 4).unwrap();
    let mut two = other.claim(tag(1), 2).unwrap();
    {
        let (mut first, mut second) = (one.writer(), two.writer());
        swap(&mut first, &mut second);
        first.put(&[1, 2]).unwrap();
    }
    two.commit().unwrap();
    assert_eq!(
        one.commit(),
        Err(CommitError::Incomplete {
            written: 0,
            claimed: 4
        })
    );
    assert_eq!(take(&mut subscriber), None);
}

pub(crate) fn a_claim_being_filled_delays_no_other_claim<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let Some(second) = K::another(&bus) else {
        return;
    };
    let mut second = second.unwrap();
    let mut slow = publisher.claim(tag(1), 4).unwrap();
    for n in 0..5 {
        second.try_send(tag(2), &[n]).unwrap();
    }
    assert_eq!(
        take(&mut subscriber),
        None,
        "the order is that of the claims"
    );
    slow.writer().put(b"slow").unwrap();
    slow.commit().unwrap();
    let expected: [&[u8]; 6] = [b"slow", &[0], &[1], &[2], &[3], &[4]];
    assert_eq!(drain(&mut subscriber), expected);
}

pub(crate) fn a_payload_too_large_leaves_no_trace<K: Kind>(setup: Setup) {
    let (bus, mut publisher, mut subscriber) = setup.trio::<K>(1024);
    let before = bus.stats();
    let refused = Err(ClaimError::TooLarge { len: 257, max: 256 });
    assert_eq!(publisher.try_send(tag(1), &[1; 257]), refused);
    assert_eq!(publisher.send(tag(1), &[1; 257]), refused);
    assert_eq!(publisher.claim(tag(1), 257).map(drop), refused.map(drop));
    let most = Err(ClaimError::TooLarge {
        len: usize::MAX,
        max: 256,
    });
    assert_eq!(publisher.try_claim(tag(1), usize::MAX).map(drop), most);
    assert_eq!(bus.stats(), before);
    let bytes = payload(0, 256);
    publisher.send(tag(1), &bytes).unwrap();
    assert_eq!(drain(&mut subscriber), [bytes]);
}
