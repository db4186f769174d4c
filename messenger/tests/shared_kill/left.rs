//! What this process has of a bus: nothing, when all of it has left the bus.

use std::fs::{read_dir, read_link, read_to_string};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{major, minor};

use crate::kit::until;

/// By what the thread goes that watches a bus.
pub(crate) const WATCHER: &str = "messenger-watch";
/// And those that see to its journal, and to tasks.
const OURS: [&str; 3] = [WATCHER, "journal", "messenger-bell"];

/// The threads of this process that see to something of a bus.
pub(crate) fn threads() -> Vec<String> {
    let tasks = read_dir("/proc/self/task").unwrap();
    let names = tasks.filter_map(|task| read_to_string(task.ok()?.path().join("comm")).ok());
    let names = names.map(|name| name.trim_end().to_owned());
    let mut ours: Vec<_> = names.filter(|name| OURS.contains(&&**name)).collect();
    ours.sort_unstable();
    ours
}

/// Sees to it that of the buses, and the journals, in `dir` nothing is left here but their files: no thread, nothing that is open or mapped, and no lock,
/// whoever has it.
pub(crate) fn check_nothing_but_files(dir: &Path) {
    // One that was waited for may be seen for a moment still.
    until("no thread is left", || threads().is_empty());
    let open = read_dir("/proc/self/fd").unwrap();
    let open = open.filter_map(|fd| read_link(fd.ok()?.path()).ok());
    let open: Vec<_> = open.filter(|path| path.starts_with(dir)).collect();
    assert!(open.is_empty(), "open: {open:?}");
    let maps = read_to_string("/proc/self/maps").unwrap();
    let mapped = maps
        .lines()
        .filter(|line| line.contains(dir.to_str().unwrap()));
    let mapped: Vec<_> = mapped.collect();
    assert!(mapped.is_empty(), "mapped: {mapped:#?}");
    check_no_lock(dir, &read_to_string("/proc/locks").unwrap());
}

fn check_no_lock(dir: &Path, locks: &str) {
    for entry in read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            check_no_lock(&path, locks);
            continue;
        }
        let meta = path.metadata().unwrap();
        let (major, minor) = (major(meta.dev()), minor(meta.dev()));
        let file = format!(" {major:02x}:{minor:02x}:{} ", meta.ino());
        let locked: Vec<_> = locks.lines().filter(|lock| lock.contains(&file)).collect();
        assert!(locked.is_empty(), "{}: {locked:?}", path.display());
    }
}
