//! The table, and a process that runs some of its workers.

use messenger::messenger;
use messenger::shared::SharedBus;
use messenger_examples::market_data::handlers::{Book, Feed, KeptDesk, Limits, Main, Risk, Signal};
use messenger_examples::market_data::itch::wire::*;
use messenger_examples::market_data::messages::*;
use messenger_examples::market_data::report::Report;
use std::error::Error;
use std::path::PathBuf;
use std::{io, thread};

#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) feed: PathBuf,
    pub(crate) desk: PathBuf,
    pub(crate) limits: Limits,
}

impl Config {
    pub(crate) fn new(feed: impl Into<PathBuf>, desk: impl Into<PathBuf>) -> Self {
        Self {
            feed: feed.into(),
            desk: desk.into(),
            limits: Limits::default(),
        }
    }
}

// The table of `market_data`, but for the desk, which keeps its figures in a file.
messenger! {
    pub(crate) Market(config: Config);

    Reading:
        handlers: [ feed: Feed = Feed::open(&config.feed) ]
        routes: [
            Main, Open: [feed],
            KeptDesk, Batch: [feed],
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

    Counting (on_error = stop):
        handlers: [ desk: KeptDesk = KeptDesk::open(&config.desk) ]
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
    drop: [ KeptDesk, Report ]
}

/// Runs the workers with these names until whoever started this process closes its input, or dies.
pub(crate) fn run_workers(
    bus: &str,
    workers: &[String],
    config: Config,
) -> Result<(), Box<dyn Error>> {
    let shared = SharedBus::open(bus)?;
    let market = Market::builder(&shared, config)
        .only_named(workers)?
        .run()?;
    let stopper = market.stopper();
    thread::spawn(move || {
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        stopper.stop();
    });
    for failure in market.join()?.failures {
        println!("{failure}");
    }
    Ok(())
}
