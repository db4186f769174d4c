//! What the tests of the runtime share.

use messenger::bus::{Bus, BusConfig};

/// A bus of `bytes`.
pub(crate) fn bus(bytes: usize) -> Bus {
    Bus::new(BusConfig::bytes(bytes)).unwrap()
}

/// Waits until `there` says so.
pub(crate) fn until(mut there: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !there() {
        assert!(
            begun.elapsed().as_secs() < 60,
            "waited for a minute in vain"
        );
        std::thread::yield_now();
    }
}
