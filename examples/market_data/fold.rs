//! The same day computed another way: one thread, one loop, lists searched from the start.
//!
//! It shares with the handlers the records, the limits and the shape of the report, and not a
//! line of what they compute: that both agree says something about each.

use crate::market_data::handlers::{CLIP, Limits};
use crate::market_data::itch::wire::{Event, Header, Printable, Side, U32, U64};
use crate::market_data::itch::{Reader, Record};
use crate::market_data::report::{Report, Stock};

/// A resting order.
#[derive(Clone, Copy)]
struct Resting {
    number: u64,
    stock: u16,
    side: Side,
    shares: u32,
    price: u32,
}

/// An approved order, taken for filled.
struct Fill {
    second: u64,
    stock: u16,
    quantity: i64,
    price: u32,
}

/// The best price of each side and its shares: `[bid, ask]`.
type Best = [(u32, u64); 2];

/// The report on a day.
///
/// # Panics
/// If the feed is not right in all its records; this is no place for mercy.
#[must_use]
pub fn fold(feed: &[u8], limits: &Limits) -> Report {
    let mut day = Fold::default();
    let mut reader = Reader::new(feed);
    while let Some(record) = reader.read().expect("a feed without errors") {
        day.report.feed.records += 1;
        day.record(record, limits);
    }
    day.finish()
}

#[derive(Default)]
struct Fold {
    report: Report,
    /// By number of the stock, less one.
    best: Vec<Best>,
    leaning: Vec<Option<Side>>,
    resting: Vec<Resting>,
    fills: Vec<Fill>,
    open: bool,
}

impl Fold {
    fn record(&mut self, record: Record<'_>, limits: &Limits) {
        let (stock, at) = match record {
            Record::SystemEvent(m) => {
                match m.event {
                    Event::StartOfMarketHours => self.open = true,
                    Event::EndOfMarketHours => self.open = false,
                    _ => {}
                }
                return;
            }
            Record::StockDirectory(m) => {
                let symbol = m.stock.to_string();
                self.report.stocks.push(Stock {
                    symbol,
                    ..Stock::default()
                });
                self.best.push(Best::default());
                self.leaning.push(None);
                assert_eq!(self.best.len(), usize::from(m.header.instrument.get()));
                return;
            }
            Record::Trade(m) => {
                let stock = m.header.instrument.get();
                return self
                    .stock(stock)
                    .trade(m.shares.get().into(), m.price.get());
            }
            Record::CrossTrade(m) => {
                let stock = m.header.instrument.get();
                return self.stock(stock).trade(m.shares.get(), m.price.get());
            }
            Record::Skipped(_) => {
                self.report.feed.skipped += 1;
                return;
            }
            Record::AddOrder(m) => (
                self.add(&m.header, m.order, m.side, m.shares, m.price),
                m.header.at,
            ),
            Record::AddOrderAttributed(m) => (
                self.add(&m.header, m.order, m.side, m.shares, m.price),
                m.header.at,
            ),
            Record::OrderExecuted(m) => {
                let old = self.shrink(m.order.get(), m.shares.get());
                self.stock(old.stock)
                    .trade(m.shares.get().into(), old.price);
                (old.stock, m.header.at)
            }
            Record::OrderExecutedAt(m) => {
                let old = self.shrink(m.order.get(), m.shares.get());
                if m.printable == Printable::Yes {
                    self.stock(old.stock)
                        .trade(m.shares.get().into(), m.price.get());
                }
                (old.stock, m.header.at)
            }
            Record::OrderCancel(m) => (
                self.shrink(m.order.get(), m.shares.get()).stock,
                m.header.at,
            ),
            Record::OrderDelete(m) => (self.shrink(m.order.get(), u32::MAX).stock, m.header.at),
            Record::OrderReplace(m) => {
                let old = self.shrink(m.order.get(), u32::MAX);
                self.resting.push(Resting {
                    number: m.new_order.get(),
                    shares: m.shares.get(),
                    price: m.price.get(),
                    ..old
                });
                (old.stock, m.header.at)
            }
        };
        self.look(stock, at.get(), limits);
    }

    fn stock(&mut self, stock: u16) -> &mut Stock {
        &mut self.report.stocks[usize::from(stock) - 1]
    }

    fn add(&mut self, header: &Header, number: U64, side: Side, shares: U32, price: U32) -> u16 {
        let (stock, number) = (header.instrument.get(), number.get());
        let (shares, price) = (shares.get(), price.get());
        self.resting.push(Resting {
            number,
            stock,
            side,
            shares,
            price,
        });
        stock
    }

