//! Walking over a journal's records by their headers, without being a member of the bus.

use core::ptr::NonNull;
use std::sync::atomic::Ordering;

use super::store::Store;
use crate::bus::kept::{
    Format, HEADER, State, Window, finish_store, glance_fence, line_for_reading, meta, meta_len,
    meta_tag,
};
use crate::bus::{Lost, MessageId, ReadError, SourceId, Tag};
use crate::checksum::crc32c;

/// What stands at a position, and where the next thing does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Step {
    pub(crate) kind: StepKind,
    pub(crate) position: u64,
    /// What the header says; without meaning for padding.
    pub(crate) tag: Tag,
    /// The length of the payload in bytes; 0 for padding.
    pub(crate) len: u32,
    pub(crate) next: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StepKind {
    Record,
    Note,
    Aborted,
    Padding,
}

/// A record that [`Walker::take`] has stepped past.
pub(crate) struct Taken {
    pub(crate) position: u64,
    pub(crate) tag: Tag,
    len: u32,
    /// What its stamp says: the state, and the checksum.
    said: u64,
    /// Where it lies.
    header: NonNull<u8>,
}

/// How far ahead of its position, in bytes, a walker asks for lines: the processor does so by itself, but not beyond a page.
const AHEAD: usize = 4096;

/// Walks from record to record. Whoever has one sees to it that the segments which it walks over are not given up.
pub(crate) struct Walker {
    format: Format,
    window: Window,
    pub(crate) position: u64,
}

impl Walker {
    pub(crate) fn new(store: &Store, position: u64) -> Self {
        Self {
            format: store.format(),
            window: store.nowhere(),
            position,
        }
    }

    /// One that stays in `window`, which need not be of a segment that could be mapped as it should be.
    pub(super) fn over(store: &Store, window: Window, position: u64) -> Self {
        Self {
            format: store.format(),
            window,
            position,
        }
    }

