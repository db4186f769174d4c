//! Where a worker says how far it has got, on a bus that processes share.

use crate::bus::Subscriber;
use crate::journal::{Cursor, CursorError, Journal};
use crate::runtime::failure::{Failure, FailureKind};
use crate::runtime::kept::{Mark, sync_all};
use crate::runtime::runner::Runner;
use crate::runtime::worker::Worker;
use crate::shared::{PoolSeat, Seat};

/// How a worker sits on the bus.
pub(in crate::runtime) enum Seated {
    /// By itself.
    Alone(Seat),
    /// As a member of a pool: what it says is of what it has taken.
    Pool(Box<PoolSeat>),
    /// By itself, where the records lie in a journal: it says it there, too.
    Both(Box<Both>),
}

/// A worker's seat, and the cursor by which its position survives the bus's file.
pub(in crate::runtime) struct Both {
    seat: Seat,
    cursor: Cursor,
    journal: Journal,
    /// What the cursor is to say next, once all before the second position is synced: what was sent until then, too. So a loss of
    /// power takes no answer to a record that the cursor says was handled.
    next: (u64, u64),
}

impl Seated {
    /// See [`Mark::rise`].
    pub(in crate::runtime) fn rise(mut self) -> Option<Self> {
        match &mut self {
            Self::Alone(seat) => seat.rise(),
            Self::Both(both) => both.seat.rise(),
            Self::Pool(_) => return None,
        }
        Some(self)
    }

    /// See [`Mark::store`].
    pub(in crate::runtime) fn store(&mut self, position: u64) -> Result<(), CursorError> {
        match self {
            Self::Alone(seat) => seat.store(position),
            Self::Pool(seat) => seat.store(position),
            Self::Both(both) => return both.store(position),
        }
        Ok(())
    }
}

impl Both {
    pub(super) fn new(seat: Seat, cursor: Cursor, journal: Journal) -> Self {
        let next = (cursor.position(), 0);
        Self {
            seat,
            cursor,
            journal,
            next,
        }
    }

    /// As [`Seat::sit`], of a worker whose subscriber begins where it has got. What it has sent until now, in whatever process, need not be
    /// synced, so the cursor does not say so yet.
    pub(super) fn sit(&mut self, subscriber: &mut Subscriber) {
        self.seat.sit(subscriber);
        self.next = (subscriber.start(), self.journal.bus().tail());
    }

    fn store(&mut self, position: u64) -> Result<(), CursorError> {
        self.seat.store(position);
        let (reached, sent) = self.next;
        if self.journal.synced() < sent {
            return Ok(());
        }
        self.next = (position, self.journal.bus().tail());
        if self.cursor.position() == reached {
            return Ok(());
        }
        self.cursor.store(reached)
    }

    /// The worker ends at `position`. If not all that it has sent can be synced now, the cursor stays behind.
    fn end(&mut self, position: u64) -> Result<(), FailureKind> {
        let kept = match sync_all(&self.journal)? {
            true => self.cursor.store(position),
            false => Ok(()),
        };
        let kept = kept.and_then(|()| self.cursor.sync());
        kept.map_err(FailureKind::Cursor)
    }
}

impl<W: Worker> Runner<W> {
    /// The worker runs: what was held for it until now is not any more.
    pub(in crate::runtime) fn take_over(&mut self) {
        match &mut self.mark {
            Some(Mark::Seat(Seated::Alone(seat))) => seat.run(&mut self.subscriber),
            Some(Mark::Seat(Seated::Both(both))) => both.seat.run(&mut self.subscriber),
            Some(Mark::Seat(Seated::Pool(seat))) => seat.run(),
            Some(Mark::Cursor(_)) | None => {}
        }
    }

    /// On a bus whose records lie in a journal: has it say for good how far the worker has got, if all that it sent is there.
    pub(in crate::runtime) fn keep_beyond_the_bus(&mut self) {
        let position = self.reached();
        let is_whole = self.link.spill.is_empty() && !self.link.unkept;
        let Some(Mark::Seat(Seated::Both(both))) = self.mark.as_mut().filter(|_| is_whole) else {
            return;
        };
        if let Err(kind) = both.end(position) {
            self.link.control.report(Failure::of(W::INFO.name, kind));
        }
    }
}
