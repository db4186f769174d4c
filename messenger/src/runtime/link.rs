//! A worker's way to the bus: its publisher, its spill, and what it is doing at the moment.

use core::any::Any;
use core::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::batch::{Run, send_run};
use super::control::Control;
use super::counters::Tally;
use super::describe::WorkerInfo;
use super::error::{HandlerError, Result};
use super::failure::{Call, FailedRecord, Failure, FailureKind};
use super::outbox::Seat;
use super::spill::Spill;
use super::timers::{Timer, Timers};
use super::told::Told;
#[cfg(feature = "tokio")]
use crate::bus::JoinError;
use crate::bus::{ClaimError, CommitError, NotSynced, Publisher, Tag};
use crate::message::{DecodeError, EncodeError, ExtendedMessage, Message, MessageInfo};
use crate::words::in_words;

/// The seat of none: what panics then is not a handler's.
pub(crate) const NOBODY: u16 = u16::MAX;

/// What a worker has besides its handlers and its place in the bus.
pub(crate) struct Link {
    pub(crate) info: &'static WorkerInfo,
    pub(crate) control: Arc<Control>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) timers: Timers,
    /// Where a test says what handlers are told.
    pub(crate) told: Option<Box<Told>>,
    pub(super) publisher: Publisher,
    pub(crate) spill: Spill,
    #[cfg(feature = "journal")]
    pub(crate) kept: super::kept::Kept,
    /// An `on_loop` has stopped the run by an error: what it was to keep of the last records may not be kept.
    #[cfg(feature = "journal")]
    pub(crate) unkept: bool,
    /// The first record that was read and not handled, since it stands after the stop; the greatest position of all while there is none.
    #[cfg(feature = "journal")]
    pub(crate) late_from: u64,
    /// Why the oldest of what is spilled could not be sent, when that was tried last.
    refused: Option<ClaimError>,
    /// The record in hand, or the last one.
    pub(crate) position: u64,
    pub(crate) route: usize,
    /// The handler that is called, or was last, and for what. [`NOBODY`] while a record is decoded.
    pub(crate) seat: u16,
    pub(crate) call: Option<Call>,
    /// Handlers that panicked and were not made again; one of them at least if `any_dead`.
    pub(crate) dead: Vec<bool>,
    pub(crate) any_dead: bool,
    /// Panics caught before all receivers of the record had it.
    pub(crate) caught: Vec<Panic>,
    #[cfg(feature = "tokio")]
    pub(crate) tokio: Option<tokio::runtime::Handle>,
    /// For each async handler that has not started yet, by what its tasks are to send.
    #[cfg(feature = "tokio")]
    pub(super) outlets: Vec<Publisher>,
    /// Set by tasks that want the worker's thread to look after them.
    #[cfg(feature = "tokio")]
    pub(crate) nudged: Arc<core::sync::atomic::AtomicBool>,
    /// Something waits that nobody will wake the worker for.
    #[cfg(feature = "tokio")]
    pub(crate) restless: bool,
    /// A mailbox may be full: nothing is read before that has been looked at.
    #[cfg(feature = "tokio")]
    pub(crate) mailbox_full: bool,
    /// What is kept of each async handler.
    #[cfg(feature = "tokio")]
    pub(super) places: Vec<super::tasks::Place>,
}

/// A panic of a handler.
pub(crate) struct Panic {
    pub(crate) seat: u16,
    /// The route and position of the record.
    pub(crate) at: (usize, u64),
    pub(crate) payload: Box<dyn Any + Send>,
}

impl Link {
    pub(crate) fn new(
        info: &'static WorkerInfo,
        control: Arc<Control>,
        tally: Arc<Tally>,
        publisher: Publisher,
    ) -> Self {
        Self {
            info,
            control,
            tally,
            timers: Timers::default(),
            told: None,
            publisher,
            spill: Spill::new(info.options.spill),
            #[cfg(feature = "journal")]
            kept: super::kept::Kept::default(),
            #[cfg(feature = "journal")]
            unkept: false,
            #[cfg(feature = "journal")]
            late_from: u64::MAX,
            refused: None,
            position: 0,
            route: usize::MAX,
            seat: 0,
            call: None,
            dead: vec![false; info.handlers.len()],
            any_dead: false,
            caught: Vec::new(),
            #[cfg(feature = "tokio")]
            tokio: None,
            #[cfg(feature = "tokio")]
            outlets: Vec::new(),
            #[cfg(feature = "tokio")]
            nudged: Arc::default(),
            #[cfg(feature = "tokio")]
            restless: false,
            #[cfg(feature = "tokio")]
            mailbox_full: false,
            #[cfg(feature = "tokio")]
            places: Vec::new(),
        }
    }

