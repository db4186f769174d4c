//! A publisher: claims places in the order and sends records.

use core::fmt;
use core::future::poll_fn;
use core::marker::PhantomData;
use core::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::claim::{Claim, Open, Reservation};
use super::handle::{Multi, PublisherKind};
use super::layout::HEADER;
use super::ring::{Memory, NoRoom};
use super::shared::Core;
use super::wait::Event;
use super::{ClaimError, Tag, WaitStrategy, record_len};
use crate::sync::Ordering::Relaxed;

/// Sends records. Each thread that publishes has its own.
///
/// A publisher has one claim at a time: it borrows the publisher. A claim that was forgotten
/// (`mem::forget`) is aborted by the publisher's next claim, or by its drop.
///
/// # Errors on a journal
///
/// A bus in memory lacks room, or has it. On a journal all that claims and sends may also give [`ClaimError::StorageFull`], when the disk is
/// full, and [`ClaimError::Lost`], when a file can't be reached; then nothing was sent. What sends or commits may give `NotSynced`
/// ([`ClaimError::NotSynced`], [`CommitError::NotSynced`](super::CommitError::NotSynced)) where each record is to be synced: that record *is* sent,
/// and readers have it. Who sends it again sends it twice.
pub struct Publisher<K: PublisherKind = Multi> {
    open: Open,
    wait: WaitStrategy,
    enrolled: bool,
    kind: PhantomData<K>,
}

impl<K: PublisherKind> Publisher<K> {
    pub(super) fn new(core: Core, slot: usize) -> Self {
        Self {
            open: Open::new(core, slot),
            wait: WaitStrategy::default(),
            enrolled: false,
            kind: PhantomData,
        }
    }

    /// How to wait for room when the bus is full; [`WaitStrategy::Block`] unless told.
    pub fn set_wait(&mut self, wait: WaitStrategy) {
        self.wait = wait;
    }

