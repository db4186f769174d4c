//! What a reader outside has besides records: its cursors, and what the journal says of itself.

use std::io;

use super::cursor::{self, Cursor, CursorError, CursorInfo};
use super::dir::Dir;
use super::error::{JournalError, JournalFault};
use super::reader::{Reader, newest_of};
use super::recover::synced_in;

impl Reader {
    /// Which journal it is: 128 random bits.
    #[must_use]
    pub fn id(&self) -> [u8; 16] {
        self.manifest.id
    }

    /// The watermark as the files have it: what stands before it is flushed. The writer's own, [`Journal::synced`](super::Journal::synced),
    /// may be further on by one flush.
    ///
    /// # Errors
    ///
    /// [`JournalFault::System`] if a segment can't be read.
    pub fn synced(&self) -> Result<u64, JournalError> {
        let bases = self.segments()?;
        let system = JournalFault::tried("read the newest segments");
        let known = synced_in(&self.store, self.path(), newest_of(&bases));
        let known = known.map_err(|source| self.error(system(source)))?;
        Ok(known.max(self.synced))
    }

    /// The durable cursor `name`, as [`Journal::cursor`](super::Journal::cursor) gives it: for who reads from another process and goes
    /// on where it was. If it is new it says where the oldest record stands.
    ///
    /// ```
    /// use messenger::bus::{MessageId, SourceId, Tag};
    /// use messenger::journal::{Journal, JournalConfig, Reader};
    ///
    /// # let dir = std::env::temp_dir().join(format!("messenger-doc-reader-cursor-{}", std::process::id()));
    /// # #[cfg(not(miri))] {
    /// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
    /// let tag = Tag::new(SourceId::new(1), MessageId::new(7));
    /// let mut publisher = journal.bus().publisher()?;
    /// publisher.send(tag, b"one")?;
    /// publisher.send(tag, b"two")?;
    ///
    /// let mut reader = Reader::open(&dir)?;
    /// let mut cursor = reader.cursor("desk")?;
    /// reader.seek(cursor.position())?;
    /// assert!(reader.next()?.is_some_and(|entry| entry.payload == b"one"));
    /// cursor.store(reader.position())?;
    /// cursor.sync()?;
    /// drop(cursor);
    ///
    /// let mut again = Reader::open(&dir)?;
    /// again.seek(again.cursor("desk")?.position())?;
    /// assert!(again.next()?.is_some_and(|entry| entry.payload == b"two"));
    /// # drop((journal, publisher));
    /// # std::fs::remove_dir_all(&dir)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CursorError`]: the name won't do, somebody holds it, or its file can't be used.
    pub fn cursor(&self, name: &str) -> Result<Cursor, CursorError> {
        let oldest = self.oldest().map_err(|error| CursorError::Io {
            name: name.into(),
            what: "open",
            error: io::Error::other(error),
        })?;
        Cursor::open(&Dir::of(self.path()), self.manifest.id, name, oldest)
    }

    /// All cursors, by name, whether somebody holds them or not.
    ///
    /// # Errors
    ///
    /// [`CursorError`] if one can't be read, or counts in another journal.
    pub fn cursors(&self) -> Result<Vec<CursorInfo>, CursorError> {
        cursor::list(self.path(), self.manifest.id)
    }

    /// The same for who wants to know of all that can be read: of each cursor what it says, or what is wrong with it.
    ///
    /// ```
    /// use messenger::journal::{CursorError, Journal, JournalConfig, Reader};
    ///
    /// # let dir = std::env::temp_dir().join(format!("messenger-doc-each-cursor-{}", std::process::id()));
    /// # #[cfg(not(miri))] {
    /// let journal = Journal::open(&dir, JournalConfig::new().segment_bytes(1 << 16))?;
    /// drop((journal.cursor("desk")?, journal.cursor("shelf")?));
    /// std::fs::write(dir.join("cursors/desk"), "written over")?;
    ///
    /// let cursors = Reader::open(&dir)?.each_cursor()?;
    /// assert!(matches!(&cursors[0], Err(error @ CursorError::Damaged { .. }) if error.name() == "desk"));
    /// assert!(matches!(&cursors[1], Ok(cursor) if cursor.name == "shelf"));
    /// # drop(journal);
    /// # std::fs::remove_dir_all(&dir)?;
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`CursorError::Io`] if their directory can't be read.
    pub fn each_cursor(&self) -> Result<Vec<Result<CursorInfo, CursorError>>, CursorError> {
        cursor::each(self.path(), self.manifest.id)
    }

    /// Removes the cursor `name`, which nobody holds.
    ///
    /// # Errors
    ///
    /// [`CursorError`]: there is none, or somebody holds it.
    pub fn remove_cursor(&self, name: &str) -> Result<(), CursorError> {
        cursor::remove(&Dir::of(self.path()), name)
    }
}
