//! Where processes are killed.

use crate::kit::Rng;

/// A point of these, and at which hit of it; early ones more often than late ones.
pub(crate) fn chosen(points: &[(&'static str, u64)], rng: &mut Rng) -> (&'static str, u64) {
    let (point, most) = rng.pick(points);
    let time = 1 + rng.below(most);
    (point, 1 + rng.below(time))
}

/// Every store to shared memory of one who publishes, reads, comes and leaves, and the highest hit that is tried of it.
pub(crate) const POINTS: [(&str, u64); 26] = [
    // A claim.
    ("intent", 300),
    ("claimed", 300),
    ("owned", 300),
    // In the middle of a payload; the victim's own point.
    ("half_filled", 60),
    // A commit, or an abort.
    ("abort_counted", 20),
    ("finished", 300),
    ("settled", 300),
    // Room.
    ("pinned", 20),
    ("floor_raised", 20),
    ("limit_raised", 20),
    // Readers.
    ("advanced", 200),
    ("slot_taken", 20),
    ("joined", 10),
    ("left", 20),
    ("batch_begun", 40),
    ("rested", 40),
    ("evicted", 2),
    ("joining_again", 2),
    // Processes.
    ("entered", 3),
    ("place_taken", 3),
    ("place_left", 2),
    ("schema_written", 1),
    // Sleep and wake.
    ("announced", 10),
    ("epoch_bumped", 20),
    ("woken", 10),
    ("enrolled", 3),
];

/// The stores of one who settles what another, dead before it, has left.
pub(crate) const SETTLING: [(&str, u64); 8] = [
    ("settling", 1),
    ("hole_meta", 1),
    ("hole_stamped", 1),
    ("hole_settled", 2),
    ("slot_withdrawn", 4),
    ("slot_freed", 4),
    ("settled_all", 1),
    ("before_rouse", 1),
];

/// The stores of one who makes a bus, or is alone on it, or leaves it as the last.
pub(crate) const ALONE: [(&str, u64); 4] = [
    ("before_link", 1),
    ("linked", 1),
    ("unfenced", 2),
    ("before_unlink", 1),
];
