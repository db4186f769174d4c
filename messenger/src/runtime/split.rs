//! A table whose workers run in several processes.

use super::describe::WorkerInfo;
use super::mark::{Both, Mark};
use super::past::name_of;
use super::restore::Way;
use super::start_error::StartError;
use crate::bus::{JoinError, Start, Subscriber};
use crate::journal::Journal;
use crate::shared::{Seat, SharedBus};

/// Attaches a worker to a bus that processes share: where it had got when it ran last, in whatever process, and else
/// where `start` says.
pub(super) fn join(
    shared: &SharedBus,
    (app, worker): (&str, &WorkerInfo),
    start: Start,
) -> Result<(Subscriber, Way), StartError> {
    let name = name_of(app, worker.name);
    if worker.options.pool {
        return join_pool(shared, (&name, worker), start);
    }
    let seat = shared.seat(&name).map_err(StartError::Shared)?;
    let (mut mark, reached) = match shared.journal() {
        None => {
            let reached = seat.position();
            (Mark::Seat(seat), reached)
        }
        Some(journal) => with_cursor(seat, journal, &name)?,
    };
    let start = reached.map_or(start, Start::At);
    let subscriber = subscribe(shared, worker, start)?;
    match &mut mark {
        Mark::Seat(seat) => seat.sit(&subscriber).map_err(StartError::Shared)?,
        Mark::Both(both) => both.sit(&subscriber)?,
        Mark::Cursor(_) | Mark::Pool(_) => unreachable!("neither is made here"),
    }
    Ok((subscriber, Way::Shared(mark)))
}

/// On a bus whose records lie in a journal: where the worker had got, which survives the bus's file.
fn with_cursor(
    seat: Seat,
    journal: &Journal,
    name: &str,
) -> Result<(Mark, Option<u64>), StartError> {
    let known = journal.cursors().map_err(StartError::Cursor)?;
    let known = known.iter().any(|cursor| cursor.name == name);
    let cursor = journal.cursor(name).map_err(StartError::Cursor)?;
    let said = known.then_some(cursor.position());
    // The bus's file may be a new one; and it knows what the journal is told later. After a loss of power the journal may end before
    // either.
    let reached = seat.position().max(said);
    let reached = reached.map(|position| position.min(journal.bus().tail()));
    let both = Both::new(seat, cursor, journal.clone());
    Ok((Mark::Both(Box::new(both)), reached))
}

/// The same of one who runs a worker together with others: where nobody has taken anything yet, or a dead one owes something.
fn join_pool(
    shared: &SharedBus,
    (name, worker): (&str, &WorkerInfo),
    start: Start,
) -> Result<(Subscriber, Way), StartError> {
    let mut seat = shared.pool_seat(name).map_err(StartError::Shared)?;
    let mut missed = None;
    loop {
        let oldest = seat.starts().map_err(StartError::Shared)?;
        let mut subscriber = match subscribe(shared, worker, oldest.map_or(start, Start::At)) {
            // Others have handled that by now, perhaps; or else it is still the oldest.
            Err(StartError::Missed { position, .. }) if missed != Some(position) => {
                missed = Some(position);
                continue;
            }
            joined => joined?,
        };
        if seat.sit(&mut subscriber).map_err(StartError::Shared)? {
            return Ok((subscriber, Way::Shared(Mark::Pool(Box::new(seat)))));
        }
    }
}

fn subscribe(
    shared: &SharedBus,
    worker: &WorkerInfo,
    start: Start,
) -> Result<Subscriber, StartError> {
    let worker = worker.name;
    // What is handled must stay there until the mark says so: this process may be killed in between.
    let joined = shared.bus().subscribe_holding(start);
    joined.map_err(|error| match error {
        JoinError::Gone { position, oldest } => StartError::Missed {
            worker,
            position,
            oldest,
        },
        error => error.into(),
    })
}
