//! Fetching cache lines ahead of their use: hints, which change nothing but the time it takes.
//!
//! A record's lines travel between the cores of its writer and its readers, and each journey
//! costs as much as all the rest of a small record. The distances were found by measuring
//! (`benches/README.md`); any in the same range does as well.

use core::ptr::NonNull;

use super::ring::Memory;
use super::shared::Core;
use crate::sync::Ordering::Relaxed;

/// How far ahead of its claim, in bytes, a publisher asks for the lines it will write. Farther,
/// and the readers' hardware takes them back.
const WRITE_AHEAD: u64 = 384;

/// How far ahead of its position, in bytes, a subscriber asks for lines within a batch.
const READ_AHEAD: u64 = 2048;

/// How often, in bytes, a subscriber looks at the tail within a batch, so as not to take lines
/// from a publisher that is writing them.
const LOOK_EVERY: u64 = 4096;

/// Asks for the lines that claims after the one at `position` will write.
#[inline]
pub(super) fn before_writing(core: &Core, position: u64) {
    line_for_writing(core.memory.byte(position + WRITE_AHEAD));
}

/// What a batch knows of the records ahead of it.
pub(super) struct Ahead {
    /// Where to look at the tail again.
    look_at: u64,
    /// Up to here records were claimed, and so mostly written.
    tail: u64,
}

impl Ahead {
    /// Knows nothing yet: short batches never look.
    #[inline]
    pub(super) fn from(position: u64) -> Self {
        Self {
            look_at: position + LOOK_EVERY,
            tail: 0,
        }
    }

    /// Asks for what will be read some records after `position`.
    #[inline]
    pub(super) fn fetch(&mut self, core: &Core, position: u64) {
        if position >= self.look_at {
            self.tail = core.memory.control().tail.load(Relaxed);
            self.look_at = position + LOOK_EVERY;
        }
        let ahead = position + READ_AHEAD;
        if ahead < self.tail {
            line_for_reading(core.memory.byte(ahead));
        }
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn line_for_writing(byte: NonNull<u8>) {
    // SAFETY: the instruction only moves a cache line; on processors that lack it, it does
    // nothing. (The intrinsic for it only gives it where the build asks for newer ones.)
    unsafe {
        core::arch::asm!("prefetchw [{}]", in(reg) byte.as_ptr(), options(nostack, preserves_flags, readonly));
    }
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn line_for_reading(byte: NonNull<u8>) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint, for whatever address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(byte.as_ptr().cast()) }
}

/// Elsewhere the hardware is left to itself.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
fn line_for_writing(_: NonNull<u8>) {}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
fn line_for_reading(_: NonNull<u8>) {}
