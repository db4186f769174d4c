//! Bytes at an address where any payload may stand.

use core::fmt;

/// A growing buffer of blocks aligned as payloads are.
#[derive(Default)]
pub(crate) struct AlignedBytes {
    blocks: Vec<Block>,
    len: usize,
}

/// 16 bytes, aligned as the first byte of a payload is.
#[repr(C, align(16))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block(pub(crate) [u8; Block::LEN]);

impl Block {
    pub(crate) const LEN: usize = crate::bus::PAYLOAD_ALIGN;
    pub(crate) const ZERO: Self = Self([0; Self::LEN]);
}

/// The bytes of `blocks`.
pub(crate) fn bytes(blocks: &[Block]) -> &[u8] {
    // SAFETY: a block is 16 initialised bytes without padding, so a slice of them is a slice of bytes.
    unsafe { core::slice::from_raw_parts(blocks.as_ptr().cast(), size_of_val(blocks)) }
}

/// The bytes of `blocks`.
pub(crate) fn bytes_mut(blocks: &mut [Block]) -> &mut [u8] {
    // SAFETY: as in `bytes`; any bytes make a block, and the slice is borrowed mutably.
    unsafe { core::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), size_of_val(blocks)) }
}

impl AlignedBytes {
    pub(crate) fn copy_from(&mut self, payload: &[u8]) {
        self.len = payload.len();
        self.blocks
            .resize(payload.len().div_ceil(Block::LEN), Block::ZERO);
        bytes_mut(&mut self.blocks)[..payload.len()].copy_from_slice(payload);
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        &bytes(&self.blocks)[..self.len]
    }
}

impl fmt::Debug for AlignedBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_slice().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_and_aligns() {
        let mut copy = AlignedBytes::default();
        for payload in [&[1, 2, 3][..], &[], &[7; 33]] {
            copy.copy_from(payload);
            assert_eq!(copy.as_slice(), payload);
            assert_eq!(copy.as_slice().as_ptr().addr() % Block::LEN, 0);
        }
    }
}
