//! Claims and reservations: places in the order that are being filled.

use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::layout::{HEADER, State};
use super::payload::PayloadWriter;
use super::prefetch;
use super::ring::{Memory, Room};
use super::shared::{Core, View};
use super::{ClaimError, CommitError, NotSynced, Tag, record_len};
use crate::sync::AtomicU64;

/// A run of the ring that this publisher has claimed and not finished: `next == end` if none.
/// Claims are carved from its front; what is left when it is closed is aborted.
pub(super) struct Open {
    pub(super) core: Core,
    pub(super) room: Room<View>,
    next: u64,
    end: u64,
}

impl Open {
    pub(super) fn new(core: Core, slot: usize) -> Self {
        let window = core.memory.window();
        Self {
            core,
            room: Room::new(slot, window),
            next: 0,
            end: 0,
        }
    }

    #[inline]
    pub(super) fn begin(&mut self, position: u64, bytes: u64) {
        self.next = position;
        self.end = position + bytes;
    }

    /// Aborts what was left: the rest of a reservation, or a claim that was forgotten.
    #[inline]
    pub(super) fn close(&mut self) {
        if self.next != self.end {
            self.abort_rest();
        }
    }

    #[cold]
    fn abort_rest(&mut self) {
        let position = self.next;
        self.next = self.end;
        let Room { window, slot, .. } = &self.room;
        self.core.abort_last((window, *slot), position, self.end);
    }

    /// The record at `position`, up to `next`, whose stamp is `stamp`, has become `state`; see [`Ring::finish`](super::ring::Ring::finish). Waits until
    /// it is synced, if each record is to be, and `syncs` says so.
    #[inline]
    fn finish(
        &mut self,
        stamp: &AtomicU64,
        (position, next): (u64, u64),
        state: State,
        bytes: u64,
        syncs: bool,
    ) -> Result<(), NotSynced> {
        self.next = next;
        let Self { core, room, .. } = self;
        if !core.announces() {
            core.finish_plain(stamp, position, state);
        } else if core.is_kept() {
            return self.finish_kept((position, next), state, bytes, syncs);
        } else {
            let last = next == self.end;
            core.finish_announced(stamp, position, state, (room.slot, last));
        }
        Ok(())
    }

    /// The same on a bus that is kept.
    #[inline(never)]
    fn finish_kept(
        &mut self,
        (position, next): (u64, u64),
        state: State,
        bytes: u64,
        syncs: bool,
    ) -> Result<(), NotSynced> {
        let Self { core, room, .. } = self;
        let Room { window, slot, .. } = room;
        if next == self.end {
            core.finish_last((window, *slot), position, state, bytes);
        } else {
            core.finish(window, position, state, bytes);
        }
        if syncs {
            return self.sync(position, next);
        }
        Ok(())
    }

    /// On a bus that is kept, if each record is to be synced: waits until that at `position`, up to `next`, is, and all before it.
    fn sync(&self, position: u64, next: u64) -> Result<(), NotSynced> {
        let committed = self.core.memory.committed(next);
        committed.map_err(|lost| NotSynced(lost.at(position)))
    }

    /// The claim of a record with a payload of `len` bytes, which is known to fit in the run.
    #[inline]
    pub(super) fn carve(&mut self, tag: Tag, len: usize) -> Claim<'_> {
        let position = self.next;
        let window = &self.room.window;
        let at = window.byte(position);
        prefetch::before_writing(window, position, record_len(len));
        self.core.write_meta(window, position, tag, len as u32);
        Claim {
            at,
            position,
            len,
            left: len,
            open: self,
        }
    }
}

