//! What stands in a journal that its last writer left, however it left it.
//!
//! Up to the *synced* position all was flushed: what is missing there is refused. From there on it depends. If the system has not been
//! started since, the last writer's words are there (`control`), with what each publisher was claiming: nothing that was committed
//! is lost, and claims that were not finished are aborted. Else what is there is as the disk has kept it: records are taken as
//! long as their checksums say that they are whole, and what comes after is given up.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::atomic::Ordering;

use super::control::{self, Control, Left};
use super::dir::Dir;
use super::error::OpenFault;
use super::files::{list_segments, open_plain, segment_name, sync_dir, sync_file};
use super::header::{HEADER_BYTES, HeaderError, SegmentHeader, synced_of};
use super::recovery::{DropCause, Dropped, LeftBy, Recovery};
use super::store::Store;
use super::survey::is_foreign;
use super::walker::Walker;
use crate::bus::kept::{Intent, Window};

/// What the directory holds.
struct Files {
    /// Segments in a row, from the oldest one.
    first: u64,
    end: u64,
    /// Why there is no segment at `end`, though there are files of later ones, or a broken one there.
    broken: Option<OpenFault>,
    /// Bases of files at or after `end`.
    after: Vec<u64>,
    synced: u64,
    segment_bytes: u64,
}

/// Finds out where the journal ends, mends what was not finished, clears what is given up. Afterwards `store` has
/// all segments there are.
pub(super) fn recover(
    store: &Store,
    dir: &Dir,
    left: Option<&Left>,
    closed_at: Option<u64>,
    fresh: bool,
) -> Result<Recovery, OpenFault> {
    let system = OpenFault::tried;
    let mut files = look_around(store, dir).map_err(system("list the segments"))?;
    // Before it was closed all was flushed.
    files.synced = files.synced.max(closed_at.unwrap_or(0));
    if files.first == files.end && files.after.is_empty() {
        if !fresh {
            return Err(OpenFault::Missing {
                position: 0,
                synced: closed_at.or(left.map(|left| left.words.tail)).unwrap_or(0),
            });
        }
        return Ok(Recovery {
            left: LeftBy::Nobody,
            tail: 0,
            synced: 0,
            aborted: 0,
            dropped: None,
        });
    }
    let oldest = Control::oldest_in(dir, &store.identity);
    let oldest = oldest.map_err(system("read what the last writer left"))?;
    if let Some(position) = oldest.filter(|&oldest| oldest < files.first) {
        // Nobody had given them up.
        let synced = files.synced;
        return Err(OpenFault::Missing { position, synced });
    }
    if files.end < files.synced || (files.first == files.end && !files.are_unflushed()) {
        return Err(files.broken.unwrap_or(OpenFault::Missing {
            position: files.end,
            synced: files.synced,
        }));
    }
    store.control.grew_to(files.end);
    let failed = Control::has_failed(dir, &store.identity);
    let failed = failed.map_err(system("read what the last writer left"))?;
    let mut end = End::new(store, &files);
    let trusted =
        left.filter(|left| left.words.tail <= files.end && left.words.tail >= files.synced);
    let mut consistent = false;
    if let Some(left) = trusted {
        consistent = end.by_words(left, failed)?;
    }
    if !consistent {
        end.by_checksums(files.synced)?;
    }
    let tail = end.walker.position;
    if failed {
        // Before anything of it is flushed.
        write_again(store, dir, &files).map_err(system("write again what was not flushed"))?;
    }
    // One before may have been killed before it could say so.
    let told = Control::dropped_in(dir, &store.identity);
    let told = told.map_err(system("read what the last writer left"))?;
    let told = told.filter(|told| told.from >= tail);
    let dropped = if consistent {
        refuse_strays(store, dir, &files)?;
        told
    } else {
        let used = used_behind(store, &files, tail)?;
        let found = { used.iter() }.rev().find_map(|&(_, to)| to);
        let found = found.or(files.after.last().copied());
        let lost = left.and_then(|left| files.lost(left, tail));
        let why = match &told {
            _ if found.is_some() => end.why,
            Some(told) if lost.is_none() => told.why,
            _ => DropCause::Segment,
        };
        let to = [found, lost, told.map(|told| told.to)];
        let to = to.into_iter().flatten().max();
        let dropped = to.map(|to| Dropped {
            from: tail,
            to: to.max(tail),
            why,
        });
        // What stands behind may have been read; and when some of it is gone nobody is to believe the words again.
        let disowned = control::disown(dir, &store.identity, tail, dropped.as_ref());
        disowned.map_err(system("say what is given up"))?;
        clear(store, dir, &used, tail)?;
        dropped
    };
    store.control.say_dropped(dropped.as_ref());
    for &base in files.after.iter().filter(|&&base| base > files.first) {
        let path = dir.join(segment_name(base));
        fs::remove_file(path).map_err(system("remove a segment that was given up"))?;
        fault!("after_removed");
    }
    if !files.after.is_empty() {
        // Else a loss of power could bring back a segment of before, behind the records to come.
        sync_dir(dir).map_err(system("flush the directory"))?;
    }
    let mut base = store.base(tail);
    while base < store.prepared() {
        let held = store.hold(base);
        held.map_err(|lost| system("map a segment")(io::Error::other(lost)))?;
        base += store.segment_bytes();
    }
    Ok(Recovery {
        left: match trusted {
            Some(left) if consistent && left.clean => LeftBy::Closing,
            Some(_) if consistent => LeftBy::Dying,
            _ => LeftBy::PowerLoss,
        },
        tail,
        synced: files.synced,
        aborted: end.aborted,
        dropped,
    })
}

