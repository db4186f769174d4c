//! How far a subscriber has read, and how it comes from record to record.

use super::super::format::Format;
use super::super::layout::{HEADER, State, meta_len, meta_tag, record_len};
use super::super::members::Joined;
use super::super::order;
use super::super::prefetch::{Ahead, after_a_look_in_vain, opaque};
use super::super::record::Record;
use super::super::ring::{Found, Memory};
use super::super::shared::Core;
use super::super::window::{Sight, Window};
use super::super::{Corrupt, ReadError, Tag};
use super::SubscriberKind;
use crate::sync::Ordering::Relaxed;

/// How far a subscriber has read.
pub(super) struct Cursor {
    pub(super) slot: usize,
    pub(super) at: At,
    /// What the slot says: behind `at` while records are lent.
    pub(super) stored: u64,
    /// Records before this one are stepped over.
    pub(super) start: u64,
    /// Records before this one are before the start, or were there before the bus was opened: then their checksums are
    /// looked at.
    pub(super) plain: u64,
    /// What is read stays held until it is let go of by name.
    pub(super) holds: bool,
    /// The slot says that it rests, so it may be evicted; see `kinds.rs`.
    pub(super) rests: bool,
    pub(super) window: Window,
}

/// What changes with each record.
#[derive(Clone, Copy)]
pub(super) struct At {
    /// What is read next. Only grows.
    pub(super) position: u64,
    /// What begins from `position` on and before this one is in the cursor's window, and is handed out without a check of its
    /// checksum, or after one; if it is as long as `stride` says, it ends in its lap; and there is nothing to ask `ahead`. So a record is taken
    /// after this one comparison. Where `position` has come to it, [`Cursor::reach`] has to look.
    pub(super) near: u64,
    pub(super) stride: Stride,
    pub(super) ahead: Ahead,
}

/// What the next record is taken to take. Where a record ends is learnt from its length, so the
/// processor would have to wait for that before it can look at the next one. While all are alike
/// it need not: it goes on from the stride, and the comparison, which it foresees, comes after.
#[derive(Clone, Copy)]
pub(super) struct Stride {
    /// As much as the last records took; 0, which none takes, while lengths change: where they
    /// do so at random, the comparison would cost more than the wait.
    steady: u64,
    /// After so many records more, `steady` is tried again; not 0 while `steady` is.
    retry: u32,
}

/// For so many records after one that was not like those before, none is taken to be so.
pub(super) const RETRY: u32 = 32;

impl Stride {
    const NONE: Self = Self {
        steady: 0,
        retry: 1,
    };

    /// A record took `bytes`, and not `steady`.
    #[inline(always)]
    fn learn(&mut self, bytes: u64) {
        self.retry = if self.steady == 0 {
            self.retry - 1
        } else {
            RETRY
        };
        self.steady = if self.retry == 0 { bytes } else { 0 };
    }
}

impl At {
    /// Takes the record at this position, which is before `near`, if one is committed there, and steps past it. `Err` in
    /// `Ok`: what the stamp says instead.
    #[inline(always)]
    pub(super) fn take(
        &mut self,
        format: &Format,
        sight: Sight<'_>,
    ) -> Result<Result<Taken, u64>, Corrupt> {
        let position = self.position;
        let meta = match committed(format, sight, position) {
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
            if format.offset(position) >= format.starts(bytes) {
                return Err(Corrupt { position, len });
            }
            self.stride.learn(bytes);
            if self.stride.steady != 0 {
                // It was found for another length.
                self.near = 0;
            }
            stride = bytes;
        }
        self.ahead.before_reading(sight, position);
        self.position = position + stride;
        Ok(Ok((position, meta_tag(meta), len)))
    }

    /// What [`near`](Self::near) is where the window covers the position, whose records' checksums need no check.
    fn near(&mut self, core: &Core) -> u64 {
        let position = self.position;
        self.ahead.before_going_on(core, position);
        let end = core.format.lap_end(position);
        let last = end.saturating_sub(self.stride.steady);
        if position > last {
            // None as long as those before it begins here.
            self.stride = Stride::NONE;
        }
        let starts = if self.stride.steady == 0 {
            end
        } else {
            last + 1
        };
        starts.min(self.ahead.until)
    }
}

