//! A subscriber as a stream of copies.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;

use super::{Gating, OwnedRecord, ReadError, Subscriber, SubscriberKind};

/// The records of a subscriber, copied, as a [`Stream`] for any async runtime. Never ends by
/// itself.
#[derive(Debug)]
pub struct RecordStream<K: SubscriberKind = Gating> {
    subscriber: Subscriber<K>,
}

impl<K: SubscriberKind> RecordStream<K> {
    pub(super) fn new(subscriber: Subscriber<K>) -> Self {
        Self { subscriber }
    }

    /// The subscriber again.
    #[must_use]
    pub fn into_inner(self) -> Subscriber<K> {
        self.subscriber
    }
}

impl<K: SubscriberKind> Stream for RecordStream<K> {
    type Item = Result<OwnedRecord, ReadError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let subscriber = &mut self.get_mut().subscriber;
        let copied = match subscriber.poll_next(task) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(record)) => Ok(record.to_owned()),
            Err(error) => Err(error),
        };
        subscriber.copied();
        Poll::Ready(Some(copied))
    }
}
