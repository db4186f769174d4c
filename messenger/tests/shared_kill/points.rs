//! Where processes are killed.

use crate::kit::Rng;
use crate::victim::Storage;

/// A point of these, and at which hit of it; early ones more often than late ones.
pub(crate) fn chosen(points: &[(&'static str, u64)], rng: &mut Rng) -> (&'static str, u64) {
    let (point, most) = rng.pick(points);
    let time = 1 + rng.below(most);
    (point, 1 + rng.below(time))
}

/// A point, and the highest hit that is tried of it.
pub(crate) type Point = (&'static str, u64);

/// The points of one who publishes, reads, comes and leaves.
pub(crate) fn living(storage: Storage) -> Vec<Point> {
    let of_rings = |point: &&Point| !storage.is_journal() || point.0 != "schema_written";
    let more = match storage {
        Storage::Ring => &[][..],
        Storage::Bounded => &JOURNAL,
        // It retains all.
        Storage::Whole => &JOURNAL[REMOVING..],
    };
    POINTS
        .iter()
        .filter(of_rings)
        .chain(more)
        .copied()
        .collect()
}

/// The points of one who makes a bus, or is alone on it, or leaves it as the last.
pub(crate) fn alone(storage: Storage) -> Vec<Point> {
    let more = if storage.is_journal() {
        &OPENING[..]
    } else {
        &[]
    };
    ALONE.iter().chain(more).copied().collect()
}

/// Every store to shared memory, and the highest hit that is tried of it.
const POINTS: [(&str, u64); 26] = [
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
const ALONE: [(&str, u64); 4] = [
    ("before_link", 1),
    ("linked", 1),
    ("unfenced", 2),
    ("before_unlink", 1),
];

/// How many of the next are of one who gives up segments.
const REMOVING: usize = 2;
/// The stores, and the changes of files, of one who sees to a journal.
const JOURNAL: [Point; 14] = [
    ("given_up", 3),
    ("segment_removed", 3),
    ("segment_made", 2),
    ("segment_named", 2),
    ("grown", 2),
    ("finished_known", 10),
    ("noting", 5),
    ("synced_noted", 5),
    ("flushing", 5),
    ("flushed", 5),
    ("synced_to", 5),
    ("schema_made", 1),
    ("schema_named", 1),
    ("filled", 300),
];

/// Likewise, of one who opens it for all, or closes it.
const OPENING: [Point; 7] = [
    ("control_made", 1),
    ("control_superseded", 1),
    ("control_named", 1),
    ("hole_measured", 1),
    ("hole_mended", 1),
    ("sealed", 1),
    ("closed", 1),
];
