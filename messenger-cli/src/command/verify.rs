use std::path::PathBuf;

use clap::Args;
use messenger::journal::verify;

use crate::damage::{self, VerifiedJson};
use crate::fail::{Exit, Fail, unread, warn};
use crate::out::Out;
use crate::progress::Bar;

/// Looks at every checksum of a journal, and says what is damaged
///
/// It goes on after damage, in the next segment. Changes nothing, and works while another process writes. Ends with 3 if
/// something is damaged.
///
/// JSON: live, oldest, newest, synced, segments, records, notes, aborted, padding_bytes, record_bytes, first, last (times or
/// null), pending_bytes, damage [{position, kind, synced, text}]; a kind is schema, header, cut, missing, checksum, length or
/// unfinished.
#[derive(Args)]
pub(crate) struct Verify {
    /// The journal's directory
    dir: PathBuf,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let bar = Bar::bytes("verifying", 0);
        let verified = verify(&self.dir, |progress| {
            bar.at_of(progress.done, progress.total);
        })?;
        drop(bar);
        unread(if self.json {
            out.json(&VerifiedJson::from(&verified)).map_err(Fail::from)
        } else {
            damage::show(out, &verified)
        })?;
        if verified.damage.is_empty() {
            return Ok(Exit::Done);
        }
        if !self.json && verified.damage.iter().any(|damage| damage.synced) {
            warn("`messenger repair` says what would be given up to have the journal open again");
        }
        Ok(Exit::Damaged)
    }
}
