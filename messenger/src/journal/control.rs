//! The file `control`: the shared words of those who write, mapped by each of them, so that they survive them all.
//!
//! A page that says whose they are, and how far the journal has got (`state.rs`), then the words of the bus (`docs/bus.md`). After a
//! loss of power nothing in it is believed.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::dir::Dir;
use super::files::{CONTROL, replace, sync_dir, sync_file};
use super::recovery::Dropped;
use super::store::{Identity, now_nanos};
use crate::bus::kept::{
    Intent, LastWords, Progress, TAIL_AT, Window, finished_check, last_words, reset_words,
    words_len,
};
use crate::memory::{MemoryKind, Region, RegionOptions};

/// Where the words of the bus begin.
pub(super) const WORDS_AT: usize = 4096;

const MAGIC: u64 = u64::from_le_bytes(*b"MSGRCTL\0");
/// Another with each change of what lies where, also among the bus's own words.
const VERSION: u64 = 3;
const CLEAN: u64 = 2;
const OPEN: u64 = 1;

// The words of the page, by their offsets.
const MAGIC_AT: u64 = 0;
const VERSION_AT: u64 = 8;
const ID_AT: u64 = 16;
const BOOT_AT: u64 = 32;
const STATE_AT: u64 = 48;
pub(super) const FINISHED_AT: u64 = 56;
pub(super) const FINISHED_CHECK_AT: u64 = 64;
const MEMBERS_AT: u64 = 72;
const WORDS_LEN_AT: u64 = 80;
const PID_AT: u64 = 88;
/// 0, as long as no other words have come in place of these; else up to where the records stay, with the lowest bit set.
const SUPERSEDED_AT: u64 = 96;
const HISTORY_AT: u64 = 104;
const BEFORE_AT: u64 = 112;
const CUT_AT: u64 = 120;

// Those of `state.rs`, each part on a line of its own.
pub(super) const OPENED_AT: u64 = 128;
/// Of `Dropped`.
pub(super) const DROPPED_AT: [u64; 4] = [136, 144, 152, 160];
const CLOSED_CHECK_AT: u64 = 168;
pub(super) const PREPARED_AT: u64 = 256;
pub(super) const OLDEST_AT: u64 = 264;
pub(super) const REMOVED_AT: u64 = 272;
pub(super) const MAKING_AT: u64 = 280;
pub(super) const SYNCED_AT: u64 = 384;
pub(super) const SYNCS_AT: u64 = 392;
pub(super) const FAILED_AT: u64 = 400;
pub(super) const FAILED_CODE_AT: u64 = 408;
pub(super) const FLUSHES_AT: u64 = 416;
pub(super) const LONGEST_FLUSH_AT: u64 = 424;
pub(super) const TIMED_AT: u64 = 512;
pub(super) const TIMED_TAIL_AT: u64 = 520;
pub(super) const NOTING_AT: u64 = 528;
pub(super) const FLUSHED_AT: u64 = 536;
pub(super) const TRIMMED_AT: u64 = 544;
pub(super) const WALKED_AT: u64 = 552;
pub(super) const TIME_AT: u64 = 560;

#[cfg(all(feature = "shared", target_os = "linux"))]
mod shared;

/// The mapped file.
pub(super) struct Control {
    pub(super) region: Arc<Region>,
    page: Window,
    /// The bus's word of where the next claim begins.
    pub(super) tail: Window,
    members: usize,
    /// Whether the memory is mapped for reading only.
    read_only: bool,
}

/// Up to where records stay, if all do.
pub(super) const ALL: u64 = u64::MAX;

/// What tells those who have read by other words up to where the records are still those that they know.
struct History {
    /// A random number, which each words have from those before them, unless records were given up that somebody may have read.
    number: u64,
    /// The number before that one, and up to where the records are the same by both.
    before: u64,
    cut: u64,
}

/// What the last process to write left.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) clean: bool,
    /// A record boundary up to which all was finished, if it was known.
    pub(super) finished: Option<u64>,
    /// Before which all was given up.
    pub(super) oldest: u64,
    pub(super) words: LastWords,
}

