//! Reading a table's messages from outside of it.

use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_core::Stream;

use super::aligned::AlignedBytes;
use super::control::Control;
use crate::bus::{
    MessageId, ObserveError, Observer, ReadError, SourceId, Subscriber, Tag, WaitStrategy,
};
use crate::message::{DecodeError, Message, Receive};
use crate::words::in_words;

/// Some types of messages: a tuple of up to eight.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no tuple of messages",
    label = "not a tuple of up to eight messages",
    note = "a single one stands in a tuple, too, with a comma: `({Self},)`"
)]
pub trait MessageSet {
    /// Their ids.
    const IDS: &'static [MessageId];
}

macro_rules! message_set {
    ($($message:ident)+) => {
        impl<$($message: Message),+> MessageSet for ($($message,)+) {
            const IDS: &'static [MessageId] = &[$($message::ID),+];
        }
    };
}

message_set!(A);
message_set!(A B);
message_set!(A B C);
message_set!(A B C D);
message_set!(A B C D E);
message_set!(A B C D E F);
message_set!(A B C D E F G);
message_set!(A B C D E F G H);

/// Whether `id` is one of `ids`.
const fn has(ids: &[MessageId], id: MessageId) -> bool {
    let mut i = 0;
    while i < ids.len() {
        if ids[i].get() == id.get() {
            return true;
        }
        i += 1;
    }
    false
}

/// Reads the messages of the types in `S`, whoever sends them.
///
/// It ends when all workers of the run have ended; on a bus that processes share, where others may run workers, not before the run is stopped.
///
/// ```no_run
/// # fn read<A: messenger::App, Quote>(app: &messenger::Running<A>) -> Result<(), Box<dyn std::error::Error>>
/// # where for<'a> Quote: messenger::message::Receive<'a> {
/// use std::time::Duration;
///
/// let mut quotes = app.subscribe::<(Quote,)>()?;
/// while !app.is_stopping() {
///     let Some(received) = quotes.next_timeout(Duration::from_secs(1))? else {
///         println!("a quiet second");
///         continue;
///     };
///     if let Some(quote) = received.get::<Quote>() {
///         let quote = quote?;
///         // ..
///     }
/// }
/// # Ok(()) }
/// ```
///
/// # Tasks
///
/// Tasks of any async runtime await messages, too, and need no thread for it: one by [`next_async`](Self::next_async) or
/// [`receive_async`](Self::receive_async), and all of one type by [`into_stream`](Self::into_stream).
///
#[cfg_attr(feature = "bincode", doc = "```")]
#[cfg_attr(not(feature = "bincode"), doc = "```text")]
/// # use futures_core::Stream;
/// # use messenger::bus::{Bus, BusConfig};
/// # use messenger::{Handler, Message, messenger};
/// # use serde::{Deserialize, Serialize};
/// # use std::future::{Future, poll_fn};
/// # use std::pin::{Pin, pin};
/// # use std::task::{Context, Poll, Waker};
/// # #[derive(Message, Serialize, Deserialize)]
/// # #[message(id = 1, codec = bincode)]
/// # struct Quote(u64);
/// # #[derive(Handler)]
/// # #[handler(id = 1, sends(Quote))]
/// # struct Main;
/// # #[derive(Handler)]
/// # #[handler(id = 2)]
/// # struct Idle;
/// # messenger! {
/// #     Market;
/// #     outside: [ Main ]
/// #     Floor:
/// #         handlers: [ idle: Idle = Idle ]
/// #         routes: []
/// #     drop: [ Main, Quote ]
/// # }
/// # // A runtime that never sleeps.
/// # fn block_on<F: Future>(future: F) -> F::Output {
/// #     let (mut future, mut task) = (pin!(future), Context::from_waker(Waker::noop()));
/// #     loop {
/// #         if let Poll::Ready(output) = future.as_mut().poll(&mut task) {
/// #             return output;
/// #         }
/// #     }
/// # }
/// # let market = Market::builder(Bus::new(BusConfig::bytes(4096))?).run()?;
/// # let mut main = market.publisher::<Main>()?;
/// # block_on(async {
/// let mut quotes = market.subscribe::<(Quote,)>()?;
/// for cents in [40, 41, 42, 43] {
///     main.send(&Quote(cents))?;
/// }
/// market.stopper().stop();
///
/// let received = quotes.next_async().await?.expect("four were sent");
/// assert_eq!(received.get::<Quote>().unwrap()?.0, 40);
///
/// let quote = quotes.receive_async().await?.expect("four were sent");
/// assert_eq!(quote.0, 41);
///
/// // The same as `quotes.next()` of the crate `futures`, or of `tokio-stream`.
/// let mut quotes = quotes.into_stream();
/// let mut next = async || poll_fn(|task| Pin::new(&mut quotes).poll_next(task)).await;
/// let mut sum = 0;
/// while let Some(quote) = next().await {
///     sum += quote?.0;
/// }
/// assert_eq!(sum, 42 + 43);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Subscription<S> {
    reader: Reader,
    control: Arc<Control>,
    wait: WaitStrategy,
    /// What an observer copies into, and where its bytes are aligned as in the ring.
    copied: Vec<u8>,
    payload: AlignedBytes,
    set: PhantomData<fn(&S)>,
}

