//! Threads that publish, read, join anywhere, leave, watch, trim and sync all at once, while segments come and go.
//!
//! Every payload says who sent it and which one it is, and ends with a checksum: a record that is torn, lost, repeated or out of
//! order shows. `ci/sanitizers.sh` runs these under ThreadSanitizer and AddressSanitizer.

use std::collections::HashMap;
use std::mem::forget;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

#[cfg(not(miri))]
use messenger::bus::ClaimError;
use messenger::bus::{
    JoinError, MessageId, ObserveError, SourceId, Start, Subscriber, Tag, WaitStrategy,
};
use messenger::journal::{Journal, JournalConfig, LeftBy, Retention, SyncPolicy};

#[cfg(not(miri))]
use crate::kit::Dir;

#[cfg(not(miri))]
const LONG: Duration = Duration::from_secs(120);
/// How long a test sends; under Miri, where the clock says nothing of the work done, how often counts.
const TIME: Duration = Duration::from_millis(if cfg!(miri) { 3_600_000 } else { 700 });
const MOST: u64 = if cfg!(miri) { 30 } else { u64::MAX };

struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below.max(1)
    }
}

fn checksum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, &byte: &u8| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, step)
}

/// Writes the `serial`th payload of a source: that, bytes of chance, the checksum.
fn compose(payload: &mut [u8], source: u16, serial: u64) {
    let end = payload.len() - 8;
    payload[..8].copy_from_slice(&serial.to_le_bytes());
    let mut dice = Dice(serial * 8 + u64::from(source) + 1);
    payload[8..end].fill_with(|| dice.roll(256) as u8);
    let sum = checksum(&payload[..end]);
    payload[end..].copy_from_slice(&sum.to_le_bytes());
}

/// What one reader has seen of each source.
#[derive(Default)]
struct Seen {
    next: HashMap<u16, u64>,
    last: Option<u64>,
    count: u64,
}

impl Seen {
    /// Checks a record; with `gaps`, some before it may have been missed.
    fn see(&mut self, position: u64, tag: Tag, payload: &[u8], gaps: bool) {
        let end = payload.len() - 8;
        let word = |at: usize| u64::from_le_bytes(payload[at..at + 8].try_into().unwrap());
        assert_eq!(word(end), checksum(&payload[..end]), "torn: {payload:?}");
        assert!(self.last < Some(position), "positions only grow");
        self.last = Some(position);
        self.count += 1;
        let (source, serial) = (tag.source.get(), word(0));
        let next = self.next.entry(source).or_insert(serial);
        assert!(
            serial == *next || gaps && serial > *next,
            "of source {source}: {serial} after {next}"
        );
        *next = serial + 1;
    }

    fn read(&mut self, subscriber: &mut Subscriber, max: usize) -> usize {
        let read = subscriber.poll(max, |r| self.see(r.position(), r.tag(), r.payload(), false));
        read.unwrap()
    }
}

struct Stage<'a> {
    journal: &'a Journal,
    end: Instant,
    sending: AtomicBool,
    /// How many records those have read who come and go, and those who watch.
    joined: AtomicU64,
    watched: AtomicU64,
}

