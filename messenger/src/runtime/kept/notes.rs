//! What a worker does besides sending when its bus is a journal: it notes down what its handlers could not be made to do again
//! from the records alone.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::rehearsal::Rehearsal;
use crate::bus::{ClaimError, Tag};
use crate::journal::note::{self, NoteKind};
use crate::runtime::deliver::returned;
use crate::runtime::failure::Call;
use crate::runtime::link::{Link, SendError, SendFault};
use crate::runtime::outbox::{Seat, random};

/// What a link has for a journal.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// Whether the bus is one.
    pub(crate) on: bool,
    /// Whether what handlers send now goes another way than at once to the bus: they rehearse, or nothing on the bus is the cause of
    /// it.
    pub(crate) aside: bool,
    /// If a note says that something comes which has not come yet: the tag of the one that takes it back.
    announced: Option<Tag>,
    pub(crate) rehearsal: Option<Box<Rehearsal>>,
    /// How often which handler has panicked, but for panics that had no cause on the bus.
    panics: Vec<(u16, u64)>,
}

/// Nanoseconds since 1970.
pub(crate) fn nanos_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// The time at so many nanoseconds since 1970.
fn time_at(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

impl Link {
    /// Handlers are called for something else from now on.
    pub(in crate::runtime) fn turned(&mut self) {
        if let Some(withdrawn) = self.kept.announced.take() {
            // Its code panicked before it was sent.
            self.note(withdrawn, &[]);
        }
        self.kept.aside = self.kept.rehearsal.is_some() || self.call == Some(Call::OnLoop);
    }

    /// Counts a panic of the handler at `index`. Gives how many there have been.
    pub(in crate::runtime) fn count_panic(&mut self, index: u16) -> u64 {
        let panics = &mut self.kept.panics;
        if let Some((_, times)) = panics.iter_mut().find(|it| it.0 == index) {
            *times += 1;
            return *times;
        }
        panics.push((index, 1));
        1
    }

    /// Notes down that the handler at `index` stops something by what it does about the record in hand: what it does about it when it is mended, and about
    /// those after it, is new.
    pub(in crate::runtime) fn note_given_up(&mut self, index: u16, panics: u64) {
        if self.kept.on && self.kept.rehearsal.is_none() {
            let source = self.info.handlers[usize::from(index)].source.id;
            let payload = note::timer(self.position, panics);
            self.note(NoteKind::GivenUp.about(source), &payload);
        }
    }

    /// Notes down how long a payload of the worker can be from `start` on, if that is not what is known.
    pub(super) fn note_longest(&mut self, (start, known): (u64, usize), worker: &str) {
        let max = self.publisher.max_payload();
        if max != known {
            let payload = note::longest(start, max as u64, worker);
            self.note(NoteKind::Longest.of_nobody(), &payload);
        }
    }

    /// Whether so many bytes of payload may go to the spill, if there is no room for them.
    fn may_wait(&self, len: usize) -> bool {
        self.spill.is_empty() || self.spill.fits(len)
    }

    /// Whether a timer may fire: one that fires again and again would fill the memory with its notes.
    pub(in crate::runtime) fn can_note_timer(&self) -> bool {
        !self.kept.on || self.may_wait(size_of_val(&note::timer(0, 0)))
    }

    /// Writes a note, in its place among what this worker sends. It may wait beyond the spill's limit: what comes without end asks before.
    pub(crate) fn note(&mut self, tag: Tag, payload: &[u8]) {
        if self.spill.is_empty() {
            match self.publisher.try_note_grown(tag, payload) {
                Ok(_) | Err(ClaimError::NotSynced(_)) => return,
                Err(_) => {}
            }
        }
        self.spill.push_note(tag, payload);
        self.flush();
    }

    /// Keeps what is sent in a rehearsal; sends what is sent without a cause, and says so.
    pub(in crate::runtime) fn send_aside(
        &mut self,
        seat: Seat,
        tag: Tag,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), SendFault>,
    ) -> Result<(), SendFault> {
        if let Some(rehearsal) = &mut self.kept.rehearsal {
            return rehearsal.send(tag, len, fill);
        }
        let max = self.publisher.max_payload();
        if len > max {
            return Err(SendFault::Claim(ClaimError::TooLarge { len, max }));
        }
        if !self.may_wait(len) {
            // The notes have no limit: one that tries again in each turn would fill the memory with what does not come.
            return Err(self.spill_is_full());
        }
        self.note(NoteKind::Outside.about(seat.source), &[]);
        let withdrawn = NoteKind::Withdrawn.about(seat.source);
        self.kept.announced = Some(withdrawn);
        let sent = self.put(tag, len, fill);
        self.kept.announced = None;
        if sent.is_err() {
            self.note(withdrawn, &[]);
        }
        sent
    }

    fn put(
        &mut self,
        tag: Tag,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), SendFault>,
    ) -> Result<(), SendFault> {
        if self.spill.is_empty() {
            match self.publisher.try_claim_grown(tag, len) {
                Ok(mut claim) => {
                    fill(claim.zeroed())?;
                    let sent = self.spill.went_out(claim.commit());
                    return sent.map_err(SendFault::Commit);
                }
                Err(ClaimError::Full { .. }) => {}
                Err(error) => return Err(SendFault::Claim(error)),
            }
        }
        self.spill(tag, len, fill)
    }

    /// What time it is, or was when the journal was written.
    #[cold]
    pub(in crate::runtime) fn kept_now(&mut self, seat: Seat) -> SystemTime {
        time_at(self.value(seat, NoteKind::Clock, nanos_now))
    }

    /// A random number, or the one there was when the journal was written.
    #[cold]
    pub(in crate::runtime) fn kept_random(&mut self, seat: Seat) -> u64 {
        self.value(seat, NoteKind::Random, random)
    }

    fn value(&mut self, seat: Seat, kind: NoteKind, take: fn() -> u64) -> u64 {
        if let Some(rehearsal) = &mut self.kept.rehearsal {
            return rehearsal.value(seat.source, kind, take);
        }
        let value = take();
        // What has no cause on the bus is not done again.
        if matches!(self.call, Some(Call::OnLoop | Call::OnStop)) {
            return value;
        }
        let payload = note::number(value);
        if self.may_wait(payload.len()) {
            self.note(kind.about(seat.source), &payload);
            return value;
        }
        let error = SendError {
            worker: self.info.name,
            handler: self.info.handlers[usize::from(seat.index)].name,
            message: match kind {
                NoteKind::Clock => "note of the time",
                _ => "note of a random number",
            },
            fault: self.spill_is_full(),
        };
        returned(self, seat, error.into());
        value
    }
}
