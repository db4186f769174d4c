//! What lies in a cursor's file: two slots, of which the one with the higher sequence counts.
//!
//! Each slot is the beginning of a page of its own, so that writing one never touches what the other lies on.
//!
//! | at | what |
//! |---|---|
//! | 0 | `MSGRCUR\0` |
//! | 8 | version u32: 1 |
//! | 12 | zero u32 |
//! | 16 | the journal's id, 16 bytes |
//! | 32 | sequence u64: grows by one with each store |
//! | 40 | position u64 |
//! | 48 | when it was stored u64, nanoseconds since 1970 |
//! | 56 | zero u32 |
//! | 60 | CRC32C u32 of bytes 0 to 60 |
//!
//! All numbers are little-endian. Magic, version and checksum stay where they are in every version.

use crate::checksum::crc32c;

/// The length of a slot in bytes.
pub(super) const SLOT_BYTES: usize = 64;

/// From the beginning of the first slot to that of the second, in bytes.
pub(super) const SLOT_STEP: usize = 4096;

/// The length of a cursor's file in bytes.
pub(super) const FILE_BYTES: usize = 2 * SLOT_STEP;

/// The newest version known here.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"MSGRCUR\0";

/// What a slot says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    pub(super) id: [u8; 16],
    pub(super) sequence: u64,
    pub(super) position: u64,
    pub(super) nanos: u64,
}

/// Why a slot, or a file, says nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fault {
    Damaged,
    Newer { found: u32 },
}

impl Slot {
    pub(super) fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(16, &self.id);
        put(32, &self.sequence.to_le_bytes());
        put(40, &self.position.to_le_bytes());
        put(48, &self.nanos.to_le_bytes());
        let crc = crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the slot at the beginning of `bytes`.
    fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let bytes = bytes.first_chunk::<SLOT_BYTES>().ok_or(Fault::Damaged)?;
        let u32_at = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map_or(0, |b| u32::from_le_bytes(*b))
        };
        let u64_at = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map_or(0, |b| u64::from_le_bytes(*b))
        };
        if bytes[..8] != MAGIC || u32_at(60) != crc32c(&bytes[..60]) {
            return Err(Fault::Damaged);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&bytes[16..32]);
        let slot = Self {
            id,
            sequence: u64_at(32),
            position: u64_at(40),
            nanos: u64_at(48),
        };
        match u32_at(8) {
            // The last sequence has no next, so it was never stored.
            VERSION if is_position(slot.position) && slot.sequence < u64::MAX => Ok(slot),
            found if found > VERSION => Err(Fault::Newer { found }),
            _ => Err(Fault::Damaged),
        }
    }
}

/// Whether a record can stand there.
pub(super) const fn is_position(position: u64) -> bool {
    position % 16 == 0
}

/// What a file says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    /// The newest slot.
    pub(super) slot: Slot,
    /// Which one that is: 0 or 1.
    pub(super) at: usize,
    /// Whether the other one is whole too.
    pub(super) whole: bool,
}

/// Reads a file: its first [`FILE_BYTES`], or what there is of them.
pub(super) fn read(bytes: &[u8]) -> Result<Found, Fault> {
    let first = Slot::parse(bytes);
    let second = Slot::parse(bytes.get(SLOT_STEP..).unwrap_or_default());
    match (first, second) {
        (Err(Fault::Newer { found }), _) | (_, Err(Fault::Newer { found })) => {
            Err(Fault::Newer { found })
        }
        (Ok(first), Ok(second)) => {
            let at = usize::from(second.sequence > first.sequence);
            Ok(Found {
                slot: [first, second][at],
                at,
                whole: true,
            })
        }
        (Ok(slot), Err(_)) => Ok(Found {
            slot,
            at: 0,
            whole: false,
        }),
        (Err(_), Ok(slot)) => Ok(Found {
            slot,
            at: 1,
            whole: false,
        }),
        (Err(Fault::Damaged), Err(Fault::Damaged)) => Err(Fault::Damaged),
    }
}

