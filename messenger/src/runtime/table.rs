//! The routing table: from what a record's header says to a dense index, in two loads.

use super::describe::Route;
use crate::bus::Tag;

/// How many slots a [`RouteTable`] of `routes` routes needs.
#[must_use]
pub const fn route_slots(routes: usize) -> usize {
    let slots = (routes + routes / 4 + 1).next_power_of_two();
    if slots < 2 { 2 } else { slots }
}

/// How many buckets a [`RouteTable`] of `routes` routes needs.
#[must_use]
pub const fn route_buckets(routes: usize) -> usize {
    let buckets = (routes / 2 + 1).next_power_of_two();
    if buckets < 2 { 2 } else { buckets }
}

/// Which of a worker's routes a record takes, if any.
///
/// A perfect hash of (source, message), made while the program is compiled: a multiplication, the
/// displacement of the key's bucket, and one slot to compare with (hash and displace). A record that is
/// for another worker costs the same two loads and one comparison.
#[derive(Debug)]
pub struct RouteTable<const SLOTS: usize, const BUCKETS: usize> {
    multiplier: u64,
    /// By how much the slots of a bucket's keys are moved.
    displacement: [u16; BUCKETS],
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    key: u32,
    route: u32,
}

/// The golden ratio's fraction: each attempt multiplies by another odd power of it.
const MULTIPLIER: u64 = 0x9E37_79B9_7F4A_7C15;
/// No key, in the lists of a bucket.
const END: u16 = u16::MAX;

const fn key(tag: Tag) -> u32 {
    (tag.source.get() as u32) << 16 | tag.message.get() as u32
}

impl<const SLOTS: usize, const BUCKETS: usize> RouteTable<SLOTS, BUCKETS> {
    /// Makes the table of `routes`. Of two routes for the same records, the first counts.
    ///
    /// # Panics
    ///
    /// If `SLOTS` and `BUCKETS` are not those of [`route_slots`] and [`route_buckets`].
    #[must_use]
    pub const fn new(routes: &[Route]) -> Self {
        assert!(
            SLOTS == route_slots(routes.len()) && BUCKETS == route_buckets(routes.len()),
            "the size of a route table comes from `route_slots` and `route_buckets`"
        );
        assert!(SLOTS <= 1 << 16, "a worker takes at most 52,000 routes");
        let mut multiplier = MULTIPLIER;
        loop {
            if let Some(table) = Self::attempt(routes, multiplier) {
                return table;
            }
            // Squared, an odd number stays odd and goes on: 2^61 numbers to try, of which two or three do.
            multiplier = multiplier.wrapping_mul(MULTIPLIER);
        }
    }

    const fn bucket(multiplier: u64, key: u32) -> usize {
        ((key as u64).wrapping_mul(multiplier) >> (64 - BUCKETS.trailing_zeros())) as usize
    }

    const fn base(multiplier: u64, key: u32) -> usize {
        ((key as u64).wrapping_mul(multiplier) >> 24) as usize & (SLOTS - 1)
    }

