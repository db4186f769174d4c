//! The survivor that is a process of its own: this test binary, run again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use crate::kit::{Seen, again};
use crate::survivor::{Orders, Report, Survivor};
use crate::victim::{NAME, options};

const VARIABLE: &str = "MESSENGER_SHARED_SURVIVOR";

/// A survivor in another process.
pub(crate) struct Other {
    child: Child,
    tell: ChildStdin,
    lines: BufReader<ChildStdout>,
}

impl Other {
    /// Starts it, and waits until it has joined.
    pub(crate) fn start(dir: &Path, number: u64, seed: u64) -> Self {
        let text = format!("{number} {seed} {}", dir.display());
        let mut child = again("other::goes_on_until_it_is_told", VARIABLE, text)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let tell = child.stdin.take().unwrap();
        let mut other = Self { child, tell, lines };
        assert_eq!(other.line(), "joined");
        other
    }

    fn line(&mut self) -> String {
        loop {
            let mut line = String::new();
            let read = self.lines.read_line(&mut line).unwrap();
            assert!(read > 0, "the survivor has ended: {:?}", self.child.wait());
            // What the test harness says stands before it.
            if let Some((_, said)) = line.split_once("> ") {
                return said.trim_end().to_owned();
            }
        }
    }

    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Has it publish no more; back when it does not.
    pub(crate) fn only_read(&mut self) {
        self.tell.write_all(b"quiet\n").unwrap();
        assert_eq!(self.line(), "quiet");
    }

    /// Has it read up to `end`, and gives what it has come to, but for the sequences.
    pub(crate) fn read_to(mut self, end: u64) -> Report {
        writeln!(self.tell, "{end}").unwrap();
        let mut report = Report {
            seen: Seen::default(),
            sent: 0,
            stalls: Vec::new(),
        };
        loop {
            let line = self.line();
            let numbers: Vec<u64> = line.split(' ').filter_map(|w| w.parse().ok()).collect();
            match numbers[..] {
                [from, to] => report.stalls.push((from, to)),
                [records, hash, sent] => {
                    report.seen.records = records;
                    report.seen.hash = hash;
                    report.sent = sent;
                }
                _ => break assert_eq!(line, "left"),
            }
        }
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{status}");
        report
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Does nothing but in a child.
#[test]
fn goes_on_until_it_is_told() {
    let Ok(text) = std::env::var(VARIABLE) else {
        return;
    };
    let mut words = text.splitn(3, ' ');
    let mut word = || words.next().unwrap();
    let (number, seed) = (word().parse().unwrap(), word().parse().unwrap());
    let bus = options(Path::new(word())).open(NAME).unwrap();
    let survivor = Survivor::new(&bus, number, seed);
    println!("\n> joined");
    static ORDERS: Orders = Orders::new();
    let told = bus.clone();
    // Not of a scope: if the survivor fails, the process shall end.
    let listening = std::thread::spawn(move || {
        for line in std::io::stdin().lines().take(2) {
            match line.unwrap().parse() {
                Ok(end) => ORDERS.read_to(end, &told),
                Err(_) => ORDERS.only_read(&told),
            }
        }
    });
    let report = survivor.run(&ORDERS, &bus, || println!("\n> quiet"));
    listening.join().unwrap();
    let mut out = std::io::stdout().lock();
    for (from, to) in report.stalls {
        writeln!(out, "\n> {from} {to}").unwrap();
    }
    let Seen { records, hash, .. } = report.seen;
    writeln!(out, "\n> {records} {hash} {}", report.sent).unwrap();
    drop(bus);
    writeln!(out, "\n> left").unwrap();
}
