//! Reads a journal and tells whether it is what its publishers wrote: of each, all its records, one after the other.

use std::path::Path;

use messenger::bus::{Start, Tag};
use messenger::journal::{Item, Journal, Reader};

use crate::kit;

/// What has been found of each publisher.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    /// The first and the last sequence number, and where the last one stands.
    pub(crate) of: Vec<Option<Run>>,
    pub(crate) records: u64,
    end: u64,
    longest: usize,
}

/// Records of one publisher in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Run {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) position: u64,
}

impl Seen {
    /// Nothing yet, of so many publishers whose longest payload is `longest` bytes.
    pub(crate) fn new(publishers: u16, longest: usize) -> Self {
        Self {
            of: vec![None; publishers.into()],
            records: 0,
            end: 0,
            longest,
        }
    }

    /// The next record of the journal.
    pub(crate) fn take(&mut self, position: u64, tag: Tag, bytes: &[u8]) -> Result<(), String> {
        let wrong = |what: String| {
            Err(format!(
                "at {position}, {tag:?}, {} bytes: {what}",
                bytes.len()
            ))
        };
        if position < self.end {
            return wrong(format!("the record before ends at {}", self.end));
        }
        let publisher = tag.source.get().wrapping_sub(1);
        let Some(run) = self.of.get_mut(usize::from(publisher)) else {
            return wrong("nobody wrote that".into());
        };
        if bytes.len() < 8 {
            return wrong("nobody writes so little".into());
        }
        let sequence = kit::sequence_of(bytes);
        if tag != kit::tag(publisher, sequence) {
            return wrong(format!("{sequence} has another tag"));
        }
        if bytes != kit::payload(publisher, sequence, self.longest) {
            return wrong(format!("not the bytes of {sequence}"));
        }
        if let Some(run) = run {
            if run.last + 1 != sequence {
                return wrong(format!("{sequence} comes after {}", run.last));
            }
        }
        *run = Some(Run {
            first: run.map_or(sequence, |run| run.first),
            last: sequence,
            position,
        });
        self.records += 1;
        self.end = position + messenger::bus::record_len(bytes.len()) as u64;
        Ok(())
    }

    /// All that a subscriber is given.
    pub(crate) fn by_subscriber(mut self, journal: &Journal) -> Result<Self, String> {
        let mut subscriber = journal
            .bus()
            .subscribe(Start::Oldest)
            .map_err(|e| e.to_string())?;
        while let Some(record) = subscriber.try_next().map_err(|e| e.to_string())? {
            self.take(record.position(), record.tag(), record.payload())?;
        }
        Ok(self)
    }

    /// All that a reader is given, and where it ends; each thing in the journal begins where the one before ended.
    pub(crate) fn by_reader(mut self, path: &Path) -> Result<(Self, u64), String> {
        let mut reader = Reader::open(path).map_err(|e| e.to_string())?;
        let mut end = reader.position();
        while let Some(item) = reader.next_item().map_err(|e| e.to_string())? {
            let position = match item {
                Item::Record(entry) => {
                    self.take(entry.position, entry.tag, entry.payload)?;
                    entry.position
                }
                Item::Note(entry) => entry.position,
                Item::Aborted { position, .. } | Item::Padding { position, .. } => position,
                other => return Err(format!("{other:?}")),
            };
            if position != end {
                return Err(format!("a gap from {end} to {position}"));
            }
            end = reader.position();
        }
        Ok((self, end))
    }
}
