//! Publishing from outside of the table.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::batch::send_run;
use super::control::Control;
use super::handler::{Handler, SentBy};
use crate::bus::{Claim, ClaimError, CommitError, Publisher, Tag, WaitStrategy};
#[cfg(feature = "zero_copy")]
use crate::message::zero_copy::{self, Tailed, ZeroCopyMessage};
use crate::message::{EncodeError, ExtendedMessage, Message};
use crate::words::in_words;

/// Publishes as `S`, a source outside of the table's workers, until the run is stopped, or all its workers have ended; on a bus that processes share, where
/// others may run workers, until the run is stopped.
///
#[cfg_attr(feature = "bincode", doc = "```")]
#[cfg_attr(not(feature = "bincode"), doc = "```text")]
/// # use messenger::bus::{Bus, BusConfig};
/// # use messenger::{Handle, Handler, HandlerError, Message, Outbox, Result, messenger};
/// # #[derive(Message, serde::Serialize, serde::Deserialize)]
/// # #[message(id = 1, codec = bincode)]
/// # struct Sale { cents: u64 }
/// # #[derive(Handler)]
/// # #[handler(id = 1, sends(Sale))]
/// # struct Main;
/// # #[derive(Handler)]
/// # #[handler(id = 2)]
/// # struct Book { most: u64 }
/// # impl Handle<Sale> for Book {
/// #     fn handle(&mut self, sale: &Sale, _: &mut Outbox<'_, Self>) -> Result {
/// #         match sale.cents > self.most {
/// #             true => Err(HandlerError::new("too much")),
/// #             false => Ok(()),
/// #         }
/// #     }
/// # }
/// # messenger! {
/// #     Till(most: u64);
/// #     outside: [ Main ]
/// #     Office:
/// #         handlers: [ book: Book = Book { most: *most } ]
/// #         routes: [ Main, Sale: [book] ]
/// # }
/// # // A runtime that never sleeps.
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     use std::task::{Context, Poll, Waker};
/// #     let (mut future, mut task) = (std::pin::pin!(future), Context::from_waker(Waker::noop()));
/// #     loop {
/// #         if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
/// #             return output;
/// #         }
/// #     }
/// # }
/// # let till = Till::builder(Bus::new(BusConfig::bytes(1 << 16))?, 10_000).run()?;
/// use messenger::{PublishAllError, PublishError};
/// use std::time::Duration;
///
/// let mut sales = till.publisher::<Main>()?;
/// sales.send(&Sale { cents: 450 })?;
/// // While the ring is full it waits, but not longer than this.
/// sales.send_timeout(&Sale { cents: 320 }, Duration::from_secs(1))?;
///
/// // A task awaits the room.
/// # block_on(async {
/// sales.send_async(&Sale { cents: 150 }).await?;
/// # Ok::<(), PublishError>(())
/// # })?;
/// // Several by one claim.
/// let day = [Sale { cents: 100 }, Sale { cents: 200 }, Sale { cents: 300 }];
/// sales.send_all(&day)?;
///
/// assert_eq!(till.stop()?.messages(), 6);
/// let late = sales.send(&Sale { cents: 1 });
/// assert!(matches!(late, Err(PublishError::Stopped)));
/// let late = sales.send_all(&day);
/// assert!(matches!(late, Err(PublishAllError { sent: 0, error: PublishError::Stopped, .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SourcePublisher<S> {
    publisher: Publisher,
    control: Arc<Control>,
    source: PhantomData<fn(&S)>,
}

/// How long a publisher waits for room.
#[derive(Clone, Copy)]
enum Wait {
    No,
    Until(Option<Instant>),
}

impl<S: Handler> SourcePublisher<S> {
    pub(crate) fn new(publisher: Publisher, control: Arc<Control>) -> Self {
        Self {
            publisher,
            control,
            source: PhantomData,
        }
    }

    /// How to wait for room when the bus is full; [`WaitStrategy::Block`] unless told.
    pub fn set_wait(&mut self, wait: WaitStrategy) {
        self.publisher.set_wait(wait);
    }

