//! Giving up what is damaged in a journal, so that it opens again.

use core::fmt;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::control::{self, Control};
use super::cursor;
use super::dir::Dir;
use super::error::{OpenError, OpenFault};
use super::files::{
    SCHEMA, is_being_created, open_plain, remove_new, segment_name, sync_dir, sync_file,
};
use super::header::{HEADER_BYTES, SYNCED_AT, SegmentHeader, encode_synced, synced_of};
use super::opening::lock;
use super::schema::Manifest;
use super::store::{Identity, Store, now_nanos};
use super::survey::{self, Survey, Surveyed, is_foreign};
use super::verify::{Damage, DamageKind, Progress, Verified, try_lock};
use crate::bus::kept::LAST;

/// What a repair has done, or would do.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Repaired {
    /// What the journal was like.
    pub found: Verified,
    /// What is given up.
    pub cut: Option<Cut>,
    /// The segments whose header page is written anew, or whose file is made as long as it should be. Their records stay, as far
    /// as they are before the cut.
    pub mended: Vec<u64>,
    /// The segments whose files are removed.
    pub removed: Vec<u64>,
    /// The segments whose files belong to something else: they are renamed to `*.set-aside`, or, if an earlier repair has done so to one of that name,
    /// to `*.set-aside.2`, and so on.
    pub set_aside: Vec<u64>,
    /// Where the journal begins from now on, if the segments before are missing, and the last writer had not given them up.
    pub begins: Option<u64>,
    /// Whether the file `schema` is made anew, without the names of messages, sources and tables: programs that open the journal
    /// bring theirs again. What was there before stays as `schema.damaged`, or, beside an earlier one, as `schema.damaged.2`, and so on.
    pub schema: bool,
}

/// The end of a journal, given up.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Cut {
    /// The first position that is given up: there the next record will stand.
    pub from: u64,
    /// Where the last of what is given up ended, as far as is known.
    pub to: u64,
    /// Up to where the journal had been synced. If that is beyond `from`, records are lost that had been promised to stay.
    pub synced: u64,
    /// The damage that it is given up for.
    pub why: Damage,
}

impl Repaired {
    /// Whether there is nothing to repair.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.cut.is_none()
            && self.mended.is_empty()
            && self.removed.is_empty()
            && self.set_aside.is_empty()
            && self.begins.is_none()
            && !self.schema
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            from, to, synced, ..
        } = self;
        let bytes = to - from;
        write!(
            f,
            "{bytes} bytes from position {from} on are given up: {}",
            self.why
        )?;
        if synced > from {
            let bytes = synced - from;
            write!(f, "; {bytes} of them had been synced")?;
        }
        Ok(())
    }
}

/// Says what [`repair`] would do. Changes nothing.
///
/// # Errors
///
/// As for [`repair`].
pub fn plan_repair(
    path: impl AsRef<Path>,
    progress: impl FnMut(Progress),
) -> Result<Repaired, OpenError> {
    let path = path.as_ref();
    let planned = try_lock(path).and_then(|_lock| Plan::make(path, progress));
    planned
        .map(|plan| plan.repaired)
        .map_err(|fault| OpenError::new(path, fault))
}

/// Makes the journal in the directory `path` one that opens: gives up everything from the first damage on, synced or not, but
/// for headers and a `schema` that can be made anew. If it is the oldest segments that are missing, what comes after them stays. What a writer left that was killed is no damage: who opens the journal next
/// deals with that. [`plan_repair`] says what would be done.
///
/// Can be ended at any time, and done again.
///
/// ```
/// use messenger::bus::{MessageId, SourceId, Tag};
/// use messenger::journal::{Journal, JournalConfig, plan_repair, repair};
///
/// # let dir = std::env::temp_dir().join(format!("messenger-doc-repair-{}", std::process::id()));
/// # #[cfg(not(miri))] {
/// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
/// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
/// journal.bus().publisher()?.send(tag, b"kept")?;
/// journal.close()?;
///
/// // The disk loses a byte of the record.
/// let segment = dir.join("00000000000000000000.segment");
/// let mut bytes = std::fs::read(&segment)?;
/// bytes[4096 + 16] ^= 1;
/// std::fs::write(&segment, bytes)?;
///
/// let cut = plan_repair(&dir, |_| {})?.cut.expect("the record is damaged");
/// assert_eq!(cut.from, 0);
/// repair(&dir, |_| {})?;
/// assert!(plan_repair(&dir, |_| {})?.is_nothing());
/// # std::fs::remove_dir_all(&dir)?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`OpenError`]: there is no journal, somebody has it open, it is of a newer version, or its files can't be read or written.
pub fn repair(
    path: impl AsRef<Path>,
    progress: impl FnMut(Progress),
) -> Result<Repaired, OpenError> {
    let path = path.as_ref();
    repair_in(path, progress).map_err(|fault| OpenError::new(path, fault))
}