impl Left {
    /// Whether a publisher was claiming what stands at `position`, or had claimed it and not finished.
    pub(super) fn was_claimed(&self, position: u64) -> bool {
        let claimed = |from: u64, len| (from..from.saturating_add(len)).contains(&position);
        let mut intents = self.words.intents.iter();
        let named = intents.any(|&(intent, len)| match intent {
            Intent::Owns(from) | Intent::Tries(from) => claimed(from, len),
            Intent::None => false,
        });
        named && position < self.words.tail && self.finished.is_none_or(|it| it <= position)
    }

    /// As of a journal that was closed, and ended at `tail`.
    pub(super) fn closed(tail: u64) -> Self {
        Self {
            clean: true,
            finished: Some(tail),
            oldest: 0,
            words: LastWords {
                tail,
                intents: Vec::new(),
            },
        }
    }
}

impl Control {
    /// Words in memory, of a kind.
    pub(super) fn in_memory(members: usize, kind: MemoryKind) -> io::Result<Self> {
        let heap = RegionOptions {
            kind,
            ..RegionOptions::default()
        };
        let region = Region::new(len(members), heap).map_err(io::Error::other)?;
        Ok(Self::over(region, members))
    }

    pub(super) fn is_read_only(&self) -> bool {
        self.read_only
    }

    pub(super) fn members(&self) -> usize {
        self.members
    }

    fn over(region: Region, members: usize) -> Self {
        let region = Arc::new(region);
        let page = Window::segment(Arc::clone(&region), 0, 0, WORDS_AT as u64);
        let tail = Window::segment(Arc::clone(&region), WORDS_AT + TAIL_AT, 0, 8);
        Self {
            region,
            page,
            tail,
            members,
            read_only: false,
        }
    }

    /// Makes the file anew, for a bus from `floor` to `tail` of which so much is `known`, in place of what the last process left, where that is
    /// said first; up to `stays` the records are the same as before. Who finds the file finds all of that in it: somebody may be waiting for it.
    pub(super) fn create(
        dir: &Dir,
        identity: &Identity,
        members: usize,
        (floor, tail): (u64, u64),
        stays: u64,
        known: &Self,
    ) -> io::Result<Self> {
        let new = format!("{CONTROL}.new");
        let file = dir.make(&new)?;
        // Written, not only made long: what is mapped later has its blocks.
        (&file).write_all(&vec![0; len(members)])?;
        let control = Self::over(Region::of_file(&file, len(members), true)?, members);
        control.reset(floor, tail);
        control.take_over(known);
        fault!("control_made");
        let history = supersede(dir, identity, stays)?;
        let [id0, id1] = words_of(identity.id);
        let [boot0, boot1] = boot();
        let words = [
            (MAGIC_AT, MAGIC),
            (VERSION_AT, VERSION),
            (ID_AT, id0),
            (ID_AT + 8, id1),
            (BOOT_AT, boot0),
            (BOOT_AT + 8, boot1),
            (STATE_AT, OPEN),
            (MEMBERS_AT, members as u64),
            (WORDS_LEN_AT, words_len(members) as u64),
            (PID_AT, u64::from(std::process::id())),
            (HISTORY_AT, history.number),
            (BEFORE_AT, history.before),
            (CUT_AT, history.cut),
            (OPENED_AT, tail),
        ];
        for (at, word) in words {
            control.word(at).store(word, Ordering::Relaxed);
        }
        control.set_finished(tail);
        let new = dir.join(new);
        if control.word(DROPPED_AT[3]).load(Ordering::Relaxed) != 0 {
            // As it was in those before.
            sync_file(&file, &new)?;
        }
        fs::rename(new, dir.join(CONTROL))?;
        fault!("control_named");
        // So that no page is found later which says that the journal is closed, though there has been a writer since.
        sync_dir(dir)?;
        Ok(control)
    }

    /// For how many members the words are, if this journal's writers have made them since the system was started.
    fn members_of(&self, identity: &Identity) -> Option<usize> {
        let word = |at| self.word(at).load(Ordering::Relaxed);
        let members = usize::try_from(word(MEMBERS_AT)).ok()?;
        let ours = word(MAGIC_AT) == MAGIC
            && word(VERSION_AT) == VERSION
            && [word(ID_AT), word(ID_AT + 8)] == words_of(identity.id)
            && [word(BOOT_AT), word(BOOT_AT + 8)] == boot()
            && boot() != [0, 0]
            && members <= usize::from(u16::MAX)
            && word(WORDS_LEN_AT) == words_len(members) as u64;
        ours.then_some(members)
    }

