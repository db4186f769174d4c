//! The directory of a journal: by it its files are opened and made, so that none is another's, and no link is followed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use super::files::{CURSORS, open_plain};

#[cfg(all(feature = "shared", target_os = "linux"))]
mod shared;

/// The directory of a journal, or of its cursors.
#[derive(Clone, Debug)]
pub(crate) struct Dir {
    path: PathBuf,
    /// Where processes share the journal. Else whose its files are is the system's affair, and they are made as this process makes files.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    rights: Option<super::share::Rights>,
}

impl Dir {
    /// That of a journal which one process writes, or who only reads it.
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            #[cfg(all(feature = "shared", target_os = "linux"))]
            rights: None,
        }
    }

    /// That of the cursors, which is in it.
    pub(crate) fn cursors(&self) -> Self {
        let mut cursors = self.clone();
        cursors.path.push(CURSORS);
        cursors
    }

    /// Opens the file `name` to read it, and perhaps to write it.
    pub(crate) fn open(&self, name: &str, writable: bool) -> io::Result<File> {
        let path = self.path.join(name);
        let file = open_plain(&path, writable)?;
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if let Some(rights) = &self.rights {
            rights.check(&path, &file.metadata()?)?;
        }
        Ok(file)
    }

    /// Makes the file `name`, which nobody else makes, in place of one that a dead process has left.
    pub(crate) fn make(&self, name: &str) -> io::Result<File> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => self.make_new(name),
        }
    }

    /// Opens the file `name`, or makes it.
    pub(crate) fn open_or_make(&self, name: &str) -> io::Result<File> {
        loop {
            match self.open(name, true) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return opened,
            }
            match self.make_new(name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
    }

    fn make_new(&self, name: &str) -> io::Result<File> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true);
        let path = self.path.join(name);
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if let Some(rights) = &self.rights {
            return rights.make(options, &path);
        }
        options.open(path)
    }

    /// Makes the directory itself, if there is none.
    pub(crate) fn make_itself(&self) -> io::Result<()> {
        match self.make_dir() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && self.path.is_dir() => {
                Ok(())
            }
            made => made,
        }
    }

    fn make_dir(&self) -> io::Result<()> {
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if let Some(rights) = &self.rights {
            return rights.make_dir(&self.path);
        }
        fs::create_dir(&self.path)
    }

    /// Says if it is none, or another's, where processes share what lies in it.
    pub(crate) fn check(&self) -> io::Result<()> {
        #[cfg(all(feature = "shared", target_os = "linux"))]
        if let Some(rights) = &self.rights {
            let meta = self.path.symlink_metadata()?;
            if !meta.is_dir() {
                let path = self.path.display();
                let text = format!("{path} is no directory, and links are not followed");
                return Err(io::Error::new(io::ErrorKind::NotADirectory, text));
            }
            rights.check(&self.path, &meta)?;
        }
        Ok(())
    }
}

impl Deref for Dir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.path
    }
}

impl AsRef<Path> for Dir {
    fn as_ref(&self) -> &Path {
        &self.path
    }
}
