//! Files, as one writes and reads them by hand.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use memmap2::Mmap;

use crate::log::{Done, Log, Replay, Synced, text};
use crate::payload::filled;

/// A whole number of pages and of records of 80 bytes; for 64 and 1024 bytes the best of 16 KiB to 1 MiB.
const BUFFER: usize = 160 << 10;

const NAME: &str = "records";

/// What stands before each payload, if anything does: as many bytes as before ours.
const HEADER: usize = 16;

#[inline(always)]
fn header<const N: usize>(seq: u64) -> [u8; HEADER] {
    let mut bytes = [0; HEADER];
    bytes[..8].copy_from_slice(&seq.to_le_bytes());
    bytes[8..12].copy_from_slice(&(N as u32).to_le_bytes());
    bytes[12..].copy_from_slice(&[1, 0, 1, 0]);
    bytes
}

#[inline(always)]
fn put<const N: usize, const HEADED: bool>(
    to: &mut BufWriter<File>,
    first: u64,
    count: u64,
) -> Done {
    for seq in first..first + count {
        if HEADED {
            to.write_all(&header::<N>(seq)).map_err(text)?;
        }
        to.write_all(&filled::<N>(seq)).map_err(text)?;
    }
    Ok(())
}

fn open(at: &Path) -> Done<BufReader<File>> {
    let file = File::open(at.join(NAME)).map_err(text)?;
    Ok(BufReader::with_capacity(BUFFER, file))
}

const fn record<const N: usize, const HEADED: bool>() -> u64 {
    N as u64 + if HEADED { HEADER as u64 } else { 0 }
}

/// Hands over the records from the one with the number `first` on, which comes next.
fn get<const N: usize, const HEADED: bool>(
    (mut from, first): (BufReader<File>, u64),
    mut each: impl FnMut(&[u8; N]),
) -> Done {
    let end = from.get_ref().metadata().map_err(text)?.len();
    let records = end / record::<N, HEADED>();
    let mut head = [0; HEADER];
    let mut bytes = [0; N];
    for seq in first..records {
        if HEADED {
            from.read_exact(&mut head).map_err(text)?;
            if head != header::<N>(seq) {
                return Err(format!("record {seq} has the header {head:?}"));
            }
        }
        from.read_exact(&mut bytes).map_err(text)?;
        each(&bytes);
    }
    Ok(())
}

/// `BufWriter` and `BufReader`, with a header before each payload or without.
pub(crate) struct Buffered<const HEADED: bool>(BufWriter<File>);

impl<const N: usize, const HEADED: bool> Log<N> for Buffered<HEADED> {
    fn create(at: &Path, _: u64) -> Done<Self> {
        let file = File::create(at.join(NAME)).map_err(text)?;
        Ok(Self(BufWriter::with_capacity(BUFFER, file)))
    }

    #[inline(always)]
    fn append(&mut self, first: u64, count: u64) -> Done {
        put::<N, HEADED>(&mut self.0, first, count)
    }

    fn flush(&mut self) -> Done {
        self.0.flush().map_err(text)
    }

    fn read_back(self, at: &Path, each: impl FnMut(&[u8; N])) -> Done {
        drop(self);
        get::<N, HEADED>((open(at)?, 0), each)
    }
}

/// Reads what [`Buffered`] wrote.
pub(crate) struct BufferedReplay<const HEADED: bool>(BufReader<File>, u64);

impl<const N: usize, const HEADED: bool> Replay<N> for BufferedReplay<HEADED> {
    type Log = Buffered<HEADED>;

    fn open(at: &Path, lead: u64) -> Done<Self> {
        let mut from = open(at)?;
        let start = SeekFrom::Start(lead * record::<N, HEADED>());
        from.seek(start).map_err(text)?;
        Ok(Self(from, lead))
    }

    fn pass(self, each: impl FnMut(&[u8; N])) -> Done {
        get::<N, HEADED>((self.0, self.1), each)
    }
}

/// A system call for each record, which others see at once.
pub(crate) struct Unbuffered(File);

impl<const N: usize> Log<N> for Unbuffered {
    fn create(at: &Path, _: u64) -> Done<Self> {
        File::create(at.join(NAME)).map(Self).map_err(text)
    }

    #[inline(always)]
    fn append(&mut self, first: u64, count: u64) -> Done {
        for seq in first..first + count {
            self.0.write_all(&filled::<N>(seq)).map_err(text)?;
        }
        Ok(())
    }

    fn read_back(self, at: &Path, each: impl FnMut(&[u8; N])) -> Done {
        drop(self);
        get::<N, false>((open(at)?, 0), each)
    }
}

/// Reads what [`Buffered`] wrote where it lies, all pages there: nothing can be faster.
pub(crate) struct MappedReplay(Mmap, u64);

impl<const N: usize> Replay<N> for MappedReplay {
    type Log = Buffered<false>;

    fn open(at: &Path, lead: u64) -> Done<Self> {
        let file = File::open(at.join(NAME)).map_err(text)?;
        // SAFETY: the file is in a directory of this process's own, and nobody writes to it any more.
        let map = unsafe { memmap2::MmapOptions::new().populate().map(&file) };
        map.map(|map| Self(map, lead)).map_err(text)
    }

    fn pass(self, each: impl FnMut(&[u8; N])) -> Done {
        let (payloads, _) = self.0.as_chunks::<N>();
        payloads.iter().skip(self.1 as usize).for_each(each);
        Ok(())
    }
}

/// `BufWriter`, flushed and synced by whoever holds the lock; into a file that was written with zeros
/// before, or grows.
pub(crate) struct FlushAndSync<const AHEAD: bool>(Arc<Mutex<BufWriter<File>>>);

impl<const N: usize, const AHEAD: bool> Synced<N> for FlushAndSync<AHEAD> {
    fn create(at: &Path, room: u64, publishers: usize) -> Done<Vec<Self>> {
        let mut file = File::create(at.join(NAME)).map_err(text)?;
        if AHEAD {
            file.write_all(&vec![0; room as usize]).map_err(text)?;
            file.sync_all().map_err(text)?;
            file.rewind().map_err(text)?;
        }
        let writer = Arc::new(Mutex::new(BufWriter::with_capacity(BUFFER, file)));
        Ok((0..publishers).map(|_| Self(Arc::clone(&writer))).collect())
    }

    fn append(&mut self, first: u64, count: u64) -> Done {
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        put::<N, false>(&mut writer, first, count)?;
        writer.flush().map_err(text)?;
        writer.get_ref().sync_data().map_err(text)
    }

    fn read_back(all: Vec<Self>, at: &Path, each: impl FnMut(&[u8; N])) -> Done {
        if let Some(Self(writer)) = all.first() {
            let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
            let end = writer.stream_position().map_err(text)?;
            writer.get_ref().set_len(end).map_err(text)?;
        }
        get::<N, false>((open(at)?, 0), each)
    }
}
