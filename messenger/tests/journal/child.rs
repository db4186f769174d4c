//! Parts of tests that run in a process of their own: this program once more, asked for one test, and told by a variable that
//! it is the child.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PART: &str = "MESSENGER_TEST_PART";
const PLACE: &str = "MESSENGER_TEST_PLACE";

/// In a child that was started for `part`: the directory that it is to use.
pub(crate) fn is(part: &str) -> Option<PathBuf> {
    let asked = std::env::var(PART).ok()?;
    (asked == part).then(|| std::env::var_os(PLACE).unwrap_or_default().into())
}

/// This program, to run the test `test` as the child that does `part` in `place`.
pub(crate) fn command(test: &str, part: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    as_child(&mut command, test, part, place);
    command
}

/// As [`command`], run by another program, that takes this one as its last arguments.
#[cfg(target_os = "linux")]
pub(crate) fn command_under(by: &[&str], test: &str, part: &str, place: &Path) -> Command {
    let mut command = Command::new(by[0]);
    command.args(&by[1..]).arg(std::env::current_exe().unwrap());
    as_child(&mut command, test, part, place);
    command
}

/// Says, past the test harness, which would keep it to itself, why a test did not look at what it is for.
#[cfg(target_os = "linux")]
pub(crate) fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

fn as_child(command: &mut Command, test: &str, part: &str, place: &Path) {
    command
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(PART, part)
        .env(PLACE, place)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
}
