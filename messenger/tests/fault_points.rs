//! Every fault point of the library (`src/fault.rs`) is one at which some test has a process killed, and fails if none is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The files with those tests. A point stands there as a word of its own, perhaps with the number of a hit.
const TESTS: [&str; 7] = [
    "tests/journal/mend.rs",
    "tests/journal_crash/kill.rs",
    "tests/journal_crash/power.rs",
    "tests/shared/again/restore.rs",
    "tests/shared/pool_kill.rs",
    "tests/shared/table.rs",
    "tests/shared_kill/points.rs",
];

/// The points in the sources below `dir`, and how often each is there.
fn points(dir: &Path, found: &mut BTreeMap<String, u32>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            points(&path, found);
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for call in text.split("fault!(\"").skip(1) {
            let name = call.split('"').next().unwrap();
            *found.entry(name.to_owned()).or_default() += 1;
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "reads files")]
fn somebody_is_killed_at_every_point() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = TESTS.map(|test| fs::read_to_string(root.join(test)).unwrap());
    let mut found = BTreeMap::new();
    points(&root.join("src"), &mut found);
    let is_met = |name: &str| {
        let named = [
            format!("\"{name}\""),
            format!("\"{name}:"),
            format!(",{name}:"),
        ];
        tests
            .iter()
            .any(|text| named.iter().any(|it| text.contains(it)))
    };
    let missed: Vec<_> = found.keys().filter(|name| !is_met(name)).collect();
    assert!(missed.is_empty(), "nobody is killed at {missed:?}");
    let twice: Vec<_> = found.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "one name for several points: {twice:?}");
    println!("{} points", found.len());
}
