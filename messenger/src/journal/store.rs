//! The segments of a journal in this process: which there are, which are mapped, and making more of them.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fs4::FileExt;

use super::bell::Bell;
use super::durability::Durability;
use super::files::{list_segments, segment_name, sync_dir, sync_file};
use super::header::{
    HEADER_BYTES, HeaderError, SYNCED_AT, SYNCED_CHECK_AT, SegmentHeader, synced_check,
};
use crate::bus::Lost;
use crate::bus::kept::{Format, Uncovered, Window, growth_load, growth_store};
use crate::memory::{MemoryKind, Region, RegionOptions};

/// How long a disk is left alone that has refused a segment.
const PATIENCE: Duration = Duration::from_millis(50);

/// How many segments the keeper removes at a time: each takes a flush of the directory.
const AT_A_TIME: u32 = 64;

/// How many zeros are written at once into a new segment: the more, the faster.
const RUN: usize = 1 << 20;
/// The same for a segment that will be flushed often.
const FLUSHED_RUN: usize = 64 << 10;

/// What tells one journal from another, and where its records lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) id: [u8; 16],
    pub(crate) segment_bytes: u64,
    pub(crate) salt: u64,
}

/// Where segments are.
#[derive(Debug)]
enum Place {
    Files {
        dir: PathBuf,
        writable: bool,
    },
    /// All in memory, for tests and for programs that want a journal that is gone with them.
    Heap,
}

/// The segments of a journal.
pub(crate) struct Store {
    place: Place,
    pub(crate) identity: Identity,
    /// How many bytes of the journal may be in use at a time.
    whole: u64,
    segments: Mutex<Segments>,
    /// Up to where there are segments to claim in. Stored after the segment is in `segments`.
    prepared: AtomicU64,
    /// Up to where somebody has wanted to claim.
    asked: AtomicU64,
    /// Why there are no more segments.
    trouble: Mutex<Option<Lost>>,
    /// A record boundary up to which all is finished; the keeper's.
    finished: AtomicU64,
    /// Where the journal ended when it was opened.
    opened_at: AtomicU64,
    /// Where the oldest segment begins that is not given up.
    oldest: AtomicU64,
    /// Where the oldest segment begins whose file is there. Held while segments are removed, and by who walks over old ones
    /// without being a member of the bus.
    removal: Mutex<u64>,
    /// Held by who makes a segment ready: when the disk last refused one.
    making: Mutex<Option<Instant>>,
    /// How many segments are to be ready ahead of what is asked for.
    ahead: u64,
    /// Whether new segments are flushed before they are used, since what is written to them soon will be.
    pub(super) flush_new: AtomicBool,
    /// Wakes the keeper.
    pub(super) bell: Bell,
    /// Whether the keeper has left segments that could be removed.
    pub(super) behind: AtomicBool,
    pub(super) durability: Durability,
    nowhere: Arc<Region>,
}

/// By first position.
#[derive(Default)]
struct Segments {
    /// What must stay mapped: on a journal that is written the segments from the tail on; in memory all.
    held: BTreeMap<u64, Arc<Region>>,
    /// What others have mapped.
    open: BTreeMap<u64, Weak<Region>>,
}

impl Store {
    pub(super) fn new(
        dir: Option<(&Path, bool)>,
        identity: Identity,
        whole: u64,
        ahead: u64,
        each: bool,
    ) -> io::Result<Self> {
        let heap = RegionOptions {
            kind: MemoryKind::Heap,
            ..RegionOptions::default()
        };
        let place = match dir {
            Some((dir, writable)) => Place::Files {
                dir: dir.to_owned(),
                writable,
            },
            None => Place::Heap,
        };
        Ok(Self {
            place,
            identity,
            whole,
            segments: Mutex::default(),
            prepared: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            trouble: Mutex::default(),
            finished: AtomicU64::new(0),
            opened_at: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
            removal: Mutex::default(),
            making: Mutex::default(),
            ahead,
            flush_new: AtomicBool::new(false),
            bell: Bell::default(),
            behind: AtomicBool::new(false),
            durability: Durability::new(each),
            nowhere: Arc::new(Region::new(256, heap).map_err(io::Error::other)?),
        })
    }

