//! The ways in which messenger's bus is written and read.

use messenger::bus::{Multi, Publisher, PublisherKind, Subscriber, WaitStrategy};

use super::bus::{Batched, Claims, Nexts, Polls, Waiting, Waits};
use crate::contender::{Reader, Writer};

/// How one writes, by which kind of publisher, and reads.
pub(crate) trait Mode<const N: usize, K: PublisherKind = Multi> {
    type W: Writer<N>;
    type R: Reader<N>;
    fn writer(publisher: Publisher<K>) -> Self::W;
    fn reader(subscriber: Subscriber, ring: usize) -> Self::R;
}

/// One claim per record; reads all that is there.
pub(crate) struct Singly;

impl<const N: usize, K: PublisherKind + Send> Mode<N, K> for Singly {
    type W = Claims<K>;
    type R = Polls;

    fn writer(publisher: Publisher<K>) -> Self::W {
        Claims(publisher)
    }

    fn reader(subscriber: Subscriber, ring: usize) -> Self::R {
        Polls::new::<N>(subscriber, ring)
    }
}

/// One claim for many records; reads all that is there.
pub(crate) struct Batches;

impl<const N: usize, K: PublisherKind + Send> Mode<N, K> for Batches {
    type W = Batched<K>;
    type R = Polls;

    fn writer(publisher: Publisher<K>) -> Self::W {
        Batched(publisher)
    }

    fn reader(subscriber: Subscriber, ring: usize) -> Self::R {
        Polls::new::<N>(subscriber, ring)
    }
}

/// One claim per record; reads record by record.
pub(crate) struct OneByOne;

impl<const N: usize, K: PublisherKind + Send> Mode<N, K> for OneByOne {
    type W = Claims<K>;
    type R = Nexts;

    fn writer(publisher: Publisher<K>) -> Self::W {
        Claims(publisher)
    }

    fn reader(subscriber: Subscriber, _: usize) -> Self::R {
        Nexts(subscriber)
    }
}

/// One claim per record; reads record by record; both wait as the bus does: by default, or asleep at once.
pub(crate) struct Blocking<const AT_ONCE: bool>;

impl<const AT_ONCE: bool> Blocking<AT_ONCE> {
    const WAIT: WaitStrategy = if AT_ONCE {
        WaitStrategy::BlockNow
    } else {
        WaitStrategy::Block
    };
}

impl<const N: usize, const AT_ONCE: bool> Mode<N> for Blocking<AT_ONCE> {
    type W = Waiting;
    type R = Waits;

    fn writer(mut publisher: Publisher) -> Self::W {
        publisher.set_wait(Self::WAIT);
        Waiting(publisher)
    }

    fn reader(subscriber: Subscriber, _: usize) -> Self::R {
        Waits(subscriber, Self::WAIT)
    }
}
