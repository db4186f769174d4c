//! A region: one block of bytes with one base pointer.

use core::ptr::NonNull;
use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::io;

#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::{MmapOptions, MmapRaw};

use super::{MemoryError, MemoryKind, RegionOptions};

/// The least alignment of a region's base, in bytes: that of the longest cache line there is.
pub(crate) const REGION_ALIGN: usize = 256;

/// One block of memory, freed on drop: zeroed, or the bytes of a file.
pub(crate) struct Region {
    base: NonNull<u8>,
    len: usize,
    owner: Owner,
    huge: bool,
}

enum Owner {
    Mapping(
        #[cfg_attr(
            not(feature = "journal"),
            expect(dead_code, reason = "held for its drop, which unmaps")
        )]
        MmapRaw,
    ),
    Heap(Layout),
}

// SAFETY: a region is only an owned block of bytes; it hands out its base as a raw pointer, and
// whoever writes through that pointer answers for the synchronisation (docs/bus.md).
unsafe impl Send for Region {}
// SAFETY: as above; no method reads or writes the bytes.
unsafe impl Sync for Region {}

impl Region {
    /// Gets `bytes` zeroed bytes from the system.
    pub(crate) fn new(bytes: usize, options: RegionOptions) -> Result<Self, MemoryError> {
        if bytes == 0 {
            return Err(MemoryError::Empty);
        }
        match options.kind {
            MemoryKind::Mapped => Self::map(bytes, options),
            MemoryKind::Heap => Self::heap(bytes),
        }
    }

    fn map(bytes: usize, options: RegionOptions) -> Result<Self, MemoryError> {
        let failed = |source| MemoryError::System { bytes, source };
        let mut mapping = MmapOptions::new();
        mapping.len(bytes);
        // Elsewhere it has no effect.
        let populates = cfg!(target_os = "linux") && !options.huge_pages;
        if options.prefault && populates {
            mapping.populate();
        }
        let mapping = MmapRaw::from(mapping.map_anon().map_err(failed)?);
        let huge = options.huge_pages && advise_huge(&mapping);
        if options.prefault && !populates {
            prefault(&mapping).map_err(failed)?;
        }
        let base = NonNull::new(mapping.as_mut_ptr())
            .ok_or_else(|| failed(io::Error::other("the system mapped address zero")))?;
        Ok(Self {
            base,
            len: bytes,
            owner: Owner::Mapping(mapping),
            huge,
        })
    }

    fn heap(bytes: usize) -> Result<Self, MemoryError> {
        let layout =
            Layout::from_size_align(bytes, REGION_ALIGN).map_err(|_| MemoryError::TooLong {
                bytes,
                max: isize::MAX as usize - REGION_ALIGN,
            })?;
        // SAFETY: `bytes` is not zero (checked by `new`).
        let base =
            NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or_else(|| MemoryError::System {
                bytes,
                source: io::Error::from(io::ErrorKind::OutOfMemory),
            })?;
        Ok(Self {
            base,
            len: bytes,
            owner: Owner::Heap(layout),
            huge: false,
        })
    }

    /// The first `bytes` bytes of `file`, which is at least so long, shared with all who map it. Writes to a region that
    /// is not `writable` end the process.
    ///
    /// Whoever cuts the file while the region lives ends the process at the next access beyond its new end.
    #[cfg(feature = "journal")]
    pub(crate) fn of_file(file: &std::fs::File, bytes: usize, writable: bool) -> io::Result<Self> {
        let mut options = MmapOptions::new();
        options.len(bytes);
        let mapping = if writable {
            options.map_raw(file)?
        } else {
            options.map_raw_read_only(file)?
        };
        let base = NonNull::new(mapping.as_mut_ptr())
            .ok_or_else(|| io::Error::other("the system mapped address zero"))?;
        Ok(Self {
            base,
            len: bytes,
            owner: Owner::Mapping(mapping),
            huge: false,
        })
    }

    /// Keeps the mapping from children that are forked: it is not theirs. A refusal changes nothing for this process.
    #[cfg(all(feature = "shared", target_os = "linux"))]
    pub(crate) fn keep_from_children(&self) {
        if let Owner::Mapping(mapping) = &self.owner {
            let _ = mapping.advise(Advice::DontFork);
        }
    }

    /// Has the system find all pages for writing now. A refusal costs time at their first use, and nothing else.
    #[cfg(all(feature = "journal", target_os = "linux"))]
    pub(crate) fn find_pages(&self) {
        if let Owner::Mapping(mapping) = &self.owner {
            let _ = mapping.advise(Advice::PopulateWrite);
        }
    }

    /// Has the system write what has been changed to the file, and waits for it.
    #[cfg(feature = "journal")]
    pub(crate) fn flush(&self) -> io::Result<()> {
        match &self.owner {
            Owner::Mapping(mapping) => mapping.flush(),
            Owner::Heap(_) => Ok(()),
        }
    }

    /// Elsewhere there is no such call.
    #[cfg(all(feature = "journal", not(target_os = "linux")))]
    pub(crate) fn find_pages(&self) {}

    /// The first byte. Valid for reads of `len` bytes, and writes unless it is a file mapped for reading, while
    /// the region lives.
    pub(crate) fn base(&self) -> NonNull<u8> {
        self.base
    }

    /// The length in bytes.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Whether the system took the advice to use huge pages.
    pub(crate) fn huge_pages(&self) -> bool {
        self.huge
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        if let Owner::Heap(layout) = self.owner {
            // SAFETY: `base` came from `alloc_zeroed` with this very layout.
            unsafe { dealloc(self.base.as_ptr(), layout) }
        }
    }
}

#[cfg(target_os = "linux")]
fn advise_huge(mapping: &MmapRaw) -> bool {
    mapping.advise(Advice::HugePage).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn advise_huge(_: &MmapRaw) -> bool {
    false
}

/// Makes the system find all pages now: by one call where it knows it, else by touching them.
fn prefault(mapping: &MmapRaw) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if mapping.advise(Advice::PopulateWrite).is_ok() {
        return Ok(());
    }
    for offset in (0..mapping.len()).step_by(4096) {
        // SAFETY: `offset` is inside the mapping, which is fresh, so nobody else looks at it,
        // and zeroed, so writing zero changes nothing.
        unsafe { mapping.as_mut_ptr().add(offset).write_volatile(0) }
    }
    Ok(())
}
