//! A journal whose files say anything is opened and read, by every way there is: it ends, and does not panic.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use messenger::bus::{MessageId, SourceId, Start, Tag};
use messenger::journal::{Journal, JournalConfig, Reader, verify};

/// A directory in memory, if there is such a thing.
fn root() -> &'static PathBuf {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() {
            memory.to_owned()
        } else {
            std::env::temp_dir()
        };
        parent.join(format!("messenger-fuzz-{}", std::process::id()))
    })
}

fuzz_target!(|input: &[u8]| {
    let dir = root();
    let _ = fs::remove_dir_all(dir);
    fs::create_dir_all(dir).unwrap();
    let segment = messenger_fuzz::decode(input, dir);
    let read = by_reader(dir);
    let _ = verify(dir, |_| ());
    // One of a gibibyte is as good, and takes as long to make.
    if segment <= 1 << 16 {
        by_journal(dir, read);
    }
});

/// How many records there are, if all could be read.
fn by_reader(dir: &Path) -> Option<u64> {
    let mut reader = Reader::open(dir).ok()?;
    let mut records = 0;
    loop {
        match reader.next() {
            Ok(Some(entry)) => {
                assert!(entry.payload.len() <= 1 << 16 && entry.position % 16 == 0);
                records += 1;
            }
            Ok(None) => return Some(records),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                return None;
            }
        }
    }
}

fn by_journal(dir: &Path, read: Option<u64>) {
    let config = JournalConfig::new().members(4);
    let journal = match Journal::open_existing(dir, config) {
        Ok(journal) => journal,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let _ = journal.cursors();
    let _ = journal.cursor("reader").map(|cursor| cursor.position());
    let Ok(mut subscriber) = journal.bus().subscribe(Start::Oldest) else {
        return;
    };
    let mut records = 0;
    let mut whole = true;
    loop {
        match subscriber.try_next() {
            Ok(Some(_)) => records += 1,
            Ok(None) => break,
            Err(_) => {
                whole = false;
                break;
            }
        }
    }
    if whole && journal.recovery().dropped.is_none() {
        // Both have read all there is.
        if let Some(read) = read {
            assert_eq!(read, records);
        }
    }
    drop(subscriber);
    let tag = Tag::new(SourceId::new(1), MessageId::new(1));
    let sent = journal
        .bus()
        .publisher()
        .map(|mut publisher| publisher.try_send(tag, b"more"));
    let sent = matches!(sent, Ok(Ok(_)));
    drop(journal);
    if whole && sent {
        // What was written after it was opened is read, and all before it.
        assert_eq!(by_reader(dir), Some(records + 1));
    }
}