    /// Sends a message; waits for room if need be. Gives the record's position.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; never that the bus is full.
    pub fn send<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        message: &M,
    ) -> Result<u64, PublishError> {
        self.send_within(message, Wait::Until(None))
    }

    /// As [`send`](Self::send), for a task of any async runtime: it awaits the room, and no thread waits. (On a journal that syncs each record the task's
    /// thread waits for the disk all the same.) If what it gives is dropped before it is ready, nothing is sent.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; never that the bus is full.
    pub async fn send_async<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        message: &M,
    ) -> Result<u64, PublishError> {
        let Self {
            publisher, control, ..
        } = self;
        if is_over(control) {
            return Err(PublishError::Stopped);
        }
        let (tag, len) = (Tag::new(S::ID, M::ID), message.encoded_len()?);
        let claim = publisher.claim_async_until(tag, len, || is_over(control));
        let mut claim = claim.await.map_err(not_claimed)?;
        message.fill(&mut claim.writer())?;
        Ok(claim.commit()?)
    }

    /// Sends a message if there is room now. Gives the record's position.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; [`ClaimError::Full`] in it if there is no room.
    pub fn try_send<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        message: &M,
    ) -> Result<u64, PublishError> {
        self.send_within(message, Wait::No)
    }

    /// As [`send`](Self::send), for `timeout` at the most.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; [`ClaimError::Timeout`] in it if there was no room in time.
    pub fn send_timeout<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        message: &M,
        timeout: Duration,
    ) -> Result<u64, PublishError> {
        self.send_within(message, Wait::Until(Instant::now().checked_add(timeout)))
    }

    /// Sends these messages, as [`send`](Self::send) would one after the other, and costs less: where there is room for several of them, they share one
    /// claim, and on a journal that syncs each record one flush.
    ///
    /// # Errors
    ///
    /// [`PublishAllError`], with how many are sent: those before the one that can't be.
    pub fn send_all<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        messages: &[M],
    ) -> Result<(), PublishAllError> {
        self.send_all_within(messages, Wait::Until(None))
    }

    /// As [`send_all`](Self::send_all), as many as there is room for now.
    ///
    /// # Errors
    ///
    /// [`PublishAllError`]; [`ClaimError::Full`] in it if there is no more room.
    pub fn try_send_all<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        messages: &[M],
    ) -> Result<(), PublishAllError> {
        self.send_all_within(messages, Wait::No)
    }

    /// As [`send_all`](Self::send_all), for `timeout` at the most.
    ///
    /// # Errors
    ///
    /// [`PublishAllError`]; [`ClaimError::Timeout`] in it if there was not room for all of them in time.
    pub fn send_all_timeout<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        messages: &[M],
        timeout: Duration,
    ) -> Result<(), PublishAllError> {
        self.send_all_within(messages, Wait::Until(Instant::now().checked_add(timeout)))
    }

    /// Builds a zero-copy message in place, all its bytes zero at first; waits for room if need be. Gives the
    /// record's position.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; never that the bus is full.
    #[cfg(feature = "zero_copy")]
    pub fn build<M: SentBy<S> + ZeroCopyMessage>(
        &mut self,
        fill: impl FnOnce(&mut M),
    ) -> Result<u64, PublishError> {
        self.build_within(fill, Wait::Until(None))
    }

    /// As [`build`](Self::build), if there is room now; `fill` is called only then.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; [`ClaimError::Full`] in it if there is no room.
    #[cfg(feature = "zero_copy")]
    pub fn try_build<M: SentBy<S> + ZeroCopyMessage>(
        &mut self,
        fill: impl FnOnce(&mut M),
    ) -> Result<u64, PublishError> {
        self.build_within(fill, Wait::No)
    }

    /// As [`build`](Self::build), for `timeout` at the most; `fill` is called only if there is room in time.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; [`ClaimError::Timeout`] in it if there was no room in time.
    #[cfg(feature = "zero_copy")]
    pub fn build_timeout<M: SentBy<S> + ZeroCopyMessage>(
        &mut self,
        timeout: Duration,
        fill: impl FnOnce(&mut M),
    ) -> Result<u64, PublishError> {
        self.build_within(fill, Wait::Until(Instant::now().checked_add(timeout)))
    }

    /// Builds a zero-copy message with a tail of `len` items in place, all its bytes zero at first; waits for room if need be. Gives the
    /// record's position.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; never that the bus is full.
    #[cfg(feature = "zero_copy")]
    pub fn build_tailed<'m, M: Message + SentBy<S> + Tailed<'m>>(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut M::Head, &mut [M::Item]),
    ) -> Result<u64, PublishError> {
        self.build_tailed_within::<M>(len, fill, Wait::Until(None))
    }

    /// As [`build_tailed`](Self::build_tailed), if there is room now; `fill` is called only then.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; [`ClaimError::Full`] in it if there is no room.
    #[cfg(feature = "zero_copy")]
    pub fn try_build_tailed<'m, M: Message + SentBy<S> + Tailed<'m>>(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut M::Head, &mut [M::Item]),
    ) -> Result<u64, PublishError> {
        self.build_tailed_within::<M>(len, fill, Wait::No)
    }

    /// As [`build_tailed`](Self::build_tailed), for `timeout` at the most; `fill` is called only if there is room in time.
    ///
    /// # Errors
    ///
    /// [`PublishError`]; [`ClaimError::Timeout`] in it if there was no room in time.
    #[cfg(feature = "zero_copy")]
    pub fn build_tailed_timeout<'m, M: Message + SentBy<S> + Tailed<'m>>(
        &mut self,
        len: usize,
        timeout: Duration,
        fill: impl FnOnce(&mut M::Head, &mut [M::Item]),
    ) -> Result<u64, PublishError> {
        let deadline = Instant::now().checked_add(timeout);
        self.build_tailed_within::<M>(len, fill, Wait::Until(deadline))
    }

    #[cfg(feature = "zero_copy")]
    fn build_within<M: SentBy<S> + ZeroCopyMessage>(
        &mut self,
        fill: impl FnOnce(&mut M),
        wait: Wait,
    ) -> Result<u64, PublishError> {
        let mut claim = self.claim::<M>(size_of::<M>(), wait)?;
        fill(zero_copy::build(claim.zeroed())?);
        Ok(claim.commit()?)
    }

    #[cfg(feature = "zero_copy")]
    fn build_tailed_within<'m, M: Message + SentBy<S> + Tailed<'m>>(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut M::Head, &mut [M::Item]),
        wait: Wait,
    ) -> Result<u64, PublishError> {
        let mut claim = self.claim::<M>(zero_copy::tailed_len_of::<M>(len), wait)?;
        let (head, tail) = zero_copy::build_tailed::<M>(claim.zeroed())?;
        fill(head, tail);
        Ok(claim.commit()?)
    }

    fn send_within<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        message: &M,
        wait: Wait,
    ) -> Result<u64, PublishError> {
        let mut claim = self.claim::<M>(message.encoded_len()?, wait)?;
        message.fill(&mut claim.writer())?;
        Ok(claim.commit()?)
    }

    fn send_all_within<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        messages: &[M],
        wait: Wait,
    ) -> Result<(), PublishAllError> {
        let mut sent = 0;
        let result = self.count_sent(messages, wait, &mut sent);
        result.map_err(|error| PublishAllError { sent, error })
    }

    fn count_sent<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        messages: &[M],
        wait: Wait,
        sent: &mut usize,
    ) -> Result<(), PublishError> {
        while let left @ [_, ..] = &messages[*sent..] {
            if is_over(&self.control) {
                return Err(PublishError::Stopped);
            }
            let run = send_run(&mut self.publisher, S::ID, left, |_| *sent += 1);
            run.synced.map_err(CommitError::from)?;
            for message in &left[run.sent..run.len] {
                let one = self.send_within(message, wait);
                // One that is not synced is sent.
                let is_sent = matches!(one, Ok(_) | Err(PublishError::Commit(_)));
                *sent += usize::from(is_sent);
                one?;
            }
        }
        Ok(())
    }

    fn claim<M: Message + SentBy<S>>(
        &mut self,
        len: usize,
        wait: Wait,
    ) -> Result<Claim<'_>, PublishError> {
        let control = &self.control;
        if is_over(control) {
            return Err(PublishError::Stopped);
        }
        let is_over = || is_over(control);
        let tag = Tag::new(S::ID, M::ID);
        let claim = match wait {
            Wait::No => self.publisher.try_claim(tag, len),
            Wait::Until(deadline) => self.publisher.claim_until(tag, len, deadline, is_over),
        };
        claim.map_err(not_claimed)
    }
}

