//! The parent: makes the bus, starts the others, kills one of them, and listens.

use crate::deaths::Deaths;
use crate::family::{Home, Member};
use crate::market::{Config, Market};
use messenger::SubscribeError;
use messenger::shared::{Change, SharedBus};
use messenger_examples::market_data::day::Day;
use messenger_examples::market_data::fold::fold;
use messenger_examples::market_data::handlers::Main;
use messenger_examples::market_data::itch::wire::{AddOrder, OrderDelete};
use messenger_examples::market_data::messages::*;
use messenger_examples::market_data::report::Report;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, process, thread};

/// Which workers run together; the last ones are killed.
const SPLIT: [&[&str]; 3] = [&["Reading"], &["Booking", "Trading"], &["Counting"]];
/// How often.
const KILLS: usize = 24;
/// For how long the bus keeps what a dead worker has still to read.
const HOLD: Duration = Duration::from_secs(60);
/// How long nothing may happen at all.
const PATIENCE: Duration = Duration::from_secs(120);

/// What of the flow is listened to.
type Flow = (
    AddOrder,
    OrderDelete,
    Quote,
    Execution,
    Order,
    Approved,
    Batch,
    Report,
);

pub(crate) fn an_invented_day() -> Result<(), Box<dyn Error>> {
    let home = Home::new(&name())?;
    let (seed, actions) = (7, 30_000);
    let day = Day { seed, actions }.write();
    let feed = home.path().join("day.itch");
    fs::write(&feed, &day)?;
    let config = Config::new(feed, home.path().join("desk"));

    let (report, deaths) = a_day(&name(), &config)?;
    assert_eq!(report, fold(&day, &config.limits), "as if nobody had died");
    assert!(deaths >= KILLS / 2, "{deaths} deaths");
    Ok(())
}

pub(crate) fn a_day_of_your_own(feed: &Path) -> Result<(), Box<dyn Error>> {
    let home = Home::new(&name())?;
    a_day(&name(), &Config::new(feed, home.path().join("desk")))?;
    Ok(())
}

/// What nobody else is called.
fn name() -> String {
    format!("processes-{}", process::id())
}

/// Gives the report on the day, and how often somebody died in it.
fn a_day(name: &str, config: &Config) -> Result<(Report, usize), Box<dyn Error>> {
    let shared = SharedBus::options()
        .bytes(1 << 20)
        .hold_for_workers(HOLD)
        .process_name("parent")
        .create(name)?;
    let file = shared.path().to_owned();
    let changes = shared.membership();
    // None of the table's workers runs here.
    let market = Market::builder(&shared, config.clone()).outside().run()?;
    let mut flow = market.subscribe::<Flow>()?;

    let start = |workers| Member::start(name, config, workers);
    let mut others = SPLIT
        .map(start)
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let mut last = Instant::now();
    let is_late = |last: Instant| match last.elapsed() > PATIENCE {
        true => Err(format!("nothing has happened for {PATIENCE:?}")),
        false => Ok(()),
    };
    // Who isn't there yet when the day begins would not hear of it.
    let running = || {
        let workers = shared.workers().into_iter();
        workers.filter(|worker| worker.process.is_some()).count()
    };
    while running() < 4 {
        others.iter_mut().try_for_each(Member::check)?;
        is_late(last)?;
        thread::sleep(Duration::from_millis(1));
    }
    market.publisher::<Main>()?.send(&Open {})?;

    let mut deaths = Deaths::new();
    let mut missed = 0;
    // After so many records more the process that counts is killed; it has still to come, if there is no number.
    let mut left = None;
    last = Instant::now();
    let report = loop {
        match flow.next_timeout(Duration::from_millis(1)) {
            Ok(Some(received)) => {
                deaths.record();
                last = Instant::now();
                left = left.map(|left: usize| left.saturating_sub(1));
                if let Some(report) = received.get::<Report>() {
                    break report?;
                }
            }
            Ok(None) => others.iter_mut().try_for_each(Member::check)?,
            // An observer holds back nobody; so it may be too slow.
            Err(SubscribeError::Lagged { skipped }) => missed += skipped,
            Err(error) => return Err(error.into()),
        }
        let Some(victim) = others.last_mut() else {
            unreachable!("there are three");
        };
        if left == Some(0) && deaths.count() < KILLS {
            left = None;
            deaths.kill();
            victim.kill()?;
        }
        for change in changes.try_iter() {
            let of_victim = change.process.pid == victim.pid();
            match change.change {
                Change::Died { .. } if of_victim && victim.killed => {
                    deaths.told(&change);
                    *victim = start(SPLIT[2])?;
                }
                Change::Joined if of_victim && left.is_none() => {
                    deaths.replaced();
                    // Sometimes at once, sometimes later.
                    left = Some((1 + deaths.count()) * 379 % 600);
                }
                _ => {}
            }
        }
        is_late(last)?;
    };
    println!("{report}\n{deaths}");
    if missed > 0 {
        println!("(The parent was too slow to see {missed} bytes of records.)");
    }

    for failure in market.stop()?.failures {
        println!("the parent: {failure}");
    }
    others.into_iter().try_for_each(Member::stop)?;
    drop((flow, shared));
    assert!(!file.exists(), "the bus goes with the last who uses it");
    Ok((report, deaths.count()))
}
