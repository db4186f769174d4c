//! A worker that several processes run together: what its members do in place of reading all records.

use crate::runtime::failure::{Call, Failure, FailureKind};
use crate::runtime::kept::Mark;
use crate::runtime::runner::{Runner, take};
use crate::runtime::worker::Worker;
use crate::shared::{PoolSeat, Took, Trouble};

use super::Seated;

impl<W: Worker> Runner<W> {
    /// The seat of a member of a pool.
    #[inline]
    pub(in crate::runtime) fn pool_seat(&self) -> Option<&PoolSeat> {
        match &self.mark {
            Some(Mark::Seat(Seated::Pool(seat))) if W::INFO.options.pool => Some(seat),
            _ => None,
        }
    }

    /// Handles what this member has taken. If that is done: takes what a dead one owes, or else the next that nobody has taken.
    #[inline(never)]
    pub(in crate::runtime) fn poll_pool(&mut self) -> Result<usize, FailureKind> {
        self.link.turn_to(Call::OnMessage);
        if self.subscriber.position() >= self.own_end() {
            match self.take_some()? {
                Took::Something => {}
                Took::Late => return Ok(1),
                Took::Nothing => return Ok(0),
            }
        }
        // What it took over may reach beyond the stop: that stays owed.
        let end = self.own_end().min(self.link.control.cut_off());
        let Self {
            worker,
            link,
            subscriber,
            clock,
            copy,
            ..
        } = self;
        let mut passed = 0;
        let polled = subscriber.poll_before(end, |record| {
            match (W::find(record.tag()), &mut *copy) {
                (Some(route), Some(copy)) => {
                    copy.copy_from(record.payload());
                    take(
                        worker,
                        link,
                        clock,
                        route,
                        record.position(),
                        copy.as_slice(),
                    );
                }
                _ => passed += 1,
            }
            link.reads_on()
        });
        link.tally.passed.add(passed);
        let polled = polled.map_err(FailureKind::Read)?;
        // Of a range without a record something was read all the same. (Of one that can't be nothing.)
        let all = subscriber.position() >= end;
        Ok(polled.max(usize::from(all)))
    }

    fn take_some(&mut self) -> Result<Took, FailureKind> {
        let Self {
            link,
            subscriber,
            stride,
            mark,
            ..
        } = self;
        let Some(Mark::Seat(Seated::Pool(seat))) = mark else {
            return Ok(Took::Nothing);
        };
        let (bus, cut_off) = (&link.control.bus, link.control.cut_off());
        if seat.is_called() {
            match seat.move_on(bus, subscriber, cut_off) {
                Ok(true) => return Ok(Took::Something),
                Ok(false) => {}
                Err(Trouble::Missed { position, oldest }) => {
                    let kind = FailureKind::Missed { position, oldest };
                    link.control.report(Failure::of(W::INFO.name, kind));
                    return Ok(Took::Late);
                }
                Err(trouble) => return Err(kind_of(trouble)),
            }
        }
        // With a spill one at a time, for there may be room after each.
        let most = if link.spill.is_empty() {
            W::INFO.options.batch
        } else {
            1
        };
        let (mut first, mut count) = (None, 0);
        let takes = |position: u64, tag| {
            let end = cut_off.min(*first.get_or_insert(position) + *stride);
            let takes = position < end && count < most;
            count += usize::from(takes && W::find(tag).is_some());
            takes
        };
        seat.take_some(bus, subscriber, takes).map_err(kind_of)
    }
}

/// Whether the mark is a pool's, and somebody has left that who may owe something.
pub(in crate::runtime) fn is_called(mark: Option<&Mark>) -> bool {
    matches!(mark, Some(Mark::Seat(Seated::Pool(seat))) if seat.is_called())
}

fn kind_of(trouble: Trouble) -> FailureKind {
    match trouble {
        Trouble::Shared(error) => FailureKind::Pool(error),
        Trouble::Read(error) => FailureKind::Read(error),
        Trouble::Missed { position, oldest } => FailureKind::Missed { position, oldest },
    }
}
