//! Keeps the day's figures, and reports them at its end.

use super::Hid;
use crate::market_data::itch::wire::{CrossTrade, StockDirectory, Trade};
use crate::market_data::messages::{Approved, Batch, Breach, Execution, Quote, Rejected, Tally};
use crate::market_data::report::{Report, Stock};
use messenger::{Handle, Handler, Outbox, Result};
use std::collections::BTreeMap;

/// The desk handler.
///
/// Its figures do not depend on how the sources' messages come between each other: it adds up,
/// and of prices it keeps the last that one source said.
#[derive(Handler, Default)]
#[handler(id = Hid::Desk, sends(Batch, Report))]
pub struct Desk {
    report: Report,
    stocks: BTreeMap<u16, Stock>,
    /// By instrument, what our orders paid less what they were paid.
    paid: BTreeMap<u16, i64>,
}

impl Desk {
    fn stock(&mut self, instrument: u16) -> &mut Stock {
        self.stocks.entry(instrument).or_default()
    }

    fn close(&mut self) -> &Report {
        for (instrument, stock) in &mut self.stocks {
            let paid = self.paid.get(instrument).copied().unwrap_or_default();
            let twice_middle = i64::from(stock.bid) + i64::from(stock.ask);
            stock.profit = (stock.position * twice_middle - 2 * paid) / 2;
        }
        self.report.stocks = self.stocks.values().cloned().collect();
        &self.report
    }
}

impl Handle<StockDirectory> for Desk {
    fn handle(&mut self, m: &StockDirectory, _: &mut Outbox<'_, Self>) -> Result {
        self.stock(m.header.instrument.get()).symbol = m.stock.to_string();
        Ok(())
    }
}

impl Handle<Trade> for Desk {
    fn handle(&mut self, m: &Trade, _: &mut Outbox<'_, Self>) -> Result {
        self.stock(m.header.instrument.get())
            .trade(m.shares.get().into(), m.price.get());
        Ok(())
    }
}

impl Handle<CrossTrade> for Desk {
    fn handle(&mut self, m: &CrossTrade, _: &mut Outbox<'_, Self>) -> Result {
        self.stock(m.header.instrument.get())
            .trade(m.shares.get(), m.price.get());
        Ok(())
    }
}

impl Handle<Execution> for Desk {
    fn handle(&mut self, m: &Execution, _: &mut Outbox<'_, Self>) -> Result {
        self.stock(m.instrument as u16).trade(m.shares, m.price);
        Ok(())
    }
}

impl Handle<Quote> for Desk {
    fn handle(&mut self, m: &Quote, _: &mut Outbox<'_, Self>) -> Result {
        self.report.quotes += 1;
        let stock = self.stock(m.instrument as u16);
        (stock.bid, stock.ask) = (m.top.bid.price, m.top.ask.price);
        Ok(())
    }
}

impl Handle<Approved> for Desk {
    fn handle(&mut self, m: &Approved, _: &mut Outbox<'_, Self>) -> Result {
        let quantity = m.order.quantity();
        self.report.approved += 1;
        self.stock(m.order.instrument).position += quantity;
        *self.paid.entry(m.order.instrument).or_default() += quantity * i64::from(m.order.price);
        Ok(())
    }
}

impl Handle<Rejected> for Desk {
    fn handle(&mut self, m: &Rejected, _: &mut Outbox<'_, Self>) -> Result {
        let rejected = &mut self.report.rejected;
        *match m.breach {
            Breach::Size { .. } => &mut rejected.size,
            Breach::Rate { .. } => &mut rejected.rate,
            Breach::Position { .. } => &mut rejected.position,
            Breach::Exposure { .. } => &mut rejected.exposure,
        } += 1;
        Ok(())
    }
}

impl Handle<Tally> for Desk {
    fn handle(&mut self, m: &Tally, _: &mut Outbox<'_, Self>) -> Result {
        self.report.feed = m.clone();
        Ok(())
    }
}

/// The batch has passed all the others, and what they sent of it stands before it on the bus:
/// the desk has seen it all.
impl Handle<Batch> for Desk {
    fn handle(&mut self, m: &Batch, out: &mut Outbox<'_, Self>) -> Result {
        if m.last {
            out.send(self.close())?;
        }
        out.send(m)
    }
}
