//! Writes the seeds of `journal_open` into a directory: `seeds DIRECTORY`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use messenger::bus::{MessageId, SourceId, Tag};
use messenger::journal::{Journal, JournalConfig};
use messenger_fuzz::encode;

fn main() {
    let to = PathBuf::from(std::env::args_os().nth(1).expect("seeds DIRECTORY"));
    fs::create_dir_all(&to).unwrap();
    let keep = |name: &str, dir: &Path| {
        for fitted in [false, true] {
            let kind = if fitted { "fitted" } else { "plain" };
            fs::write(to.join(format!("{name}-{kind}")), encode(dir, fitted)).unwrap();
        }
    };
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../messenger/tests/data/journal-v1");
    keep("golden", &golden);
    for records in [0, 3, 40] {
        let dir = std::env::temp_dir().join(format!("messenger-seeds-{}", std::process::id()));
        let config = JournalConfig::new()
            .segment_bytes(4096)
            .members(4)
            .time_resolution(Duration::from_millis(1));
        let journal = Journal::create(&dir, config).unwrap();
        let mut publisher = journal.bus().publisher().unwrap();
        for n in 0..records {
            let tag = Tag::new(SourceId::new(1), MessageId::new(n));
            publisher
                .send(tag, &vec![n as u8; usize::from(n) * 9])
                .unwrap();
        }
        journal.cursor("reader").unwrap().store(0).unwrap();
        keep(&format!("open-{records}"), &dir);
        drop(publisher);
        journal.close().unwrap();
        keep(&format!("closed-{records}"), &dir);
        fs::remove_dir_all(&dir).unwrap();
    }
}
