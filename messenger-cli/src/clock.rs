//! When records were published.
//!
//! A journal notes the time after what has been published, each 10 ms unless told otherwise, and only then. So a record's time
//! is that of the next note after it: by then it had been published, and not long before.

use std::path::Path;
use std::time::SystemTime;

use messenger::journal::{Item, Reader};

use crate::fail::Fail;

/// Tells the times of records, asked for in the order of their positions.
pub(crate) struct Clock {
    ahead: Reader,
    /// The note that was read last: where it stands, and what it says.
    note: Option<(u64, SystemTime)>,
    /// It can't be read on.
    lost: bool,
}

impl Clock {
    /// For the journal in `dir`, from `position` on.
    pub(crate) fn new(dir: &Path, position: u64) -> Result<Self, Fail> {
        // Who reads the records looks at the checksums.
        let mut ahead = Reader::open(dir)?.trusting();
        let lost = ahead.seek(position).is_err();
        Ok(Self {
            ahead,
            note: None,
            lost,
        })
    }

    /// When the record at `position` had been published. `None`: no time has been noted after it.
    pub(crate) fn time_of(&mut self, position: u64) -> Option<SystemTime> {
        loop {
            match self.note {
                Some((at, time)) if at > position => return Some(time),
                _ if self.lost => return None,
                _ => {}
            }
            match self.ahead.next_item() {
                Ok(Some(item)) => {
                    if let (Some(time), Item::Note(note)) = (item.time(), item) {
                        self.note = Some((note.position, time));
                    }
                }
                Ok(None) => return None,
                Err(_) => self.lost = true,
            }
        }
    }
}