/// The file of a new cursor: both slots say the same.
pub(super) fn fresh(slot: Slot) -> Vec<u8> {
    let mut bytes = vec![0; FILE_BYTES];
    let older = Slot {
        sequence: 0,
        ..slot
    };
    let newer = Slot {
        sequence: 1,
        ..slot
    };
    bytes[..SLOT_BYTES].copy_from_slice(&newer.encode());
    bytes[SLOT_STEP..][..SLOT_BYTES].copy_from_slice(&older.encode());
    bytes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::testing::config;

    fn slot() -> impl Strategy<Value = Slot> {
        (any::<[u8; 16]>(), 0..u64::MAX, any::<u64>(), any::<u64>()).prop_map(
            |(id, sequence, position, nanos)| Slot {
                id,
                sequence,
                position: position & !15,
                nanos,
            },
        )
    }

    fn file(first: &Slot, second: &Slot) -> Vec<u8> {
        let mut bytes = vec![0; FILE_BYTES];
        bytes[..SLOT_BYTES].copy_from_slice(&first.encode());
        bytes[SLOT_STEP..][..SLOT_BYTES].copy_from_slice(&second.encode());
        bytes
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn the_higher_sequence_counts(first in slot(), second in slot()) {
            let found = read(&file(&first, &second)).unwrap();
            let expected = if second.sequence > first.sequence { second } else { first };
            prop_assert_eq!((found.slot, found.whole), (expected, true));
        }

        #[test]
        fn a_flipped_bit_gives_the_other_slot(first in slot(), second in slot(), bit in 0..1024_usize) {
            let (at, byte) = (bit / 512, bit / 8 % 64);
            let mut bytes = file(&first, &second);
            bytes[at * SLOT_STEP + byte] ^= 1 << (bit % 8);
            let slot = [second, first][at];
            prop_assert_eq!(read(&bytes), Ok(Found { slot, at: 1 - at, whole: false }));
            bytes[(1 - at) * SLOT_STEP + byte] ^= 1 << (bit % 8);
            prop_assert_eq!(read(&bytes), Err(Fault::Damaged));
        }

        #[test]
        fn of_a_part_only_whole_slots_count(first in slot(), second in slot(), len in 0..FILE_BYTES) {
            let found = read(&file(&first, &second)[..len]);
            if len < SLOT_BYTES {
                prop_assert_eq!(found, Err(Fault::Damaged));
            } else if len < SLOT_STEP + SLOT_BYTES {
                prop_assert_eq!(found, Ok(Found { slot: first, at: 0, whole: false }));
            } else {
                prop_assert!(found.unwrap().whole);
            }
        }
    }

    /// A slot with some bytes changed, and its checksum made anew.
    fn forged(at: usize, part: &[u8]) -> Result<Slot, Fault> {
        let slot = Slot {
            id: [7; 16],
            sequence: 1,
            position: 16,
            nanos: 0,
        };
        let mut bytes = slot.encode();
        bytes[at..at + part.len()].copy_from_slice(part);
        let crc = crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        Slot::parse(&bytes)
    }

    #[test]
    fn tells_what_is_wrong() {
        assert!(forged(8, &[1]).is_ok());
        assert_eq!(forged(8, &[2]), Err(Fault::Newer { found: 2 }));
        assert_eq!(forged(8, &[0]), Err(Fault::Damaged));
        assert_eq!(forged(0, b"m"), Err(Fault::Damaged));
        assert_eq!(forged(32, &[0xff; 8]), Err(Fault::Damaged));
        assert_eq!(forged(40, &[1]), Err(Fault::Damaged));
    }

    #[test]
    fn the_bytes_are_as_documented() {
        let bytes = fresh(Slot {
            id: [7; 16],
            sequence: 0,
            position: 0x30,
            nanos: 9,
        });
        assert_eq!(bytes.len(), 8192);
        assert_eq!(bytes[..16], *b"MSGRCUR\0\x01\0\0\0\0\0\0\0");
        assert_eq!(bytes[16..32], [7; 16]);
        assert_eq!(bytes[32..40], [1, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[40..48], [0x30, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[48..60], [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(bytes[60..64], crc32c(&bytes[..60]).to_le_bytes());
        assert!(bytes[64..4096].iter().all(|&byte| byte == 0));
        assert_eq!(bytes[4096 + 32..4096 + 40], [0; 8]);
        assert_eq!(bytes[4096 + 40..4096 + 56], bytes[40..56]);
    }
}
