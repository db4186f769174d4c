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
    let mut seat = shared.seat(&name).map_err(StartError::Shared)?;
    let start = seat.position().map_or(start, Start::At);
    let subscriber = match shared.bus().subscribe(start) {
        Ok(subscriber) => subscriber,
        Err(JoinError::Gone { position, oldest }) => {
            let worker = worker.name;
            return Err(StartError::Missed {
                worker,
                position,
                oldest,
            });
        }
        Err(error) => return Err(error.into()),
    };
    seat.sit(&subscriber).map_err(StartError::Shared)?;
    Ok((subscriber, Way::Shared(Mark::Seat(seat))))
}
