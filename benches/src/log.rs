//! What everything that keeps its records looks like to the harness.

use std::path::Path;

/// What went well, or what to say of it.
pub(crate) type Done<T = ()> = Result<T, String>;

/// What an error says, for [`Done`].
pub(crate) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// One thread appends payloads of `N` bytes.
pub(crate) trait Log<const N: usize>: Sized {
    /// Makes one in the empty directory `at`, for at most `room` bytes of payload.
    fn create(at: &Path, room: u64) -> Done<Self>;

    /// Appends `count` records with the sequence numbers from `first` on.
    fn append(&mut self, first: u64, count: u64) -> Done;

    /// Whether the last [`Self::append`] has opened a new segment. Where there are none each counts.
    fn has_rolled(&self) -> bool {
        true
    }

    /// Hands to `each` what was appended and won't be there later. No clock runs meanwhile.
    fn aside(&mut self, _each: impl FnMut(&[u8; N])) -> Done {
        Ok(())
    }

    /// Empties what buffers this process has. The clock runs.
    fn flush(&mut self) -> Done {
        Ok(())
    }

    /// Closes it and reads back all that [`Self::aside`] hasn't handed over.
    fn read_back(self, at: &Path, each: impl FnMut(&[u8; N])) -> Done;
}

/// One thread reads a log.
pub(crate) trait Replay<const N: usize>: Sized {
    /// What writes the log.
    type Log: Log<N>;

    /// Finds the log in `at`, and in it what comes after the first `lead` records. No clock runs.
    fn open(at: &Path, lead: u64) -> Done<Self>;

    /// Reads from there to the end.
    fn pass(self, each: impl FnMut(&[u8; N])) -> Done;
}

/// One of several publishers whose records are to survive a loss of power.
pub(crate) trait Synced<const N: usize>: Send + Sized {
    /// Makes a log in the empty directory `at`, for about `room` bytes, with so many publishers.
    fn create(at: &Path, room: u64, publishers: usize) -> Done<Vec<Self>>;

    /// Appends `count` records and returns when all of them are safe.
    fn append(&mut self, first: u64, count: u64) -> Done;

    /// Closes the log and reads it back.
    fn read_back(all: Vec<Self>, at: &Path, each: impl FnMut(&[u8; N])) -> Done;
}