/// Says what stands behind the row that no writer of this journal can have left there, killed or not, and so is not to be removed. (A loss of power can leave
/// anything.)
fn refuse_strays(store: &Store, dir: &Path, files: &Files) -> Result<(), OpenFault> {
    for &base in &files.after {
        let found = examine(store, dir, base);
        let (_, found) = found.map_err(OpenFault::tried("look at a segment"))?;
        match found {
            Err(OpenFault::Header { base, source }) if is_foreign(&source) => {
                return Err(OpenFault::Header { base, source });
            }
            Ok(()) if !is_blank(store, base) => {
                let (position, synced) = (files.end, files.synced);
                return Err(OpenFault::Missing { position, synced });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Whether nothing has ever been written to the segment with `base`, which can be had.
fn is_blank(store: &Store, base: u64) -> bool {
    let window = store.window_at(base);
    window.is_ok_and(|window| window.word(base).load(Ordering::Relaxed) == 0)
}

/// Removes segments that were named after they had been given up, by one who made them so slowly that others had used them up meanwhile,
/// and died there: such a one lies before what was the oldest, and nothing has ever been written to it.
pub(super) fn remove_late(store: &Store, dir: &Path, left: &Left) -> io::Result<()> {
    let oldest = left.oldest.min(left.words.tail);
    let mut removed = false;
    for base in list_segments(dir, store.segment_bytes())?.bases {
        if base >= oldest {
            break;
        }
        if is_blank(store, base) {
            fs::remove_file(dir.join(segment_name(base)))?;
            removed = true;
        }
    }
    if removed { sync_dir(dir) } else { Ok(()) }
}

/// The same where nothing is known of the last writers, as after a loss of power, which may have left the name of such a one: nothing has ever been
/// written to it, there is none after it, and what was synced lies behind that gap.
pub(super) fn remove_late_unknown(store: &Store, dir: &Path) -> io::Result<()> {
    let bases = list_segments(dir, store.segment_bytes())?.bases;
    let gap_in = |bases: &[u64]| {
        let mut pairs = bases.windows(2);
        pairs.position(|pair| pair[1] - pair[0] != store.segment_bytes())
    };
    if gap_in(&bases).is_none() {
        return Ok(());
    }
    let synced = synced_in(store, dir, &bases)?;
    let (mut rest, mut late) = (&bases[..], 0);
    while let Some(gap) = gap_in(rest) {
        // The first of all was there before anything else.
        let is_late = |&base: &u64| base > 0 && is_blank(store, base);
        let (row, after) = rest.split_at(gap + 1);
        if synced < after[0] || !row.iter().all(is_late) {
            break;
        }
        (rest, late) = (after, late + row.len());
    }
    for &base in &bases[..late] {
        fs::remove_file(dir.join(segment_name(base)))?;
    }
    if late > 0 { sync_dir(dir) } else { Ok(()) }
}

impl Files {
    /// Whether the oldest segment, which is broken, was made and never flushed, and those before it given up. Then nothing was
    /// synced that lies in it, and another is made in its place. The first of all is flushed when the journal is created.
    fn are_unflushed(&self) -> bool {
        let blank = match &self.broken {
            Some(OpenFault::Cut { .. }) => true,
            Some(OpenFault::Header { source, .. }) => {
                matches!(source, HeaderError::Blank | HeaderError::Damaged { .. })
            }
            _ => false,
        };
        blank && self.first > 0 && self.synced <= self.first
    }
}

impl Files {
    /// Up to where the last writer had come, of whose words the rest is not to be used: if that is after `tail`.
    fn lost(&self, left: &Left, tail: u64) -> Option<u64> {
        let reached = left.words.tail;
        let segment = self.segment_bytes;
        // So many segments there may be ahead.
        let possible = self.end.saturating_add(16 * segment) >= reached && reached % 16 == 0;
        (possible && reached > tail).then_some(reached)
    }
}

fn look_around(store: &Store, dir: &Path) -> io::Result<Files> {
    let bases = list_segments(dir, store.segment_bytes())?.bases;
    let mut files = Files {
        first: bases.first().copied().unwrap_or(0),
        end: bases.first().copied().unwrap_or(0),
        broken: None,
        after: Vec::new(),
        synced: 0,
        segment_bytes: store.segment_bytes(),
    };
    for &base in &bases {
        let (synced, found) = examine(store, dir, base)?;
        files.synced = files.synced.max(synced);
        if base == files.end && files.broken.is_none() && found.is_ok() {
            files.end += store.segment_bytes();
            continue;
        }
        files.after.push(base);
        if let (Err(fault), true) = (found, base == files.end && files.broken.is_none()) {
            files.broken = Some(fault);
        }
    }
    files.synced = files.synced.max(files.first);
    Ok(files)
}

/// Up to where the headers of the segments with these bases say that the journal was synced.
pub(super) fn synced_in(store: &Store, dir: &Path, bases: &[u64]) -> io::Result<u64> {
    let mut known = 0;
    for &base in bases {
        match examine(store, dir, base) {
            // Given up meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => known = known.max(found?.0),
        }
    }
    Ok(known)
}

/// What the header of a segment says of how far the journal was synced, also if else it is broken; and why the file cannot be
/// used, if so.
fn examine(store: &Store, dir: &Path, base: u64) -> io::Result<(u64, Result<(), OpenFault>)> {
    let mut file = open_plain(&dir.join(segment_name(base)), false)?;
    let (len, expected) = (file.metadata()?.len(), store.file_bytes());
    let mut page = vec![0; HEADER_BYTES.min(usize::try_from(len).unwrap_or(HEADER_BYTES))];
    file.read_exact(&mut page)?;
    let header = SegmentHeader::parse(&page);
    let checked = header.and_then(|header| header.check(&store.header_of(base, &header)));
    let synced = synced_of(&page, store.identity.salt);
    let synced = synced.filter(|synced| synced % 16 == 0).unwrap_or(0);
    let found = match checked {
        Err(HeaderError::Short { .. }) => Err(OpenFault::Cut {
            base,
            len,
            expected,
        }),
        Err(source) => Err(OpenFault::Header { base, source }),
        Ok(()) if len < expected => Err(OpenFault::Cut {
            base,
            len,
            expected,
        }),
        Ok(()) => Ok(()),
    };
    Ok((synced, found))
}

/// Looks for where a journal ends.
struct End<'a> {
    store: &'a Store,
    files: &'a Files,
    walker: Walker,
    aborted: u64,
    why: DropCause,
    /// Whether checksums are looked at.
    verify: bool,
}

impl<'a> End<'a> {
    fn new(store: &'a Store, files: &'a Files) -> Self {
        Self {
            store,
            files,
            walker: Walker::new(store, files.synced),
            aborted: 0,
            why: DropCause::Unfinished,
            verify: true,
        }
    }

    /// Steps over one thing that is whole. `false`: there is none at the position, and `why` says why.
    fn step(&mut self) -> Result<bool, OpenFault> {
        if self.walker.position >= self.files.end {
            self.why = DropCause::Segment;
            return Ok(false);
        }
        match self.walker.look(self.store) {
            Ok(Some(step)) if !self.verify || self.walker.is_sound(&step) => {
                self.walker.position = step.next;
                return Ok(true);
            }
            Ok(Some(_)) => self.why = DropCause::Checksum,
            Ok(None) => self.why = DropCause::Unfinished,
            Err(crate::bus::ReadError::Lost(lost)) => {
                return Err(OpenFault::tried("map a segment")(io::Error::other(lost)));
            }
            Err(_) => self.why = DropCause::Length,
        }
        Ok(false)
    }

    /// By checksums alone, from a record boundary on.
    fn by_checksums(&mut self, from: u64) -> Result<(), OpenFault> {
        self.walker.position = from;
        while self.step()? {}
        Ok(())
    }

    /// By the last writer's words. `false`: they contradict what is there. Where a flush has `failed` the system may have dropped what it was
    /// to take: all is looked at from what was synced on.
    fn by_words(&mut self, left: &Left, failed: bool) -> Result<bool, OpenFault> {
        let words = &left.words;
        if let Some(known) = left.finished.filter(|_| !failed) {
            if (self.files.synced..=words.tail).contains(&known) {
                self.walker.position = known;
            }
        }
        loop {
            let position = self.walker.position;
            if position >= words.tail {
                // Nothing can stand after the tail, or the words are not what they were.
                let more = self.step()?;
                return Ok(position == words.tail && !more && self.why != DropCause::Checksum);
            }
            // The system has kept every byte: what is finished is whole, and if it was damaged since, who reads it is told.
            self.verify = failed;
            let stepped = self.step()?;
            self.verify = true;
            if stepped {
                continue;
            }
            let hole = match self.why {
                DropCause::Unfinished => self.hole(left, position)?,
                _ => None,
            };
            let Some(end) = hole else { return Ok(false) };
            self.walker.abort(self.store, position, end);
            self.aborted += 1;
            fault!("hole_mended");
        }
    }

    /// Where the claim at `position` ends, which its publisher did not finish.
    fn hole(&self, left: &Left, position: u64) -> Result<Option<u64>, OpenFault> {
        let lap_end = self.store.base(position) + self.store.segment_bytes();
        let possible = |end: u64| end % 16 == 0 && end > position && end <= lap_end;
        let ends = |owned: bool| {
            let intents = left.words.intents.iter();
            let mut ends: Vec<u64> = intents
                .filter_map(|&(intent, len)| match intent {
                    // Of a run, those before may have been finished.
                    Intent::Owns(from) if owned && from <= position => {
                        Some(from.saturating_add(len))
                    }
                    Intent::Tries(from) if !owned && from == position => {
                        Some(from.saturating_add(len))
                    }
                    _ => None,
                })
                .filter(|&end| possible(end) && end <= left.words.tail)
                .collect();
            ends.sort_unstable();
            ends
        };
        // Who owns it; or else one of those who tried from here has moved the tail, and died before it could say so. Where
        // it ends, another claim has begun, or the tail is.
        for end in ends(true).into_iter().chain(ends(false)) {
            if self.has_begun(left, end)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    /// Whether a claim began at `position`, or the tail has been there.
    fn has_begun(&self, left: &Left, position: u64) -> Result<bool, OpenFault> {
        let named = left.words.intents.iter().any(
            |(intent, _)| matches!(intent, Intent::Tries(at) | Intent::Owns(at) if *at == position),
        );
        if position == left.words.tail || named {
            return Ok(true);
        }
        if position >= self.files.end {
            return Ok(false);
        }
        let mut walker = Walker::new(self.store, position);
        match walker.look(self.store) {
            Ok(Some(step)) => Ok(walker.is_sound(&step)),
            Ok(None) | Err(crate::bus::ReadError::Corrupt(_)) => Ok(false),
            Err(error) => Err(OpenFault::tried("map a segment")(io::Error::other(error))),
        }
    }
}

/// How much is written again at a time.
const RUN: usize = 1 << 20;

/// Writes the segments from the synced position on over themselves: what a flush has failed to take, or an opening to clear, is unchanged since then in the
/// system's eyes, and another flush would not take it either.
fn write_again(store: &Store, dir: &Path, files: &Files) -> io::Result<()> {
    let mut bytes = vec![0; RUN];
    for base in (store.base(files.synced)..files.end).step_by(files.segment_bytes as usize) {
        let mut file = open_plain(&dir.join(segment_name(base)), true)?;
        let end = store.file_bytes();
        for at in (0..end).step_by(RUN) {
            let some = &mut bytes[..RUN.min((end - at) as usize)];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(some)?;
            file.seek(SeekFrom::Start(at))?;
            file.write_all(some)?;
        }
    }
    Ok(())
}

/// Where each segment from that of `tail` on begins, and where the last of what stands behind `tail` in it ends.
fn used_behind(
    store: &Store,
    files: &Files,
    tail: u64,
) -> Result<Vec<(u64, Option<u64>)>, OpenFault> {
    let bases = (store.base(tail)..files.end).step_by(store.segment_bytes() as usize);
    let used = bases.map(|base| {
        let window = window_on(store, base)?;
        let (from, end) = (base.max(tail), base + store.segment_bytes());
        let words = (0..(end - from) / 8).rev().map(|word| from + word * 8);
        let used = { words }.find(|&at| window.word(at).load(Ordering::Relaxed) != 0);
        Ok((base, used.map(|at| at + 8)))
    });
    used.collect()
}

fn window_on(store: &Store, base: u64) -> Result<Window, OpenFault> {
    let window = store.window_at(base);
    window.map_err(|lost| OpenFault::tried("map a segment")(io::Error::other(lost)))
}

/// Makes what stands from `tail` on zero again: else a record of before could be taken for one of those to come, which will stand
/// at the same positions.
fn clear(
    store: &Store,
    dir: &Path,
    used: &[(u64, Option<u64>)],
    tail: u64,
) -> Result<(), OpenFault> {
    let system = OpenFault::tried;
    for &(base, to) in used {
        if let Some(to) = to {
            let window = window_on(store, base)?;
            for at in (base.max(tail)..to).step_by(8) {
                window.word(at).store(0, Ordering::Relaxed);
            }
            fault!("cleared");
        }
        // Also what one has set to zero that was killed before it was flushed.
        let path = dir.join(segment_name(base));
        let synced = open_plain(&path, true).and_then(|file| sync_file(&file, &path));
        synced.map_err(system("flush a segment that was cleared"))?;
        fault!("clear_flushed");
    }
    sync_dir(dir).map_err(system("flush the directory"))
}
