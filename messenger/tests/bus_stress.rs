//! Threads that publish, read, join, leave and watch all at once, for about a second each.
//!
//! Every payload says who sent it and which one it is, and ends with a checksum: a record that
//! is torn, lost, repeated or out of order shows. `ci/sanitizers.sh` runs these under
//! ThreadSanitizer and AddressSanitizer. Under Miri they are short.

#[path = "support/unpark.rs"]
mod unpark;

use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::mem::forget;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use futures_core::Stream;
use messenger::bus::{
    Bus, BusConfig, ClaimError, Evictable, MessageId, ObserveError, OwnedRecord, Publisher,
    PublisherKind, ReadError, SourceId, Start, Subscriber, Tag, WaitStrategy, record_len,
};
use unpark::unparks;

/// Longer than any wait takes on a bus that loses no wake-up.
const LONG: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 120 });

/// How long a test sends.
const TIME: Duration = Duration::from_millis(700);

/// A source of chance that needs nothing.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, &byte: &u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

/// Writes the `serial`th payload of `source`: both, then bytes of chance, then the checksum.
fn compose(payload: &mut [u8], source: u64, serial: u64) {
    let end = payload.len() - 8;
    payload[..8].copy_from_slice(&source.to_le_bytes());
    payload[8..16].copy_from_slice(&serial.to_le_bytes());
    let mut dice = Dice(serial * 8 + source + 1);
    payload[16..end].fill_with(|| dice.roll(256) as u8);
    let sum = checksum(&payload[..end]);
    payload[end..].copy_from_slice(&sum.to_le_bytes());
}

/// Who sent a payload, and which one it is, once it has proved whole.
#[track_caller]
fn verify(tag: Tag, payload: &[u8]) -> (u64, u64) {
    let word = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
    let end = payload.len() - 8;
    assert_eq!(word(end), checksum(&payload[..end]), "torn: {payload:?}");
    assert_eq!(u64::from(tag.source.get()), word(0));
    (word(0), word(8))
}

/// What one reader has seen of each source.
#[derive(Default)]
struct Seen {
    next: HashMap<u64, u64>,
    last: Option<u64>,
    count: u64,
}

impl Seen {
    /// Checks a record that follows the last one.
    #[track_caller]
    fn see(&mut self, position: u64, tag: Tag, payload: &[u8]) {
        let (source, serial) = verify(tag, payload);
        assert!(self.last < Some(position), "positions only grow");
        self.last = Some(position);
        self.count += 1;
        let next = self.next.entry(source).or_insert(serial);
        assert_eq!(*next, serial, "of source {source}");
        *next = serial + 1;
    }
}

/// What all threads of a test share.
struct Stage {
    end: Instant,
    /// Publishers that still send.
    sending: AtomicUsize,
    sent: AtomicU64,
    most: u64,
}

impl Stage {
    fn new(publishers: usize) -> Self {
        Self {
            end: Instant::now() + TIME,
            sending: AtomicUsize::new(publishers),
            sent: AtomicU64::new(0),
            // Under Miri the clock says nothing of the work done.
            most: if cfg!(miri) { 40 } else { u64::MAX },
        }
    }

    fn goes_on(&self, sent: u64) -> bool {
        // However slow the machine is, more than the longest ring here that is to be filled has room for.
        sent < self.most && (cfg!(miri) || sent < 100 || Instant::now() < self.end)
    }

    fn quiet(&self) -> bool {
        self.sending.load(Ordering::SeqCst) == 0
    }

    /// Sends whole records of `source` until the time is up, among aborted ones and runs.
    fn publish<K: PublisherKind>(&self, mut publisher: Publisher<K>, source: u16) {
        let mut dice = Dice(u64::from(source) + 7);
        let tag = Tag::new(SourceId::new(source), MessageId::new(1));
        let most = publisher.max_payload() as u64;
        let mut serial = 0;
        while self.goes_on(serial) {
            let len = 24 + dice.roll(most.min(300) - 23) as usize;
            match dice.roll(16) {
                0 => drop(publisher.claim(tag, len).unwrap()),
                1 => {
                    let mut claim = publisher.claim(tag, len).unwrap();
                    claim.zeroed().fill(0xAB);
                    forget(claim);
                }
                2 => {
                    let mut run = publisher.reserve(len + 16).unwrap();
                    while run.remaining() >= record_len(24) {
                        let mut claim = run.claim(tag, 24).unwrap();
                        compose(claim.zeroed(), source.into(), serial);
                        claim.commit().unwrap();
                        serial += 1;
                    }
                }
                3 if dice.roll(32) == 0 => thread::sleep(Duration::from_micros(200)),
                _ => {
                    let mut claim = publisher.claim_timeout(tag, len, LONG).unwrap();
                    compose(claim.zeroed(), source.into(), serial);
                    claim.commit().unwrap();
                    serial += 1;
                }
            }
        }
        drop(publisher);
        self.sent.fetch_add(serial, Ordering::SeqCst);
        self.sending.fetch_sub(1, Ordering::SeqCst);
    }

