//! The files of a journal's directory: their names, which segments there are, and how a file is replaced at once.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use fs4::FileExt;

use super::dir::Dir;
use crate::bus::kept::LAST;
use crate::memory::Region;

/// Ids, names and tables; see `schema.rs`.
pub(crate) const SCHEMA: &str = "schema";

/// What zero-copy types are made of; see `schema/shapes.rs`.
pub(crate) const SHAPES: &str = "shapes";

/// The live words of the one process that writes.
pub(crate) const CONTROL: &str = "control";

/// Locked by the one process that writes.
pub(crate) const LOCK: &str = "lock";

/// The directory of the named cursors; see `cursor.rs`.
pub(crate) const CURSORS: &str = "cursors";

pub(super) const SEGMENT: &str = ".segment";
const DIGITS: usize = 20;

/// Opens a file to read it, and perhaps to write it. What is no plain file is refused: it could keep waiting who opens it, have no end, or
/// lead elsewhere.
pub(crate) fn open_plain(path: &Path, writable: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(writable);
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        use rustix::fs::OFlags;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits() as i32;
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    match options.open(path) {
        Ok(file) if file.metadata()?.is_file() => return Ok(file),
        #[cfg(target_os = "linux")]
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {}
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    let text = format!(
        "{} is no regular file, and links are not followed",
        path.display()
    );
    Err(io::Error::new(io::ErrorKind::InvalidData, text))
}

/// The name of the file of the segment that begins at `base`. Names sort as positions do.
pub(crate) fn segment_name(base: u64) -> String {
    format!("{base:020}{SEGMENT}")
}

/// Where the segment in the file `name` begins; `None` if no segment has that name.
pub(crate) fn segment_base(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SEGMENT)?;
    // `parse` takes a sign, and any number of digits.
    let plain = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if plain { digits.parse().ok() } else { None }
}

/// A file that is locked as long as this lives.
pub(crate) struct Locked(File);

impl Locked {
    /// `file`, once it has been locked.
    pub(crate) fn over(file: File) -> Self {
        Self(file)
    }

    pub(crate) fn file(&self) -> &File {
        &self.0
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        // Closing it would unlock it too, but not while a child that another thread has forked has yet to become a program of
        // its own, and holds the same open file. If it fails, closing does it.
        let _ = FileExt::unlock(self.file());
    }
}

/// The segments of a directory.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct Listing {
    /// Where they begin, in order. There may be gaps.
    pub(crate) bases: Vec<u64>,
    /// What is named `*.segment` and is none: another name than a segment gets, a base within a segment, or one that no bus comes to. In order.
    pub(crate) odd: Vec<OsString>,
}

/// Lists the segments of `segment_bytes` each in `dir`. Files of other names are passed over.
pub(crate) fn list_segments(dir: &Path, segment_bytes: u64) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let base = name.to_str().and_then(segment_base);
        let is_one = |base: &u64| *base <= LAST && base.checked_rem(segment_bytes) == Some(0);
        match base.filter(is_one) {
            Some(base) => listing.bases.push(base),
            None if name.as_encoded_bytes().ends_with(SEGMENT.as_bytes()) => {
                listing.odd.push(name);
            }
            None => {}
        }
    }
    listing.bases.sort_unstable();
    listing.odd.sort_unstable();
    Ok(listing)
}

/// Writes `bytes` as the file `name` of `dir`, in place of one that may be there: after a power loss it is the old file or
/// the new one, never a part. The caller is the only one who does so for this name.
pub(crate) fn replace(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = format!(".{name}.new");
    let mut file = dir.make(&new)?;
    let new = dir.join(new);
    file.write_all(bytes)?;
    sync_file(&file, &new)?;
    drop(file);
    fault!("schema_made");
    fs::rename(&new, dir.join(name))?;
    fault!("schema_named");
    sync_dir(dir)
}

/// The name of the first segment of all while it is made. It is there before the schema is, and until the segment is: so
/// a journal that has no segments, nor this, has lost them.
pub(crate) fn first_segment_new() -> String {
    format!("{}.new", segment_name(0))
}

/// The name of the segment with `base` while the process with the number `owner` makes it.
pub(crate) fn new_segment_name(base: u64, owner: u32) -> String {
    match owner {
        0 => format!("{}.new", segment_name(base)),
        // Each view of the journal that a process has makes its own.
        owner => {
            static COUNT: AtomicU32 = AtomicU32::new(0);
            let number = COUNT.fetch_add(1, Relaxed);
            format!("{}.{owner}.{number}.new", segment_name(base))
        }
    }
}

/// Says that a journal is about to be created in `dir`.
pub(crate) fn begin_creating(dir: &Dir) -> io::Result<()> {
    dir.make(&first_segment_new())?;
    sync_dir(dir)
}

