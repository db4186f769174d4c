//! A walk over all of a journal, whatever state it is in: what `verify` reports and `repair` goes by.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::control::{Control, Left};
use super::dir::Dir;
use super::error::OpenFault;
use super::files::{list_segments, open_plain, segment_name};
use super::header::{HEADER_BYTES, HeaderError, SegmentHeader, synced_of};
use super::note;
use super::schema::{Manifest, ManifestError};
use super::store::{Identity, Store};
use super::verify::{Damage, DamageKind, Progress, Verified};
use super::walker::{Step, StepKind, Walker};
use crate::bus::ReadError;
use crate::bus::kept::Window;
use crate::memory::{MemoryKind, Region, RegionOptions};

/// After how many bytes progress is told.
const TELL_EVERY: u64 = 1 << 20;

/// What a journal is, from its `schema`, or else from its segments.
pub(super) struct Known {
    pub(super) manifest: Manifest,
    /// What is wrong with the file, if the segments had to tell.
    pub(super) fault: Option<String>,
}

/// Finds out what the journal in `path` is.
pub(super) fn known(path: &Path) -> Result<Known, OpenFault> {
    let fault = match super::opening::manifest_of(path) {
        Ok(manifest) => {
            return Ok(Known {
                manifest,
                fault: None,
            });
        }
        Err(fault) => fault,
    };
    match &fault {
        OpenFault::NotAJournal
        | OpenFault::Manifest(ManifestError::Damaged { .. } | ManifestError::Foreign) => {}
        _ => return Err(fault),
    }
    let Some(manifest) = salvaged(path).map_err(OpenFault::tried("list the segments"))? else {
        return Err(fault);
    };
    let why = match fault {
        OpenFault::Manifest(error) => error.to_string(),
        _ => "there is none".to_owned(),
    };
    Ok(Known {
        manifest,
        fault: Some(why),
    })
}

/// What most of the segments agree on.
fn salvaged(path: &Path) -> io::Result<Option<Manifest>> {
    let mut votes = HashMap::new();
    for base in list_segments(path, 1)?.bases {
        let mut page = Vec::new();
        let file = open_plain(&path.join(segment_name(base)), false)?;
        file.take(HEADER_BYTES as u64).read_to_end(&mut page)?;
        let Ok(header) = SegmentHeader::parse(&page) else {
            continue;
        };
        if header.base == base {
            let what = (header.id, header.segment_bytes, header.salt);
            let vote = votes.entry(what).or_insert((0, header.created_nanos));
            vote.0 += 1;
        }
    }
    let most = votes.into_iter().max_by_key(|(what, vote)| (vote.0, *what));
    Ok(most.map(|((id, segment_bytes, salt), (_, created))| {
        Manifest::new(id, segment_bytes, salt, created)
    }))
}

/// The walk.
pub(super) struct Survey<'a> {
    dir: &'a Path,
    pub(super) store: Store,
    bases: Vec<u64>,
    told: u64,
    at: Surveyed,
}

/// What it has found.
pub(super) struct Surveyed {
    pub(super) verified: Verified,
    pub(super) bases: Vec<u64>,
    /// Where the last thing in use was seen.
    pub(super) used_to: u64,
}

impl Surveyed {
    /// Takes out of the damage what is none: claims that a writer which was killed left. They are counted in
    /// [`Verified::pending`], and whoever opens the journal next finishes them.
    pub(super) fn excuse(verified: &mut Verified, left: &Left) {
        verified.damage.retain(|damage| {
            let unfinished = damage.what == DamageKind::Unfinished && !damage.synced;
            !(unfinished && left.was_claimed(damage.position))
        });
    }
}

/// A segment, as far as it can be had.
struct Loaded {
    window: Option<Window>,
    flaw: Option<DamageKind>,
}

impl<'a> Survey<'a> {
    pub(super) fn new(dir: &'a Path, known: &Known, live: bool) -> Result<Self, OpenFault> {
        let manifest = &known.manifest;
        let identity = Identity {
            id: manifest.id,
            segment_bytes: manifest.segment_bytes,
            salt: manifest.salt,
        };
        let store = Store::new(Some((&Dir::of(dir), false)), identity, 0, false)
            .map_err(OpenFault::tried("get memory"))?;
        let bases = list(dir, &store)?;
        let oldest = bases.first().copied().unwrap_or(0);
        let schema = known.fault.clone().map(|why| Damage {
            position: oldest,
            what: DamageKind::Schema { why },
            synced: true,
        });
        let verified = Verified {
            live,
            oldest,
            newest: oldest,
            synced: oldest,
            segments: bases.len() as u64,
            records: 0,
            notes: 0,
            aborted: 0,
            padding: 0,
            bytes: 0,
            times: None,
            pending: 0,
            damage: schema.into_iter().collect(),
        };
        Ok(Self {
            dir,
            store,
            bases: bases.clone(),
            told: 0,
            at: Surveyed {
                verified,
                bases,
                used_to: oldest,
            },
        })
    }

