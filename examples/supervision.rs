//! A handler that panics, and what the table says about that.
//!
//! The parser panics at some lines. `on_panic` of its worker decides what follows; whatever it is, the line at fault is
//! counted and skipped, and the archive on the other worker goes on.

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;

use messenger::bus::{Bus, BusConfig};
use messenger::{
    AfterPanic, App, Builder, FailureKind, Handle, Handler, Message, Outbox, Outside, PublishError,
    Report, Result, messenger, messenger_id_enum,
};
use serde::{Deserialize, Serialize};

messenger_id_enum! {
    enum Mid { Line = 1, End = 2 }
    enum Hid { Main = 1, Parser = 2, Archive = 3 }
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::Line, codec = bincode)]
struct Line<'a> {
    number: u32,
    text: &'a str,
}

#[derive(Message, Serialize, Deserialize)]
#[message(id = Mid::End, codec = bincode)]
struct End;

/// Parses numbers, and takes it badly if a line holds none.
#[derive(Handler)]
#[handler(id = Hid::Parser)]
struct Parser {
    /// What it remembers: a restart begins anew.
    sum: i64,
    /// What all parsers have parsed, for `main` to see.
    parsed: Arc<AtomicU32>,
}

impl Handle<Line<'_>> for Parser {
    fn handle(&mut self, line: &Line<'_>, _: &mut Outbox<'_, Self>) -> Result {
        let value: i64 = match line.text.parse() {
            Ok(value) => value,
            Err(_) => panic!("line {} is no number: {:?}", line.number, line.text),
        };
        self.sum += value;
        self.parsed.fetch_add(1, Relaxed);
        println!("  line {}: the sum is {}", line.number, self.sum);
        Ok(())
    }
}

/// Keeps every line, whether it can be parsed or not, and stops all when there are no more.
#[derive(Handler)]
#[handler(id = Hid::Archive)]
struct Archive;

impl Handle<Line<'_>> for Archive {
    fn handle(&mut self, _: &Line<'_>, _: &mut Outbox<'_, Self>) -> Result {
        Ok(())
    }
}

impl Handle<End> for Archive {
    fn handle(&mut self, _: &End, out: &mut Outbox<'_, Self>) -> Result {
        out.stop();
        Ok(())
    }
}

#[derive(Handler)]
#[handler(id = Hid::Main, sends(Line<'_>, End))]
struct Main;

/// The same table under several policies.
macro_rules! table {
    ($name:ident, $($policy:tt)*) => {
        messenger! {
            $name(parsed: Arc<AtomicU32>);

            outside: [ Main ]

            Parsing (on_panic = $($policy)*):
                handlers: [ parser: Parser = Parser { sum: 0, parsed: parsed.clone() } ]
                routes: [ Main, Line: [parser] ]

            Keeping:
                handlers: [ archive: Archive = Archive ]
                routes: [
                    Main, Line: [archive],
                    Main, End: [archive],
                ]
        }
    };
}

table!(Strict, stop);
table!(Separate, stop_worker);
table!(Patient, restart(2, per = Duration::from_secs(3600)));

/// Sends the lines through a table: how many were parsed, and how it ended.
fn run<A>(
    table: impl FnOnce(Bus, Arc<AtomicU32>) -> Builder<A>,
    lines: &[&str],
) -> std::result::Result<(u32, std::result::Result<Report, messenger::Failed>), Box<dyn Error>>
where
    A: App,
    Main: Outside<A>,
{
    let parsed = Arc::new(AtomicU32::new(0));
    let bus = Bus::new(BusConfig::bytes(64 << 10))?;
    let running = table(bus, parsed.clone())
        .on_failure(|failure| println!("  {failure}"))
        .run()?;
    let mut main = running.publisher::<Main>()?;
    for (number, text) in (1..).zip(lines) {
        match main.send(&Line { number, text }) {
            // The parser was faster than we are.
            Err(PublishError::Stopped) => break,
            sent => sent?,
        };
    }
    match main.send(&End) {
        Err(PublishError::Stopped) => 0,
        sent => sent?,
    };
    let ended = running.join();
    Ok((parsed.load(Relaxed), ended))
}

/// What became of each panic of a run.
fn panics(report: &Report) -> Vec<AfterPanic> {
    let then = |kind: &FailureKind| match kind {
        FailureKind::Panicked { then, .. } => Some(*then),
        _ => None,
    };
    let failures = report.failures.iter();
    failures.filter_map(|failure| then(&failure.kind)).collect()
}

fn main() -> std::result::Result<(), Box<dyn Error>> {
    // The failures are told by `on_failure`; the panics needn't tell them again.
    std::panic::set_hook(Box::new(|_| {}));
    let lines = ["10", "20", "thirty", "40", "50"];

    println!("on_panic = stop: nothing runs on without the parser");
    let (parsed, ended) = run(Strict::builder, &lines)?;
    let failed = ended.expect_err("it stopped at the third line");
    println!("  join says: {failed}");
    assert_eq!(failed.failure().handler, Some("parser"));
    assert_eq!(panics(failed.report()), [AfterPanic::Stopped]);
    assert_eq!(parsed, 2, "the lines before the panic");

    println!("on_panic = stop_worker: the archive goes on without the parser");
    let (parsed, ended) = run(Separate::builder, &lines)?;
    let report = ended?;
    assert_eq!(panics(&report), [AfterPanic::WorkerStopped]);
    assert_eq!((parsed, report.workers[1].messages), (2, 6));

    println!("on_panic = restart: another parser goes on after the line at fault");
    let (parsed, ended) = run(Patient::builder, &lines)?;
    let report = ended?;
    assert_eq!(panics(&report), [AfterPanic::Restarted]);
    assert_eq!((parsed, report.workers[1].messages), (4, 6));
    assert_eq!(report.workers[0].restarts, 1);

    println!("on_panic = restart, but too often: then it stops");
    let lines = ["10", "zwanzig", "trente", "cuarenta", "50"];
    let (parsed, ended) = run(Patient::builder, &lines)?;
    let failed = ended.expect_err("three panics are one too many");
    println!("  join says: {failed}");
    let then = [
        AfterPanic::Restarted,
        AfterPanic::Restarted,
        AfterPanic::TooManyRestarts { times: 2 },
    ];
    assert_eq!(panics(failed.report()), then);
    assert_eq!(parsed, 1, "the line before the panics");
    Ok(())
}