    /// Reads to the end, and asserts that nothing was missed.
    fn read_all<K: PublisherKind>(&self, bus: &Bus<K>, mut from: Subscriber, wait: WaitStrategy) {
        let mut seen = Seen::default();
        let mut dice = Dice(99);
        loop {
            let there = from.wait_until(wait, Some(Instant::now() + LONG), || self.quiet());
            if !there.unwrap() {
                assert!(self.quiet(), "a wake-up was lost");
                break;
            }
            let max = 1 + dice.roll(20) as usize;
            let each = |r: messenger::bus::Record<'_>| {
                seen.see(r.position(), r.tag(), r.payload());
            };
            from.poll(max, each).unwrap();
        }
        // The last publisher says that it has gone after its last record.
        while let Some(r) = from.try_next().unwrap() {
            seen.see(r.position(), r.tag(), r.payload());
        }
        assert_eq!(seen.count, self.sent.load(Ordering::SeqCst));
        assert_eq!(
            seen.next.values().sum::<u64>(),
            seen.count,
            "from the first of each on"
        );
        assert_eq!(from.position(), bus.tail());
    }

    /// Joins, reads for a while and leaves, again and again.
    fn come_and_go<K: PublisherKind>(&self, bus: &Bus<K>, wait: WaitStrategy) {
        let mut dice = Dice(5);
        while !self.quiet() {
            let start = if dice.roll(2) == 0 {
                Start::Oldest
            } else {
                Start::Newest
            };
            let Ok(mut subscriber) = bus.subscribe(start) else {
                thread::yield_now();
                continue;
            };
            let mut seen = Seen::default();
            // At times so short that it leaves with records in hand.
            let most = if dice.roll(2) == 0 { 4 } else { 40 };
            for _ in 0..dice.roll(most) {
                let timeout = Duration::from_millis(2);
                if let Some(r) = subscriber.next_timeout(wait, timeout).unwrap() {
                    seen.see(r.position(), r.tag(), r.payload());
                }
            }
        }
    }

    /// Watches, at times too slowly.
    fn observe<K: PublisherKind>(&self, bus: &Bus<K>) {
        let mut dice = Dice(3);
        let mut observer = bus.observe(Start::Oldest).unwrap();
        let mut seen = Seen::default();
        let mut payload = Vec::new();
        loop {
            let over = self.quiet();
            let before = observer.position();
            match observer.try_next(&mut payload) {
                Ok(Some(found)) => {
                    assert!(found.position >= before);
                    seen.see(found.position, found.tag, &payload);
                }
                Ok(None) if over => break,
                Ok(None) => thread::yield_now(),
                Err(ObserveError::Lagged { skipped }) => {
                    // It may have stepped over an aborted record before.
                    assert!(skipped > 0 && before + skipped <= observer.position());
                    // Some of each source may be missing.
                    seen.next.clear();
                }
                Err(error) => panic!("{error}"),
            }
            if dice.roll(500) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        assert_eq!(observer.position(), bus.tail());
    }
}

/// Reads to the end, and stands still at times: then it is evicted, unless it has a record in hand.
fn hang_and_come_back(
    stage: &Stage,
    bus: &Bus,
    mut from: Subscriber<Evictable>,
    wait: WaitStrategy,
    seed: u64,
) {
    let mut seen = Seen::default();
    let mut dice = Dice(seed);
    let mut missed = 0;
    loop {
        let before = from.position();
        let wake = Some(Instant::now() + LONG);
        let read = from.wait_until(wait, wake, || stage.quiet());
        let read = read.and_then(|there| {
            assert!(there || stage.quiet(), "a wake-up was lost");
            from.poll(1 + dice.roll(8) as usize, |r| {
                seen.see(r.position(), r.tag(), r.payload());
                if dice.roll(400) == 0 {
                    thread::sleep(Duration::from_millis(2));
                    // It is whole still.
                    verify(r.tag(), r.payload());
                }
            })
        });
        match read {
            Ok(0) if stage.quiet() && from.position() == bus.tail() => break,
            Ok(_) => {}
            Err(ReadError::Evicted { position, skipped }) => {
                assert!(position >= before && skipped > 0);
                assert!(position + skipped <= from.position());
                missed += skipped;
                seen.next.clear();
            }
            Err(error) => panic!("{error}"),
        }
        // Once until it is evicted: then more is claimed than the bus has room for.
        while missed == 0 && bus.tail() <= from.position() + 2048 && !stage.quiet() {
            thread::sleep(Duration::from_millis(1));
        }
        if dice.roll(50) == 0 {
            thread::sleep(Duration::from_millis(3));
        }
    }
    assert!(missed > 0 || cfg!(miri), "it was never evicted");
}

