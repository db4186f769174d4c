//! Who may use the files of a journal that processes share: those who may use the bus's own file.

use std::fs::{DirBuilder, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Gid, fchown};
use rustix::io::Errno;

/// As the bus's file has them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rights {
    mode: u32,
    group: u32,
    trusts_others: bool,
}

impl Rights {
    /// Those of a bus whose file is as `meta` says, for one who trusts other users, or does not.
    pub(crate) fn of(meta: &Metadata, trusts_others: bool) -> Self {
        Self {
            mode: meta.mode() & 0o777,
            group: meta.gid(),
            trusts_others,
        }
    }

    /// Who may read a file of the journal may go through its directory.
    fn mode_of_dir(&self) -> u32 {
        self.mode | (self.mode & 0o444) >> 2
    }

    /// Says if what is at `path` belongs to somebody whom this process doesn't trust: not its own user, nor one whom the bus lets write.
    pub(in crate::journal) fn check(&self, path: &Path, meta: &Metadata) -> io::Result<()> {
        let user = rustix::process::geteuid().as_raw();
        let (owner, mode) = (meta.uid(), meta.mode() & 0o777);
        let is_let_in =
            self.mode & 0o002 != 0 || self.mode & 0o020 != 0 && meta.gid() == self.group;
        if owner == user || self.trusts_others || is_let_in {
            return Ok(());
        }
        let text = format!(
            "{} belongs to the user {owner} with the permissions {mode:03o}, and this process is the user {user}'s: whoever can write it can do \
             harm here. If all of them are trusted, say so: `SharedOptions::trust_others`",
            path.display()
        );
        Err(io::Error::new(io::ErrorKind::PermissionDenied, text))
    }

    /// Makes the file at `path`, which is never anybody else's, not even for a moment.
    pub(in crate::journal) fn make(
        &self,
        mut options: OpenOptions,
        path: &Path,
    ) -> io::Result<File> {
        let file = options.mode(self.mode).open(path)?;
        self.give(&file)?;
        Ok(file)
    }

    /// Makes the directory at `path`, likewise.
    pub(in crate::journal) fn make_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().mode(self.mode_of_dir()).create(path)?;
        self.give(&File::open(path)?)
    }

    /// Gives them to a file, or a directory, whatever the process's mask. Another user's are his affair.
    pub(in crate::journal) fn give(&self, file: &File) -> io::Result<()> {
        let meta = file.metadata()?;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        let mut mode = match meta.is_dir() {
            true => self.mode_of_dir(),
            false => self.mode,
        };
        if meta.gid() != self.group {
            match fchown(file, None, Some(Gid::from_raw(self.group))) {
                Ok(()) => {}
                // Who is not of that group: then another one gets no more than all.
                Err(Errno::PERM) => mode = mode & !0o070 | (mode & 0o007) << 3,
                Err(error) => return Err(error.into()),
            }
        }
        if meta.mode() & 0o777 == mode {
            return Ok(());
        }
        file.set_permissions(std::fs::Permissions::from_mode(mode))
    }
}