/// How many messages of other types are passed over before the clock is looked at.
const PASSED_PER_CLOCK: u32 = 16;

/// How many messages of other types are passed over before other tasks get their turn.
const PASSED_PER_POLL: u32 = 256;

/// How a subscription reads.
pub(crate) enum Reader {
    Observer(Observer),
    Subscriber(Subscriber),
}

impl<S: MessageSet> Subscription<S> {
    pub(crate) fn new(reader: Reader, control: Arc<Control>) -> Self {
        Self {
            reader,
            control,
            wait: WaitStrategy::Block,
            copied: Vec::new(),
            payload: AlignedBytes::default(),
            set: PhantomData,
        }
    }

    /// How to wait for records; [`WaitStrategy::Block`] unless told.
    pub fn set_wait(&mut self, wait: WaitStrategy) {
        self.wait = wait;
    }

    /// The next message of these types, if one is there at the call.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Lagged`] if it was too slow; the next call goes on behind the gap.
    pub fn try_next(&mut self) -> Result<Option<Received<'_, S>>, SubscribeError> {
        self.read(Some(None))
    }

    /// The next message of these types; waits for it. `None`: all workers have ended, and all is read.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Lagged`] if it was too slow; the next call goes on behind the gap.
    #[expect(
        clippy::should_implement_trait,
        reason = "what it gives borrows from it: an iterator cannot"
    )]
    pub fn next(&mut self) -> Result<Option<Received<'_, S>>, SubscribeError> {
        self.read(None)
    }

    /// The next message of these types; looks and waits for it, for `timeout` at the most: where many of other types stand before it, the
    /// next call goes on behind those that this one has passed. `None`: none came in time, or all workers have ended, and all is read.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Lagged`] if it was too slow; the next call goes on behind the gap.
    pub fn next_timeout(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Received<'_, S>>, SubscribeError> {
        self.read(Instant::now().checked_add(timeout).map(Some))
    }

    /// The next message of these types; awaits it. `None`: all workers have ended, and all is read.
    ///
    /// If what it gives is dropped before it is ready, no message is lost.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Lagged`] if it was too slow; the next call goes on behind the gap.
    pub async fn next_async(&mut self) -> Result<Option<Received<'_, S>>, SubscribeError> {
        let found = poll_fn(|task| match self.poll_read(task) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(found)) => Poll::Ready(Ok(found)),
            Err(error) => Poll::Ready(Err(error)),
        });
        Ok(found.await?.map(|found| self.received(found)))
    }

    /// For those who write futures of their own: the next message of these types, or [`Poll::Pending`] with the task woken when
    /// there may be one. `None`: all workers have ended, and all is read.
    ///
    /// # Errors
    ///
    /// [`SubscribeError::Lagged`] if it was too slow; the next call goes on behind the gap.
    pub fn poll_next(
        &mut self,
        task: &mut Context<'_>,
    ) -> Result<Poll<Option<Received<'_, S>>>, SubscribeError> {
        let found = self.poll_read(task)?;
        Ok(found.map(|found| found.map(|found| self.received(found))))
    }

    fn received(&self, (position, tag): (u64, Tag)) -> Received<'_, S> {
        Received {
            position,
            tag,
            payload: self.payload.as_slice(),
            set: PhantomData,
        }
    }

    /// Reads on to the next record of these types. `within`: `None` for ever, `Some(None)` not at all.
    fn read(
        &mut self,
        within: Option<Option<Instant>>,
    ) -> Result<Option<Received<'_, S>>, SubscribeError> {
        let (mut passed, mut end) = (0, None);
        loop {
            let Some((position, tag)) = self.read_any(within)? else {
                return Ok(None);
            };
            if has(S::IDS, tag.message) {
                return Ok(Some(self.received((position, tag))));
            }
            // Messages of other types may come for ever.
            let is_over = match within {
                None => false,
                Some(None) => position >= *end.get_or_insert_with(|| self.control.bus.tail()),
                Some(Some(deadline)) => {
                    passed = (passed + 1) % PASSED_PER_CLOCK;
                    passed == 0 && Instant::now() >= deadline
                }
            };
            if is_over {
                return Ok(None);
            }
        }
    }

    fn read_any(
        &mut self,
        within: Option<Option<Instant>>,
    ) -> Result<Option<(u64, Tag)>, SubscribeError> {
        let control = &self.control;
        match &mut self.reader {
            Reader::Observer(observer) => {
                let observed = match within {
                    Some(None) => observer.try_next(&mut self.copied),
                    _ => observer.next_until(&mut self.copied, self.wait, within.flatten(), || {
                        control.has_ended()
                    }),
                }?;
                let Some(observed) = observed else {
                    return Ok(None);
                };
                self.payload.copy_from(&self.copied);
                Ok(Some((observed.position, observed.tag)))
            }
            Reader::Subscriber(subscriber) => {
                if within != Some(None) {
                    subscriber.wait_until(self.wait, within.flatten(), || control.has_ended())?;
                }
                let Some(record) = subscriber.try_next()? else {
                    return Ok(None);
                };
                self.payload.copy_from(record.payload());
                Ok(Some((record.position(), record.tag())))
            }
        }
    }

    /// As `read`, for a task.
    fn poll_read(
        &mut self,
        task: &mut Context<'_>,
    ) -> Result<Poll<Option<(u64, Tag)>>, SubscribeError> {
        let (mut passed, mut ended) = (0, false);
        loop {
            match self.poll_any(task)? {
                Poll::Ready(found) if has(S::IDS, found.1.message) => {
                    return Ok(Poll::Ready(Some(found)));
                }
                Poll::Ready(_) => passed += 1,
                Poll::Pending if ended => return Ok(Poll::Ready(None)),
                // Asked once the waker is registered, or the end might pass unseen; and what was sent before it is still seen.
                Poll::Pending => {
                    ended = self.control.has_ended();
                    if !ended {
                        return Ok(Poll::Pending);
                    }
                }
            }
            // Messages of other types may come for ever.
            if passed == PASSED_PER_POLL {
                task.waker().wake_by_ref();
                return Ok(Poll::Pending);
            }
        }
    }

    fn poll_any(&mut self, task: &mut Context<'_>) -> Result<Poll<(u64, Tag)>, SubscribeError> {
        match &mut self.reader {
            Reader::Observer(observer) => {
                let observed = observer.poll_next(&mut self.copied, task)?;
                Ok(observed.map(|observed| {
                    self.payload.copy_from(&self.copied);
                    (observed.position, observed.tag)
                }))
            }
            Reader::Subscriber(subscriber) => {
                let found = subscriber.poll_next(task)?.map(|record| {
                    self.payload.copy_from(record.payload());
                    (record.position(), record.tag())
                });
                // Its task may send before it asks for the next one.
                subscriber.copied();
                Ok(found)
            }
        }
    }
}