fn config(bytes: usize) -> BusConfig {
    BusConfig::bytes(bytes).members(16)
}

fn publishers<'s>(scope: &'s Scope<'s, '_>, stage: &'s Stage, bus: &Bus, waits: &[WaitStrategy]) {
    for (source, &wait) in waits.iter().enumerate() {
        let mut publisher = bus.publisher().unwrap();
        publisher.set_wait(wait);
        scope.spawn(move || {
            stage.publish(publisher, source as u16);
        });
    }
}

/// Has the readers look again until all who wait for the publishers have seen that they are gone.
fn rouse<K: PublisherKind>(stage: &Stage, bus: &Bus<K>) {
    while !stage.quiet() {
        thread::sleep(Duration::from_millis(1));
    }
    bus.wake_all();
}

#[test]
fn publishers_and_readers_of_every_kind() {
    let bus = Bus::new(config(16 * 1024)).unwrap();
    let stage = Stage::new(2);
    let readers = [WaitStrategy::Block, WaitStrategy::Yield]
        .map(|wait| (bus.subscribe(Start::Oldest).unwrap(), wait));
    thread::scope(|scope| {
        publishers(
            scope,
            &stage,
            &bus,
            &[WaitStrategy::Block, WaitStrategy::Yield],
        );
        for (subscriber, wait) in readers {
            let (stage, bus) = (&stage, &bus);
            scope.spawn(move || stage.read_all(bus, subscriber, wait));
        }
        scope.spawn(|| stage.come_and_go(&bus, WaitStrategy::Block));
        scope.spawn(|| stage.observe(&bus));
        rouse(&stage, &bus);
    });
}

/// Nearly every claim meets the limit or the ring's end, and nearly every wait is a sleep.
#[test]
fn a_ring_that_is_always_full() {
    let bus = Bus::new(config(512)).unwrap();
    let stage = Stage::new(2);
    let subscriber = bus.subscribe(Start::Oldest).unwrap();
    thread::scope(|scope| {
        publishers(
            scope,
            &stage,
            &bus,
            &[WaitStrategy::BlockNow, WaitStrategy::Block],
        );
        scope.spawn(|| stage.read_all(&bus, subscriber, WaitStrategy::BlockNow));
        scope.spawn(|| stage.come_and_go(&bus, WaitStrategy::BlockNow));
        rouse(&stage, &bus);
    });
}

#[test]
fn one_publisher_to_many() {
    let (bus, publisher) = Bus::single(config(4096)).unwrap();
    let stage = Stage::new(1);
    let readers = [WaitStrategy::Block, WaitStrategy::BlockNow]
        .map(|wait| (bus.subscribe(Start::Oldest).unwrap(), wait));
    thread::scope(|scope| {
        scope.spawn(|| stage.publish(publisher, 0));
        for (subscriber, wait) in readers {
            let (stage, bus) = (&stage, &bus);
            scope.spawn(move || stage.read_all(bus, subscriber, wait));
        }
        scope.spawn(|| stage.observe(&bus));
        rouse(&stage, &bus);
    });
}

/// Two publishers evict two readers, which come back and read on.
#[test]
fn readers_that_are_evicted_and_come_back() {
    let bus = Bus::new(config(2048)).unwrap();
    let stage = Stage::new(2);
    let readers = [WaitStrategy::Block, WaitStrategy::Yield].map(|wait| {
        let subscriber = bus.subscribe_evictable(Start::Oldest, Duration::from_micros(200));
        (subscriber.unwrap(), wait)
    });
    thread::scope(|scope| {
        publishers(
            scope,
            &stage,
            &bus,
            &[WaitStrategy::Block, WaitStrategy::Yield],
        );
        for ((subscriber, wait), seed) in readers.into_iter().zip(17..) {
            let (stage, bus) = (&stage, &bus);
            scope.spawn(move || hang_and_come_back(stage, bus, subscriber, wait, seed));
        }
        rouse(&stage, &bus);
    });
}

/// No subscriber holds anything back: the floor is walked over finished records only.
#[test]
fn observers_alone() {
    let bus = Bus::new(config(2048)).unwrap();
    let stage = Stage::new(2);
    thread::scope(|scope| {
        publishers(
            scope,
            &stage,
            &bus,
            &[WaitStrategy::Block, WaitStrategy::Block],
        );
        scope.spawn(|| stage.observe(&bus));
        scope.spawn(|| stage.come_and_go(&bus, WaitStrategy::Yield));
        rouse(&stage, &bus);
    });
}

