//! Chance sequences of operations on a small bus, each compared with a model that is only a map
//! of the records, a list of the places being filled, and what each reader has read.
//!
//! A claim that is being filled while others go on is played by one that is forgotten: it stays
//! open until the next use of its publisher.
//!
//! A journal that is bounded is such a bus too, in segments that may be as long as it, shorter or longer.

use std::collections::BTreeMap;
use std::mem::forget;

use messenger::bus::{
    Bus, BusConfig, ClaimError, MessageId, ObserveError, Observer, Publisher, SourceId, Start,
    Subscriber, Tag, record_len,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

const MEMBERS: usize = 6;

/// What is done with a claim.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Commit,
    Drop,
    Incomplete,
    Forget,
}

/// What the bytes of a payload are.
#[derive(Clone, Copy, Debug)]
enum Bytes {
    Chance(u64),
    /// Every 16 bytes the position that they stand at (or will, so many laps on), and a state.
    Headers {
        laps: u64,
        state: u64,
    },
    Ones,
}

#[derive(Clone, Debug)]
enum Op {
    Claim {
        by: Index,
        len: Index,
        bytes: Bytes,
        end: End,
    },
    Reserve {
        by: Index,
        bytes: Index,
        lens: Vec<(Index, End)>,
        forget: bool,
    },
    TooLarge {
        by: Index,
        over: usize,
    },
    Publish,
    Retire(Index),
    Join(bool),
    Leave(Index),
    Next(Index),
    Poll(Index, usize),
    Observe(bool),
    Look(Index),
    Unobserve(Index),
}

fn ends() -> impl Strategy<Value = End> {
    prop_oneof![
        8 => Just(End::Commit),
        1 => Just(End::Drop),
        1 => Just(End::Incomplete),
        1 => Just(End::Forget),
    ]
}

/// What those do who write.
fn writes() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    prop_oneof![
        30 => (index(), index(), any::<u64>(), ends()).prop_map(|(by, len, seed, end)| {
            Op::Claim { by, len, bytes: Bytes::Chance(seed), end }
        }),
        1 => (index(), index(), vec((index(), ends()), 0..5), any::<bool>())
            .prop_map(|(by, bytes, lens, forget)| Op::Reserve { by, bytes, lens, forget }),
    ]
}

fn ops() -> impl Strategy<Value = Op> {
    let index = any::<Index>;
    let bytes = prop_oneof![
        any::<u64>().prop_map(Bytes::Chance),
        (0..3_u64, 0..5_u64).prop_map(|(laps, state)| Bytes::Headers { laps, state }),
        Just(Bytes::Ones),
    ];
    let lens = vec((index(), ends()), 0..5);
    prop_oneof![
        20 => (index(), index(), bytes, ends())
            .prop_map(|(by, len, bytes, end)| Op::Claim { by, len, bytes, end }),
        4 => (index(), index(), lens, any::<bool>())
            .prop_map(|(by, bytes, lens, forget)| Op::Reserve { by, bytes, lens, forget }),
        1 => (index(), prop_oneof![1..100_usize, Just(usize::MAX / 2)])
            .prop_map(|(by, over)| Op::TooLarge { by, over }),
        2 => Just(Op::Publish),
        1 => index().prop_map(Op::Retire),
        3 => any::<bool>().prop_map(Op::Join),
        1 => index().prop_map(Op::Leave),
        8 => index().prop_map(Op::Next),
        5 => (index(), 0..40_usize).prop_map(|(of, max)| Op::Poll(of, max)),
        1 => any::<bool>().prop_map(Op::Observe),
        8 => index().prop_map(Op::Look),
        1 => index().prop_map(Op::Unobserve),
    ]
}

/// A publisher, and the place that it has claimed and forgotten.
struct Writer {
    publisher: Publisher,
    open: Option<u64>,
}

/// A subscriber, and the least position of what it is to be given next.
struct Reader {
    subscriber: Subscriber,
    next: u64,
}

struct World {
    bus: Bus,
    /// How many bytes are in a row, so that no record crosses their end.
    lap: u64,
    /// How many members a bus has by itself: the keeper of a journal.
    own: usize,
    writers: Vec<Writer>,
    readers: Vec<Reader>,
    observers: Vec<Observer>,
    /// The model: all that was ever committed.
    committed: BTreeMap<u64, (Tag, Vec<u8>)>,
    aborted: u64,
    lagged: u64,
    serial: u16,
    /// What makes the bytes of payloads others, beside their own seeds.
    chance: u64,
}