/// A place in the order, and the bytes for its payload. Fill it and commit it; dropped, or when
/// the code that fills it panics, it is aborted, and readers step over it.
///
/// ```
/// use messenger::bus::{Bus, BusConfig, MessageId, SourceId, Start, Tag};
///
/// let bus = Bus::new(BusConfig::bytes(4096))?;
/// let mut publisher = bus.publisher()?;
/// let mut subscriber = bus.subscribe(Start::Oldest)?;
/// let tag = Tag::new(SourceId::new(1), MessageId::new(1));
///
/// drop(publisher.claim(tag, 8)?); // aborted
/// let mut claim = publisher.claim(tag, 4)?;
/// claim.writer().put(&[1, 2])?;
/// claim.writer().put(&[3, 4])?;
/// let position = claim.commit()?;
///
/// let record = subscriber.try_next()?.expect("it was committed");
/// assert_eq!((record.position(), record.payload()), (position, &[1, 2, 3, 4][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a claim that is dropped is aborted"]
pub struct Claim<'a> {
    open: &'a mut Open,
    /// Where the record lies, in the window of `open`, which stays where it is while there is a claim.
    at: NonNull<u8>,
    position: u64,
    /// The payload's bytes, all of them inside the run that `open` owns.
    len: usize,
    /// How many of them, the last ones, have still to be written.
    left: usize,
}

impl Claim<'_> {
    /// The record's position.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The payload's length in bytes.
    #[must_use]
    pub fn payload_len(&self) -> usize {
        self.len
    }

    #[inline]
    fn payload(&self) -> NonNull<u8> {
        // SAFETY: the record lies in one piece in the window, and its header is so long.
        unsafe { self.at.add(HEADER as usize) }
    }

    /// The sink for the payload's bytes, from front to back: it goes on where the last one ended.
    #[inline]
    pub fn writer(&mut self) -> PayloadWriter<'_> {
        let start = self.payload();
        // SAFETY: the publisher owns [next, end) until it finishes it (docs/bus.md, rule 1), the
        // payload lies inside it and before the ring's end, and the writer borrows the claim,
        // which borrows the publisher, so there is no other writer over these bytes.
        unsafe { PayloadWriter::resume(start, self.len, &mut self.left) }
    }

    /// The payload's bytes, for building in place; those not yet written are zero.
    #[inline]
    pub fn zeroed(&mut self) -> &mut [u8] {
        let left = self.left;
        // It cannot fail: just so many remain.
        let _ = self.writer().put_zeros(left);
        let start = self.payload();
        // SAFETY: the claim owns these bytes until it is finished (docs/bus.md, rule 1); all of
        // them have been written, and no writer lives while this borrow lasts.
        unsafe { core::slice::from_raw_parts_mut(start.as_ptr(), self.len) }
    }

    /// Makes the record visible to all; gives its position.
    ///
    /// # Errors
    ///
    /// [`CommitError::Incomplete`] if not all bytes were written; then it is aborted. [`CommitError::NotSynced`] on a
    /// journal that syncs each record, if the disk failed; the record is visible all the same.
    #[inline]
    pub fn commit(self) -> Result<u64, CommitError> {
        self.commit_as(State::Committed, true)
    }

    /// As [`commit`](Self::commit), and leaves the syncing to [`Reservation::sync`].
    #[inline]
    pub(crate) fn commit_unsynced(self) -> Result<u64, CommitError> {
        self.commit_as(State::Committed, false)
    }

    #[inline]
    fn commit_as(self, state: State, syncs: bool) -> Result<u64, CommitError> {
        if self.left != 0 {
            return Err(CommitError::Incomplete {
                written: self.len - self.left,
                claimed: self.len,
            });
        }
        Ok(self.finish(state, syncs)?)
    }

    /// As [`commit`](Self::commit), as a record of the bus's own, which readers step over. It is nobody's, and who writes it shall not wait.
    #[cfg(feature = "journal")]
    pub(crate) fn commit_note(self) -> Result<u64, CommitError> {
        self.commit_as(State::Note, false)
    }

    /// Writes `payload`, for whose length the claim was made, and commits it.
    #[inline]
    pub(super) fn fill(self, payload: &[u8]) -> Result<u64, ClaimError> {
        self.fill_as(State::Committed, payload)
    }

    #[inline]
    pub(super) fn fill_as(mut self, state: State, payload: &[u8]) -> Result<u64, ClaimError> {
        debug_assert_eq!(payload.len(), self.len);
        // It cannot fail: the claim was made for so many bytes.
        let _ = self.writer().put(payload);
        Ok(self.finish(state, state == State::Committed)?)
    }

    #[inline]
    fn finish(self, state: State, syncs: bool) -> Result<u64, NotSynced> {
        let mut this = ManuallyDrop::new(self);
        let (position, len) = (this.position, this.len);
        let next = position + record_len(len) as u64;
        let covered = len as u64 + HEADER / 2;
        // SAFETY: as of `Window::header`, of this position; the window is there for as long as the claim, and not moved.
        let stamp = unsafe { AtomicU64::from_ptr(this.at.cast().as_ptr()) };
        this.open
            .finish(stamp, (position, next), state, covered, syncs)?;
        Ok(position)
    }
}

