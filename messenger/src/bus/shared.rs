//! The memory of one bus in this process, and the protocol's way into it.

use core::mem::size_of;
use core::ptr::NonNull;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::layout::{Control, MIN_CAPACITY, Slot};
use super::park::{Bed, barrier};
use super::registry::Registry;
use super::ring::{Memory, Ring};
use super::wait::Event;
use super::{BusConfig, BusError};
use crate::memory::{MemoryError, REGION_ALIGN, Region};
use crate::sync::AtomicU64;

/// What all members of a bus in this process share.
pub(crate) struct Shared {
    /// Held for its drop: `View`s point into it.
    region: Region,
    data: Bed,
    room: Bed,
    registry: Registry,
}

impl Shared {
    pub(super) fn region(&self) -> &Region {
        &self.region
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }
}

/// The protocol's view of a region. Whoever holds one holds the `Arc` that keeps it alive.
#[derive(Clone)]
pub(crate) struct View {
    shared: Arc<Shared>,
    control: NonNull<Control>,
    slots: NonNull<[Slot]>,
    ring: NonNull<u8>,
    mask: u64,
}

// SAFETY: the pointers lead into the region that `shared` keeps alive; what lies there is either
// atomic or handed out by the protocol to one thread at a time (docs/bus.md).
unsafe impl Send for View {}
// SAFETY: as above.
unsafe impl Sync for View {}

pub(crate) type Core = Ring<View>;

/// Makes the memory of a fresh bus.
pub(super) fn create(config: &BusConfig) -> Result<Core, BusError> {
    let members = config.members;
    if !(2..=usize::from(u16::MAX)).contains(&members) {
        return Err(BusError::Members { members });
    }
    let too_long = || MemoryError::TooLong {
        bytes: config.bytes,
        max: 1 << (usize::BITS - 2),
    };
    if config.bytes == 0 {
        return Err(MemoryError::Empty.into());
    }
    let capacity = config
        .bytes
        .max(MIN_CAPACITY as usize)
        .checked_next_power_of_two()
        .filter(|&c| c <= 1 << (usize::BITS - 2))
        .ok_or_else(too_long)?;
    // Control, then the slots, then the ring on a page (and cache line) boundary.
    const {
        assert!(align_of::<Control>() <= REGION_ALIGN && align_of::<Slot>() <= REGION_ALIGN);
    }
    let slots_at = size_of::<Control>().next_multiple_of(align_of::<Slot>());
    let slots_end = slots_at + members * size_of::<Slot>();
    let ring_at = slots_end.next_multiple_of(capacity.min(4096));
    let region = Region::new(ring_at + capacity, config.region_options())?;
    let base = region.base();
    // SAFETY: `slots_at` and `ring_at` are less than the region's length.
    let (slots, ring) = unsafe { (base.add(slots_at), base.add(ring_at)) };
    let view = View {
        control: base.cast(),
        slots: NonNull::slice_from_raw_parts(slots.cast(), members),
        ring,
        mask: capacity as u64 - 1,
        shared: Arc::new(Shared {
            region,
            data: Bed::default(),
            room: Bed::default(),
            registry: Registry::default(),
        }),
    };
    let salt = RandomState::new().hash_one(base.as_ptr().addr());
    let asymmetric = barrier::available();
    Ok(Ring::init(view, capacity as u64, salt, asymmetric))
}

impl View {
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The byte at `position`. Valid for as long as the bus lives; for how many bytes, and for
    /// whom, is the protocol's affair.
    #[inline]
    pub(super) fn byte(&self, position: u64) -> NonNull<u8> {
        // SAFETY: masked, the offset is inside the ring.
        unsafe { self.ring.add((position & self.mask) as usize) }
    }

    #[inline]
    fn word(&self, position: u64) -> &AtomicU64 {
        debug_assert_eq!(position % 8, 0);
        // SAFETY: the ring is aligned to at least 16 and zeroed, `position` is a multiple of 8,
        // and the region lives as long as `self`. Record headers are only ever touched
        // atomically while a member may look at them: a position that somebody may look at is
        // never inside another record's payload (docs/bus.md, rule 3).
        unsafe { AtomicU64::from_ptr(self.byte(position).cast().as_ptr()) }
    }
}

impl Memory for View {
    #[inline]
    fn control(&self) -> &Control {
        // SAFETY: the region begins with a `Control`; zeroed memory is one, it is only made of
        // atomics, and the region lives as long as `self`.
        unsafe { self.control.as_ref() }
    }

    #[inline]
    fn slots(&self) -> &[Slot] {
        // SAFETY: as for `control`; `create` left room for so many slots.
        unsafe { self.slots.as_ref() }
    }

    #[inline]
    fn stamp(&self, position: u64) -> &AtomicU64 {
        self.word(position)
    }

    #[inline]
    fn meta(&self, position: u64) -> &AtomicU64 {
        self.word(position + 8)
    }

    fn bed(&self, event: Event) -> &Bed {
        match event {
            Event::Data => &self.shared.data,
            Event::Room => &self.shared.room,
        }
    }
}
