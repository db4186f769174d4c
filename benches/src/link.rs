//! What everything that carries records from one process to another looks like to the harness.

use std::path::{Path, PathBuf};

use crate::contender::{Reader, Writer};
use crate::log::Done;

/// Where two processes find what is between them, and how much of it there is to be.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Nothing is there yet, in a directory that only these two processes use.
    pub(crate) path: PathBuf,
    /// How many bytes it has for records.
    pub(crate) ring: usize,
    /// How many records are on their way at most.
    pub(crate) ahead: usize,
}

impl Place {
    pub(crate) fn new(directory: &Path, name: &str, ring: usize, ahead: usize) -> Self {
        Self {
            path: directory.join(name),
            ring,
            ahead,
        }
    }

    /// The directory.
    pub(crate) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// The name in it.
    pub(crate) fn name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }
}

/// Carries payloads of `N` bytes from one process to one other, in either direction.
pub(crate) trait Link<const N: usize>: Sized {
    /// The writing end.
    type W: Writer<N>;
    /// The reading end.
    type R: Reader<N>;

    /// Makes it, in the first process, while there is no second.
    fn make(place: &Place) -> Done<Self>;

    /// The first process's end, if it writes; the second is about to ask for the other.
    fn near_writer(self) -> Done<Self::W>;

    /// The first process's end, if it reads.
    fn near_reader(self) -> Done<Self::R>;

    /// The second process's end, if it writes.
    fn far_writer(place: &Place) -> Done<Self::W>;

    /// The second process's end, if it reads.
    fn far_reader(place: &Place) -> Done<Self::R>;
}

/// Carries payloads of `N` bytes from one process to many members in another.
pub(crate) trait Crowd<const N: usize>: Sized {
    /// The publisher.
    type W: Writer<N>;
    /// One of those who read.
    type R: Reader<N>;
    /// Whether each of them gets every record, and the publisher waits for it if need be.
    const GATES: bool;

    /// Makes it with its publisher, in the first process, while there is no second.
    fn make(place: &Place, members: usize) -> Done<Self::W>;

    /// The members, in the second process.
    fn members(place: &Place, members: usize) -> Done<Vec<Self::R>>;
}
