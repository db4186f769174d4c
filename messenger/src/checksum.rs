//! The checksum of what is kept: CRC32C, as in iSCSI (RFC 3720, B.4).

/// Of all `bytes`.
#[inline]
pub(crate) fn crc32c(bytes: &[u8]) -> u32 {
    crc_fast::checksum(crc_fast::CrcAlgorithm::Crc32Iscsi, bytes) as u32
}

/// Of the bytes of `parts`, one after the other.
#[cfg(all(feature = "shared", target_os = "linux"))]
pub(crate) fn crc32c_of(parts: [&[u8]; 2]) -> u32 {
    let mut digest = crc_fast::Digest::new(crc_fast::CrcAlgorithm::Crc32Iscsi);
    parts.iter().for_each(|part| digest.update(part));
    digest.finalize() as u32
}

#[cfg(test)]
mod tests {
    use super::crc32c;

    /// By the definition, bit by bit, from the least: the reflected polynomial.
    fn by_definition(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ if crc & 1 == 1 { 0x82f6_3b78 } else { 0 }
            })
        })
    }

    /// Of the standard's own examples, and of each length at each alignment: what is fast takes them apart in many ways.
    #[test]
    fn is_what_the_standard_says() {
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        let longest = if cfg!(miri) { 80 } else { 1200 };
        let mut seed = 1_u32;
        let bytes: Vec<u8> = (0..longest + 16)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        for from in 0..16 {
            for len in (0..longest).step_by(1 + from) {
                let part = &bytes[from..from + len];
                assert_eq!(crc32c(part), by_definition(part), "{len} bytes from {from}");
                #[cfg(all(feature = "shared", target_os = "linux"))]
                {
                    let (first, second) = part.split_at(len.min(8));
                    assert_eq!(super::crc32c_of([first, second]), crc32c(part));
                }
            }
        }
    }
}
