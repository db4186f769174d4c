//! What a handler sends by.

use core::fmt;
use core::marker::PhantomData;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

use super::error::Result;
use super::failure::Call;
use super::handler::SentBy;
use super::link::Link;
use super::timers::Timer;
use crate::bus::SourceId;
use crate::message::ExtendedMessage;
#[cfg(feature = "zero_copy")]
use crate::message::{
    Message, ZeroCopyMessage,
    zero_copy::{self, Tailed},
};

/// A number that nobody foresees by chance.
pub(crate) fn random() -> u64 {
    // Each state has other keys, which come from the system's random numbers.
    RandomState::new().hash_one(0_u8)
}

/// Which handler of its worker somebody is, and as who it sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    pub(crate) index: u16,
    pub(crate) source: SourceId,
}

impl Seat {
    /// The seat of the worker's handler number `index`, which sends as `source`.
    #[must_use]
    pub(crate) const fn new(index: u16, source: SourceId) -> Self {
        Self { index, source }
    }
}

/// By which the handler `H` sends messages, sets timers and stops the messenger.
///
/// Sending waits for nobody's reading. When the ring is full, what is sent is kept in the worker's spill and goes out, in
/// order, as room appears; see [`WorkerOptions::spill`](super::WorkerOptions::spill). On a journal it waits for the next segment if
/// that is not ready yet, and, if each record is to be synced, for the disk.
pub struct Outbox<'a, H> {
    link: &'a mut Link,
    seat: Seat,
    handler: PhantomData<fn(&H)>,
}

impl<'a, H> Outbox<'a, H> {
    #[inline]
    pub(crate) fn new(link: &'a mut Link, seat: Seat) -> Self {
        Self {
            link,
            seat,
            handler: PhantomData,
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// A [`SendError`](super::SendError): the message does not encode, is longer than a record may be, or the ring
    /// and the worker's spill are both full; on a journal also: the disk is full, or fails.
    #[inline]
    pub fn send<M: SentBy<H> + ExtendedMessage>(&mut self, message: &M) -> Result {
        self.link.send(self.seat, message)
    }

    /// Sends these messages, as [`send`](Self::send) would one after the other, and costs less: where there is room for several of them, they share one
    /// claim, and on a journal that syncs each record one flush.
    ///
    /// ```
    /// # use messenger::bus::MessageId;
    /// # use messenger::message::{EncodeError, Serialized};
    /// # use messenger::{ExtendedMessage, Handler, Message, Outbox, Result};
    /// # struct Price(u8);
    /// # impl Message for Price {
    /// #     const ID: MessageId = MessageId::new(1);
    /// #     const NAME: &'static str = "Price";
    /// #     type Mode = Serialized;
    /// # }
    /// # impl ExtendedMessage for Price {
    /// #     fn encoded_len(&self) -> Result<usize, EncodeError> { Ok(1) }
    /// #     fn write(&self, to: &mut messenger::bus::PayloadWriter<'_>) -> Result<(), EncodeError> {
    /// #         Ok(to.put(&[self.0])?)
    /// #     }
    /// # }
    /// # #[derive(Handler)]
    /// # #[handler(id = 1, sends(Price), lifecycle)]
    /// # struct Feed;
    /// impl messenger::Lifecycle for Feed {
    ///     fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
    ///         out.send_all(&[Price(40), Price(41), Price(42)])
    ///     }
    /// }
    /// let mut feed = messenger::testing::Harness::new(Feed);
    /// feed.start()?;
    /// assert_eq!(feed.sent().len(), 3);
    /// # Ok::<(), messenger::HandlerError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send). Those before the one that can't be sent are sent, and those after it are not.
    pub fn send_all<M: SentBy<H> + ExtendedMessage>(&mut self, messages: &[M]) -> Result {
        self.link.send_all(self.seat, messages)
    }

    /// Builds a zero-copy message in place: `fill` gets it with all bytes zero.
    ///
    /// # Errors
    ///
    /// A [`SendError`](super::SendError): the message is longer than a record may be, or the ring and the worker's
    /// spill are both full; on a journal also: the disk is full, or fails.
    #[cfg(feature = "zero_copy")]
    #[inline]
    pub fn build<M: SentBy<H> + ZeroCopyMessage>(&mut self, fill: impl FnOnce(&mut M)) -> Result {
        self.link.build::<M>(self.seat, size_of::<M>(), |zeroed| {
            fill(zero_copy::build(zeroed)?);
            Ok(())
        })
    }

    /// Builds a zero-copy message with a tail of `len` items in place: `fill` gets its head and its tail with all bytes zero.
    ///
    /// ```
    /// # use messenger::{Handler, Message, Outbox, Result};
    /// #[derive(Message)]
    /// #[message(id = 1, codec = zero_copy)]
    /// struct Walk<'a> {
    ///     start: &'a u32,
    ///     steps: &'a [i16],
    /// }
    /// # #[derive(Handler)]
    /// # #[handler(id = 1, sends(Walk<'_>), lifecycle)]
    /// # struct Walker;
    ///
    /// impl messenger::Lifecycle for Walker {
    ///     fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
    ///         out.build_tailed::<Walk>(3, |start, steps| {
    ///             *start = 7;
    ///             steps[1] = -2;
    ///         })
    ///     }
    /// }
    /// let mut walker = messenger::testing::Harness::new(Walker);
    /// walker.start()?;
    /// let walk = walker.expect_sent::<Walk>()?;
    /// assert_eq!((*walk.start, walk.steps), (7, &[0, -2, 0][..]));
    /// # Ok::<(), messenger::HandlerError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build).
    #[cfg(feature = "zero_copy")]
    #[inline]
    pub fn build_tailed<'m, M: Message + SentBy<H> + Tailed<'m>>(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut M::Head, &mut [M::Item]),
    ) -> Result {
        let bytes = zero_copy::tailed_len_of::<M>(len);
        self.link.build::<M>(self.seat, bytes, |zeroed| {
            let (head, tail) = zero_copy::build_tailed::<M>(zeroed)?;
            fill(head, tail);
            Ok(())
        })
    }

    /// Asks for a call of [`on_timer`](super::Lifecycle::on_timer) when `after` has passed, also if the worker
    /// sleeps by then. It fires once; set it again for a period. On a journal that is noted down: while the journal has no room for the
    /// note, nor the worker's [spill](super::WorkerOptions::spill), timers wait.
    pub fn timer(&mut self, after: Duration) -> Timer {
        let outside = self.link.call == Some(Call::OnLoop);
        let told = self.link.told.as_ref();
        let now = told.map_or_else(Instant::now, |told| told.instant);
        let due = now.checked_add(after);
        self.link.timers.set(self.seat.index, due, outside)
    }

    /// Takes a timer back. `false`: it has fired.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        self.link.timers.cancel(self.seat.index, timer)
    }

