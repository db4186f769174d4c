//! Reads the exchange's file and puts its records on the bus, as they are.

use super::Hid;
use crate::market_data::itch::wire::{
    AddOrder, AddOrderAttributed, CrossTrade, OrderCancel, OrderDelete, OrderExecuted,
    OrderExecutedAt, OrderReplace, StockDirectory, SystemEvent, Trade,
};
use crate::market_data::itch::{Reader, Record};
use crate::market_data::messages::{Batch, Open, Tally};
use messenger::{Handle, Handler, HandlerError, Outbox, Result};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Records that are on their way at a time.
const BATCH: usize = 512;

/// The feed handler.
#[derive(Handler)]
#[handler(id = Hid::Feed, sends(
    SystemEvent, StockDirectory, AddOrder, AddOrderAttributed, OrderExecuted, OrderExecutedAt,
    OrderCancel, OrderDelete, OrderReplace, Trade, CrossTrade, Batch, Tally,
))]
pub struct Feed {
    reader: Reader<BufReader<File>>,
    tally: Tally,
    batches: u64,
}

impl Feed {
    /// Opens a file.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path)
            .map_err(|error| HandlerError::new(format!("{}: {error}", path.display())))?;
        Ok(Self {
            reader: Reader::new(BufReader::new(file)),
            tally: Tally::default(),
            batches: 0,
        })
    }

    fn batch(&mut self, out: &mut Outbox<'_, Self>) -> Result {
        for _ in 0..BATCH {
            match self.reader.read() {
                Ok(Some(record)) => {
                    self.tally.records += 1;
                    self.tally.skipped += u64::from(matches!(record, Record::Skipped(_)));
                    send(record, out)?;
                }
                Ok(None) => {
                    out.send(&self.tally)?;
                    return self.end(true, out);
                }
                Err(error) => {
                    self.tally.malformed += 1;
                    self.tally
                        .first_error
                        .get_or_insert_with(|| error.to_string());
                }
            }
        }
        self.end(false, out)
    }

    fn end(&mut self, last: bool, out: &mut Outbox<'_, Self>) -> Result {
        self.batches += 1;
        let number = self.batches;
        out.send(&Batch { number, last })
    }
}

fn send(record: Record<'_>, out: &mut Outbox<'_, Feed>) -> Result {
    match record {
        Record::SystemEvent(m) => out.send(m),
        Record::StockDirectory(m) => out.send(m),
        Record::AddOrder(m) => out.send(m),
        Record::AddOrderAttributed(m) => out.send(m),
        Record::OrderExecuted(m) => out.send(m),
        Record::OrderExecutedAt(m) => out.send(m),
        Record::OrderCancel(m) => out.send(m),
        Record::OrderDelete(m) => out.send(m),
        Record::OrderReplace(m) => out.send(m),
        Record::Trade(m) => out.send(m),
        Record::CrossTrade(m) => out.send(m),
        Record::Skipped(_) => Ok(()),
    }
}

impl Handle<Open> for Feed {
    fn handle(&mut self, _: &Open, out: &mut Outbox<'_, Self>) -> Result {
        self.batch(out)
    }
}

/// The desk has seen a batch. One that died and came again may say so twice.
impl Handle<Batch> for Feed {
    fn handle(&mut self, m: &Batch, out: &mut Outbox<'_, Self>) -> Result {
        if m.last || m.number < self.batches {
            return Ok(());
        }
        self.batch(out)
    }
}
