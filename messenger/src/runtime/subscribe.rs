//! Reading a table's messages from outside of it.

use core::fmt;
use core::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
/// ```no_run
/// # fn read<A: messenger::App, Quote>(app: &messenger::Running<A>) -> Result<(), Box<dyn std::error::Error>>
/// # where for<'a> Quote: messenger::message::Receive<'a> {
/// use std::time::Duration;
///
/// let mut quotes = app.subscribe::<(Quote,)>()?;
/// while let Some(received) = quotes.next_timeout(Duration::from_secs(1))? {
///     if let Some(quote) = received.get::<Quote>() {
///         let quote = quote?;
///         // ..
///     }
/// }
/// # Ok(()) }
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
    /// next call goes on behind those that this one has passed.
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
                return Ok(Some(Received {
                    position,
                    tag,
                    payload: self.payload.as_slice(),
                    set: PhantomData,
                }));
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
        let Some(received) = self.next()? else {
            return Ok(None);
        };
        M::receive(received.payload)
            .map(Some)
            .map_err(SubscribeError::Undecodable)
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
    /// Something wrote over the bus's memory.
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
