//! Where a worker says up to where it has handled everything, for who runs it next.

#[cfg(all(feature = "shared", target_os = "linux"))]
use core::time::Duration;

#[cfg(all(feature = "shared", target_os = "linux"))]
use crate::bus::Subscriber;
use crate::journal::{Cursor, CursorError, Journal};
#[cfg(all(feature = "shared", target_os = "linux"))]
use crate::runtime::failure::FailureKind;
#[cfg(all(feature = "shared", target_os = "linux"))]
use crate::runtime::start_error::StartError;
#[cfg(all(feature = "shared", target_os = "linux"))]
use crate::shared::{PoolSeat, Seat};

/// Where a worker says how far it has got.
pub(crate) enum Mark {
    /// In a journal.
    Cursor(Box<(Cursor, Journal)>),
    /// On a bus that processes share.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Seat(Seat),
    /// On such a bus, of what it has taken as a member of a pool.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Pool(Box<PoolSeat>),
    /// On one whose records lie in a journal: there, too.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    Both(Box<Both>),
}

/// A worker's seat, and the cursor by which its position survives the bus's file.
#[cfg(all(feature = "shared", target_os = "linux"))]
pub(crate) struct Both {
    seat: Seat,
    cursor: Cursor,
    journal: Journal,
    /// What the cursor is to say next, once all before the second position is synced: what was sent until then, too. So a loss of
    /// power takes no answer to a record that the cursor says was handled.
    next: (u64, u64),
}

impl Mark {
    /// The worker's subscriber goes, though the worker is still there. Until this goes, too, nobody else runs it, but for a pool, whose others
    /// don't wait for this member.
    pub(in crate::runtime) fn rise(mut self) -> Option<Self> {
        match &mut self {
            Self::Cursor(_) => {}
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Seat(seat) => seat.rise(),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Both(both) => both.seat.rise(),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Pool(_) => return None,
        }
        Some(self)
    }
}

/// How long a worker that ends waits until what it has sent is synced: another's claim may stand before that, and not be finished.
#[cfg(all(feature = "shared", target_os = "linux"))]
const PATIENCE: Duration = Duration::from_millis(500);

#[cfg(all(feature = "shared", target_os = "linux"))]
impl Both {
    pub(in crate::runtime) fn new(seat: Seat, cursor: Cursor, journal: Journal) -> Self {
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
    pub(in crate::runtime) fn sit(&mut self, subscriber: &Subscriber) -> Result<(), StartError> {
        self.seat.sit(subscriber).map_err(StartError::Shared)?;
        self.next = (subscriber.start(), self.journal.bus().tail());
        Ok(())
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
    pub(super) fn end(&mut self, position: u64) -> Result<(), FailureKind> {
        let sent = self.journal.bus().tail();
        let synced = match sent.checked_sub(1) {
            Some(last) => self.journal.wait_synced(last, Some(PATIENCE)),
            None => Ok(true),
        };
        let kept = match synced.map_err(|error| FailureKind::Returned(error.into()))? {
            true => self.cursor.store(position),
            false => Ok(()),
        };
        let kept = kept.and_then(|()| self.cursor.sync());
        kept.map_err(FailureKind::Cursor)
    }
}

impl Mark {
    /// Says that everything before `position` is handled.
    pub(super) fn store(&mut self, position: u64) -> Result<(), CursorError> {
        match self {
            Self::Cursor(place) if place.0.position() == position => Ok(()),
            Self::Cursor(place) => place.0.store(position),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Seat(seat) => {
                seat.store(position);
                Ok(())
            }
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Pool(seat) => {
                seat.store(position);
                Ok(())
            }
            #[cfg(all(feature = "shared", target_os = "linux"))]
            Self::Both(both) => both.store(position),
        }
    }
}
