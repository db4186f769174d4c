//! A hash of a layout, computed in const.

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo) of what is added to it.
#[derive(Clone, Copy)]
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    pub(crate) const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) const fn bytes(mut self, bytes: &[u8]) -> Self {
        let mut i = 0;
        while i < bytes.len() {
            self.0 = (self.0 ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
            i += 1;
        }
        self
    }

    pub(crate) const fn number(self, number: u64) -> Self {
        self.bytes(&number.to_le_bytes())
    }

    /// Adds a text and its length, so that "a", "bc" and "ab", "c" differ.
    pub(crate) const fn text(self, text: &str) -> Self {
        self.number(text.len() as u64).bytes(text.as_bytes())
    }

    pub(crate) const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::Fingerprint;

    #[test]
    fn is_fnv_1a() {
        // From the test vectors of the hash's authors (draft-eastlake-fnv).
        assert_eq!(Fingerprint::new().get(), 0xcbf2_9ce4_8422_2325);
        assert_eq!(Fingerprint::new().bytes(b"a").get(), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(
            Fingerprint::new().bytes(b"foobar").get(),
            0x8594_4171_f739_67e8
        );
    }
}
