//! Making the segments of a journal ready, ahead of who claims in them.
//!
//! Processes that share a journal keep each other from nothing here. Whoever needs a segment makes it, under a name of its own, and
//! then gives it the segment's name, unless that is taken: then the one that is there is the segment. So that not all of them make the
//! same one, each takes a turn first; one that is stopped in its turn is waited for as long as the work takes, and no longer.

use std::fs::{self, File};
use std::io::{self, IoSlice, Seek, SeekFrom, Write};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use fs4::FileExt;

use super::dir::Dir;
use super::files::{new_segment_name, segment_name, sync_dir, sync_file};
use super::header::HEADER_BYTES;
use super::state::Turn;
use super::store::{Place, Store, now_nanos};
use crate::bus::Lost;
use crate::bus::kept::{LAST, Progress};
use crate::memory::{MemoryKind, Region, RegionOptions};

/// How long a disk is left alone that has refused a segment.
const PATIENCE: Duration = Duration::from_millis(50);

/// How long another process may take to make a segment, beside a time for each MiB.
const TURN: Duration = Duration::from_millis(5);
const TURN_OF_MIB: Duration = Duration::from_millis(1);
/// Between two looks whether it has.
const NAP: Duration = Duration::from_micros(50);

/// How much of a new segment is written at once: the system may keep it in one page, and maps one of this length at once, for
/// whoever writes to it and for whoever reads it later.
const RUN: u64 = 2 << 20;
/// The same for a segment that will be flushed often.
const FLUSHED_RUN: u64 = 64 << 10;
/// How many zeros there are to write it with: so few that they stay in the processor's caches.
const ZEROS: usize = 64 << 10;

impl Store {
    /// Sees to it that there are segments up to `end`, unless the disk refuses, or has just done so: then it says that
    /// there is trouble.
    pub(super) fn grow_to(&self, end: u64) {
        let mut refused = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.may_want(end) {
            self.set_trouble(Some(Lost::corrupt(end)));
            return;
        }
        while self.prepared() < end {
            if refused.is_some_and(|at| at.elapsed() < PATIENCE) {
                return;
            }
            if !self.control.take_turn(Turn::Making, self.making_time()) {
                // Another process is at it.
                std::thread::sleep(NAP);
                continue;
            }
            let made = self.prepare();
            self.control.give_back(Turn::Making);
            *refused = made.is_err().then(Instant::now);
            self.set_trouble(made.err());
        }
    }

    /// Whether another process is making a segment, as far as is known. Not asked by who needs it now.
    pub(super) fn is_growing(&self) -> bool {
        self.control.is_taken(Turn::Making, self.making_time())
    }

    fn making_time(&self) -> Duration {
        TURN + TURN_OF_MIB * (self.segment_bytes() >> 20) as u32
    }

    /// Makes the next segment ready: its blocks reserved, its pages found, its file under its name when all that is done.
    /// One thread of this process at a time.
    pub(super) fn prepare(&self) -> Result<(), Lost> {
        let base = self.prepared();
        if base > LAST {
            return Err(Lost::corrupt(base));
        }
        let made = self.make(base, self.synced());
        let region = match made {
            Ok(region) => region,
            // Another process has made it, and perhaps more of them, and given it up.
            Err(_) if self.prepared() > base => return Ok(()),
            Err(error) => return Err(Lost::new(base, &error)),
        };
        if self.holds {
            self.hold_region(base, region);
        }
        self.control.grew_to(base + self.segment_bytes());
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
        let new = new_segment_name(base, self.owner);
        let path = dir.join(segment_name(base));
        // There is one if who made it has died since, or is slow to say so.
        let region = if self.owner != 0 && path.try_exists()? {
            None
        } else {
            let made = self.make_file(dir, &new, base, synced).and_then(|region| {
                fault!("segment_made");
                let new = dir.join(&new);
                let named = match self.owner {
                    #[cfg(all(feature = "shared", target_os = "linux"))]
                    1.. => super::share::name_new(&new, &path),
                    // Nobody else names one. What may be there was never whole, nor flushed.
                    _ => fs::rename(&new, &path).map(|()| true),
                }?;
                fault!("segment_named");
                Ok(named.then_some(region))
            });
            if !matches!(made, Ok(Some(_))) {
                // Gives back the blocks that were had; a failure leaves a file that the next try writes over.
                let _ = match base {
                    // Its name says that the journal is still being created.
                    0 => dir.open(&new, true).and_then(|file| file.set_len(0)),
                    _ => fs::remove_file(dir.join(new)),
                };
            }
            made?
        };
        if region.is_some() && base < self.oldest() {
            // All others were faster, by more than the journal retains: nobody is to find this one. Also not after a loss of power:
            // another may have flushed its name meanwhile.
            fs::remove_file(&path)?;
            sync_dir(dir)?;
            return Err(io::ErrorKind::NotFound.into());
        }
        if base == 0 || self.control.flushes_names() {
            // Whoever named it: what is claimed there is synced by others, who do not ask for its name. And there is always the first.
            sync_dir(dir)?;
        }
        match region {
            Some(region) => Ok(region),
            None => self.region(base).map_err(io::Error::other),
        }
    }

