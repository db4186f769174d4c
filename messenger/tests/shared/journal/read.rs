//! Reading such a bus as no member of it.

use messenger::bus::{ObserveError, ReadError};
use messenger::shared;

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
        // Nothing twice, though it has read on by the words of before.
        assert_eq!(reader.try_next(&mut bytes), Ok(None), "in round {round}");
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

/// What is there for a reader now, by the numbers in the payloads.
fn there(reader: &mut shared::Reader) -> Vec<u64> {
    let (mut bytes, mut numbers) = (Vec::new(), Vec::new());
    while reader.try_next(&mut bytes).unwrap().is_some() {
        numbers.push(number_of(&bytes));
    }
    numbers
}

/// Sends records with these numbers; gives where they are.
fn send(bus: &SharedBus, numbers: std::ops::Range<u64>) -> Vec<u64> {
    let mut publisher = bus.bus().publisher().unwrap();
    let send = |number| publisher.send(TAG, &payload(1, number)).unwrap();
    numbers.map(send).collect()
}

/// One who opens the bus is stopped or killed as soon as others find its words.
#[cfg(feature = "fault")]
#[test]
fn a_reader_gives_nothing_twice_while_the_bus_is_opened() {
    let name = fresh();
    let dir = Dir::new(&name);
    let config = config().time_resolution(Duration::ZERO);
    let options = SharedBus::options().journal(&dir.0, config).keep(true);
    send(&options.create(&name).unwrap(), 0..100);
    let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
    assert_eq!(there(&mut reader).len(), 100);
    let position = reader.position();
    for (round, fault) in (1..).zip(["control_named:1:stop", "control_named:1"]) {
        let fault = Some(("MESSENGER_FAULT", fault));
        let mut other = Other::start_with("journal-syncs", &name, fault);
        if round == 1 {
            other.stands_still();
        } else {
            assert!(!other.child.wait().unwrap().success());
        }
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(50) {
            assert_eq!(there(&mut reader), [], "{fault:?}");
            assert_eq!(reader.position(), position, "{fault:?}");
        }
        other.kill();
    }
    send(&options.open(&name).unwrap(), 100..120);
    assert_eq!(there(&mut reader), (100..120).collect::<Vec<_>>());
    SharedBus::remove(&name).unwrap();
}

