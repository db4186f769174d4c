//! Notes: the journal's own records, which readers of messages step over.
//!
//! A note's source is who it is about (0: nobody), and its message id is its kind:
//!
//! | kind | about | payload |
//! |---|---|---|
//! | 1 time | nobody | nanoseconds since 1970, u64, when all before it had been published |
//! | 2 begin | nobody | a worker's handlers have been made: the position of the first record they may get, u64; then `Table.worker` |
//! | 3 restored | nobody | a worker's handlers have been brought to where they were, and go on: `Table.worker` |
//! | 4 end | nobody | a worker's handlers are told to stop; what they send from here on is not looked at: `Table.worker` |
//! | 5 timer | a source | a timer of this handler fires: the position of the record that its worker takes next, u64; the timer's number, u64 |
//! | 6 clock | a source | what this handler was told when it asked for the time: nanoseconds since 1970, u64 |
//! | 7 random | a source | the random number that it was told, u64 |
//! | 8 outside | a source | what this handler sends next has no cause in the journal: nothing |
//! | 9 withdrawn | a source | it sends nothing so, after all: nothing |
//! | 10 given up | a source | this handler has panicked and is not called any more, or has stopped the run by an error: the position of the record in hand, or of the last one, u64; how often it has panicked, u64, if it was too often to be made again, else 0 |
//! | 11 member | nobody | a process runs the worker as one of a pool, and what each of them is given stands nowhere: `Table.worker` |
//! | 12 handled | nobody | all that a worker's handlers sent in answer to the record at this position, u64, and to those before it, stands before this note: then `Table.worker` |
//! | 13 longest | nobody | from the record at this position on, u64, the payload of what a worker's handlers send has at most so many bytes, u64; then `Table.worker` |
//!
//! All numbers are little-endian. A note of another kind is stepped over.

use crate::bus::{MessageId, SourceId, Tag};

/// What a note says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub(crate) enum NoteKind {
    /// What time it was.
    Time = 1,
    /// Handlers of a worker have been made.
    Begin = 2,
    /// Handlers of a worker go on where they were.
    Restored = 3,
    /// Handlers of a worker are told to stop.
    End = 4,
    /// A timer fires.
    Timer = 5,
    /// What a handler was told of the time.
    Clock = 6,
    /// The random number that a handler was told.
    Random = 7,
    /// What comes next has no cause in the journal.
    Outside = 8,
    /// What was to come after `Outside` does not.
    Withdrawn = 9,
    /// A handler is not called any more after a panic, or has stopped the run by an error.
    GivenUp = 10,
    /// A member begins of a pool that several processes may run.
    Member = 11,
    /// All that a worker sent in answer to the records up to a position stands before this.
    Handled = 12,
    /// How long a payload of a worker's handlers may be, from a position on.
    Longest = 13,
}

impl NoteKind {
    const ALL: [Self; 13] = [
        Self::Time,
        Self::Begin,
        Self::Restored,
        Self::End,
        Self::Timer,
        Self::Clock,
        Self::Random,
        Self::Outside,
        Self::Withdrawn,
        Self::GivenUp,
        Self::Member,
        Self::Handled,
        Self::Longest,
    ];

    /// The kind of the note with this tag, if it is one that is known.
    pub(crate) fn of(tag: Tag) -> Option<Self> {
        let index = usize::from(tag.message.get()).checked_sub(1)?;
        Self::ALL.get(index).copied()
    }

    /// The tag of a note of this kind about nobody.
    pub(crate) const fn of_nobody(self) -> Tag {
        self.about(SourceId::new(0))
    }

    /// The tag of a note of this kind about a source.
    pub(crate) const fn about(self, source: SourceId) -> Tag {
        Tag::new(source, MessageId::new(self as u16))
    }
}

/// The payload of a note of one number: of the time, a clock or a random number.
pub(crate) const fn number(value: u64) -> [u8; 8] {
    value.to_le_bytes()
}

/// The number that a note begins with, if it does.
pub(crate) fn number_of(payload: &[u8]) -> Option<u64> {
    payload
        .first_chunk()
        .map(|bytes| u64::from_le_bytes(*bytes))
}

/// The time that a note says, if it says one.
pub(crate) fn time_of(tag: Tag, payload: &[u8]) -> Option<u64> {
    match NoteKind::of(tag)? {
        NoteKind::Time => number_of(payload),
        _ => None,
    }
}

/// The payload of a note of a position and a worker.
pub(crate) fn place(position: u64, worker: &str) -> Vec<u8> {
    [&position.to_le_bytes()[..], worker.as_bytes()].concat()
}

/// What such a note says: where, and of which worker.
pub(crate) fn place_of(payload: &[u8]) -> Option<(u64, &[u8])> {
    Some((number_of(payload)?, payload.get(8..)?))
}

/// The payload of a note of how long payloads may be.
pub(crate) fn longest(from: u64, max: u64, worker: &str) -> Vec<u8> {
    [&from.to_le_bytes()[..], &place(max, worker)].concat()
}

/// What such a note says: from where on, how long, and of which worker.
pub(crate) fn longest_of(payload: &[u8]) -> Option<(u64, u64, &[u8])> {
    let (max, worker) = place_of(payload.get(8..)?)?;
    Some((number_of(payload)?, max, worker))
}

/// The payload of a note of a timer.
pub(crate) fn timer(next: u64, number: u64) -> [u8; 16] {
    let mut payload = [0; 16];
    payload[..8].copy_from_slice(&next.to_le_bytes());
    payload[8..].copy_from_slice(&number.to_le_bytes());
    payload
}

/// What a note of a timer says: the position of the record that comes next, and the timer's number.
pub(crate) fn timer_of(payload: &[u8]) -> Option<(u64, u64)> {
    Some((number_of(payload)?, number_of(payload.get(8..)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_was_put_in() {
        for (index, kind) in NoteKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index + 1);
            assert_eq!(NoteKind::of(kind.about(SourceId::new(7))), Some(kind));
        }
        for unknown in [0, 14, u16::MAX] {
            let tag = Tag::new(SourceId::new(1), MessageId::new(unknown));
            assert_eq!(NoteKind::of(tag), None);
        }
        assert_eq!(place_of(&place(5, "A.b")), Some((5, &b"A.b"[..])));
        let longest = longest(5, 6, "A.b");
        assert_eq!(longest_of(&longest), Some((5, 6, &b"A.b"[..])));
        assert_eq!(longest_of(&longest[..15]), None);
        assert_eq!(timer_of(&timer(5, 6)), Some((5, 6)));
        assert_eq!(timer_of(&timer(5, 6)[..15]), None);
        assert_eq!(place_of(b"short"), None);
    }
}