impl Stage<'_> {
    fn goes_on(&self) -> bool {
        self.sending.load(Ordering::SeqCst)
    }

    /// Whether the time is up, and all have had a part in it, however slow the machine is.
    fn is_over(&self) -> bool {
        let had = |count: &AtomicU64| cfg!(miri) || count.load(Ordering::Relaxed) > 0;
        Instant::now() >= self.end && had(&self.joined) && had(&self.watched)
    }

    /// Sends until that is over, among aborted and forgotten claims and runs; gives how many records.
    fn publish(&self, source: u16) -> u64 {
        let mut publisher = self.journal.bus().publisher().unwrap();
        let mut dice = Dice(u64::from(source) + 7);
        let tag = Tag::new(SourceId::new(source), MessageId::new(1));
        let most = (publisher.max_payload() as u64).min(400);
        let mut serial = 0;
        while serial < MOST && (serial == 0 || !self.is_over()) {
            let len = 16 + dice.roll(most - 15) as usize;
            match dice.roll(16) {
                0 => drop(publisher.claim(tag, len).unwrap()),
                1 => {
                    let mut claim = publisher.claim(tag, len).unwrap();
                    claim.zeroed().fill(0xAB);
                    forget(claim);
                }
                2 => {
                    let mut run = publisher.reserve(2 * 32).unwrap();
                    while run.remaining() > 0 {
                        let mut claim = run.claim(tag, 16).unwrap();
                        compose(claim.zeroed(), source, serial);
                        claim.commit().unwrap();
                        serial += 1;
                    }
                }
                _ => {
                    let mut claim = publisher.claim(tag, len).unwrap();
                    compose(claim.zeroed(), source, serial);
                    claim.commit().unwrap();
                    serial += 1;
                }
            }
            if dice.roll(64) == 0 {
                thread::yield_now();
            }
        }
        serial
    }

    /// Reads all there is until the publishers have ended; gives how many records of each source.
    fn reads_all(&self, mut subscriber: Subscriber) -> HashMap<u16, u64> {
        let mut seen = Seen::default();
        loop {
            // Once nobody sends any more, all that stands before the tail comes; but a note of the journal's may stand there, and be finished late.
            let end = (!self.goes_on()).then(|| self.journal.bus().tail());
            while seen.read(&mut subscriber, 50) > 0 {}
            if end.is_some_and(|end| subscriber.position() >= end) {
                return seen.next;
            }
            let soon = Some(Instant::now() + Duration::from_millis(5));
            let _ = subscriber.wait_until(WaitStrategy::Block, soon, || !self.goes_on());
        }
    }

    /// Joins at the oldest, the newest and in between, reads a while, leaves.
    fn comes_and_goes(&self, seed: u64) {
        let mut dice = Dice(seed);
        while self.goes_on() {
            let (oldest, tail) = (self.journal.oldest(), self.journal.bus().tail());
            let start = match dice.roll(3) {
                0 => Start::Oldest,
                1 => Start::Newest,
                _ => Start::At(oldest + dice.roll(tail - oldest)),
            };
            let mut subscriber = match self.journal.bus().subscribe(start) {
                Ok(subscriber) => subscriber,
                Err(JoinError::Gone { .. }) if matches!(start, Start::At(_)) => continue,
                Err(error) => panic!("{error}"),
            };
            let mut seen = Seen::default();
            for _ in 0..dice.roll(20) {
                seen.read(&mut subscriber, 1 + dice.roll(30) as usize);
            }
            self.joined.fetch_add(seen.count, Ordering::Relaxed);
        }
    }

    /// Watches from anywhere; may be lapped.
    fn watches(&self, seed: u64) {
        let (mut dice, mut bytes) = (Dice(seed), Vec::new());
        while self.goes_on() {
            let start = [Start::Oldest, Start::Newest][dice.roll(2) as usize];
            let mut observer = self.journal.bus().observe(start).unwrap();
            let mut seen = Seen::default();
            let mut gaps = false;
            for _ in 0..dice.roll(300) {
                match observer.try_next(&mut bytes) {
                    Ok(Some(found)) => {
                        seen.see(found.position, found.tag, &bytes, gaps);
                        gaps = false;
                    }
                    Ok(None) => thread::yield_now(),
                    Err(ObserveError::Lagged { skipped }) => {
                        assert!(skipped > 0);
                        // Of each source something may have been missed.
                        seen.next.clear();
                        gaps = true;
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            self.watched.fetch_add(seen.count, Ordering::Relaxed);
        }
    }

    /// What a program does to a journal beside reading and writing it.
    fn tends(&self, seed: u64) {
        let mut dice = Dice(seed);
        while self.goes_on() {
            match dice.roll(4) {
                0 => {
                    let before = self.journal.synced();
                    assert!(self.journal.sync().unwrap() >= before);
                }
                1 => {
                    let tail = self.journal.bus().tail();
                    let oldest = self.journal.trim(tail.saturating_sub(20_000)).unwrap();
                    assert!(oldest <= self.journal.bus().tail());
                }
                // Miri has no clock of the day.
                2 if cfg!(not(miri)) => {
                    let ago = Duration::from_millis(dice.roll(50));
                    let time = SystemTime::now() - ago;
                    let position = self.journal.position_at(time).unwrap();
                    assert!(position <= self.journal.bus().tail());
                }
                _ => thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

/// All at once, from two sources that have sent nothing before. With `held` one subscriber reads everything, so that nothing
/// goes that it has not read.
fn runs(journal: &Journal, sources: [u16; 2], held: bool) {
    let stage = Stage {
        journal,
        end: Instant::now() + TIME,
        sending: AtomicBool::new(true),
        joined: AtomicU64::new(0),
        watched: AtomicU64::new(0),
    };
    let stage = &stage;
    let whole = held.then(|| journal.bus().subscribe(Start::Newest).unwrap());
    thread::scope(|scope| {
        let publishers = sources.map(|source| scope.spawn(move || stage.publish(source)));
        let whole = whole.map(|whole| scope.spawn(move || stage.reads_all(whole)));
        let joining = scope.spawn(|| stage.comes_and_goes(11));
        let watching = scope.spawn(|| stage.watches(13));
        let tending = scope.spawn(|| stage.tends(17));
        let sent = publishers.map(|publisher| publisher.join());
        stage.sending.store(false, Ordering::SeqCst);
        journal.bus().wake_all();
        let sent = sent.map(|sent| sent.expect("a publisher"));
        for thread in [joining, watching, tending] {
            thread.join().unwrap();
        }
        if let Some(whole) = whole {
            let read = whole.join().unwrap();
            assert_eq!(
                read,
                HashMap::from([(sources[0], sent[0]), (sources[1], sent[1])])
            );
        }
        assert!(sent[0] > 0 && sent[1] > 0);
        let (joined, watched) = (&stage.joined, &stage.watched);
        let tail = journal.bus().tail();
        println!(
            "{sent:?} records in {tail} bytes, joiners read {joined:?}, observers {watched:?}"
        );
    });
}

fn config() -> JournalConfig {
    JournalConfig::new()
        .segment_bytes(4096)
        .time_resolution(Duration::from_millis(1))
}

fn policies() -> [JournalConfig; 3] {
    let often = SyncPolicy::Every {
        bytes: 10_000,
        interval: Duration::from_millis(2),
    };
    [
        config()
            .retain(Retention::all().at_most(40_000))
            .sync(often),
        config().retain(Retention::all().until_passed()).ahead(3),
        config().bound(8192),
    ]
}

#[test]
fn segments_in_memory_come_and_go_under_all_kinds_of_members() {
    for config in policies() {
        let journal = Journal::in_memory(config.segment_bytes(1024)).unwrap();
        runs(&journal, [1, 2], true);
        runs(&journal, [3, 4], false);
        journal.close().unwrap();
    }
}

#[cfg(not(miri))]
#[test]
fn segments_in_files_come_and_go_under_all_kinds_of_members() {
    let dirs = policies().map(|config| (Dir::new("stress"), config));
    for (dir, config) in dirs {
        for (sources, held) in [([1, 2], true), ([3, 4], false)] {
            let journal = dir.open(config);
            assert_eq!(journal.recovery().dropped, None);
            runs(&journal, sources, held);
            let start = Instant::now();
            journal.close().unwrap();
            assert!(start.elapsed() < LONG);
        }
        let journal = dir.open(config);
        assert_eq!(journal.recovery().left, LeftBy::Closing);
        let mut subscriber = journal.bus().subscribe(Start::Oldest).unwrap();
        let mut seen = Seen::default();
        seen.read(&mut subscriber, usize::MAX);
        assert!(seen.count > 0);
    }
}

/// Publishers that sync each record share the flushes, and each is told only when its own record is safe.
#[cfg(not(miri))]
#[test]
fn publishers_that_sync_each_record_share_the_flushes() {
    let dir = Dir::new("each");
    let journal = dir.open(config().sync(SyncPolicy::EachRecord));
    let end = Instant::now() + TIME;
    thread::scope(|scope| {
        for source in 1..=4_u16 {
            let journal = &journal;
            scope.spawn(move || {
                let mut publisher = journal.bus().publisher().unwrap();
                let tag = Tag::new(SourceId::new(source), MessageId::new(1));
                let mut bytes = [0; 100];
                let mut serial = 0;
                while Instant::now() < end {
                    compose(&mut bytes, source, serial);
                    let position = match publisher.send(tag, &bytes) {
                        // Another's claim before it was open for so long, on a busy machine.
                        Err(ClaimError::NotSynced(error)) if error.is_pending() => {
                            let synced = journal.wait_synced(error.position(), Some(LONG));
                            assert!(synced.unwrap());
                            error.position()
                        }
                        sent => sent.unwrap(),
                    };
                    assert!(journal.synced() > position);
                    serial += 1;
                    if serial % 5 == 0 {
                        drop(publisher.claim(tag, 30).unwrap());
                    }
                }
            });
        }
    });
    journal.close().unwrap();
}