/// Flips a bit of the byte at this position of the journal.
fn flip(dir: &Dir, position: u64) {
    let base = position - position % SEGMENT;
    let file = dir.0.join(format!("{base:020}.segment"));
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[(4096 + position - base) as usize] ^= 4;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_reader_goes_on_where_the_journal_was_cut() {
    // How often the bus is opened and left before the cut, and after it before the readers look.
    for (before, visits) in [(0, 0), (0, 1), (0, 2), (1, 0), (2, 1)] {
        let name = fresh();
        let dir = Dir::new(&name);
        let config = config().time_resolution(Duration::ZERO);
        let options = SharedBus::options().journal(&dir.0, config).keep(true);
        let sent = send(&options.create(&name).unwrap(), 0..100);
        let [mut at_end, mut midway, mut twice] =
            [(); 3].map(|()| SharedBus::read(&name, Start::Oldest).unwrap());
        let mut newest = SharedBus::read(&name, Start::Newest).unwrap();
        let all: Vec<u64> = (0..100).collect();
        assert_eq!(there(&mut at_end), all);
        assert_eq!(there(&mut twice), all);
        let mut bytes = Vec::new();
        for _ in 0..30 {
            assert!(midway.try_next(&mut bytes).unwrap().is_some());
        }
        let cut = |position| {
            flip(&dir, position + 16);
            let cut = repair(&dir.0, |_| ()).unwrap().cut.unwrap();
            assert_eq!(cut.from, position);
            // By it nothing is given up that is still there.
            assert!(repair(&dir.0, |_| ()).unwrap().is_nothing());
        };
        for _ in 0..before {
            drop(options.open(&name).unwrap());
        }
        cut(sent[60]);
        assert_eq!(there(&mut at_end), []);
        let mut next = 100;
        for _ in 0..visits {
            // More than what was cut.
            send(&options.open(&name).unwrap(), next..next + 150);
            next += 150;
        }
        let bus = options.open(&name).unwrap();
        send(&bus, next..next + 150);
        next += 150;
        let new: Vec<u64> = (100..next).collect();
        let rest: Vec<u64> = (30..60).chain(new.clone()).collect();
        for (reader, is_new) in [
            (&mut at_end, &new),
            (&mut newest, &new),
            (&mut midway, &rest),
        ] {
            assert_eq!(there(reader), *is_new, "{before}, {visits}");
            // Once.
            assert_eq!(there(reader), [], "{before}, {visits}");
        }
        drop(bus);
        // Where it was cut twice it is not known where the first time: all is given that is there.
        cut(sent[50]);
        send(&options.open(&name).unwrap(), next..next + 5);
        let last = next..next + 5;
        assert_eq!(there(&mut at_end), last.clone().collect::<Vec<_>>());
        let all: Vec<u64> = (0..50).chain(last).collect();
        assert_eq!(there(&mut twice), all);
        SharedBus::remove(&name).unwrap();
    }
}

#[test]
fn a_reader_reads_nothing_of_who_has_a_cut_journal_alone() {
    // Whether the bus is opened and left before the cut, and whether it is removed.
    for (reopened, removed) in [(false, false), (true, false), (true, true)] {
        let name = fresh();
        let dir = Dir::new(&name);
        let config = config().time_resolution(Duration::ZERO);
        let options = SharedBus::options().journal(&dir.0, config).keep(true);
        let sent = send(&options.create(&name).unwrap(), 0..10);
        let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
        let mut bytes = Vec::new();
        for _ in 0..5 {
            assert!(reader.try_next(&mut bytes).unwrap().is_some());
        }
        if reopened {
            drop(options.open(&name).unwrap());
        }
        if removed {
            SharedBus::remove(&name).unwrap();
        }
        flip(&dir, sent[3] + 16);
        assert_eq!(repair(&dir.0, |_| ()).unwrap().cut.unwrap().from, sent[3]);
        assert_eq!(there(&mut reader), []);
        let journal = Journal::open(&dir.0, config).unwrap();
        let mut publisher = journal.bus().publisher().unwrap();
        for number in 100..120 {
            publisher.send(TAG, &payload(1, number)).unwrap();
        }
        assert_eq!(there(&mut reader), [], "{reopened}, {removed}");
        drop(publisher);
        journal.close().unwrap();
        assert_eq!(there(&mut reader), [], "{reopened}, {removed}");
        if !removed {
            drop(options.open(&name).unwrap());
            assert_eq!(there(&mut reader), (100..120).collect::<Vec<_>>());
            SharedBus::remove(&name).unwrap();
        }
    }
}

/// One who repairs it is killed before all is cut, and then it is opened as it is.
#[cfg(feature = "fault")]
#[test]
fn a_reader_goes_on_where_a_repair_was_killed() {
    for fault in [
        "control_superseded:1",
        "control_disowned:1",
        "synced_lowered:1",
        "synced_lowered:2",
    ] {
        let name = fresh();
        let dir = Dir::new(&name);
        let config = config().time_resolution(Duration::ZERO);
        let options = SharedBus::options().journal(&dir.0, config).keep(true);
        let sent = send(&options.create(&name).unwrap(), 0..100);
        let mut reader = SharedBus::read(&name, Start::Oldest).unwrap();
        assert_eq!(there(&mut reader).len(), 100);
        flip(&dir, sent[60] + 16);
        let killed = Some(("MESSENGER_FAULT", fault));
        let mut other = Other::start_with("journal-repairs", &name, killed);
        assert!(!other.child.wait().unwrap().success(), "{fault}");
        assert_eq!(there(&mut reader), [], "{fault}");
        send(&options.open(&name).unwrap(), 100..120);
        let new: Vec<u64> = (100..120).collect();
        assert_eq!(there(&mut reader), new, "{fault}");
        // And then all of it is cut.
        repair(&dir.0, |_| ()).unwrap();
        send(&options.open(&name).unwrap(), 120..125);
        let new: Vec<u64> = (120..125).collect();
        assert_eq!(there(&mut reader), new, "{fault}");
        let whole = SharedBus::read(&name, Start::Oldest);
        let whole = there(&mut whole.unwrap());
        assert_eq!(whole[..60], (0..60).collect::<Vec<_>>(), "{fault}");
        SharedBus::remove(&name).unwrap();
    }
}

/// Has the words of those who were killed, and what stands there, contradict each other from the 60th of 100 records on. Gives where that is, and
/// readers: one that has read all, and one that has read 80.
fn contradicted(name: &str, dir: &Dir, options: &SharedOptions) -> (u64, [shared::Reader; 2]) {
    let bus = options.create(name).unwrap();
    let mut other = Other::start("journal-fills", name);
    assert_eq!(other.line(), "filled");
    let [mut reader, mut behind] = [(); 2].map(|()| SharedBus::read(name, Start::Oldest).unwrap());
    let (mut bytes, mut positions) = (Vec::new(), Vec::new());
    while let Some(observed) = reader.try_next(&mut bytes).unwrap() {
        positions.push(observed.position);
    }
    assert_eq!(positions.len(), 100);
    for _ in 0..80 {
        assert!(behind.try_next(&mut bytes).unwrap().is_some());
    }
    drop(bus);
    other.kill();
    // Up to where all is finished is not known (that is the word's check), and one of the stamps is none.
    let control = dir.0.join("control");
    let control = std::fs::File::options().write(true).open(control).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&control, &[7; 8], 64).unwrap();
    flip(dir, positions[60]);
    (positions[60], [reader, behind])
}