    /// The same with a runtime for the tasks of async handlers, and with what they send by.
    #[cfg(feature = "tokio")]
    pub(crate) fn with_tokio(
        mut self,
        runtime: Option<tokio::runtime::Handle>,
    ) -> Result<Self, JoinError> {
        self.tokio = runtime;
        for _ in self.info.handlers.iter().filter(|handler| handler.is_async) {
            self.outlets.push(self.control.bus.publisher()?);
        }
        Ok(self)
    }

    /// Whether something wants the worker to look around though no record has come.
    #[inline]
    pub(crate) fn is_nudged(&self) -> bool {
        #[cfg(feature = "tokio")]
        return self.nudged.load(core::sync::atomic::Ordering::Acquire);
        #[cfg(not(feature = "tokio"))]
        false
    }

    /// Begins to look around: who nudges from now on means the next turn.
    #[inline]
    pub(crate) fn look_around(&self) {
        #[cfg(feature = "tokio")]
        if self.is_nudged() {
            // What was set before the nudge is seen after this.
            self.nudged
                .swap(false, core::sync::atomic::Ordering::AcqRel);
        }
    }

    /// Whether to look around soon, though nobody will say so.
    #[inline]
    pub(crate) fn is_restless(&mut self) -> bool {
        #[cfg(feature = "tokio")]
        {
            core::mem::take(&mut self.restless) || !self.spill.is_empty()
        }
        #[cfg(not(feature = "tokio"))]
        !self.spill.is_empty()
    }

    /// Whether a mailbox may have no place for another message: then none is read.
    #[inline]
    pub(crate) fn has_full_mailbox(&self) -> bool {
        #[cfg(feature = "tokio")]
        return self.mailbox_full;
        #[cfg(not(feature = "tokio"))]
        false
    }

    /// When the next timer fires; not while the spill has no place for the note of it.
    pub(super) fn next_timer(&self) -> Option<Instant> {
        #[cfg(feature = "journal")]
        if !self.can_note_timer() {
            return None;
        }
        self.timers.next()
    }

    /// Takes the next timer that fires at `now`, and whose it is, but for those numbered after `last`.
    pub(super) fn due_timer(&mut self, now: Instant, last: u64) -> Option<(u16, Timer)> {
        self.next_timer()?;
        self.timers.due(now, last)
    }

    /// Whether a batch goes on: nothing waits for room, neither what was sent nor what is to be handled.
    #[inline]
    pub(crate) fn reads_on(&self) -> bool {
        self.spill.is_empty() && !self.has_full_mailbox()
    }

    /// Handlers are called for `call` from now on.
    #[inline]
    pub(crate) fn turn_to(&mut self, call: impl Into<Option<Call>>) {
        self.call = call.into();
        #[cfg(feature = "journal")]
        if self.kept.on {
            self.turned();
        }
    }

    /// Whether what is sent goes at once to the bus.
    #[inline]
    fn is_direct(&self) -> bool {
        #[cfg(feature = "journal")]
        if self.kept.aside {
            return false;
        }
        self.spill.is_empty()
    }

    #[inline]
    pub(crate) fn send<M: ExtendedMessage>(&mut self, seat: Seat, message: &M) -> Result {
        let info = self.info;
        let tag = Tag::new(seat.source, M::ID);
        let len = match message.encoded_len() {
            Ok(len) => len,
            Err(error) => return Err(refused::<M>(info, seat, SendFault::Encode(error))),
        };
        if self.is_direct() {
            match self.publisher.try_claim_grown(tag, len) {
                Ok(mut claim) => {
                    if let Err(error) = message.fill(&mut claim.writer()) {
                        drop(claim);
                        return Err(refused::<M>(info, seat, SendFault::Encode(error)));
                    }
                    let sent = self.spill.went_out(claim.commit());
                    return sent
                        .map_err(|error| refused::<M>(info, seat, SendFault::Commit(error)));
                }
                Err(ClaimError::Full { .. }) => {}
                Err(error) => return Err(refused::<M>(info, seat, SendFault::Claim(error))),
            }
        }
        self.send_spilled(seat, tag, len, message)
    }

    /// As [`send`](Self::send) of one after the other, and by one claim for many where there is room.
    pub(crate) fn send_all<M: ExtendedMessage>(&mut self, seat: Seat, messages: &[M]) -> Result {
        let mut left = messages;
        while !left.is_empty() {
            let run = if self.is_direct() {
                let Self {
                    publisher, spill, ..
                } = self;
                send_run(publisher, seat.source, left, |at| spill.reached(at))
            } else {
                Run::none_of(left.len())
            };
            run.synced
                .map_err(|error| refused::<M>(self.info, seat, SendFault::Commit(error.into())))?;
            for message in &left[run.sent..run.len] {
                self.send(seat, message)?;
            }
            left = &left[run.len..];
        }
        Ok(())
    }

