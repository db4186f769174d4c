//! What an async handler's task sends by, and what it shares with its worker.

use core::fmt;
use core::future::{Future, poll_fn};
use core::marker::PhantomData;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Wake;

use tokio::sync::Notify;

use super::mailbox::report;
use crate::bus::{ClaimError, NotSynced, Publisher, SourceId, Tag, wake_after};
#[cfg(feature = "zero_copy")]
use crate::message::zero_copy::{self, Tailed, ZeroCopyMessage};
use crate::message::{ExtendedMessage, Message};
use crate::runtime::control::Control;
use crate::runtime::describe::WorkerInfo;
use crate::runtime::error::{HandlerError, Result};
use crate::runtime::handler::SentBy;
use crate::runtime::link::{Link, SendFault, refused};
use crate::runtime::outbox::Seat;
use crate::runtime::spill::Spill;

/// What a task shares with its worker.
pub(crate) struct TaskShared {
    control: Arc<Control>,
    /// Set to have the worker's thread look here, also if it sleeps.
    nudged: Arc<AtomicBool>,
    care: AtomicBool,
    ended: AtomicBool,
    /// The worker finds no more room for those who wait for some.
    closed: AtomicBool,
    out: Arc<Outlet>,
    found: Mutex<Found>,
    /// How many tasks wait for room, and where.
    waiting: AtomicUsize,
    room: Notify,
}

/// By which the tasks of a handler send: what one of them could not send yet goes out though it ends.
pub(crate) struct Outlet(Mutex<Out>);

/// A publisher, and what it could not send yet.
struct Out {
    publisher: Publisher,
    overflow: Spill,
    /// How many records have overflowed that the worker has not counted.
    spilled: u64,
    /// Why the oldest of what overflowed could not be sent, when that was tried last.
    refused: Option<ClaimError>,
    /// Something that overflowed is out and not synced, which the worker has not reported.
    not_synced: Option<NotSynced>,
}

#[derive(Default)]
struct Found {
    /// The route and position of the message in hand.
    in_hand: Option<(usize, u64)>,
    errors: Vec<(Option<(usize, u64)>, HandlerError)>,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TaskShared {
    pub(crate) fn new(link: &Link, out: Arc<Outlet>) -> Self {
        Self {
            control: Arc::clone(&link.control),
            nudged: Arc::clone(&link.nudged),
            // What the task before it has sent may wait for room.
            care: AtomicBool::new(true),
            ended: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            out,
            found: Mutex::default(),
            waiting: AtomicUsize::new(0),
            room: Notify::new(),
        }
    }

    /// Has the worker's thread look after this task.
    pub(crate) fn nudge(&self) {
        self.care.store(true, Ordering::Release);
        if !self.nudged.swap(true, Ordering::AcqRel) {
            self.control.bus.wake_all();
        }
    }

    /// The task ends, in whatever way.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
        self.nudge();
    }

    /// From now on no publisher for other tasks sends, and nobody waits for room.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.tell_waiting();
    }

    /// Has those who wait for room look again.
    fn tell_waiting(&self) {
        self.room.notify_waiters();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    #[inline]
    pub(crate) fn needs_care(&self) -> bool {
        self.care.load(Ordering::Acquire)
    }

    pub(crate) fn take_in_hand(&self, message: Option<(usize, u64)>) {
        lock(&self.found).in_hand = message;
    }

    pub(crate) fn in_hand(&self) -> Option<(usize, u64)> {
        lock(&self.found).in_hand
    }

    /// The handler returned an error, which the worker is to judge.
    pub(crate) fn fail(&self, at: Option<(usize, u64)>, error: HandlerError) {
        lock(&self.found).errors.push((at, error));
        self.nudge();
    }

    /// On the worker's thread: reports errors, and sends what overflowed.
    pub(crate) fn care(&self, seat: Seat, link: &mut Link) {
        // Before looking: what comes after this is looked at in the next turn.
        self.care.store(false, Ordering::Release);
        self.judge(seat, link);
        link.restless |= self.flush(link);
    }

    pub(crate) fn judge(&self, seat: Seat, link: &mut Link) {
        let errors = core::mem::take(&mut lock(&self.found).errors);
        for (at, error) in errors {
            report(link, seat, at, error);
        }
    }

    /// On the worker's thread: sends what overflowed, as far as there is room. `true`: look again soon, whether or not somebody says so.
    pub(super) fn flush(&self, link: &Link) -> bool {
        let lacks_room = self.out.flush(link) || self.waiting.load(Ordering::Acquire) > 0;
        if lacks_room {
            self.tell_waiting();
            self.care.store(true, Ordering::Release);
        }
        lacks_room
    }
}

impl Outlet {
    /// One that keeps up to so many bytes.
    pub(crate) fn new(publisher: Publisher, spill: usize) -> Self {
        Self(Mutex::new(Out {
            publisher,
            overflow: Spill::new(spill),
            spilled: 0,
            refused: None,
            not_synced: None,
        }))
    }