    fn make_file(&self, dir: &Dir, new: &str, base: u64, synced: u64) -> io::Result<Arc<Region>> {
        let mut file = match self.owner {
            // The first one of all stands there since the journal was begun: without it there would be none for a moment.
            0 if base == 0 => dir.open(new, true)?,
            _ => dir.make(new)?,
        };
        match file.allocate(self.file_bytes()) {
            // Some file systems have no such call: there, writing the zeros reserves the blocks.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
            allocated => allocated?,
        }
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&self.header(base, now_nanos()).encode(synced))?;
        // Through the page cache in long runs, which is faster than a page fault for each page later. But a byte that is written
        // through the mapping makes all of its page dirty: where it is flushed often, the pages shall be small. Whether it will be is not
        // known before somebody has asked for it, or has used up a segment without.
        let often = self.control.syncs();
        let first = self.base(self.control.opened_at());
        let known = first.saturating_add((1 + self.ahead) * self.segment_bytes());
        let run = if often || base < known {
            FLUSHED_RUN
        } else {
            RUN
        };
        write_zeros(&mut file, HEADER_BYTES as u64, self.file_bytes(), run)?;
        let region = self.region_of(&file, true)?;
        if often || base == 0 {
            sync_file(&file, &dir.join(new))?;
        }
        // Not where it is flushed often: that would make all of them dirty once more, and the next flush write the whole segment;
        // after which they would have to be found again anyway.
        if !often {
            region.find_pages();
        }
        Ok(region)
    }
}

/// Writes zeros from `at`, where `file` stands, to `end`, a run at a time. Each run but the first begins at a multiple of its
/// length, as a page that is to hold it has to.
fn write_zeros(file: &mut File, mut at: u64, end: u64, run: u64) -> io::Result<()> {
    let zeros = vec![0; ZEROS];
    while at < end {
        let mut left = (run - at % run).min(end - at) as usize;
        let mut slices = Vec::with_capacity(left.div_ceil(ZEROS));
        while left > 0 {
            let len = left.min(ZEROS);
            slices.push(IoSlice::new(&zeros[..len]));
            left -= len;
        }
        match file.write_vectored(&slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => at += written as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::super::config::JournalConfig;
    use super::super::control::OPENED_AT;
    use super::super::opening::{Create, settled};
    use super::super::testing::TempDir;
    use super::*;

    /// How many writes this thread has asked the system for.
    fn writes() -> u64 {
        let said = fs::read_to_string("/proc/thread-self/io").unwrap_or_default();
        let count = said.lines().find_map(|line| line.strip_prefix("syscw: "));
        count.map_or(0, |count| count.parse().unwrap())
    }

    #[test]
    fn runs_are_short_until_a_segment_has_been_used_up_without_a_flush() {
        const SEGMENT: u64 = 4 << 20;
        let temp = TempDir::new();
        if fs::write(temp.join("other"), "1").is_ok() && writes() == 0 {
            eprintln!("skipped: the system does not count writes");
            return;
        }
        let dir = Dir::of(&temp.join("journal"));
        let config = JournalConfig::new().segment_bytes(SEGMENT).ahead(2);
        let before = writes();
        // Makes the first one.
        let opened = settled(&dir, &config, 4, Create::May).unwrap();
        let store = &opened.store;
        let is_short = |before| writes() - before >= SEGMENT / FLUSHED_RUN;
        let is_next_short = || {
            let before = writes();
            store.prepare().unwrap();
            is_short(before)
        };
        assert!(is_short(before));
        assert!(is_next_short() && is_next_short());
        // The first one has been used up, or this one would not be wanted yet.
        assert!(!is_next_short());
        // As if the journal had been opened again in the second last one.
        let word = store.control.word(OPENED_AT);
        word.store(2 * SEGMENT + 16, std::sync::atomic::Ordering::Relaxed);
        assert!(is_next_short());
        assert!(!is_next_short());
        store.begin_syncing().unwrap();
        assert!(is_next_short());
    }
}
