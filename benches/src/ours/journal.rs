//! The bus in files: a journal.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use messenger::bus::{Multi, Publisher, Start};
use messenger::journal::{Journal, JournalConfig, Reader as JournalReader, Retention};

use super::bus::{Claims, Polls, put_runs_waiting, put_waiting, whole};
use crate::contender::{Contender, Idle, Reader, Writer, ends};
use crate::log::{Done, Log, Replay, Synced, text};
use crate::sample::fail;
use crate::scratch::{Scratch, room, warm};

/// The directory of the journal in that of the sample.
const NAME: &str = "journal";

/// Segments of which many are used in a sample of the usual length.
const SEGMENT: u64 = 16 << 20;

/// Segments so short that at the rate of the work `publish` more than one record of a thousand opens one, and so long that the
/// keeper has time to make the next.
pub(crate) const SHORT_SEGMENT: u64 = 64 << 10;

fn config(segment: u64) -> JournalConfig {
    JournalConfig::new().segment_bytes(segment)
}

fn open(at: &Path, config: JournalConfig) -> Done<Journal> {
    Journal::create(at.join(NAME), config).map_err(text)
}

fn reader(at: &Path) -> Done<JournalReader> {
    JournalReader::open(at.join(NAME)).map_err(text)
}

/// Hands over all records that come.
fn read<const N: usize>(mut reader: JournalReader, mut each: impl FnMut(&[u8; N])) -> Done {
    while let Some(entry) = reader.next().map_err(text)? {
        whole(entry.payload, &mut each);
    }
    Ok(())
}

/// Appended to without a sync, in long segments or in `SHORT` ones; record by record or in `RUNS` that are claimed at once, as a
/// buffered writer hands on many records at once.
pub(crate) struct Journalled<const SHORT: bool, const RUNS: bool> {
    publisher: Publisher,
    /// Where the last record lies, and where the last one of the call before does.
    last: u64,
    before: u64,
}

impl<const SHORT: bool, const RUNS: bool> Journalled<SHORT, RUNS> {
    const SEGMENT: u64 = if SHORT { SHORT_SEGMENT } else { SEGMENT };
}

impl<const N: usize, const SHORT: bool, const RUNS: bool> Log<N> for Journalled<SHORT, RUNS> {
    fn create(at: &Path, _: u64) -> Done<Self> {
        let journal = open(at, config(Self::SEGMENT))?;
        Ok(Self {
            publisher: journal.bus().publisher().map_err(text)?,
            last: 0,
            before: 0,
        })
    }

    #[inline(always)]
    fn append(&mut self, first: u64, count: u64) -> Done {
        self.before = self.last;
        if RUNS {
            self.last = put_runs_waiting::<N>(&mut self.publisher, first, count)?;
        } else {
            for seq in first..first + count {
                self.last = put_waiting::<N>(&mut self.publisher, seq)?;
            }
        }
        Ok(())
    }

    fn has_rolled(&self) -> bool {
        self.before / Self::SEGMENT != self.last / Self::SEGMENT
    }

    fn read_back(self, at: &Path, each: impl FnMut(&[u8; N])) -> Done {
        // The last user of the journal, which is closed by that.
        drop(self);
        read(reader(at)?, each)
    }
}

/// Reads what [`Journalled`] wrote, and looks at each checksum or at none.
pub(crate) struct JournalReplay<const TRUSTING: bool>(JournalReader);

impl<const N: usize, const TRUSTING: bool> Replay<N> for JournalReplay<TRUSTING> {
    type Log = Journalled<false, false>;

    fn open(at: &Path, lead: u64) -> Done<Self> {
        let mut reader = reader(at)?;
        if TRUSTING {
            reader = reader.trusting();
        }
        for _ in 0..lead {
            reader.next().map_err(text)?;
        }
        Ok(Self(reader))
    }

    fn pass(self, each: impl FnMut(&[u8; N])) -> Done {
        read(self.0, each)
    }
}

/// One of several publishers who share the flushes.
pub(crate) struct JournalSynced {
    publisher: Publisher,
    journal: Journal,
}

impl<const N: usize> Synced<N> for JournalSynced {
    fn create(at: &Path, _: u64, publishers: usize) -> Done<Vec<Self>> {
        let journal = open(at, config(SEGMENT))?;
        let one = |_| {
            let publisher = journal.bus().publisher().map_err(text)?;
            let journal = journal.clone();
            Ok(Self { publisher, journal })
        };
        (0..publishers).map(one).collect()
    }

    fn append(&mut self, first: u64, count: u64) -> Done {
        let mut last = 0;
        for seq in first..first + count {
            last = put_waiting::<N>(&mut self.publisher, seq)?;
        }
        match self.journal.wait_synced(last, None) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("the record at {last} was not synced")),
            Err(error) => Err(text(error)),
        }
    }

    fn read_back(all: Vec<Self>, at: &Path, each: impl FnMut(&[u8; N])) -> Done {
        drop(all);
        read(reader(at)?, each)
    }
}

/// An end of the bus over a journal, whose files go with its last end.
pub(crate) struct Kept<End> {
    // First, so that it is closed before its files go.
    end: End,
    _files: Arc<Scratch>,
}

impl<const N: usize, End: Writer<N>> Writer<N> for Kept<End> {
    #[inline(always)]
    fn write(&mut self, first: u64, count: u64, idle: &mut Idle) {
        self.end.write(first, count, idle);
    }
}

impl<const N: usize, End: Reader<N>> Reader<N> for Kept<End> {
    #[inline(always)]
    fn read(&mut self, each: impl FnMut(&[u8; N])) -> usize {
        self.end.read(each)
    }
}

/// The bus over a journal between threads, written and read as [`Shared`](super::Shared) is.
pub(crate) struct JournalBus;

/// The time of a sample for which there is memory.
const USUAL: Duration = Duration::from_millis(80);

/// What longer samples may leave on the disk.
const RETAINED: u64 = 512 << 20;

fn bus() -> Done<(Claims<Multi>, messenger::bus::Subscriber, Arc<Scratch>)> {
    let files = Scratch::new()?;
    warm(files.path(), room(USUAL))?;
    let config = config(SEGMENT).retain(Retention::all().at_most(RETAINED));
    let journal = open(files.path(), config)?;
    let subscriber = journal.bus().subscribe(Start::Oldest).map_err(text)?;
    let publisher = journal.bus().publisher().map_err(text)?;
    Ok((Claims(publisher), subscriber, Arc::new(files)))
}

impl<const N: usize> Contender<N> for JournalBus {
    type W = Kept<Claims<Multi>>;
    type R = Kept<Polls>;

    fn open(ring: usize, writers: usize, readers: usize) -> (Vec<Self::W>, Vec<Self::R>) {
        ends(writers, readers, (1, 1));
        let (writer, subscriber, files) = bus().unwrap_or_else(|error| fail(&error));
        let reads = Kept {
            end: Polls::new::<N>(subscriber, ring),
            _files: Arc::clone(&files),
        };
        let writes = Kept {
            end: writer,
            _files: files,
        };
        (vec![writes], vec![reads])
    }
}
