use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::command::Cli;
use crate::fail::{Exit, Fail};
use crate::out::Out;

/// Writes the completions of the command line for a shell
///
/// For bash: `messenger completions bash > ~/.local/share/bash-completion/completions/messenger`.
#[derive(Args)]
pub(crate) struct Completions {
    /// For which one
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        // It would panic if the pipe were closed meanwhile.
        let mut text = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "messenger", &mut text);
        std::io::Write::write_all(out, &text)?;
        Ok(Exit::Done)
    }
}
