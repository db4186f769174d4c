use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::subject::SHM;
use crate::times;

/// Shows the shared buses as `ls` does, live and with rates
///
/// Bytes in a second are told by how far a bus has got, headers included; records in a second by that and the mean length of some of
/// the newest, which is why they are `~`. The arrows choose a bus, whose workers and processes are shown below; q or Esc ends it.
///
/// Like `ls` it only looks. It needs a terminal.
#[derive(Args)]
pub(crate) struct Top {
    /// In this directory
    #[arg(long, value_name = "DIR", default_value = SHM)]
    pub(crate) dir: PathBuf,
    /// How often to look, as in 500ms or 2s: 100ms at least
    #[arg(long, value_name = "TIME", value_parser = interval, default_value = "1s")]
    pub(crate) every: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let time = times::span(text)?;
    if time < Duration::from_millis(100) {
        return Err(format!("{text:?} is less than 100ms"));
    }
    Ok(time)
}
