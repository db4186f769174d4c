//! The desk, for a process that may be killed: the same figures, kept in a file together with the position up to which
//! they count.
//!
//! After a kill the bus delivers again what the dead process had handled last, for it can't know how far that had come. This
//! desk can: what stands at or before the position in its file is in the figures already, and is passed over. So each record
//! counts exactly once. For this to hold,
//!
//! 1. figures and position are one file, which changes from one whole state to the next (written beside it, then renamed);
//! 2. it is written in `on_loop`, after each batch of records and before the bus is told that they are handled. If that fails the
//!    bus isn't told;
//! 3. what is sent may be sent again. So it has a number, by which the receiver knows it: see [`Batch::number`].

use super::{Count, Figures, Hid};
use crate::market_data::messages::Batch;
use crate::market_data::report::Report;
use messenger::message::Message;
use messenger::{Handle, Handler, HandlerError, Lifecycle, Outbox, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The desk handler that survives its process.
#[derive(Handler)]
#[handler(id = Hid::Desk, lifecycle, sends(Batch, Report))]
pub struct KeptDesk {
    kept: Kept,
    file: PathBuf,
    /// Up to where the file counts.
    written: Option<u64>,
}

/// What is in the file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
struct Kept {
    figures: Figures,
    /// The position of the last record that is counted.
    counted: Option<u64>,
}

impl KeptDesk {
    /// The desk whose file this is; a new one if there is none. A file belongs to one bus: on another one positions mean
    /// something else.
    ///
    /// # Errors
    /// The file can't be read, or isn't a desk's.
    pub fn open(file: &Path) -> Result<Self> {
        let kept = match fs::read(file) {
            Ok(bytes) => Kept::from_bytes(&bytes)
                .map_err(|error| HandlerError::new(format!("{}: {error}", file.display())))?,
            Err(error) if error.kind() == ErrorKind::NotFound => Kept::default(),
            Err(error) => return Err(HandlerError::new(format!("{}: {error}", file.display()))),
        };
        Ok(Self {
            written: kept.counted,
            file: file.to_owned(),
            kept,
        })
    }

    /// Writes the file, if there is something new. Whenever the process dies, the file is the old one or the new one. (If the
    /// machine may lose its power as well, sync the file before it is renamed.)
    fn write(&mut self) -> Result {
        if self.written == self.kept.counted {
            return Ok(());
        }
        let beside = self.file.with_extension("new");
        fs::write(&beside, self.kept.to_bytes()?)?;
        fs::rename(&beside, &self.file)?;
        self.written = self.kept.counted;
        Ok(())
    }
}

impl Kept {
    fn from_bytes(bytes: &[u8]) -> Result<Self, bincode::error::DecodeError> {
        let (kept, _) = bincode::serde::decode_from_slice(bytes, bincode::config::standard())?;
        Ok(kept)
    }

    fn to_bytes(&self) -> Result<Vec<u8>, bincode::error::EncodeError> {
        bincode::serde::encode_to_vec(self, bincode::config::standard())
    }
}

impl<M: Message> Handle<M> for KeptDesk
where
    Figures: Count<M>,
{
    fn handle(&mut self, m: &M, out: &mut Outbox<'_, Self>) -> Result {
        let here = Some(out.position());
        if here > self.kept.counted {
            self.kept.figures.count(m);
            self.kept.counted = here;
        }
        Ok(())
    }
}

/// Nothing to count: it is answered each time that it comes, for whether the last answer went out isn't known.
impl Handle<Batch> for KeptDesk {
    fn handle(&mut self, m: &Batch, out: &mut Outbox<'_, Self>) -> Result {
        if m.last {
            out.send(self.kept.figures.close())?;
        }
        out.send(m)
    }
}

impl Lifecycle for KeptDesk {
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        self.write()
    }
}

#[cfg(test)]
mod tests {
    use super::{Count, Kept, KeptDesk};
    use crate::market_data::messages::Execution;

    #[test]
    fn what_is_written_is_there_again() {
        let name = format!("messenger-{}-desk", std::process::id());
        let file = std::env::temp_dir().join(name);
        let mut desk = KeptDesk::open(&file).unwrap();
        assert_eq!(desk.kept, Kept::default());
        desk.kept.figures.count(&Execution {
            at: 1,
            shares: 100,
            price: 10_000,
            instrument: 1,
        });
        desk.kept.counted = Some(64);
        desk.write().unwrap();
        assert_eq!(KeptDesk::open(&file).unwrap().kept, desk.kept);
        std::fs::write(&file, [0xff; 3]).unwrap();
        let error = KeptDesk::open(&file).err().unwrap().to_string();
        std::fs::remove_file(&file).unwrap();
        assert!(error.contains(file.to_str().unwrap()), "{error}");
    }
}
