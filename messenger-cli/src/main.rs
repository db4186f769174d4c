//! The program `messenger`: looks into a journal, follows it, checks it, mends it.

mod clock;
mod command;
mod damage;
mod fail;
mod filter;
mod hex;
mod out;
mod payload;
mod place;
mod progress;
mod range;
mod record;
mod schema_json;
mod show;
mod times;
mod units;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