impl<M: Message> Subscription<(M,)> {
    /// The next message of the only type that this subscription is for; waits for it. `None`: all workers have
    /// ended, and all is read.
    ///
    /// # Errors
    ///
    /// As for [`next`](Self::next), and [`SubscribeError::Undecodable`]; the next call goes on behind that record.
    pub fn receive<'a>(&'a mut self) -> Result<Option<M::Held>, SubscribeError>
    where
        M: Receive<'a>,
    {
        self.next()?.map(decoded).transpose()
    }

    /// As [`receive`](Self::receive), if one is there at the call.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub fn try_receive<'a>(&'a mut self) -> Result<Option<M::Held>, SubscribeError>
    where
        M: Receive<'a>,
    {
        self.try_next()?.map(decoded).transpose()
    }

    /// As [`receive`](Self::receive), for `timeout` at the most; see [`next_timeout`](Self::next_timeout).
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub fn receive_timeout<'a>(
        &'a mut self,
        timeout: Duration,
    ) -> Result<Option<M::Held>, SubscribeError>
    where
        M: Receive<'a>,
    {
        self.next_timeout(timeout)?.map(decoded).transpose()
    }

    /// As [`receive`](Self::receive), for a task; see [`next_async`](Self::next_async).
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub async fn receive_async<'a>(&'a mut self) -> Result<Option<M::Held>, SubscribeError>
    where
        M: Receive<'a>,
    {
        self.next_async().await?.map(decoded).transpose()
    }

    /// The messages as a stream, which ends when all workers have ended, and all is read. What is read in place has no such stream:
    /// there is [`next_async`](Self::next_async).
    #[must_use]
    pub fn into_stream(self) -> MessageStream<M>
    where
        M: for<'a> Receive<'a, Held = M>,
    {
        MessageStream { subscription: self }
    }
}

