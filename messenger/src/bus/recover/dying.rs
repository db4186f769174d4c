//! For tests and models: a publisher that gets as far as some step, and no further.

use crate::bus::Tag;
use crate::bus::layout::{HEADER, State};
use crate::bus::ring::{Memory, MoveTail, Ring};
use crate::sync::AtomicU64;
use crate::sync::Ordering::{self, Relaxed};

/// How far a publisher has come when it dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::bus) enum Step {
    /// It has said what it tries to claim.
    Tried,
    /// It has moved the tail, or has not been let.
    Moved,
    /// It has said whether it was let.
    Known,
    /// It has committed the first of two records.
    Half,
    /// It has committed all, and not said so.
    Finished,
}

pub(in crate::bus) const STEPS: [Step; 5] = [
    Step::Tried,
    Step::Moved,
    Step::Known,
    Step::Half,
    Step::Finished,
];

/// How all publishers of these tests move the tail.
struct ByCas;

impl MoveTail for ByCas {
    fn move_tail(tail: &AtomicU64, from: u64, to: u64, ordering: Ordering) -> Result<(), u64> {
        tail.compare_exchange(from, to, ordering, Relaxed)
            .map(|_| ())
    }
}

/// A run that a publisher is about to claim from `tail` on, where it has seen the tail.
#[derive(Clone, Copy)]
pub(in crate::bus) struct Run {
    pub(in crate::bus) slot: usize,
    pub(in crate::bus) tail: u64,
    pub(in crate::bus) bytes: u64,
}

/// The publisher in `run.slot` claims and fills a run as far as `last`: a record without payload, and if more bytes are left, another
/// one with all the rest. `fill` is called before each is committed. `Err`: it got nothing, since the tail is elsewhere, or as
/// far as it knows at its death.
pub(in crate::bus) fn publish_up_to<M: Memory>(
    bus: &Ring<M>,
    window: &M::Window,
    run: Run,
    tag: Tag,
    last: Step,
    fill: impl Fn(u64),
) -> Result<(), u64> {
    let Run { slot, tail, bytes } = run;
    let end = tail + bytes;
    if matches!(last, Step::Tried | Step::Moved) {
        // As far as it comes with what `claim_said` does.
        bus.try_intent(slot, tail, bytes);
        return match last {
            Step::Tried => Err(tail),
            _ => bus.take_announced::<ByCas>(tail, end),
        };
    }
    let moved = bus.claim_said::<ByCas>(slot, tail, end);
    if last == Step::Known || moved.is_err() {
        return moved;
    }
    let publish = |position, len| {
        bus.write_meta(window, position, tag, len);
        fill(position);
        bus.finish(window, position, State::Committed, 0);
    };
    publish(tail, 0);
    if bytes > HEADER && last == Step::Finished {
        publish(tail + HEADER, (bytes - 2 * HEADER) as u32);
    }
    Ok(())
}
