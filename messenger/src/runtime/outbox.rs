//! What a handler sends by.

use core::fmt;
use core::marker::PhantomData;
use std::time::Duration;

use super::error::Result;
use super::handler::{Handler, SentBy};
use super::link::Link;
use super::timers::Timer;
use crate::bus::SourceId;
use crate::message::ExtendedMessage;
#[cfg(feature = "zero_copy")]
use crate::message::ZeroCopyMessage;

/// Which handler of its worker somebody is, and as who it sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seat {
    pub(crate) index: u16,
    pub(crate) source: SourceId,
}

impl Seat {
    /// The seat of an `H`, the worker's handler number `index`.
    #[must_use]
    pub const fn of<H: Handler>(index: u16) -> Self {
        Self::with_id(index, H::ID)
    }

    /// The same for an instance with an id of its own.
    #[must_use]
    pub const fn with_id(index: u16, source: SourceId) -> Self {
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

    /// Builds a zero-copy message in place: `fill` gets it with all bytes zero.
    ///
    /// # Errors
    ///
    /// A [`SendError`](super::SendError): the message is longer than a record may be, or the ring and the worker's
    /// spill are both full; on a journal also: the disk is full, or fails.
    #[cfg(feature = "zero_copy")]
    #[inline]
    pub fn build<M: SentBy<H> + ZeroCopyMessage>(&mut self, fill: impl FnOnce(&mut M)) -> Result {
        self.link.build(self.seat, fill)
    }

    /// Asks for a call of [`on_timer`](super::Lifecycle::on_timer) when `after` has passed, also if the worker
    /// sleeps by then. It fires once; set it again for a period.
    pub fn timer(&mut self, after: Duration) -> Timer {
        self.link.timers.set(self.seat.index, after)
    }

    /// Takes a timer back. `false`: it has fired.
    pub fn cancel(&mut self, timer: Timer) -> bool {
        self.link.timers.cancel(self.seat.index, timer)
    }

    /// Stops the messenger in good order: what was committed before is still delivered.
    pub fn stop(&mut self) {
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
