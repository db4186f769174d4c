//! A subscriber: reads every record in order and holds back who would overwrite them.

use core::fmt;
use core::marker::PhantomData;
use core::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::layout::{HEADER, State, meta_len, meta_tag, record_len};
use super::members::Joined;
use super::prefetch::{Ahead, after_a_look_in_vain, opaque};
use super::record::Record;
use super::ring::{Found, Memory};
use super::shared::Core;
use super::stream::RecordStream;
use super::wait::Event;
use super::window::Window;
use super::{Corrupt, ReadError, Tag, WaitStrategy};
pub use kinds::{Evictable, Gating, SubscriberKind};

#[cfg(all(feature = "shared", target_os = "linux"))]
mod held;
mod kinds;

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
    /// Its slot is given back by another.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    stays: bool,
}

/// How far a subscriber has read.
struct Cursor {
    slot: usize,
    at: At,
    /// What the slot says: behind `at` while records are lent.
    stored: u64,
    /// Records before this one are stepped over.
    start: u64,
    /// Records before this one are before the start, or were there before the bus was opened: then their checksums are
    /// looked at.
    plain: u64,
    /// What is read stays held until it is let go of by name.
    holds: bool,
    /// The slot says that it rests, so it may be evicted; see `kinds.rs`.
    rests: bool,
    window: Window,
}

/// What changes with each record.
#[derive(Clone, Copy)]
struct At {
    /// What is read next. Only grows.
    position: u64,
    /// What stands from `position` on and before this one is in the cursor's window, and is handed out without a check of
    /// its checksum, or after one. Where `position` has come to it, [`Cursor::reach`] has to look.
    near: u64,
    stride: Stride,
    ahead: Ahead,
}

/// What the next record is taken to take. Where a record ends is learnt from its length, so the
/// processor would have to wait for that before it can look at the next one. While all are alike
/// it need not: it goes on from the stride, and the comparison, which it foresees, comes after.
#[derive(Clone, Copy)]
struct Stride {
    /// As much as the last records took; 0, which none takes, while lengths change: where they
    /// do so at random, the comparison would cost more than the wait.
    steady: u64,
    /// After so many records more, `steady` is tried again; not 0 while `steady` is.
    retry: u32,
    /// Where a record as long as the last one can begin, see [`Format::starts`](super::format::Format::starts).
    starts: u64,
}

