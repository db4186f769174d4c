use std::fs;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_mangen::Man as Page;

use crate::command::Cli;
use crate::fail::{Exit, Fail};
use crate::out::Out;

/// Writes the man page of the program, or the pages of all commands
///
/// `messenger man | man -l -` shows it.
#[derive(Args)]
pub(crate) struct Man {
    /// Write messenger.1, and a page for each command, into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let command = Cli::command();
        match &self.dir {
            Some(dir) => {
                let failed = || Fail::file("write man pages into", dir);
                fs::create_dir_all(dir).map_err(failed())?;
                clap_mangen::generate_to(command, dir).map_err(failed())?;
            }
            None => {
                let mut page = Vec::new();
                Page::new(command).render(&mut page)?;
                out.write_all(&page)?;
            }
        }
        Ok(Exit::Done)
    }
}
