//! `ls`: the buses in a directory.

use std::io::Write;

use super::view::{BusView, LookView, MemberView, State, look_around};
use crate::command::ls::Ls;
use crate::fail::{Exit, Fail};
use crate::out::{BAD, FAINT, GOOD, HEAD, NAME, Out};
use crate::show::plain;
use crate::units;

pub(crate) fn ls(ls: &Ls, out: &mut Out) -> Result<Exit, Fail> {
    let buses = look_around(&ls.dir)?;
    let found = Exit::found(!buses.is_empty());
    if ls.json {
        out.json(&buses)?;
        return Ok(found);
    }
    if buses.is_empty() {
        writeln!(out, "there is no shared bus in {}", ls.dir.display())?;
        return Ok(found);
    }
    let widest = buses.iter().map(|bus| bus.name.len()).max();
    let widest = widest.unwrap_or(0).clamp(4, 40);
    let head = format!(
        "{:<widest$}  {:>9}  {:>7}  {:>9}  {:>9}  {:>9}  {:>7}  state",
        "name", "processes", "workers", "lag", "retained", "capacity", "aborted"
    );
    let head = out.paint(HEAD, head);
    writeln!(out, "{head}")?;
    for bus in &buses {
        line(out, bus, widest)?;
        if let (Some(look), true) = (&bus.bus, ls.members) {
            members(out, look)?;
        }
    }
    Ok(found)
}

fn line(out: &mut Out, bus: &BusView, widest: usize) -> Result<(), Fail> {
    let name = out.paint(NAME, plain(&bus.name));
    write!(out, "{name:<widest$}  ")?;
    match &bus.bus {
        Some(look) => write!(
            out,
            "{:>9}  {:>7}  {:>9}  {:>9}  {:>9}  {:>7}",
            look.processes.len(),
            look.workers.len(),
            bytes_or_dash(look.lag),
            units::bytes(look.used),
            bytes_or_dash(look.capacity),
            look.aborted,
        )?,
        None => write!(out, "{0:>9}  {0:>7}  {0:>9}  {0:>9}  {0:>9}  {0:>7}", "-")?,
    }
    let style = match bus.state {
        State::Live => GOOD,
        State::Kept => FAINT,
        _ => BAD,
    };
    let state = out.paint(style, plain(&bus.state_text()));
    writeln!(out, "  {state}")?;
    Ok(())
}

fn members(out: &mut Out, look: &LookView) -> Result<(), Fail> {
    if let Some(dir) = &look.journal {
        writeln!(out, "    journal     {}", plain(dir))?;
    }
    for (word, processes) in [("process", &look.processes), ("died", &look.died)] {
        for process in processes {
            let number = process.number();
            let name = out.paint(NAME, plain(&process.name));
            let members = units::count(process.members as u64, "member");
            let since = &process.since;
            write!(out, "    {word:<10}  {number} {name}, since {since}")?;
            if word == "process" {
                write!(out, ", {members}")?;
            }
            writeln!(out)?;
        }
    }
    for worker in &look.workers {
        let name = out.paint(NAME, plain(&worker.name));
        let lag = match worker.lag {
            Some(lag) => format!("{} behind", units::bytes(lag)),
            None => "has not begun".to_owned(),
        };
        let runs = match (worker.process, &worker.pool) {
            (Some(_), _) => format!("in {}", who(look, worker.process)),
            (None, Some(seats)) if worker.runs() => {
                let count = seats.iter().filter(|seat| seat.process.is_some()).count();
                format!("a pool of {}", units::count(count as u64, "member"))
            }
            (None, _) => "runs nowhere".to_owned(),
        };
        writeln!(out, "    worker      {name}, {lag}, {runs}")?;
        for seat in worker.pool.iter().flatten() {
            let in_hand = seat.owes.map(|(from, to)| units::bytes(to - from));
            let text = match (seat.process, in_hand) {
                (Some(_), Some(bytes)) => format!("{}, {bytes} in hand", who(look, seat.process)),
                (Some(_), None) => format!("{}, idle", who(look, seat.process)),
                (None, bytes) => format!("one that left, and owes {}", bytes.unwrap_or_default()),
            };
            writeln!(out, "      of it     {text}")?;
        }
    }
    for member in &look.members {
        let slot = member.slot;
        let kind = kind(member);
        let who = match member.process {
            Some(_) => who(look, member.process),
            None => "held for the worker that comes next".to_owned(),
        };
        writeln!(out, "    member {slot:<4} {kind}, {who}")?;
    }
    Ok(())
}

fn kind(member: &MemberView) -> String {
    match (member.kind, member.lag) {
        ("subscriber", Some(lag)) => format!("subscriber, {} behind", units::bytes(lag)),
        (kind, Some(lag)) => format!("{kind} subscriber, {} behind", units::bytes(lag)),
        ("idle", _) => "publisher or observer".to_owned(),
        (kind, _) => kind.to_owned(),
    }
}

/// The process in a place.
fn who(look: &LookView, place: Option<usize>) -> String {
    let mut all = look.processes.iter().chain(&look.died);
    match all.find(|process| Some(process.place) == place) {
        Some(process) => format!("{} {}", process.number(), plain(&process.name)),
        None => "a process that comes or goes".to_owned(),
    }
}

pub(super) fn bytes_or_dash(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "-".to_owned(), units::bytes)
}
