//! The two kinds of subscribers: those that are never evicted, and those that may be.

use core::fmt;

use super::super::members::Joined;
use super::super::prefetch::Ahead;
use super::super::shared::Core;
use super::super::{ReadError, Subscriber};
use super::cursor::{Cursor, Taken};

/// What becomes of a subscriber that does not read on: [`Gating`] or [`Evictable`].
#[expect(
    private_bounds,
    reason = "sealed: what a slot says is the bus's own affair"
)]
pub trait SubscriberKind: Rests + fmt::Debug + Send + Sync + Unpin + 'static {}

/// It holds back the publishers for as long as it likes.
#[derive(Clone, Copy, Debug)]
pub struct Gating;

/// It is evicted if it rests for too long where a publisher wants room; see
/// [`Bus::subscribe_evictable`](crate::bus::Bus::subscribe_evictable).
#[derive(Clone, Copy, Debug)]
pub struct Evictable;

impl SubscriberKind for Gating {}
impl SubscriberKind for Evictable {}

pub(super) trait Rests {
    /// Whether the slot says when nothing is lent.
    const RESTS: bool;
}

impl Rests for Gating {
    const RESTS: bool = false;
}

impl Rests for Evictable {
    const RESTS: bool = true;
}

impl Subscriber<Evictable> {
    /// Lets go of the record that was lent last, so that this subscriber may be evicted before its next call. Only
    /// [`try_next`](Self::try_next), [`next`](Self::next), [`next_timeout`](Self::next_timeout) and
    /// [`poll_next`](Self::poll_next) lend records beyond their own end.
    pub fn rest(&mut self) {
        self.cursor.rest(&self.core);
    }
}

impl Cursor {
    /// Holds what is read from now on. `Err`: it was evicted, and rests where it goes on.
    #[inline(always)]
    pub(super) fn enter<K: SubscriberKind>(&mut self, core: &Core) -> Result<(), ReadError> {
        if K::RESTS && self.rests {
            return self.wake(core);
        }
        Ok(())
    }

    fn wake(&mut self, core: &Core) -> Result<(), ReadError> {
        if core.enter(self.slot, self.stored) {
            self.rests = false;
            return Ok(());
        }
        self.come_back(core)
    }

    /// After an eviction: goes on at the oldest record that is retained, if it has not read that.
    #[cold]
    fn come_back(&mut self, core: &Core) -> Result<(), ReadError> {
        let Joined { floor, .. } = core.join_again(self.slot);
        // Of what lies before its start it wanted nothing.
        let position = self.at.position.max(self.start);
        self.rests = false;
        self.stored = floor;
        self.at.position = self.at.position.max(floor);
        self.at.ahead = Ahead::from(self.at.position);
        self.store(core);
        if floor <= position {
            return Ok(());
        }
        self.rest(core);
        let skipped = floor - position;
        Err(ReadError::Evicted { position, skipped })
    }

    /// Lets go of all that has been read, and says that nothing is lent any more.
    pub(super) fn rest(&mut self, core: &Core) {
        if !self.rests {
            let moved = self.stored != self.at.position;
            (self.rests, self.stored) = (true, self.at.position);
            core.rest(self.slot, self.stored, moved);
        }
    }

    /// Nothing is lent any more: lets go of what has been read, unless that is to stay held.
    #[inline(always)]
    pub(super) fn done<K: SubscriberKind>(&mut self, core: &Core) {
        if K::RESTS {
            self.rest(core);
        } else {
            self.settle(core);
        }
    }

    /// [Takes](Self::take) a record, which is lent beyond the call.
    #[inline(always)]
    pub(super) fn lend<K: SubscriberKind>(
        &mut self,
        core: &Core,
    ) -> Result<Option<Taken>, ReadError> {
        self.enter::<K>(core)?;
        let taken = self.take(core);
        if K::RESTS && !matches!(taken, Ok(Some(_))) {
            self.rest(core);
        }
        taken
    }

    /// Whether a record is there; see [`ready`](Self::ready). Nothing is lent.
    #[inline]
    pub(super) fn look<K: SubscriberKind>(&mut self, core: &Core) -> Result<bool, ReadError> {
        self.enter::<K>(core)?;
        let ready = self.ready(core);
        if K::RESTS {
            self.rest(core);
        }
        ready
    }
}
