//! A shared bus whose file says anything is opened and used, by every way there is: each call ends, and none panics.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use messenger::bus::{MessageId, SourceId, Start, Tag};
use messenger::shared::{SharedBus, SharedOptions};

const NAME: &str = "fuzzed";
/// The bytes of the first page that its checksum covers; it stands after them. It covers those from 512 on, too.
const CHECKED: usize = 96;

fn options() -> SharedOptions {
    let options = SharedBus::options().bytes(512).members(4).processes(2);
    let options = options.workers(2).schema_bytes(256).keep(true);
    options.directory(place())
}

/// A directory in memory.
fn place() -> &'static PathBuf {
    static PLACE: OnceLock<PathBuf> = OnceLock::new();
    PLACE.get_or_init(|| {
        let place = format!("/dev/shm/messenger-fuzz-shared-{}", std::process::id());
        fs::create_dir_all(&place).unwrap();
        place.into()
    })
}

/// The file of a bus with some records, whose processes have gone.
fn sound() -> &'static Vec<u8> {
    static SOUND: OnceLock<Vec<u8>> = OnceLock::new();
    SOUND.get_or_init(|| {
        let bus = options().create(NAME).unwrap();
        let mut publisher = bus.bus().publisher().unwrap();
        for len in 0..7 {
            publisher.send(tag(), &vec![len; len.into()]).unwrap();
        }
        bus.admit(&"source\t3\tClock\n".parse().unwrap()).unwrap();
        let path = bus.path().to_owned();
        drop((bus, publisher));
        fs::read(path).unwrap()
    })
}

fn tag() -> Tag {
    Tag::new(SourceId::new(1), MessageId::new(1))
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, edits)) = input.split_first() else {
        return;
    };
    let mut bytes = sound().clone();
    // A place, in words, and what stands there then.
    for edit in edits.chunks_exact(10) {
        let at = usize::from(u16::from_le_bytes([edit[0], edit[1]])) * 8 % bytes.len();
        bytes[at..at + 8].copy_from_slice(&edit[2..]);
    }
    if how & 1 == 0 {
        let check = crc32c::crc32c(&bytes[..CHECKED]);
        let check = u64::from(crc32c::crc32c_append(check, &bytes[512..4096]));
        bytes[CHECKED..CHECKED + 8].copy_from_slice(&check.to_le_bytes());
    }
    if how & 2 != 0 {
        bytes.truncate(bytes.len() - usize::from(how) * 8);
    }
    let path = place().join(format!("messenger.{NAME}"));
    fs::write(&path, bytes).unwrap();
    use_it(place());
    let _ = fs::remove_file(path);
});

fn use_it(place: &Path) {
    for listed in SharedBus::list(place).unwrap() {
        let _ = listed.look.map_err(|e| assert!(!e.to_string().is_empty()));
    }
    let mut payload = Vec::new();
    if let Ok(mut reader) = options().read(NAME, Start::Oldest) {
        for _ in 0..100 {
            let _ = reader.try_next(&mut payload);
        }
    }
    let bus = match options().open(NAME) {
        Ok(bus) => bus,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let _ = (
        bus.processes(),
        bus.workers(),
        bus.schema(),
        bus.bus().stats(),
    );
    if let Ok(mut observer) = bus.bus().observe(Start::Oldest) {
        for _ in 0..100 {
            let _ = observer.try_next(&mut payload);
        }
    }
    if let Ok(mut subscriber) = bus.bus().subscribe(Start::Oldest) {
        while let Ok(Some(record)) = subscriber.try_next() {
            assert!(record.payload().len() <= 512);
        }
    }
    if let Ok(mut publisher) = bus.bus().publisher() {
        for _ in 0..100 {
            let _ = publisher.try_send(tag(), b"more");
        }
    }
}
