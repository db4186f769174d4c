//! The segments of a journal in this process: which there are, which are mapped, and giving them up. Making more of them is
//! `making.rs`'s.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use super::bell::Bell;
use super::control::Control;
use super::dir::Dir;
use super::durability::Durability;
use super::files::{list_segments, open_dir, segment_name, sync_dir, sync_region};
use super::header::{
    HEADER_BYTES, HeaderError, SYNCED_AT, SYNCED_CHECK_AT, SegmentHeader, synced_check,
};
use crate::bus::Lost;
use crate::bus::kept::{Format, Progress, Uncovered, Window, note_checked};
use crate::memory::{MemoryKind, Region, RegionOptions};

/// How many segments the keeper removes at a time: each takes a flush of the directory.
const AT_A_TIME: u32 = 64;

/// What tells one journal from another, and where its records lie.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Identity {
    pub(crate) id: [u8; 16],
    pub(crate) segment_bytes: u64,
    pub(crate) salt: u64,
}

/// Where segments are.
#[derive(Debug)]
pub(super) enum Place {
    Files {
        dir: Dir,
        writable: bool,
    },
    /// All in memory, for tests and for programs that want a journal that is gone with them.
    Heap,
}

/// The segments of a journal.
pub(crate) struct Store {
    pub(super) place: Place,
    pub(crate) identity: Identity,
    /// How far the journal has got, as all who write it know.
    pub(super) control: Control,
    /// The number of this process among those that share the journal; 0: it has it alone.
    pub(super) owner: u32,
    segments: Mutex<Segments>,
    /// Up to where somebody in this process has wanted to claim.
    asked: AtomicU64,
    /// Why there are no more segments.
    trouble: Mutex<Option<Lost>>,
    /// Held while segments are removed, and by who walks over old ones without being a member of the bus.
    removal: Mutex<()>,
    /// Held by the thread that makes a segment ready: when the disk last refused one.
    pub(super) making: Mutex<Option<Instant>>,
    /// Whether what is made here stays mapped: where a keeper lets go of it again.
    pub(super) holds: bool,
    /// How many segments are to be ready ahead of what is asked for.
    pub(super) ahead: u64,
    /// Wakes the keeper of this process.
    pub(super) bell: Arc<Bell>,
    /// Whether the keeper has left segments that could be removed.
    pub(super) behind: AtomicBool,
    pub(super) durability: Durability,
    nowhere: Arc<Region>,
}

/// By first position.
#[derive(Default)]
struct Segments {
    /// What must stay mapped: on a journal that is written the segments from the tail on, and where there is a keeper `ahead` before it; in memory all.
    held: BTreeMap<u64, Arc<Region>>,
    /// What others have mapped.
    open: BTreeMap<u64, Weak<Region>>,
}

impl Store {
    /// One whose words are its own.
    pub(super) fn new(
        dir: Option<(&Dir, bool)>,
        identity: Identity,
        ahead: u64,
        each: bool,
    ) -> io::Result<Self> {
        let heap = RegionOptions {
            kind: MemoryKind::Heap,
            ..RegionOptions::default()
        };
        let place = match dir {
            Some((dir, writable)) => Place::Files {
                dir: dir.clone(),
                writable,
            },
            None => Place::Heap,
        };
        Ok(Self {
            place,
            identity,
            control: Control::in_memory(0, MemoryKind::Heap)?,
            owner: 0,
            segments: Mutex::default(),
            asked: AtomicU64::new(0),
            trouble: Mutex::default(),
            removal: Mutex::default(),
            making: Mutex::default(),
            holds: true,
            ahead,
            bell: Arc::default(),
            behind: AtomicBool::new(false),
            durability: Durability::new(each),
            nowhere: Arc::new(Region::new(256, heap).map_err(io::Error::other)?),
        })
    }