fn repair_in(path: &Path, progress: impl FnMut(Progress)) -> Result<Repaired, OpenFault> {
    // First, so that the lock's file is made in no directory that holds no journal.
    survey::known(path)?;
    let path = &Dir::of(path);
    let _lock = lock(path)?;
    let plan = Plan::make(path, progress)?;
    plan.carry_out(path)
        .map_err(OpenFault::tried("repair the journal"))?;
    Ok(plan.repaired)
}

struct Plan {
    repaired: Repaired,
    manifest: Manifest,
    store: Store,
    /// The segments whose files stay.
    kept: Vec<u64>,
    /// A segment to be made, since there is no other that could say where the journal ended.
    last: Option<u64>,
}

impl Plan {
    fn make(path: &Path, mut progress: impl FnMut(Progress)) -> Result<Self, OpenFault> {
        let known = survey::known(path)?;
        let survey = Survey::new(path, &known, false)?;
        let segment = survey.store.segment_bytes();
        let Surveyed {
            verified: mut found,
            bases,
            used_to,
        } = survey.run(&mut progress)?;
        let store = Survey::new(path, &known, false)?.store;
        let left = Control::left(&Dir::of(path), &store.identity)
            .ok()
            .flatten();
        // Whoever opens the journal next believes that all is well up to there.
        let finished = left.as_ref().and_then(|left| left.finished).unwrap_or(0);
        if !bases.is_empty() && found.damage.is_empty() && finished > found.newest {
            found.damage.push(Damage {
                position: found.newest,
                what: DamageKind::Unfinished,
                synced: found.newest < found.synced,
            });
        }
        let oldest = found.oldest;
        // What comes after the missing ones stays.
        let is_before = |damage: &Damage| {
            damage.position < oldest && matches!(damage.what, DamageKind::Missing { .. })
        };
        let begins = found.damage.iter().any(is_before).then_some(oldest);
        let serious = |damage: &Damage| match &damage.what {
            _ if is_before(damage) => false,
            DamageKind::Unfinished => damage.synced || damage.position < finished,
            DamageKind::Header(error) => is_foreign(error),
            DamageKind::Schema { .. } | DamageKind::Cut { .. } => false,
            _ => true,
        };
        let is_cut = found.damage.iter().any(serious);
        let first = found
            .damage
            .iter()
            .find(|damage| serious(damage) || matches!(damage.what, DamageKind::Unfinished));
        let mut cut = first.filter(|_| is_cut).map(|why| Cut {
            from: why.position,
            to: used_to.max(found.synced).max(why.position),
            synced: found.synced,
            why: why.clone(),
        });
        if let (None, Some(left)) = (&cut, &left) {
            Surveyed::excuse(&mut found, left);
        }
        let mut last = None;
        if bases.is_empty() {
            let tail = left.as_ref().map_or(0, |left| left.words.tail);
            cut = lost_all(path, &store.identity, [tail, found.synced]);
            last = cut.as_ref().map(|cut| cut.from.next_multiple_of(segment));
            found.damage.extend(cut.as_ref().map(|cut| cut.why.clone()));
        }
        let mut plan = Self {
            repaired: Repaired {
                cut: None,
                mended: Vec::new(),
                removed: Vec::new(),
                set_aside: Vec::new(),
                begins,
                schema: known.fault.is_some(),
                found,
            },
            manifest: known.manifest,
            store,
            kept: Vec::new(),
            last,
        };
        plan.sort(&bases, cut);
        Ok(plan)
    }

