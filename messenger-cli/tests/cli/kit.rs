//! What the tests share: directories, running the program, snapshots.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// A name that begins with `what` and that nobody else has, nor had: numbers of processes come again.
pub(crate) fn fresh(what: &str) -> String {
    format!("{what}-{:016x}", RandomState::new().build_hasher().finish())
}

/// A directory that goes with its guard.
pub(crate) struct Dir(PathBuf);

impl Dir {
    /// The path of one that is not there yet.
    pub(crate) fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(fresh(&format!("messenger-cli-{name}"))))
    }

    pub(crate) fn str(&self) -> &str {
        self.0.to_str().unwrap()
    }

    /// The file of the segment that begins at `base`.
    pub(crate) fn segment(&self, base: u64) -> PathBuf {
        self.0.join(format!("{base:020}.segment"))
    }

    /// All files, to see that nothing has changed.
    pub(crate) fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files: Vec<_> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_file())
            .map(|path| (path.clone(), std::fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

impl std::ops::Deref for Dir {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Dir {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The program, in an environment that says nothing about colours and widths.
pub(crate) fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_messenger"));
    command.args(args).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

/// How a run of the program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// Runs the program.
pub(crate) fn run(args: &[&str]) -> Ran {
    let output = program(args).output().unwrap();
    Ran {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// How the program ends, and what it writes on stderr, where nobody reads what it writes on stdout.
pub(crate) fn unread(args: &[&str]) -> (Option<i32>, String) {
    let mut reader = program(&["--version"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let closed = reader.stdin.take().unwrap();
    reader.wait().unwrap();
    let output = program(args).stdout(closed).output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), err)
}

/// Runs the program, which ends with `code`; gives what it wrote on stdout.
#[track_caller]
pub(crate) fn out(code: i32, args: &[&str]) -> String {
    let ran = run(args);
    assert_eq!(ran.code, Some(code), "{args:?}: {ran:#?}");
    ran.out
}

/// Runs the program, which ends with `code`; gives what it wrote on stderr.
#[track_caller]
pub(crate) fn err(code: i32, args: &[&str]) -> String {
    let ran = run(args);
    assert_eq!(ran.code, Some(code), "{args:?}: {ran:#?}");
    ran.err
}

/// The lines of a text, each of JSON.
pub(crate) fn lines(text: &str) -> Vec<Value> {
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

/// Runs the program, which ends with `code` and writes one JSON value.
#[track_caller]
pub(crate) fn json(code: i32, args: &[&str]) -> Value {
    serde_json::from_str(&out(code, args)).unwrap()
}

/// `got` is as it was; with `BLESS=1` it is written down.
#[track_caller]
pub(crate) fn snapshot(name: &str, got: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/cli/snapshots")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, got).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        got == expected,
        "`{name}` is another text now; see it with `BLESS=1` and `git diff`:\n{got}"
    );
}