/// For so many records after one that was not like those before, none is taken to be so.
const RETRY: u32 = 32;

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
        let position = core.memory.shortcut(joined.floor, start);
        let cursor = Cursor {
            slot: joined.slot,
            at: At {
                position,
                near: 0,
                stride: Stride {
                    steady: 0,
                    retry: 1,
                    starts: 0,
                },
                ahead: Ahead::from(position),
            },
            stored: joined.floor,
            start,
            plain: start.max(core.memory.opened_at()),
            holds: false,
            rests: false,
            window: core.memory.window(),
        };
        Self {
            core,
            cursor,
            enrolled: false,
            kind: PhantomData,
            #[cfg(all(feature = "shared", target_os = "linux"))]
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
            .map(|taken| record(&cursor.window, taken)))
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
            after_a_look_in_vain(&cursor.window, cursor.at.position);
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
            self.core.register(self.cursor.slot, task.waker());
            if !self.cursor.look::<K>(&self.core)? {
                return Ok(Poll::Pending);
            }
            drop(self.core.deregister(self.cursor.slot));
        }
        match self.cursor.lend::<K>(&self.core)? {
            Some(taken) => Ok(Poll::Ready(record(&self.cursor.window, taken))),
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

impl Stride {
    /// A record took `bytes`, and not `steady`.
    #[inline(always)]
    fn learn(&mut self, core: &Core, bytes: u64) {
        self.retry = if self.steady == 0 {
            self.retry - 1
        } else {
            RETRY
        };
        self.steady = if self.retry == 0 { bytes } else { 0 };
        self.starts = core.starts(bytes);
    }
}

impl At {
    /// Takes the record at this position, which is before `near`, if one is committed there, and steps past it. `Err` in
    /// `Ok`: what the stamp says instead.
    #[inline(always)]
    fn take(&mut self, core: &Core, window: &Window) -> Result<Result<Taken, u64>, Corrupt> {
        let position = self.position;
        let meta = match core.committed(window, position) {
            Ok(meta) => meta,
            Err(state) => return Ok(Err(state)),
        };
        let len = meta_len(meta);
        let bytes = record_len(len as usize) as u64;
        // The compiler must not find out that it is the same as `bytes`. It is, whatever the processor foresees: where
        // the comparison says otherwise, `bytes` is what is added. So `position` is always the end of the record before, no
        // look at any other is ever more than a guess of the processor's, whose values it drops, and each record
        // stands on its own stamp, loaded with Acquire at its own position, not on that of the one before.
        let mut stride = opaque(self.stride.steady);
        if bytes != self.stride.steady {
            self.stride.learn(core, bytes);
            stride = bytes;
        }
        // `starts` is that of `bytes`: both are learnt at once, and `bytes` is never 0.
        if core.offset(position) >= self.stride.starts {
            return Err(Corrupt { position, len });
        }
        self.ahead.before_reading(core, window, position);
        self.position = position + stride;
        Ok(Ok((position, meta_tag(meta), len)))
    }
}

impl Cursor {
    /// Lets go of what was lent before.
    #[inline]
    fn store(&mut self, core: &Core) {
        if self.stored != self.at.position {
            self.stored = self.at.position;
            core.advance(self.slot, self.at.position);
        }
    }

    /// Lets go of what was lent before, unless it is to stay held.
    #[inline]
    fn settle(&mut self, core: &Core) {
        if !self.holds {
            self.store(core);
        }
    }

    /// All before `position` has been read. (Small to call, so that where a reader panics, too, the call is inlined into the drop
    /// of a [`Batch`], which then needs no memory.)
    #[inline(never)]
    fn let_go<K: SubscriberKind>(&mut self, core: &Core, position: u64) {
        self.at.position = position;
        self.done::<K>(core);
    }

    /// Whether a record is there; steps over what is none, and lets go of it. Nothing is lent.
    fn ready(&mut self, core: &Core) -> Result<bool, ReadError> {
        let ready = self.reach(core)?;
        if self.at.position < self.plain {
            // Who takes it checks it again.
            self.at.near = 0;
        }
        self.settle(core);
        Ok(ready)
    }

    /// Whether a record is there; steps over what is none. Moves the window there, and `near` on: if a record is there, it is
    /// near, for the one who takes it at once.
    #[cold]
    #[inline(never)]
    fn reach(&mut self, core: &Core) -> Result<bool, ReadError> {
        let there = loop {
            let position = self.at.position;
            let found = core.look(&mut self.window, position)?;
            if position < self.plain {
                core.check_old(&self.window, position, found)?;
            }
            match found {
                Found::Nothing => break false,
                Found::Record { next, .. } if position < self.start => self.at.position = next,
                Found::Record { .. } => break true,
                Found::Skip { next } => self.at.position = next,
            }
        };
        let position = self.at.position;
        // The window is only moved on when `position` has come to its end, so what is near stays in it.
        self.at.near = if position < self.plain {
            position + u64::from(there)
        } else if self.window.covers(position) {
            after_a_look_in_vain(&self.window, position);
            self.window.end()
        } else {
            0
        };
        Ok(there)
    }

    /// Whether a first look, at what is near, finds nothing.
    #[inline(always)]
    fn sees_nothing(&self, core: &Core) -> bool {
        let At { position, near, .. } = self.at;
        position < near
            && core
                .committed(&self.window, position)
                .is_err_and(|state| !State::is_one(state))
    }

    /// Takes the next record: steps past it, but keeps it held. Nothing is lent.
    #[inline(always)]
    fn take(&mut self, core: &Core) -> Result<Option<Taken>, ReadError> {
        if self.at.position < self.at.near {
            match self.at.take(core, &self.window)? {
                Ok(taken) => return Ok(Some(taken)),
                Err(state) if !State::is_one(state) => {
                    after_a_look_in_vain(&self.window, self.at.position);
                    return Ok(None);
                }
                Err(_) => {}
            }
        }
        self.seek(core)
    }

    /// As [`take`](Self::take), past what is not wanted, and where nothing is near.
    #[cold]
    #[inline(never)]
    fn seek(&mut self, core: &Core) -> Result<Option<Taken>, ReadError> {
        let there = self.reach(core)?;
        // What was stepped over is not held.
        self.store(core);
        if !there {
            return Ok(None);
        }
        Ok(self.at.take(core, &self.window)?.ok())
    }
}

/// The loop over the records of a batch; it wants the registers for itself, so it is not inlined.
#[inline(never)]
fn read_batch<K: SubscriberKind>(
    core: &Core,
    cursor: &mut Cursor,
    max: usize,
    mut each: impl FnMut(Record<'_>) -> bool,
) -> Result<usize, ReadError> {
    let mut batch = Batch::<K> {
        core,
        at: cursor.at,
        cursor,
        kind: PhantomData,
    };
    let mut count = 0;
    while count < max {
        if batch.at.position < batch.at.near {
            if let Ok(taken) = batch.at.take(core, &batch.cursor.window)? {
                count += 1;
                if !each(record(&batch.cursor.window, taken)) {
                    break;
                }
                continue;
            }
        }
        if !batch.reach()? {
            break;
        }
    }
    batch.cursor.at = batch.at;
    Ok(count)
}

/// A cursor's `at` while a batch is read. Its position is put back and stored at the end of the batch, also when a reader
/// panics. The rest, if it is not put back, is what it was before: good guesses all the same, and `near`, which only
/// `reach` changes.
struct Batch<'a, K: SubscriberKind> {
    core: &'a Core,
    at: At,
    cursor: &'a mut Cursor,
    kind: PhantomData<K>,
}

impl<K: SubscriberKind> Batch<'_, K> {
    /// See [`Cursor::reach`].
    #[inline(always)]
    fn reach(&mut self) -> Result<bool, ReadError> {
        self.cursor.at = self.at;
        let there = self.cursor.reach(self.core);
        self.at = self.cursor.at;
        there
    }
}