    /// Which segments stay, and which of them are mended.
    fn sort(&mut self, bases: &[u64], mut cut: Option<Cut>) {
        let oldest = self.repaired.found.oldest;
        let from = cut.as_ref().map_or(u64::MAX, |cut| cut.from);
        let foreign = |base: u64| {
            let damage = self.repaired.found.damage.iter();
            { damage }.any(|damage| {
                damage.position == base
                    && matches!(&damage.what, DamageKind::Header(error) if is_foreign(error))
            })
        };
        for &base in bases {
            // The oldest stays in any case, and if it holds nothing: it says where the journal goes on.
            let stays = base < from || base == oldest;
            match (foreign(base), stays) {
                (true, _) => self.repaired.set_aside.push(base),
                (false, true) => self.kept.push(base),
                (false, false) => self.repaired.removed.push(base),
            }
            if foreign(base) && stays {
                self.last = Some(base);
            }
        }
        for damage in &self.repaired.found.damage {
            let mended = match damage.what {
                DamageKind::Header(error) => !is_foreign(&error),
                DamageKind::Cut { .. } => true,
                _ => false,
            };
            if mended && self.kept.contains(&damage.position) {
                self.repaired.mended.push(damage.position);
            }
        }
        if let (Some(cut), Some(last)) = (&mut cut, self.last) {
            cut.from = cut.from.max(last);
            cut.to = cut.to.max(last);
        }
        self.repaired.cut = cut;
    }

    /// Each step leaves a journal that is repaired the same way again.
    fn carry_out(&self, dir: &Dir) -> io::Result<()> {
        if self.repaired.is_nothing() {
            return Ok(());
        }
        remove_new(dir, None)?;
        if self.repaired.schema {
            let (schema, aside) = (dir.join(SCHEMA), free(dir, "schema.damaged")?);
            // Linked, so that it is what the disk has; not all file systems can.
            let linked = fs::hard_link(&schema, &aside);
            match linked.or_else(|_| fs::copy(schema, aside).map(drop)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                kept => kept?,
            }
            self.manifest.write(dir)?;
            fault!("schema_repaired");
        }
        for &base in &self.repaired.mended {
            self.mend(dir, base)?;
            fault!("segment_mended");
        }
        if let Some(base) = self.repaired.begins {
            control::begin_at(dir, base)?;
        }
        let Some(cut) = &self.repaired.cut else {
            return sync_dir(dir);
        };
        if let Some(base) = self.last {
            self.make_segment(dir, base)?;
            fault!("last_made");
        }
        // They would be believed, and say what is no more.
        control::disown(dir, &self.store.identity, cut.from, None)?;
        fault!("control_disowned");
        for &base in &self.kept {
            self.lower_synced(dir, base, cut.from)?;
            fault!("synced_lowered");
        }
        for &base in &self.repaired.set_aside {
            if self.last != Some(base) {
                fs::rename(dir.join(segment_name(base)), set_aside(dir, base)?)?;
            }
        }
        for &base in self.repaired.removed.iter().rev() {
            remove(&dir.join(segment_name(base)))?;
            fault!("later_removed");
        }
        sync_dir(dir)?;
        let base = self.store.base(cut.from);
        if self.kept.contains(&base) {
            let path = dir.join(segment_name(base));
            let mut file = open_plain(&path, true)?;
            self.fill(&mut file, &path, HEADER_BYTES as u64 + (cut.from - base))?;
        }
        Ok(())
    }

    /// Makes a segment that holds nothing, in place of one that is set aside.
    fn make_segment(&self, dir: &Dir, base: u64) -> io::Result<()> {
        let name = dir.join(segment_name(base));
        let new = format!("{}.new", segment_name(base));
        let mut file = dir.make(&new)?;
        let new = dir.join(new);
        self.write_header(&mut file, &new, base, base)?;
        self.fill(&mut file, &new, HEADER_BYTES as u64)?;
        if self.repaired.set_aside.contains(&base) {
            // Linked, so that there is one of that name all the time; not all file systems can.
            let aside = set_aside(dir, base)?;
            fs::hard_link(&name, &aside).or_else(|_| fs::rename(&name, &aside))?;
        }
        fs::rename(new, name)?;
        sync_dir(dir)
    }