    /// On the worker's thread: sends what overflowed, as far as there is room. `true`: something is left.
    pub(crate) fn flush(&self, link: &Link) -> bool {
        // Whom it wakes may send by this outlet.
        let (left, not_synced) = wake_after(|| {
            let mut out = lock(&self.0);
            out.flush();
            link.tally.spilled.add(core::mem::take(&mut out.spilled));
            (!out.overflow.is_empty(), out.not_synced.take())
        });
        if let Some(error) = not_synced {
            link.not_synced(error);
        }
        left
    }

    /// No task sends by it any more: what overflowed waits from now on with what the worker's own handlers have sent.
    pub(crate) fn hand_over(&self, link: &mut Link) {
        self.flush(link);
        link.spill.take_all(&mut lock(&self.0).overflow);
    }
}

impl Out {
    /// Sends what overflowed, as far as there is room.
    fn flush(&mut self) {
        let (refused, not_synced) = self.overflow.send_by(&mut self.publisher);
        self.refused = refused;
        self.not_synced = not_synced.or(self.not_synced);
    }
}

impl fmt::Debug for TaskShared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskShared").finish_non_exhaustive()
    }
}

/// By which the async handler `H` sends, in its task.
///
/// Sending never waits: when the ring is full, what is sent is kept, up to the worker's `spill`, and goes out in order as
/// room appears, also if the handler panics after that.
pub struct AsyncOutbox<H> {
    publisher: TaskPublisher<H>,
    pub(crate) position: u64,
}

impl<H> AsyncOutbox<H> {
    pub(crate) fn new(publisher: TaskPublisher<H>) -> Self {
        Self {
            publisher,
            position: 0,
        }
    }

    /// Sends a message.
    ///
    /// # Errors
    ///
    /// A [`SendError`](crate::runtime::SendError): the message does not encode, is longer than a record may be, or the ring
    /// and what is kept for it are both full.
    pub fn send<M: SentBy<H> + ExtendedMessage>(&mut self, message: &M) -> Result {
        let len = self.publisher.len_of(message)?;
        let sent = self.publisher.put::<M>(len, true, |payload| {
            message
                .fill(&mut crate::bus::PayloadWriter::over(payload))
                .map_err(SendFault::Encode)
        });
        sent.map_err(|fault| self.publisher.refused::<M>(fault))
    }

    /// Builds a zero-copy message in place: `fill` gets it with all bytes zero. It must send nothing by a [`publisher`](Self::publisher) of
    /// this handler, whose turn comes after it.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    #[cfg(feature = "zero_copy")]
    pub fn build<M: SentBy<H> + ZeroCopyMessage>(&mut self, fill: impl FnOnce(&mut M)) -> Result {
        let sent = self.publisher.put::<M>(size_of::<M>(), true, |payload| {
            fill(zero_copy::build(payload).map_err(SendFault::Encode)?);
            Ok(())
        });
        sent.map_err(|fault| self.publisher.refused::<M>(fault))
    }

    /// Builds a zero-copy message with a tail of `len` items in place: `fill` gets its head and its tail with all bytes zero. As to what it sends, it
    /// is as in [`build`](Self::build).
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send).
    #[cfg(feature = "zero_copy")]
    pub fn build_tailed<'m, M: Message + SentBy<H> + Tailed<'m>>(
        &mut self,
        len: usize,
        fill: impl FnOnce(&mut M::Head, &mut [M::Item]),
    ) -> Result {
        let bytes = zero_copy::tailed_len_of::<M>(len);
        let sent = self.publisher.put::<M>(bytes, true, |payload| {
            let parts = zero_copy::build_tailed::<M>(payload);
            let (head, tail) = parts.map_err(SendFault::Encode)?;
            fill(head, tail);
            Ok(())
        });
        sent.map_err(|fault| self.publisher.refused::<M>(fault))
    }

    /// A publisher for tasks that this handler spawns; it can be cloned.
    #[must_use]
    pub fn publisher(&self) -> TaskPublisher<H> {
        self.publisher.clone()
    }

    /// Stops the messenger in good order: what was committed before is still delivered.
    pub fn stop(&mut self) {
        self.publisher.shared.control.stop();
    }

    /// The position on the bus of the message that is being handled.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// As who this handler sends.
    #[must_use]
    pub fn source(&self) -> SourceId {
        self.publisher.seat.source
    }
}

impl<H> fmt::Debug for AsyncOutbox<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncOutbox")
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// Sends as the async handler `H`, from whichever task has a clone of it, until the messenger or its worker is stopped, or `H` panics.
pub struct TaskPublisher<H> {
    shared: Arc<TaskShared>,
    seat: Seat,
    info: &'static WorkerInfo,
    handler: PhantomData<fn(&H)>,
}

impl<H> TaskPublisher<H> {
    pub(crate) fn new(shared: Arc<TaskShared>, seat: Seat, info: &'static WorkerInfo) -> Self {
        Self {
            shared,
            seat,
            info,
            handler: PhantomData,
        }
    }

