//! A worker that is resumed, and keeps its state in a file with the position up to which that counts: killed at any place,
//! it counts each record once.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use messenger::bus::Start;
use messenger::journal::Journal;
use messenger::{Handle, Handler, Lifecycle, Outbox, Result, messenger};

use super::kit::{Dir, small};
use super::table::{Main, Number, Square, all, send};

const COUNT: u64 = 150;
/// Names the directory for the child.
const DIR: &str = "MESSENGER_TEST_KEPT";
/// After how many times that it has written its file the child dies at once.
const WRITES: &str = "MESSENGER_TEST_WRITES";

/// What is in the file.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
struct Kept {
    /// What stands before it is counted.
    next: u64,
    count: u64,
    sum: u64,
}

impl Kept {
    fn read(file: &Path) -> Self {
        let text = fs::read_to_string(file).unwrap_or_default();
        let numbers: Vec<u64> = text.split(' ').flat_map(str::parse).collect();
        match numbers[..] {
            [next, count, sum] => Self { next, count, sum },
            _ => Self::default(),
        }
    }

    /// The file is the old one or the new one.
    fn write(&self, file: &Path) -> Result {
        let beside = file.with_extension("new");
        fs::write(
            &beside,
            format!("{} {} {}", self.next, self.count, self.sum),
        )?;
        fs::rename(beside, file)?;
        Ok(())
    }
}

#[derive(Debug, Handler)]
#[handler(id = 21, sends(Square), lifecycle)]
struct Counter {
    file: PathBuf,
    kept: Kept,
    written: Kept,
    writes: u64,
}

impl Counter {
    fn new(file: &Path) -> Self {
        let kept = Kept::read(file);
        Self {
            file: file.to_owned(),
            kept,
            written: kept,
            writes: 0,
        }
    }
}

impl Handle<Number> for Counter {
    fn handle(&mut self, number: &Number, out: &mut Outbox<'_, Self>) -> Result {
        if out.position() >= self.kept.next {
            self.kept.next = out.position() + 1;
            self.kept.count += 1;
            self.kept.sum += number.0;
        }
        // Whether its answer went out is not known.
        out.send(&Square(number.0 * number.0))
    }
}

impl Lifecycle for Counter {
    fn on_loop(&mut self, _: &mut Outbox<'_, Self>) -> Result {
        if self.kept != self.written {
            self.kept.write(&self.file)?;
            self.written = self.kept;
            self.writes += 1;
            let dies = std::env::var(WRITES).is_ok_and(|dies| dies == self.writes.to_string());
            if dies {
                std::process::abort();
            }
        }
        Ok(())
    }
}

messenger! {
    Keeping(file: PathBuf);
    outside: [ Main ]
    Counting (on_error = stop):
        handlers: [ counter: Counter = Counter::new(file) ]
        routes: [ Main, Number: [counter] ]
    drop: [ Counter, Square ]
}

#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else {
        return;
    };
    let journal = Journal::open(dir.join("journal"), small()).unwrap();
    let app = Keeping::builder(&journal, dir.join("sum"))
        .start(Start::Oldest)
        .resume()
        .run()
        .unwrap();
    let mut squares = app.subscribe_from::<(Square,)>(Start::Oldest).unwrap();
    while squares.receive().unwrap().unwrap().0 < COUNT * COUNT {}
    drop(squares);
    app.stop().unwrap();
}

#[test]
fn killed_and_resumed_what_is_kept_with_its_position_counts_once() {
    let (mut in_handle, mut behind_the_file) = (0, 0);
    for round in 1..=4 {
        let dir = Dir::new("kept");
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("journal");
        let journal = Journal::open(&path, small()).unwrap();
        send(&journal, 1..=COUNT);
        drop(journal);
        for kills in 0.. {
            let mut command = Command::new(std::env::current_exe().unwrap());
            command.args(["--exact", "kept::child"]).env(DIR, &*dir);
            // Before the file is written, or between that and the cursor.
            if kills % 2 == 0 {
                command.env(
                    "MESSENGER_FAULT",
                    format!("finished:{}", 10 * round + kills),
                );
            } else if kills < 10 {
                command.env(WRITES, "1");
            }
            let output = command.stdout(Stdio::null()).output().unwrap();
            match output.status.signal() {
                Some(9) => in_handle += 1,
                Some(6) => behind_the_file += 1,
                _ => {
                    assert!(output.status.success(), "{output:?}");
                    break;
                }
            }
        }
        let kept = Kept::read(&dir.join("sum"));
        assert_eq!((kept.count, kept.sum), (COUNT, COUNT * (COUNT + 1) / 2));
        let squares = all::<Square>(&path, 21);
        let mut distinct: Vec<u64> = squares.iter().map(|it| it.1.0).collect();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct, (1..=COUNT).map(|n| n * n).collect::<Vec<_>>());
        // Some were given again.
        assert!(squares.len() > distinct.len());
    }
    println!("{in_handle} kills in `handle`, {behind_the_file} behind the file");
    assert!(in_handle > 0 && behind_the_file > 0);
}
