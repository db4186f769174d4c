//! Reading a shared bus through memory that can't be written, as no member of it.

use core::fmt;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::error::{SharedError, SharedFault};
use super::handle::SharedBus;
use super::house::{Access, Looked, look_at};
use super::layout::{Header, Words};
use super::look::{core_to_look_at, own_rights};
use super::name::path_of;
use super::options::SharedOptions;
use super::presence::{check, map};
use crate::bus::kept::Naps;
use crate::bus::processes::{Core, Found, Memory, Missed, Window, start_of};
use crate::bus::{ObserveError, Observed, Start, WaitStrategy, record_len};
use crate::checksum::crc32c_of;
use crate::journal::{Onlooker, Rights};

/// Reads copies of the records of a shared bus, and can't do anything to it: its memory is mapped for reading only, and a user that may
/// read the file but not write it can have one. It takes no place, no slot and no lock on the bus; nobody waits for it, or hears of it.
///
/// It is lapped as an [`Observer`](crate::bus::Observer) is, also in the middle of a copy, which it then throws away: what it
/// gives is whole. In two things it is less than an observer. Nobody wakes it, so when it waits it looks again and again. And it
/// can't settle what a dead process left: at a claim that was not finished it waits until a process that uses the bus has come past.
/// Where a bus stays when nobody is on it, and is opened anew later, it goes on; if its journal was cut meanwhile, at the cut, where other records
/// stand then.
pub struct Reader {
    path: PathBuf,
    core: Core,
    /// What it has of the journal, if one has the records.
    onlooker: Option<Onlooker>,
    header: Header,
    words: Words,
    /// By which it opens the journal anew.
    rights: Rights,
    window: Window,
    position: u64,
    /// Records before this one are stepped over.
    start: u64,
}

impl SharedBus {
    /// Reads the bus `name` from `start` on, without taking part in it.
    ///
    /// ```
    /// # if cfg!(miri) { return Ok(()); } // It has no such files.
    /// use messenger::bus::{MessageId, SourceId, Start, Tag};
    /// use messenger::shared::SharedBus;
    ///
    /// let name = format!("read-{}", std::process::id());
    /// let bus = SharedBus::create(&name, 1 << 16)?;
    /// // Another process does this.
    /// let mut reader = SharedBus::read(&name, Start::Oldest)?;
    ///
    /// bus.bus().publisher()?.send(Tag::new(SourceId::new(1), MessageId::new(1)), b"seen")?;
    /// let mut payload = Vec::new();
    /// let observed = reader.try_next(&mut payload)?.expect("it was committed");
    /// assert_eq!((observed.position, &payload[..]), (0, &b"seen"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`SharedOptions::read`].
    pub fn read(name: &str, start: Start) -> Result<Reader, SharedError> {
        Self::options().read(name, start)
    }
}

impl SharedOptions {
    /// Reads the bus `name` from `start` on, without taking part in it: the right to read its file is enough.
    ///
    /// A bus of another user is read only by who [trusts](Self::trust_others) him: he can say what he likes there, and end who reads it
    /// by cutting the file, but no more than that.
    ///
    /// # Errors
    ///
    /// [`SharedError`]: there is no such bus, it may not be read, belongs to somebody else, or is damaged; or it does not retain `start`.
    pub fn read(&self, name: &str, start: Start) -> Result<Reader, SharedError> {
        let path = path_of(&self.directory, name)?;
        let mapped = look_at(&path, Access::Read, |file| {
            let meta = file.metadata();
            let meta = meta.map_err(|e| SharedError::system(&path, "looking at its file", e))?;
            let user = rustix::process::geteuid().as_raw();
            if meta.uid() != user && !self.trusts_others {
                let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
                let fault = SharedFault::Foreign { owner, user, mode };
                return Err(SharedError::new(&path, fault));
            }
            let (header, words) = map_to_read(file, meta.len(), &path)?;
            Ok((header, words, Rights::of(&meta, self.trusts_others)))
        })?;
        let (header, words, rights) = match mapped {
            Looked::There(mapped) => mapped,
            // By the descriptor that is open: if another one were closed, the locks of this process would go.
            Looked::Here(presence) => {
                let desk = presence.desk();
                let (header, words) = map_to_read(&desk.file, desk.parts.len as u64, &path)?;
                let rights = own_rights(&path, &desk.file)?;
                (header, words, rights)
            }
        };
        Reader::new(path, (header, words, rights), start)
    }
}

fn map_to_read(file: &File, len: u64, path: &Path) -> Result<(Header, Words), SharedError> {
    map(file, len, path, Access::Read)
}

impl Reader {
    fn new(
        path: PathBuf,
        (header, words, rights): (Header, Words, Rights),
        start: Start,
    ) -> Result<Self, SharedError> {
        let (core, onlooker) = core_to_look_at(&path, &words, &header, rights)?;
        check(&core, &path)?;
        let (floor, tail) = core.glance_at_ends();
        let start = start_of(start, floor, tail);
        let start = start.map_err(|e| SharedError::new(&path, SharedFault::Join(e)))?;
        // No record crosses the end of the ring, or of a segment: one begins where that of any place does. (The tail is a record boundary, too.)
        let lap = start - start % core.lap();
        Ok(Self {
            path,
            window: core.memory.window(),
            core,
            onlooker,
            header,
            words,
            rights,
            position: if start == tail { tail } else { floor.max(lap) },
            start,
        })
    }

