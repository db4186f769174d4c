//! The directory of a journal that processes share: all of them may use its files, and nobody else.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use super::Dir;
use crate::journal::files::{CONTROL, LOCK, SCHEMA, SHAPES, segment_base};
use crate::journal::share::Rights;

impl Dir {
    /// That of a journal which processes share.
    pub(in crate::journal) fn shared(path: &Path, rights: Rights) -> Self {
        Self {
            // Without the `/` at its end, by which a link would be followed.
            path: path.components().collect(),
            rights: Some(rights),
        }
    }

    /// Gives the journal's files that are there already the rights that they are to have. Nobody uses them.
    pub(in crate::journal) fn give_rights(&self) -> io::Result<()> {
        let Some(rights) = &self.rights else {
            return Ok(());
        };
        self.give_to_those(rights, |name| {
            [CONTROL, LOCK, SCHEMA, SHAPES].contains(&name) || segment_base(name).is_some()
        })?;
        let cursors = self.cursors();
        match cursors.check() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            checked => checked?,
        }
        rights.give(&File::open(&cursors)?)?;
        cursors.give_to_those(rights, |_| true)
    }

    fn give_to_those(&self, rights: &Rights, are_meant: impl Fn(&str) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            // What is no file is refused when it is opened.
            if are_meant(&name) && entry.file_type()?.is_file() {
                rights.give(&self.open(&name, false)?)?;
            }
        }
        Ok(())
    }
}