/// The message, of the only type that it can be.
fn decoded<'a, M: Receive<'a>>(received: Received<'a, (M,)>) -> Result<M::Held, SubscribeError> {
    M::receive(received.payload).map_err(SubscribeError::Undecodable)
}

/// The messages of one type, as a [`Stream`] for any async runtime: of [`Subscription::into_stream`]. After an error it goes on
/// where the next call of [`next_async`](Subscription::next_async) would.
#[derive(Debug)]
pub struct MessageStream<M> {
    subscription: Subscription<(M,)>,
}

impl<M> MessageStream<M> {
    /// The subscription again.
    #[must_use]
    pub fn into_inner(self) -> Subscription<(M,)> {
        self.subscription
    }
}

impl<M: Message + for<'a> Receive<'a, Held = M>> Stream for MessageStream<M> {
    type Item = Result<M, SubscribeError>;

    fn poll_next(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match self.get_mut().subscription.poll_next(task) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(received)) => Poll::Ready(received.map(decoded)),
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}

impl<S> fmt::Debug for Subscription<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}

/// A message that came, not decoded yet.
pub struct Received<'a, S> {
    position: u64,
    tag: Tag,
    payload: &'a [u8],
    set: PhantomData<fn(&S)>,
}

impl<'a, S: MessageSet> Received<'a, S> {
    /// Where it stands on the bus.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Who sent it.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.tag.source
    }

    /// What it is.
    #[must_use]
    pub fn message(&self) -> MessageId {
        self.tag.message
    }

    /// Its bytes.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// The message, if it is an `M`. It does not compile with an `M` that is not in `S`.
    #[must_use]
    pub fn get<M: Receive<'a>>(&self) -> Option<Result<M::Held, DecodeError>> {
        const {
            assert!(
                has(S::IDS, M::ID),
                "this message is not among those that the subscription was made for"
            );
        }
        (self.tag.message == M::ID).then(|| M::receive(self.payload))
    }
}

impl<S> fmt::Debug for Received<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received")
            .field("position", &self.position)
            .field("tag", &self.tag)
            .finish_non_exhaustive()
    }
}

/// A subscription could not be read.
#[non_exhaustive]
pub enum SubscribeError {
    /// It was lapped: so many bytes of records were overwritten before it read them.
    Lagged {
        /// The bytes missed.
        skipped: u64,
    },
    /// The record could not be read: something wrote over the bus's memory, or the journal has lost it.
    Read(ReadError),
    /// The record's bytes are not a message of its type.
    Undecodable(DecodeError),
}

impl From<ReadError> for SubscribeError {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<ObserveError> for SubscribeError {
    fn from(error: ObserveError) -> Self {
        match error {
            ObserveError::Lagged { skipped } => Self::Lagged { skipped },
            ObserveError::Read(error) => Self::Read(error),
        }
    }
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged { skipped } => write!(
                f,
                "{skipped} bytes of records were overwritten before they were read: read faster, make the ring \
                 larger, or use `subscribe_gating`"
            ),
            Self::Read(error) => error.fmt(f),
            Self::Undecodable(error) => error.fmt(f),
        }
    }
}

in_words!(SubscribeError);

impl std::error::Error for SubscribeError {}