    /// The longest payload in bytes.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.open.core.max_payload()
    }

    /// The ring's length in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        usize::try_from(self.open.core.capacity()).unwrap_or(usize::MAX)
    }

    /// Claims a place for a record with a payload of `len` bytes, if there is room now.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`] or [`ClaimError::TooLarge`].
    // Always: a claim that is returned through memory is read again before it is there, which takes as long as the rest.
    #[inline(always)]
    pub fn try_claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        let bytes = self.record(len)?;
        self.try_open(bytes)?;
        Ok(self.open.carve(tag, len))
    }

    /// Claims a place for a record with a payload of `len` bytes; waits for room if need be.
    ///
    /// Room comes when the slowest subscriber reads on: a thread that waits here and should
    /// itself read on waits for ever.
    ///
    /// # Errors
    ///
    /// [`ClaimError::TooLarge`].
    // As for `try_claim`.
    #[inline(always)]
    pub fn claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        let bytes = self.record(len)?;
        if self.try_open(bytes).is_err() {
            self.wait_open(bytes, None, || false)?;
        }
        Ok(self.open.carve(tag, len))
    }

    /// As [`claim`](Self::claim), for `timeout` at the most.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Timeout`] or [`ClaimError::TooLarge`].
    pub fn claim_timeout(
        &mut self,
        tag: Tag,
        len: usize,
        timeout: Duration,
    ) -> Result<Claim<'_>, ClaimError> {
        self.claim_until(tag, len, Instant::now().checked_add(timeout), || false)
    }

    /// As [`claim`](Self::claim), until `deadline`, or until `stop` says so: it is asked at each
    /// look, and once more after each [`Bus::wake_all`](super::Bus::wake_all).
    ///
    /// # Errors
    ///
    /// [`ClaimError::Timeout`], [`ClaimError::Interrupted`] or [`ClaimError::TooLarge`].
    pub fn claim_until(
        &mut self,
        tag: Tag,
        len: usize,
        deadline: Option<Instant>,
        stop: impl FnMut() -> bool,
    ) -> Result<Claim<'_>, ClaimError> {
        let bytes = self.record(len)?;
        if self.try_open(bytes).is_err() {
            self.wait_open(bytes, deadline, stop)?;
        }
        Ok(self.open.carve(tag, len))
    }

    /// As [`claim`](Self::claim), for a task of any async runtime: it awaits the room, and no thread waits. [`set_wait`](Self::set_wait) has no part in that.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
    /// use std::pin::pin;
    /// use std::task::{Context, Poll, Waker};
    ///
    /// let bus = Bus::new(BusConfig::bytes(256))?;
    /// let mut publisher = bus.publisher()?;
    /// let mut subscriber = bus.subscribe(Start::Oldest)?;
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    /// while publisher.try_send(tag, b"as many as there is room for").is_ok() {}
    ///
    /// // A runtime does this: `publisher.claim_async(tag, 8).await?`.
    /// let mut task = Context::from_waker(Waker::noop());
    /// let mut claim = pin!(publisher.claim_async(tag, 8));
    /// assert!(claim.as_mut().poll(&mut task).is_pending());
    /// subscriber.poll(100, |_| ())?;
    /// let Poll::Ready(claim) = claim.as_mut().poll(&mut task) else {
    ///     panic!("all has been read");
    /// };
    /// claim?.zeroed().copy_from_slice(b"the next");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClaimError::TooLarge`].
    pub async fn claim_async(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        self.claim_async_until(tag, len, || false).await
    }

    /// As [`claim_async`](Self::claim_async), until `stop` says so: it is asked as by [`claim_until`](Self::claim_until).
    pub(crate) async fn claim_async_until(
        &mut self,
        tag: Tag,
        len: usize,
        stop: impl Fn() -> bool,
    ) -> Result<Claim<'_>, ClaimError> {
        let bytes = self.record(len)?;
        poll_fn(|task| self.poll_open(bytes, task, &stop)).await?;
        Ok(self.open.carve(tag, len))
    }

    /// As [`try_claim`](Self::try_claim); but on a bus that grows it waits for the bus to grow, which no reader holds up.
    // Always: what a handler sends has a known length more often than not, and a claim that comes back through memory costs a fifth of a small message.
    #[inline(always)]
    pub(crate) fn try_claim_grown(
        &mut self,
        tag: Tag,
        len: usize,
    ) -> Result<Claim<'_>, ClaimError> {
        let bytes = self.record(len)?;
        if self.try_open(bytes).is_err() {
            self.open_grown(bytes)?;
        }
        Ok(self.open.carve(tag, len))
    }

    /// Sends `payload` if there is room now; gives the record's position.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`] or [`ClaimError::TooLarge`].
    #[inline]
    pub fn try_send(&mut self, tag: Tag, payload: &[u8]) -> Result<u64, ClaimError> {
        self.try_claim(tag, payload.len())?.fill(payload)
    }

    /// Sends `payload`; waits for room if need be. Gives the record's position.
    ///
    /// # Errors
    ///
    /// [`ClaimError::TooLarge`].
    #[inline]
    pub fn send(&mut self, tag: Tag, payload: &[u8]) -> Result<u64, ClaimError> {
        self.claim(tag, payload.len())?.fill(payload)
    }

    /// Writes a record of the bus's own, which readers step over, if there is room now. What it says is asked for when it has its place.
    #[cfg(feature = "journal")]
    pub(crate) fn try_note_of<const N: usize>(
        &mut self,
        tag: Tag,
        payload: impl FnOnce() -> [u8; N],
    ) -> Result<u64, ClaimError> {
        let claim = self.try_claim(tag, N)?;
        claim.fill_as(super::layout::State::Note, &payload())
    }

    /// Writes a record of the bus's own, which readers step over; waits for room if need be.
    #[cfg(feature = "journal")]
    pub(crate) fn note(&mut self, tag: Tag, payload: &[u8]) -> Result<u64, ClaimError> {
        let claim = self.claim(tag, payload.len())?;
        claim.fill_as(super::layout::State::Note, payload)
    }

    /// As [`note`](Self::note), if there is room now; but on a bus that grows it waits for the bus to grow.
    #[cfg(feature = "journal")]
    pub(crate) fn try_note_grown(&mut self, tag: Tag, payload: &[u8]) -> Result<u64, ClaimError> {
        let claim = self.try_claim_grown(tag, payload.len())?;
        claim.fill_as(super::layout::State::Note, payload)
    }

    /// As [`send`](Self::send), for `timeout` at the most.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Timeout`] or [`ClaimError::TooLarge`].
    pub fn send_timeout(
        &mut self,
        tag: Tag,
        payload: &[u8],
        timeout: Duration,
    ) -> Result<u64, ClaimError> {
        self.claim_timeout(tag, payload.len(), timeout)?
            .fill(payload)
    }

    /// Claims `bytes` of the ring at once for several records in a row, if there is room now.
    /// What each takes is [`record_len`] of its payload's length.
    ///
    /// # Errors
    ///
    /// [`ClaimError::Full`], or [`ClaimError::RunTooLarge`] if it is more than one record may take.
    #[inline]
    pub fn try_reserve(&mut self, bytes: usize) -> Result<Reservation<'_>, ClaimError> {
        let bytes = self.run(bytes)?;
        self.try_open(bytes)?;
        Ok(Reservation::new(&mut self.open))
    }

    /// As [`try_reserve`](Self::try_reserve); waits for room if need be.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag, record_len};
    ///
    /// let bus = Bus::new(BusConfig::bytes(4096))?;
    /// let mut publisher = bus.publisher()?;
    /// let mut subscriber = bus.subscribe(Start::Oldest)?;
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    ///
    /// let mut batch = publisher.reserve(2 * record_len(5))?;
    /// batch.send(tag, b"first")?;
    /// batch.send(tag, b"other")?;
    /// drop(batch);
    /// assert_eq!(subscriber.poll(10, |_| ())?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClaimError::RunTooLarge`] if it is more than one record may take.
    #[inline]
    pub fn reserve(&mut self, bytes: usize) -> Result<Reservation<'_>, ClaimError> {
        let bytes = self.run(bytes)?;
        if self.try_open(bytes).is_err() {
            self.wait_open(bytes, None, || false)?;
        }
        Ok(Reservation::new(&mut self.open))
    }

    /// As [`reserve`](Self::reserve), for `timeout` at the most.
    ///
    /// ```
    /// use messenger::bus::{Bus, BusConfig, ClaimError, MessageId, SourceId, Start, Tag, record_len};
    /// use std::time::Duration;
    ///
    /// let bus = Bus::new(BusConfig::bytes(256))?;
    /// let mut publisher = bus.publisher()?;
    /// let _reads_nothing = bus.subscribe(Start::Oldest)?;
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    ///
    /// let timeout = Duration::from_millis(1);
    /// for _ in 0..4 {
    ///     let mut batch = publisher.reserve_timeout(2 * record_len(16), timeout)?;
    ///     batch.send(tag, &[1; 16])?;
    ///     batch.send(tag, &[2; 16])?;
    /// }
    /// let late = publisher.reserve_timeout(2 * record_len(16), timeout).map(drop);
    /// assert_eq!(late, Err(ClaimError::Timeout { needed: 64 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ClaimError::Timeout`] or [`ClaimError::RunTooLarge`].
    pub fn reserve_timeout(
        &mut self,
        bytes: usize,
        timeout: Duration,
    ) -> Result<Reservation<'_>, ClaimError> {
        self.reserve_until(bytes, Instant::now().checked_add(timeout), || false)
    }

    /// As [`reserve`](Self::reserve), until `deadline`, or until `stop` says so: it is asked at each look, and once
    /// more after each [`Bus::wake_all`](super::Bus::wake_all).
    ///
    /// # Errors
    ///
    /// [`ClaimError::Timeout`], [`ClaimError::Interrupted`] or [`ClaimError::RunTooLarge`].
    pub fn reserve_until(
        &mut self,
        bytes: usize,
        deadline: Option<Instant>,
        stop: impl FnMut() -> bool,
    ) -> Result<Reservation<'_>, ClaimError> {
        let bytes = self.run(bytes)?;
        if self.try_open(bytes).is_err() {
            self.wait_open(bytes, deadline, stop)?;
        }
        Ok(Reservation::new(&mut self.open))
    }

    /// How many bytes are left to the end of the ring, or of a segment, as it is now. A run that is longer leaves them empty.
    pub(crate) fn left_in_lap(&self) -> usize {
        let core = &self.open.core;
        let tail = core.memory.control().tail.load(Relaxed);
        usize::try_from(core.format.lap_end(tail).wrapping_sub(tail)).unwrap_or(usize::MAX)
    }

    /// What a record with a payload of `len` bytes takes. Aborts what was left open before.
    #[inline]
    fn record(&mut self, len: usize) -> Result<u64, ClaimError> {
        self.open.close();
        let max = self.open.core.max_payload();
        if len > max {
            return Err(ClaimError::TooLarge { len, max });
        }
        Ok(record_len(len) as u64)
    }

    /// What a run of `bytes` takes: whole records. Aborts what was left open before.
    #[inline]
    fn run(&mut self, bytes: usize) -> Result<u64, ClaimError> {
        self.open.close();
        let max = self.open.core.max_record() as usize;
        if bytes > max {
            return Err(ClaimError::RunTooLarge { bytes, max });
        }
        // At least a header, and no part of one.
        Ok((bytes as u64).max(HEADER).next_multiple_of(HEADER))
    }

    /// Opens a run of `bytes`.
    #[inline]
    fn try_open(&mut self, bytes: u64) -> Result<(), ClaimError> {
        let Open { core, room, .. } = &mut self.open;
        match core.try_claim::<K>(room, bytes) {
            Ok(position) => {
                self.open.begin(position, bytes);
                Ok(())
            }
            Err(NoRoom::Yet | NoRoom::Growing) => Err(ClaimError::Full {
                needed: bytes as usize,
                capacity: self.capacity(),
            }),
            Err(NoRoom::Lost(lost)) => Err(lost.refuses(bytes)),
        }
    }

    #[cold]
    fn open_grown(&mut self, bytes: u64) -> Result<(), ClaimError> {
        let capacity = self.capacity();
        let Open { core, room, .. } = &mut self.open;
        let found = core.wait(
            Event::Room,
            WaitStrategy::Block,
            self.enrolled,
            None,
            &mut || match core.try_claim::<K>(room, bytes) {
                Ok(position) => Some(Ok(position)),
                Err(NoRoom::Lost(lost)) => Some(Err(lost.refuses(bytes))),
                Err(NoRoom::Yet) => Some(Err(ClaimError::Full {
                    needed: bytes as usize,
                    capacity,
                })),
                Err(NoRoom::Growing) => None,
            },
        );
        // Without a deadline it does not end without something.
        let position = found.unwrap_or(Err(ClaimError::Interrupted))?;
        self.open.begin(position, bytes);
        Ok(())
    }

    fn poll_open(
        &mut self,
        bytes: u64,
        task: &Context<'_>,
        stop: impl Fn() -> bool,
    ) -> Poll<Result<(), ClaimError>> {
        let full = |opened: &Result<(), ClaimError>| matches!(opened, Err(ClaimError::Full { .. }));
        let opened = self.try_open(bytes);
        if !full(&opened) {
            return Poll::Ready(opened);
        }
        let Open { core, room, .. } = &self.open;
        core.register(Event::Room, room.slot, task.waker(), self.enrolled);
        let opened = match self.try_open(bytes) {
            // Asked once the waker is registered, or it might turn unseen.
            opened if full(&opened) && !stop() => return Poll::Pending,
            opened if full(&opened) => Err(ClaimError::Interrupted),
            opened => opened,
        };
        drop(self.deregister());
        Poll::Ready(opened)
    }

    /// Takes the waker of a task back that has waited for room.
    fn deregister(&self) -> Option<Waker> {
        let Open { core, room, .. } = &self.open;
        core.deregister(Event::Room, room.slot)
    }

    #[cold]
    fn wait_open(
        &mut self,
        bytes: u64,
        deadline: Option<Instant>,
        mut stop: impl FnMut() -> bool,
    ) -> Result<(), ClaimError> {
        if self.wait == WaitStrategy::BlockNow && !self.enrolled {
            self.enrolled = self.open.core.enrol(self.open.room.slot);
        }
        let Open { core, room, .. } = &mut self.open;
        let found = core.wait(
            Event::Room,
            self.wait,
            self.enrolled,
            deadline,
            &mut || match core.try_claim::<K>(room, bytes) {
                Ok(position) => Some(Ok(position)),
                Err(NoRoom::Lost(lost)) => Some(Err(lost.refuses(bytes))),
                Err(NoRoom::Yet | NoRoom::Growing) if stop() => Some(Err(ClaimError::Interrupted)),
                Err(NoRoom::Yet | NoRoom::Growing) => None,
            },
        );
        let position = found.unwrap_or(Err(ClaimError::Timeout {
            needed: bytes as usize,
        }))?;
        self.open.begin(position, bytes);
        Ok(())
    }
}

impl<K: PublisherKind> Drop for Publisher<K> {
    fn drop(&mut self) {
        self.open.close();
        // Taken while the slot is ours, or the next owner's might go instead; dropped last, so that nobody waits for it if
        // that panics.
        let _waker = self.deregister();
        // After that: until then the slot says what is claimed.
        self.open.core.leave(self.open.room.slot);
    }
}

impl<K: PublisherKind> fmt::Debug for Publisher<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publisher")
            .field("kind", &core::any::type_name::<K>())
            .field("wait", &self.wait)
            .field("capacity", &self.capacity())
            .finish()
    }
}
