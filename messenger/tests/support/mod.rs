//! What the tests of the runtime share.

mod until;

use messenger::bus::{Bus, BusConfig};

/// A bus of `bytes`.
pub(crate) fn bus(bytes: usize) -> Bus {
    Bus::new(BusConfig::bytes(bytes)).unwrap()
}

/// Waits until `there` says so: the line that calls this says what for.
#[track_caller]
pub(crate) fn until(there: impl FnMut() -> bool) {
    until::until("what this line says", there);
}
