//! Where processes are killed, and who is killed next.

use std::time::Duration;

use crate::kit::Rng;
use crate::victim::{How, Storage};

/// A point, and the highest hit that is tried of it.
pub(crate) type Point = (&'static str, u64);

/// When a victim dies.
#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// At this point, when it comes there for so many times.
    At(&'static str, u64),
    /// At any moment.
    AtRandom,
}

/// A point of these, and at which hit of it; early ones more often than late ones.
pub(crate) fn chosen(points: &[Point], rng: &mut Rng) -> When {
    let (point, most) = rng.pick(points);
    hit(point, most, rng)
}

fn hit(point: &'static str, most: u64, rng: &mut Rng) -> When {
    let time = 1 + rng.below(most);
    When::At(point, 1 + rng.below(time))
}

/// Points of which each is tried until enough were killed there.
pub(crate) struct Tries {
    each: u64,
    all: Vec<Try>,
}

struct Try {
    point: Point,
    killed: u64,
    in_vain: u64,
    under_way: u64,
}

impl Try {
    /// When the next one dies, and how long it is given.
    fn begin(&mut self, rng: &mut Rng, patience: Duration) -> (When, Duration) {
        self.under_way += 1;
        let (point, most) = self.point;
        let when = hit(point, (most >> self.in_vain.min(63)).max(1), rng);
        (when, patience + patience * self.in_vain as u32 / 8)
    }
}

/// So many may miss a point before it is taken for one to which nobody comes.
const IN_VAIN: u64 = 200;

impl Tries {
    pub(crate) fn new(points: Vec<Point>, each: u64) -> Self {
        let try_of = |point| Try {
            point,
            killed: 0,
            in_vain: 0,
            under_way: 0,
        };
        let all = points.into_iter().map(try_of).collect();
        Self { each, all }
    }

    fn wants(&self, it: &Try) -> bool {
        it.killed < self.each && it.in_vain < IN_VAIN
    }

    /// Whether each has had enough, or is given up.
    pub(crate) fn is_done(&self) -> bool {
        !self.all.iter().any(|it| self.wants(it))
    }

    /// The point where the fewest were killed, of those that `may` be met now, and how long a victim is given to come there, of which the usual is
    /// `patience`. The more often it was missed the earlier a hit it is, and the longer the time, as on a busy machine.
    pub(crate) fn next(
        &mut self,
        rng: &mut Rng,
        patience: Duration,
        may: impl Fn(&str) -> bool,
    ) -> Option<(When, Duration)> {
        let each = self.each;
        let wanted = (0..self.all.len()).filter(|&index| {
            let it = &self.all[index];
            self.wants(it) && it.killed + it.under_way < each && may(it.point.0)
        });
        let rank = |&index: &usize| {
            let it = &self.all[index];
            (it.killed + it.under_way, it.in_vain)
        };
        let index = wanted.min_by_key(rank)?;
        Some(self.all[index].begin(rng, patience))
    }

    /// The same of a point that may have had enough.
    pub(crate) fn again(
        &mut self,
        point: &str,
        rng: &mut Rng,
        patience: Duration,
    ) -> (When, Duration) {
        self.of(point).begin(rng, patience)
    }

    fn of(&mut self, point: &str) -> &mut Try {
        let it = self.all.iter_mut().find(|it| it.point.0 == point);
        it.expect("one of these points")
    }

    /// One of whom was told here has died: there, in vain, or of something else.
    pub(crate) fn died(&mut self, point: &str, how: How) {
        let it = self.of(point);
        it.under_way -= 1;
        match how {
            How::At(_) => it.killed += 1,
            How::InVain => it.in_vain += 1,
            How::AtRandom => {}
        }
    }

    /// Sees to it that somebody was killed at each.
    pub(crate) fn check(&self) {
        let missed = self.all.iter().filter(|it| it.killed == 0);
        let missed: Vec<_> = missed.map(|it| it.point.0).collect();
        assert!(missed.is_empty(), "nobody was killed at {missed:?}");
    }
}

/// The points of one who publishes, reads, comes and leaves.
pub(crate) fn living(storage: Storage) -> Vec<Point> {
    let more: [&[Point]; 2] = match storage {
        Storage::Ring => [&SCHEMA, &[]],
        Storage::Bounded => [&JOURNAL, &REMOVING],
        // It retains all.
        Storage::Whole => [&JOURNAL, &[]],
    };
    POINTS.iter().chain(more.concat().iter()).copied().collect()
}

/// The points of one who makes a bus, or is alone on it, or leaves it as the last.
pub(crate) fn alone(storage: Storage) -> Vec<Point> {
    let more: [&[Point]; 2] = match storage {
        Storage::Ring => [&STALE, &[]],
        Storage::Bounded => [&OPENING, &[]],
        Storage::Whole => [&OPENING, &GROWING],
    };
    ALONE.iter().chain(more.concat().iter()).copied().collect()
}

/// Every store to shared memory.
const POINTS: [Point; 42] = [
    // A claim.
    ("length_said", 300),
    ("intent", 300),
    ("claimed", 300),
    ("owned", 300),
    ("marked", 100),
    ("header_written", 300),
    // In the middle of a payload; the victim's own point.
    ("half_filled", 60),
    // A commit, or an abort.
    ("abort_counted", 20),
    ("finished", 300),
    ("settled", 300),
    // Room.
    ("pinned", 20),
    ("unpinned", 20),
    ("floor_raised", 20),
    ("limit_raised", 20),
    // Readers.
    ("slot_counted", 20),
    ("slot_taken", 20),
    ("slot_owned", 20),
    ("slot_timed", 20),
    ("slot_turned", 20),
    ("joined", 10),
    ("advanced", 200),
    ("withdrawn", 3),
    ("left", 20),
    ("lag_counted", 5),
    ("batch_begun", 40),
    ("rested", 40),
    ("evicted", 2),
    ("eviction_counted", 2),
    ("joining_again", 2),
    // Processes.
    ("text_written", 6),
    ("name_said", 3),
    ("process_said", 3),
    ("entered", 3),
    ("place_taken", 3),
    ("place_left", 2),
    // Sleep and wake.
    ("enrolled", 3),
    ("fenced", 3),
    ("announced", 10),
    ("epoch_bumped", 20),
    ("woken", 10),
    ("flags_lowered", 10),
    ("bell_rung", 1),
];

/// Those that only a ring has, whose file says what ids mean.
const SCHEMA: [Point; 2] = [("schema_written", 1), ("schema_switched", 1)];

/// The stores of one who settles what another, dead before it, has left.
pub(crate) const SETTLING: [Point; 11] = [
    ("settling", 1),
    ("hole_meta", 1),
    ("hole_stamped", 1),
    ("hole_counted", 1),
    ("hole_settled", 2),
    ("slot_withdrawn", 4),
    ("slot_freed", 4),
    ("settled_all", 1),
    ("place_settled", 1),
    ("before_rouse", 1),
    ("fenced_again", 1),
];

/// The stores of one who makes a bus, or is alone on it, or leaves it as the last.
const ALONE: [Point; 9] = [
    ("before_link", 1),
    ("linked", 1),
    ("removal_said", 1),
    ("unfenced", 2),
    ("stale_seat_freed", 4),
    ("stale_seat_cleared", 4),
    ("stale_place_settled", 2),
    // Of a poor one: see `Plan::is_poor`.
    ("always_fenced", 1),
    ("deafness_said", 1),
];

/// Those of one who comes to a ring that all before it have left by dying.
const STALE: [Point; 7] = [
    ("hole_meta", 1),
    ("hole_stamped", 1),
    ("hole_counted", 1),
    ("hole_settled", 2),
    ("slot_withdrawn", 4),
    ("slot_freed", 4),
    ("fenced_again", 1),
];

/// Those of one who finishes what a dead one had claimed.
pub(crate) const HOLES: [&str; 6] = [
    "hole_meta",
    "hole_stamped",
    "hole_counted",
    "hole_settled",
    "hole_measured",
    "hole_mended",
];

/// Those of one who gives a bus's file its name, or takes it.
pub(crate) const NAMING: [&str; 3] = ["before_link", "linked", "removal_said"];

/// Those of one to whom the kernel refuses what it does for others.
pub(crate) const POOR: [&str; 2] = ["always_fenced", "deafness_said"];

/// The stores of one who gives up segments.
const REMOVING: [Point; 4] = [
    ("floor_retired", 5),
    ("given_up", 3),
    ("segment_removed", 3),
    ("removal_known", 3),
];

/// The stores, and the changes of files, of one who sees to a journal.
const JOURNAL: [Point; 20] = [
    ("duty_taken", 20),
    ("duty_given_back", 2),
    ("duty_put_off", 10),
    ("segment_made", 2),
    ("segment_named", 2),
    ("grown", 2),
    ("finished_known", 10),
    ("finished_checked", 10),
    ("noting", 5),
    ("noted", 5),
    ("timed_to", 5),
    ("synced_noted", 5),
    ("synced_checked", 5),
    ("flushing", 5),
    ("flushed", 5),
    ("flush_counted", 5),
    ("synced_to", 5),
    ("schema_made", 1),
    ("schema_named", 1),
    ("filled", 300),
];

/// Those that only a journal has that is not bounded, and flushes nothing unless asked to.
const GROWING: [Point; 3] = [("limit_grown", 3), ("syncs_begun", 1), ("names_flushed", 1)];

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