    pub(super) fn run(mut self, progress: &mut dyn FnMut(Progress)) -> Result<Surveyed, OpenFault> {
        let segment = self.store.segment_bytes();
        self.look_for_synced()?;
        let mut expected = self.at.verified.oldest;
        let mut ended = false;
        let mut next = 0;
        while let Some(&base) = self.bases.get(next) {
            if base > expected && self.at.verified.live {
                // They may have been given up meanwhile; or have been made, or renamed, while the directory was listed.
                let there = list(self.dir, &self.store)?;
                let between = there.iter().filter(|&&b| b >= expected && b < base);
                let between: Vec<u64> = between.copied().collect();
                let given_up = there.first().is_none_or(|&oldest| oldest > expected);
                if given_up {
                    expected = base;
                } else if !between.is_empty() {
                    self.bases.splice(next..next, between);
                    continue;
                }
            }
            next += 1;
            if base > expected {
                self.damaged(expected, DamageKind::Missing { to: base });
            }
            let Some(loaded) = self.load(base)? else {
                // Given up by who writes it, meanwhile: so all of it was finished.
                expected = base + segment;
                self.at.verified.newest = expected;
                continue;
            };
            if let Some(flaw) = loaded.flaw {
                self.damaged(base, flaw);
            }
            if let (Some(window), false) = (loaded.window, ended) {
                let walker = Walker::over(&self.store, window, base);
                ended = self.walk(walker, base + segment, next, progress)?;
            }
            expected = base + segment;
            self.tell(expected, progress);
        }
        self.look_before();
        if self.at.verified.synced > expected {
            let to = self.at.verified.synced;
            self.damaged(expected, DamageKind::Missing { to });
        }
        self.at
            .verified
            .damage
            .sort_by_key(|damage| damage.position);
        Ok(self.at)
    }

    /// Whether the last writer had not given up what lies before the oldest segment. Asked after the segments were listed: who gives up one says so
    /// before the file goes.
    fn look_before(&mut self) {
        let to = self.at.verified.oldest;
        if let Ok(Some(oldest)) = Control::oldest_in(&Dir::of(self.dir), &self.store.identity) {
            if oldest < to {
                self.damaged(oldest, DamageKind::Missing { to });
            }
        }
    }

    /// Up to where all has been synced, by what the headers say, and the last writer when it closed the journal.
    fn look_for_synced(&mut self) -> Result<(), OpenFault> {
        // If it was closed, all before was flushed.
        if let Ok(Some(closed_at)) = Control::closed_at(&Dir::of(self.dir), &self.store.identity) {
            self.at.verified.synced = closed_at.max(self.at.verified.synced);
        }
        for &base in &self.bases {
            let Some(mut file) = self.open(base)? else {
                continue;
            };
            let (page, header) = self.header(&mut file, base)?;
            if header.is_ok() {
                let synced = synced_of(&page, self.store.identity.salt).unwrap_or(0);
                let known = &mut self.at.verified.synced;
                *known = synced.max(*known);
            }
        }
        Ok(())
    }