    /// What the last process left, if the power has not been lost since, and if it was this journal and this layout.
    pub(super) fn left(dir: &Dir, identity: &Identity) -> io::Result<Option<Left>> {
        let file = match dir.open(CONTROL, true) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        if !(len(0)..1 << 30).contains(&bytes) {
            return Ok(None);
        }
        let region = Region::of_file(&file, bytes, true)?;
        let control = Self::over(region, 0);
        let word = |at| control.word(at).load(Ordering::Relaxed);
        let members = control.members_of(identity);
        let Some(members) = members.filter(|&members| bytes == len(members)) else {
            return Ok(None);
        };
        Ok(Some(Left {
            clean: word(STATE_AT) == CLEAN,
            finished: Some(word(FINISHED_AT))
                .filter(|finished| word(FINISHED_CHECK_AT) == finished_check(*finished))
                .filter(|finished| finished % 16 == 0),
            oldest: word(OLDEST_AT),
            words: last_words(&control.region, WORDS_AT, members),
        }))
    }

    /// Where the journal ended when it was closed, if its last writer has said so: also if the system has been started since.
    /// All before was flushed then, and nothing was written after.
    pub(super) fn closed_at(dir: &Dir, identity: &Identity) -> io::Result<Option<u64>> {
        let page = page_of(dir, identity)?;
        let page = page.filter(is_closed);
        Ok(page.map(|page| word_of(&page, FINISHED_AT)))
    }

    /// Where the oldest segment was to begin that had not been given up, by the words of this boot, or those of a journal that was closed.
    pub(super) fn oldest_in(dir: &Dir, identity: &Identity) -> io::Result<Option<u64>> {
        let is_believed = |page: &[u8; WORDS_AT]| {
            let of_boot = [word_of(page, BOOT_AT), word_of(page, BOOT_AT + 8)];
            word_of(page, VERSION_AT) == VERSION
                && (is_closed(page) || (of_boot == boot() && boot() != [0, 0]))
        };
        let page = page_of(dir, identity)?.filter(is_believed);
        Ok(page.map(|page| word_of(&page, OLDEST_AT)))
    }

    /// How often the last writers have flushed, and how long that took at the most.
    pub(super) fn flushes_in(dir: &Dir, identity: &Identity) -> io::Result<(u64, Duration)> {
        let page = page_of(dir, identity)?;
        Ok(page.map_or((0, Duration::ZERO), |page| {
            let longest = Duration::from_nanos(word_of(&page, LONGEST_FLUSH_AT));
            (word_of(&page, FLUSHES_AT), longest)
        }))
    }

    /// Whether a flush of the last writers' has failed, or an opening or a repair that was to clear something did not come to its end: by whatever words there
    /// are, since more is looked at and written for it, and nothing believed.
    pub(super) fn has_failed(dir: &Dir, identity: &Identity) -> io::Result<bool> {
        let page = page_of(dir, identity)?;
        Ok(page.is_some_and(|page| word_of(&page, FAILED_AT) != 0))
    }

    /// What an opening has given up, whoever was told of it.
    pub(super) fn dropped_in(dir: &Dir, identity: &Identity) -> io::Result<Option<Dropped>> {
        let page = page_of(dir, identity)?;
        let words = |page| DROPPED_AT.map(|at| word_of(&page, at));
        Ok(page.map(words).and_then(Dropped::of_words))
    }