    #[cold]
    fn send_spilled<M: ExtendedMessage>(
        &mut self,
        seat: Seat,
        tag: Tag,
        len: usize,
        message: &M,
    ) -> Result {
        let info = self.info;
        let pushed = self.send_later(seat, tag, len, |payload| {
            let mut writer = crate::bus::PayloadWriter::over(payload);
            message.fill(&mut writer).map_err(SendFault::Encode)
        });
        pushed.map_err(|fault| refused::<M>(info, seat, fault))
    }

    /// Sends an `M` of `len` bytes, which `fill` makes of zeroed ones.
    #[cfg(feature = "zero_copy")]
    #[inline]
    pub(crate) fn build<M: Message>(
        &mut self,
        seat: Seat,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EncodeError>,
    ) -> Result {
        let info = self.info;
        let tag = Tag::new(seat.source, M::ID);
        if self.is_direct() {
            match self.publisher.try_claim_grown(tag, len) {
                Ok(mut claim) => {
                    if let Err(error) = fill(claim.zeroed()) {
                        drop(claim);
                        return Err(refused::<M>(info, seat, SendFault::Encode(error)));
                    }
                    let sent = self.spill.went_out(claim.commit());
                    return sent
                        .map_err(|error| refused::<M>(info, seat, SendFault::Commit(error)));
                }
                Err(ClaimError::Full { .. }) => {}
                Err(error) => return Err(refused::<M>(info, seat, SendFault::Claim(error))),
            }
        }
        let pushed = self.send_later(seat, tag, len, |payload| {
            fill(payload).map_err(SendFault::Encode)
        });
        pushed.map_err(|fault| refused::<M>(info, seat, fault))
    }

    /// Sends what does not go at once to the bus.
    #[cold]
    fn send_later(
        &mut self,
        seat: Seat,
        tag: Tag,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), SendFault>,
    ) -> Result<(), SendFault> {
        #[cfg(feature = "journal")]
        if self.kept.aside {
            return self.send_aside(seat, tag, len, fill);
        }
        let _ = seat;
        self.spill(tag, len, fill)
    }

    /// Keeps a record until there is room for it and for all that wait before it.
    #[cold]
    pub(super) fn spill(
        &mut self,
        tag: Tag,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), SendFault>,
    ) -> Result<(), SendFault> {
        let max = self.publisher.max_payload();
        if len > max {
            return Err(SendFault::Claim(ClaimError::TooLarge { len, max }));
        }
        match self.spill.push(tag, len, fill) {
            Some(pushed) => pushed?,
            None => return Err(self.spill_is_full()),
        }
        self.tally.spilled.add(1);
        self.flush();
        Ok(())
    }

    pub(super) fn spill_is_full(&self) -> SendFault {
        self.spill.overflows(self.info.options.spill, self.refused)
    }

    /// Sends what was spilled, as far as there is room.
    #[cold]
    pub(crate) fn flush(&mut self) {
        let (refused, not_synced) = self.spill.send_by(&mut self.publisher);
        self.refused = refused;
        if let Some(error) = not_synced {
            self.not_synced(error);
        }
    }

    /// What was sent from the spill is out, and its handler has returned: the report has to say that it is not synced.
    #[cold]
    pub(crate) fn not_synced(&self, error: NotSynced) {
        let kind = FailureKind::Returned(error.into());
        self.control.report(Failure::of(self.info.name, kind));
    }

    /// Whether something waits for room.
    #[cfg(feature = "journal")]
    pub(super) fn lacks_room(&self) -> bool {
        matches!(self.refused, Some(ClaimError::Full { .. }))
    }

    /// Why the oldest of what waits could not be sent, when that was tried last.
    #[cfg(feature = "journal")]
    pub(super) fn refused(&self) -> Option<ClaimError> {
        self.refused.filter(|_| !self.spill.is_empty())
    }

    /// Waits for room for the oldest of what was spilled, until `deadline`, or until there is no point in it: `stop` says so, or none but
    /// the worker's own subscriber, in the slot `own`, holds back what stands before `position`.
    pub(crate) fn wait_for_room(
        &mut self,
        (position, own): (u64, usize),
        deadline: Instant,
        stop: impl Fn(&Control) -> bool,
    ) {
        self.send_front(Some(deadline), |control| {
            stop(control) || !control.bus.has_reader_before(position, own)
        });
    }

    /// What is still in the spill goes nowhere any more.
    pub(crate) fn count_unsent(&self) {
        self.tally.unsent.add(self.spill.count());
    }

    /// Sends what was spilled as others make room, for as long as the run goes on and has patience: of a worker that has left the bus.
    pub(crate) fn send_rest(&mut self) {
        let deadline = Instant::now().checked_add(self.control.patience);
        while self.send_front(deadline, Control::is_stopping) {}
    }

    /// Waits for room for the oldest of what was spilled, until `deadline`, or until `stop` says so. `false`: there was none, or nothing waits.
    fn send_front(&mut self, deadline: Option<Instant>, stop: impl Fn(&Control) -> bool) -> bool {
        let Some((tag, payload)) = self.spill.front() else {
            return false;
        };
        let control = &self.control;
        let claim = self
            .publisher
            .claim_until(tag, payload.len(), deadline, || stop(control));
        match claim.map(|claim| self.spill.send_front(claim)) {
            Ok(Ok(())) => true,
            // It is out all the same.
            Ok(Err(error)) => {
                self.not_synced(error);
                true
            }
            Err(_) => false,
        }
    }

    /// The record in hand does not decode.
    #[cold]
    #[inline(never)]
    pub(crate) fn undecodable(&mut self, error: DecodeError) {
        self.tally.undecodable.add(1);
        self.tally.routes[self.route].errors.add(1);
        #[cfg(feature = "journal")]
        if let (Some(record), Some(rehearsal)) = (self.record(), &mut self.kept.rehearsal) {
            rehearsal.failed(record, &error);
        }
        let kind = FailureKind::Undecodable(error);
        self.control.report(Failure {
            record: self.record(),
            ..Failure::of(self.info.name, kind)
        });
    }

    /// A panic of the handler in `seat` over the record in hand.
    pub(crate) fn panic(&self, seat: u16, payload: Box<dyn Any + Send>) -> Panic {
        Panic {
            seat,
            at: (self.route, self.position),
            payload,
        }
    }

    /// For what the author of the handler at `index` would say that it is called. An async one has no `on_loop`: its worker looks after it there.
    pub(crate) fn called(&self, index: u16) -> Option<Call> {
        let is_async = self.info.handlers[usize::from(index)].is_async;
        self.call.filter(|call| !is_async || *call != Call::OnLoop)
    }

    /// The record in hand.
    pub(crate) fn record(&self) -> Option<FailedRecord> {
        let route = self.info.routes.get(self.route)?;
        Some(FailedRecord {
            position: self.position,
            source: route.source,
            source_name: route.source_name,
            message: route.message.id,
            message_name: route.message.name,
        })
    }
}

