//! Fetching cache lines ahead of their use: hints, which change nothing but the time it takes.
//!
//! A record's lines travel between the cores of its writer and its readers, and each journey
//! costs as much as all the rest of a small record. The distances were found by trying
//! some with `cargo bench -p messenger-benches -- only 1-1/64 messenger 5 80`.

use core::ptr::NonNull;

use super::shared::Core;
use super::window::{Sight, Window};

/// The length of a cache line in bytes.
const LINE: usize = 64;

/// How far ahead of its claim, in bytes, a publisher asks for the lines it will write. With
/// records shorter than a line, a reader close behind takes back all but the very next one.
const fn write_ahead(record: usize) -> u64 {
    if record < 64 { 128 } else { 384 }
}

/// How far ahead of its position, in bytes, a subscriber asks for lines.
const READ_AHEAD: u64 = 2048;

/// How far a subscriber goes, in bytes, until it asks again how much has been claimed.
const ASK_AGAIN: u64 = 8192;

/// Asks for the lines that the claims after one of `record` bytes at `position` will write. The
/// compare-and-swap of a claim waits for all earlier stores, so their lines had better be here.
#[inline]
pub(super) fn before_writing(window: &Window, position: u64, record: usize) {
    line_for_writing(window.byte(position + write_ahead(record)));
}

/// Asks for the second line of the record that a look at `position` has not found yet. Whoever waits has only the line with its
/// stamp; the other would set out when that has come, and most records reach into it.
#[inline(always)]
pub(super) fn after_a_look_in_vain(sight: Sight<'_>, position: u64) {
    // Perhaps behind the window's end, which takes less time than to find the place where the bus goes on.
    line_for_reading(sight.byte(position).as_ptr().wrapping_add(LINE));
}

/// What a subscriber knows of the records ahead of it. Where the next record begins it learns
/// from the one before, so the processor cannot run ahead by itself.
#[derive(Clone, Copy)]
pub(super) struct Ahead {
    /// So far ahead of its position, in bytes, it asks for lines; 0: for none.
    by: usize,
    /// From here on, it finds out anew.
    pub(super) until: u64,
}

impl Ahead {
    pub(super) fn from(position: u64) -> Self {
        Self {
            by: 0,
            until: position,
        }
    }

    /// Asks for what will be read some records after `position`, which is before `until`.
    #[inline(always)]
    pub(super) fn before_reading(&self, sight: Sight<'_>, position: u64) {
        // Perhaps behind the window's end, as above.
        let ahead = sight.byte(position).as_ptr().wrapping_add(self.by);
        line_for_reading(ahead);
    }

    /// Finds out, where need be, how it is from `position` on, which then is before `until`.
    ///
    /// Nearer to the tail, lines would be taken from those who write them. The tail itself would
    /// say where it is, but every look at it delays a claim; the marks are written once a step.
    pub(super) fn before_going_on(&mut self, core: &Core, position: u64) {
        if position < self.until {
            return;
        }
        let mark = core.mark_after(position);
        let until = mark.unwrap_or(0).saturating_sub(READ_AHEAD);
        *self = if position < until {
            Self {
                by: READ_AHEAD as usize,
                until,
            }
        } else {
            Self {
                by: 0,
                until: mark.unwrap_or(position + ASK_AGAIN),
            }
        };
    }
}

/// `number`, of which the compiler does not know that it is the same.
#[inline(always)]
pub(super) fn opaque(number: u64) -> u64 {
    // `black_box` does it too, but sends the number through memory.
    #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    let number = {
        let mut number = number;
        // SAFETY: there is no instruction in it.
        unsafe {
            core::arch::asm!("/* {} */", inout(reg) number, options(nomem, nostack, preserves_flags));
        }
        number
    };
    #[cfg(not(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    let number = core::hint::black_box(number);
    number
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
pub(crate) fn line_for_reading(byte: *const u8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a hint, for whatever address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(byte.cast()) }
}

/// Elsewhere the hardware is left to itself.
#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
fn line_for_writing(_: NonNull<u8>) {}

#[cfg(not(all(target_arch = "x86_64", not(miri))))]
#[inline]
pub(crate) fn line_for_reading(_: *const u8) {}