    /// The same of the opening that has made these words.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    pub(super) fn dropped(&self) -> Option<Dropped> {
        Dropped::of_words(DROPPED_AT.map(|at| self.word(at).load(Ordering::Relaxed)))
    }

    /// Says it of this opening.
    pub(super) fn say_dropped(&self, dropped: Option<&Dropped>) {
        for (at, word) in DROPPED_AT.into_iter().zip(words_of_dropped(dropped)) {
            self.word(at).store(word, Ordering::Relaxed);
        }
    }

    /// Makes the bus's words those of a bus from `floor` to `tail` to which nobody is attached.
    pub(super) fn reset(&self, floor: u64, tail: u64) {
        reset_words(&self.region, WORDS_AT, self.members, floor, tail);
    }

    /// Where the next claim would begin.
    pub(super) fn tail(&self) -> u64 {
        self.tail_word().load(Ordering::Relaxed)
    }

    /// The journal has been closed: `tail` is where it ends, and has been walked over before. Who opens it next sees that by the lock.
    pub(super) fn clean(&self, tail: u64) {
        self.set_finished(tail);
        self.say_dropped(None);
        let check = closed_check(tail, self.oldest());
        self.word(CLOSED_CHECK_AT).store(check, Ordering::Relaxed);
        self.word(STATE_AT).store(CLEAN, Ordering::Relaxed);
        fault!("closed");
    }

    pub(super) fn word(&self, at: u64) -> &AtomicU64 {
        self.page.word(at)
    }
}

/// Says by the words in `dir` that all before `base` is given up.
pub(super) fn begin_at(dir: &Dir, base: u64) -> io::Result<()> {
    let Some((mut file, _)) = words_in(dir, true)? else {
        return Ok(());
    };
    file.seek(SeekFrom::Start(OLDEST_AT))?;
    file.write_all(&base.to_le_bytes())?;
    sync_file(&file, &dir.join(CONTROL))
}

/// The page of the journal's last writers, if there is one: only to be read.
fn page_of(dir: &Dir, identity: &Identity) -> io::Result<Option<[u8; WORDS_AT]>> {
    let page = words_in(dir, false)?.map(|(_, page)| page);
    Ok(page.filter(|page| is_of(page, identity)))
}

/// Whether it is that of this journal.
fn is_of(page: &[u8; WORDS_AT], identity: &Identity) -> bool {
    [word_of(page, ID_AT), word_of(page, ID_AT + 8)] == words_of(identity.id)
}

/// Whether the page says that the journal was closed, and from where to where it reached.
fn is_closed(page: &[u8; WORDS_AT]) -> bool {
    let word = |at| word_of(page, at);
    word(STATE_AT) == CLEAN
        && word(CLOSED_CHECK_AT) == closed_check(word(FINISHED_AT), word(OLDEST_AT))
        && word(FINISHED_AT) % 16 == 0
}

/// What stands there in a page of a journal that was closed: a loss of power may leave a page of which a part is older.
const fn closed_check(finished: u64, oldest: u64) -> u64 {
    finished_check(finished) ^ oldest.rotate_left(32)
}

/// Tells those who look at the words in `dir` that others come in their place, and up to where the records stay. Before either is so: who dies in between has them
/// look in vain. By builds without shared buses, too: who opens one after them finds only their words. Gives the history that the others are to have.
fn supersede(dir: &Dir, identity: &Identity, stays: u64) -> io::Result<History> {
    let Some((mut file, page)) = words_in(dir, true)? else {
        return Ok(History::new(0, 0));
    };
    // In place of what another has said before who gave these words no successor: nobody has published since, so if more is found to stay now, that
    // cut was never made.
    file.seek(SeekFrom::Start(SUPERSEDED_AT))?;
    file.write_all(&(stays | 1).to_le_bytes())?;
    fault!("control_superseded");
    let word = |at| word_of(&page, at);
    let is_known = word(VERSION_AT) == VERSION && is_of(&page, identity) && word(HISTORY_AT) != 0;
    Ok(match stays {
        _ if !is_known => History::new(0, 0),
        ALL => History {
            number: word(HISTORY_AT),
            before: word(BEFORE_AT),
            cut: word(CUT_AT),
        },
        cut => History::new(word(HISTORY_AT), cut),
    })
}

