//! A table whose workers run in several processes.

mod pool;
mod seated;

pub(in crate::runtime) use pool::is_called;
pub(in crate::runtime) use seated::Seated;

use super::describe::WorkerInfo;
use super::ground::{Ground, On};
use super::kept::past::name_of;
use super::kept::{Mark, Way};
use super::start_error::StartError;
use crate::bus::{JoinError, Start, Subscriber};
use crate::journal::Journal;
use crate::shared::{Seat, SharedBus};
use seated::Both;

impl From<&SharedBus> for Ground {
    fn from(bus: &SharedBus) -> Self {
        Self(On::Shared(bus.clone()))
    }
}

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
    let mut seat = shared.seat(&name).map_err(StartError::Shared)?;
    let Some(journal) = shared.journal() else {
        let start = seat.position().map_or(start, Start::At);
        let held = |start| seat.take_over(shared.bus(), start);
        let mut subscriber = subscribe(shared, worker, start, held)?;
        seat.sit(&mut subscriber);
        let mark = Mark::Seat(Seated::Alone(seat));
        return Ok((subscriber, Way::Ring(Some(mark))));
    };
    let start = reached(&seat, journal, &name)?.map_or(start, Start::At);
    let held = |start| seat.take_over(shared.bus(), start);
    let mut subscriber = subscribe(shared, worker, start, held)?;
    let both = with_cursor(seat, journal, &name, &mut subscriber)?;
    let mark = Some(Mark::Seat(Seated::Both(Box::new(both))));
    let restores = None;
    Ok((subscriber, Way::Journal { mark, restores }))
}

/// Where the worker had got, by its seat and by the cursor, which survives the bus's file.
fn reached(seat: &Seat, journal: &Journal, name: &str) -> Result<Option<u64>, StartError> {
    let known = journal.cursor_position(name).map_err(StartError::Cursor)?;
    // The bus's file may be a new one; and it knows what the journal is told later. Who has written over them may say what is not there yet.
    let reached = seat.position().max(known);
    Ok(reached.map(|position| position.min(journal.bus().tail())))
}

/// On a bus whose records lie in a journal: says where the worker has got there, too.
fn with_cursor(
    seat: Seat,
    journal: &Journal,
    name: &str,
    subscriber: &mut Subscriber,
) -> Result<Both, StartError> {
    // One that is made says where the worker begins that has never run. Not before it has a subscriber: the next one to start goes by it.
    // (Somebody has removed that of one that has: what it sent need not be synced, so it is as if it began anew.)
    let first = match seat.position() {
        None => subscriber.start(),
        Some(_) => journal.oldest(),
    };
    let cursor = journal.cursor_from(name, first);
    let mut both = Both::new(seat, cursor.map_err(StartError::Cursor)?, journal.clone());
    both.sit(subscriber);
    Ok(both)
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
        let held = |start| seat.take_over(shared.bus(), start);
        let start = oldest.map_or(start, Start::At);
        let mut subscriber = match subscribe(shared, worker, start, held) {
            // Others have handled that by now, perhaps; or else it is still the oldest.
            Err(StartError::Missed { position, .. }) if missed != Some(position) => {
                missed = Some(position);
                // Or one has died who owes it: then by his seat alone it is gone on with.
                drop(seat);
                seat = shared.pool_seat(name).map_err(StartError::Shared)?;
                continue;
            }
            joined => joined?,
        };
        if seat.sit(&mut subscriber).map_err(StartError::Shared)? {
            let mark = Some(Mark::Seat(Seated::Pool(Box::new(seat))));
            let way = match shared.journal() {
                None => Way::Ring(mark),
                Some(_) => Way::Journal {
                    mark,
                    restores: None,
                },
            };
            return Ok((subscriber, way));
        }
    }
}

fn subscribe(
    shared: &SharedBus,
    worker: &WorkerInfo,
    start: Start,
    held: impl FnOnce(u64) -> Option<Subscriber>,
) -> Result<Subscriber, StartError> {
    let worker = worker.name;
    // What is handled must stay there until the mark says so: this process may be killed in between.
    let joined = shared.bus().subscribe_holding(start);
    joined.or_else(|error| match error {
        JoinError::Gone { position, oldest } => held(position).ok_or(StartError::Missed {
            worker,
            position,
            oldest,
        }),
        error => Err(error.into()),
    })
}
