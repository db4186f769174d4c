//! The program `messenger`: looks into journals and shared buses, follows them, checks and mends journals.

mod clock;
mod command;
mod damage;
mod fail;
mod filter;
mod hex;
#[cfg(target_os = "linux")]
mod live;
#[cfg(not(target_os = "linux"))]
#[path = "live_elsewhere.rs"]
mod live;
mod out;
mod payload;
mod place;
mod progress;
mod range;
mod record;
mod schema_json;
mod show;
mod subject;
mod times;
mod units;

use std::process::ExitCode;

use clap::Parser;

use crate::command::Cli;

fn main() -> ExitCode {
    Cli::parse().run()
}