fn not_claimed(error: ClaimError) -> PublishError {
    match error {
        ClaimError::Interrupted => PublishError::Stopped,
        error => PublishError::Claim(error),
    }
}

/// Whether no handler of the run would get a message any more.
fn is_over(control: &Control) -> bool {
    control.is_stopping() || control.has_ended()
}

impl<S> fmt::Debug for SourcePublisher<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourcePublisher")
            .field("publisher", &self.publisher)
            .finish_non_exhaustive()
    }
}

/// A message was not published.
#[non_exhaustive]
pub enum PublishError {
    /// The run has been stopped, or all its workers have ended by themselves, on a bus that is not shared: no handler of it would get the message.
    Stopped,
    /// It does not encode, or to another length than announced.
    Encode(EncodeError),
    /// It is longer than a record may be, or there is no room. On a journal also what [`Publisher`] says of errors there: after
    /// [`ClaimError::NotSynced`] it *is* sent, and is not to be sent again.
    Claim(ClaimError),
    /// On a journal, [`CommitError::NotSynced`]: it *is* sent, and is not to be sent again.
    Commit(CommitError),
}

impl From<EncodeError> for PublishError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

impl From<CommitError> for PublishError {
    fn from(error: CommitError) -> Self {
        Self::Commit(error)
    }
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped => {
                f.write_str("the messenger has been stopped, or all its workers have ended: nobody would get the message")
            }
            Self::Encode(error) => error.fmt(f),
            Self::Claim(error) => error.fmt(f),
            Self::Commit(error) => error.fmt(f),
        }
    }
}

in_words!(PublishError);

impl std::error::Error for PublishError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Stopped => None,
            Self::Encode(error) => error.source(),
            Self::Claim(error) => error.source(),
            Self::Commit(error) => error.source(),
        }
    }
}

/// Not all of some messages were published.
#[non_exhaustive]
pub struct PublishAllError {
    /// How many were, the first ones. Which of them the error is about, and whether it was published, is for the error to say.
    pub sent: usize,
    /// Why no more were.
    pub error: PublishError,
}

impl fmt::Display for PublishAllError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, error } = self;
        write!(f, "after {sent} messages that were sent: {error}")
    }
}

in_words!(PublishAllError);

impl std::error::Error for PublishAllError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}
