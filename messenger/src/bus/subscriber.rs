//! A subscriber: reads every record in order and holds back who would overwrite them.

use core::fmt;
use core::marker::PhantomData;
use core::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::members::Joined;
use super::record::Record;
use super::shared::Core;
use super::stream::RecordStream;
use super::wait::Event;
use super::{ReadError, WaitStrategy};
use batch::read_batch;
use cursor::{Cursor, record};
pub use kinds::{Evictable, Gating, SubscriberKind};

mod batch;
mod cursor;
#[cfg(feature = "journal")]
mod held;
mod kinds;
#[cfg(all(feature = "shared", target_os = "linux"))]
mod pooled;

/// Where a reader begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Start {
    /// At the oldest record that is retained.
    Oldest,
    /// With the first record claimed after the reader has joined.
    Newest,
    /// With the first record at or after this position.
    At(u64),
}

/// Reads all committed records in order, in place. What it has yet to read is not overwritten:
/// a full bus makes its publishers wait for the slowest subscriber. Leaves when dropped.
///
/// A `Subscriber<Evictable>`, from [`Bus::subscribe_evictable`](super::Bus::subscribe_evictable), makes them wait for so long
/// only.
pub struct Subscriber<K: SubscriberKind = Gating> {
    core: Core,
    cursor: Cursor,
    enrolled: bool,
    kind: PhantomData<K>,
    /// Its slot is given back by another, on a bus that processes share.
    stays: bool,
}

impl<K: SubscriberKind> Subscriber<K> {
    /// `start` is not before the floor that was found when joining, nor after the tail.
    pub(super) fn new(core: Core, joined: Joined, start: u64) -> Self {
        let mut new = Self::at_floor(core, joined, start);
        // Lets go of what it does not want, also if it is never asked for a record. An error
        // comes again with the first read.
        let _ = new.cursor.look::<K>(&new.core);
        new
    }

    /// One that has not looked at anything yet.
    fn at_floor(core: Core, joined: Joined, start: u64) -> Self {
        let cursor = Cursor::at_floor(&core, joined, start);
        Self {
            core,
            cursor,
            enrolled: false,
            kind: PhantomData,
            stays: false,
        }
    }

