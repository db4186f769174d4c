//! A journal is written, closed, opened again, and read.

use messenger::bus::Start;
use messenger::journal::{LeftBy, Reader};

use crate::kit::{Dir, payload, small, tag};

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