fn pick<T>(all: &mut [T], of: Index) -> Option<&mut T> {
    if all.is_empty() {
        None
    } else {
        Some(&mut all[of.index(all.len())])
    }
}

impl World {
    fn new(bytes: usize) -> Self {
        let bus = Bus::new(BusConfig::bytes(bytes).members(MEMBERS)).unwrap();
        Self::over(bus, bytes as u64, 0)
    }

    /// A journal in memory. It notes no times, which would be records of its own.
    #[cfg(feature = "journal")]
    fn in_segments(bytes: usize, segment: u64) -> Self {
        let config = messenger::journal::JournalConfig::new()
            .segment_bytes(segment)
            .bound(bytes as u64)
            .members(MEMBERS)
            .time_resolution(std::time::Duration::ZERO);
        let journal = messenger::journal::Journal::in_memory(config).unwrap();
        Self::over(journal.bus().clone(), segment, 1)
    }

    fn over(bus: Bus, lap: u64, own: usize) -> Self {
        Self {
            bus,
            lap,
            own,
            writers: Vec::new(),
            readers: Vec::new(),
            observers: Vec::new(),
            committed: BTreeMap::new(),
            aborted: 0,
            lagged: 0,
            serial: 0,
            chance: 0,
        }
    }

    fn members(&self) -> usize {
        self.writers.len() + self.readers.len() + self.observers.len()
    }

    /// Where a reader at `from` comes to a halt: the first place that is being filled, or the end.
    fn halt(&self, from: u64) -> u64 {
        let open = self.writers.iter().filter_map(|w| w.open);
        open.filter(|&at| at >= from)
            .min()
            .unwrap_or(self.bus.tail())
    }

    /// Where subscribers come to a halt, which go over all that is retained.
    fn finished(&self) -> u64 {
        self.halt(0)
    }

    /// The first record from `position` on, if it comes before `halt`.
    fn first(&self, position: u64, halt: u64) -> Option<(u64, &(Tag, Vec<u8>))> {
        let (&at, record) = self.committed.range(position..).next()?;
        (at < halt).then_some((at, record))
    }

    /// The record that a subscriber is given after all before `position`.
    fn after(&self, position: u64) -> Option<(u64, &(Tag, Vec<u8>))> {
        self.first(position, self.finished())
    }

    /// What stands in the way of overwriting, by the bus's own word for what its readers hold.
    fn held(&self) -> u64 {
        let readers = self.bus.stats().subscribers.into_iter().map(|s| s.position);
        readers.min().unwrap_or_else(|| self.finished())
    }

    /// Where a record of `bytes` goes, and whether there is room for it.
    fn place(&self, bytes: usize) -> (u64, bool) {
        let (tail, capacity) = (self.bus.tail(), self.bus.capacity() as u64);
        let left = self.lap - tail % self.lap;
        let at = if bytes as u64 <= left {
            tail
        } else {
            tail + left
        };
        (at, at + bytes as u64 <= self.held() + capacity)
    }

    fn tag(&mut self) -> Tag {
        self.serial = self.serial.wrapping_add(1);
        Tag::new(SourceId::new(self.serial), MessageId::new(!self.serial))
    }

    /// Any length there may be, or, three times as often, a short one, by which payloads end where an old record began, or up to two bytes
    /// behind that.
    fn length(&self, of: Index) -> usize {
        let all = self.bus.max_payload() + 1;
        let any = of.index(4 * all);
        if any < all {
            any
        } else {
            any % 2 * 16 + any % 3
        }
    }

    fn payload(&self, bytes: Bytes, at: u64, len: usize) -> Vec<u8> {
        let mut made = Vec::with_capacity(len + 16);
        let mut word = at + 16;
        while made.len() < len {
            match bytes {
                Bytes::Chance(seed) => {
                    let mixed = (seed ^ word)
                        .wrapping_add(self.chance)
                        .wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    made.extend((mixed ^ mixed >> 32).to_le_bytes());
                }
                Bytes::Headers { laps, state } => {
                    made.extend(((word + laps * self.bus.capacity() as u64) | state).to_le_bytes());
                    made.extend((32_u64 | 5 << 32).to_le_bytes());
                }
                Bytes::Ones => made.extend([0xFF; 16]),
            }
            word += 16;
        }
        made.truncate(len);
        made
    }

