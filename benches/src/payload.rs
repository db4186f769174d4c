//! What stands in each record, and the proof that it arrived whole, once and in order.
//!
//! Word `i` of the payload with sequence number `s` is `s + i`, so the writer touches every
//! byte, and the sum over all words is known to the reader: a torn payload has another one.

use std::hint::black_box;

/// Marks the last record of a writer.
const STOP: u64 = 1 << 55;
/// Where the writer's number stands in a sequence number.
const WRITER_SHIFT: u32 = 56;

/// The first sequence number of writer `index`.
pub(crate) const fn first_of(index: usize) -> u64 {
    (index as u64) << WRITER_SHIFT
}

/// The sequence number which says that nothing comes after `seq - 1`.
pub(crate) const fn stop_at(seq: u64) -> u64 {
    seq | STOP
}

/// Writes every byte of a payload.
#[inline(always)]
pub(crate) fn fill(to: &mut [u8], seq: u64) {
    for (i, word) in to.chunks_exact_mut(8).enumerate() {
        word.copy_from_slice(&seq.wrapping_add(i as u64).to_le_bytes());
    }
}

/// A filled payload.
#[inline(always)]
pub(crate) fn filled<const N: usize>(seq: u64) -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes, seq);
    bytes
}

#[inline(always)]
fn word(bytes: &[u8]) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(eight)
}

/// What is longer than this is read from front to back, as a program would read it: left alone, the compiler begins at
/// the end, which some processors do not fetch ahead.
const BLOCK: usize = 256;

/// Reads every byte of a payload.
#[inline(always)]
fn sum(bytes: &[u8]) -> u64 {
    let add = |sum: u64, eight: &[u8]| sum.wrapping_add(word(eight));
    if bytes.len() <= BLOCK {
        return bytes.chunks_exact(8).fold(0, add);
    }
    let block = |sum, block| black_box::<&[u8]>(block).chunks_exact(8).fold(sum, add);
    bytes.chunks(BLOCK).fold(0, block)
}

/// The sum of the payload with this sequence number.
#[inline(always)]
const fn sum_of<const N: usize>(seq: u64) -> u64 {
    let words = (N / 8) as u64;
    seq.wrapping_mul(words)
        .wrapping_add(words.wrapping_mul(words - 1) / 2)
}

/// Sums every payload and checks that none is torn, lost, repeated or out of order.
///
/// `WRITERS` of them, each with its own sequence.
pub(crate) struct Checker<const WRITERS: usize> {
    next: [u64; WRITERS],
    stopped: usize,
    bad: Option<String>,
}

impl<const WRITERS: usize> Checker<WRITERS> {
    pub(crate) fn new() -> Self {
        Self {
            next: std::array::from_fn(first_of),
            stopped: 0,
            bad: None,
        }
    }

    /// The same, where each writer's first `lead` records are taken for read.
    pub(crate) fn after(lead: u64) -> Self {
        let mut checker = Self::new();
        for next in &mut checker.next {
            *next += lead;
        }
        checker
    }

    /// Takes the next payload.
    #[inline(always)]
    pub(crate) fn take<const N: usize>(&mut self, bytes: &[u8; N]) {
        const {
            assert!(
                N >= 8 && N.is_multiple_of(8),
                "payloads are whole words: they carry a sequence number"
            );
        }
        let seq = word(bytes);
        let expected = sum_of::<N>(seq);
        let writer = if WRITERS == 1 {
            0
        } else {
            (seq >> WRITER_SHIFT) as usize % WRITERS
        };
        if sum(bytes) == expected && seq == self.next[writer] {
            self.next[writer] = seq + 1;
        } else {
            self.exception(seq, sum(bytes) == expected, writer);
        }
    }

    #[cold]
    #[inline(never)]
    fn exception(&mut self, seq: u64, whole: bool, writer: usize) {
        let next = self.next[writer];
        if whole && seq == stop_at(next) {
            self.stopped += 1;
        } else if self.bad.is_none() {
            let what = match (whole, seq.cmp(&next)) {
                (false, _) => "torn",
                (true, std::cmp::Ordering::Less) => "repeated or out of order",
                (true, _) => "lost records before it",
            };
            self.bad = Some(format!(
                "record {seq:#x} where {next:#x} was expected: {what}"
            ));
        }
    }