    /// Makes a segment's file as long as it should be, and its header what it should be.
    fn mend(&self, dir: &Path, base: u64) -> io::Result<()> {
        let path = dir.join(segment_name(base));
        let mut file = open_plain(&path, true)?;
        let len = file.metadata()?.len();
        if len < self.store.file_bytes() {
            self.fill(&mut file, &path, len)?;
        }
        let synced = self.repaired.found.synced;
        let cut = self.repaired.cut.as_ref().map_or(synced, |cut| cut.from);
        self.write_header(&mut file, &path, base, synced.min(cut))
    }

    /// Writes zeros from `at` on to the file at `path`.
    fn fill(&self, file: &mut File, path: &Path, at: u64) -> io::Result<()> {
        file.seek(SeekFrom::Start(at))?;
        let zeros = vec![0; 1 << 20];
        let mut left = self.store.file_bytes() - at;
        while left > 0 {
            let some = left.min(zeros.len() as u64);
            file.write_all(&zeros[..some as usize])?;
            fault!("zeroed");
            left -= some;
        }
        sync_file(file, path)
    }

    fn write_header(&self, file: &mut File, path: &Path, base: u64, synced: u64) -> io::Result<()> {
        let page = page(file)?;
        let written = SegmentHeader::parse(&page).map(|header| header.created_nanos);
        let header = self.store.header_of(
            base,
            &SegmentHeader {
                id: self.store.identity.id,
                base,
                segment_bytes: self.store.segment_bytes(),
                salt: self.store.identity.salt,
                // When it was made is not known any more.
                created_nanos: written.unwrap_or_else(|_| now_nanos()),
            },
        );
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&header.encode(synced))?;
        sync_file(file, path)
    }

    /// Has a segment say at most that all before `cut` was synced.
    fn lower_synced(&self, dir: &Path, base: u64, cut: u64) -> io::Result<()> {
        let salt = self.store.identity.salt;
        let path = dir.join(segment_name(base));
        let mut file = open_plain(&path, true)?;
        if synced_of(&page(&mut file)?, salt).is_some_and(|synced| synced <= cut) {
            return Ok(());
        }
        file.seek(SeekFrom::Start(SYNCED_AT as u64))?;
        file.write_all(&encode_synced(cut, salt))?;
        sync_file(&file, &path)
    }
}

/// There is no segment, and the journal is known to have reached some position.
fn lost_all(path: &Path, identity: &Identity, known: [u64; 2]) -> Option<Cut> {
    let names = cursor::names(path).unwrap_or_default();
    // One that can't be read does not hide what others say.
    let cursors = { names.iter() }.filter_map(|name| cursor::info(path, identity.id, name).ok());
    let reached = cursors.map(|cursor| cursor.position).chain(known);
    let to = reached.filter(|&position| position <= LAST).max();
    let to = to.unwrap_or(0);
    let why = Damage {
        position: 0,
        what: DamageKind::Missing { to },
        synced: true,
    };
    let is_new = is_being_created(path, identity.segment_bytes).unwrap_or(false);
    (to > 0 || !is_new).then_some(Cut {
        from: to,
        to,
        synced: to,
        why,
    })
}

fn set_aside(dir: &Path, base: u64) -> io::Result<PathBuf> {
    free(dir, &format!("{}.set-aside", segment_name(base)))
}

/// Where there is no file yet: `name`, or that with a number, from 2 on. What a repair before has set aside stays.
fn free(dir: &Path, name: &str) -> io::Result<PathBuf> {
    let is_taken = |path: &Path| match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        found => found.map(|_| true),
    };
    let (mut path, mut number) = (dir.join(name), 2);
    while is_taken(&path)? {
        path = dir.join(format!("{name}.{number}"));
        number += 1;
    }
    Ok(path)
}

/// The first page of a file, or what there is of it.
fn page(file: &mut File) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    io::Read::read_to_end(&mut io::Read::take(file, HEADER_BYTES as u64), &mut page)?;
    Ok(page)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
