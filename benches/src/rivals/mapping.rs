//! Memory which is all there, as the floor under whatever appends.

use std::fs::OpenOptions;
use std::path::Path;

use memmap2::{Advice, MmapMut};

use crate::log::{Done, Log, text};
use crate::payload::filled;

/// Payloads one after the other, from the start again at the end; no header, no check, no file, or
/// one that is there already.
pub(crate) struct Mapping<const FILE: bool> {
    memory: MmapMut,
    at: usize,
    /// Where the records begin that weren't read back, and how many they are.
    unread: (usize, u64),
}

/// Where a record goes, if the one before it ends at `at`.
#[inline(always)]
const fn place<const N: usize>(at: usize, len: usize) -> usize {
    if at + N > len { 0 } else { at }
}

impl<const N: usize, const FILE: bool> Log<N> for Mapping<FILE> {
    fn create(at: &Path, room: u64) -> Done<Self> {
        let memory = if FILE {
            let mut options = OpenOptions::new();
            let path = at.join("memory");
            options.create_new(true).read(true).write(true);
            let file = options.open(path).map_err(text)?;
            file.set_len(room).map_err(text)?;
            // SAFETY: the file is in a directory of this process's own, and nobody else opens it.
            unsafe { MmapMut::map_mut(&file) }
        } else {
            MmapMut::map_anon(room as usize)
        };
        let memory = memory.map_err(text)?;
        // What has no file can be had in larger pages, which is faster still.
        let _ = memory.advise(Advice::HugePage);
        memory.advise(Advice::PopulateWrite).map_err(text)?;
        Ok(Self {
            memory,
            at: 0,
            unread: (0, 0),
        })
    }

    #[inline(always)]
    fn append(&mut self, first: u64, count: u64) -> Done {
        self.unread = (self.at, count);
        let len = self.memory.len();
        for seq in first..first + count {
            let at = place::<N>(self.at, len);
            self.memory[at..at + N].copy_from_slice(&filled::<N>(seq));
            self.at = at + N;
        }
        Ok(())
    }

    fn aside(&mut self, mut each: impl FnMut(&[u8; N])) -> Done {
        let (mut end, count) = self.unread;
        for _ in 0..count {
            let at = place::<N>(end, self.memory.len());
            end = at + N;
            self.memory[at..end]
                .first_chunk()
                .into_iter()
                .for_each(&mut each);
        }
        Ok(())
    }

    fn read_back(self, _: &Path, _: impl FnMut(&[u8; N])) -> Done {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Checker;
    use crate::scratch::Scratch;

    #[test]
    fn at_the_end_it_goes_on_from_the_start() {
        let scratch = Scratch::new().unwrap();
        let mut log = <Mapping<true> as Log<64>>::create(scratch.path(), 64 * 10).unwrap();
        let mut checker = Checker::<1>::new();
        for first in [0, 7, 14] {
            Log::<64>::append(&mut log, first, 7).unwrap();
            log.aside(|bytes: &[u8; 64]| checker.take(bytes)).unwrap();
        }
        assert_eq!(checker.finish(), Ok(21));
    }
}
