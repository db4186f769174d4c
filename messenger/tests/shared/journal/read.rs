//! Reading such a bus as no member of it.

use messenger::bus::{ObserveError, ReadError};

use super::*;

#[test]
fn a_bus_over_a_journal_is_read_without_taking_part() {
    let name = fresh();
    let dir = Dir::new(&name);
    let bus = dir.options().create(&name).unwrap();
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    let mut late = SharedBus::read(&name, Start::Oldest).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let mut bytes = Vec::new();
    for sequence in 0..200 {
        publisher.send(tag(1), &payload(1, sequence)).unwrap();
        // (A note of the time may stand before it, not finished.)
        until("the record", || {
            reader.try_next(&mut bytes).unwrap().is_some()
        });
        assert_eq!(bytes, payload(1, sequence));
    }
    assert!(bus.bus().tail() > 4 * SEGMENT);
    // What is given up is missed, and said to be.
    let journal = bus.journal().unwrap();
    until("some is given up", || {
        journal.trim(2 * SEGMENT).unwrap() >= 2 * SEGMENT
    });
    let lagged = late.try_next(&mut bytes);
    assert!(
        matches!(lagged, Err(ObserveError::Lagged { .. })),
        "{lagged:?}"
    );
    assert!(late.position() >= 2 * SEGMENT);
    let mut count = 0;
    while late.try_next(&mut bytes).unwrap().is_some() {
        count += 1;
    }
    assert!(count > 50 && late.position() <= late.tail(), "{count}");
    assert_eq!(bus.processes().len(), 1);
}

#[test]
fn a_reader_goes_on_when_the_bus_is_opened_anew() {
    let name = fresh();
    let dir = Dir::new(&name);
    let options = dir.options().keep(true);
    drop(options.create(&name).unwrap());
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    let mut late = SharedBus::read(&name, Start::Oldest).unwrap();
    let (mut bytes, mut sent, mut read) = (Vec::new(), 0, 0);
    for round in 0..6 {
        let mut send = |bus: &messenger::bus::Bus| {
            let mut publisher = bus.publisher().unwrap();
            for _ in 0..100 {
                publisher.send(tag(1), &payload(1, sent)).unwrap();
                sent += 1;
            }
        };
        if round == 2 {
            // By one who has the journal alone. All of that is seen when the bus is opened.
            send(Journal::open(&dir.0, config()).unwrap().bus());
            continue;
        }
        let bus = options.open(&name).unwrap();
        send(bus.bus());
        if round == 5 {
            let (journal, tail) = (bus.journal().unwrap(), bus.bus().tail());
            until("some is given up", || {
                journal.trim(tail / 2).unwrap() > tail / 4
            });
        }
        while read < sent {
            until("the record", || {
                reader.try_next(&mut bytes).unwrap().is_some()
            });
            assert_eq!(bytes, payload(1, read), "in round {round}");
            read += 1;
        }
    }
    // What is not there any more is missed, and said to be.
    let mut skipped = None;
    until("it is told so", || {
        match late.try_next(&mut bytes) {
            Err(ObserveError::Lagged { skipped: bytes }) => skipped = Some(bytes),
            other => drop(other.unwrap()),
        }
        skipped.is_some()
    });
    let mut rest = 0;
    while late.try_next(&mut bytes).unwrap().is_some() {
        rest += 1;
    }
    assert!(rest > 100, "{rest} after {skipped:?}");
    assert!(late.position() >= reader.position());
    SharedBus::remove(&name).unwrap();
}

#[test]
fn what_is_damaged_is_not_read_as_whole() {
    let name = fresh();
    let dir = Dir::new(&name);
    let config = config().time_resolution(Duration::ZERO);
    let options = SharedBus::options().journal(&dir.0, config);
    let bus = options.create(&name).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let first = publisher.send(TAG, b"whole").unwrap();
    let aborted = publisher.send(TAG, b"whole, too").unwrap();
    drop(publisher.claim(TAG, 40).unwrap());
    let last = publisher.send(TAG, b"and this").unwrap();
    let file = dir.0.join("00000000000000000000.segment");
    let file = std::fs::File::options().read(true).write(true).open(file);
    let file = file.unwrap();
    let flip = |position: u64| {
        let (at, mut byte) = (4096 + position, [0]);
        std::os::unix::fs::FileExt::read_exact_at(&file, &mut byte, at).unwrap();
        byte[0] ^= 4;
        std::os::unix::fs::FileExt::write_all_at(&file, &byte, at).unwrap();
    };
    let mut payload = Vec::new();
    let claimed = aborted + 32;
    // In a payload; in the second word of a record, of one that was aborted, and in the checksum of the last one.
    for (at, position, whole) in [
        (first + 16, first, 0),
        (aborted + 14, aborted, 1),
        (claimed + 12, claimed, 2),
        (last + 7, last, 2),
    ] {
        flip(at);
        let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
        for _ in 0..whole {
            assert!(reader.try_next(&mut payload).unwrap().is_some());
        }
        let damaged = ObserveError::Read(ReadError::Damaged { position });
        for _ in 0..2 {
            let read = reader.try_next(&mut payload);
            assert_eq!(read, Err(damaged), "at {at}");
        }
        // What is stepped over until the start leads there, too.
        let late = SharedBus::read(&name, Start::At(bus.bus().tail() - 16));
        let read = late.unwrap().try_next(&mut payload);
        assert_eq!(read, Err(damaged), "at {at}");
        flip(at);
    }
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    for text in [&b"whole"[..], b"whole, too", b"and this"] {
        assert!(reader.try_next(&mut payload).unwrap().is_some());
        assert_eq!(payload, text);
    }
}
