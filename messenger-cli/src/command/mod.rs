//! The commands, one file each, and what they have in common.

mod cat;
pub(crate) mod clean;
mod completions;
mod cursors;
mod export;
mod graph;
mod import;
mod info;
pub(crate) mod ls;
mod man;
mod repair;
pub(crate) mod stat;
pub(crate) mod tail;
pub(crate) mod top;
mod trim;
mod verify;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::fail::{Exit, Fail, unread};
use crate::live;
use crate::out::Out;

/// Looks into journals and shared buses of messenger, follows them, checks and mends journals.
#[derive(Parser)]
#[command(name = "messenger", version, after_help = EXITS)]
pub(crate) struct Cli {
    /// When to use colours. NO_COLOR and CLICOLOR_FORCE in the environment count for `auto`
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    color: When,
    #[command(subcommand)]
    command: Command,
}

/// When to use colours.
#[derive(Clone, Copy, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

const EXITS: &str = "\
Exit status:
  0  done
  1  an error: stderr says what, and what to do
  2  the command line is wrong
  3  the journal, or the bus, is damaged
  4  nothing was found: no record in the range that was asked for, no table, no bus";

#[derive(Subcommand)]
enum Command {
    Info(info::Info),
    Tail(tail::Tail),
    Cat(cat::Cat),
    Stat(stat::Stat),
    Verify(verify::Verify),
    Repair(repair::Repair),
    Trim(trim::Trim),
    Export(export::Export),
    Import(import::Import),
    Graph(graph::Graph),
    Cursors(cursors::Cursors),
    Ls(ls::Ls),
    Top(top::Top),
    Clean(clean::Clean),
    Completions(completions::Completions),
    Man(man::Man),
}

impl Cli {
    pub(crate) fn run(self) -> ExitCode {
        match self.color {
            When::Auto => anstream::ColorChoice::Auto,
            When::Always => anstream::ColorChoice::Always,
            When::Never => anstream::ColorChoice::Never,
        }
        .write_global();
        let mut out = Out::new();
        let done = self.command.run(&mut out);
        // What was found before an error is shown before it.
        let flushed = unread(out.flush().map_err(Fail::from));
        match done.and_then(|exit| flushed.map(|()| exit)) {
            Ok(exit) => exit.into(),
            Err(fail) => fail.tell(),
        }
    }
}

impl Command {
    fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        match self {
            Self::Info(info) => info.run(out),
            Self::Tail(tail) => tail.run(out),
            Self::Cat(cat) => cat.run(out),
            Self::Stat(stat) => stat.run(out),
            Self::Verify(verify) => verify.run(out),
            Self::Repair(repair) => repair.run(out),
            Self::Trim(trim) => trim.run(out),
            Self::Export(export) => export.run(out),
            Self::Import(import) => import.run(out),
            Self::Graph(graph) => graph.run(out),
            Self::Cursors(cursors) => cursors.run(out),
            Self::Ls(ls) => live::ls(&ls, out),
            Self::Top(top) => live::top(&top, out),
            Self::Clean(clean) => live::clean(&clean, out),
            Self::Completions(completions) => completions.run(out),
            Self::Man(man) => man.run(out),
        }
    }
}

/// Whether to go on with what can't be undone: `yes` says so, or else somebody at a terminal does.
fn agreed(yes: bool, question: &str) -> Result<(), Fail> {
    use io::IsTerminal;
    if yes {
        return Ok(());
    }
    if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
        return Err(Fail::error(
            "nothing was changed: say --yes to have it done",
        ));
    }
    let question = format!("{question} [y/N] ");
    anstream::eprint!("{question}");
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Fail::error("nothing was changed")),
    }
}
