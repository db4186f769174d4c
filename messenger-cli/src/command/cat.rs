use std::path::PathBuf;

use clap::Args;

use crate::fail::{Exit, Fail};
use crate::out::Out;
use crate::range::RangeArgs;
use crate::show::{ShowArgs, learn_from};

/// Shows the records of a journal, from one place to another
///
/// For each record: its position, the time by which it had been published, its source, its message, and its payload. Only
/// payloads of the codec prost can be decoded, and need --descriptor; bincode, postcard and zero_copy can't be decoded
/// without their types and are shown as hex, and as text if they are text.
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
