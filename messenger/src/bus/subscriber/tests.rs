//! What the contract suite cannot do from outside: headers written over.

use super::super::layout::State;
use super::super::{Bus, BusConfig, Corrupt, MessageId, SourceId, Tag};
use super::cursor::RETRY;
use super::*;

const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

#[test]
fn lengths_written_over_are_refused_not_trusted() {
    // Longer than any record; past the ring's end; past all arithmetic.
    for (position, len) in [(0, 65), (240, 16), (0, u32::MAX)] {
        let bus = Bus::new(BusConfig::bytes(256)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
        for _ in 0..=position / 16 {
            publisher.try_send(TAG, &[]).unwrap();
        }
        assert_eq!(
            subscriber.poll(position as usize / 16, |_| ()),
            Ok(position as usize / 16)
        );
        subscriber
            .core
            .write_meta(&subscriber.cursor.window, position, TAG, len);
        let error = ReadError::Corrupt(Corrupt { position, len });
        assert_eq!(subscriber.try_next().map(drop), Err(error));
        assert_eq!(
            subscriber.poll(9, |_| ()),
            Err(error),
            "it does not go away"
        );
        assert_eq!(subscriber.next(WaitStrategy::Block).map(drop), Err(error));
        assert_eq!(
            error.to_string(),
            format!(
                "the record at position {position} says it has {len} bytes, which do not fit in the bus: \
                 something wrote over its memory"
            )
        );
        assert_eq!(subscriber.position(), position);
    }
}

#[test]
fn a_length_like_those_before_is_refused_where_it_does_not_fit() {
    for batches in [false, true] {
        let bus = Bus::new(BusConfig::bytes(256)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
        for _ in 0..5 {
            publisher.try_send(TAG, &[7; 32]).unwrap();
            assert_eq!(subscriber.poll(9, |_| ()), Ok(1));
        }
        // Past the ring's end, and as long as the last ones.
        let window = &subscriber.cursor.window;
        subscriber.core.write_meta(window, 240, TAG, 32);
        subscriber.core.finish(window, 240, State::Committed, 0);
        let position = 240;
        let error = ReadError::Corrupt(Corrupt { position, len: 32 });
        for _ in 0..2 * RETRY {
            if batches {
                assert_eq!(subscriber.poll(9, |_| ()), Err(error));
            } else {
                assert_eq!(subscriber.try_next().map(drop), Err(error));
            }
        }
    }
}

/// Reads what is there: one by one, or in batches of at most so many.
fn read(subscriber: &mut Subscriber, max: Option<usize>, into: &mut Vec<(u64, Vec<u8>)>) {
    let mut take = |record: &Record<'_>| into.push((record.position, record.payload.to_vec()));
    match max {
        None => {
            while let Some(record) = subscriber.try_next().unwrap() {
                take(&record);
            }
        }
        Some(max) => while subscriber.poll(max, |record| take(&record)).unwrap() > 0 {},
    }
}

#[test]
fn runs_of_all_lengths_are_read_as_written() {
    for (max, seed) in [None, Some(1), Some(3), Some(100)].into_iter().zip(1_u64..) {
        let bus = Bus::new(BusConfig::bytes(1024)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
        let mut random = seed;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        let (mut wrote, mut found) = (Vec::new(), Vec::new());
        for run in 0..200_u64 {
            let len = next(200) as usize;
            // As long as it takes to be relied on, or not.
            for record in 0..1 + next(3) * u64::from(RETRY) {
                let bytes = vec![(run * 31 + record) as u8; len];
                while publisher.try_send(TAG, &bytes).is_err() {
                    read(&mut subscriber, max, &mut found);
                }
                wrote.push(bytes);
                if next(50) == 0 {
                    drop(publisher.try_claim(TAG, 40));
                }
            }
        }
        read(&mut subscriber, max, &mut found);
        assert!(found.is_sorted_by(|a, b| a.0 < b.0));
        let found: Vec<_> = found.into_iter().map(|(_, bytes)| bytes).collect();
        assert_eq!(found, wrote);
    }
}

#[test]
fn a_stamp_written_over_is_no_record() {
    let bus = Bus::new(BusConfig::bytes(256)).unwrap();
    let mut publisher = bus.publisher().unwrap();
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    let position = publisher.send(TAG, b"gone").unwrap();
    let stamp = subscriber.cursor.window.word(position);
    let good = stamp.load(std::sync::atomic::Ordering::Relaxed);
    // Each state unsalted, zero, the next lap's, and one bit off.
    for bad in [
        0,
        1,
        2,
        3,
        4,
        u64::MAX,
        good ^ 256,
        good ^ 1 << 40,
        good ^ 8,
    ] {
        let stamp = subscriber.cursor.window.word(position);
        stamp.store(bad, std::sync::atomic::Ordering::Relaxed);
        assert!(subscriber.try_next().unwrap().is_none(), "{bad:x}");
    }
}