// SAFETY: all but `at` may go to other threads (asked below), and `at` leads where the window in `open` does.
unsafe impl Send for Claim<'_> {}
// SAFETY: as above.
unsafe impl Sync for Claim<'_> {}

const _: () = {
    const fn is_for_any_thread<T: Send + Sync>() {}
    is_for_any_thread::<&mut Open>();
};

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let end = self.position + record_len(self.len) as u64;
        let open = &mut *self.open;
        open.next = end;
        let Room { window, slot, .. } = &open.room;
        if end == open.end {
            let last = (window, *slot);
            open.core.abort_last(last, self.position, end);
        } else {
            open.core.abort(window, self.position, end);
        }
    }
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claim")
            .field("position", &self.position)
            .field("len", &self.len)
            .field("left", &self.left)
            .finish()
    }
}

/// A run of the ring for several records, claimed at once. Each is committed by itself, in
/// order; what is left when the reservation goes is aborted.
#[must_use = "a reservation that is dropped is aborted"]
pub struct Reservation<'a> {
    open: &'a mut Open,
}

impl<'a> Reservation<'a> {
    #[inline]
    pub(super) fn new(open: &'a mut Open) -> Self {
        Self { open }
    }

    /// How many bytes are left, headers included.
    #[must_use]
    pub fn remaining(&self) -> usize {
        (self.open.end - self.open.next) as usize
    }

    /// The next record of the run, with a payload of `len` bytes. (A claim that was forgotten
    /// gives its place to this one.)
    ///
    /// # Errors
    ///
    /// [`ClaimError::RunTooLarge`] if it does not fit in what is left.
    #[inline]
    pub fn claim(&mut self, tag: Tag, len: usize) -> Result<Claim<'_>, ClaimError> {
        let left = self.remaining();
        // The first test keeps the second's sum from overflowing.
        if len > left || record_len(len) > left {
            return Err(ClaimError::RunTooLarge {
                bytes: len.saturating_add(HEADER as usize),
                max: left,
            });
        }
        Ok(self.open.carve(tag, len))
    }

    /// Sends `payload` as the next record of the run; gives its position.
    ///
    /// # Errors
    ///
    /// [`ClaimError::RunTooLarge`] if it does not fit in what is left.
    #[inline]
    pub fn send(&mut self, tag: Tag, payload: &[u8]) -> Result<u64, ClaimError> {
        self.claim(tag, payload.len())?.fill(payload)
    }

    /// Ends the run, and waits for the syncing that [`Claim::commit_unsynced`] has left, also of the last record, which is at `last`.
    pub(crate) fn sync(self, last: u64) -> Result<(), NotSynced> {
        let open = &mut *self.open;
        let next = open.next;
        // Nobody shall wait for what is left while this one waits.
        open.close();
        if !open.core.is_kept() {
            return Ok(());
        }
        open.sync(last, next)
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.open.close();
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("remaining", &self.remaining())
            .finish()
    }
}
