//! A table of handlers and messages that are all of another crate, with names which the macro uses itself.

#![forbid(unsafe_code)]
#![deny(missing_docs, unused, rust_2018_idioms, unreachable_pub)]

use bus_framework::bus::{Bus, BusConfig};
use messenger_hygiene::{App, None, Ok, Route, Some, Worker};

/// Not what the macro calls its own.
#[derive(Debug)]
pub struct WorkerWorker(u16);

/// Neither is this.
pub const ROUTES: u16 = 3;

bus_framework::messenger! {
    /// A table.
    #[derive(PartialEq)]
    pub(crate) Faults(config: WorkerWorker);

    outside: [ Route ]

    Worker:
        handlers: [ find: messenger_hygiene::Worker = Worker ]
        routes: [ Route, Some: [find] ]

    Table:
        handlers: [
            making: App = App { seen: config.0 },
            table: App as ROUTES + 1 = Result::<App, std::fmt::Error>::Ok(App { seen: ROUTES })?,
        ]
        routes: [
            Worker, Some: [making],
            Worker, None<'_>: [table, making],
            Worker, Ok: [table],
        ]
}

#[test]
fn runs() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new(BusConfig::bytes(1 << 16))?;
    let app = Faults::builder(bus, WorkerWorker(7))
        .only([Faults::WORKER, Faults::TABLE])
        .run()?;
    app.publisher::<Route>()?.send(&Some { count: 7 })?;
    let report = app.join()?;
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(report.workers[1].messages, 3);
    Result::Ok(())
}

#[test]
fn runs_without_prelude() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new(BusConfig::bytes(1 << 16))?;
    let app = messenger_hygiene::Table::builder(bus, 1).run()?;
    app.publisher::<Route>()?.send(&Some { count: 1 })?;
    app.join()?;
    Result::Ok(())
}

/// Called as others call what they bring along.
pub mod lib {
    /// Made by a macro, of which the table shows no more than the name.
    pub const SEEN: u16 = 7;
}

/// What the macro of the table can't look into.
macro_rules! app {
    () => {
        App { seen: lib::SEEN }
    };
}

bus_framework::messenger! {
    pub(crate) Made;

    outside: [ Route ]

    Table:
        handlers: [ app: App = app!() ]
        routes: [ Route, Some: [app] ]
}

#[test]
fn runs_what_macros_make() -> Result<(), Box<dyn std::error::Error>> {
    let app = Made::builder(Bus::new(BusConfig::bytes(1 << 16))?).run()?;
    app.publisher::<Route>()?.send(&Some { count: 8 })?;
    let report = app.join()?;
    assert!(report.failures.is_empty(), "{report:?}");
    Result::Ok(())
}

bus_framework::messenger! {
    #[cfg(not(test))]
    pub Absent;

    Table:
        handlers: [ nothing: Nowhere = Nowhere ]
        routes: []
}