/// Nobody reads at all until the end: publishers certify each other's records as finished.
#[test]
fn publishers_alone() {
    let bus = Bus::new(config(1024)).unwrap();
    let stage = Stage::new(2);
    thread::scope(|scope| {
        let waits = [WaitStrategy::Yield, WaitStrategy::Block];
        publishers(scope, &stage, &bus, &waits);
    });
    let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
    let mut seen = Seen::default();
    while let Some(r) = subscriber.try_next().unwrap() {
        seen.see(r.position(), r.tag(), r.payload());
    }
    // Unless the last ones were aborted, some are retained.
    assert_eq!(subscriber.position(), bus.tail());
}

/// Slots change hands all the time.
#[test]
fn publishers_come_and_go() {
    let bus = Bus::new(config(1024).members(4)).unwrap();
    let stage = Stage::new(2);
    let subscriber = bus.subscribe(Start::Oldest).unwrap();
    thread::scope(|scope| {
        for source in 0..2_u16 {
            let (stage, bus) = (&stage, &bus);
            scope.spawn(move || {
                let tag = Tag::new(SourceId::new(source), MessageId::new(2));
                let mut serial = 0;
                while stage.goes_on(serial) {
                    let Ok(mut publisher) = bus.publisher() else {
                        thread::yield_now();
                        continue;
                    };
                    let mut payload = [0; 48];
                    for _ in 0..3 {
                        compose(&mut payload, source.into(), serial);
                        match publisher.try_send(tag, &payload) {
                            Ok(_) => serial += 1,
                            Err(ClaimError::Full { .. }) => thread::yield_now(),
                            Err(error) => panic!("{error}"),
                        }
                    }
                    // Left open: the publisher's drop has to abort it.
                    let _ = publisher.try_claim(tag, 10).map(forget);
                }
                stage.sent.fetch_add(serial, Ordering::SeqCst);
                stage.sending.fetch_sub(1, Ordering::SeqCst);
            });
        }
        scope.spawn(|| stage.read_all(&bus, subscriber, WaitStrategy::Yield));
        scope.spawn(|| stage.come_and_go(&bus, WaitStrategy::Yield));
        scope.spawn(|| stage.come_and_go(&bus, WaitStrategy::Block));
        rouse(&stage, &bus);
    });
    assert_eq!(bus.stats().members, 0);
}

/// A task that takes each round's record.
fn hear<E: fmt::Debug>(
    stream: &mut (impl Stream<Item = Result<OwnedRecord, E>> + Unpin),
    rounds: u64,
    heard: &AtomicU64,
) {
    let waker = unparks();
    let mut task = Context::from_waker(&waker);
    for round in 0..rounds {
        let mut item = pin!(poll_fn(|task| Pin::new(&mut *stream).poll_next(task)));
        let start = Instant::now();
        let item = loop {
            if let Poll::Ready(item) = item.as_mut().poll(&mut task) {
                break item.unwrap().unwrap();
            }
            thread::park_timeout(LONG);
            assert!(start.elapsed() < LONG, "a wake-up was lost");
        };
        assert_eq!(item.payload, round.to_le_bytes());
        heard.fetch_add(1, Ordering::SeqCst);
    }
}

/// Tasks and sleeping threads on one bus, mostly idle: a wake-up that is lost hangs its reader.
#[test]
fn tasks_and_sleepers() {
    let rounds = if cfg!(miri) { 30 } else { 4000_u64 };
    let bus = Bus::new(config(4096)).unwrap();
    let heard = AtomicU64::new(0);
    let tag = Tag::new(SourceId::new(1), MessageId::new(3));
    let mut publisher = bus.publisher().unwrap();
    let mut streams = [(); 2].map(|()| bus.subscribe(Start::Oldest).unwrap().into_stream());
    let mut observer = bus.observe(Start::Oldest).unwrap().into_stream();
    let mut sleepers = [WaitStrategy::BlockNow, WaitStrategy::Block]
        .map(|wait| (bus.subscribe(Start::Oldest).unwrap(), wait));
    thread::scope(|scope| {
        for stream in &mut streams {
            scope.spawn(|| hear(stream, rounds, &heard));
        }
        scope.spawn(|| hear(&mut observer, rounds, &heard));
        for (subscriber, wait) in &mut sleepers {
            scope.spawn(|| {
                for round in 0..rounds {
                    let record = subscriber.next_timeout(*wait, LONG).unwrap();
                    assert_eq!(
                        record.expect("a wake-up was lost").payload(),
                        round.to_le_bytes()
                    );
                    heard.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        for round in 0..rounds {
            publisher.send(tag, &round.to_le_bytes()).unwrap();
            // In step with all, so that each record finds its readers on their way to sleep.
            let start = Instant::now();
            while heard.load(Ordering::SeqCst) < 5 * (round + 1) {
                assert!(start.elapsed() < LONG, "a wake-up was lost");
                thread::yield_now();
            }
        }
    });
}
