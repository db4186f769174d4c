//! A member's way to the bytes of records.

use core::marker::PhantomData;
use core::ptr::NonNull;
use std::sync::Arc;

use super::layout::RECORD_ALIGN;
use crate::memory::Region;
use crate::sync::AtomicU64;

/// The part of a bus's bytes that a member looks at: the whole ring, or a segment of a journal. What it covers
/// stays mapped, at the same address, for as long as it lives.
pub(crate) struct Window {
    /// Where the byte of the first position lies.
    base: NonNull<u8>,
    /// What of a position is an offset from there.
    mask: u64,
    /// The first position of a segment; 0 on a ring.
    first: u64,
    /// The bits that all positions of the segment have in common; none on a ring, whose window covers all.
    common: u64,
    #[expect(dead_code, reason = "held for its drop: `base` leads into it")]
    region: Arc<Region>,
}

// SAFETY: the pointer leads into the region that the window holds; what lies there is either atomic or handed out
// by the protocol to one thread at a time (docs/bus.md).
unsafe impl Send for Window {}
// SAFETY: as above.
unsafe impl Sync for Window {}

impl Window {
    /// All of a ring of `capacity` bytes, a power of two, that lies `at` bytes into `region`.
    pub(super) fn ring(region: Arc<Region>, at: usize, capacity: u64) -> Self {
        Self {
            common: 0,
            ..Self::over(region, at, 0, capacity)
        }
    }

    /// The `len` bytes, a power of two, from the position `first` on, which lie `at` bytes into `region`.
    #[cfg(feature = "journal")]
    pub(crate) fn segment(region: Arc<Region>, at: usize, first: u64, len: u64) -> Self {
        Self::over(region, at, first, len)
    }

    fn over(region: Arc<Region>, at: usize, first: u64, len: u64) -> Self {
        debug_assert!(len.is_power_of_two() && at + len as usize <= region.len());
        // SAFETY: `at` lies inside the region, which `region` keeps alive.
        let base = unsafe { region.base().add(at) };
        Self {
            base,
            mask: len - 1,
            first,
            common: !(len - 1),
            region,
        }
    }

    /// Whether the byte at `position` is here.
    #[inline]
    pub(crate) fn covers(&self, position: u64) -> bool {
        (position ^ self.first) & self.common == 0
    }

    /// What it is looked at through.
    #[inline]
    pub(crate) fn sight(&self) -> Sight<'_> {
        Sight {
            base: self.base,
            mask: self.mask,
            window: PhantomData,
        }
    }

    /// See [`Sight::byte`].
    #[inline]
    pub(crate) fn byte(&self, position: u64) -> NonNull<u8> {
        self.sight().byte(position)
    }

    /// The word at `position`, a multiple of 8.
    #[inline]
    pub(crate) fn word(&self, position: u64) -> &AtomicU64 {
        debug_assert_eq!(position % 8, 0);
        // SAFETY: the bytes are aligned to at least 16 and have been written (with zeros at the least), `position` is
        // a multiple of 8, and the region lives as long as `self`. Record headers are only ever touched
        // atomically while a member may look at them: a position that somebody may look at is
        // never inside another record's payload (docs/bus.md, rule 3). One who holds nothing reads payloads so, too, in a mapping
        // of its own, at whose addresses this process writes nothing (docs/bus.md, "Reading without a pin").
        unsafe { AtomicU64::from_ptr(self.byte(position).cast().as_ptr()) }
    }

    /// See [`Sight::header`].
    #[inline]
    pub(crate) fn header(&self, position: u64) -> (&AtomicU64, &AtomicU64) {
        self.sight().header(position)
    }
}

/// What a window shows, by value: so that a loop over records keeps it in registers, whatever else it does to memory.
#[derive(Clone, Copy)]
pub(crate) struct Sight<'a> {
    base: NonNull<u8>,
    mask: u64,
    window: PhantomData<&'a Window>,
}

impl<'a> Sight<'a> {
    /// The byte at `position`, which the window covers. Valid for as long as the window lives; for how many bytes,
    /// and for whom, is the protocol's affair.
    #[inline]
    pub(crate) fn byte(self, position: u64) -> NonNull<u8> {
        // SAFETY: masked, the offset is inside the window.
        unsafe { self.base.add((position & self.mask) as usize) }
    }

    /// Both words of the header of the record at `position`, a multiple of 16.
    #[inline]
    pub(super) fn header(self, position: u64) -> (&'a AtomicU64, &'a AtomicU64) {
        debug_assert_eq!(position % RECORD_ALIGN, 0);
        let stamp = self.byte(position).cast();
        // SAFETY: as for `Window::word`; the window and its records are aligned to the 16 bytes of a header, so none crosses
        // the window's end.
        unsafe {
            (
                AtomicU64::from_ptr(stamp.as_ptr()),
                AtomicU64::from_ptr(stamp.add(1).as_ptr()),
            )
        }
    }
}
