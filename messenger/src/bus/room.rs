//! Floor and limit: how room is found without asking the tail.
//!
//! `limit <= floor + capacity` holds for every floor that a joiner or a pin can still choose to
//! trust; see `docs/bus.md`, "Room".

use super::layout::{Gate, MARKS};
use super::order;
use super::ring::{Found, Memory, NoRoom, Ring, Room};
use crate::sync::{Ordering::Relaxed, fetch_max};

/// What a scan of the slots found.
struct Scan {
    /// Somebody is joining: nothing may be overwritten now.
    joining: bool,
    /// Somebody rests, and so may be evicted.
    resting: bool,
    /// The least position of a subscriber.
    subscriber: Option<u64>,
    /// The least position that a subscriber or a pin holds.
    held: Option<u64>,
}

impl<M: Memory> Ring<M> {
    /// Raises the publisher's limit to at least `end`.
    #[cold]
    pub(super) fn more_room(&self, room: &mut Room<M>, end: u64) -> Result<(), NoRoom> {
        // Edge 3, limit: another publisher's refresh may have made the room.
        room.limit = self.memory.control().limit.load(order::limit_load());
        // Edge 18, overwriting: the floor that came before the limit.
        order::overwrite_fence();
        if end <= room.limit {
            return Ok(());
        }
        // Before the refresh: what it gives for lack of room is then no fault of the readers.
        let grown = self.memory.grown(end);
        self.refresh(room, end);
        // Edge 18, overwriting: likewise, if it found another's limit.
        order::overwrite_fence();
        if end <= room.limit {
            Ok(())
        } else if grown >= end {
            Err(NoRoom::Yet)
        } else {
            let trouble = self.memory.trouble();
            Err(trouble.map_or(NoRoom::Growing, NoRoom::Lost))
        }
    }

    fn refresh(&self, room: &mut Room<M>, end: u64) {
        let control = self.memory.control();
        // Asked first, so that what has grown is there for whoever sees the limit: edge 3.
        let grown = self.memory.grown(end);
        let wanted = end.saturating_sub(self.capacity());
        if wanted == 0 {
            // Nobody has to make room yet: there is as much as the bus has grown.
            let limit = grown.min(self.capacity());
            fetch_max(&control.limit, limit, order::limit_store());
            fault!("limit_grown");
            room.limit = control.limit.load(order::limit_load());
            return;
        }
        let finished = loop {
            let scan = self.scan();
            if scan.joining {
                return;
            }
            let finished = match scan.subscriber {
                Some(least) => self.boundary(wanted, least),
                None => self.walk(room, wanted),
            };
            if finished >= wanted {
                break finished;
            }
            // Not enough: the looks of one who waits shall not disturb those it waits for.
            if !scan.resting || !self.evict_overdue(room, wanted) {
                return;
            }
        };
        // Edge 5, floor.
        fetch_max(&control.floor, finished, order::floor_store());
        fault!("floor_raised");
        // Edges 8 and 11: whoever the scan below misses sees the floor just raised.
        order::refresh_fence();
        let scan = self.scan();
        if scan.joining {
            return;
        }
        let least = scan.held.map_or(finished, |held| held.min(finished));
        // Edge 3, limit: all who read before `least` did so before this.
        let limit = grown.min(least.saturating_add(self.capacity()));
        let before = fetch_max(&control.limit, limit, order::limit_store());
        fault!("limit_raised");
        // What another refresher's limit certifies is only ours after its edge 3.
        room.limit = room.limit.max(limit);
        if before > limit {
            room.limit = control.limit.load(order::limit_load());
        }
    }

