//! `clean`: removes buses that nobody uses.

use std::io::Write;

use messenger::shared::{SharedBus, SharedFault};
use serde::Serialize;

use super::view::{BusView, State, look_around};
use crate::command::clean::Clean;
use crate::fail::{Exit, Fail};
use crate::out::{NAME, Out};
use crate::show::plain;
use crate::units;

#[derive(Serialize, Default)]
struct CleanJson {
    done: bool,
    removed: Vec<RemovedJson>,
    left: Vec<LeftJson>,
}

#[derive(Serialize)]
struct RemovedJson {
    name: String,
    path: String,
    file_bytes: u64,
}

#[derive(Serialize)]
struct LeftJson {
    name: String,
    path: String,
    why: String,
}

pub(crate) fn clean(clean: &Clean, out: &mut Out) -> Result<Exit, Fail> {
    let buses = look_around(&clean.dir)?;
    if let Some(none) = clean
        .names
        .iter()
        .find(|name| !buses.iter().any(|bus| bus.name == **name))
    {
        return Err(Fail::error(format!(
            "nothing was removed: there is no bus {none:?} in {}",
            clean.dir.display()
        )));
    }
    let mut all = CleanJson {
        done: !clean.dry_run,
        ..CleanJson::default()
    };
    let mut refused = false;
    for bus in buses {
        let named = clean.names.contains(&bus.name);
        if !named && !clean.names.is_empty() {
            continue;
        }
        let (name, path) = (bus.name.clone(), bus.path.clone());
        match attempt(clean, &bus, named) {
            Ok(()) => all.removed.push(RemovedJson {
                name,
                path,
                file_bytes: bus.file_bytes,
            }),
            Err(Kept::Gone) => {}
            Err(Kept::ForItself) => {}
            Err(Kept::Because(why)) => {
                // What nobody asked for by name, and is no stale bus, is left without a word.
                refused |= named;
                all.left.push(LeftJson { name, path, why });
            }
        }
    }
    if clean.json {
        out.json(&all)?;
    } else {
        tell(out, &all)?;
    }
    Ok(if refused { Exit::Error } else { Exit::Done })
}

/// Why a bus was not removed.
enum Kept {
    /// It is none of those that are to be.
    ForItself,
    /// It has gone meanwhile.
    Gone,
    Because(String),
}

/// Removes a bus, or finds out whether it would be.
fn attempt(clean: &Clean, bus: &BusView, named: bool) -> Result<(), Kept> {
    match bus.state {
        State::Live if !named => return Err(Kept::ForItself),
        State::Kept if !named => return Err(Kept::ForItself),
        State::Damaged if !named => {
            let why = "it is damaged: name it to have it removed";
            return Err(Kept::Because(why.to_owned()));
        }
        State::Unreadable | State::Unknown if !named => return Err(Kept::ForItself),
        _ => {}
    }
    let user = rustix::process::geteuid().as_raw();
    if bus.owner != user {
        let owner = bus.owner;
        return Err(Kept::Because(format!("it belongs to the user {owner}")));
    }
    if clean.dry_run {
        return match bus.state {
            State::Live => Err(Kept::Because("it is in use".to_owned())),
            _ if bus.in_use => Err(Kept::Because("it is in use".to_owned())),
            State::Unknown => Err(Kept::Because(
                bus.why.clone().unwrap_or_else(|| "it is no bus".to_owned()),
            )),
            _ => Ok(()),
        };
    }
    match SharedBus::remove_in(&clean.dir, &bus.name) {
        Ok(()) => Ok(()),
        Err(error) => match error.fault() {
            SharedFault::Absent => Err(Kept::Gone),
            fault => Err(Kept::Because(fault.to_string())),
        },
    }
}

fn tell(out: &mut Out, all: &CleanJson) -> Result<(), Fail> {
    let done = if all.done { "removed" } else { "would remove" };
    for bus in &all.removed {
        let name = out.paint(NAME, plain(&bus.name));
        let bytes = units::bytes(bus.file_bytes);
        writeln!(out, "{done} {name}, {bytes}")?;
    }
    for bus in &all.left {
        let name = out.paint(NAME, plain(&bus.name));
        writeln!(out, "left {name}: {}", plain(&bus.why))?;
    }
    if all.removed.is_empty() && all.left.is_empty() {
        writeln!(out, "there is no stale bus")?;
    }
    Ok(())
}