impl<K: SubscriberKind> Drop for Batch<'_, K> {
    #[inline(always)]
    fn drop(&mut self) {
        self.cursor.let_go::<K>(self.core, self.at.position);
    }
}

/// A record that a cursor has stepped past and still holds: position, tag, payload length.
type Taken = (u64, Tag, u32);

/// A record just taken, in the window in which it was. It must go before the cursor stores a position past it; so all who call
/// this borrow the subscriber for as long as the record lives.
#[inline]
fn record(window: &Window, (position, tag, len): Taken) -> Record<'_> {
    let start = window.byte(position);
    Record {
        position,
        tag,
        // SAFETY: the record was found committed (edge 1: all its bytes were written before), at this position, and
        // inside the lap, which is the window or as long; the slot says subscriber at a position at or before it, so nobody
        // evicts it (rule 4) or overwrites it (edges 2 and 3) until the cursor is stored or rests, which needs the subscriber mutably. Its segment
        // stays mapped while the window, which it borrows, is there.
        payload: unsafe {
            core::slice::from_raw_parts(start.add(HEADER as usize).as_ptr(), len as usize)
        },
    }
}

impl<K: SubscriberKind> Drop for Subscriber<K> {
    fn drop(&mut self) {
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if self.stays {
            return;
        }
        // Taken while the slot is ours, or the next owner's might go instead; dropped last, so that nobody waits for it if
        // that panics.
        let _waker = self.core.deregister(self.cursor.slot);
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
