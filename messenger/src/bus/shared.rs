//! The memory of one bus in this process, and the protocol's way into it.

use core::any::Any;
use core::ptr::NonNull;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

#[cfg(feature = "journal")]
use super::format::Format;
#[cfg(feature = "journal")]
use super::layout::Intent;
#[cfg(feature = "journal")]
use super::layout::Owner;
use super::layout::{Control, MIN_CAPACITY, Slot};
use super::park::{Barrier, Bed, Reach};
use super::registry::Registry;
use super::ring::{Found, META, Memory, Ring, Uncovered};
use super::wait::Event;
use super::window::Window;
use super::{BusConfig, BusError, Lost, ReadError};
use crate::memory::{MemoryError, REGION_ALIGN, Region};
use crate::sync::AtomicU64;
#[cfg(feature = "journal")]
use crate::sync::Ordering::Relaxed;

/// What all members of a bus in this process share.
pub(crate) struct Shared {
    /// Where the shared words are, and a ring's bytes. Held for its drop, too: `View`s point into it.
    region: Arc<Region>,
    /// Where the records are.
    bytes: Bytes,
    data: Bed,
    room: Bed,
    registry: Registry,
    /// Where other processes publish, too: for each kind of event.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    bells: Option<[super::bell::Bell; 2]>,
}

/// Where a bus's records lie.
pub(super) enum Bytes {
    /// In a ring, behind the shared words.
    Ring { at: usize, capacity: u64 },
    /// In segments, which come and go.
    #[cfg_attr(
        not(feature = "journal"),
        expect(dead_code, reason = "only a journal has them")
    )]
    Segments(Arc<dyn Segments>),
    /// Nowhere yet: only the words are looked at.
    #[cfg(feature = "journal")]
    None,
}

/// The segments of a bus that grows. Asked only where one segment ends and another begins, and by who finds no room.
pub(crate) trait Segments: Send + Sync {
    /// A window on the segment with the byte at `position`.
    fn window(&self, position: u64) -> Result<Window, Uncovered>;
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
    /// A record that ends at `next` has been committed: waits until it is synced, if that is the policy.
    fn committed(&self, next: u64) -> Result<(), Lost>;
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
    /// What ends when the last user of a bus that is kept has gone: its keeper holds a view without it.
    #[cfg_attr(
        not(feature = "journal"),
        expect(dead_code, reason = "only a journal has a keeper")
    )]
    life: Option<Arc<dyn Any + Send + Sync>>,
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
    let view = View::new(Arc::new(region), 0, members, bytes, Reach::Process);
    Ok(Ring::init(
        view,
        capacity,
        salt,
        Barrier::over(Reach::Process),
    ))
}

/// The bytes that the shared words of a bus with so many member slots take: `Control`, then the slots.
pub(crate) const fn words_len(members: usize) -> usize {
    slots_at() + members * size_of::<Slot>()
}

const fn slots_at() -> usize {
    assert!(align_of::<Control>() <= REGION_ALIGN && align_of::<Slot>() <= REGION_ALIGN);
    size_of::<Control>().next_multiple_of(align_of::<Slot>())
}

/// A bus whose shared words lie `at` bytes into `region`, aligned, and whose records lie in segments. They have been
/// [reset](reset_words). This process has the number `owner` among those that use it too, or it is 0, and there are none.
#[cfg(feature = "journal")]
pub(crate) fn over_segments(
    (region, at): (Arc<Region>, usize),
    members: usize,
    segments: Arc<dyn Segments>,
    (capacity, format): (u64, Format),
    owner: Owner,
) -> Core {
    let reach = match owner {
        0 => Reach::Process,
        _ => Reach::Processes,
    };
    let view = View::new(region, at, members, Bytes::Segments(segments), reach);
    Ring::kept(view, capacity, format, owner, Barrier::over(reach))
}

#[cfg(feature = "journal")]
impl Core {
    /// The same, and while a clone of it is there, `life` lives.
    pub(crate) fn alive(mut self, life: Arc<dyn Any + Send + Sync>) -> Self {
        self.memory.life = Some(life);
        self
    }
}

impl Core {
    /// Checks what a look has found at `position`, if the bus was opened with it: there it was finished then, and is as it was.
    pub(super) fn check_old(
        &self,
        window: &Window,
        position: u64,
        found: Found,
    ) -> Result<(), ReadError> {
        let opened_at = self.memory.opened_at();
        if position >= opened_at {
            return Ok(());
        }
        // One that reaches beyond would hide what has been written since.
        let fits = match found {
            Found::Nothing => false,
            Found::Record { next, .. } | Found::Skip { next } => next <= opened_at,
        };
        if fits && self.is_sound(window, position) {
            Ok(())
        } else {
            Err(ReadError::Damaged { position })
        }
    }
}

/// The checksum of a record on a bus that is kept.
#[cfg(feature = "journal")]
use crate::checksum::crc32c as checksum;

/// Without the feature there is no such bus.
#[cfg(not(feature = "journal"))]
fn checksum(_: &[u8]) -> u32 {
    0
}

/// What the shared words of a bus say that its process left behind.
#[cfg(feature = "journal")]
#[derive(Debug)]
pub(crate) struct LastWords {
    pub(crate) tail: u64,
    /// What each publisher was claiming, or had claimed and not finished, and how many bytes.
    pub(crate) intents: Vec<(Intent, u64)>,
}

