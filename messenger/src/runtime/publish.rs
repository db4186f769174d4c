//! Publishing from outside of the table.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::Control;
use super::handler::{Handler, SentBy};
use crate::bus::{Claim, ClaimError, CommitError, Publisher, Tag, WaitStrategy};
use crate::message::{EncodeError, ExtendedMessage, Message};
#[cfg(feature = "zero_copy")]
use crate::message::{ZeroCopyMessage, zero_copy};
use crate::words::in_words;

/// Publishes as `S`, a source outside of the table's workers, until the run is stopped, or all its workers have ended.
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
/// # let till = Till::builder(Bus::new(BusConfig::bytes(1 << 16))?, 10_000).run()?;
/// use messenger::PublishError;
/// use std::time::Duration;
///
/// let mut sales = till.publisher::<Main>()?;
/// sales.send(&Sale { cents: 450 })?;
/// // While the ring is full it waits, but not longer than this.
/// sales.send_timeout(&Sale { cents: 320 }, Duration::from_secs(1))?;
///
/// assert_eq!(till.stop()?.messages(), 2);
/// let late = sales.send(&Sale { cents: 1 });
/// assert!(matches!(late, Err(PublishError::Stopped)));
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

    fn send_within<M: SentBy<S> + ExtendedMessage>(
        &mut self,
        message: &M,
        wait: Wait,
    ) -> Result<u64, PublishError> {
        let mut claim = self.claim::<M>(message.encoded_len()?, wait)?;
        message.fill(&mut claim.writer())?;
        Ok(claim.commit()?)
    }

    fn claim<M: Message + SentBy<S>>(
        &mut self,
        len: usize,
        wait: Wait,
    ) -> Result<Claim<'_>, PublishError> {
        let control = &self.control;
        let is_over = || control.is_stopping() || control.has_ended();
        if is_over() {
            return Err(PublishError::Stopped);
        }
        let tag = Tag::new(S::ID, M::ID);
        let claim = match wait {
            Wait::No => self.publisher.try_claim(tag, len),
            Wait::Until(deadline) => self.publisher.claim_until(tag, len, deadline, is_over),
        };
        claim.map_err(|error| match error {
            ClaimError::Interrupted => PublishError::Stopped,
            error => PublishError::Claim(error),
        })
    }
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
    /// The run has been stopped, or all its workers have ended by themselves: no handler of it would get the message.
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
