//! Keeps the day's figures, and reports them at its end.

use super::Hid;
use crate::market_data::itch::wire::{CrossTrade, StockDirectory, Trade};
use crate::market_data::messages::{Approved, Batch, Breach, Execution, Quote, Rejected, Tally};
use crate::market_data::report::{Report, Stock};
use messenger::message::Message;
use messenger::{Handle, Handler, Outbox, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The desk handler.
#[derive(Handler, Default)]
#[handler(id = Hid::Desk, sends(Batch, Report))]
pub struct Desk {
    figures: Figures,
}

impl<M: Message> Handle<M> for Desk
where
    Figures: Count<M>,
{
    fn handle(&mut self, m: &M, _: &mut Outbox<'_, Self>) -> Result {
        self.figures.count(m);
        Ok(())
    }
}

/// The batch has passed all the others, and what they sent of it stands before it on the bus:
/// the desk has seen it all.
impl Handle<Batch> for Desk {
    fn handle(&mut self, m: &Batch, out: &mut Outbox<'_, Self>) -> Result {
        if m.last {
            out.send(self.figures.close())?;
        }
        out.send(m)
    }
}

/// The figures of a day so far.
///
/// They do not depend on how the sources' messages come between each other: they add up,
/// and of prices they keep the last that one source said.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Figures {
    report: Report,
    stocks: BTreeMap<u16, Stock>,
    /// By instrument, what our orders paid less what they were paid.
    paid: BTreeMap<u16, i64>,
}

/// What counts messages of one type.
pub trait Count<M> {
    /// Counts one.
    fn count(&mut self, m: &M);
}

impl Figures {
    fn stock(&mut self, instrument: u16) -> &mut Stock {
        self.stocks.entry(instrument).or_default()
    }

    /// The report, if the day ended now.
    pub fn close(&mut self) -> &Report {
        for (instrument, stock) in &mut self.stocks {
            let paid = self.paid.get(instrument).copied().unwrap_or_default();
            let twice_middle = i64::from(stock.bid) + i64::from(stock.ask);
            stock.profit = (stock.position * twice_middle - 2 * paid) / 2;
        }
        self.report.stocks = self.stocks.values().cloned().collect();
        &self.report
    }
}

impl Count<StockDirectory> for Figures {
    fn count(&mut self, m: &StockDirectory) {
        self.stock(m.header.instrument.get()).symbol = m.stock.to_string();
    }
}

impl Count<Trade> for Figures {
    fn count(&mut self, m: &Trade) {
        self.stock(m.header.instrument.get())
            .trade(m.shares.get().into(), m.price.get());
    }
}

impl Count<CrossTrade> for Figures {
    fn count(&mut self, m: &CrossTrade) {
        self.stock(m.header.instrument.get())
            .trade(m.shares.get(), m.price.get());
    }
}

impl Count<Execution> for Figures {
    fn count(&mut self, m: &Execution) {
        self.stock(m.instrument as u16).trade(m.shares, m.price);
    }
}

impl Count<Quote> for Figures {
    fn count(&mut self, m: &Quote) {
        self.report.quotes += 1;
        let stock = self.stock(m.instrument as u16);
        (stock.bid, stock.ask) = (m.top.bid.price, m.top.ask.price);
    }
}

impl Count<Approved> for Figures {
    fn count(&mut self, m: &Approved) {
        let quantity = m.order.quantity();
        self.report.approved += 1;
        self.stock(m.order.instrument).position += quantity;
        *self.paid.entry(m.order.instrument).or_default() += quantity * i64::from(m.order.price);
    }
}

impl Count<Rejected> for Figures {
    fn count(&mut self, m: &Rejected) {
        let rejected = &mut self.report.rejected;
        *match m.breach {
            Breach::Size { .. } => &mut rejected.size,
            Breach::Rate { .. } => &mut rejected.rate,
            Breach::Position { .. } => &mut rejected.position,
            Breach::Exposure { .. } => &mut rejected.exposure,
        } += 1;
    }
}

impl Count<Tally> for Figures {
    fn count(&mut self, m: &Tally) {
        self.report.feed = m.clone();
    }
}