    /// Uses a publisher: what it had forgotten is aborted.
    fn close(&mut self, by: usize) {
        self.aborted += u64::from(self.writers[by].open.take().is_some());
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Claim {
                by,
                len,
                bytes,
                end,
            } if !self.writers.is_empty() => {
                let len = self.length(len);
                self.claim(by.index(self.writers.len()), len, bytes, end);
            }
            Op::Reserve {
                by,
                bytes,
                lens,
                forget,
            } if !self.writers.is_empty() => {
                let bytes = bytes.index(record_len(self.bus.max_payload()) + 1);
                self.reserve(by.index(self.writers.len()), bytes, &lens, forget);
            }
            Op::TooLarge { by, over } if !self.writers.is_empty() => {
                let by = by.index(self.writers.len());
                self.close(by);
                let (tag, max) = (self.tag(), self.bus.max_payload());
                let refused = ClaimError::TooLarge {
                    len: max + over,
                    max,
                };
                let writer = &mut self.writers[by];
                let claim = writer.publisher.try_claim(tag, max + over).map(drop);
                assert_eq!(claim, Err(refused));
            }
            Op::Publish => {
                let publisher = self.bus.publisher();
                assert_eq!(publisher.is_ok(), self.members() < MEMBERS);
                let writers = publisher.ok().map(|publisher| Writer {
                    publisher,
                    open: None,
                });
                self.writers.extend(writers);
            }
            Op::Retire(of) if !self.writers.is_empty() => {
                let of = of.index(self.writers.len());
                self.close(of);
                self.writers.swap_remove(of);
            }
            Op::Join(oldest) => self.join(if oldest { Start::Oldest } else { Start::Newest }),
            Op::Leave(of) if !self.readers.is_empty() => {
                self.readers.swap_remove(of.index(self.readers.len()));
            }
            Op::Next(of) => self.next(of),
            Op::Poll(of, max) => {
                self.poll(of, max);
            }
            Op::Observe(oldest) => {
                let start = if oldest { Start::Oldest } else { Start::Newest };
                let observer = self.bus.observe(start);
                assert_eq!(observer.is_ok(), self.members() < MEMBERS);
                if let Ok(observer) = observer {
                    let stats = self.bus.stats();
                    let start = if oldest { stats.head } else { stats.tail };
                    assert_eq!(observer.position(), start);
                    self.observers.push(observer);
                }
            }
            Op::Look(of) => {
                self.look(of);
            }
            Op::Unobserve(of) if !self.observers.is_empty() => {
                self.observers.swap_remove(of.index(self.observers.len()));
            }
            // A member of a kind that has none.
            _ => {}
        }
    }

    fn claim(&mut self, by: usize, len: usize, bytes: Bytes, end: End) {
        self.close(by);
        let (at, room) = self.place(record_len(len));
        let payload = self.payload(bytes, at, len);
        let tag = self.tag();
        let capacity = self.bus.capacity();
        let writer = &mut self.writers[by];
        let mut claim = match writer.publisher.try_claim(tag, len) {
            Ok(claim) => claim,
            Err(error) => {
                assert_eq!(
                    error,
                    ClaimError::Full {
                        needed: record_len(len),
                        capacity
                    }
                );
                assert!(!room, "refused though there was room");
                return;
            }
        };
        assert!(room, "given though something unread lies there");
        assert_eq!((claim.position(), claim.payload_len()), (at, len));
        match end {
            End::Commit => {
                claim.writer().put(&payload).unwrap();
                assert_eq!(claim.commit(), Ok(at));
                self.committed.insert(at, (tag, payload));
            }
            End::Incomplete if len > 0 => {
                claim.writer().put(&payload[1..]).unwrap();
                assert!(claim.commit().is_err());
                self.aborted += 1;
            }
            End::Drop | End::Incomplete => {
                assert!(claim.zeroed().iter().all(|&b| b == 0));
                drop(claim);
                self.aborted += 1;
            }
            End::Forget => {
                claim.writer().put(&payload).unwrap();
                forget(claim);
                writer.open = Some(at);
            }
        }
    }

    fn reserve(&mut self, by: usize, bytes: usize, lens: &[(Index, End)], forgotten: bool) {
        self.close(by);
        let whole = bytes.max(1).next_multiple_of(16);
        let (mut at, room) = self.place(whole);
        let end = at + whole as u64;
        let tag = self.tag();
        let writer = &mut self.writers[by];
        let Ok(mut run) = writer.publisher.try_reserve(bytes) else {
            assert!(!room, "refused though there was room");
            return;
        };
        assert!(room, "given though something unread lies there");
        for (len, ending) in lens {
            assert_eq!(run.remaining() as u64, end - at);
            // At times one more than fits.
            let len = len.index(run.remaining() + 1);
            let Ok(mut claim) = run.claim(tag, len) else {
                assert!(record_len(len) as u64 > end - at);
                continue;
            };
            assert_eq!(claim.position(), at);
            let payload = vec![len as u8; len];
            match ending {
                End::Commit => {
                    claim.zeroed().copy_from_slice(&payload);
                    claim.commit().unwrap();
                    self.committed.insert(at, (tag, payload));
                }
                End::Drop => drop(claim),
                End::Incomplete if len == 0 => drop(claim),
                End::Incomplete => assert!(claim.commit().is_err()),
                End::Forget => {
                    forget(claim);
                    continue;
                }
            }
            self.aborted += u64::from(*ending != End::Commit);
            at += record_len(len) as u64;
        }
        if forgotten {
            forget(run);
            writer.open = (at < end).then_some(at);
        } else {
            self.aborted += u64::from(at < end);
        }
    }

    fn join(&mut self, start: Start) {
        let subscriber = self.bus.subscribe(start);
        assert_eq!(subscriber.is_ok(), self.members() < MEMBERS);
        let Ok(subscriber) = subscriber else { return };
        let stats = self.bus.stats();
        let next = if start == Start::Oldest {
            stats.head
        } else {
            stats.tail
        };
        assert_eq!(subscriber.start(), next);
        self.readers.push(Reader { subscriber, next });
    }

    fn next(&mut self, of: Index) {
        let Some(reader) = pick(&mut self.readers, of) else {
            return;
        };
        let got = reader.subscriber.try_next().unwrap().map(|r| r.to_owned());
        let at = reader.next;
        reader.next = got.as_ref().map_or(at, |r| r.position + 1);
        let got = got.map(|r| (r.position, (r.tag, r.payload)));
        let expected = self
            .after(at)
            .map(|(position, record)| (position, record.clone()));
        assert_eq!(got, expected);
    }

    fn poll(&mut self, of: Index, max: usize) -> usize {
        let Some(reader) = pick(&mut self.readers, of) else {
            return 0;
        };
        let mut at = reader.next;
        let mut got = Vec::new();
        let count = reader
            .subscriber
            .poll(max, |r| got.push(r.to_owned()))
            .unwrap();
        reader.next = got.last().map_or(at, |r| r.position + 1);
        assert_eq!(count, got.len());
        for record in got {
            let (position, expected) = self.after(at).expect("nobody committed it");
            assert_eq!(
                (record.position, &(record.tag, record.payload)),
                (position, expected)
            );
            at = position + 1;
        }
        assert!(
            count == max || self.after(at).is_none(),
            "it left something"
        );
        count
    }

    /// `false`: there was nothing to see.
    fn look(&mut self, of: Index) -> bool {
        let head = self.bus.stats().head;
        let Some(observer) = pick(&mut self.observers, of) else {
            return false;
        };
        let at = observer.position();
        let mut payload = Vec::new();
        let got = observer.try_next(&mut payload);
        let now = observer.position();
        match got {
            Err(ObserveError::Lagged { skipped }) => {
                assert!(at < head);
                assert_eq!((now, skipped), (head, head - at));
                self.lagged += 1;
                true
            }
            Err(error) => panic!("{error}"),
            Ok(got) => {
                assert!(at >= head, "lapped, and not told");
                // What began before an observer does not concern it.
                let halt = self.halt(at);
                let expected = self.first(at, halt);
                assert_eq!(got.map(|o| o.position), expected.map(|(p, _)| p));
                if let Some((position, (tag, bytes))) = expected {
                    assert_eq!(got.map(|o| o.tag), Some(*tag));
                    assert_eq!(
                        (&payload, now),
                        (bytes, position + record_len(bytes.len()) as u64)
                    );
                } else {
                    assert_eq!(now, halt);
                }
                got.is_some()
            }
        }
    }

    fn runs(mut self, ops: Vec<Op>) {
        self.apply(Op::Publish);
        for op in ops {
            self.apply(op);
            self.check();
        }
        // All that is left is read by all who are left.
        for of in 0..self.writers.len() {
            self.close(of);
        }
        self.writers.clear();
        self.check();
        while let Some(reader) = self.readers.pop() {
            self.read_to_the_end(reader);
        }
    }

    fn read_to_the_end(&self, reader: Reader) {
        let (mut subscriber, mut at) = (reader.subscriber, reader.next);
        while let Some(record) = subscriber.try_next().unwrap() {
            let (position, expected) = self.after(at).expect("nobody committed it");
            let got = (record.position(), record.payload());
            assert_eq!(got, (position, &expected.1[..]));
            at = position + 1;
        }
        assert_eq!(self.after(at), None);
    }

    /// After each step all who read go on to where nothing has been finished yet, and look at what earlier laps have left there: one who
    /// takes all in batches, one who observes, and one who has just come. The steps are taken over and over, with other bytes each time.
    fn runs_watched(mut self, steps: &[(Op, usize, Index)], times: u64) {
        for op in [Op::Publish, Op::Publish, Op::Join(true), Op::Observe(true)] {
            self.apply(op);
        }
        for chance in 0..times {
            self.chance = chance;
            for &(ref op, batch, any) in steps {
                self.apply(op.clone());
                while self.poll(any, batch) == batch {}
                while self.look(any) {}
                self.join(Start::Oldest);
                let late = self.readers.pop().expect("there are slots left");
                self.read_to_the_end(late);
            }
            self.check();
            // Nobody is given what is not retained.
            self.committed = self.committed.split_off(&self.bus.stats().head);
        }
    }

    /// What always holds.
    fn check(&self) {
        let stats = self.bus.stats();
        assert_eq!(stats.used, stats.tail - stats.head);
        assert_eq!(
            (stats.tail, stats.capacity),
            (self.bus.tail(), self.bus.capacity() as u64)
        );
        assert_eq!((stats.aborted, stats.lagged), (self.aborted, self.lagged));
        assert_eq!(stats.members, self.own + self.members());
        assert_eq!(stats.subscribers.len(), self.readers.len());
        for lag in &stats.subscribers {
            assert_eq!(lag.lag, stats.tail - lag.position);
            assert!(
                lag.lag <= stats.capacity,
                "something it holds was overwritten"
            );
        }
        assert!(stats.head <= self.finished());
        assert!(stats.tail - self.finished() <= stats.capacity);
    }
}

