//! The write-only view of a claim's payload.

use core::fmt;
use core::marker::PhantomData;
use core::ptr::NonNull;

use crate::words::in_words;

/// A write-only sink over the payload of a claim.
///
/// Bytes go in from front to back and can never be read back, so what an earlier lap
/// left in the ring stays hidden. A payload can be committed when it is full: the claim itself
/// keeps count, so a writer that was swapped for another vouches for nothing but its own bytes.
pub struct PayloadWriter<'a> {
    next: NonNull<u8>,
    left: usize,
    len: usize,
    /// The claim's count of the bytes left, where the bytes are a claim's.
    claim: Option<&'a mut usize>,
    bytes: PhantomData<&'a mut [u8]>,
}

impl<'a> PayloadWriter<'a> {
    /// A writer over the `len` bytes of a claim at `start`, of which the last `left` have still to
    /// be written.
    ///
    /// # Safety
    ///
    /// `start` must be valid for writes of `len` bytes, which nobody else touches during `'a`, and
    /// `left` must be at most `len`.
    #[inline]
    pub(super) unsafe fn resume(start: NonNull<u8>, len: usize, left: &'a mut usize) -> Self {
        Self {
            // SAFETY: inside the `len` bytes at `start`, or just past them.
            next: unsafe { start.add(len - *left) },
            left: *left,
            len,
            claim: Some(left),
            bytes: PhantomData,
        }
    }

    /// A writer over a slice of the caller's: for trying a codec without a bus.
    ///
    /// ```
    /// let mut bytes = [0_u8; 4];
    /// let mut writer = messenger::bus::PayloadWriter::over(&mut bytes);
    /// writer.put(&[1, 2, 3]).unwrap();
    /// assert_eq!((writer.written(), writer.remaining()), (3, 1));
    /// assert!(writer.put(&[4, 5]).is_err());
    /// ```
    #[must_use]
    pub fn over(bytes: &'a mut [u8]) -> Self {
        Self {
            left: bytes.len(),
            len: bytes.len(),
            // Borrowed mutably for 'a, so its bytes are writable and only ours.
            next: NonNull::from(bytes).cast(),
            claim: None,
            bytes: PhantomData,
        }
    }

    /// Appends `bytes`.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if they do not fit; then nothing is written.
    #[inline]
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), Overflow> {
        if bytes.len() > self.left {
            return Err(Overflow {
                len: bytes.len(),
                remaining: self.left,
            });
        }
        // SAFETY: `next` is valid for `left` bytes (the constructors' contract, kept by the
        // subtraction in `count`), and a claim never overlaps bytes that safe code can borrow.
        unsafe {
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.next.as_ptr(), bytes.len());
            self.next = self.next.add(bytes.len());
        }
        self.count(bytes.len());
        Ok(())
    }

    /// Appends `count` bytes of zero.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if they do not fit; then nothing is written.
    #[inline]
    pub fn put_zeros(&mut self, count: usize) -> Result<(), Overflow> {
        if count > self.left {
            return Err(Overflow {
                len: count,
                remaining: self.left,
            });
        }
        // SAFETY: as in `put`.
        unsafe {
            core::ptr::write_bytes(self.next.as_ptr(), 0, count);
            self.next = self.next.add(count);
        }
        self.count(count);
        Ok(())
    }

    #[inline]
    fn count(&mut self, written: usize) {
        self.left -= written;
        if let Some(left) = &mut self.claim {
            **left = self.left;
        }
    }

    /// How many bytes still have to be written.
    #[inline]
    #[must_use]
    pub const fn remaining(&self) -> usize {
        self.left
    }

    /// How many bytes have been written.
    #[inline]
    #[must_use]
    pub const fn written(&self) -> usize {
        self.len - self.left
    }
}

impl fmt::Debug for PayloadWriter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PayloadWriter")
            .field("written", &self.written())
            .field("remaining", &self.left)
            .finish()
    }
}

/// More bytes were written to a payload than it has room for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Overflow {
    /// How many bytes were to be written, in bytes.
    pub len: usize,
    /// How many bytes there was room for.
    pub remaining: usize,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes were written where the claim has room for {}: claim as many bytes as the message encodes to",
            self.len, self.remaining
        )
    }
}

in_words!(Overflow);

impl core::error::Error for Overflow {}
