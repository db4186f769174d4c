use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use clap::Args;
use messenger::journal::{Journal, JournalConfig, OpenError, OpenFault, Reader};
use serde::Serialize;

use crate::command::agreed;
use crate::fail::{Exit, Fail, unread, warn};
use crate::out::Out;
use crate::place::Place;
use crate::units;

/// Gives up the oldest segments of a journal
///
/// Those that end at or before the place: whole segments only, and never the one that is written. Says first which those are. Does
/// it if --yes is given, or somebody at the terminal says so. No other process may have the journal open for writing: a
/// program that does trims by its own retention.
///
/// JSON: done, segments (where those given up begin), bytes, oldest (after it), cursors (names of those that have yet to read
/// what is given up).
#[derive(Args)]
pub(crate) struct Trim {
    /// The journal's directory
    dir: PathBuf,
    /// A position, `newest`, a time such as 2026-11-27T04:00:00Z, @unix-seconds, or -7d
    #[arg(long, value_name = "PLACE", allow_hyphen_values = true)]
    before: Place,
    /// Also what named cursors have yet to read
    #[arg(long)]
    past_cursors: bool,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// Only say what would be done
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct TrimJson {
    done: bool,
    segments: Vec<u64>,
    bytes: u64,
    oldest: u64,
    cursors: Vec<String>,
}

impl Trim {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let (mut plan, before) = self.plan()?;
        let text = told(&plan);
        if !self.json {
            let said = out.write_all(text.as_bytes()).and_then(|()| out.flush());
            unread(said.map_err(Fail::from))?;
        }
        let agreed = if plan.segments.is_empty() || self.dry_run {
            Ok(())
        } else if !plan.cursors.is_empty() && !self.past_cursors {
            Err(Fail::error(
                "nothing was changed: say --past-cursors to give up what cursors have yet to read, or move or remove them (messenger cursors)",
            ))
        } else {
            // Who is asked has to know what, wherever the JSON goes.
            let text = if self.json { &*text } else { "" };
            agreed(self.yes, &format!("{text}Give them up?"))
                .and_then(|()| self.carry_out(&mut plan, before))
        };
        if self.json {
            out.json(&plan)?;
        } else if plan.done {
            writeln!(out, "done; the oldest position is {}", plan.oldest)?;
        }
        agreed.map(|()| Exit::Done)
    }

    /// What would be done, and the place as a position.
    fn plan(&self) -> Result<(TrimJson, u64), Fail> {
        let mut reader = Reader::open(&self.dir)?;
        self.before.seek(&mut reader)?;
        let before = reader.position();
        let length = reader.segment_bytes();
        let oldest = reader.oldest()?;
        let mut segments = reader.segments()?;
        segments.retain(|base| base + length <= before);
        let oldest = segments.last().map_or(oldest, |base| base + length);
        let cursors = reader.cursors()?.into_iter();
        let cursors = cursors.filter(|cursor| !segments.is_empty() && cursor.position < oldest);
        let plan = TrimJson {
            done: false,
            bytes: segments.len() as u64 * length,
            oldest,
            cursors: cursors.map(|cursor| cursor.name).collect(),
            segments,
        };
        Ok((plan, before))
    }

    fn carry_out(&self, plan: &mut TrimJson, before: u64) -> Result<(), Fail> {
        let journal = Journal::open_existing(&self.dir, JournalConfig::new());
        let journal = journal.map_err(|error| match is_disk_full(&error) {
            true => Fail::from(error).after(
                "to be trimmed the journal is opened, which takes a file of some KiB, and a segment where the last one is full; free so much, and trim again",
            ),
            false => error.into(),
        })?;
        if let Some(dropped) = &journal.recovery().dropped {
            warn(dropped);
        }
        plan.oldest = journal.trim(before)?;
        journal.close()?;
        plan.done = true;
        Ok(())
    }
}

fn is_disk_full(error: &OpenError) -> bool {
    let kind = match error.fault() {
        OpenFault::System { source, .. } => source.kind(),
        OpenFault::Segment { source, .. } => source.kind(),
        _ => return false,
    };
    kind == ErrorKind::StorageFull
}

/// The plan for people.
fn told(plan: &TrimJson) -> String {
    let Some(first) = plan.segments.first() else {
        return "nothing to give up: no segment ends before that place\n".to_owned();
    };
    let mut text = format!(
        "to be given up: {}, positions {first} to {}, {}\n",
        units::count(plan.segments.len() as u64, "segment"),
        plan.oldest,
        units::bytes(plan.bytes)
    );
    if !plan.cursors.is_empty() {
        let cursors = plan.cursors.join(", ");
        text += &format!("cursors that have yet to read some of it: {cursors}\n");
    }
    text
}
