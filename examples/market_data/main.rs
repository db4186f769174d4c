//! A day at the exchange, as five nano-services on four threads.
//!
//! *Feed* reads a file in the format of NASDAQ's TotalView-ITCH 5.0 and puts its records on the
//! bus as they are; *book* keeps the order books; *signal* looks for prices about to move;
//! *risk* lets pass what keeps within the limits; *desk* keeps the figures. The file that is
//! shipped is invented (`cargo run --example market_data_gen`), a real one reads as well:
//!
//! ```text
//! cargo run --example market_data              the day that is shipped
//! cargo run --example market_data -- FEED      a day of your own
//! ```

use messenger::bus::{Bus, BusConfig, Start};
use messenger::messenger;
use messenger_examples::market_data::fold::fold;
use messenger_examples::market_data::handlers::{Book, Desk, Feed, Limits, Main, Risk, Signal};
use messenger_examples::market_data::itch::wire::*;
use messenger_examples::market_data::messages::*;
use messenger_examples::market_data::report::Report;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

/// The day that is shipped.
const SAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/market_data/sample.itch");

struct Config {
    feed: PathBuf,
    limits: Limits,
}

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

fn a_day(bus: Bus, config: Config) -> Result<Report, Box<dyn Error>> {
    let market = Market::builder(bus, config).run()?;
    let mut reports = market.subscribe_gating::<(Report,)>(Start::Newest)?;
    market.publisher::<Main>()?.send(&Open {})?;
    let report = reports.receive()?;
    for failure in market.stop()?.failures {
        println!("{failure}");
    }
    Ok(report.ok_or("stopped too early")?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let own = std::env::args_os().nth(1).map(PathBuf::from);
    let feed = own.clone().unwrap_or(SAMPLE.into());
    let limits = Limits::default();

    let bus = Bus::new(BusConfig::bytes(4 << 20))?;
    let report = a_day(bus, Config { feed, limits })?;
    println!("{report}");
    if own.is_none() {
        let by_one_loop = fold(&fs::read(SAMPLE)?, &limits);
        assert_eq!(report, by_one_loop);
    }

    let picture = std::env::current_exe()?.with_extension("svg");
    fs::write(&picture, Market::graph().svg())?;
    println!("The routes are drawn in {}", picture.display());
    Ok(())
}

#[cfg(all(test, not(miri)))]
mod tests;