    fn open(&self, base: u64) -> Result<Option<File>, OpenFault> {
        match open_plain(&self.dir.join(segment_name(base)), false) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenFault::tried("open a segment")(error)),
        }
    }

    fn header(
        &self,
        file: &mut File,
        base: u64,
    ) -> Result<(Vec<u8>, Result<(), HeaderError>), OpenFault> {
        let mut page = Vec::new();
        let read = file.take(HEADER_BYTES as u64).read_to_end(&mut page);
        read.map_err(OpenFault::tried("read a segment"))?;
        let header = SegmentHeader::parse(&page)
            .and_then(|header| header.check(&self.store.header_of(base, &header)));
        if let Err(source @ HeaderError::Newer { .. }) = header {
            return Err(OpenFault::Header { base, source });
        }
        Ok((page, header))
    }

    fn load(&self, base: u64) -> Result<Option<Loaded>, OpenFault> {
        let tried = OpenFault::tried;
        let Some(mut file) = self.open(base)? else {
            return Ok(None);
        };
        let (page, header) = self.header(&mut file, base)?;
        let expected = self.store.file_bytes();
        let len = file.metadata().map_err(tried("look at a segment"))?.len();
        if let Err(error) = &header {
            if is_foreign(error) {
                return Ok(Some(Loaded {
                    window: None,
                    flaw: Some(DamageKind::Header(*error)),
                }));
            }
        }
        if len < expected {
            // Beyond the end of the file nothing may be mapped.
            let window = self
                .copied(file, page, base)
                .map_err(tried("read a segment"))?;
            return Ok(Some(Loaded {
                window: Some(window),
                flaw: Some(DamageKind::Cut { len, expected }),
            }));
        }
        let region = Region::of_file(&file, expected as usize, false);
        let region = region.map_err(tried("map a segment"))?;
        Ok(Some(Loaded {
            window: Some(self.window(region, base)),
            flaw: header.err().map(DamageKind::Header),
        }))
    }

    fn window(&self, region: Region, base: u64) -> Window {
        let segment = self.store.segment_bytes();
        Window::segment(Arc::new(region), HEADER_BYTES, base, segment)
    }

    /// What there is of a file, of which `bytes` have been read, and zeros for what it lacks.
    fn copied(&self, mut file: File, mut bytes: Vec<u8>, base: u64) -> io::Result<Window> {
        file.read_to_end(&mut bytes)?;
        let heap = RegionOptions {
            kind: MemoryKind::Heap,
            ..RegionOptions::default()
        };
        let region = Region::new(self.store.file_bytes() as usize, heap);
        let window = self.window(region.map_err(io::Error::other)?, base);
        let records = bytes.get(HEADER_BYTES..).unwrap_or_default();
        for (at, chunk) in (base..).step_by(8).zip(records.chunks(8)) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            let word = u64::from_le_bytes(word);
            window.word(at).store(word, Ordering::Relaxed);
        }
        Ok(window)
    }

    /// Walks over one segment. `true`: the journal ends in it.
    fn walk(
        &mut self,
        mut walker: Walker,
        end: u64,
        later: usize,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<bool, OpenFault> {
        while walker.position < end {
            let position = walker.position;
            match walker.look(&self.store) {
                Ok(Some(step)) if walker.is_sound(&step) => {
                    self.count(&walker, &step);
                    walker.position = step.next;
                    self.at.verified.newest = step.next;
                    if step.next - self.told >= TELL_EVERY {
                        self.tell(step.next, progress);
                    }
                    continue;
                }
                Ok(Some(_)) => self.damaged(position, DamageKind::Checksum),
                Err(ReadError::Corrupt(corrupt)) => {
                    let len = corrupt.len;
                    self.damaged(position, DamageKind::Length { len });
                }
                Err(error) => {
                    return Err(OpenFault::tried("map a segment")(io::Error::other(error)));
                }
                Ok(None) => return self.nothing(&walker, end, later),
            }
            self.used(walker.used_to(end));
            return Ok(false);
        }
        self.used(Some(end));
        Ok(false)
    }

    /// Nothing finished stands there: the end, or what was not finished, or damage.
    fn nothing(&mut self, walker: &Walker, end: u64, later: usize) -> Result<bool, OpenFault> {
        let position = walker.position;
        let mut used = walker.used_to(end);
        for &base in self.bases.iter().skip(later) {
            if let Some(window) = self.load(base)?.and_then(|loaded| loaded.window) {
                let walker = Walker::over(&self.store, window, base);
                used = walker.used_to(base + self.store.segment_bytes()).or(used);
            }
        }
        self.used(used);
        let verified = &mut self.at.verified;
        let was_synced = position < verified.synced;
        if !was_synced && verified.pending == 0 {
            verified.pending = used.map_or(0, |used| used - position);
        }
        if !was_synced && (verified.live || used.is_none()) {
            if verified.damage.is_empty() {
                // What came before may have been given up while it was looked for.
                verified.newest = position;
            }
            return Ok(true);
        }
        self.damaged(position, DamageKind::Unfinished);
        Ok(false)
    }

    fn used(&mut self, to: Option<u64>) {
        self.at.used_to = to.unwrap_or(0).max(self.at.used_to);
    }

    fn count(&mut self, walker: &Walker, step: &Step) {
        let verified = &mut self.at.verified;
        let bytes = step.next - step.position;
        match step.kind {
            StepKind::Record => {
                verified.records += 1;
                verified.bytes += bytes;
            }
            StepKind::Note => {
                verified.notes += 1;
                if let Some(nanos) = note::time_of(step.tag, walker.payload(step)) {
                    let time = time(nanos);
                    let first = verified.times.map_or(time, |(first, _)| first);
                    verified.times = Some((first, time));
                }
            }
            StepKind::Aborted => verified.aborted += 1,
            StepKind::Padding => verified.padding += bytes,
        }
    }

    fn damaged(&mut self, position: u64, what: DamageKind) {
        let verified = &mut self.at.verified;
        let synced = position < verified.synced;
        verified.damage.push(Damage {
            position,
            what,
            synced,
        });
    }

    fn tell(&mut self, position: u64, progress: &mut dyn FnMut(Progress)) {
        self.told = position;
        let first = self.at.verified.oldest;
        let last = self.bases.last().copied().unwrap_or(first);
        progress(Progress {
            done: position - first,
            total: last + self.store.segment_bytes() - first,
        });
    }
}

/// Whether a header says that the file does not belong where it is, so that nothing in it counts.
pub(super) fn is_foreign(error: &HeaderError) -> bool {
    matches!(
        error,
        HeaderError::OtherJournal { .. }
            | HeaderError::OtherBase { .. }
            | HeaderError::OtherShape { .. }
    )
}

fn list(dir: &Path, store: &Store) -> Result<Vec<u64>, OpenFault> {
    let listing = list_segments(dir, store.segment_bytes());
    Ok(listing
        .map_err(OpenFault::tried("list the segments"))?
        .bases)
}

fn time(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}
