//! Every error of the bus and of its memory, provoked, and what it says to a person.
//!
//! (A `Corrupt` needs somebody who writes over the memory: its tests are in the bus itself.)

use std::error::Error;
#[cfg(all(target_os = "linux", not(miri)))]
use std::io::Write;
use std::time::Duration;

use messenger::bus::{
    Bus, BusConfig, BusError, ClaimError, CommitError, IdKind, JoinError, MessageId, Name,
    ObserveError, Overflow, PayloadWriter, SourceId, Start, Tag,
};
use messenger::memory::{MemoryError, MemoryKind};

const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(2));

/// What it says, also where a `main` returns it.
fn text(error: &dyn Error) -> String {
    let text = error.to_string();
    assert_eq!(format!("{error:?}"), text);
    text
}

fn bus(bytes: usize) -> Bus {
    Bus::new(BusConfig::bytes(bytes).members(4)).unwrap()
}

#[test]
fn a_bus_of_no_bytes() {
    for memory in [MemoryKind::default(), MemoryKind::Heap] {
        let error = Bus::new(BusConfig::bytes(0).memory(memory)).unwrap_err();
        assert!(matches!(error, BusError::Memory(MemoryError::Empty)));
        assert_eq!(
            text(&error),
            "a bus of 0 bytes was asked for: ask for at least 1 (it is rounded up to what the system needs)"
        );
        assert!(error.source().is_none());
    }
    assert!(Bus::single(BusConfig::bytes(0)).is_err());
}

#[test]
fn a_bus_over_the_address_space() {
    let most = 1_usize << (usize::BITS - 2);
    for asked in [usize::MAX, most + 1] {
        let error = Bus::new(BusConfig::bytes(asked)).unwrap_err();
        let BusError::Memory(MemoryError::TooLong { bytes, max }) = error else {
            panic!("{error:?}");
        };
        assert_eq!((bytes, max), (asked, most));
        assert_eq!(
            text(&error),
            format!(
                "a bus of {asked} bytes was asked for, more than the address space holds: ask for at most {most}"
            )
        );
    }
}

/// Under Miri there is no system that refuses, and a small address space may hold so much.
#[cfg(all(target_pointer_width = "64", not(miri)))]
#[test]
fn more_than_the_system_has() {
    let asked = 1_usize << (usize::BITS - 2);
    for memory in [MemoryKind::Mapped, MemoryKind::Heap] {
        let error = Bus::new(BusConfig::bytes(asked).memory(memory)).unwrap_err();
        let BusError::Memory(MemoryError::System { bytes, source }) = &error else {
            panic!("{error:?}");
        };
        assert!(*bytes >= asked, "with all that is not the ring: {bytes}");
        assert_eq!(
            text(&error),
            format!(
                "the system gave no region of {bytes} bytes: {source}; ask for less, or free memory"
            )
        );
        assert_eq!(source.kind(), std::io::ErrorKind::OutOfMemory);
        let behind = error.source().expect("what the system said");
        assert_eq!(behind.to_string(), source.to_string());
    }
}

#[test]
fn too_few_or_too_many_members() {
    for asked in [0, 1, 65_536, usize::MAX] {
        let error = Bus::new(BusConfig::bytes(1024).members(asked)).unwrap_err();
        assert!(matches!(error, BusError::Members { members } if members == asked));
        assert_eq!(
            text(&error),
            format!(
                "a bus with {asked} member slots was asked for: ask for 2 to 65535, one for each publisher, \
                 subscriber and observer attached at a time"
            )
        );
        assert!(error.source().is_none());
    }
    for asked in [2, 65_535] {
        drop(Bus::new(BusConfig::bytes(1024).members(asked)).unwrap());
    }
}

#[test]
fn no_free_slot() {
    let bus = bus(1024);
    let _taken: Vec<_> = (0..4)
        .map(|_| bus.subscribe(Start::Oldest).unwrap())
        .collect();
    let error = JoinError::NoFreeSlot { members: 4 };
    assert_eq!(bus.publisher().map(drop), Err(error));
    assert_eq!(bus.subscribe(Start::Newest).map(drop), Err(error));
    assert_eq!(bus.observe(Start::Newest).map(drop), Err(error));
    assert_eq!(
        text(&error),
        "all 4 member slots of the bus are taken: drop a publisher, subscriber or observer, or make the bus with \
         more (`members`, of its `BusConfig`, `JournalConfig` or `SharedOptions`)"
    );
}

