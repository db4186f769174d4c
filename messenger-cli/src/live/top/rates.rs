//! How fast buses and workers get on, by two looks.

use std::collections::HashMap;
use std::time::Instant;

use super::super::view::BusView;

/// How far they had got at the last looks.
#[derive(Default)]
pub(super) struct Rates {
    last: Option<Seen>,
    before: Option<Seen>,
}

struct Seen {
    at: Instant,
    /// By a bus's file and when it was made: another of the same name is another. Its tail, and its workers by name.
    buses: HashMap<(String, String), (u64, HashMap<String, u64>)>,
}

impl Rates {
    /// Takes another look.
    pub(super) fn look(&mut self, at: Instant, buses: &[BusView]) {
        let mut seen = Seen {
            at,
            buses: HashMap::new(),
        };
        for bus in buses {
            let (Some(key), Some(look)) = (key(bus), &bus.bus) else {
                continue;
            };
            let workers = look.workers.iter();
            let workers = workers.filter_map(|w| Some((w.name.clone(), w.position?)));
            seen.buses.insert(key, (look.tail, workers.collect()));
        }
        self.before = self.last.replace(seen);
    }

    /// The bytes in a second that are published on a bus, headers included. `None`: it was looked at only once.
    pub(super) fn bytes(&self, bus: &BusView) -> Option<f64> {
        self.rate(bus, |(tail, _)| Some(*tail))
    }

    /// The records in a second, about.
    pub(super) fn records(&self, bus: &BusView) -> Option<f64> {
        let bytes = self.bytes(bus)?;
        match bus.bus.as_ref()?.mean {
            Some(mean) => Some(bytes / mean),
            None => (bytes == 0.0).then_some(0.0),
        }
    }

    /// The bytes in a second that a worker handles or steps over.
    pub(super) fn worker(&self, bus: &BusView, worker: &str) -> Option<f64> {
        self.rate(bus, |(_, workers)| workers.get(worker).copied())
    }

    fn rate(
        &self,
        bus: &BusView,
        position: impl Fn(&(u64, HashMap<String, u64>)) -> Option<u64>,
    ) -> Option<f64> {
        let key = key(bus)?;
        let (last, before) = (self.last.as_ref()?, self.before.as_ref()?);
        let now = position(last.buses.get(&key)?)?;
        let then = position(before.buses.get(&key)?)?;
        let time = last.at.duration_since(before.at).as_secs_f64();
        // A worker that is told to begin anew goes back.
        (time > 0.0).then(|| now.saturating_sub(then) as f64 / time)
    }
}

fn key(bus: &BusView) -> Option<(String, String)> {
    Some((bus.path.clone(), bus.bus.as_ref()?.created.clone()))
}
