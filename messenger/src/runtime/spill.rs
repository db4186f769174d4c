//! What a worker's handlers sent while the ring was full: bounded, and in order.

use super::aligned::{Block, bytes, bytes_mut};
use super::link::SendFault;
use crate::bus::{Claim, ClaimError, CommitError, MessageId, NotSynced, Publisher, SourceId, Tag};

/// Records that wait for room, the oldest first.
#[derive(Debug)]
pub(crate) struct Spill {
    /// Records from `head` on: a header block, then the payload in whole blocks.
    blocks: Vec<Block>,
    head: usize,
    /// How many blocks may wait.
    limit: usize,
    /// Up to where what was sent stands on the bus: of this spill, or directly.
    sent: u64,
}

impl Block {
    fn header(tag: Tag, len: usize, is_note: bool) -> Self {
        let mut header = Self::ZERO;
        header.0[4] = u8::from(is_note);
        header.0[..2].copy_from_slice(&tag.source.get().to_ne_bytes());
        header.0[2..4].copy_from_slice(&tag.message.get().to_ne_bytes());
        header.0[8..].copy_from_slice(&(len as u64).to_ne_bytes());
        header
    }

    fn is_note(&self) -> bool {
        self.0[4] != 0
    }

    fn tag_and_len(&self) -> (Tag, usize) {
        let [s0, s1, m0, m1, ..] = self.0;
        let mut len = [0; 8];
        len.copy_from_slice(&self.0[8..]);
        let tag = Tag::new(
            SourceId::new(u16::from_ne_bytes([s0, s1])),
            MessageId::new(u16::from_ne_bytes([m0, m1])),
        );
        (tag, u64::from_ne_bytes(len) as usize)
    }
}

