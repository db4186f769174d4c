//! A subscriber: reads every record in order and holds back who would overwrite them.

use core::fmt;
use core::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::layout::HEADER;
use super::members::Joined;
use super::record::Record;
use super::ring::Found;
use super::shared::Core;
use super::stream::RecordStream;
use super::wait::Event;
use super::{ReadError, Tag, WaitStrategy};

/// Where a reader begins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Start {
    /// At the oldest record that is retained.
    Oldest,
    /// With the first record claimed after the reader has joined.
    Newest,
}

/// Reads all committed records in order, in place. What it has yet to read is not overwritten:
/// a full bus makes its publishers wait for the slowest subscriber. Leaves when dropped.
pub struct Subscriber {
    core: Core,
    slot: usize,
    /// What is read next.
    position: u64,
    /// What the slot says: behind `position` while records are lent.
    stored: u64,
    /// Records before this one are stepped over.
    start: u64,
    enrolled: bool,
}

impl Subscriber {
    pub(super) fn new(core: Core, joined: Joined, start: Start) -> Self {
        Self {
            core,
            slot: joined.slot,
            position: joined.floor,
            stored: joined.floor,
            start: match start {
                Start::Oldest => joined.floor,
                Start::Newest => joined.tail,
            },
            enrolled: false,
        }
    }

    /// The position up to which this subscriber has read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The first position from which on it is given records.
    #[must_use]
    pub fn start(&self) -> u64 {
        self.start
    }

    /// The next record, if one is there. Its bytes are held until the next call.
    ///
    /// # Errors
    ///
    /// [`ReadError::Corrupt`] if something wrote over the bus's memory.
    #[inline]
    pub fn try_next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        self.store_position();
        let Some((position, tag, len)) = self.take()? else {
            // Nothing is lent, so nothing that was stepped over is held.
            self.store_position();
            return Ok(None);
        };
        Ok(Some(self.record(position, tag, len)))
    }

    /// The next record; waits for it if need be.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn next(&mut self, wait: WaitStrategy) -> Result<Record<'_>, ReadError> {
        loop {
            // Without a deadline it only returns when a record is there.
            if self.wait_until(wait, None, || false)?
                && let Some((position, tag, len)) = self.take()?
            {
                return Ok(self.record(position, tag, len));
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
        self.poll_while(max, |record| {
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
        mut each: impl FnMut(Record<'_>) -> bool,
    ) -> Result<usize, ReadError> {
        let batch = Batch(self);
        let mut count = 0;
        while count < max {
            let Some((position, tag, len)) = batch.0.take()? else {
                break;
            };
            count += 1;
            if !each(batch.0.record(position, tag, len)) {
                break;
            }
        }
        Ok(count)
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
        self.store_position();
        if wait == WaitStrategy::BlockNow {
            self.enrol();
        }
        // What the waiting needs of `self` is moved out, so that it can be lent to the closure.
        let core = self.core.clone();
        let enrolled = self.enrolled;
        let found = core.wait(
            Event::Data,
            wait,
            enrolled,
            deadline,
            &mut || match self.ready() {
                Ok(false) if stop() => Some(Ok(false)),
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
        self.store_position();
        if !self.ready()? {
            // If the kernel refuses, publishers do not fence for us: then look once more later.
            if !self.enrol() {
                task.waker().wake_by_ref();
                return Ok(Poll::Pending);
            }
            self.core.register(self.slot, task.waker());
            if !self.ready()? {
                return Ok(Poll::Pending);
            }
            self.core.deregister(self.slot);
        }
        match self.take()? {
            Some((position, tag, len)) => Ok(Poll::Ready(self.record(position, tag, len))),
            None => Ok(Poll::Pending),
        }
    }

    /// A stream of copies of the records.
    #[must_use]
    pub fn into_stream(self) -> RecordStream {
        RecordStream::new(self)
    }

    fn enrol(&mut self) -> bool {
        if !self.enrolled {
            self.enrolled = self.core.enrol();
        }
        self.enrolled
    }

    /// Lets go of what was lent before.
    #[inline]
    fn store_position(&mut self) {
        if self.stored != self.position {
            self.stored = self.position;
            self.core.advance(self.slot, self.position);
        }
    }

    /// Whether a record is there; steps over what is none.
    fn ready(&mut self) -> Result<bool, ReadError> {
        loop {
            match self.core.look(self.position)? {
                Found::Nothing => {
                    self.store_position();
                    return Ok(false);
                }
                Found::Record { next, .. } if self.position < self.start => self.position = next,
                Found::Record { .. } => return Ok(true),
                Found::Skip { next } => self.position = next,
            }
        }
    }

    /// Takes the next record: steps past it, but keeps it held.
    #[inline]
    fn take(&mut self) -> Result<Option<(u64, Tag, u32)>, ReadError> {
        loop {
            let position = self.position;
            match self.core.look(position)? {
                Found::Nothing => return Ok(None),
                Found::Record { tag, len, next } => {
                    self.position = next;
                    if position >= self.start {
                        return Ok(Some((position, tag, len)));
                    }
                }
                Found::Skip { next } => self.position = next,
            }
        }
    }

    /// A record just taken.
    #[inline]
    fn record(&self, position: u64, tag: Tag, len: u32) -> Record<'_> {
        let start = self.core.memory.byte(position + HEADER);
        Record {
            position,
            tag,
            // SAFETY: `look` found the record committed (edge 1: all its bytes were written
            // before) and inside the ring; the slot says a position at or before it, so nobody
            // overwrites it (edges 2 and 3) until `store_position`, which needs `&mut self`.
            payload: unsafe { core::slice::from_raw_parts(start.as_ptr(), len as usize) },
        }
    }
}

/// Stores the position at the end of a batch, also when a reader panics.
struct Batch<'a>(&'a mut Subscriber);

impl Drop for Batch<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.store_position();
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        self.core.deregister(self.slot);
        if self.enrolled {
            self.core.withdraw();
        }
        self.core.leave(self.slot);
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("position", &self.position)
            .field("start", &self.start)
            .finish()
    }
}
