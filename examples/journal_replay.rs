//! The day of `market_data` on a journal: the process is killed in the middle, another one goes on where it was, and in the end
//! the whole day is run again, to see whether this build does the same.
//!
//! ```text
//! cargo run --example journal_replay
//! ```

use messenger::bus::Start;
use messenger::journal::{Journal, JournalConfig, Reader};
use messenger::{ActKind, Replay, StartError, messenger};
use messenger_examples::market_data::day::Day;
use messenger_examples::market_data::fold::fold;
use messenger_examples::market_data::handlers::{Book, Desk, Feed, Limits, Main, Risk, Signal};
use messenger_examples::market_data::itch::wire::*;
use messenger_examples::market_data::messages::*;
use messenger_examples::market_data::report::Report;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

/// How many records the journal has when the first process is killed.
const MIDDLE: u64 = 3000;

#[derive(Clone)]
struct Config {
    feed: PathBuf,
    limits: Limits,
}

// The table of `market_data`. Nothing in it, nor in the handlers, knows of the journal.
messenger! {
    Market(config: Config);

    Reading:
        handlers: [ feed: Feed = Feed::open(&config.feed) ]
        routes: [
            Main, Open: [feed],
            Desk, Batch: [feed],
        ]

    Booking:
        handlers: [ book: Book = Book::default() ]
        routes: [
            Feed, AddOrder: [book],
            Feed, AddOrderAttributed: [book],
            Feed, OrderExecuted: [book],
            Feed, OrderExecutedAt: [book],
            Feed, OrderCancel: [book],
            Feed, OrderDelete: [book],
            Feed, OrderReplace: [book],
            Feed, SystemEvent: [book],
            Feed, Batch: [book],
        ]

    Trading:
        handlers: [
            signal: Signal = Signal::default(),
            risk: Risk = Risk::new(config.limits),
        ]
        routes: [
            Book, Quote: [signal],
            Book, SystemEvent: [signal],
            Book, Batch: [signal],
            Signal, Order: [risk],
            Signal, Batch: [risk],
        ]

    Counting:
        handlers: [ desk: Desk = Desk::default() ]
        routes: [
            Feed, StockDirectory: [desk],
            Feed, Trade: [desk],
            Feed, CrossTrade: [desk],
            Feed, Tally: [desk],
            Book, Execution: [desk],
            Book, Quote: [desk],
            Risk, Approved: [desk],
            Risk, Rejected: [desk],
            Risk, Batch: [desk],
        ]

    outside: [ Main ]
    drop: [ Desk, Report ]
}

/// The first process: opens the day, and would see it through.
fn first(dir: &Path, config: Config) -> Result<(), Box<dyn Error>> {
    let journal = Journal::open(dir, JournalConfig::new().segment_bytes(1 << 20))?;
    let market = Market::builder(&journal, config).run()?;
    market.publisher::<Main>()?.send(&Open {})?;
    print!("{}", market.join()?);
    Ok(())
}

/// Kills the first process when its journal has so many records: read here, while it is written there.
fn kill_in_the_middle(dir: &Path, child: &mut Child) -> Result<u64, Box<dyn Error>> {
    let begun = Instant::now();
    let mut seen = 0;
    let mut reader = None;
    while seen < MIDDLE {
        match &mut reader {
            None => reader = Reader::open(dir).ok(),
            Some(reader) => {
                while seen < MIDDLE && reader.next()?.is_some() {
                    seen += 1;
                }
            }
        }
        let is_late = begun.elapsed() > Duration::from_secs(300);
        assert!(!is_late, "it does nothing");
    }
    child.kill()?;
    child.wait()?;
    Ok(reader.map_or(Ok(0), |reader| reader.newest())?)
}

/// The second process: goes on where the first one was, to the end of the day.
fn second(dir: &Path, config: Config) -> Result<Report, Box<dyn Error>> {
    let journal = Journal::open(dir, JournalConfig::new())?;
    println!("The journal was left so: {:?}", journal.recovery());
    let market = Market::builder(&journal, config).restore().run()?;
    let mut reports = market.subscribe_from::<(Report,)>(Start::Oldest)?;
    let report = reports.receive()?;
    let ended = market.stop()?;
    assert!(ended.failures.is_empty(), "{ended}");
    Ok(report.ok_or("stopped too early")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let limits = Limits::default();
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if let [dir, feed] = &arguments[..] {
        let feed = feed.clone();
        return first(dir, Config { feed, limits });
    }

    let home = std::env::temp_dir().join(format!("messenger-replay-{}", std::process::id()));
    let dir = home.join("journal");
    // What one has left that had this number before.
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&home)?;
    let feed = home.join("day.itch");
    let (seed, actions) = (7, 8000);
    let day = Day { seed, actions }.write();
    fs::write(&feed, &day)?;
    let config = Config { feed, limits };

    let mut child = Command::new(std::env::current_exe()?)
        .args([&dir, &config.feed])
        .spawn()?;
    let killed_at = kill_in_the_middle(&dir, &mut child)?;
    println!("The first process was killed when its journal had got to position {killed_at}.");

    let report = second(&dir, config.clone())?;
    println!("{report}");
    assert_eq!(report, fold(&day, &limits), "as if nothing had happened");

    // Nothing is published from here on: a reader is enough, as it would be for a copy on another machine.
    let reader = Reader::open(&dir)?;
    assert!(reader.newest()? > killed_at, "it was in the middle");
    let replayed = Market::builder(&reader, config.clone()).replay(Replay::all())?;
    print!("{replayed}");
    assert!(replayed.is_exact());
    assert!(replayed.unrecorded.is_empty());

    // A build that would have let smaller orders pass only.
    let mut changed = config;
    changed.limits.size /= 2;
    let replayed = Market::builder(&reader, changed.clone()).replay(Replay::all())?;
    let divergence = &replayed.divergences[0];
    println!("{divergence}");
    let told = |kind| match kind {
        ActKind::Message { name, .. } => name,
        _ => "?",
    };
    let recorded = divergence.recorded.as_ref().unwrap();
    assert_eq!(recorded.source_name, "Risk");
    assert_eq!(told(recorded.kind), "Approved");
    let sent = divergence.sent.as_ref().map(|act| told(act.kind));
    assert_eq!(sent, Some("Rejected"));

    // It can't go on with this journal either: that is said before it does any harm.
    let journal = Journal::open(&dir, JournalConfig::new())?;
    let refused = Market::builder(&journal, changed).restore().run();
    assert!(matches!(refused, Err(StartError::Diverged(same)) if *same == *divergence));
    journal.close()?;
    fs::remove_dir_all(&home)?;
    Ok(())
}
