//! Segments that several processes make: each under a name of its own. One of them gets the segment's name, and what a dead process leaves is removed.

use std::fs;
use std::io;
use std::path::Path;

use crate::bus::kept::Progress;
use crate::journal::files::{SEGMENT, list_segments, segment_name, sync_dir};
use crate::journal::store::{Place, Store};

/// Gives the file `new` the name `name`, unless there is a file of that name. Says whether it did.
pub(in crate::journal) fn name_new(new: &Path, name: &Path) -> io::Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;

    match renameat_with(CWD, new, CWD, name, RenameFlags::NOREPLACE) {
        Ok(()) => return Ok(true),
        Err(Errno::EXIST) => return Ok(false),
        // Some file systems have no such call.
        Err(Errno::INVAL | Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
    }
    match fs::hard_link(new, name) {
        Ok(()) => fs::remove_file(new).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    }
}

impl Store {
    /// Removes what a dead process that had the number `owner` was making; and what it has named too late, if it did.
    pub(super) fn tidy_after(&self, owner: u32) -> io::Result<()> {
        let Place::Files { dir, .. } = &self.place else {
            return Ok(());
        };
        remove_new_of(dir, owner)?;
        for base in list_segments(dir, self.segment_bytes())?.bases {
            // What is before `removed` is not looked for any more.
            if base < self.control.removed() {
                match fs::remove_file(dir.join(segment_name(base))) {
                    // By another who settles for the same one, or by that one itself.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    removed => removed?,
                }
                // Somebody may have flushed its name.
                sync_dir(dir)?;
            }
        }
        Ok(())
    }
}

/// Removes the segments that a process that had the number `owner` was making.
fn remove_new_of(dir: &Path, owner: u32) -> io::Result<()> {
    let whose = format!("{SEGMENT}.{owner}.");
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.contains(&whose) && name.ends_with(".new") {
            match fs::remove_file(entry.path()) {
                // By another who settles for the same one.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed?,
            }
        }
    }
    Ok(())
}

#[cfg(all(test, not(miri)))]
mod tests {
    use super::*;
    use crate::journal::dir::Dir;
    use crate::journal::store::Identity;
    use crate::journal::testing::TempDir;

    #[test]
    fn two_who_tidy_up_at_once_leave_nothing() {
        let dir = TempDir::new();
        let identity = Identity {
            id: [7; 16],
            segment_bytes: 4096,
            salt: 1,
        };
        let store = Store::new(Some((&Dir::of(&dir), true)), identity, 1, false).unwrap();
        let late = (0..200).map(|number| dir.join(segment_name(number * 4096)));
        late.for_each(|path| fs::write(path, b"").unwrap());
        store.set_oldest(1 << 20);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| store.tidy_after(3).unwrap());
            }
        });
        assert_eq!(fs::read_dir(&*dir).unwrap().count(), 0);
    }
}
