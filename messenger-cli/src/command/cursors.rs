use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use messenger::journal::Reader;
use serde::Serialize;

use crate::command::info::{self, CursorJson, UNREAD};
use crate::fail::{Exit, Fail, unread};
use crate::out::{BAD, HEAD, NAME, Out};
use crate::place::Place;
use crate::units;

/// Lists, sets and removes the named cursors of a journal
///
/// A cursor says where its reader goes on. Who holds one keeps others from setting and removing it.
#[derive(Args)]
pub(crate) struct Cursors {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Lists them
    ///
    /// JSON: [{name, position, stored, behind}; {name, error} of one that can't be read]. Ends with 3 if one is damaged.
    List {
        /// The journal's directory
        dir: PathBuf,
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Sets one, and makes it if there is none of the name
    ///
    /// It is set to the first record at or after the place, and survives a power loss from then on. JSON: name, position.
    Set {
        /// The journal's directory
        dir: PathBuf,
        /// Its name
        name: String,
        /// A position, `oldest`, `newest`, a time such as 2026-11-27T04:00:00Z, @unix-seconds, or -10m
        #[arg(allow_hyphen_values = true)]
        place: Place,
        /// One JSON object
        #[arg(long)]
        json: bool,
    },
    /// Removes one
    Remove {
        /// The journal's directory
        dir: PathBuf,
        /// Its name
        name: String,
    },
}

#[derive(Serialize)]
struct SetJson<'a> {
    name: &'a str,
    position: u64,
}

impl Cursors {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        match self.what {
            What::List { dir, json } => {
                let (cursors, end) = info::cursors(&Reader::open(dir)?)?;
                unread(match json {
                    true => out.json(&cursors).map_err(Fail::from),
                    false => list(out, &cursors),
                })?;
                return end;
            }
            What::Set {
                dir,
                name,
                place,
                json,
            } => {
                let mut reader = Reader::open(dir)?;
                place.seek(&mut reader)?;
                let position = reader.position();
                let mut cursor = reader.cursor(&name)?;
                cursor.store(position)?;
                cursor.sync()?;
                if json {
                    let name = &name;
                    out.json(&SetJson { name, position })?;
                } else {
                    writeln!(out, "{name} stands at {position}")?;
                }
            }
            What::Remove { dir, name } => {
                Reader::open(dir)?.remove_cursor(&name)?;
                writeln!(out, "{name} is removed")?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list(out: &mut Out, cursors: &[CursorJson]) -> Result<(), Fail> {
    let widest = cursors.iter().map(|cursor| cursor.name().len()).max();
    let widest = widest.unwrap_or(0).max(4);
    let head = format!(
        "{:>12}  {:<widest$}  {:>10}  stored",
        "position", "name", "behind"
    );
    let head = out.paint(HEAD, head);
    writeln!(out, "{head}")?;
    for cursor in cursors {
        let name = out.paint(NAME, cursor.name());
        match cursor {
            CursorJson::Read {
                position,
                stored,
                behind,
                ..
            } => {
                let behind = units::bytes(*behind);
                writeln!(
                    out,
                    "{position:>12}  {name:<widest$}  {behind:>10}  {stored}"
                )?;
            }
            CursorJson::Unread { .. } => {
                let unread = out.paint(BAD, UNREAD);
                writeln!(out, "{:>12}  {name:<widest$}  {:>10}  {unread}", "-", "-")?;
            }
        }
    }
    Ok(())
}
