//! Buses that processes share, seen from outside: nothing here but `clean` can change one.

mod clean;
mod ls;
mod stat;
mod stop;
mod tail;
mod top;
mod view;

pub(crate) use clean::clean;
pub(crate) use ls::ls;
pub(crate) use stat::stat;
pub(crate) use tail::tail;
pub(crate) use top::top;

use messenger::bus::{ObserveError, Start};
use messenger::journal::Schema;
use messenger::shared::{Reader, SharedBus, SharedError, SharedFault};

use crate::fail::{Exit, Fail};
use crate::subject::Bus;

/// What the bus says of ids and tables.
pub(crate) fn schema(bus: &Bus) -> Result<Schema, Fail> {
    let look = SharedBus::look(&bus.directory, &bus.name)?.look;
    let schema = look.and_then(|look| look.schema);
    schema.map_err(|error| Fail::from(&*error))
}

/// Reads the bus.
fn read(bus: &Bus, start: Start) -> Result<Reader, Fail> {
    let options = SharedBus::options().directory(&bus.directory);
    let options = options.trust_others(bus.trust_others);
    Ok(options.read(&bus.name, start)?)
}

/// Whether nobody uses the bus that `reader` reads any more.
fn is_deserted(bus: &Bus, reader: &Reader) -> Result<bool, Fail> {
    let in_use = match SharedBus::look(&bus.directory, &bus.name) {
        Ok(listed) => listed.in_use,
        Err(error) if matches!(error.fault(), SharedFault::Absent) => false,
        Err(error) => return Err(error.into()),
    };
    // Asked last: another one may have come in its place.
    Ok(!in_use || reader.is_removed())
}

impl From<SharedError> for Fail {
    fn from(error: SharedError) -> Self {
        Self::from(&error)
    }
}

impl From<&SharedError> for Fail {
    fn from(error: &SharedError) -> Self {
        let path = error.path().display();
        match error.fault() {
            SharedFault::Absent => {
                Self::error(format!("there is no bus {path}: `messenger ls` lists them"))
            }
            SharedFault::Foreign { owner, mode, .. } => Self::error(format!(
                "the bus {path} belongs to the user {owner} with the permissions {mode:03o}: whoever can write it can make this program \
                 misbehave. Say --trust-others if all of them are trusted"
            )),
            SharedFault::Damaged { .. } | SharedFault::Schema(_) => {
                Self::Told(Exit::Damaged, error.to_string())
            }
            _ => Self::error(error.to_string()),
        }
    }
}

impl From<ObserveError> for Fail {
    fn from(error: ObserveError) -> Self {
        let exit = match error {
            ObserveError::Read(_) => Exit::Damaged,
            _ => Exit::Error,
        };
        Self::Told(exit, error.to_string())
    }
}
