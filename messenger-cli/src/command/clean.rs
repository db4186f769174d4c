use std::path::PathBuf;

use clap::Args;

use crate::subject::SHM;

/// Removes stale shared buses: those whose processes have all died
///
/// What is on them is gone then. Never removes a bus that any process uses, nor one of another user; nor, unless it is named, one that
/// stays on purpose for those who come later, or one that is damaged.
///
/// JSON: done, removed [{name, path, file_bytes}], left [{name, path, why}].
#[derive(Args)]
pub(crate) struct Clean {
    /// Only these, also if they are kept or damaged
    pub(crate) names: Vec<String>,
    /// In this directory
    #[arg(long, value_name = "DIR", default_value = SHM)]
    pub(crate) dir: PathBuf,
    /// Only say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