    /// Lists the keys of each bucket: the first of each, and who follows whom.
    const fn buckets(routes: &[Route], multiplier: u64) -> ([u16; BUCKETS], [u16; SLOTS]) {
        let mut first = [END; BUCKETS];
        let mut next = [END; SLOTS];
        let mut i = 0;
        'routes: while i < routes.len() {
            let key_of_i = key(routes[i].tag());
            let bucket = Self::bucket(multiplier, key_of_i);
            let mut last = END;
            let mut at = first[bucket];
            while at != END {
                if key(routes[at as usize].tag()) == key_of_i {
                    i += 1;
                    continue 'routes;
                }
                last = at;
                at = next[at as usize];
            }
            if last == END {
                first[bucket] = i as u16;
            } else {
                next[last as usize] = i as u16;
            }
            i += 1;
        }
        (first, next)
    }

    /// Places the buckets, the longest first, each where all its keys find free slots.
    const fn attempt(routes: &[Route], multiplier: u64) -> Option<Self> {
        const FREE: u32 = u32::MAX;
        let (first, next) = Self::buckets(routes, multiplier);
        let mut table = Self {
            multiplier,
            displacement: [0; BUCKETS],
            slots: [Slot {
                key: 0,
                route: FREE,
            }; SLOTS],
        };
        let mut lengths = [0_u16; BUCKETS];
        let mut length = 0;
        let mut bucket = 0;
        while bucket < BUCKETS {
            let mut at = first[bucket];
            while at != END {
                lengths[bucket] += 1;
                at = next[at as usize];
            }
            if lengths[bucket] > length {
                length = lengths[bucket];
            }
            bucket += 1;
        }
        while length > 0 {
            bucket = 0;
            while bucket < BUCKETS {
                if lengths[bucket] == length
                    && !table.place(routes, bucket, first[bucket], &next, FREE)
                {
                    return None;
                }
                bucket += 1;
            }
            length -= 1;
        }
        table.fill(FREE);
        Some(table)
    }

    const fn place(
        &mut self,
        routes: &[Route],
        bucket: usize,
        first: u16,
        next: &[u16; SLOTS],
        free: u32,
    ) -> bool {
        let mut displacement = 0;
        'displacements: while displacement < SLOTS {
            let mut at = first;
            while at != END {
                let key = key(routes[at as usize].tag());
                let slot = (Self::base(self.multiplier, key) + displacement) & (SLOTS - 1);
                if self.slots[slot].route != free {
                    // Take back what this bucket has placed, and try one further on.
                    let mut placed = first;
                    while placed != at {
                        let key = self::key(routes[placed as usize].tag());
                        let slot = (Self::base(self.multiplier, key) + displacement) & (SLOTS - 1);
                        self.slots[slot].route = free;
                        placed = next[placed as usize];
                    }
                    displacement += 1;
                    continue 'displacements;
                }
                self.slots[slot] = Slot {
                    key,
                    route: at as u32,
                };
                at = next[at as usize];
            }
            self.displacement[bucket] = displacement as u16;
            return true;
        }
        false
    }

    /// Puts into each free slot a key that is never looked for there, so that one comparison decides.
    const fn fill(&mut self, free: u32) {
        let zero = self.slot_of(0);
        let mut other = 1;
        while self.slot_of(other) == zero {
            other += 1;
        }
        let mut slot = 0;
        while slot < SLOTS {
            if self.slots[slot].route == free {
                self.slots[slot].key = if slot == zero { other } else { 0 };
            }
            slot += 1;
        }
    }

    #[inline]
    const fn slot_of(&self, key: u32) -> usize {
        let displacement = self.displacement[Self::bucket(self.multiplier, key)] as usize;
        (Self::base(self.multiplier, key) + displacement) & (SLOTS - 1)
    }

    /// The index of the route which records with this header take.
    #[inline]
    #[must_use]
    pub const fn find(&self, tag: Tag) -> Option<usize> {
        let key = key(tag);
        let slot = self.slots[self.slot_of(key)];
        if slot.key == key {
            Some(slot.route as usize)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{MessageId, SourceId};
    use crate::message::{MessageInfo, Schema};

    const fn tag(source: u16, message: u16) -> Tag {
        Tag::new(SourceId::new(source), MessageId::new(message))
    }

    fn routes(tags: &[Tag]) -> Vec<Route> {
        tags.iter()
            .map(|&tag| Route {
                source: tag.source,
                source_name: "S",
                message: MessageInfo {
                    id: tag.message,
                    name: "M",
                    schema: Schema::UNKNOWN,
                },
                receivers: &[],
            })
            .collect()
    }

    fn holds<const S: usize, const B: usize>(tags: &[Tag]) {
        let table = RouteTable::<S, B>::new(&routes(tags));
        for (index, &tag) in tags.iter().enumerate() {
            assert_eq!(table.find(tag), Some(index), "{tag:?}");
        }
        let others = if cfg!(miri) { 300 } else { 70_000 };
        for i in 0..others {
            let stranger = tag((i % 257) as u16, (i / 257) as u16);
            if !tags.contains(&stranger) {
                assert_eq!(table.find(stranger), None, "{stranger:?}");
            }
        }
    }

    #[test]
    fn finds_each_route_and_nothing_else() {
        holds::<2, 2>(&[]);
        holds::<{ route_slots(1) }, { route_buckets(1) }>(&[tag(0, 0)]);
        holds::<{ route_slots(1) }, { route_buckets(1) }>(&[tag(0xFFFF, 0xFFFF)]);
        holds::<{ route_slots(3) }, { route_buckets(3) }>(&[tag(1, 1), tag(1, 2), tag(2, 1)]);
        let grid: Vec<Tag> = (0..64).map(|i| tag(i / 8 * 1000, i % 8)).collect();
        holds::<{ route_slots(64) }, { route_buckets(64) }>(&grid);
    }

    #[test]
    fn finds_a_thousand_routes() {
        const N: usize = if cfg!(miri) { 100 } else { 1000 };
        let dense: Vec<Tag> = (0..N as u16).map(|i| tag(i / 64, i % 64)).collect();
        holds::<{ route_slots(N) }, { route_buckets(N) }>(&dense);
        let wide: Vec<Tag> = (0..N as u16).map(|i| tag(i, i)).collect();
        holds::<{ route_slots(N) }, { route_buckets(N) }>(&wide);
    }

    #[test]
    fn the_first_of_two_routes_counts() {
        let table = RouteTable::<{ route_slots(2) }, { route_buckets(2) }>::new(&routes(&[
            tag(1, 2),
            tag(1, 2),
        ]));
        assert_eq!(table.find(tag(1, 2)), Some(0));
    }
}