fn config() -> ProptestConfig {
    // PROPTEST_CASES asks for more.
    let mut config = ProptestConfig::default();
    if cfg!(miri) {
        config.cases = 6;
        config.max_shrink_iters = 0;
    }
    // Needs files.
    config.failure_persistence = None;
    config
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn does_what_the_model_does(
        bytes in prop_oneof![Just(256_usize), Just(512), Just(1024)],
        ops in vec(ops(), 1..if cfg!(miri) { 40 } else { 300 }),
    ) {
        World::new(bytes).runs(ops);
    }

    /// Bytes of old records and payloads are no records, wherever the payloads end.
    #[test]
    fn nothing_is_seen_that_is_not_there(
        bytes in prop_oneof![4 => Just(256_usize), 2 => Just(512), 1 => Just(1024)],
        steps in vec((writes(), 1..9_usize, any::<Index>()), 1..30),
    ) {
        World::new(bytes).runs_watched(&steps, if cfg!(miri) { 2 } else { 200 });
    }

    #[cfg(feature = "journal")]
    #[test]
    fn a_journal_does_what_the_model_does(
        bytes in prop_oneof![Just(256_usize), Just(512), Just(1024)],
        segment in prop_oneof![Just(256_u64), Just(512), Just(1024), Just(4096)],
        ops in vec(ops(), 1..if cfg!(miri) { 40 } else { 300 }),
    ) {
        World::in_segments(bytes, segment).runs(ops);
    }

    #[test]
    fn lengths_are_rounded_up(bytes in 1_usize..1 << 20, members in 2..100_usize) {
        let bus = Bus::new(BusConfig::bytes(bytes).members(members)).unwrap();
        let capacity = bus.capacity();
        assert!(capacity.is_power_of_two() && capacity >= bytes.max(256));
        assert!(capacity == 256 || capacity / 2 < bytes);
        assert!(bus.max_payload() >= capacity / 4);
        assert!(bus.memory_len() >= capacity + members * 128);
    }

    #[test]
    fn a_record_takes_its_payload_and_a_header(payload in 0_usize..1 << 40) {
        let len = record_len(payload);
        assert!(len % 16 == 0);
        assert!((payload + 16..payload + 32).contains(&len));
    }
}
