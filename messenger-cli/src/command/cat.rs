use std::path::PathBuf;

use clap::Args;

use crate::fail::{Exit, Fail};
use crate::out::Out;
use crate::range::RangeArgs;
use crate::show::{ShowArgs, learn_from};

/// Shows the records of a journal, from one place to another
///
/// For each record: its position, the time by which it had been published, its source, its message, and its payload: as JSON
/// if it is known what the message is made of. Of zero-copy messages the journal knows it; for the codec prost --descriptor says
/// it, for bincode and postcard --schema. Others are shown as hex, and as text if they are text.
///
/// Records of a live journal that are given up meanwhile, before they were read, are passed over with a note, unless --from says
/// more than `oldest`.
///
/// Ends with 4 if there is no record in the range, and with 3 at one that is damaged, after those before it.
#[derive(Args)]
pub(crate) struct Cat {
    /// The journal's directory
    dir: PathBuf,
    #[command(flatten)]
    range: RangeArgs,
    #[command(flatten)]
    show: ShowArgs,
}

impl Cat {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let mut range = self.range.open(&self.dir)?;
        let mut show = self
            .show
            .open(range.reader.schema(), learn_from(&self.dir))?;
        let number = range.each(|found| show.record(out, &found))?;
        Ok(Exit::found(number > 0))
    }
}