#[test]
fn claims_refused() {
    let bus = bus(256);
    let mut publisher = bus.publisher().unwrap();
    let _unread = bus.subscribe(Start::Oldest).unwrap();
    for _ in 0..4 {
        publisher.try_send(TAG, &[0; 40]).unwrap();
    }
    let full = publisher.try_send(TAG, &[0; 40]).unwrap_err();
    assert_eq!(
        full,
        ClaimError::Full {
            needed: 64,
            capacity: 256
        }
    );
    assert_eq!(
        text(&full),
        "the bus of 256 bytes has no room for a record of 64 now: wait for its slowest subscriber, or for a claim \
         before it that is still open, or make the bus longer"
    );
    let large = publisher.try_send(TAG, &[0; 65]).unwrap_err();
    assert_eq!(large, ClaimError::TooLarge { len: 65, max: 64 });
    assert_eq!(
        text(&large),
        "a payload of 65 bytes was to be sent where at most 64 fit, a quarter of the bus or of a journal's segment: \
         send less at a time, or make these longer (`bytes` of `BusConfig` or `SharedOptions`, `segment_bytes` of the \
         `JournalConfig` of a new journal)"
    );
    let late = publisher.send_timeout(TAG, &[0; 40], Duration::from_millis(1));
    assert_eq!(late, Err(ClaimError::Timeout { needed: 64 }));
    assert_eq!(
        text(&late.unwrap_err()),
        "the bus had no room for a record of 64 bytes until the time was up: its slowest subscriber does not keep \
         up, or a claim before it is still open"
    );
    let run = publisher.try_reserve(96).map(drop).unwrap_err();
    assert_eq!(run, ClaimError::RunTooLarge { bytes: 96, max: 80 });
    assert_eq!(
        text(&run),
        "96 bytes, headers included, were to be claimed where at most 80 are: reserve what all records of the run take \
         (`record_len` of each), and no more than a quarter of the bus at a time"
    );
    let told = publisher.claim_until(TAG, 40, None, || true).map(drop);
    assert_eq!(told, Err(ClaimError::Interrupted));
    assert_eq!(
        text(&told.unwrap_err()),
        "the wait for room was interrupted"
    );
}

#[test]
fn a_commit_of_too_little() {
    let bus = bus(1024);
    let mut publisher = bus.publisher().unwrap();
    let mut claim = publisher.claim(TAG, 12).unwrap();
    claim.writer().put(&[1; 5]).unwrap();
    let error = claim.commit().unwrap_err();
    assert_eq!(
        error,
        CommitError::Incomplete {
            written: 5,
            claimed: 12
        }
    );
    assert_eq!(
        text(&error),
        "only 5 of 12 claimed bytes were written, so the record was aborted: write them all, or claim fewer"
    );
}

#[test]
fn a_payload_of_too_much() {
    let mut bytes = [0; 4];
    let error = PayloadWriter::over(&mut bytes).put(&[0; 6]).unwrap_err();
    assert_eq!(
        error,
        Overflow {
            len: 6,
            remaining: 4
        }
    );
    assert_eq!(
        text(&error),
        "6 bytes were written where the claim has room for 4: claim as many bytes as the message encodes to"
    );
}

#[test]
fn an_observer_lapped() {
    let bus = bus(256);
    let mut publisher = bus.publisher().unwrap();
    let mut observer = bus.observe(Start::Oldest).unwrap();
    for _ in 0..10 {
        publisher.send(TAG, &[0; 16]).unwrap();
    }
    let head = bus.stats().head;
    let error = observer.try_next(&mut Vec::new()).unwrap_err();
    assert_eq!(error, ObserveError::Lagged { skipped: head });
    assert_eq!(
        text(&error),
        format!(
            "the observer was lapped and missed {head} bytes of the bus; it goes on at the oldest record: read more \
             often, or make the bus longer"
        )
    );
}