    /// Gives up what lies before `wanted` on a bus that grows, as far as all have read: raises the floor to the end of
    /// a lap. Gives a position before which nobody may look at anything any more; 0 if that is not known now.
    /// `wanted` is at most a position up to which all is finished.
    #[cfg(any(all(test, loom), all(not(loom), feature = "journal")))]
    pub(crate) fn retire(&self, wanted: u64) -> u64 {
        let control = self.memory.control();
        let scan = self.scan();
        if scan.joining {
            return 0;
        }
        let read = scan.subscriber.map_or(wanted, |least| wanted.min(least));
        let floor = read & !(self.lap() - 1);
        // Edge 5, floor.
        let before = fetch_max(&control.floor, floor, order::floor_store());
        fault!("floor_retired");
        // Edge 14, retire: whoever the scan below misses sees the floor just raised, as in `refresh`.
        order::retire_fence();
        let scan = self.scan();
        if scan.joining {
            // It may have seen the floor of before any refresh, and so need what lies before that of now.
            return 0;
        }
        let floor = floor.max(before);
        scan.held.map_or(floor, |held| held.min(floor))
    }

    /// The least position of a subscriber, if there is one.
    #[cfg(all(not(loom), feature = "journal"))]
    pub(crate) fn least_subscriber(&self) -> Option<u64> {
        self.scan().subscriber
    }

    fn scan(&self) -> Scan {
        let mut scan = Scan {
            joining: false,
            resting: false,
            subscriber: None,
            held: None,
        };
        let least = |seen: Option<u64>, p: u64| Some(seen.map_or(p, |q: u64| q.min(p)));
        let used = self.memory.control().slots_used.load(Relaxed) as usize;
        for slot in self.memory.slots().iter().take(used) {
            // Edges 2, 6, 9, 10, 19: the member's reads come before what we allow.
            let gate = Gate::of(slot.gate.load(order::scan_load()));
            match gate {
                Gate::Free | Gate::Idle(_) | Gate::Evicted(_) => {}
                Gate::Joining(_) => scan.joining = true,
                Gate::Subscriber(p) | Gate::Resting(p) => {
                    scan.resting |= gate == Gate::Resting(p);
                    scan.subscriber = least(scan.subscriber, p);
                    scan.held = least(scan.held, p);
                }
                Gate::Pinned(p) => scan.held = least(scan.held, p),
            }
        }
        scan
    }

    /// The least record boundary at or after `wanted` that a mark knows, or `read` itself, up to
    /// which all have read. Small steps keep what observers may still want.
    ///
    /// A mark's value is always a record boundary, once a claim's end, so it needs no ordering:
    /// if it lies between `wanted` and `read`, it is a place where the floor may stand.
    fn boundary(&self, wanted: u64, read: u64) -> u64 {
        let step = wanted.div_ceil(self.step());
        let mark = self.memory.control().marks[step as usize % MARKS].load(Relaxed);
        if mark >= wanted && mark < read {
            mark
        } else {
            read
        }
    }

    /// The first record boundary in the step after that of `position`, if a claim has reached it:
    /// so much has been claimed at least.
    #[cfg(not(loom))]
    pub(crate) fn mark_after(&self, position: u64) -> Option<u64> {
        let step = position / self.step() + 1;
        let mark = self.memory.control().marks[step as usize % MARKS].load(Relaxed);
        (mark > position).then_some(mark)
    }

    /// With no subscriber, the floor may only move over finished records: walks them from the
    /// floor, under a pin, to the first boundary at or after `wanted` that ends a step, or to
    /// the first unfinished one.
    #[cold]
    fn walk(&self, room: &mut Room<M>, wanted: u64) -> u64 {
        let (slot, window) = (room.slot, &mut room.window);
        let goal = wanted.next_multiple_of(self.step());
        let pinned = self.pin_at_floor(slot);
        let mut position = pinned;
        while position < goal {
            // Edge 4: what is certified here was finished before.
            match self.look_with(window, position, order::walk_load()) {
                Ok(Found::Record { next, .. } | Found::Skip { next }) => position = next,
                Ok(Found::Nothing) | Err(_) => break,
            }
        }
        self.unpin_at(slot, pinned);
        position
    }
}
