//! `disruptor`, read through its event poller (all that is there at a time).

use disruptor::{
    BusySpin, EventPoller, MultiConsumerBarrier, MultiProducer, MultiProducerBarrier, Producer,
    SingleConsumerBarrier, SingleProducer, SingleProducerBarrier, build_multi_producer,
    build_single_producer,
};

use super::{BURST, slots};
use crate::contender::{Contender, Idle, Reader, Writer, ends};
use crate::payload::fill;

/// A slot of the ring, on lines of its own as the documentation of `disruptor` suggests.
pub(crate) struct Event<const N: usize>([u8; N]);

const fn empty<const N: usize>() -> Event<N> {
    Event([0; N])
}

/// A producer that publishes one record at a time, or several.
pub(crate) struct Publishes<P, const BATCHED: bool>(P);

impl<const N: usize, P: Producer<Event<N>> + Send, const BATCHED: bool> Writer<N>
    for Publishes<P, BATCHED>
{
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        if BATCHED {
            batched(&mut self.0, first, count, idle);
        } else {
            singly(&mut self.0, first, count, idle);
        }
    }
}

#[inline(always)]
fn singly<const N: usize>(
    to: &mut impl Producer<Event<N>>,
    first: u64,
    count: u64,
    idle: &mut Idle,
) {
    for seq in first..first + count {
        while to.try_publish(|event| fill(&mut event.0, seq)).is_err() {
            idle.wait();
        }
        idle.reset();
    }
}

#[inline(always)]
fn batched<const N: usize>(
    to: &mut impl Producer<Event<N>>,
    first: u64,
    count: u64,
    idle: &mut Idle,
) {
    let mut seq = first;
    while seq < first + count {
        let burst = BURST.min(first + count - seq);
        while to
            .try_batch_publish(burst as usize, |events| {
                for (i, event) in events.enumerate() {
                    fill(&mut event.0, seq + i as u64);
                }
            })
            .is_err()
        {
            idle.wait();
        }
        idle.reset();
        seq += burst;
    }
}

macro_rules! reader {
    ($barrier:ty) => {
        impl<const N: usize> Reader<N> for EventPoller<Event<N>, $barrier> {
            #[inline(always)]
            fn read(&mut self, mut each: impl FnMut(&[u8; N])) -> usize {
                let Ok(mut events) = self.poll() else {
                    return 0;
                };
                let mut count = 0;
                for event in &mut events {
                    each(&event.0);
                    count += 1;
                }
                count
            }
        }
    };
}
reader!(SingleProducerBarrier);
reader!(MultiProducerBarrier);

/// One producer, one poller.
pub(crate) struct DisruptorSingle<const BATCHED: bool>;

impl<const N: usize, const BATCHED: bool> Contender<N> for DisruptorSingle<BATCHED> {
    type W = Publishes<SingleProducer<Event<N>, SingleConsumerBarrier>, BATCHED>;
    type R = EventPoller<Event<N>, SingleProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 1));
        let builder = build_single_producer(slots(ring, N), empty, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        (vec![Publishes(builder.build())], vec![poller])
    }
}

/// One producer, two pollers which both get everything.
pub(crate) struct DisruptorSingleFan<const BATCHED: bool>;

impl<const N: usize, const BATCHED: bool> Contender<N> for DisruptorSingleFan<BATCHED> {
    type W = Publishes<SingleProducer<Event<N>, MultiConsumerBarrier>, BATCHED>;
    type R = EventPoller<Event<N>, SingleProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 2));
        let builder = build_single_producer(slots(ring, N), empty, BusySpin);
        let (a, builder) = builder.new_event_poller();
        let (b, builder) = builder.new_event_poller();
        (vec![Publishes(builder.build())], vec![a, b])
    }
}

/// Many producers, one poller.
pub(crate) struct DisruptorMulti<const BATCHED: bool>;

impl<const N: usize, const BATCHED: bool> Contender<N> for DisruptorMulti<BATCHED> {
    type W = Publishes<MultiProducer<Event<N>, SingleConsumerBarrier>, BATCHED>;
    type R = EventPoller<Event<N>, MultiProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (usize::MAX, 1));
        let builder = build_multi_producer(slots(ring, N), empty, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        let producer = builder.build();
        let made = (0..writers).map(|_| Publishes(producer.clone())).collect();
        (made, vec![poller])
    }
}

/// Many producers, two pollers which both get everything.
pub(crate) struct DisruptorMultiFan<const BATCHED: bool>;

impl<const N: usize, const BATCHED: bool> Contender<N> for DisruptorMultiFan<BATCHED> {
    type W = Publishes<MultiProducer<Event<N>, MultiConsumerBarrier>, BATCHED>;
    type R = EventPoller<Event<N>, MultiProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 2));
        let builder = build_multi_producer(slots(ring, N), empty, BusySpin);
        let (a, builder) = builder.new_event_poller();
        let (b, builder) = builder.new_event_poller();
        (vec![Publishes(builder.build())], vec![a, b])
    }
}