    /// Takes shares from an order, or what it has.
    fn shrink(&mut self, number: u64, shares: u32) -> Resting {
        let same = |order: &&mut Resting| order.number == number;
        let order = self
            .resting
            .iter_mut()
            .find(same)
            .expect("an order that rests");
        let before = *order;
        order.shares = order.shares.saturating_sub(shares);
        self.resting.retain(|order| order.shares > 0);
        before
    }

    /// Looks at a stock's best prices, and trades if they say so.
    fn look(&mut self, stock: u16, at: u64, limits: &Limits) {
        let here = || self.resting.iter().filter(|order| order.stock == stock);
        let [bids, asks] =
            [Side::Buy, Side::Sell].map(|side| here().filter(move |o| o.side == side));
        let bid = bids.clone().map(|o| o.price).max().unwrap_or(0);
        let ask = asks.clone().map(|o| o.price).min().unwrap_or(0);
        let buying = bids
            .filter(|o| o.price == bid)
            .map(|o| u64::from(o.shares))
            .sum();
        let selling = asks
            .filter(|o| o.price == ask)
            .map(|o| u64::from(o.shares))
            .sum();
        let best = [(bid, buying), (ask, selling)];
        let index = usize::from(stock) - 1;
        if self.best[index] == best {
            return;
        }
        self.best[index] = best;
        self.report.quotes += 1;
        let lean = lean(best);
        let before = std::mem::replace(&mut self.leaning[index], lean);
        if let (true, Some(side)) = (self.open && lean != before, lean) {
            self.order(stock, at / 1_000_000_000, side, best, limits);
        }
    }

    fn order(&mut self, stock: u16, second: u64, side: Side, best: Best, limits: &Limits) {
        let ((price, shares), sign) = match side {
            Side::Buy => (best[1], 1),
            Side::Sell => (best[0], -1),
        };
        let shares = shares.min(u64::from(CLIP)) as i64;
        let fill = Fill {
            second,
            stock,
            quantity: sign * shares,
            price,
        };
        let position = self.position(stock) + fill.quantity;
        let rejected = &mut self.report.rejected;
        if shares > i64::from(limits.size) {
            rejected.size += 1;
        } else if self.fills.iter().filter(|f| f.second == second).count() >= limits.rate as usize {
            rejected.rate += 1;
        } else if !(-limits.position..=limits.position).contains(&position) {
            rejected.position += 1;
        } else {
            self.fills.push(fill);
            if self.exposure() > limits.exposure {
                self.fills.pop();
                self.report.rejected.exposure += 1;
            } else {
                self.report.approved += 1;
            }
        }
    }

    fn position(&self, stock: u16) -> i64 {
        self.fills
            .iter()
            .filter(|f| f.stock == stock)
            .map(|f| f.quantity)
            .sum()
    }

    fn exposure(&self) -> i64 {
        let last = |stock| self.fills.iter().rfind(|f| f.stock == stock);
        let stocks = 1..=self.best.len() as u16;
        let worth = |f: &Fill| self.position(f.stock).abs() * i64::from(f.price);
        stocks.filter_map(last).map(worth).sum()
    }

    fn finish(mut self) -> Report {
        for (stock, &[(bid, _), (ask, _)]) in (1..).zip(&self.best) {
            let position = self.position(stock);
            let twice_middle = i64::from(bid) + i64::from(ask);
            let mine = self.fills.iter().filter(|f| f.stock == stock);
            let twice_won = mine.map(|f| f.quantity * (twice_middle - 2 * i64::from(f.price)));
            let line = &mut self.report.stocks[usize::from(stock) - 1];
            line.profit = twice_won.sum::<i64>() / 2;
            (line.position, line.bid, line.ask) = (position, bid, ask);
        }
        self.report
    }
}

/// Which side the book leans to: the weighted middle comes within a quarter of the spread.
fn lean([(bid, buying), (ask, selling)]: Best) -> Option<Side> {
    if buying == 0 || selling == 0 || bid >= ask {
        return None;
    }
    let middle = (u64::from(bid) * selling + u64::from(ask) * buying) / (buying + selling);
    let quarter = u64::from((ask - bid) / 4);
    if middle + quarter >= u64::from(ask) {
        Some(Side::Buy)
    } else if middle <= u64::from(bid) + quarter {
        Some(Side::Sell)
    } else {
        None
    }
}