impl Cursor {
    /// One that has not looked at anything yet.
    pub(super) fn at_floor(core: &Core, joined: Joined, start: u64) -> Self {
        let position = core.memory.shortcut(joined.floor, start);
        Self {
            slot: joined.slot,
            at: At {
                position,
                near: 0,
                stride: Stride::NONE,
                ahead: Ahead::from(position),
            },
            stored: joined.floor,
            start,
            plain: start.max(core.memory.opened_at()),
            holds: false,
            rests: false,
            window: core.memory.window(),
        }
    }

    /// Lets go of what was lent before.
    #[inline]
    pub(super) fn store(&mut self, core: &Core) {
        if self.stored != self.at.position {
            self.stored = self.at.position;
            core.advance(self.slot, self.at.position);
        }
    }

    /// Lets go of what was lent before, unless it is to stay held.
    #[inline]
    pub(super) fn settle(&mut self, core: &Core) {
        if !self.holds {
            self.store(core);
        }
    }

    /// All before `position` has been read. (Small to call, so that where a reader panics, too, the call is inlined into the drop
    /// of a [`Batch`](super::batch::Batch), which then needs no memory.)
    #[inline(never)]
    pub(super) fn let_go<K: SubscriberKind>(&mut self, core: &Core, position: u64) {
        self.at.position = position;
        self.done::<K>(core);
    }

    /// Whether a record is there; steps over what is none, and lets go of it. Nothing is lent.
    pub(super) fn ready(&mut self, core: &Core) -> Result<bool, ReadError> {
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
    pub(super) fn reach(&mut self, core: &Core) -> Result<bool, ReadError> {
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
        // The window is only moved on when `position` has come to its end, which is its lap's, so what is near stays in it.
        self.at.near = if self.window.covers(position) {
            self.at.near(core)
        } else {
            0
        };
        if position < self.plain {
            self.at.near = self.at.near.min(position + u64::from(there));
        } else {
            after_a_look_in_vain(self.window.sight(), position);
        }
        Ok(there)
    }

    /// Whether a first look, at what is near, finds nothing.
    #[inline(always)]
    pub(super) fn sees_nothing(&self, core: &Core) -> bool {
        let At { position, near, .. } = self.at;
        let sight = self.window.sight();
        let nothing = position < near
            && committed(&core.format, sight, position).is_err_and(|state| !State::is_one(state));
        if nothing {
            after_a_look_in_vain(sight, position);
        }
        nothing
    }

    /// Takes the next record: steps past it, but keeps it held. Nothing is lent.
    #[inline(always)]
    pub(super) fn take(&mut self, core: &Core) -> Result<Option<Taken>, ReadError> {
        // By value: who looks in vain, which is often, would load all of it once more.
        let At { position, near, .. } = self.at;
        if position < near {
            let sight = self.window.sight();
            match self.at.take(&core.format, sight)? {
                Ok(taken) => return Ok(Some(taken)),
                Err(state) if !State::is_one(state) => {
                    after_a_look_in_vain(sight, position);
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
        Ok(self.at.take(&core.format, self.window.sight())?.ok())
    }
}

/// The second word of the header of the record at `position`, which the cursor's window covers and its slot
/// keeps from being overwritten, if one is committed there; its length is not checked. `Err`: what the stamp says instead,
/// see [`State::is_one`].
#[inline(always)]
fn committed(format: &Format, sight: Sight<'_>, position: u64) -> Result<u64, u64> {
    let (stamp, meta) = sight.header(position);
    // Edge 1, commit.
    let state = format.state(position, stamp.load(order::stamp_load()));
    if state == State::Committed as u64 {
        Ok(meta.load(Relaxed))
    } else {
        Err(state)
    }
}

/// A record that a cursor has stepped past and still holds: position, tag, payload length.
pub(super) type Taken = (u64, Tag, u32);

/// A record just taken, in the window in which it was. It must go before the cursor stores a position past it; so all who call
/// this borrow the subscriber for as long as the record lives.
#[inline]
pub(super) fn record(sight: Sight<'_>, (position, tag, len): Taken) -> Record<'_> {
    let start = sight.byte(position);
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
