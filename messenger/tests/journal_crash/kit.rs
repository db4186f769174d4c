//! What the crash tests share: directories, seeded numbers, and records that say who wrote them, and when.

#[path = "../support/dir.rs"]
mod dir;
#[path = "../support/numbers.rs"]
mod numbers;
#[path = "../support/until.rs"]
mod until;

use std::path::Path;

use messenger::bus::{MessageId, SourceId, Tag};

pub(crate) use dir::Dir;
pub(crate) use numbers::{Rng, cases, first_seed, mix};
pub(crate) use until::until;

impl Dir {
    pub(crate) fn new(name: &str) -> Self {
        Self::made(&std::env::temp_dir(), name)
    }

    /// One whose files are not on a disk, if the system has such a thing: where flushing costs nothing.
    pub(crate) fn in_memory(name: &str) -> Self {
        let memory = Path::new("/dev/shm");
        if memory.is_dir() {
            Self::made(memory, name)
        } else {
            Self::new(name)
        }
    }

    fn made(parent: &Path, name: &str) -> Self {
        let dir = Self::under(parent, name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }
}

/// The tag of what `publisher` writes as its record `sequence`.
pub(crate) fn tag(publisher: u16, sequence: u64) -> Tag {
    let message = mix(sequence) as u16 | 1;
    Tag::new(SourceId::new(publisher + 1), MessageId::new(message))
}

/// The payload of the record `sequence` of `publisher`: every byte of it follows from the two.
pub(crate) fn payload(publisher: u16, sequence: u64, longest: usize) -> Vec<u8> {
    let seed = mix(sequence ^ u64::from(publisher) << 48);
    let len = match seed % 16 {
        0 => longest,
        1 => longest / 2 + 3,
        _ => 8 + (seed >> 8) as usize % 120,
    };
    let mut bytes = sequence.to_le_bytes().to_vec();
    let mut rng = Rng(seed);
    while bytes.len() < len {
        bytes.extend(rng.next().to_le_bytes());
    }
    bytes.truncate(len.clamp(8, longest));
    bytes
}

/// The sequence number that a payload says.
pub(crate) fn sequence_of(payload: &[u8]) -> u64 {
    u64::from_le_bytes(*payload.first_chunk().unwrap())
}
