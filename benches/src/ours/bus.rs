//! messenger's bus between threads.

use std::marker::PhantomData;

use messenger::bus::{
    Bus, BusConfig, Claim, ClaimError, Multi, Publisher, PublisherKind, Reservation, Single, Start,
    Subscriber, Tag, WaitStrategy, record_len,
};
use messenger::bus::{MessageId, SourceId};

use super::mode::Mode;
use crate::contender::{Contender, Idle, Reader, Writer, ends};
use crate::log::{Done, text};
use crate::payload::{fill, filled};
use crate::rivals::BURST;
use crate::sample::fail;

const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

pub(super) fn config(ring: usize) -> BusConfig {
    BusConfig::bytes(ring).prefault(true)
}

fn shared(ring: usize, writers: usize, readers: usize) -> (Vec<Publisher>, Vec<Subscriber>) {
    let made = Bus::new(config(ring)).map(|bus| {
        let subscribers = (0..readers).map(|_| bus.subscribe(Start::Oldest)).collect();
        let publishers = (0..writers).map(|_| bus.publisher()).collect();
        (publishers, subscribers)
    });
    match made {
        Ok((Ok(publishers), Ok(subscribers))) => (publishers, subscribers),
        other => fail(&format!("no bus: {other:?}")),
    }
}

fn single(ring: usize, readers: usize) -> (Vec<Publisher<Single>>, Vec<Subscriber>) {
    let made = Bus::single(config(ring)).map(|(bus, publisher)| {
        let subscribers = (0..readers).map(|_| bus.subscribe(Start::Oldest)).collect();
        (vec![publisher], subscribers)
    });
    match made {
        Ok((publishers, Ok(subscribers))) => (publishers, subscribers),
        other => fail(&format!("no bus: {other:?}")),
    }
}

/// What a bus with a ring of so many bytes maps, in bytes.
pub(crate) fn mapped(ring: usize) -> usize {
    Bus::new(config(ring)).map_or_else(|error| fail(&error.to_string()), |bus| bus.memory_len())
}

/// How payloads longer than this are written: piece by piece, so that a piece stays in registers.
const PIECE: usize = 128;

/// Writes the payload into the claim, and commits.
#[inline(always)]
fn complete<const N: usize>(mut claim: Claim<'_>, seq: u64) -> u64 {
    let mut writer = claim.writer();
    if N <= PIECE {
        let _ = writer.put(&filled::<N>(seq));
    } else {
        for piece in 0..(N / PIECE) as u64 {
            let mut bytes = [0; PIECE];
            fill(&mut bytes, seq.wrapping_add(piece * (PIECE / 8) as u64));
            let _ = writer.put(&bytes);
        }
    }
    claim
        .commit()
        .unwrap_or_else(|error| fail(&error.to_string()))
}

/// One claim, in a bus that has room.
#[inline(always)]
pub(super) fn put<const N: usize, K: PublisherKind>(to: &mut Publisher<K>, seq: u64) -> Done {
    complete::<N>(to.try_claim(TAG, N).map_err(text)?, seq);
    Ok(())
}

/// One claim, in a bus that may have to grow for it; gives the record's position.
#[inline(always)]
pub(super) fn put_waiting<const N: usize>(to: &mut Publisher, seq: u64) -> Done<u64> {
    Ok(complete::<N>(to.claim(TAG, N).map_err(text)?, seq))
}

/// A claim for each run of records, in a bus that may have to grow for it; gives the last one's position.
#[inline(always)]
pub(super) fn put_runs_waiting<const N: usize>(
    to: &mut Publisher,
    first: u64,
    count: u64,
) -> Done<u64> {
    let most = ((1 << 20) / record_len(N) as u64).clamp(1, BURST);
    let (mut seq, end, mut last) = (first, first + count, 0);
    while seq < end {
        let burst = most.min(end - seq);
        let run = to.reserve(burst as usize * record_len(N)).map_err(text)?;
        last = put_run::<N>(run, seq, burst);
        seq += burst;
    }
    Ok(last)
}

/// One claim per record, tried until there is room.
pub(crate) struct Claims<K: PublisherKind>(pub(super) Publisher<K>);

impl<const N: usize, K: PublisherKind + Send> Writer<N> for Claims<K> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            loop {
                match self.0.try_claim(TAG, N) {
                    Ok(claim) => {
                        complete::<N>(claim, seq);
                        break;
                    }
                    Err(ClaimError::Full { .. }) => idle.wait(),
                    Err(error) => fail(&error.to_string()),
                }
            }
            idle.reset();
        }
    }
}

impl Claims<Multi> {
    /// A claim in which half of the payload is written.
    pub(crate) fn half<const N: usize>(&mut self, seq: u64) -> Done<Claim<'_>> {
        let mut claim = self.0.claim(TAG, N).map_err(text)?;
        let half = &filled::<N>(seq)[..N / 2];
        claim.writer().put(half).map_err(text)?;
        Ok(claim)
    }
}