#[test]
fn a_name_taken() {
    let bus = bus(1024);
    let name = |name, layout, owner| Name {
        kind: IdKind::Source,
        id: 3,
        name,
        layout,
        owner,
    };
    let _kept = bus.register(vec![name("Ping", 0, "Game")]).unwrap();
    let error = bus.register(vec![name("Feed", 0, "Market")]).unwrap_err();
    assert_eq!(
        text(&error),
        "the source id 3 is `Feed` in `Market`, and `Ping` in `Game`, which is on this bus already: give one of them \
         another id, or use two buses"
    );
}

#[test]
fn memory_as_it_was_asked_for() {
    let kinds = [MemoryKind::default(), MemoryKind::Heap];
    for memory in kinds {
        for (prefault, huge) in [(false, false), (true, false), (false, true), (true, true)] {
            let bytes = if cfg!(miri) { 1000 } else { 100_000 };
            let config = BusConfig::bytes(bytes).memory(memory);
            let bus = Bus::new(config.prefault(prefault).huge_pages(huge)).unwrap();
            assert_eq!(bus.capacity(), bytes.next_power_of_two(), "rounded up");
            assert!(bus.memory_len() > bus.capacity());
            // Only a mapping has them, and only if they were asked for.
            assert!(!bus.huge_pages() || huge && memory == MemoryKind::Mapped);
            // Fresh memory is zero, whoever found the pages.
            let mut publisher = bus.publisher().unwrap();
            let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
            assert!(subscriber.try_next().unwrap().is_none());
            for _ in 0..if cfg!(miri) { 2 } else { 9 } {
                publisher
                    .try_send(TAG, &vec![7; bus.max_payload()])
                    .unwrap();
                let record = subscriber.try_next().unwrap().unwrap();
                assert!(record.payload().iter().all(|&b| b == 7));
                assert_eq!(record.payload().len(), bus.max_payload());
                assert!(subscriber.try_next().unwrap().is_none());
            }
        }
    }
}

/// Pages that were asked for ahead are there before the first record.
#[cfg(all(target_os = "linux", not(miri)))]
#[test]
fn prefaulted_pages_are_there() {
    // Resident pages of this process.
    let resident = || -> usize {
        let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse().unwrap()
    };
    let bytes = 64 << 20;
    for huge in [false, true] {
        let before = resident();
        let lazy = Bus::new(BusConfig::bytes(bytes)).unwrap();
        let between = resident();
        let config = BusConfig::bytes(bytes).prefault(true).huge_pages(huge);
        let ahead = Bus::new(config).unwrap();
        let after = resident();
        // Pages of 4 KiB or more; other tests of this process use a little meanwhile.
        let pages = bytes / 4096 / page_scale();
        assert!(
            between.saturating_sub(before) < pages / 2,
            "{before}, {between}"
        );
        assert!(
            after.saturating_sub(between) > pages / 2,
            "{between}, {after}"
        );
        let there = huge_pages(ahead.memory_len());
        assert_eq!(there.is_some(), ahead.huge_pages());
        if huge && there.unwrap_or(0) == 0 {
            let why = "the system has no huge pages, or none is free";
            let _ = writeln!(std::io::stderr(), "SKIPPED huge pages: {why}");
        }
        drop((lazy, ahead));
    }
}

/// Of the mapping of `len` bytes for which huge pages were asked for: how many KiB of it lie in some.
#[cfg(all(target_os = "linux", not(miri)))]
fn huge_pages(len: usize) -> Option<usize> {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap();
    let (mut size, mut huge) = (0, 0);
    for line in smaps.lines() {
        let (name, value) = line.split_once(':').unwrap_or_default();
        let kib = || value.trim_end_matches("kB").trim().parse().unwrap();
        match name {
            "Size" => size = kib(),
            "AnonHugePages" => huge = kib(),
            // The kernel joins mappings that are alike and stand side by side.
            "VmFlags" if size >= len.div_ceil(1024) && value.split(' ').any(|f| f == "hg") => {
                return Some(huge);
            }
            _ => {}
        }
    }
    None
}

/// How many 4 KiB a page of this machine has, by what one megabyte takes.
#[cfg(all(target_os = "linux", not(miri)))]
fn page_scale() -> usize {
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    let line = smaps.lines().find(|l| l.starts_with("KernelPageSize:"));
    let kib = line.and_then(|l| l.split_whitespace().nth(1)?.parse::<usize>().ok());
    kib.unwrap_or(4).div_ceil(4)
}