/// Reads the shared words that lie `at` bytes into `region`.
#[cfg(feature = "journal")]
pub(crate) fn last_words(region: &Arc<Region>, at: usize, members: usize) -> LastWords {
    let view = View::new(Arc::clone(region), at, members, Bytes::None, Reach::Process);
    let intents = view.slots().iter().map(|slot| {
        let len = slot.intent_len.load(Relaxed);
        (Intent::of(slot.intent.load(Relaxed)), len)
    });
    LastWords {
        tail: view.control().tail.load(Relaxed),
        intents: intents
            .filter(|(intent, _)| *intent != Intent::None)
            .collect(),
    }
}

/// Makes the shared words that lie `at` bytes into `region` those of a bus from `floor` to `tail` to which nobody is
/// attached. Nobody else uses the region.
#[cfg(feature = "journal")]
pub(crate) fn reset_words(region: &Arc<Region>, at: usize, members: usize, floor: u64, tail: u64) {
    let view = View::new(Arc::clone(region), at, members, Bytes::None, Reach::Process);
    let words = view.control.cast::<AtomicU64>();
    for word in 0..words_len(members) / size_of::<AtomicU64>() {
        // SAFETY: the words lie inside the region, as `View::new` has checked, and are atomics, some of them halves of one.
        unsafe { words.add(word).as_ref() }.store(0, Relaxed);
    }
    view.control().floor.store(floor, Relaxed);
    view.control().tail.store(tail, Relaxed);
    view.control().limit.store(tail, Relaxed);
}

impl View {
    pub(super) fn new(
        region: Arc<Region>,
        at: usize,
        members: usize,
        bytes: Bytes,
        reach: Reach,
    ) -> Self {
        // (With so many members nothing wraps around.)
        assert!(members <= usize::from(u16::MAX) && at <= region.len());
        assert!(at % REGION_ALIGN == 0 && words_len(members) <= region.len() - at);
        // SAFETY: both lie inside the region, as just checked.
        let (control, slots) = unsafe {
            let control = region.base().add(at);
            (control, control.add(slots_at()))
        };
        Self {
            control: control.cast(),
            slots: NonNull::slice_from_raw_parts(slots.cast(), members),
            life: None,
            shared: Arc::new(Shared {
                region,
                bytes,
                data: Bed::new(reach),
                room: Bed::new(reach),
                registry: Registry::default(),
                #[cfg(all(feature = "shared", target_os = "linux"))]
                bells: (reach == Reach::Processes).then(Default::default),
            }),
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// See [`Segments::committed`].
    #[inline]
    pub(super) fn committed(&self, next: u64) -> Result<(), Lost> {
        self.segments().map_or(Ok(()), |s| s.committed(next))
    }

    /// Where a bus that is kept ended when this process opened it; 0 on a ring.
    pub(super) fn opened_at(&self) -> u64 {
        self.segments().map_or(0, Segments::opened_at)
    }

    fn segments(&self) -> Option<&dyn Segments> {
        match &self.shared.bytes {
            Bytes::Segments(segments) => Some(&**segments),
            _ => None,
        }
    }

    #[cold]
    fn turn(&self, window: &mut Window, position: u64) -> Result<(), Uncovered> {
        if let Some(segments) = self.segments() {
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

    #[cfg(all(feature = "shared", target_os = "linux"))]
    fn listen(&self, event: Event) -> bool {
        let shared = &self.shared;
        let Some(bells) = &shared.bells else {
            return true;
        };
        // A view for the thread: without what the members have, and so not ended by them.
        let at = self.control.as_ptr().addr() - shared.region.base().as_ptr().addr();
        let view = || {
            let region = Arc::clone(&shared.region);
            Self::new(region, at, self.slots.len(), Bytes::None, Reach::Processes)
        };
        bells[event as usize].listen(event, &self.bed(event).wakers, view)
    }

    fn window(&self) -> Window {
        let shared = &self.shared;
        match &shared.bytes {
            Bytes::Ring { at, capacity } => {
                Window::ring(Arc::clone(&shared.region), *at, *capacity)
            }
            Bytes::Segments(segments) => segments.any_window(),
            #[cfg(feature = "journal")]
            Bytes::None => Window::ring(Arc::clone(&shared.region), 0, 16),
        }
    }

    #[inline]
    fn cover(&self, window: &mut Window, position: u64) -> Result<(), Uncovered> {
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
        window.header(position).1
    }

    #[inline]
    fn header<'a>(&'a self, window: &'a Window, position: u64) -> (&'a AtomicU64, &'a AtomicU64) {
        window.header(position)
    }

    #[inline]
    fn checksum(&self, window: &Window, position: u64, bytes: u64) -> u32 {
        if bytes == 0 {
            return 0;
        }
        if bytes == META {
            // Of a dead process's claim two others may be writing it, both the same.
            let meta = window
                .word(position + 8)
                .load(crate::sync::Ordering::Relaxed);
            return checksum(&meta.to_le_bytes());
        }
        let start = window.byte(position + 8);
        // SAFETY: the record at `position` is covered by the window and as long as this at least. The caller has
        // claimed it and written it, or has found it finished and holds it (docs/bus.md, rules 1 and 2).
        let covered = unsafe { core::slice::from_raw_parts(start.as_ptr(), bytes as usize) };
        checksum(covered)
    }

    fn grown(&self, end: u64) -> u64 {
        self.segments().map_or(u64::MAX, |s| s.grown(end))
    }

    fn trouble(&self) -> Option<Lost> {
        self.segments().and_then(Segments::trouble)
    }

    fn shortcut(&self, floor: u64, start: u64) -> u64 {
        self.segments().map_or(floor, |s| s.shortcut(floor, start))
    }
}
