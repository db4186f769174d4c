//! What a worker's handlers sent while the ring was full: bounded, and in order.

use super::aligned::{Block, bytes, bytes_mut};
use super::link::SendFault;
use crate::bus::{ClaimError, MessageId, Publisher, SourceId, Tag};

/// Records that wait for room, the oldest first.
#[derive(Debug)]
pub(crate) struct Spill {
    /// Records from `head` on: a header block, then the payload in whole blocks.
    blocks: Vec<Block>,
    head: usize,
    /// How many blocks may wait.
    limit: usize,
}

impl Block {
    fn header(tag: Tag, len: usize) -> Self {
        let mut header = Self::ZERO;
        header.0[..2].copy_from_slice(&tag.source.get().to_ne_bytes());
        header.0[2..4].copy_from_slice(&tag.message.get().to_ne_bytes());
        header.0[8..].copy_from_slice(&(len as u64).to_ne_bytes());
        header
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
        }
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
        let needed = 1 + len.div_ceil(Block::LEN);
        if self.blocks.len() - self.head + needed > self.limit {
            return None;
        }
        if self.blocks.len() + needed > self.limit {
            self.blocks.drain(..self.head);
            self.head = 0;
        }
        let start = self.blocks.len();
        let pushed = Pushed { spill: self, start };
        let blocks = &mut pushed.spill.blocks;
        blocks.push(Block::header(tag, len));
        blocks.resize(start + needed, Block::ZERO);
        let filled = fill(&mut bytes_mut(&mut blocks[start + 1..])[..len]);
        if filled.is_ok() {
            core::mem::forget(pushed);
        }
        Some(filled)
    }

    /// Sends what waits, in order, as far as there is room.
    ///
    /// # Errors
    ///
    /// Why the oldest of what is left could not be sent. [`ClaimError::NotSynced`]: all has been sent.
    pub(crate) fn send_by(&mut self, publisher: &mut Publisher) -> Result<(), ClaimError> {
        let mut result = Ok(());
        while let Some((tag, payload)) = self.front() {
            match publisher.try_send_grown(tag, payload) {
                Ok(_) => {}
                // It is out, and to be sent no second time.
                Err(error @ ClaimError::NotSynced(_)) => result = Err(error),
                Err(error) => return Err(error),
            }
            self.pop();
        }
        result
    }

    /// Why nothing more may wait in this spill of `limit` bytes, whose oldest record was `refused`.
    pub(crate) fn overflows(&self, limit: usize, refused: Option<ClaimError>) -> SendFault {
        match refused {
            None | Some(ClaimError::Full { .. } | ClaimError::NotSynced(_)) => {
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
            }
        }
    }

    /// How many records wait; looks at each.
    pub(crate) fn count(&self) -> u64 {
        let (mut at, mut count) = (self.head, 0);
        while let Some(header) = self.blocks.get(at) {
            at += 1 + header.tag_and_len().1.div_ceil(Block::LEN);
            count += 1;
        }
        count
    }
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
    use crate::bus::PAYLOAD_ALIGN;

    fn tag(n: u16) -> Tag {
        Tag::new(SourceId::new(n), MessageId::new(n + 1))
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