    /// Sends a message; waits while the bus is full. Don't await it inside of `on_start` or `handle`, nor there for a task that does: the worker
    /// reads no further meanwhile, and its reading may be what would make the room. There, [`AsyncOutbox::send`] is the way that can't
    /// wait for itself. Who waits is told of a stop all the same.
    ///
    /// # Errors
    ///
    /// A [`SendError`](crate::runtime::SendError): it [is stopped](Self::is_stopped), or the message does not encode or is longer
    /// than a record may be.
    pub async fn send<M: SentBy<H> + ExtendedMessage>(&self, message: &M) -> Result {
        loop {
            // Enabled before the attempt, so that no notice is lost in between.
            let mut room = core::pin::pin!(self.shared.room.notified());
            room.as_mut().enable();
            match self.attempt(message) {
                Err(SendFault::Claim(ClaimError::Full { .. })) => {}
                result => return result.map_err(|fault| self.refused::<M>(fault)),
            }
            let _waiting = Waiting::new(&self.shared);
            poll_fn(|task| {
                let waker = Waker::from(Arc::new(Guarded(task.waker().clone())));
                room.as_mut().poll(&mut Context::from_waker(&waker))
            })
            .await;
        }
    }

    /// Sends a message if there is room now.
    ///
    /// # Errors
    ///
    /// As for [`send`](Self::send), and if there is no room.
    pub fn try_send<M: SentBy<H> + ExtendedMessage>(&self, message: &M) -> Result {
        self.attempt(message)
            .map_err(|fault| self.refused::<M>(fault))
    }

    /// Whether the messenger has been stopped, or the handler is being stopped or has panicked: nothing is sent any more.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.shared.control.is_stopping() || self.shared.closed.load(Ordering::Acquire)
    }

    fn attempt<M: SentBy<H> + ExtendedMessage>(&self, message: &M) -> Result<(), SendFault> {
        if self.is_stopped() {
            return Err(SendFault::Stopped);
        }
        let len = message.encoded_len().map_err(SendFault::Encode)?;
        self.put::<M>(len, false, |payload| {
            message
                .fill(&mut crate::bus::PayloadWriter::over(payload))
                .map_err(SendFault::Encode)
        })
    }

    fn len_of<M: ExtendedMessage>(&self, message: &M) -> Result<usize> {
        message
            .encoded_len()
            .map_err(|error| self.refused::<M>(SendFault::Encode(error)))
    }

    /// Puts a record on the bus, or, if it may, where records wait for room.
    fn put<M: Message>(
        &self,
        len: usize,
        may_overflow: bool,
        fill: impl FnOnce(&mut [u8]) -> Result<(), SendFault>,
    ) -> Result<(), SendFault> {
        let tag = Tag::new(self.seat.source, M::ID);
        // Whom it wakes may send by the same outlet.
        wake_after(|| {
            let mut out = lock(&self.shared.out.0);
            // The worker would do so, too; but it may be busy, or wait for this task.
            out.flush();
            let Out {
                publisher,
                overflow,
                spilled,
                refused,
                ..
            } = &mut *out;
            if overflow.is_empty() {
                // A handler that awaits nothing is not held up by readers; the next segment of a journal comes soon.
                let claimed = if may_overflow {
                    publisher.try_claim_grown(tag, len)
                } else {
                    publisher.try_claim(tag, len)
                };
                match claimed {
                    Ok(mut claim) => {
                        fill(claim.zeroed())?;
                        let sent = overflow.went_out(claim.commit());
                        return sent.map_err(SendFault::Commit);
                    }
                    Err(ClaimError::Full { .. }) if may_overflow => {}
                    Err(error) => return Err(SendFault::Claim(error)),
                }
            } else if !may_overflow {
                let (needed, capacity) = (len, publisher.capacity());
                return Err(SendFault::Claim(ClaimError::Full { needed, capacity }));
            }
            let max = publisher.max_payload();
            if len > max {
                return Err(SendFault::Claim(ClaimError::TooLarge { len, max }));
            }
            match overflow.push(tag, len, fill) {
                Some(pushed) => pushed?,
                None => return Err(overflow.overflows(self.info.options.spill, *refused)),
            }
            *spilled += 1;
            drop(out);
            self.shared.nudge();
            Ok(())
        })
    }

    fn refused<M: Message>(&self, fault: SendFault) -> HandlerError {
        refused::<M>(self.info, self.seat, fault)
    }
}

impl<H> Clone for TaskPublisher<H> {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared), self.seat, self.info)
    }
}

impl<H> fmt::Debug for TaskPublisher<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskPublisher")
            .field("worker", &self.info.name)
            .field("source", &self.seat.source)
            .finish_non_exhaustive()
    }
}

/// A waker whose panic changes nothing for the others that are called with it: it is foreign code, and tokio calls none after one that panics.
struct Guarded(Waker);

impl Wake for Guarded {
    fn wake(self: Arc<Self>) {
        let _ = catch_unwind(AssertUnwindSafe(move || self.0.wake_by_ref()));
    }
}

/// One who waits for room; the worker looks for some as long as there is one.
struct Waiting<'a>(&'a TaskShared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a TaskShared) -> Self {
        shared.waiting.fetch_add(1, Ordering::AcqRel);
        shared.nudge();
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}