/// Then it is the opening that cuts.
#[test]
fn a_reader_goes_on_where_an_opening_has_cut_the_journal() {
    let name = fresh();
    let dir = Dir::new(&name);
    let config = config().time_resolution(Duration::ZERO);
    let options = SharedBus::options().journal(&dir.0, config).keep(true);
    let (_, readers) = contradicted(&name, &dir, &options);
    for numbers in [100..220, 220..300] {
        send(&options.open(&name).unwrap(), numbers);
    }
    for mut reader in readers {
        assert_eq!(there(&mut reader), (100..300).collect::<Vec<_>>());
    }
    let whole = SharedBus::read(&name, Start::Oldest);
    let all: Vec<u64> = (0..60).chain(100..300).collect();
    assert_eq!(there(&mut whole.unwrap()), all);
    SharedBus::remove(&name).unwrap();
}

/// It tells so before it cuts, and nobody reads what is about to go, nor believes the words any more.
#[cfg(feature = "fault")]
#[test]
fn an_opening_that_cuts_says_so_before() {
    for fault in ["cleared:1:stop", "cleared:1"] {
        let name = fresh();
        let dir = Dir::new(&name);
        let config = config().time_resolution(Duration::ZERO);
        let options = SharedBus::options().journal(&dir.0, config).keep(true);
        let (cut, mut readers) = contradicted(&name, &dir, &options);
        let stopped = Some(("MESSENGER_FAULT", fault));
        let mut other = Other::start_with("journal-syncs", &name, stopped);
        if fault.ends_with("stop") {
            other.stands_still();
        } else {
            assert!(!other.child.wait().unwrap().success());
        }
        for reader in &mut readers {
            assert_eq!(there(reader), [], "{fault}");
        }
        let control = std::fs::read(dir.0.join("control")).unwrap();
        assert_eq!(control[96..104], (cut | 1).to_le_bytes(), "{fault}");
        other.kill();
        let bus = options.open(&name).unwrap();
        let recovery = bus.journal().unwrap().recovery().clone();
        assert_eq!((recovery.left, recovery.tail), (LeftBy::PowerLoss, cut));
        // Also those that come later are told what is gone.
        let dropped = recovery.dropped.unwrap();
        let told = format!("{:?}", (LeftBy::Using, Some(dropped)));
        assert_eq!(Other::start("journal-recovery", &name).line(), told);
        send(&bus, 100..120);
        for reader in &mut readers {
            assert_eq!(there(reader), (100..120).collect::<Vec<_>>(), "{fault}");
        }
        drop(bus);
        SharedBus::remove(&name).unwrap();
    }
}

/// One that begins later looks at nothing that stands in segments before, however much that is, and whatever has become of it.
#[test]
fn a_reader_begins_in_the_segment_of_its_start() {
    let name = fresh();
    let dir = Dir::new(&name);
    // Without notes of the time, of which one that is not finished may stand before a record.
    let config = config().time_resolution(Duration::ZERO);
    let options = SharedBus::options().journal(&dir.0, config);
    let bus = options.create(&name).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    let first = publisher.send(TAG, &[1; 40]).unwrap();
    while publisher.send(TAG, &[2; 40]).unwrap() < 2 * SEGMENT {}
    let last = publisher.send(TAG, &[3; 40]).unwrap();
    let file = dir.0.join("00000000000000000000.segment");
    let file = std::fs::File::options().write(true).open(file).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[9], 4096 + first + 16).unwrap();
    let mut payload = Vec::new();
    let mut reader = SharedBus::read(&name, Start::At(last)).unwrap();
    assert!(reader.try_next(&mut payload).unwrap().is_some());
    assert_eq!(payload, [3; 40]);
    let read = SharedBus::read(&name, Start::At(first + 16));
    let damaged = ReadError::Damaged { position: first }.into();
    assert_eq!(read.unwrap().try_next(&mut payload), Err(damaged));
}

/// However many stand before it in that segment.
#[test]
fn a_reader_comes_to_its_start_at_once() {
    let name = fresh();
    let dir = Dir::new(&name);
    let config = JournalConfig::new().segment_bytes(1 << 25);
    let config = config.time_resolution(Duration::ZERO);
    let options = SharedBus::options().journal(&dir.0, config);
    let bus = options.create(&name).unwrap();
    let mut publisher = bus.bus().publisher().unwrap();
    for _ in 0..(1 << 20) + 9 {
        publisher.send(TAG, &[]).unwrap();
    }
    let last = publisher.send(TAG, b"last").unwrap();
    let mut payload = Vec::new();
    let mut reader = SharedBus::read(&name, Start::At(last)).unwrap();
    assert!(reader.try_next(&mut payload).unwrap().is_some());
    assert_eq!(payload, b"last");
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