    /// Its file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The position of what is read next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// The position at which the next claim on the bus will begin.
    #[must_use]
    pub fn tail(&self) -> u64 {
        self.core.glance_at_ends().1
    }

    /// Whether the bus has been removed: its file has no name any more, and a bus of its name is another one. Nobody comes to it; those
    /// who are there may still publish.
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.words.is_removed()
    }

    /// Copies the next record's payload into `payload`, in place of what is there, if a record is there. If this gives no
    /// record, nothing is promised of what `payload` holds.
    ///
    /// It steps over as many records that were aborted, or stand before its start, as a ring or a segment has room for, or a million if those are fewer; then
    /// it says that none is there now.
    ///
    /// # Errors
    ///
    /// [`ObserveError::Lagged`] if it was lapped: it goes on at the oldest record still there. [`ObserveError::Read`] if something
    /// wrote over the bus's memory, or a record of a journal is not as it was written, which its checksum tells; then it stays where it is.
    pub fn try_next(&mut self, payload: &mut Vec<u8>) -> Result<Option<Observed>, ObserveError> {
        // Whoever can write the memory could else keep it here for ever.
        for _ in 0..(self.core.lap() / record_len(0) as u64).max(1 << 20) {
            let (position, start) = (self.position, self.start);
            let is_kept = self.core.is_kept();
            let copy = |window: &Window, meta: u64, len: u32| {
                if position >= start || is_kept {
                    window.copy(position, len as usize, payload);
                }
                // Also of what is stepped over: by its length the next record is found.
                is_kept.then(|| crc32c_of([&meta.to_le_bytes(), payload]))
            };
            let found = self.core.glance(&mut self.window, position, copy);
            // Asked after it, since others may have written there for as long as the words have been superseded.
            let superseded = self.onlooker.as_ref().is_some_and(Onlooker::is_superseded);
            let found = match superseded.then(|| self.follow()) {
                Some(Ok(())) => continue,
                // The journal was cut before it: what stands there now is not what this one reads.
                Some(Err(stays)) if stays <= position => Ok(Found::Nothing),
                _ => found,
            };
            match found {
                Ok(Found::Nothing) => break,
                Ok(Found::Skip { next }) => self.position = next,
                Ok(Found::Record { tag, next, .. }) => {
                    self.position = next;
                    if position >= start {
                        return Ok(Some(Observed { position, tag }));
                    }
                }
                Err(Missed::Lapped(floor)) => {
                    self.position = floor;
                    // What stood before the start is not missed.
                    let from = position.max(start);
                    if floor > from {
                        let skipped = floor - from;
                        return Err(ObserveError::Lagged { skipped });
                    }
                }
                Err(Missed::Read(error)) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    /// Where all have died on the bus, or left it, and others open it, or have since, its journal has other words: goes on by these. `Err`: it
    /// can't yet, or never will; up to where the records are those that this one reads.
    #[cold]
    fn follow(&mut self) -> Result<(), u64> {
        let Some(old) = &self.onlooker else {
            return Err(u64::MAX);
        };
        let (stays, has_bus) = old.stays_by_now().unwrap_or((u64::MAX, true));
        let stays = stays.min(old.stays());
        // Who has the journal after that may be another bus's, and write behind what this one had.
        let own = stays.min(self.core.glance_at_ends().1);
        if !has_bus || self.is_removed() {
            return Err(own);
        }
        // The words may be on their way: then it is looked for them again.
        let looked = core_to_look_at(&self.path, &self.words, &self.header, self.rights);
        let Ok((core, Some(onlooker))) = looked else {
            return Err(own);
        };
        let same = onlooker.same_as(old);
        if onlooker.is_superseded() || check(&core, &self.path).is_err() {
            return Err(stays.min(onlooker.stays()).min(same.unwrap_or(0)));
        }
        // From there on other records stand there, and this one has had none of them. If that is not known, so does it from the oldest on.
        let same = same.unwrap_or_else(|| core.glance_at_ends().0);
        self.position = self.position.min(same);
        self.start = self.start.min(same);
        self.window = core.memory.window();
        (self.core, self.onlooker) = (core, Some(onlooker));
        Ok(())
    }

    /// Copies the next record as [`try_next`](Self::try_next) does; waits for it until `deadline`, or until `stop` says so (then
    /// `None`, if no record is there even then).
    ///
    /// Nobody wakes it: where `wait` says to sleep, it sleeps 50 microseconds at first, and up to 2 milliseconds at a time while
    /// nothing comes.
    ///
    /// # Errors
    ///
    /// As for [`try_next`](Self::try_next).
    pub fn next_until(
        &mut self,
        payload: &mut Vec<u8>,
        wait: WaitStrategy,
        deadline: Option<Instant>,
        mut stop: impl FnMut() -> bool,
    ) -> Result<Option<Observed>, ObserveError> {
        let mut naps = Naps::new(wait);
        loop {
            let next = self.try_next(payload);
            if !matches!(next, Ok(None)) {
                return next;
            }
            // What was committed before `stop` turned, or in time, is still seen.
            if stop() || deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return self.try_next(payload);
            }
            naps.take(deadline);
        }
    }
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader")
            .field("path", &self.path)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
