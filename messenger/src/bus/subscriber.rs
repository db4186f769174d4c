//! A subscriber: reads every record in order and holds back who would overwrite them.

use core::fmt;
use core::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::layout::HEADER;
use super::members::Joined;
use super::prefetch::Ahead;
use super::record::Record;
use super::ring::{Found, Memory};
use super::shared::Core;
use super::stream::RecordStream;
use super::wait::Event;
use super::window::Window;
use super::{ReadError, Tag, WaitStrategy};

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
pub struct Subscriber {
    core: Core,
    cursor: Cursor,
    enrolled: bool,
}

/// How far a subscriber has read.
struct Cursor {
    slot: usize,
    /// What is read next.
    position: u64,
    /// What the slot says: behind `position` while records are lent.
    stored: u64,
    /// Records before this one are stepped over.
    start: u64,
    /// Records before this one are before the start, or were there before the bus was opened: then their checksums are
    /// looked at.
    plain: u64,
    window: Window,
    ahead: Ahead,
}

impl Subscriber {
    /// `start` is not before the floor that was found when joining, nor after the tail.
    pub(super) fn new(core: Core, joined: Joined, start: u64) -> Self {
        let position = core.memory.shortcut(joined.floor, start);
        let mut cursor = Cursor {
            slot: joined.slot,
            position,
            stored: joined.floor,
            start,
            plain: start.max(core.memory.opened_at()),
            window: core.memory.window(),
            ahead: Ahead::from(position),
        };
        // Lets go of what it does not want, also if it is never asked for a record. An error
        // comes again with the first read.
        let _ = cursor.ready(&core);
        Self {
            core,
            cursor,
            enrolled: false,
        }
    }

