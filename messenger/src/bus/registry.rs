//! Which ids mean what on a bus, as those said who attached, and which workers run on it in this process.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::shared::Shared;

use crate::words::in_words;

/// What an id stands for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum IdKind {
    /// A type of message.
    Message,
    /// A source.
    Source,
}

/// The name of an id, as a table that attached to the bus uses it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Name {
    /// What the id stands for.
    pub kind: IdKind,
    /// The id.
    pub id: u16,
    /// The name of the message or the source.
    pub name: &'static str,
    /// The fingerprint of the message's layout; 0: none.
    pub layout: u64,
    /// Whose name it is: the table's.
    pub owner: &'static str,
}

impl Name {
    fn conflicts(&self, other: &Self) -> bool {
        (self.kind, self.id) == (other.kind, other.id)
            && (self.name != other.name
                || (self.layout != other.layout && self.layout != 0 && other.layout != 0))
    }
}

/// The names in use on a bus.
#[derive(Debug, Default)]
pub(super) struct Registry {
    names: Mutex<Names>,
    workers: Mutex<Vec<WorkerName>>,
}

/// The table's name, and the worker's.
type WorkerName = (&'static str, &'static str);

#[derive(Debug, Default)]
struct Names {
    /// With the number of the registration that brought each.
    list: Vec<(u64, Name)>,
    registrations: u64,
}

/// Names on a bus; taken off it when dropped.
pub struct Registration {
    shared: Arc<Shared>,
    number: u64,
}

pub(super) fn register(
    shared: &Arc<Shared>,
    names: Vec<Name>,
) -> Result<Registration, NameConflict> {
    let registry = &shared.registry().names;
    let mut known = registry.lock().unwrap_or_else(PoisonError::into_inner);
    for new in &names {
        if let Some((_, old)) = known.list.iter().find(|(_, old)| old.conflicts(new)) {
            return Err(NameConflict {
                old: *old,
                new: *new,
            });
        }
    }
    known.registrations += 1;
    let number = known.registrations;
    known
        .list
        .extend(names.into_iter().map(|name| (number, name)));
    drop(known);
    Ok(Registration {
        shared: Arc::clone(shared),
        number,
    })
}

impl Drop for Registration {
    fn drop(&mut self) {
        let registry = &self.shared.registry().names;
        let mut known = registry.lock().unwrap_or_else(PoisonError::into_inner);
        known.list.retain(|(number, _)| *number != self.number);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Registration").field(&self.number).finish()
    }
}

/// That a worker runs on a bus; until it is dropped no other of that name does.
pub(crate) struct Runs {
    shared: Arc<Shared>,
    worker: WorkerName,
}

/// `None`: it runs already.
pub(super) fn run(shared: &Arc<Shared>, worker: WorkerName) -> Option<Runs> {
    let mut running = running(shared);
    if running.contains(&worker) {
        return None;
    }
    running.push(worker);
    drop(running);
    Some(Runs {
        shared: Arc::clone(shared),
        worker,
    })
}

fn running(shared: &Shared) -> MutexGuard<'_, Vec<WorkerName>> {
    let workers = &shared.registry().workers;
    workers.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Runs {
    fn drop(&mut self) {
        running(&self.shared).retain(|worker| *worker != self.worker);
    }
}

/// Two tables on one bus give one id different meanings.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct NameConflict {
    /// What the id means to who was attached before.
    pub old: Name,
    /// What it means to who wanted to attach.
    pub new: Name,
}

impl fmt::Display for NameConflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { old, new } = self;
        let kind = match new.kind {
            IdKind::Message => "message",
            IdKind::Source => "source",
        };
        write!(
            f,
            "the {kind} id {} is `{}` in `{}`",
            new.id, new.name, new.owner
        )?;
        if new.name == old.name {
            write!(
                f,
                " with the layout {:016x}, and in `{}`, which is on this bus already, with the layout {:016x}: \
                 build both from the same definition",
                new.layout, old.owner, old.layout
            )
        } else {
            write!(
                f,
                ", and `{}` in `{}`, which is on this bus already: give one of them another id, or use two buses",
                old.name, old.owner
            )
        }
    }
}

in_words!(NameConflict);

impl core::error::Error for NameConflict {}

#[cfg(test)]
mod tests {
    use super::super::{Bus, BusConfig};
    use super::*;

    fn name(kind: IdKind, id: u16, name: &'static str, layout: u64, owner: &'static str) -> Name {
        Name {
            kind,
            id,
            name,
            layout,
            owner,
        }
    }

    #[test]
    fn refuses_a_second_meaning_until_the_first_has_gone() {
        let bus = Bus::new(BusConfig::bytes(4096)).unwrap();
        let ball = name(IdKind::Message, 1, "Ball", 7, "Game");
        let first = bus.register(vec![ball]).unwrap();
        drop(bus.register(vec![ball]).unwrap());

        let other = name(IdKind::Message, 1, "Quote", 0, "Market");
        let conflict = bus.clone().register(vec![other]).unwrap_err();
        assert_eq!((conflict.old, conflict.new), (ball, other));
        assert_eq!(
            conflict.to_string(),
            "the message id 1 is `Quote` in `Market`, and `Ball` in `Game`, which is on this bus already: \
             give one of them another id, or use two buses"
        );
        let relaid = name(IdKind::Message, 1, "Ball", 8, "Market");
        assert_eq!(
            bus.register(vec![relaid]).unwrap_err().to_string(),
            "the message id 1 is `Ball` in `Market` with the layout 0000000000000008, and in `Game`, which is on \
             this bus already, with the layout 0000000000000007: build both from the same definition"
        );
        bus.register(vec![name(IdKind::Source, 1, "Quote", 0, "Market")])
            .unwrap();
        drop(first);
        bus.register(vec![other]).unwrap();
    }
}
