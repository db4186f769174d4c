use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use messenger::journal::{Repaired, plan_repair, repair};
use serde::Serialize;

use crate::command::agreed;
use crate::damage::{self, VerifiedJson};
use crate::fail::{Exit, Fail, unread};
use crate::out::{BAD, Out};
use crate::progress::Bar;
use crate::units;

/// Makes a damaged journal one that opens again, by giving up what can't be kept
///
/// Says first what it would do: everything from the first damage on is given up, and headers, lengths and the schema's file
/// are made anew where that is enough. Does it if --yes is given, or somebody at the terminal says so. Nobody may have the
/// journal open for writing. Copy the directory before: what is given up is gone.
///
/// JSON: done, cut {from, to, synced, text} or null, mended, removed, set_aside (where segments begin), begins (where the
/// journal begins from now on, if the segments before are missing, or null), schema, found (as of `verify`).
#[derive(Args)]
pub(crate) struct Repair {
    /// The journal's directory
    dir: PathBuf,
    /// Do it
    #[arg(long)]
    yes: bool,
    /// Only say what would be done: 3 if there is something to do, else 0
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct RepairedJson<'a> {
    done: bool,
    cut: Option<CutJson>,
    mended: &'a [u64],
    removed: &'a [u64],
    set_aside: &'a [u64],
    begins: Option<u64>,
    schema: bool,
    found: VerifiedJson,
}

#[derive(Serialize)]
struct CutJson {
    from: u64,
    to: u64,
    synced: u64,
    text: String,
}

impl Repair {
    pub(super) fn run(self, out: &mut Out) -> Result<Exit, Fail> {
        let bar = Bar::bytes("verifying", 0);
        let plan = plan_repair(&self.dir, |progress| {
            bar.at_of(progress.done, progress.total);
        })?;
        drop(bar);
        let text = told(out, &plan);
        if !self.json {
            unread(show(out, &plan, &text))?;
        }
        if plan.is_nothing() || self.dry_run {
            if self.json {
                unread(out.json(&json(&plan, false)).map_err(Fail::from))?;
            }
            let exit = if plan.is_nothing() {
                Exit::Done
            } else {
                Exit::Damaged
            };
            return Ok(exit);
        }
        // Who is asked has to know what, wherever the JSON goes.
        let text = if self.json { &*text } else { "" };
        if let Err(fail) = agreed(self.yes, &format!("{text}Repair it?")) {
            if self.json {
                unread(out.json(&json(&plan, false)).map_err(Fail::from))?;
            }
            return Err(fail);
        }
        let bar = Bar::bytes("repairing", 0);
        let repaired = repair(&self.dir, |progress| {
            bar.at_of(progress.done, progress.total);
        })?;
        drop(bar);
        if self.json {
            out.json(&json(&repaired, true))?;
        } else {
            writeln!(out, "repaired")?;
        }
        Ok(Exit::Done)
    }
}

fn show(out: &mut Out, plan: &Repaired, text: &str) -> Result<(), Fail> {
    damage::show(out, &plan.found)?;
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The plan for people.
fn told(out: &Out, plan: &Repaired) -> String {
    if plan.is_nothing() {
        return "nothing to repair\n".to_owned();
    }
    let mut text = "to be done:\n".to_owned();
    if let Some(cut) = &plan.cut {
        text += &format!("  {}\n", out.paint(BAD, cut));
    }
    for (segments, what) in [
        (&plan.mended, "mended: header or length is made anew"),
        (&plan.removed, "removed"),
        (&plan.set_aside, "set aside: they belong to something else"),
    ] {
        if !segments.is_empty() {
            let number = units::count(segments.len() as u64, "segment");
            let list: Vec<String> = segments.iter().map(ToString::to_string).collect();
            text += &format!("  {number} {what} ({})\n", list.join(", "));
        }
    }
    if let Some(begins) = plan.begins {
        text += &format!(
            "  the journal begins at position {begins} from now on: the segments before are missing\n"
        );
    }
    if plan.schema {
        text += "  the schema's file is made anew, without names; the programs bring theirs when they open the journal\n";
    }
    text
}

fn json(repaired: &Repaired, done: bool) -> RepairedJson<'_> {
    RepairedJson {
        done,
        cut: repaired.cut.as_ref().map(|cut| CutJson {
            from: cut.from,
            to: cut.to,
            synced: cut.synced,
            text: cut.to_string(),
        }),
        mended: &repaired.mended,
        removed: &repaired.removed,
        set_aside: &repaired.set_aside,
        begins: repaired.begins,
        schema: repaired.schema,
        found: VerifiedJson::from(&repaired.found),
    }
}