/// Has nobody believe the words in `dir` any more, and tells those who look at them that records stay up to `stays`: before anything is cut. And whoever finds
/// them so takes it that a flush has failed: of what was cut he can't know it. He says also what was `dropped`, if this one does not come to it.
pub(super) fn disown(
    dir: &Dir,
    identity: &Identity,
    stays: u64,
    dropped: Option<&Dropped>,
) -> io::Result<()> {
    // First, so that who is about to join them is told why he can't.
    supersede(dir, identity, stays)?;
    let failed = 1_u64.to_le_bytes();
    let dropped = words_of_dropped(dropped).map(u64::to_le_bytes);
    let Some((mut file, _)) = words_in(dir, true)?.filter(|(_, page)| is_of(page, identity)) else {
        // There is none, or what is there is none of this journal.
        let mut page = [0; WORDS_AT];
        let mut put =
            |at: u64, part: &[u8]| page[at as usize..][..part.len()].copy_from_slice(part);
        put(MAGIC_AT, &MAGIC.to_le_bytes());
        put(ID_AT, &identity.id);
        put(FAILED_AT, &failed);
        put(DROPPED_AT[0], dropped.as_flattened());
        return replace(dir, CONTROL, &page);
    };
    file.seek(SeekFrom::Start(DROPPED_AT[0]))?;
    file.write_all(dropped.as_flattened())?;
    file.seek(SeekFrom::Start(FAILED_AT))?;
    file.write_all(&failed)?;
    // Of no boot, and not closed.
    file.seek(SeekFrom::Start(BOOT_AT))?;
    file.write_all(&[0; (STATE_AT + 8 - BOOT_AT) as usize])?;
    sync_file(&file, &dir.join(CONTROL))
}

/// The file in `dir`, and its page, if it is one: what is none is not written to, nor made longer.
fn words_in(dir: &Dir, writable: bool) -> io::Result<Option<(File, [u8; WORDS_AT])>> {
    let mut file = match dir.open(CONTROL, writable) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let mut page = [0; WORDS_AT];
    match file.read_exact(&mut page) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let is_one = word_of(&page, MAGIC_AT) == MAGIC;
    Ok(is_one.then_some((file, page)))
}

fn word_of(page: &[u8; WORDS_AT], at: u64) -> u64 {
    let word = page[at as usize..].first_chunk();
    word.map_or(0, |word| u64::from_le_bytes(*word))
}

impl History {
    /// Another one, which has the same records as `before` up to `cut`.
    fn new(before: u64, cut: u64) -> Self {
        Self {
            // 0: not known.
            number: RandomState::new().hash_one(now_nanos()).max(1),
            before,
            cut,
        }
    }
}

fn words_of_dropped(dropped: Option<&Dropped>) -> [u64; 4] {
    dropped.map_or([0; 4], Dropped::to_words)
}

fn len(members: usize) -> usize {
    WORDS_AT + words_len(members)
}

fn words_of(bytes: [u8; 16]) -> [u64; 2] {
    let number = u128::from_le_bytes(bytes);
    [number as u64, (number >> 64) as u64]
}

/// What tells this start of the system from others. Zero where the system has no such thing: then nothing is believed that
/// another process left.
fn boot() -> [u64; 2] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16).unwrap_or(0);
    words_of(number.to_le_bytes())
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::super::testing::TempDir;
    use super::*;

    const IDENTITY: Identity = Identity {
        id: [7; 16],
        segment_bytes: 4096,
        salt: 1,
    };

    /// Such as a disk that has kept a part of the page leaves.
    #[test]
    fn words_of_another_journal_are_replaced_where_nobody_is_to_believe_them() {
        let temp = TempDir::new();
        let dir = Dir::of(&temp);
        let mut page = [0; WORDS_AT];
        page[..8].copy_from_slice(&MAGIC.to_le_bytes());
        fs::write(dir.join(CONTROL), page).unwrap();
        disown(&dir, &IDENTITY, 0, None).unwrap();
        assert!(Control::has_failed(&dir, &IDENTITY).unwrap());
    }

    #[test]
    fn words_that_cannot_be_read_are_not_taken_for_none() {
        let temp = TempDir::new();
        let dir = Dir::of(&temp);
        let told = || disown(&dir, &IDENTITY, 0, None);
        assert!(told().is_ok());
        fs::write(dir.join(CONTROL), "short").unwrap();
        assert!(told().is_ok());
        fs::remove_file(dir.join(CONTROL)).unwrap();
        fs::create_dir(dir.join(CONTROL)).unwrap();
        assert!(told().is_err());
    }
}
