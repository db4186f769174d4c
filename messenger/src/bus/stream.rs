//! A reader as a stream of copies.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;

use super::{ObserveError, Observed, Observer, OwnedRecord, ReadError, Subscriber, SubscriberKind};

/// The records of a [`Subscriber`] or an [`Observer`], copied, as a [`Stream`] for any async runtime. Never ends by
/// itself.
#[derive(Debug)]
pub struct RecordStream<R = Subscriber> {
    reader: R,
}

impl<R> RecordStream<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader }
    }

    /// The reader again.
    #[must_use]
    pub fn into_inner(self) -> R {
        self.reader
    }
}

impl<K: SubscriberKind> Stream for RecordStream<Subscriber<K>> {
    type Item = Result<OwnedRecord, ReadError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let subscriber = &mut self.get_mut().reader;
        let copied = match subscriber.poll_next(task) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(record)) => Ok(record.to_owned()),
            Err(error) => Err(error),
        };
        subscriber.copied();
        Poll::Ready(Some(copied))
    }
}

impl Stream for RecordStream<Observer> {
    type Item = Result<OwnedRecord, ObserveError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut payload = Vec::new();
        let copied = match self.get_mut().reader.poll_next(&mut payload, task) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Observed { position, tag })) => Ok(OwnedRecord {
                position,
                tag,
                payload,
            }),
            Err(error) => Err(error),
        };
        Poll::Ready(Some(copied))
    }
}