    /// What time it is. On a journal the time is noted down, and a handler that is replayed or restored is told the
    /// same again; one that asks the system's clock is told another, and may do something else. If the journal has no room for the note, nor the
    /// worker's [spill](super::WorkerOptions::spill), the handler is told the time all the same, and what it is told when it is replayed may differ: that is a
    /// [`SendError`](super::SendError) for the worker's error policy, as if the handler had returned it.
    ///
    /// ```
    /// # use messenger::{Handler, Lifecycle, Outbox, Result};
    /// # #[derive(Handler)]
    /// # #[handler(id = 1, lifecycle)]
    /// # struct Guard { since: Option<std::time::SystemTime>, token: u64 }
    /// impl Lifecycle for Guard {
    ///     fn on_start(&mut self, out: &mut Outbox<'_, Self>) -> Result {
    ///         self.since = Some(out.now());
    ///         self.token = out.random();
    ///         Ok(())
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn now(&mut self) -> SystemTime {
        #[cfg(feature = "journal")]
        if self.link.kept.on {
            return self.link.kept_now(self.seat);
        }
        let told = self.link.told.as_ref();
        told.map_or_else(SystemTime::now, |told| told.time)
    }

    /// A random number, of all that 64 bits can say. On a journal it is noted down, as [`now`](Self::now) is. Not for keys or
    /// passwords: whoever reads the journal reads it.
    #[inline]
    pub fn random(&mut self) -> u64 {
        #[cfg(feature = "journal")]
        if self.link.kept.on {
            return self.link.kept_random(self.seat);
        }
        let told = self.link.told.as_mut();
        told.and_then(|told| told.random.pop_front())
            .unwrap_or_else(random)
    }

    /// Whether the handler does again what it has done before: the table is being restored or
    /// replayed. A handler with effects outside of the bus, on a file or a socket, leaves them out then.
    /// What it sends must not depend on this.
    ///
    /// It is so up to the last record that stood on the journal when the run began, so also for records which the process that
    /// died had no time to handle. Whether the outside has had their effects is for the outside to say.
    #[must_use]
    pub fn is_again(&self) -> bool {
        #[cfg(feature = "journal")]
        if self.link.kept.rehearsal.is_some() {
            return true;
        }
        self.link.told.as_ref().is_some_and(|told| told.again)
    }

    /// Stops the messenger in good order: what was committed before is still delivered.
    pub fn stop(&mut self) {
        #[cfg(feature = "journal")]
        if let Some(rehearsal) = &mut self.link.kept.rehearsal {
            rehearsal.stop_asked = true;
            return;
        }
        self.link.control.stop();
    }

    /// The position on the bus of the message that is being handled; outside of `handle`, of the last one.
    #[inline]
    #[must_use]
    pub fn position(&self) -> u64 {
        self.link.position
    }

    /// As who this handler sends.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.seat.source
    }

    /// The name of the worker.
    #[must_use]
    pub fn worker(&self) -> &'static str {
        self.link.info.name
    }

    /// The handler's name in the table.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.link.info.handlers[usize::from(self.seat.index)].name
    }
}

#[cfg(feature = "tokio")]
impl<H> Outbox<'_, H> {
    pub(crate) fn parts(&mut self) -> (Seat, &mut Link) {
        (self.seat, self.link)
    }
}

impl<H> fmt::Debug for Outbox<'_, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox")
            .field("worker", &self.worker())
            .field("handler", &self.name())
            .finish()
    }
}