    pub(crate) fn format(&self) -> Format {
        Format::kept(self.identity.segment_bytes, self.whole, self.identity.salt)
    }

    pub(crate) fn segment_bytes(&self) -> u64 {
        self.identity.segment_bytes
    }

    /// The first position of the segment with `position`.
    pub(crate) fn base(&self, position: u64) -> u64 {
        position & !(self.segment_bytes() - 1)
    }

    /// A window that covers no position that there is.
    pub(crate) fn nowhere(&self) -> Window {
        Window::segment(Arc::clone(&self.nowhere), 0, !15, 16)
    }

    /// A window on the segment with `position`.
    pub(crate) fn window_at(&self, position: u64) -> Result<Window, Lost> {
        let base = self.base(position);
        let region = self.region(base)?;
        let len = self.segment_bytes();
        Ok(Window::segment(region, HEADER_BYTES, base, len))
    }

    /// Where the directory is, and whether it may be written to.
    pub(super) fn dir(&self) -> Option<&Path> {
        match &self.place {
            Place::Files { dir, .. } => Some(dir),
            Place::Heap => None,
        }
    }

    fn segments(&self) -> MutexGuard<'_, Segments> {
        // Whole after each step.
        self.segments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The segment whose first position is `base`: mapped, if it is not yet.
    fn region(&self, base: u64) -> Result<Arc<Region>, Lost> {
        let mut segments = self.segments();
        if let Some(region) = segments.held.get(&base) {
            return Ok(Arc::clone(region));
        }
        if let Some(region) = segments.open.get(&base).and_then(Weak::upgrade) {
            return Ok(region);
        }
        let region = self.map(base).map_err(|error| Lost::new(base, &error))?;
        segments.open.retain(|_, region| region.strong_count() > 0);
        segments.open.insert(base, Arc::downgrade(&region));
        Ok(region)
    }

    fn map(&self, base: u64) -> io::Result<Arc<Region>> {
        let Place::Files { dir, writable } = &self.place else {
            return Err(io::ErrorKind::NotFound.into());
        };
        let path = dir.join(segment_name(base));
        let mut file = OpenOptions::new().read(true).write(*writable).open(&path)?;
        let expected = self.file_bytes();
        let len = file.metadata()?.len();
        if len < expected {
            let text = format!("{} has {len} bytes in place of {expected}", path.display());
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.check_header(&mut file, base)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        let region = Region::of_file(&file, expected as usize, *writable)?;
        Ok(Arc::new(region))
    }

    /// The length of a segment's file in bytes.
    pub(super) fn file_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.segment_bytes()
    }