    /// Steps past the record at the walker's position, if a record is what stands there and its segment is the one in the window.
    /// Else [`look`](Self::look) says more.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Taken> {
        let position = self.position;
        if !self.window.covers(position) {
            return None;
        }
        // As in `look`.
        let (stamp, meta) = self.window.header(position);
        let said = self.format.said(position, stamp.load(Ordering::Relaxed));
        if self.format.state_of(said) != State::Committed as u64 {
            return None;
        }
        glance_fence();
        let meta = meta.load(Ordering::Relaxed);
        let len = meta_len(meta);
        self.position = self.format.next_record(position, len).ok()?;
        let header = self.window.byte(position);
        line_for_reading(header.as_ptr().wrapping_add(AHEAD));
        Some(Taken {
            position,
            tag: meta_tag(meta),
            len,
            said,
            header,
        })
    }

    /// Looks at what stands at the walker's position. `None`: nothing finished.
    #[inline]
    pub(crate) fn look(&mut self, store: &Store) -> Result<Option<Step>, ReadError> {
        let position = self.position;
        if !self.window.covers(position) {
            self.turn(store, position)?;
        }
        // Edge 1, commit. The mapping may be one for reading, where an acquiring load is more than may be asked for.
        let stamp = self.window.word(position).load(Ordering::Relaxed);
        let state = self.format.state(position, stamp);
        if !State::is_one(state) {
            return Ok(None);
        }
        glance_fence();
        self.step(position, state).map(Some)
    }

    #[inline]
    fn step(&self, position: u64, state: u64) -> Result<Step, ReadError> {
        let meta = self.window.word(position + 8).load(Ordering::Relaxed);
        let (tag, len) = (meta_tag(meta), meta_len(meta));
        let kind = if state == State::Committed as u64 {
            StepKind::Record
        } else if state == State::Padding as u64 {
            return Ok(Step {
                kind: StepKind::Padding,
                position,
                tag,
                len: 0,
                next: self.format.lap_end(position),
            });
        } else if state == State::Note as u64 {
            StepKind::Note
        } else {
            StepKind::Aborted
        };
        let next = self.format.next_record(position, len)?;
        Ok(Step {
            kind,
            position,
            tag,
            len,
            next,
        })
    }

    #[cold]
    fn turn(&mut self, store: &Store, position: u64) -> Result<(), Lost> {
        self.window = store.window_at(position)?;
        Ok(())
    }

    /// Where what is in use ends, from the walker's position to `end`, which lie in its window. `None`: all of it is zero.
    pub(super) fn used_to(&self, end: u64) -> Option<u64> {
        let words = (0..(end - self.position) / 8).rev();
        let words = words.map(|word| self.position + word * 8);
        let used = |at: &u64| self.window.word(*at).load(Ordering::Relaxed) != 0;
        { words }.find(used).map(|at| at + 8)
    }

    /// Makes the bytes from `position` to `end`, which nobody else looks at yet, one aborted record.
    pub(super) fn abort(&mut self, store: &Store, position: u64, end: u64) {
        if self.window.covers(position) || self.turn(store, position).is_ok() {
            let len = (end - position - HEADER) as u32;
            let none = Tag::new(SourceId::new(0), MessageId::new(0));
            let word = self.window.word(position + 8);
            word.store(meta(none, len), Ordering::Relaxed);
            fault!("hole_measured");
            let checksum = crc32c(self.bytes(position + 8, 8));
            let stamp = self.format.stamp(position, State::Aborted) ^ Format::mixed(checksum);
            let word = self.window.word(position);
            // Edge 1, commit.
            word.store(stamp, finish_store());
        }
    }

    /// Whether what a look has found is as it was when it was finished.
    #[inline]
    pub(crate) fn is_sound(&self, step: &Step) -> bool {
        let (state, covered) = match step.kind {
            StepKind::Record => (State::Committed, 8 + step.len as usize),
            StepKind::Note => (State::Note, 8 + step.len as usize),
            StepKind::Aborted => (State::Aborted, 8),
            StepKind::Padding => (State::Padding, 0),
        };
        self.fits(step.position, state, covered)
    }

    /// Whether the stamp at `position` is that of the state with the checksum of so many bytes after it.
    #[inline]
    fn fits(&self, position: u64, state: State, covered: usize) -> bool {
        let checksum = match covered {
            0 => 0,
            covered => crc32c(self.bytes(position + 8, covered)),
        };
        let stamp = self.window.word(position).load(Ordering::Relaxed);
        stamp == self.format.stamp(position, state) ^ Format::mixed(checksum)
    }

    /// Whether what was taken last is as it was when it was committed.
    #[inline]
    pub(crate) fn is_sound_record(&self, taken: &Taken) -> bool {
        let checksum = crc32c(self.bytes_of(taken, 8, 8 + taken.len as usize));
        taken.said == State::Committed as u64 ^ Format::mixed(checksum)
    }

    /// The payload of what was taken last.
    #[inline]
    pub(crate) fn payload_of(&self, taken: &Taken) -> &[u8] {
        self.bytes_of(taken, HEADER as usize, taken.len as usize)
    }

    #[inline]
    fn bytes_of(&self, taken: &Taken, at: usize, len: usize) -> &[u8] {
        // SAFETY: as for `bytes`, whose `look` is `take` here. The window is still the one in which it was taken, for only `look` turns to another;
        // and `take` has checked that the record ends there.
        unsafe { core::slice::from_raw_parts(taken.header.as_ptr().add(at), len) }
    }

    /// The payload of what the last look has found.
    #[inline]
    pub(crate) fn payload(&self, step: &Step) -> &[u8] {
        self.bytes(step.position + HEADER, step.len as usize)
    }

    #[inline]
    fn bytes(&self, position: u64, len: usize) -> &[u8] {
        let start = self.window.byte(position);
        // SAFETY: `look` has found the record finished (edge 1: all its bytes were written before) and inside the window,
        // which stays mapped as long as it is borrowed. The bytes of a finished record are never written again: positions
        // only grow, and a segment that is given up is unlinked, not written over. That nobody else writes to the files is
        // what `Journal::open` and `Reader::open` ask for.
        unsafe { core::slice::from_raw_parts(start.as_ptr(), len) }
    }
}