    /// The position up to which this subscriber has read.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.cursor.position
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
    /// [`ReadError::Corrupt`] if something wrote over the bus's memory.
    #[inline]
    pub fn try_next(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        self.cursor.store(&self.core);
        match self.cursor.take(&self.core)? {
            Some(taken) => Ok(Some(record(&self.cursor.window, taken))),
            None => {
                // Nothing is lent, so nothing that was stepped over is held.
                self.cursor.store(&self.core);
                Ok(None)
            }
        }
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
                if let Some(taken) = self.cursor.take(&self.core)? {
                    return Ok(record(&self.cursor.window, taken));
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
        let Subscriber { core, cursor, .. } = &mut *batch.0;
        let mut count = 0;
        while count < max {
            let Some(taken) = cursor.take(core)? else {
                break;
            };
            count += 1;
            if !each(record(&cursor.window, taken)) {
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
        self.cursor.store(&self.core);
        if wait == WaitStrategy::BlockNow {
            self.enrol();
        }
        let Self { core, cursor, .. } = self;
        let found = core.wait(
            Event::Data,
            wait,
            self.enrolled,
            deadline,
            &mut || match cursor.ready(core) {
                // What was committed before `stop` turned is still seen.
                Ok(false) if stop() => Some(cursor.ready(core)),
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
        if !self.cursor.ready(&self.core)? {
            // If the kernel refuses, publishers do not fence for us: then look once more later.
            if !self.enrol() {
                task.waker().wake_by_ref();
                return Ok(Poll::Pending);
            }
            self.core.register(self.cursor.slot, task.waker());
            if !self.cursor.ready(&self.core)? {
                return Ok(Poll::Pending);
            }
            self.core.deregister(self.cursor.slot);
        }
        match self.cursor.take(&self.core)? {
            Some(taken) => Ok(Poll::Ready(record(&self.cursor.window, taken))),
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
}

/// A record that a cursor has stepped past and still holds: position, tag, payload length.
type Taken = (u64, Tag, u32);

impl Cursor {
    /// Lets go of what was lent before.
    #[inline]
    fn store(&mut self, core: &Core) {
        if self.stored != self.position {
            self.stored = self.position;
            core.advance(self.slot, self.position);
        }
    }

    /// Whether a record is there; steps over what is none, and lets go of it. Nothing is lent.
    fn ready(&mut self, core: &Core) -> Result<bool, ReadError> {
        let ready = loop {
            let found = core.look(&mut self.window, self.position)?;
            if self.position < self.plain {
                self.check(core, found)?;
            }
            match found {
                Found::Nothing => break false,
                Found::Record { next, .. } if self.position < self.start => self.position = next,
                Found::Record { .. } => break true,
                Found::Skip { next } => self.position = next,
            }
        };
        self.store(core);
        Ok(ready)
    }

    /// Takes the next record: steps past it, but keeps it held.
    #[inline]
    fn take(&mut self, core: &Core) -> Result<Option<Taken>, ReadError> {
        loop {
            let position = self.position;
            let found = core.look(&mut self.window, position)?;
            match found {
                Found::Nothing => {
                    if position < self.plain {
                        self.check(core, found)?;
                    }
                    return Ok(None);
                }
                Found::Record { tag, len, next } => {
                    if position < self.plain {
                        self.check(core, found)?;
                        if position < self.start {
                            self.position = next;
                            continue;
                        }
                    }
                    self.position = next;
                    self.ahead.before_reading(core, &self.window, next);
                    return Ok(Some((position, tag, len)));
                }
                Found::Skip { next } => {
                    if position < self.plain {
                        self.check(core, found)?;
                    }
                    self.position = next;
                }
            }
        }
    }

    /// Checks what a look has found, if it stood there when the bus was opened: also what is stepped over, which says where
    /// the next one stands, and also that it is there.
    #[cold]
    fn check(&self, core: &Core, found: Found) -> Result<(), ReadError> {
        core.check_old(&self.window, self.position, found)
    }
}

/// A record just taken. It must go before the cursor stores a position past it; so all who call
/// this borrow the subscriber for as long as the record lives.
#[inline]
fn record(window: &Window, (position, tag, len): Taken) -> Record<'_> {
    let start = window.byte(position + HEADER);
    Record {
        position,
        tag,
        // SAFETY: `look` found the record committed (edge 1: all its bytes were written before)
        // and inside the ring; the slot says a position at or before it, so nobody overwrites it
        // (edges 2 and 3) until the cursor is stored, which needs the subscriber mutably.
        payload: unsafe { core::slice::from_raw_parts(start.as_ptr(), len as usize) },
    }
}

/// Stores the position at the end of a batch, also when a reader panics.
struct Batch<'a>(&'a mut Subscriber);

impl Drop for Batch<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.cursor.store(&self.0.core);
    }
}

impl Drop for Subscriber {
    fn drop(&mut self) {
        // First of all, so that nobody waits for it if a waker panics in its drop.
        self.core.leave(self.cursor.slot);
        if self.enrolled {
            self.core.withdraw();
        }
        self.core.deregister(self.cursor.slot);
    }
}

impl fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscriber")
            .field("position", &self.cursor.position)
            .field("start", &self.cursor.start)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Bus, BusConfig, Corrupt, MessageId, SourceId};
    use super::*;

    const TAG: Tag = Tag::new(SourceId::new(1), MessageId::new(1));

    #[test]
    fn lengths_written_over_are_refused_not_trusted() {
        // Longer than any record; past the ring's end; past all arithmetic.
        for (position, len) in [(0, 65), (240, 16), (0, u32::MAX)] {
            let bus = Bus::new(BusConfig::bytes(256)).unwrap();
            let mut publisher = bus.publisher().unwrap();
            let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
            for _ in 0..=position / 16 {
                publisher.try_send(TAG, &[]).unwrap();
            }
            assert_eq!(
                subscriber.poll(position as usize / 16, |_| ()),
                Ok(position as usize / 16)
            );
            subscriber
                .core
                .write_meta(&subscriber.cursor.window, position, TAG, len);
            let error = ReadError::Corrupt(Corrupt { position, len });
            assert_eq!(subscriber.try_next().map(drop), Err(error));
            assert_eq!(
                subscriber.poll(9, |_| ()),
                Err(error),
                "it does not go away"
            );
            assert_eq!(subscriber.next(WaitStrategy::Block).map(drop), Err(error));
            assert_eq!(
                error.to_string(),
                format!(
                    "the record at position {position} says it has {len} bytes, which do not fit in the bus: \
                     something wrote over its memory"
                )
            );
            assert_eq!(subscriber.position(), position);
        }
    }

    #[test]
    fn a_stamp_written_over_is_no_record() {
        let bus = Bus::new(BusConfig::bytes(256)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut subscriber = bus.subscribe(Start::Oldest).unwrap();
        let position = publisher.send(TAG, b"gone").unwrap();
        let stamp = subscriber.cursor.window.word(position);
        let good = stamp.load(std::sync::atomic::Ordering::Relaxed);
        // Each state unsalted, zero, the next lap's, and one bit off.
        for bad in [
            0,
            1,
            2,
            3,
            4,
            u64::MAX,
            good ^ 256,
            good ^ 1 << 40,
            good ^ 8,
        ] {
            let stamp = subscriber.cursor.window.word(position);
            stamp.store(bad, std::sync::atomic::Ordering::Relaxed);
            assert!(subscriber.try_next().unwrap().is_none(), "{bad:x}");
        }
    }
}