    /// The position up to which this subscriber has read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.cursor.at.position
    }

    /// Its slot on the bus.
    pub(crate) fn slot(&self) -> usize {
        self.cursor.slot
    }

    /// The first position from which on it is given records.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.cursor.start
    }

    /// The next record, if one is there. Its bytes are held until the next call.
    ///
    /// # Errors
    ///
    /// [`ReadError::Corrupt`] if something wrote over the bus's memory. Of a `Subscriber<Evictable>` also
    /// [`ReadError::Evicted`], once for each time that it was evicted.
    #[inline(always)]
    pub fn try_next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        let Self { core, cursor, .. } = self;
        cursor.store(core);
        Ok(cursor
            .lend::<K>(core)?
            .map(|taken| record(cursor.window.sight(), taken)))
    }

    /// The next record; waits for it if need be.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn next(&mut self, wait: WaitStrategy) -> Result<Record<'_>, ReadError> {
        loop {
            // Without a deadline it only returns when a record is there.
            if self.wait_until(wait, None, || false)? {
                if let Some(taken) = self.cursor.lend::<K>(&self.core)? {
                    return Ok(record(self.cursor.window.sight(), taken));
                }
            }
        }
    }

    /// The next record; waits for it, for `timeout` at the most.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn next_timeout(
        &mut self,
        wait: WaitStrategy,
        timeout: Duration,
    ) -> Result<Option<Record<'_>>, ReadError> {
        self.wait_until(wait, Instant::now().checked_add(timeout), || false)?;
        self.try_next()
    }

    /// Hands all records that are there to `each`, up to `max`; gives their number. Their bytes
    /// are held until the call ends, however it ends.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next); the records before were handed over.
    #[inline]
    pub fn poll(
        &mut self,
        max: usize,
        mut each: impl FnMut(Record<'_>),
    ) -> Result<usize, ReadError> {
        self.poll_while(max, move |record| {
            each(record);
            true
        })
    }

    /// As [`poll`](Self::poll), until `each` says `false`: what it was handed then is read too.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next); the records before were handed over.
    #[inline]
    pub fn poll_while(
        &mut self,
        max: usize,
        each: impl FnMut(Record<'_>) -> bool,
    ) -> Result<usize, ReadError> {
        let Self { core, cursor, .. } = self;
        cursor.enter::<K>(core)?;
        // A look in vain, of which there are many, wants little and is inlined.
        if cursor.sees_nothing(core) {
            cursor.done::<K>(core);
            return Ok(0);
        }
        read_batch::<K>(core, cursor, max, each)
    }

    /// Waits until a record is there (`true`), the deadline has passed, or `stop` says so: it is
    /// asked at each look, and once more after each [`Bus::wake_all`](super::Bus::wake_all).
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn wait_until(
        &mut self,
        wait: WaitStrategy,
        deadline: Option<Instant>,
        mut stop: impl FnMut() -> bool,
    ) -> Result<bool, ReadError> {
        self.cursor.done::<K>(&self.core);
        if wait == WaitStrategy::BlockNow {
            self.enrol();
        }
        let Self { core, cursor, .. } = self;
        let begun = cursor.at.position;
        let found = core.wait(
            Event::Data,
            wait,
            self.enrolled,
            deadline,
            &mut || match cursor.look::<K>(core) {
                // What was committed before `stop` turned is still seen.
                Ok(false) if stop() => Some(cursor.look::<K>(core)),
                // What was stepped over is held, and whoever has to let go of it shall not sleep.
                Ok(false) if cursor.holds && cursor.at.position != begun => Some(Ok(false)),
                Ok(false) => None,
                ready => Some(ready),
            },
        );
        found.unwrap_or(Ok(false))
    }

    /// For those who write futures of their own: the next record, or [`Poll::Pending`] with the
    /// task woken when there is one.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    /// use std::future::poll_fn;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut subscriber = bus.subscribe(Start::Oldest)?;
    /// let mut task = Context::from_waker(Waker::noop());
    /// assert!(subscriber.poll_next(&mut task)?.is_pending());
    /// bus.publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"hi")?;
    /// assert!(subscriber.poll_next(&mut task)?.is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn poll_next(&mut self, task: &mut Context<'_>) -> Result<Poll<Record<'_>>, ReadError> {
        self.cursor.store(&self.core);
        if !self.cursor.look::<K>(&self.core)? {
            // If the kernel refuses, publishers do not fence for us: then look once more later.
            if !self.enrol() {
                task.waker().wake_by_ref();
                return Ok(Poll::Pending);
            }
            self.core
                .register(Event::Data, self.cursor.slot, task.waker(), true);
            if !self.cursor.look::<K>(&self.core)? {
                return Ok(Poll::Pending);
            }
            drop(self.core.deregister(Event::Data, self.cursor.slot));
        }
        match self.cursor.lend::<K>(&self.core)? {
            Some(taken) => Ok(Poll::Ready(record(self.cursor.window.sight(), taken))),
            None => Ok(Poll::Pending),
        }
    }

    /// The record that was lent last has been copied.
    pub(crate) fn copied(&mut self) {
        self.cursor.done::<K>(&self.core);
    }

    /// A stream of copies of the records.
    ///
    /// ```
    /// use futures_core::Stream;
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut records = pin!(bus.subscribe(Start::Oldest)?.into_stream());
    /// bus.publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"hi")?;
    ///
    /// // A runtime does this: `records.next().await` of the crate `futures`, or of `tokio-stream`.
    /// let mut task = Context::from_waker(Waker::noop());
    /// let Poll::Ready(Some(record)) = records.as_mut().poll_next(&mut task) else {
    ///     panic!("it was committed");
    /// };
    /// assert_eq!(record?.payload, b"hi");
    /// assert!(records.as_mut().poll_next(&mut task).is_pending());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn into_stream(self) -> RecordStream<Self> {
        RecordStream::new(self)
    }

    fn enrol(&mut self) -> bool {
        if !self.enrolled {
            self.enrolled = self.core.enrol(self.cursor.slot);
        }
        self.enrolled
    }
}

impl<K: SubscriberKind> Drop for Subscriber<K> {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        // Taken while the slot is ours, or the next owner's might go instead; dropped last, so that nobody waits for it if
        // that panics.
        let _waker = self.core.deregister(Event::Data, self.cursor.slot);
        self.core.leave(self.cursor.slot);
    }
}

impl<K: SubscriberKind> fmt::Debug for Subscriber<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("position", &self.cursor.at.position)
            .field("start", &self.cursor.start)
            .finish()
    }
}

#[cfg(test)]
mod tests;