impl Spill {
    /// A spill of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            blocks: Vec::new(),
            head: 0,
            limit: limit / Block::LEN,
            sent: 0,
        }
    }

    /// Something was sent, and `committed` so, also what did not have to wait. It is out all the same if it is not synced.
    #[inline]
    pub(crate) fn went_out(
        &mut self,
        committed: Result<u64, CommitError>,
    ) -> Result<(), CommitError> {
        match &committed {
            Ok(position) => self.reached(*position),
            Err(CommitError::NotSynced(error)) => self.reached(error.position()),
            Err(CommitError::Incomplete { .. }) => {}
        }
        committed.map(drop)
    }

    /// What was sent last stands at `position`.
    #[inline]
    pub(crate) fn reached(&mut self, position: u64) {
        self.sent = position + 1;
    }

    /// Whether all that was sent stands before `position`.
    pub(crate) fn all_sent_before(&self, position: u64) -> bool {
        self.sent <= position
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// How many bytes wait.
    pub(crate) fn used(&self) -> usize {
        (self.blocks.len() - self.head) * Block::LEN
    }

    /// Appends a record whose zeroed payload `fill` fills. `None`: it would pass the limit.
    pub(crate) fn push<E>(
        &mut self,
        tag: Tag,
        len: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Option<Result<(), E>> {
        if !self.fits(len) {
            return None;
        }
        let needed = 1 + len.div_ceil(Block::LEN);
        if self.blocks.len() + needed > self.limit {
            self.compact();
        }
        Some(self.append(tag, len, false, fill))
    }

    /// Whether a record with so many bytes of payload may wait too.
    pub(crate) fn fits(&self, len: usize) -> bool {
        self.blocks.len() - self.head + 1 + len.div_ceil(Block::LEN) <= self.limit
    }

    fn compact(&mut self) {
        self.blocks.drain(..self.head);
        self.head = 0;
    }

    fn append<E>(
        &mut self,
        tag: Tag,
        len: usize,
        is_note: bool,
        fill: impl FnOnce(&mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let needed = 1 + len.div_ceil(Block::LEN);
        let start = self.blocks.len();
        let pushed = Pushed { spill: self, start };
        let blocks = &mut pushed.spill.blocks;
        blocks.push(Block::header(tag, len, is_note));
        blocks.resize(start + needed, Block::ZERO);
        let filled = fill(&mut bytes_mut(&mut blocks[start + 1..])[..len]);
        if filled.is_ok() {
            core::mem::forget(pushed);
        }
        filled
    }

    /// Takes all that waits in `other`, behind what waits here, and lets so many bytes more wait.
    #[cfg(feature = "tokio")]
    pub(crate) fn take_all(&mut self, other: &mut Self) {
        let taken = &other.blocks[other.head..];
        self.limit = self.limit.saturating_add(taken.len());
        self.blocks.extend_from_slice(taken);
        self.sent = self.sent.max(other.sent);
        *other = Self {
            blocks: Vec::new(),
            head: 0,
            ..*other
        };
    }

    /// Sends what waits, in order, as far as there is room. Gives why the oldest of what is left could not be sent, and whether something
    /// that was sent is not synced.
    pub(crate) fn send_by(
        &mut self,
        publisher: &mut Publisher,
    ) -> (Option<ClaimError>, Option<NotSynced>) {
        let mut not_synced = None;
        while let Some((tag, payload)) = self.front() {
            let claim = match publisher.try_claim_grown(tag, payload.len()) {
                Ok(claim) => claim,
                Err(refused) => return (Some(refused), not_synced),
            };
            // It is out all the same.
            not_synced = self.send_front(claim).err().or(not_synced);
        }
        (None, not_synced)
    }

    /// Sends the oldest record by a claim that was made for it, and forgets it.
    pub(crate) fn send_front(&mut self, mut claim: Claim<'_>) -> Result<(), NotSynced> {
        // It cannot fail: the claim was made for so many bytes.
        if let Some((_, payload)) = self.front() {
            let _ = claim.writer().put(payload);
        }
        #[cfg(feature = "journal")]
        let is_note = self.front_is_note();
        self.pop();
        #[cfg(feature = "journal")]
        let committed = match is_note {
            true => claim.commit_note(),
            false => claim.commit(),
        };
        #[cfg(not(feature = "journal"))]
        let committed = claim.commit();
        match self.went_out(committed) {
            Err(CommitError::NotSynced(error)) => Err(error),
            Ok(()) | Err(CommitError::Incomplete { .. }) => Ok(()),
        }
    }

    /// Why nothing more may wait in this spill of `limit` bytes, whose oldest record was `refused`.
    pub(crate) fn overflows(&self, limit: usize, refused: Option<ClaimError>) -> SendFault {
        match refused {
            None | Some(ClaimError::Full { .. }) => {
                let used = self.used();
                SendFault::SpillFull { limit, used }
            }
            Some(error) => SendFault::Claim(error),
        }
    }

    /// The oldest record.
    pub(crate) fn front(&self) -> Option<(Tag, &[u8])> {
        let (tag, len) = self.blocks.get(self.head)?.tag_and_len();
        Some((tag, &bytes(&self.blocks[self.head + 1..])[..len]))
    }

    /// Forgets the oldest record.
    pub(crate) fn pop(&mut self) {
        if let Some(header) = self.blocks.get(self.head) {
            self.head += 1 + header.tag_and_len().1.div_ceil(Block::LEN);
            if self.head == self.blocks.len() {
                self.blocks.clear();
                self.head = 0;
            } else if self.head > 4096 && self.head > self.blocks.len() / 2 {
                // Else one that is never empty would grow for ever, if it has no limit to speak of.
                self.compact();
            }
        }
    }

    /// How many records wait, without the notes; looks at each.
    pub(crate) fn count(&self) -> u64 {
        let (mut at, mut count) = (self.head, 0);
        while let Some(header) = self.blocks.get(at) {
            at += 1 + header.tag_and_len().1.div_ceil(Block::LEN);
            count += u64::from(!header.is_note());
        }
        count
    }
}

#[cfg(feature = "journal")]
impl Spill {
    /// Appends a note. It is small, and has room also where the limit is reached.
    pub(crate) fn push_note(&mut self, tag: Tag, payload: &[u8]) {
        self.push_all(tag, true, payload);
    }

    fn push_all(&mut self, tag: Tag, is_note: bool, payload: &[u8]) {
        let filled = self.append(tag, payload.len(), is_note, |bytes| {
            bytes.copy_from_slice(payload);
            Ok::<(), core::convert::Infallible>(())
        });
        let Ok(()) = filled;
    }

    /// Appends all of these, and lets so many bytes more wait.
    pub(crate) fn take_over(&mut self, others: &[Waiting<'_>]) {
        let before = self.blocks.len();
        for other in others {
            self.push_all(other.tag, other.is_note, other.payload);
        }
        self.limit = self.limit.saturating_add(self.blocks.len() - before);
    }

    /// Whether the oldest record is a note.
    pub(crate) fn front_is_note(&self) -> bool {
        self.blocks.get(self.head).is_some_and(Block::is_note)
    }

    /// All that waits, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Waiting<'_>> {
        let mut at = self.head;
        core::iter::from_fn(move || {
            let header = self.blocks.get(at)?;
            let (tag, len) = header.tag_and_len();
            let payload = &bytes(&self.blocks[at + 1..])[..len];
            at += 1 + len.div_ceil(Block::LEN);
            let is_note = header.is_note();
            Some(Waiting {
                tag,
                is_note,
                payload,
            })
        })
    }
}

/// A record or note that waits.
#[cfg(feature = "journal")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Waiting<'a> {
    pub(crate) tag: Tag,
    pub(crate) is_note: bool,
    pub(crate) payload: &'a [u8],
}

/// Takes a record back whose payload could not be filled, also when the filling panics.
struct Pushed<'a> {
    spill: &'a mut Spill,
    start: usize,
}

