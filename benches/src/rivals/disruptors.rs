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

/// One record at a time.
pub(crate) struct Singly<P>(P);

impl<const N: usize, P: Producer<Event<N>> + Send> Writer<N> for Singly<P> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        for seq in first..first + count {
            while self.0.try_publish(|event| fill(&mut event.0, seq)).is_err() {
                idle.wait();
            }
            idle.reset();
        }
    }
}

/// Several records at a time.
pub(crate) struct Batched<P>(P);

impl<const N: usize, P: Producer<Event<N>> + Send> Writer<N> for Batched<P> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        let mut seq = first;
        while seq < first + count {
            let burst = BURST.min(first + count - seq);
            while self
                .0
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

/// One producer, one poller; `W` is the way of writing.
pub(crate) struct DisruptorSingle<const BATCHED: bool>;

impl<const N: usize> Contender<N> for DisruptorSingle<false> {
    type W = Singly<SingleProducer<Event<N>, SingleConsumerBarrier>>;
    type R = EventPoller<Event<N>, SingleProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 1));
        let builder = build_single_producer(slots(ring, N), empty, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        (vec![Singly(builder.build())], vec![poller])
    }
}

impl<const N: usize> Contender<N> for DisruptorSingle<true> {
    type W = Batched<SingleProducer<Event<N>, SingleConsumerBarrier>>;
    type R = EventPoller<Event<N>, SingleProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        let (mut made, pollers) =
            <DisruptorSingle<false> as Contender<N>>::open(ring, writers, readers);
        (made.drain(..).map(|w| Batched(w.0)).collect(), pollers)
    }
}

/// One producer, two pollers which both get everything.
pub(crate) struct DisruptorSingleFan<const BATCHED: bool>;

impl<const N: usize> Contender<N> for DisruptorSingleFan<false> {
    type W = Singly<SingleProducer<Event<N>, MultiConsumerBarrier>>;
    type R = EventPoller<Event<N>, SingleProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 2));
        let builder = build_single_producer(slots(ring, N), empty, BusySpin);
        let (a, builder) = builder.new_event_poller();
        let (b, builder) = builder.new_event_poller();
        (vec![Singly(builder.build())], vec![a, b])
    }
}

/// Many producers, one poller.
pub(crate) struct DisruptorMulti<const BATCHED: bool>;

impl<const N: usize> Contender<N> for DisruptorMulti<false> {
    type W = Singly<MultiProducer<Event<N>, SingleConsumerBarrier>>;
    type R = EventPoller<Event<N>, MultiProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (usize::MAX, 1));
        let builder = build_multi_producer(slots(ring, N), empty, BusySpin);
        let (poller, builder) = builder.new_event_poller();
        let producer = builder.build();
        let made = (0..writers).map(|_| Singly(producer.clone())).collect();
        (made, vec![poller])
    }
}

impl<const N: usize> Contender<N> for DisruptorMulti<true> {
    type W = Batched<MultiProducer<Event<N>, SingleConsumerBarrier>>;
    type R = EventPoller<Event<N>, MultiProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        let (mut made, pollers) =
            <DisruptorMulti<false> as Contender<N>>::open(ring, writers, readers);
        (made.drain(..).map(|w| Batched(w.0)).collect(), pollers)
    }
}

/// Many producers, two pollers which both get everything.
pub(crate) struct DisruptorMultiFan<const BATCHED: bool>;

impl<const N: usize> Contender<N> for DisruptorMultiFan<false> {
    type W = Singly<MultiProducer<Event<N>, MultiConsumerBarrier>>;
    type R = EventPoller<Event<N>, MultiProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 2));
        let builder = build_multi_producer(slots(ring, N), empty, BusySpin);
        let (a, builder) = builder.new_event_poller();
        let (b, builder) = builder.new_event_poller();
        (vec![Singly(builder.build())], vec![a, b])
    }
}

impl<const N: usize> Contender<N> for DisruptorSingleFan<true> {
    type W = Batched<SingleProducer<Event<N>, MultiConsumerBarrier>>;
    type R = EventPoller<Event<N>, SingleProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        let (mut made, pollers) =
            <DisruptorSingleFan<false> as Contender<N>>::open(ring, writers, readers);
        (made.drain(..).map(|w| Batched(w.0)).collect(), pollers)
    }
}

impl<const N: usize> Contender<N> for DisruptorMultiFan<true> {
    type W = Batched<MultiProducer<Event<N>, MultiConsumerBarrier>>;
    type R = EventPoller<Event<N>, MultiProducerBarrier>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        let (mut made, pollers) =
            <DisruptorMultiFan<false> as Contender<N>>::open(ring, writers, readers);
        (made.drain(..).map(|w| Batched(w.0)).collect(), pollers)
    }
}
