//! A subscriber as a stream of copies.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;

use super::{OwnedRecord, ReadError, Subscriber};

/// The records of a subscriber, copied, as a [`Stream`] for any async runtime. Never ends by
/// itself.
#[derive(Debug)]
pub struct RecordStream {
    subscriber: Subscriber,
}

impl RecordStream {
    pub(super) fn new(subscriber: Subscriber) -> Self {
        Self { subscriber }
    }

    /// The subscriber again.
    #[must_use]
    pub fn into_inner(self) -> Subscriber {
        self.subscriber
    }
}

impl Stream for RecordStream {
    type Item = Result<OwnedRecord, ReadError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.get_mut().subscriber.poll_next(task) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(record)) => Poll::Ready(Some(Ok(record.to_owned()))),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}
