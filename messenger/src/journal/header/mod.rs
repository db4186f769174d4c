//! The first page of a segment file: which journal it belongs to, where it begins, and how far it has been flushed.
//!
//! | at | what |
//! |---|---|
//! | 0 | `MSGRSEG\0` |
//! | 8 | version u32: 1 |
//! | 12 | length of this page u32: 4096 |
//! | 16 | the journal's id, 16 bytes |
//! | 32 | base position u64 |
//! | 40 | segment bytes u64 |
//! | 48 | salt u64 |
//! | 56 | when it was made u64, nanoseconds since 1970 |
//! | 64 | CRC32C u32 of bytes 0 to 64 |
//! | 128 | synced u64: everything before this position was flushed when this was written |
//! | 136 | synced u64, once more: xor salt xor a constant |
//!
//! All else is zero, all numbers are little-endian. Magic, version and checksum stay where they are in every version.

mod error;

pub use error::HeaderError;

use crate::checksum::crc32c;

/// The length in bytes of the page; records begin after it.
pub(crate) const HEADER_BYTES: usize = 4096;

/// Where the synced position lies in the page.
pub(crate) const SYNCED_AT: usize = 128;

/// Where the check of the synced position lies in the page.
pub(crate) const SYNCED_CHECK_AT: usize = 136;

/// The shortest segment in bytes.
pub(crate) const MIN_SEGMENT_BYTES: u64 = 4 << 10;

/// The longest segment in bytes.
pub(crate) const MAX_SEGMENT_BYTES: u64 = 1 << 30;

const MAGIC: [u8; 8] = *b"MSGRSEG\0";
const VERSION: u32 = 1;
const CRC_AT: usize = 64;
const SYNCED_MASK: u64 = 0x7379_6E63_6564_2121;

/// Whether segments can have this length: a power of two from 4 KiB to 1 GiB.
pub(crate) const fn is_segment_bytes(bytes: u64) -> bool {
    bytes.is_power_of_two() && bytes >= MIN_SEGMENT_BYTES && bytes <= MAX_SEGMENT_BYTES
}

/// What the header page of a segment says, but for the synced position, which changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentHeader {
    /// The id of the journal it belongs to.
    pub(crate) id: [u8; 16],
    /// The position of its first record.
    pub(crate) base: u64,
    /// The length of its records' part in bytes.
    pub(crate) segment_bytes: u64,
    /// The journal's salt.
    pub(crate) salt: u64,
    /// When it was made, in nanoseconds since 1970.
    pub(crate) created_nanos: u64,
}