    /// How many records of the first writer came so far.
    pub(crate) fn came(&self) -> u64 {
        self.next[0] - first_of(0)
    }

    /// Whether every writer has said that it is done, or something was wrong.
    #[inline(always)]
    pub(crate) fn is_done(&self) -> bool {
        self.stopped == WRITERS || self.bad.is_some()
    }

    /// How many records came, those that say "done" left out.
    ///
    /// # Errors
    ///
    /// What was wrong with the first bad record.
    pub(crate) fn finish(self) -> Result<u64, String> {
        match self.bad {
            Some(bad) => Err(bad),
            None => Ok((0..WRITERS).map(|i| self.next[i] - first_of(i)).sum()),
        }
    }
}

/// Sums what payloads come of one writer's, and checks that none is torn, repeated or out of order; some may be missed.
#[derive(Default)]
pub(crate) struct Glimpses {
    next: u64,
    came: u64,
    bad: Option<String>,
}

impl Glimpses {
    /// Takes the next payload.
    #[inline(always)]
    pub(crate) fn take<const N: usize>(&mut self, bytes: &[u8; N]) {
        let seq = word(bytes);
        let whole = sum(bytes) == sum_of::<N>(seq);
        if !whole || seq < self.next {
            self.bad.get_or_insert_with(|| {
                let what = if whole {
                    "repeated or out of order"
                } else {
                    "torn"
                };
                format!(
                    "record {seq:#x} where {:#x} or later was expected: {what}",
                    self.next
                )
            });
        }
        self.next = seq + 1;
        self.came += 1;
    }

    /// How many came.
    ///
    /// # Errors
    ///
    /// What was wrong with the first bad record, or that there was none at all.
    pub(crate) fn finish(self) -> Result<u64, String> {
        match (self.bad, self.came) {
            (Some(bad), _) => Err(bad),
            (None, 0) => Err("one of those who look on saw no record".to_owned()),
            (None, came) => Ok(came),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_records_are_counted_per_writer() {
        let mut checker = Checker::<2>::new();
        for seq in [first_of(0), first_of(1), first_of(1) + 1] {
            checker.take(&filled::<64>(seq));
        }
        checker.take(&filled::<64>(stop_at(first_of(0) + 1)));
        assert!(!checker.is_done());
        checker.take(&filled::<64>(stop_at(first_of(1) + 2)));
        assert!(checker.is_done());
        assert_eq!(checker.finish(), Ok(3));
    }

    #[test]
    fn who_looks_on_may_miss_records_but_gets_them_whole_and_in_order() {
        let seen = |seqs: &[u64]| {
            let mut glimpses = Glimpses::default();
            for &seq in seqs {
                glimpses.take(&filled::<64>(seq));
            }
            glimpses.finish()
        };
        assert_eq!(seen(&[3, 4, 90, stop_at(91)]), Ok(4));
        assert!(seen(&[3, 4, 4]).unwrap_err().contains("repeated"));
        assert!(seen(&[]).unwrap_err().contains("no record"));
        let mut torn = filled::<64>(7);
        torn[60] ^= 1;
        let mut glimpses = Glimpses::default();
        glimpses.take(&torn);
        assert!(glimpses.finish().unwrap_err().contains("torn"));
    }

    #[test]
    fn a_loss_a_repeat_and_a_tear_are_seen() {
        for (seqs, says) in [([0, 2], "lost"), ([0, 0], "repeated")] {
            let mut checker = Checker::<1>::new();
            for seq in seqs {
                checker.take(&filled::<16>(seq));
            }
            assert!(checker.finish().unwrap_err().contains(says));
        }
        let mut torn = filled::<1024>(0);
        torn[1000..].copy_from_slice(&filled::<1024>(1)[1000..]);
        let mut checker = Checker::<1>::new();
        checker.take(&torn);
        assert!(checker.finish().unwrap_err().contains("torn"));
    }
}