impl Drop for Pushed<'_> {
    fn drop(&mut self) {
        self.spill.blocks.truncate(self.start);
        if self.spill.head == self.spill.blocks.len() {
            self.spill.blocks.clear();
            self.spill.head = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Bus, BusConfig, PAYLOAD_ALIGN, Start};

    fn tag(n: u16) -> Tag {
        Tag::new(SourceId::new(n), MessageId::new(n + 1))
    }

    #[cfg(feature = "journal")]
    #[test]
    fn notes_are_not_counted() {
        let mut spill = Spill::new(64);
        assert!(spill.fits(48) && !spill.fits(49));
        spill.push_note(tag(1), &[7; 20]);
        assert!(push(&mut spill, 2, 0) && !push(&mut spill, 3, 0));
        assert_eq!(spill.count(), 1);
    }

    fn push(spill: &mut Spill, n: u16, len: usize) -> bool {
        let fill = |payload: &mut [u8]| {
            assert_eq!(payload.as_ptr().addr() % PAYLOAD_ALIGN, 0);
            assert!(payload.iter().all(|&b| b == 0), "stale bytes");
            payload.fill(n as u8);
            Ok::<(), ()>(())
        };
        spill.push(tag(n), len, fill) == Some(Ok(()))
    }

    #[test]
    fn gives_back_in_order_what_was_put_in() {
        let mut spill = Spill::new(1 << 10);
        let (mut next_in, mut next_out) = (0_u16, 0_u16);
        for round in 0..200 {
            for _ in 0..=round % 5 {
                if push(&mut spill, next_in, usize::from(next_in % 40)) {
                    next_in += 1;
                }
            }
            for _ in 0..=round % 4 {
                let Some((got, payload)) = spill.front() else {
                    break;
                };
                assert_eq!(got, tag(next_out));
                assert_eq!(payload.len(), usize::from(next_out % 40));
                assert!(payload.iter().all(|&b| b == next_out as u8));
                spill.pop();
                next_out += 1;
            }
            assert_eq!(spill.count(), u64::from(next_in - next_out));
            assert_eq!(spill.is_empty(), next_in == next_out);
        }
        assert!(next_out > 100);
    }

    #[test]
    fn keeps_its_limit() {
        let mut spill = Spill::new(64);
        assert!(push(&mut spill, 1, 16));
        assert!(push(&mut spill, 2, 16));
        assert!(!push(&mut spill, 3, 0), "a fifth block");
        spill.pop();
        assert_eq!(spill.used(), 32);
        assert!(push(&mut spill, 3, 16));
        assert!(!push(&mut spill, 4, 1000));
    }

    #[cfg(feature = "journal")]
    #[test]
    fn notes_keep_their_place_and_have_room_beyond_the_limit() {
        let mut spill = Spill::new(64);
        assert!(push(&mut spill, 1, 16) && push(&mut spill, 2, 16));
        spill.push_note(tag(3), b"noted");
        assert!(!push(&mut spill, 4, 0));
        let mut other = Spill::new(0);
        other.take_over(&spill.iter().collect::<Vec<_>>());
        for spill in [&mut spill, &mut other] {
            let waiting: Vec<_> = spill.iter().map(|w| (w.tag, w.is_note)).collect();
            assert_eq!(waiting, [(tag(1), false), (tag(2), false), (tag(3), true)]);
            assert!(!spill.front_is_note());
            spill.pop();
            spill.pop();
            assert!(spill.front_is_note());
            assert_eq!(spill.front(), Some((tag(3), &b"noted"[..])));
            spill.pop();
            assert!(spill.is_empty() && !spill.front_is_note());
        }
    }

    #[test]
    fn one_that_is_never_empty_does_not_grow() {
        let mut spill = Spill::new(usize::MAX);
        for n in 0..20_000_u16 {
            assert!(push(&mut spill, n, 16));
            if n > 0 {
                assert_eq!(spill.front().map(|f| f.0), Some(tag(n - 1)));
                spill.pop();
            }
        }
        assert!(spill.blocks.len() < 10_000, "{} blocks", spill.blocks.len());
    }

    #[test]
    fn says_why_it_overflows() {
        let mut spill = Spill::new(64);
        assert!(push(&mut spill, 1, 20));
        let (needed, capacity) = (48, 4096);
        for readers in [None, Some(ClaimError::Full { needed, capacity })] {
            let fault = spill.overflows(64, readers);
            let full = matches!(
                fault,
                SendFault::SpillFull {
                    limit: 64,
                    used: 48
                }
            );
            assert!(full, "{fault:?}");
        }
        let fault = spill.overflows(64, Some(ClaimError::StorageFull { needed }));
        let full = matches!(
            fault,
            SendFault::Claim(ClaimError::StorageFull { needed: 48 })
        );
        assert!(full, "{fault:?}");
    }

    /// Panics where it is to wake somebody.
    struct Bang;

    impl std::task::Wake for Bang {
        fn wake(self: std::sync::Arc<Self>) {
            panic!("on waking");
        }
    }

    #[test]
    fn a_waker_that_panics_keeps_nothing_back() {
        use std::task::{Context, Waker};

        let bus = Bus::new(BusConfig::bytes(4096)).unwrap();
        let mut publisher = bus.publisher().unwrap();
        let mut sleeper = bus.subscribe(Start::Newest).unwrap();
        let waker = Waker::from(std::sync::Arc::new(Bang));
        let asleep = sleeper.poll_next(&mut Context::from_waker(&waker));
        assert!(asleep.unwrap().is_pending());
        let mut spill = Spill::new(1024);
        assert!(push(&mut spill, 1, 8) && push(&mut spill, 2, 8));
        assert_eq!(spill.send_by(&mut publisher), (None, None));
        let mut tags = Vec::new();
        sleeper.poll(9, |record| tags.push(record.tag())).unwrap();
        assert_eq!(tags, [tag(1), tag(2)]);
    }

    #[cfg(feature = "journal")]
    #[cfg_attr(miri, ignore = "needs files")]
    #[test]
    fn says_that_something_is_not_synced_and_what_becomes_of_the_next() {
        use crate::journal::testing::TempDir;
        use crate::journal::{Journal, JournalConfig, SyncPolicy};

        let dir = TempDir::new();
        let config = JournalConfig::new()
            .segment_bytes(1 << 16)
            .sync(SyncPolicy::EachRecord);
        let journal = Journal::open(&*dir, config).unwrap();
        let mut other = journal.bus().publisher().unwrap();
        let mut publisher = journal.bus().publisher().unwrap();
        let max = publisher.max_payload();
        let mut spill = Spill::new(usize::MAX);
        assert!(push(&mut spill, 1, 8) && push(&mut spill, 2, max + 1));
        // One that is open before it keeps it from being synced.
        let open = other.claim(tag(3), 8).unwrap();
        for is_sent in [true, false] {
            let (refused, not_synced) = spill.send_by(&mut publisher);
            let is_too_large = matches!(refused, Some(ClaimError::TooLarge { .. }));
            assert!(is_too_large, "{refused:?}");
            assert_eq!(not_synced.is_some(), is_sent);
            assert_eq!(spill.count(), 1);
        }
        drop(open);
    }

    #[test]
    fn takes_back_what_could_not_be_filled() {
        let mut spill = Spill::new(1024);
        assert_eq!(spill.push(tag(1), 20, |_| Err("no")), Some(Err("no")));
        assert!(spill.is_empty());
        assert!(push(&mut spill, 2, 20));
        let panics = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            spill.push(tag(3), 20, |_| -> Result<(), ()> {
                panic!("while filling")
            })
        }));
        assert!(panics.is_err());
        assert_eq!(
            (spill.count(), spill.front().map(|f| f.0)),
            (1, Some(tag(2)))
        );
    }
}
