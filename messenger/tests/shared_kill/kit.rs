//! What the processes of these tests share: seeded numbers, records that say who wrote them, and what was acknowledged.

#[path = "../support/dir.rs"]
mod dir;
#[path = "../support/numbers.rs"]
mod numbers;
#[path = "../support/still.rs"]
mod still;
#[path = "../support/until.rs"]
mod until;

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::SystemTime;

use messenger::bus::{MessageId, SourceId, Tag};

use numbers::mix;

pub(crate) use dir::Dir;
pub(crate) use numbers::{Rng, cases, first_seed};
pub(crate) use until::until;

impl Dir {
    /// One in memory.
    pub(crate) fn new(name: &str) -> Self {
        let dir = Self::under(Path::new("/dev/shm"), name);
        std::fs::create_dir_all(&dir).unwrap();
        dir
    }

    /// What lies in it.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let all = std::fs::read_dir(self).unwrap();
        all.map(|entry| entry.unwrap().path()).collect()
    }
}

/// Nanoseconds since 1970: a clock that all processes have.
pub(crate) fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.unwrap().as_nanos() as u64
}

/// Runs this binary again, for its test `role`, told `text` by the variable `variable`.
pub(crate) fn again(role: &str, variable: &str, text: String) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([role, "--exact", "--nocapture", "--quiet"])
        .env(variable, text)
        .env_remove("MESSENGER_FAULT")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Waits until a child has been stopped.
pub(crate) fn stands_still(child: &Child) {
    until("it stops", || still::is_still(child.id()));
}

/// What a child that has ended said before.
pub(crate) fn said(child: &mut Child) -> String {
    let mut text = String::new();
    if let Some(stderr) = &mut child.stderr {
        let _ = std::io::Read::read_to_string(stderr, &mut text);
    }
    text
}

/// The numbers by which each victim's publishers go.
pub(crate) const PUBLISHERS: u64 = 4;
/// Those from here on are survivors'.
pub(crate) const SURVIVORS: u64 = 1 << 40;

/// The tag of the record `sequence` of `publisher`.
pub(crate) fn tag(publisher: u64, sequence: u64) -> Tag {
    let word = mix(publisher << 20 ^ sequence);
    Tag::new(
        SourceId::new(word as u16 | 1),
        MessageId::new((word >> 16) as u16),
    )
}

/// The payload of the record `sequence` of `publisher`: every byte of it, and its length, follow from the two.
pub(crate) fn payload(publisher: u64, sequence: u64, longest: usize) -> Vec<u8> {
    let seed = mix(mix(publisher) ^ sequence);
    let len = match seed % 32 {
        0 => longest,
        1 | 2 => longest / 2 + 3,
        3 => 16,
        _ => 16 + (seed >> 8) as usize % 130,
    };
    let mut bytes = Vec::with_capacity(len + 8);
    bytes.extend(publisher.to_le_bytes());
    bytes.extend(sequence.to_le_bytes());
    let mut rng = Rng(seed);
    while bytes.len() < len {
        bytes.extend(rng.next().to_le_bytes());
    }
    bytes.truncate(len.clamp(16, longest));
    bytes
}

/// The publisher and the sequence number of a record that is whole; panics if it is not.
pub(crate) fn written_by(position: u64, of: Tag, bytes: &[u8], longest: usize) -> (u64, u64) {
    let word = |at: usize| bytes.get(at..at + 8).map(|b| b.try_into().unwrap());
    let (Some(publisher), Some(sequence)) = (word(0), word(8)) else {
        panic!("{position}: {} bytes were never sent", bytes.len());
    };
    let (publisher, sequence) = (u64::from_le_bytes(publisher), u64::from_le_bytes(sequence));
    assert!(
        of == tag(publisher, sequence) && bytes == payload(publisher, sequence, longest),
        "{position}: torn: {of:?}, {bytes:?}"
    );
    (publisher, sequence)
}

/// What a reader has seen.
#[derive(Default)]
pub(crate) struct Seen {
    /// The next sequence number of each publisher.
    pub(crate) next: HashMap<u64, u64>,
    pub(crate) records: u64,
    /// Of the positions, tags and sequence numbers, in their order.
    pub(crate) hash: u64,
    last: Option<u64>,
}

impl Seen {
    /// Takes in a record, which must follow those before it. One who has `joined` later begins where he finds a publisher.
    pub(crate) fn take(
        &mut self,
        position: u64,
        of: Tag,
        bytes: &[u8],
        longest: usize,
        joined: bool,
    ) {
        let (publisher, sequence) = written_by(position, of, bytes, longest);
        assert!(
            self.last < Some(position),
            "{position} after {:?}",
            self.last
        );
        self.last = Some(position);
        let next = self.next.get(&publisher).copied();
        let due = next.unwrap_or(if joined { sequence } else { 0 });
        assert!(
            sequence == due,
            "{position}: the record {sequence} of {publisher:x}, and not {due}"
        );
        self.next.insert(publisher, sequence + 1);
        self.records += 1;
        let tag = u64::from(of.source.get()) << 16 | u64::from(of.message.get());
        self.hash = mix(self.hash ^ mix(position) ^ mix(tag << 20 ^ sequence));
    }

    /// As `take`, of one who may miss any number of records.
    pub(crate) fn glance(&mut self, position: u64, of: Tag, bytes: &[u8], longest: usize) {
        let (publisher, sequence) = written_by(position, of, bytes, longest);
        assert!(
            self.last < Some(position),
            "{position} after {:?}",
            self.last
        );
        self.last = Some(position);
        let next = self.next.insert(publisher, sequence + 1).unwrap_or(0);
        assert!(
            sequence >= next,
            "{position}: {sequence} of {publisher:x} after {next}"
        );
        self.records += 1;
    }
}

/// How many records of each publisher of the victims were committed, in a file that outlives them.
pub(crate) struct Acks(File);

impl Acks {
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        Self(file.unwrap())
    }

    pub(crate) fn get(&self, publisher: u64) -> u64 {
        let mut bytes = [0; 8];
        // Not there: none yet.
        let _ = self.0.read_exact_at(&mut bytes, publisher * 8);
        u64::from_le_bytes(bytes)
    }

    pub(crate) fn set(&self, publisher: u64, count: u64) {
        let bytes = count.to_le_bytes();
        self.0.write_all_at(&bytes, publisher * 8).unwrap();
    }
}
