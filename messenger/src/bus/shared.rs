//! The memory of one bus in this process, and the protocol's way into it.

use core::ptr::NonNull;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::layout::{Control, MIN_CAPACITY, Slot};
use super::park::{Bed, barrier};
use super::registry::Registry;
use super::ring::{Memory, Ring};
use super::wait::Event;
use super::window::Window;
use super::{BusConfig, BusError, Lost};
use crate::memory::{MemoryError, REGION_ALIGN, Region};
use crate::sync::AtomicU64;

/// What all members of a bus in this process share.
pub(crate) struct Shared {
    /// Where the shared words are, and a ring's bytes. Held for its drop, too: `View`s point into it.
    region: Arc<Region>,
    /// Where the records are.
    bytes: Bytes,
    data: Bed,
    room: Bed,
    registry: Registry,
}

/// Where a bus's records lie.
enum Bytes {
    /// In a ring, behind the shared words.
    Ring { at: usize, capacity: u64 },
    /// In segments, which come and go.
    Segments(Box<dyn Segments>),
}

/// The segments of a bus that grows. Asked only where one segment ends and another begins, and by who finds no room.
pub(crate) trait Segments: Send + Sync {
    /// A window on the segment with the byte at `position`.
    fn window(&self, position: u64) -> Result<Window, Lost>;
    /// A window on any segment, so that a member has one.
    fn any_window(&self) -> Window;
    /// See [`Memory::grown`].
    fn grown(&self, end: u64) -> u64;
    /// See [`Memory::trouble`].
    fn trouble(&self) -> Option<Lost>;
    /// See [`Memory::shortcut`].
    fn shortcut(&self, floor: u64, start: u64) -> u64;
    /// Where the bus ended when this process opened it.
    fn opened_at(&self) -> u64;
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
    // The shared words, then the ring on a page (and cache line) boundary.
    let ring_at = words_len(members).next_multiple_of(capacity.min(4096));
    let region = Region::new(ring_at + capacity, config.region_options())?;
    let capacity = capacity as u64;
    let salt = RandomState::new().hash_one(region.base().as_ptr().addr());
    let bytes = Bytes::Ring {
        at: ring_at,
        capacity,
    };
    let view = View::new(Arc::new(region), 0, members, bytes);
    Ok(Ring::init(view, capacity, salt, barrier::available()))
}

/// The bytes that the shared words of a bus with so many member slots take: `Control`, then the slots.
pub(crate) const fn words_len(members: usize) -> usize {
    slots_at() + members * size_of::<Slot>()
}

const fn slots_at() -> usize {
    assert!(align_of::<Control>() <= REGION_ALIGN && align_of::<Slot>() <= REGION_ALIGN);
    size_of::<Control>().next_multiple_of(align_of::<Slot>())
}

/// A bus whose shared words lie `at` bytes into `region`, aligned, and whose records lie in segments of `lap` bytes.
/// Of the words, tail and floor have been set; all others are zero.
#[cfg(feature = "journal")]
pub(crate) fn over_segments(
    region: Arc<Region>,
    at: usize,
    members: usize,
    segments: Box<dyn Segments>,
    capacity: u64,
    lap: u64,
    salt: u64,
) -> Core {
    let view = View::new(region, at, members, Bytes::Segments(segments));
    Ring::kept(view, capacity, lap, salt, barrier::available())
}

/// The checksum of a record on a bus that is kept: CRC32C.
#[cfg(feature = "journal")]
#[inline]
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
}

/// Without the feature there is no such bus.
#[cfg(not(feature = "journal"))]
fn checksum(_: &[u8]) -> u32 {
    0
}

impl View {
    fn new(region: Arc<Region>, at: usize, members: usize, bytes: Bytes) -> Self {
        assert!(at % REGION_ALIGN == 0 && at + words_len(members) <= region.len());
        // SAFETY: both lie inside the region, as just checked.
        let (control, slots) = unsafe {
            let control = region.base().add(at);
            (control, control.add(slots_at()))
        };
        Self {
            control: control.cast(),
            slots: NonNull::slice_from_raw_parts(slots.cast(), members),
            shared: Arc::new(Shared {
                region,
                bytes,
                data: Bed::default(),
                room: Bed::default(),
                registry: Registry::default(),
            }),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Where a bus that is kept ended when this process opened it; 0 on a ring.
    pub(super) fn opened_at(&self) -> u64 {
        match &self.shared.bytes {
            Bytes::Ring { .. } => 0,
            Bytes::Segments(segments) => segments.opened_at(),
        }
    }

    #[cold]
    fn turn(&self, window: &mut Window, position: u64) -> Result<(), Lost> {
        if let Bytes::Segments(segments) = &self.shared.bytes {
            *window = segments.window(position)?;
        }
        Ok(())
    }
}

impl Memory for View {
    type Window = Window;

    #[inline]
    fn control(&self) -> &Control {
        // SAFETY: `new` left room for a `Control` there; zeroed memory is one, it is only made of
        // atomics, and the region lives as long as `self`.
        unsafe { self.control.as_ref() }
    }

    #[inline]
    fn slots(&self) -> &[Slot] {
        // SAFETY: as for `control`; `new` left room for so many slots.
        unsafe { self.slots.as_ref() }
    }

    fn bed(&self, event: Event) -> &Bed {
        match event {
            Event::Data => &self.shared.data,
            Event::Room => &self.shared.room,
        }
    }

    fn window(&self) -> Window {
        match &self.shared.bytes {
            Bytes::Ring { at, capacity } => {
                Window::ring(Arc::clone(&self.shared.region), *at, *capacity)
            }
            Bytes::Segments(segments) => segments.any_window(),
        }
    }

    #[inline]
    fn cover(&self, window: &mut Window, position: u64) -> Result<(), Lost> {
        if window.covers(position) {
            return Ok(());
        }
        self.turn(window, position)
    }

    #[inline]
    fn stamp<'a>(&'a self, window: &'a Window, position: u64) -> &'a AtomicU64 {
        window.word(position)
    }

    #[inline]
    fn meta<'a>(&'a self, window: &'a Window, position: u64) -> &'a AtomicU64 {
        window.word(position + 8)
    }

    #[inline]
    fn checksum(&self, window: &Window, position: u64, bytes: u64) -> u32 {
        if bytes == 0 {
            return 0;
        }
        let start = window.byte(position + 8);
        // SAFETY: the record at `position` is covered by the window and as long as this at least. The caller has
        // claimed it and written it, or has found it finished and holds it (docs/bus.md, rules 1 and 2).
        let covered = unsafe { core::slice::from_raw_parts(start.as_ptr(), bytes as usize) };
        checksum(covered)
    }

    fn grown(&self, end: u64) -> u64 {
        match &self.shared.bytes {
            Bytes::Ring { .. } => u64::MAX,
            Bytes::Segments(segments) => segments.grown(end),
        }
    }

    fn trouble(&self) -> Option<Lost> {
        match &self.shared.bytes {
            Bytes::Ring { .. } => None,
            Bytes::Segments(segments) => segments.trouble(),
        }
    }

    fn shortcut(&self, floor: u64, start: u64) -> u64 {
        match &self.shared.bytes {
            Bytes::Ring { .. } => floor,
            Bytes::Segments(segments) => segments.shortcut(floor, start),
        }
    }
}
