//! What a bus is to be like.

use crate::memory::{MemoryKind, RegionOptions};

/// What a bus is to be like: its length, its memory and how many may attach.
///
/// ```
/// use messenger::bus::{Bus, BusConfig};
/// let bus = Bus::new(BusConfig::bytes(1 << 20).members(16).prefault(true))?;
/// assert_eq!(bus.capacity(), 1 << 20);
/// # Ok::<(), messenger::bus::BusError>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct BusConfig {
    pub(super) bytes: usize,
    pub(super) members: usize,
    memory: MemoryKind,
    prefault: bool,
    huge_pages: bool,
}

impl BusConfig {
    /// A bus with a ring of at least `bytes` bytes: rounded up to a power of two, and to 256.
    ///
    /// It has to be longer than what is on its way at a time. Where records stream, a ring that is longer than the caches which a
    /// core has for itself (4 MiB, say) may be several times as fast as a short one.
    pub const fn bytes(bytes: usize) -> Self {
        Self {
            bytes,
            members: 64,
            memory: if cfg!(miri) {
                MemoryKind::Heap
            } else {
                MemoryKind::Mapped
            },
            prefault: false,
            huge_pages: false,
        }
    }

    /// How many publishers, subscribers and observers may be attached at a time: 2 to 65,535;
    /// 64 unless told. Each slot takes 128 bytes.
    pub const fn members(mut self, members: usize) -> Self {
        self.members = members;
        self
    }

    /// Where the memory comes from.
    pub const fn memory(mut self, memory: MemoryKind) -> Self {
        self.memory = memory;
        self
    }

    /// Whether the system is to find all pages now, in place of at their first use.
    pub const fn prefault(mut self, prefault: bool) -> Self {
        self.prefault = prefault;
        self
    }

    /// Whether to ask for huge pages, for a mapping where the system has them; [`Bus::huge_pages`]
    /// says whether it took the request.
    ///
    /// [`Bus::huge_pages`]: super::Bus::huge_pages
    pub const fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.huge_pages = huge_pages;
        self
    }

    pub(super) fn region_options(&self) -> RegionOptions {
        RegionOptions {
            kind: self.memory,
            prefault: self.prefault,
            huge_pages: self.huge_pages,
        }
    }
}