/// Whether a journal of segments of `segment_bytes` has been begun in `dir`, and its first segment has never been there.
pub(crate) fn is_being_created(dir: &Path, segment_bytes: u64) -> io::Result<bool> {
    let none = list_segments(dir, segment_bytes)?.bases.is_empty();
    Ok(none && dir.join(first_segment_new()).try_exists()?)
}

/// Removes what was being made and not finished: files that end in `.new`, but for one of the name `spared`.
pub(crate) fn remove_new(dir: &Path, spared: Option<&str>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if spared.is_some_and(|spared| entry.file_name() == *spared) {
            continue;
        }
        if entry.file_name().as_encoded_bytes().ends_with(b".new") && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Tells a test that simulates a disk, which may fail.
fn flushing(path: &Path) -> io::Result<()> {
    #[cfg(feature = "fault")]
    return crate::fault::flushing(path);
    #[cfg(not(feature = "fault"))]
    {
        let _ = path;
        Ok(())
    }
}

/// Makes what `file`, which is at `path`, holds survive a power loss.
pub(crate) fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    flushing(path)?;
    file.sync_data()
}

/// Makes what the file at `path` holds, which is mapped by `region`, survive a power loss.
///
/// By the mapping: of an error the system tells, once each, those who had the file open when it came about, and not who opens it after one of
/// them was told.
pub(crate) fn sync_region(region: &Region, path: &Path) -> io::Result<()> {
    flushing(path)?;
    // On Linux it is as if the file were flushed.
    region.flush()?;
    #[cfg(not(target_os = "linux"))]
    OpenOptions::new().write(true).open(path)?.sync_data()?;
    // What has lost its name does not survive, whoever has flushed it.
    find(path)
}

/// Says if there is no file at `path`. Without asking for its times, which `metadata` does: Linux notes the next change to the
/// nanosecond for who has asked, and so would write the inode, too, with each flush.
fn find(path: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::fs::access(path, rustix::fs::Access::EXISTS)?;
    #[cfg(not(target_os = "linux"))]
    fs::metadata(path)?;
    Ok(())
}

/// Makes the names in `dir` survive a power loss: those of files that were made, renamed or removed in it. Needed, and
/// done, on Unix.
pub(crate) fn sync_dir(dir: &Path) -> io::Result<()> {
    open_dir(dir)?()
}

/// Opens `dir`, and gives what does the same as [`sync_dir`]: a directory that can't be opened now has not failed to be flushed.
pub(crate) fn open_dir(dir: &Path) -> io::Result<impl FnOnce() -> io::Result<()> + '_> {
    #[cfg(unix)]
    let file = File::open(dir)?;
    Ok(move || {
        flushing(dir)?;
        #[cfg(unix)]
        file.sync_all()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{TempDir, config};
    use super::*;

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn names_round_trip_and_sort(a: u64, b: u64) {
            let (name, other) = (segment_name(a), segment_name(b));
            prop_assert_eq!(segment_base(&name), Some(a));
            prop_assert_eq!(name.cmp(&other), a.cmp(&b));
        }

        #[test]
        fn no_two_names_mean_one_segment(name in "[0-9+ ]{18,22}(\\.segment)?") {
            if let Some(base) = segment_base(&name) {
                prop_assert_eq!(segment_name(base), name);
            }
        }
    }

    #[cfg_attr(miri, ignore = "needs files")]
    #[test]
    fn lists_segments_and_what_only_looks_like_them() {
        let dir = TempDir::new();
        for name in [
            "00000000000000131072.segment",
            "00000000000000000000.segment",
            "00000000000000065537.segment",
            "18446744073709551616.segment",
            "65536.segment",
            "schema",
            "notes.txt",
            "00000000000000065536.segment.bak",
        ] {
            fs::write(dir.join(name), "").unwrap();
        }
        let listing = list_segments(&dir, 65536).unwrap();
        assert_eq!(listing.bases, [0, 131_072]);
        assert_eq!(
            listing.odd,
            [
                "00000000000000065537.segment",
                "18446744073709551616.segment",
                "65536.segment"
            ]
        );
        assert_eq!(list_segments(&dir, 0).unwrap().bases, Vec::<u64>::new());
        let missing = list_segments(&dir.join("none"), 65536).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[cfg_attr(miri, ignore = "needs files")]
    #[test]
    fn replaces_what_was_there() {
        let dir = TempDir::new();
        // Left by one that was killed between writing and renaming.
        fs::write(dir.join(".schema.new"), "a longer text than the next").unwrap();
        for text in ["one", "another"] {
            replace(&Dir::of(&dir), SCHEMA, text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(dir.join(SCHEMA)).unwrap(), text);
        }
        assert_eq!(fs::read_dir(&*dir).unwrap().count(), 1);
    }
}
