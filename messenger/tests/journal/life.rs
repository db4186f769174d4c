//! A journal is written, closed, opened again, and read.

use std::time::{Duration, SystemTime};

use messenger::bus::Start;
use messenger::journal::{Journal, LeftBy, Reader};

use crate::kit::{Dir, finished, payload, small, tag};

#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn what_was_sent_is_there_when_it_is_opened_again() {
    let dir = Dir::new("again");
    let mut sent = Vec::new();
    for round in 0..5 {
        let journal = dir.open(small());
        let left = journal.recovery().left;
        assert_eq!(
            left,
            if round == 0 {
                LeftBy::Nobody
            } else {
                LeftBy::Closing
            }
        );
        assert_eq!(journal.recovery().dropped, None);
        let mut publisher = journal.bus().publisher().unwrap();
        for _ in 0..500 {
            let bytes = payload(sent.len() as u64);
            let position = publisher.send(tag(sent.len() as u16), &bytes).unwrap();
            sent.push((position, tag(sent.len() as u16), bytes));
        }
        drop(publisher);
        finished(&journal);
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        for (position, tag, bytes) in &sent {
            let record = subscriber.try_next().unwrap().expect("kept");
            assert_eq!(
                (record.position(), record.tag(), record.payload()),
                (*position, *tag, &bytes[..])
            );
        }
        assert!(subscriber.try_next().unwrap().is_none());
        drop(subscriber);
        journal.close().unwrap();
        let mut reader = Reader::open(&dir).unwrap();
        for (position, tag, bytes) in &sent {
            let entry = reader.next().unwrap().expect("kept");
            assert_eq!(
                (entry.position, entry.tag, entry.payload),
                (*position, *tag, &bytes[..])
            );
        }
        assert_eq!(reader.next().unwrap(), None);
    }
}

/// What was published last has a time, too: that by which it was published, and not that of what comes after the next opening.
#[cfg_attr(miri, ignore = "needs files")]
#[test]
fn a_closing_notes_the_time_of_what_was_published_last() {
    let dir = Dir::new("closing-time");
    let times = || {
        let mut reader = Reader::open(&dir).unwrap();
        let mut times = Vec::new();
        while let Some(item) = reader.next_item().unwrap() {
            times.extend(item.time());
        }
        (times, reader.position())
    };
    // No note but that at the end.
    let config = small().time_resolution(Duration::from_secs(3600));
    let ends: [fn(Journal); 2] = [|journal| journal.close().unwrap(), drop];
    for (round, end) in ends.into_iter().enumerate() {
        let journal = dir.open(config);
        let begun = SystemTime::now();
        let last = journal
            .bus()
            .publisher()
            .unwrap()
            .send(tag(1), b"last")
            .unwrap();
        assert_eq!(times().0.len(), round);
        end(journal);
        let (noted, tail) = times();
        assert_eq!(noted.len(), round + 1);
        assert!((begun..=SystemTime::now()).contains(&noted[round]));
        // Where nothing was published since, no time is noted.
        dir.open(config).close().unwrap();
        assert_eq!(times(), (noted.clone(), tail));
        let mut reader = Reader::open(&dir).unwrap();
        reader.seek_time(noted[round]).unwrap();
        assert!(reader.position() <= last);
        let later = noted[round] + Duration::from_secs(1);
        reader.seek_time(later).unwrap();
        assert_eq!(reader.position(), tail);
    }
    let journal = dir.open(config.time_resolution(Duration::ZERO));
    journal
        .bus()
        .publisher()
        .unwrap()
        .send(tag(1), b"")
        .unwrap();
    journal.close().unwrap();
    assert_eq!(times().0.len(), 2, "it was asked for none");
}