    pub(crate) fn format(&self) -> Format {
        Format::kept(self.identity.segment_bytes, self.identity.salt)
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
    pub(super) fn dir(&self) -> Option<&Dir> {
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
    pub(super) fn region(&self, base: u64) -> Result<Arc<Region>, Lost> {
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
        let name = segment_name(base);
        let mut file = dir.open(&name, *writable)?;
        let expected = self.file_bytes();
        let len = file.metadata()?.len();
        if len < expected {
            let text = format!(
                "{} has {len} bytes in place of {expected}",
                dir.join(name).display()
            );
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        self.check_header(&mut file, base)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        self.region_of(&file, *writable)
    }

    /// The mapping of a segment's file.
    pub(super) fn region_of(&self, file: &File, writable: bool) -> io::Result<Arc<Region>> {
        let region = Region::of_file(file, self.file_bytes() as usize, writable)?;
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if self.owner != 0 {
            region.keep_from_children();
        }
        Ok(Arc::new(region))
    }

    /// The length of a segment's file in bytes.
    pub(super) fn file_bytes(&self) -> u64 {
        HEADER_BYTES as u64 + self.segment_bytes()
    }

    fn check_header(&self, file: &mut File, base: u64) -> Result<(), HeaderError> {
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
        header.check(&self.header_of(base, &header))
    }

    /// The header that the segment with `base` should have, when it was made as `other` says.
    pub(super) fn header_of(&self, base: u64, other: &SegmentHeader) -> SegmentHeader {
        self.header(base, other.created_nanos)
    }

    pub(super) fn header(&self, base: u64, created_nanos: u64) -> SegmentHeader {
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

    fn find_pages_of(&self, base: u64) {
        let region = self.segments().held.get(&base).map(Arc::clone);
        // Not under the lock.
        if let Some(region) = region {
            region.find_pages();
        }
    }

    /// The segment with `base` is there, ready for claims, and stays mapped. Says whether it was not held before.
    pub(super) fn hold(&self, base: u64) -> Result<bool, Lost> {
        let region = self.region(base)?;
        Ok(self.hold_region(base, region))
    }

    pub(super) fn hold_region(&self, base: u64, region: Arc<Region>) -> bool {
        self.segments().held.insert(base, region).is_none()
    }

    /// Keeps mapped what lies ahead of `tail`, whoever has made it, and lets go of what is used up.
    pub(super) fn hold_from(&self, tail: u64) {
        let mut base = self.base(tail);
        while base < self.prepared() {
            let known = self.segments().held.contains_key(&base);
            // What can't be had now is told to who turns to it.
            if !known && self.hold(base).is_err() {
                break;
            }
            if !known && !self.control.syncs() {
                self.find_pages_of(base);
            }
            base += self.segment_bytes();
        }
        self.let_go(tail.saturating_sub(self.ahead * self.segment_bytes()));
    }

    /// Up to where there are segments; where one ends, whatever has become of the word.
    pub(super) fn prepared(&self) -> u64 {
        self.base(self.control.prepared())
    }

    /// Whether another segment is wanted, with the tail at `tail`.
    pub(super) fn wants_more(&self, tail: u64) -> bool {
        let asked = self.asked.load(Ordering::Relaxed).max(tail);
        self.may_want(asked)
            && self.prepared() < asked.saturating_add(self.ahead * self.segment_bytes())
    }

    /// Whether somebody who keeps to the protocol can want to claim up to `end`. The tail is never beyond what is prepared, so what lies
    /// far beyond it is a word that was written over, and not to be followed until the disk is full.
    pub(super) fn may_want(&self, end: u64) -> bool {
        end <= self.prepared().saturating_add(self.segment_bytes())
    }

    pub(super) fn set_trouble(&self, trouble: Option<Lost>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    pub(crate) fn finished(&self) -> u64 {
        self.control.finished()
    }

    /// Where the oldest segment begins.
    pub(super) fn oldest(&self) -> u64 {
        self.control.oldest()
    }

    /// Settles where the oldest segment begins.
    pub(super) fn set_oldest(&self, base: u64) {
        self.control.give_up_before(base);
        self.control.removed_before(base);
    }

    /// Keeps this process from giving up any segment that there is. Another process may.
    pub(super) fn keep(&self) -> MutexGuard<'_, ()> {
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
    ///
    /// Several processes may do so at once: each flushes the directory between two removals, whosever the first of them was.
    pub(super) fn remove_before(&self, unused: u64, waited: bool) -> io::Result<()> {
        let _removing = match self.removal.try_lock() {
            Ok(removing) => removing,
            Err(TryLockError::Poisoned(removing)) => removing.into_inner(),
            Err(TryLockError::WouldBlock) if waited => self.keep(),
            Err(TryLockError::WouldBlock) => return Ok(()),
        };
        // What all members have read may be beyond what has been walked over; the walk goes on.
        let before = self.base(unused.min(self.finished()));
        // First, so that who finds no file knows why.
        self.control.give_up_before(before);
        let mut base = self.control.removed();
        if let (Place::Files { dir, .. }, true) = (&self.place, base < before) {
            // Or a loss of power could take these, and the names of those that stay.
            sync_dir(dir)?;
        }
        let mut removed = 0;
        while base < before {
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
            self.control.removed_before(base + self.segment_bytes());
            base = self.control.removed();
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
        self.begin_syncing()
            .map_err(|error| Lost::new(from, &error))
    }

    /// From now on what is written is going to be flushed soon: so segments are flushed, and their names, before they are used.
    pub(super) fn begin_syncing(&self) -> io::Result<()> {
        if let (Place::Files { dir, .. }, false) = (&self.place, self.control.are_names_flushed()) {
            self.control.begin_syncing();
            // The names of the segments made so far. Who names one after this finds that it is to flush the name itself. Whoever else has
            // begun to may have died there.
            let flush = open_dir(dir)?;
            flush().inspect_err(|error| self.control.fail(&Lost::new(self.synced(), error)))?;
            self.control.names_flushed();
        }
        Ok(())
    }

    fn flush_one(&self, dir: &Path, base: u64, from: u64, to: u64) -> Result<(), Lost> {
        let region = self.region(base)?;
        if base + self.segment_bytes() >= to {
            self.note_synced(&region, from);
        }
        fault!("flushing");
        self.flush_region(dir, base, &region)
    }

    /// What has failed to be flushed is told to all, also to who opens the journal next.
    fn flush_region(&self, dir: &Path, base: u64, region: &Region) -> Result<(), Lost> {
        let flushed = sync_region(region, &dir.join(segment_name(base)));
        flushed.map_err(|error| {
            let lost = Lost::new(base, &error);
            if base >= self.oldest() {
                self.control.fail(&lost);
            }
            lost
        })
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
            self.flush_region(dir, base, &region)?;
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

    /// Writes into a segment's header that all before `synced` has been flushed. Of those who do so at once the one that comes
    /// last has the number stand with its check; a crash before that costs what this header knew.
    fn note_synced(&self, region: &Arc<Region>, synced: u64) {
        let page = Window::segment(Arc::clone(region), 0, 0, HEADER_BYTES as u64);
        let word = page.word(SYNCED_AT as u64);
        let checked = page.word(SYNCED_CHECK_AT as u64);
        note_checked([word, checked], synced, |synced| {
            synced_check(synced, self.identity.salt)
        });
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
        if self.may_want(end) {
            self.asked.fetch_max(end, Ordering::Relaxed);
        }
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
        self.control.opened_at()
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

#[cfg(all(test, not(miri)))]
mod tests {
    use super::super::testing::TempDir;
    use super::*;

    #[test]
    fn names_are_flushed_when_somebody_has_done_it() {
        let dir = TempDir::new();
        let identity = Identity {
            id: [7; 16],
            segment_bytes: 4096,
            salt: 1,
        };
        let gone = dir.join("gone");
        let store = Store::new(Some((&Dir::of(&gone), true)), identity, 1, false).unwrap();
        // Who has begun, and died there, or was refused, has not done it.
        for _ in 0..2 {
            assert!(store.begin_syncing().is_err());
            assert!(store.control.syncs());
        }
        fs::create_dir(&gone).unwrap();
        store.begin_syncing().unwrap();
        fs::remove_dir(&gone).unwrap();
        store.begin_syncing().unwrap();
    }
}
