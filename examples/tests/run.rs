//! Runs every example: each asserts its result, and ends by itself.
#![cfg(not(miri))]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// How long an example may take, compiled without optimisation on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// The names in the manifest's `[[example]]` sections.
fn names() -> Vec<&'static str> {
    let manifest = include_str!("../Cargo.toml");
    let sections = manifest.split("[[example]]").skip(1);
    sections
        .filter_map(|section| section.split_once("name = \"")?.1.split('"').next())
        .collect()
}

/// Where Cargo puts the examples that it builds for the tests.
fn directory() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.parent().and_then(Path::parent);
    target.expect("tests lie in `deps`").join("examples")
}

fn wait(name: &str, child: &mut Child) {
    let begun = Instant::now();
    loop {
        match child.try_wait().expect("an example that can be waited for") {
            Some(status) => return assert!(status.success(), "{name}: {status}"),
            None if begun.elapsed() < PATIENCE => thread::sleep(Duration::from_millis(5)),
            None => {
                let _ = child.kill();
                panic!("{name} did not end within {PATIENCE:?}");
            }
        }
    }
}

#[test]
fn every_example_ends_well() {
    let names = names();
    assert!(names.contains(&"market_data"), "{names:?}");
    for name in names {
        let path = directory().join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
        let mut command = Command::new(&path);
        let started = command.stdout(Stdio::null()).spawn();
        let mut child = started.unwrap_or_else(|error| {
            panic!(
                "{}: {error} (`cargo build --examples` makes it)",
                path.display()
            )
        });
        wait(name, &mut child);
    }
}