/// One claim for many records.
pub(crate) struct Batched<K: PublisherKind>(pub(super) Publisher<K>);

impl<const N: usize, K: PublisherKind + Send> Writer<N> for Batched<K> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        // Large records fill the ring before they make a burst.
        let most = (self.0.capacity() / 8 / record_len(N)).clamp(1, BURST as usize) as u64;
        let (mut seq, end) = (first, first + count);
        while seq < end {
            let burst = most.min(end - seq);
            match self.0.try_reserve(burst as usize * record_len(N)) {
                Ok(run) => {
                    put_run::<N>(run, seq, burst);
                }
                Err(ClaimError::Full { .. }) => {
                    idle.wait();
                    continue;
                }
                Err(error) => fail(&error.to_string()),
            }
            idle.reset();
            seq += burst;
        }
    }
}

/// Gives the position of the last record.
#[inline(always)]
fn put_run<const N: usize>(mut run: Reservation<'_>, first: u64, count: u64) -> u64 {
    (first..first + count).fold(0, |_, seq| match run.claim(TAG, N) {
        Ok(claim) => complete::<N>(claim, seq),
        Err(error) => fail(&error.to_string()),
    })
}

/// Waits for room as the bus does by default.
pub(crate) struct Waiting(pub(super) Publisher);

impl<const N: usize> Writer<N> for Waiting {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, _: &mut Idle) {
        for seq in first..first + count {
            match self.0.claim(TAG, N) {
                Ok(claim) => {
                    complete::<N>(claim, seq);
                }
                Err(error) => fail(&error.to_string()),
            }
        }
    }
}

#[inline(always)]
pub(super) fn whole<const N: usize>(payload: &[u8], mut each: impl FnMut(&[u8; N])) {
    match payload.try_into() {
        Ok(bytes) => each(bytes),
        Err(_) => fail(&format!("a record of {} bytes, not {N}", payload.len())),
    }
}

/// Takes what is there, so much of it that the writer meanwhile has room.
pub(crate) struct Polls(Subscriber, usize);

impl Polls {
    pub(super) fn new<const N: usize>(subscriber: Subscriber, ring: usize) -> Self {
        Self(subscriber, (ring / 8 / record_len(N)).clamp(1, 256))
    }
}

impl<const N: usize> Reader<N> for Polls {
    #[inline(always)]
    fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
        let Self(subscriber, most) = self;
        match subscriber.poll(*most, |record| whole(record.payload(), &mut each)) {
            Ok(count) => count,
            Err(error) => fail(&error.to_string()),
        }
    }
}

/// Takes record by record.
pub(crate) struct Nexts(pub(super) Subscriber);

impl<const N: usize> Reader<N> for Nexts {
    #[inline(always)]
    fn read(&mut self, each: impl FnMut(&[u8; N])) -> usize {
        match self.0.try_next() {
            Ok(None) => 0,
            Ok(Some(record)) => {
                whole(record.payload(), each);
                1
            }
            Err(error) => fail(&error.to_string()),
        }
    }
}

/// Takes record by record, waiting as the bus does.
pub(crate) struct Waits(pub(super) Subscriber, pub(super) WaitStrategy);

impl<const N: usize> Reader<N> for Waits {
    #[inline(always)]
    fn read(&mut self, each: impl FnMut(&[u8; N])) -> usize {
        match self.0.next(self.1) {
            Ok(record) => {
                whole(record.payload(), each);
                1
            }
            Err(error) => fail(&error.to_string()),
        }
    }
}

/// Any number of publishers.
pub(crate) struct Shared<M>(PhantomData<M>);

impl<M: Mode<N, W: Send, R: Send>, const N: usize> Contender<N> for Shared<M> {
    type W = M::W;
    type R = M::R;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        let (publishers, subscribers) = shared(ring, writers, readers);
        ends_of::<M, _, N>(publishers, subscribers, ring)
    }
}

/// One declared publisher.
pub(crate) struct Alone<M>(PhantomData<M>);

impl<M: Mode<N, Single, W: Send, R: Send>, const N: usize> Contender<N> for Alone<M> {
    type W = M::W;
    type R = M::R;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, usize::MAX));
        let (publishers, subscribers) = single(ring, readers);
        ends_of::<M, _, N>(publishers, subscribers, ring)
    }
}

fn ends_of<M: Mode<N, K>, K: PublisherKind, const N: usize>(
    publishers: Vec<Publisher<K>>,
    subscribers: Vec<Subscriber>,
    ring: usize,
) -> (Vec<M::W>, Vec<M::R>) {
    let reader = |subscriber| M::reader(subscriber, ring);
    (
        publishers.into_iter().map(M::writer).collect(),
        subscribers.into_iter().map(reader).collect(),
    )
}