#[cold]
pub(crate) fn refused<M: Message>(
    info: &'static WorkerInfo,
    seat: Seat,
    fault: SendFault,
) -> HandlerError {
    HandlerError::from(SendError {
        worker: info.name,
        handler: info.handlers[usize::from(seat.index)].name,
        message: MessageInfo::of::<M>().name,
        fault,
    })
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("worker", &self.info.name)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}

/// A message was not sent.
#[non_exhaustive]
pub struct SendError {
    /// The worker's name.
    pub worker: &'static str,
    /// The handler's name in the table.
    pub handler: &'static str,
    /// The message's name; or what a note is of that the journal was to take.
    pub message: &'static str,
    /// Why.
    pub fault: SendFault,
}

/// Why a message was not sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendFault {
    /// It does not encode, or to another length than announced.
    Encode(EncodeError),
    /// It is longer than a record may be, or the journal can't grow.
    Claim(ClaimError),
    /// On a journal, [`CommitError::NotSynced`]: it *is* sent, and is not to be sent again.
    Commit(CommitError),
    /// The messenger has been stopped: nobody would get it.
    Stopped,
    /// The ring is full, and so is the worker's spill.
    SpillFull {
        /// The spill's limit, in bytes.
        limit: usize,
        /// How much of it is taken, in bytes.
        used: usize,
    },
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            worker,
            handler,
            message,
            fault,
        } = self;
        write!(
            f,
            "handler `{handler}` of worker `{worker}` could not send `{message}`: "
        )?;
        match fault {
            SendFault::Encode(error) => error.fmt(f),
            SendFault::Claim(error) => error.fmt(f),
            SendFault::Commit(error) => error.fmt(f),
            SendFault::Stopped => {
                f.write_str("the messenger has been stopped: nobody would get it")
            }
            SendFault::SpillFull { limit, used } => write!(
                f,
                "the ring is full and {used} of the {limit} bytes of the worker's spill are taken: make the ring \
                 larger, raise `spill = ..`, or send less for each message"
            ),
        }?;
        let lacks_room = matches!(fault, SendFault::SpillFull { .. } | SendFault::Claim(_));
        if lacks_room && *worker == super::harness::WORKER {
            f.write_str(". (The ring of a `Harness` is chosen by `Harness::on`.)")?;
        }
        Ok(())
    }
}

in_words!(SendError);

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        None
    }
}