impl SegmentHeader {
    /// The page, which says that everything before `synced` has been flushed.
    pub(crate) fn encode(&self, synced: u64) -> [u8; HEADER_BYTES] {
        let mut page = [0; HEADER_BYTES];
        let mut put = |at: usize, bytes: &[u8]| page[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(12, &(HEADER_BYTES as u32).to_le_bytes());
        put(16, &self.id);
        put(32, &self.base.to_le_bytes());
        put(40, &self.segment_bytes.to_le_bytes());
        put(48, &self.salt.to_le_bytes());
        put(56, &self.created_nanos.to_le_bytes());
        put(SYNCED_AT, &encode_synced(synced, self.salt));
        let crc = crc32c(&page[..CRC_AT]);
        page[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// Reads a page: the first [`HEADER_BYTES`] of a segment file, or what there is of them.
    pub(crate) fn parse(page: &[u8]) -> Result<Self, HeaderError> {
        let Some(page) = page.first_chunk::<HEADER_BYTES>() else {
            return Err(HeaderError::Short { found: page.len() });
        };
        if page.iter().all(|&byte| byte == 0) {
            return Err(HeaderError::Blank);
        }
        if page[..8] != MAGIC {
            return Err(HeaderError::Foreign);
        }
        let (stored, computed) = (u32_at(page, CRC_AT), crc32c(&page[..CRC_AT]));
        if stored != computed {
            return Err(HeaderError::Damaged { stored, computed });
        }
        // The checksum fits, so this is what was written.
        let found = u32_at(page, 8);
        if found > VERSION {
            let known = VERSION;
            return Err(HeaderError::Newer { found, known });
        }
        let mut id = [0; 16];
        id.copy_from_slice(&page[16..32]);
        let header = Self {
            id,
            base: u64_at(page, 32),
            segment_bytes: u64_at(page, 40),
            salt: u64_at(page, 48),
            created_nanos: u64_at(page, 56),
        };
        let (base, segment_bytes) = (header.base, header.segment_bytes);
        let sound = found == VERSION
            && u32_at(page, 12) as usize == HEADER_BYTES
            && is_segment_bytes(segment_bytes)
            && base % segment_bytes == 0
            && base.checked_add(segment_bytes).is_some();
        if sound {
            Ok(header)
        } else {
            Err(HeaderError::Unsound {
                base,
                segment_bytes,
            })
        }
    }

    /// Checks that this header is the one of the segment at `expected.base` of the journal `expected.id`. When each was made
    /// is not compared.
    pub(crate) fn check(&self, expected: &Self) -> Result<(), HeaderError> {
        if self.id != expected.id {
            return Err(HeaderError::OtherJournal {
                found: self.id,
                expected: expected.id,
            });
        }
        if self.base != expected.base {
            return Err(HeaderError::OtherBase {
                found: self.base,
                expected: expected.base,
            });
        }
        if (self.segment_bytes, self.salt) != (expected.segment_bytes, expected.salt) {
            return Err(HeaderError::OtherShape {
                found: self.segment_bytes,
                expected: expected.segment_bytes,
            });
        }
        Ok(())
    }
}

/// The synced position and its check, as they lie in the page from [`SYNCED_AT`] on.
pub(crate) fn encode_synced(synced: u64, salt: u64) -> [u8; 16] {
    let mut words = [0; 16];
    words[..8].copy_from_slice(&synced.to_le_bytes());
    words[8..].copy_from_slice(&synced_check(synced, salt).to_le_bytes());
    words
}

/// The word that goes with the synced position `synced`.
pub(crate) const fn synced_check(synced: u64, salt: u64) -> u64 {
    synced ^ salt ^ SYNCED_MASK
}

/// The synced position that the two words say; `None` if they don't belong together.
pub(crate) const fn decode_synced(synced: u64, check: u64, salt: u64) -> Option<u64> {
    if check == synced_check(synced, salt) && synced % 16 == 0 {
        Some(synced)
    } else {
        None
    }
}

/// The synced position that a page says; `None` if its words are torn, or the page is short.
pub(crate) fn synced_of(page: &[u8], salt: u64) -> Option<u64> {
    let page = page.first_chunk::<HEADER_BYTES>()?;
    decode_synced(u64_at(page, SYNCED_AT), u64_at(page, SYNCED_CHECK_AT), salt)
}

fn u32_at(page: &[u8; HEADER_BYTES], at: usize) -> u32 {
    page[at..]
        .first_chunk()
        .map_or(0, |b| u32::from_le_bytes(*b))
}

fn u64_at(page: &[u8; HEADER_BYTES], at: usize) -> u64 {
    page[at..]
        .first_chunk()
        .map_or(0, |b| u64::from_le_bytes(*b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::testing::config;

    fn header() -> impl Strategy<Value = SegmentHeader> {
        let at = (16_u32..=30, any::<u32>());
        (any::<[u8; 16]>(), at, any::<u64>(), any::<u64>()).prop_map(
            |(id, (shift, n), salt, created_nanos)| SegmentHeader {
                id,
                base: u64::from(n) << shift,
                segment_bytes: 1 << shift,
                salt,
                created_nanos,
            },
        )
    }

    const GIVEN: SegmentHeader = SegmentHeader {
        id: [7; 16],
        base: 1 << 20,
        segment_bytes: 1 << 20,
        salt: 0x0123_4567_89ab_cdef,
        created_nanos: 5,
    };

    /// A page with some bytes changed, and its checksum made anew.
    fn forged(at: usize, bytes: &[u8]) -> [u8; HEADER_BYTES] {
        let mut page = GIVEN.encode(0);
        page[at..at + bytes.len()].copy_from_slice(bytes);
        let crc = crc32c(&page[..64]);
        page[64..68].copy_from_slice(&crc.to_le_bytes());
        page
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn round_trips(header in header(), synced in any::<u64>()) {
            let synced = synced & !15;
            let page = header.encode(synced);
            prop_assert_eq!(SegmentHeader::parse(&page), Ok(header));
            prop_assert_eq!(synced_of(&page, header.salt), Some(synced));
            prop_assert_eq!(header.check(&header), Ok(()));
        }

        #[test]
        fn no_flipped_bit_gives_a_wrong_value(header in header(), bit in 0..144_usize * 8) {
            let mut page = header.encode(4096);
            page[bit / 8] ^= 1 << (bit % 8);
            let parsed = SegmentHeader::parse(&page);
            match bit / 8 {
                0..8 => prop_assert_eq!(parsed, Err(HeaderError::Foreign)),
                8..68 => prop_assert!(matches!(parsed, Err(HeaderError::Damaged { .. })), "{parsed:?}"),
                at => {
                    prop_assert_eq!(parsed, Ok(header));
                    let synced = (at < SYNCED_AT).then_some(4096);
                    prop_assert_eq!(synced_of(&page, header.salt), synced);
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), HEADER_BYTES), crc: bool) {
            let mut page = bytes;
            page[..8].copy_from_slice(&MAGIC);
            if crc {
                let crc = crc32c(&page[..64]);
                page[64..68].copy_from_slice(&crc.to_le_bytes());
            }
            prop_assert!(SegmentHeader::parse(&page).is_err());
            prop_assert_eq!(synced_of(&page, 0), None);
        }

        #[test]
        fn a_truncated_page_is_an_error(found in 0..HEADER_BYTES) {
            let page = GIVEN.encode(0);
            prop_assert_eq!(SegmentHeader::parse(&page[..found]), Err(HeaderError::Short { found }));
            prop_assert_eq!(synced_of(&page[..found], GIVEN.salt), None);
        }
    }

    #[test]
    fn the_bytes_are_as_documented() {
        let page = GIVEN.encode(0x20);
        assert_eq!(page[..16], *b"MSGRSEG\0\x01\0\0\0\0\x10\0\0");
        assert_eq!(page[16..32], [7; 16]);
        assert_eq!(page[32..40], [0, 0, 0x10, 0, 0, 0, 0, 0]);
        assert_eq!(page[40..48], [0, 0, 0x10, 0, 0, 0, 0, 0]);
        assert_eq!(
            page[48..56],
            [0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]
        );
        assert_eq!(page[56..64], [5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(page[64..68], crc32c(&page[..64]).to_le_bytes());
        assert_eq!(page[68..128], [0; 60]);
        assert_eq!(page[128..136], [0x20, 0, 0, 0, 0, 0, 0, 0]);
        let check: u64 = 0x20 ^ 0x0123_4567_89ab_cdef ^ 0x7379_6e63_6564_2121;
        assert_eq!(page[136..144], check.to_le_bytes());
        assert!(page[144..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn tells_what_is_wrong() {
        assert_eq!(
            SegmentHeader::parse(&[0; HEADER_BYTES]),
            Err(HeaderError::Blank)
        );
        let newer = SegmentHeader::parse(&forged(8, &[2])).unwrap_err();
        assert_eq!(newer, HeaderError::Newer { found: 2, known: 1 });
        assert_eq!(
            newer.to_string(),
            "the segment is of version 2, and this program knows versions up to 1: use a newer one"
        );
        let unsound = [
            (8, &0_u32.to_le_bytes()[..]),
            (12, &8192_u32.to_le_bytes()),
            (40, &3_u64.to_le_bytes()),
            (40, &(1_u64 << 31).to_le_bytes()),
            (32, &16_u64.to_le_bytes()),
            (32, &(u64::MAX << 20).to_le_bytes()),
        ];
        for (at, bytes) in unsound {
            assert!(
                matches!(
                    SegmentHeader::parse(&forged(at, bytes)),
                    Err(HeaderError::Unsound { .. })
                ),
                "{bytes:?} at {at}"
            );
        }
    }

    #[test]
    fn tells_whose_it_is() {
        let other = SegmentHeader {
            id: [8; 16],
            ..GIVEN
        };
        let error = GIVEN.check(&other).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the segment belongs to the journal 07070707070707070707070707070707, and this is \
             08080808080808080808080808080808: move it back to its own directory"
        );
        let elsewhere = SegmentHeader { base: 0, ..GIVEN };
        let error = GIVEN.check(&elsewhere).unwrap_err();
        assert_eq!(
            error,
            HeaderError::OtherBase {
                found: 1 << 20,
                expected: 0
            }
        );
        for shaped in [
            SegmentHeader { salt: 0, ..GIVEN },
            SegmentHeader {
                segment_bytes: 1 << 16,
                ..GIVEN
            },
        ] {
            assert!(matches!(
                GIVEN.check(&shaped),
                Err(HeaderError::OtherShape { .. })
            ));
        }
        let later = SegmentHeader {
            created_nanos: 9,
            ..GIVEN
        };
        assert_eq!(GIVEN.check(&later), Ok(()));
    }
}
