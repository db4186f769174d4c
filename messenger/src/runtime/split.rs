//! A table whose workers run in several processes.

use super::describe::WorkerInfo;
use super::mark::Mark;
use super::past::name_of;
use super::restore::Way;
use super::start_error::StartError;
use crate::bus::{JoinError, Start, Subscriber};
use crate::shared::SharedBus;

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
    let start = seat.position().map_or(start, Start::At);
    let subscriber = subscribe(shared, worker, start)?;
    seat.sit(&subscriber).map_err(StartError::Shared)?;
    Ok((subscriber, Way::Shared(Mark::Seat(seat))))
}

/// The same of one who runs a worker together with others: where nobody has taken anything yet, or a dead one owes something.
fn join_pool(
    shared: &SharedBus,
    (name, worker): (&str, &WorkerInfo),
    start: Start,
) -> Result<(Subscriber, Way), StartError> {
    let mut seat = shared.pool_seat(name).map_err(StartError::Shared)?;
    loop {
        let oldest = seat.starts().map_err(StartError::Shared)?;
        let mut subscriber = subscribe(shared, worker, oldest.map_or(start, Start::At))?;
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
    shared.bus().subscribe(start).map_err(|error| match error {
        JoinError::Gone { position, oldest } => StartError::Missed {
            worker,
            position,
            oldest,
        },
        error => error.into(),
    })
}