    fn check_header(&self, file: &mut File, base: u64) -> Result<SegmentHeader, HeaderError> {
        let mut page = [0; HEADER_BYTES];
        let mut read = 0;
        while read < page.len() {
            match file.read(&mut page[read..]) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let header = SegmentHeader::parse(&page[..read])?;
        header.check(&self.header_of(base, &header))?;
        Ok(header)
    }

    /// The header that the segment with `base` should have, when it was made as `other` says.
    pub(super) fn header_of(&self, base: u64, other: &SegmentHeader) -> SegmentHeader {
        self.header(base, other.created_nanos)
    }

    fn header(&self, base: u64, created_nanos: u64) -> SegmentHeader {
        let Identity {
            id,
            segment_bytes,
            salt,
        } = self.identity;
        SegmentHeader {
            id,
            base,
            segment_bytes,
            salt,
            created_nanos,
        }
    }

    /// Sees to it that there are segments up to `end`, unless the disk refuses, or has just done so: then it says that
    /// there is trouble.
    pub(super) fn grow_to(&self, end: u64) {
        let mut refused = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        while self.prepared() < end {
            if refused.is_some_and(|at| at.elapsed() < PATIENCE) {
                return;
            }
            let made = self.prepare();
            *refused = made.is_err().then(Instant::now);
            self.set_trouble(made.err());
        }
    }

    /// Makes the next segment ready: its blocks reserved, its pages found, its file under its name when all that is done.
    /// One at a time.
    pub(super) fn prepare(&self) -> Result<(), Lost> {
        let base = self.prepared.load(Ordering::Relaxed);
        let made = self.make(base, self.synced());
        let region = made.map_err(|error| Lost::new(base, &error))?;
        self.segments().held.insert(base, region);
        self.grew_to(base + self.segment_bytes());
        // By who makes the next one: however late the keeper is, what is mapped does not pile up.
        self.let_go(base.saturating_sub(self.ahead * self.segment_bytes()));
        Ok(())
    }

    fn make(&self, base: u64, synced: u64) -> io::Result<Arc<Region>> {
        let Place::Files { dir, .. } = &self.place else {
            let bytes = HEADER_BYTES + self.segment_bytes() as usize;
            let options = RegionOptions {
                kind: MemoryKind::default(),
                ..RegionOptions::default()
            };
            let region = Region::new(bytes, options).map_err(io::Error::other)?;
            return Ok(Arc::new(region));
        };
        let name = segment_name(base);
        let new = dir.join(format!("{name}.new"));
        let made = self.make_file(&new, base, synced).and_then(|region| {
            fault!("segment_made");
            fs::rename(&new, dir.join(&name))?;
            fault!("segment_named");
            if self.flush_new.load(Ordering::Relaxed) {
                sync_dir(dir)?;
            }
            Ok(region)
        });
        if made.is_err() {
            // Gives back the blocks that were had; a failure leaves a file that the next try writes over.
            let _ = fs::remove_file(&new);
        }
        made
    }

    fn make_file(&self, path: &Path, base: u64, synced: u64) -> io::Result<Arc<Region>> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)?;
        match file.allocate(self.file_bytes()) {
            // Some file systems have no such call: there, writing the zeros reserves the blocks.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            allocated => allocated?,
        }
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&self.header(base, now_nanos()).encode(synced))?;
        // Through the page cache in long runs, which is faster than a page fault for each page later. What is written at once
        // may become one large page there, and a byte that is written through the mapping then makes all of it dirty: where
        // it is flushed often, the pages shall be small.
        let flush = self.flush_new.load(Ordering::Relaxed);
        let run = if flush { FLUSHED_RUN } else { RUN };
        let zeros = vec![0; run.min(self.segment_bytes() as usize)];
        for _ in 0..self.segment_bytes() / zeros.len() as u64 {
            file.write_all(&zeros)?;
        }
        let region = Region::of_file(&file, self.file_bytes() as usize, true)?;
        if flush {
            // Then pages are not found for writing: that would make all of them dirty once more, and the next flush write
            // the whole segment; after which they would have to be found again anyway.
            sync_file(&file, path)?;
        } else {
            region.find_pages();
        }
        Ok(Arc::new(region))
    }

    /// Finds the pages of the segments that are held, for what is not flushed soon.
    pub(super) fn find_pages(&self) {
        for region in self.segments().held.values() {
            region.find_pages();
        }
    }

    /// The segment with `base` is there, ready for claims: after a look at what the directory holds.
    pub(super) fn hold(&self, base: u64) -> Result<(), Lost> {
        let region = self.region(base)?;
        self.segments().held.insert(base, region);
        Ok(())
    }

    /// There are segments up to `end`.
    pub(super) fn grew_to(&self, end: u64) {
        // Edge 13, growth: whoever sees it finds the segment, and zeros in it.
        self.prepared.store(end, growth_store());
    }

    /// Up to where there are segments.
    pub(super) fn prepared(&self) -> u64 {
        // Edge 13, growth.
        self.prepared.load(growth_load())
    }

    /// Whether another segment is wanted, with the tail at `tail`.
    pub(super) fn wants_more(&self, tail: u64) -> bool {
        let asked = self.asked.load(Ordering::Relaxed).max(tail);
        self.prepared() < asked.saturating_add(self.ahead * self.segment_bytes())
    }

    fn set_trouble(&self, trouble: Option<Lost>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(crate) fn finished(&self) -> u64 {
        self.finished.load(Ordering::Acquire)
    }

    pub(super) fn set_finished(&self, position: u64) {
        self.finished.store(position, Ordering::Release);
    }

    pub(super) fn set_opened_at(&self, position: u64) {
        self.opened_at.store(position, Ordering::Relaxed);
    }

    /// Where the oldest segment begins.
    pub(super) fn oldest(&self) -> u64 {
        self.oldest.load(Ordering::Relaxed)
    }

    /// Settles where the oldest segment begins.
    pub(super) fn set_oldest(&self, base: u64) {
        *self.keep() = base;
        self.oldest.store(base, Ordering::Relaxed);
    }

    /// Keeps all segments that there are from being given up. The number is where the oldest begins whose file is there.
    pub(super) fn keep(&self) -> MutexGuard<'_, u64> {
        self.removal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets go of what need not stay mapped any more, now that the tail is at `tail`.
    pub(super) fn let_go(&self, tail: u64) {
        if matches!(self.place, Place::Heap) {
            return;
        }
        let base = self.base(tail);
        let mut segments = self.segments();
        let later = segments.held.split_off(&base);
        let held = std::mem::replace(&mut segments.held, later);
        segments.open.retain(|_, region| region.strong_count() > 0);
        for (base, region) in &held {
            segments.open.insert(*base, Arc::downgrade(region));
        }
        drop(segments);
        // Unmapped here, if nobody else has them, and not under the lock.
        drop(held);
    }

    /// Gives up all segments that end at or before `unused`: nobody looks at them any more. Those that the disk does not let
    /// go are tried again the next time; so is everything, if somebody keeps them now who is not `waited` for.
    pub(super) fn remove_before(&self, unused: u64, waited: bool) -> io::Result<()> {
        let mut oldest = match self.removal.try_lock() {
            Ok(oldest) => oldest,
            Err(TryLockError::Poisoned(oldest)) => oldest.into_inner(),
            Err(TryLockError::WouldBlock) if waited => self.keep(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        // What all members have read may be beyond what has been walked over; the walk goes on.
        let before = self.base(unused.min(self.finished()));
        // First, so that who finds no file knows why.
        self.oldest.fetch_max(before, Ordering::Relaxed);
        if let (Place::Files { dir, .. }, true) = (&self.place, *oldest < before) {
            // Or a loss of power could take these, and the names of those that stay.
            sync_dir(dir)?;
        }
        let mut removed = 0;
        while *oldest < before {
            let base = *oldest;
            let mut segments = self.segments();
            let gone = (segments.held.remove(&base), segments.open.remove(&base));
            drop(segments);
            // Unmapped here, if nobody else has it, and not under the lock.
            drop(gone);
            if let Place::Files { dir, .. } = &self.place {
                match fs::remove_file(dir.join(segment_name(base))) {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    done => done?,
                }
                fault!("segment_removed");
                // Before the next: a loss of power that took a later one and left this one would leave a gap.
                sync_dir(dir)?;
            }
            *oldest += self.segment_bytes();
            removed += 1;
            if removed == AT_A_TIME && !waited {
                // The keeper has other things to see to, and goes on after them.
                self.behind.store(true, Ordering::Relaxed);
                return Ok(());
            }
        }
        Ok(())
    }

    /// Flushes what the segments that hold the positions from `from` to `to` have, and says in the header of the last
    /// one what had been synced before.
    pub(super) fn flush(&self, from: u64, to: u64) -> Result<(), Lost> {
        let Place::Files { dir, .. } = &self.place else {
            return Ok(());
        };
        let mut base = self.base(from);
        while base < to {
            match self.flush_one(dir, base, from, to) {
                // What has been given up meanwhile need not be flushed any more.
                Err(lost) if base >= self.oldest() => return Err(lost),
                _ => {}
            }
            base += self.segment_bytes();
        }
        if !self.flush_new.swap(true, Ordering::Relaxed) {
            // The names of the segments made so far.
            sync_dir(dir).map_err(|error| Lost::new(from, &error))?;
        }
        Ok(())
    }

    fn flush_one(&self, dir: &Path, base: u64, from: u64, to: u64) -> Result<(), Lost> {
        let lost = |error| Lost::new(base, &error);
        let region = self.region(base)?;
        if base + self.segment_bytes() >= to {
            self.note_synced(&region, from);
        }
        // Linux flushes what any mapping of the file has changed; elsewhere the mapping is asked too.
        #[cfg(not(target_os = "linux"))]
        region.flush().map_err(lost)?;
        let path = dir.join(segment_name(base));
        let file = OpenOptions::new().read(true).write(true).open(&path);
        let file = file.map_err(lost)?;
        fault!("flushing");
        sync_file(&file, &path).map_err(lost)?;
        Ok(())
    }

    /// Says in the header of the last segment that all before `synced` has been flushed, and flushes that too.
    pub(super) fn seal(&self, synced: u64) -> Result<(), Lost> {
        let Place::Files { dir, .. } = &self.place else {
            return Ok(());
        };
        // Also in those that were made ahead: what says how far the journal reached does not go with its last records.
        let mut base = self.base(synced.saturating_sub(1)).max(self.oldest());
        while base < self.prepared() {
            let region = self.region(base)?;
            self.note_synced(&region, synced);
            let path = dir.join(segment_name(base));
            #[cfg(not(target_os = "linux"))]
            region.flush().map_err(|error| Lost::new(base, &error))?;
            let file = OpenOptions::new().read(true).write(true).open(&path);
            let flushed = file.and_then(|file| sync_file(&file, &path));
            flushed.map_err(|error| Lost::new(base, &error))?;
            fault!("sealed");
            base += self.segment_bytes();
        }
        Ok(())
    }

    /// The first positions of all segments there are.
    pub(super) fn bases(&self) -> io::Result<Vec<u64>> {
        match &self.place {
            Place::Files { dir, .. } => Ok(list_segments(dir, self.segment_bytes())?.bases),
            Place::Heap => Ok(self.segments().held.keys().copied().collect()),
        }
    }

    /// Writes into a segment's header that all before `synced` has been flushed.
    fn note_synced(&self, region: &Arc<Region>, synced: u64) {
        let page = Window::segment(Arc::clone(region), 0, 0, HEADER_BYTES as u64);
        let check = synced_check(synced, self.identity.salt);
        page.word(SYNCED_AT as u64).store(synced, Ordering::Relaxed);
        fault!("synced_noted");
        page.word(SYNCED_CHECK_AT as u64)
            .store(check, Ordering::Relaxed);
    }

    /// When the segment with `base` was made, in nanoseconds since 1970.
    pub(super) fn created_nanos(&self, base: u64) -> io::Result<u64> {
        let Place::Files { dir, .. } = &self.place else {
            return Ok(0);
        };
        let mut file = File::open(dir.join(segment_name(base)))?;
        let header = self.check_header(&mut file, base);
        Ok(header.map_err(io::Error::other)?.created_nanos)
    }
}

impl crate::bus::kept::Segments for Store {
    fn window(&self, position: u64) -> Result<Window, Uncovered> {
        // Before the look for it: the segment may come meanwhile.
        let there = position < self.prepared();
        self.window_at(position).map_err(|lost| match there {
            true => Uncovered::Lost(lost),
            false => Uncovered::NotYet,
        })
    }

    fn any_window(&self) -> Window {
        self.nowhere()
    }

    fn grown(&self, end: u64) -> u64 {
        self.asked.fetch_max(end, Ordering::Relaxed);
        if self.wants_more(end) {
            self.bell.ring();
        }
        // The keeper is late, or there is none to be had: to say that there is no room would be a lie.
        if self.prepared() < end {
            self.grow_to(end);
        }
        self.prepared()
    }

    fn trouble(&self) -> Option<Lost> {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shortcut(&self, floor: u64, start: u64) -> u64 {
        let finished = self.finished();
        let boundary = if start >= finished {
            finished
        } else {
            self.base(start)
        };
        boundary.max(floor)
    }

    fn opened_at(&self) -> u64 {
        self.opened_at.load(Ordering::Relaxed)
    }

    fn committed(&self, next: u64) -> Result<(), Lost> {
        self.after_commit(next)
    }
}

/// The time now, in nanoseconds since 1970.
pub(super) fn now_nanos() -> u64 {
    // Miri has no such clock, unless it is let out of its isolation.
    if cfg!(miri) {
        return 1;
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |t| u64::try_from(t.as_nanos()).unwrap_or(u64::MAX))
}
