//! Invents a day of an exchange and writes it as ITCH 5.0: the same seed, the same bytes.
//!
//! Whole numbers only and a generator of its own, so that the bytes are the same on every
//! machine. The stocks are the exchange's test symbols. Prices wander by cents, orders come
//! and go around them, and trades happen at the best price with the oldest order.

mod stock;

use crate::market_data::itch::wire::{
    AddOrder, AddOrderAttributed, CrossTrade, Event, Header, OrderCancel, OrderDelete,
    OrderExecuted, OrderExecutedAt, OrderReplace, Printable, Side, StockDirectory, Symbol,
    SystemEvent, Trade, U16, U32, U48, U64, Wire,
};
use messenger::message::zero_copy;
use stock::{Chance, Live, Stock};

/// What [`Day::sample`] is made from.
const SAMPLE: Day = Day {
    seed: 20_140_203,
    actions: 4200,
};

const STOCKS: [(&str, u32); 5] = [
    ("ZVZZT", 2500),
    ("ZWZZT", 1210),
    ("ZXZZT", 8840),
    ("ZJZZT", 440),
    ("ZAZZT", 31050),
];

const CENT: u32 = 100;
const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3600 * SECOND;

/// A day to be written.
#[derive(Clone, Copy, Debug)]
pub struct Day {
    /// Where chance starts.
    pub seed: u64,
    /// What happens between the opening and the closing bell; about as many records.
    pub actions: usize,
}

impl Day {
    /// The day that lies beside this file as `sample.itch`.
    #[must_use]
    pub fn sample() -> Self {
        SAMPLE
    }

    /// The bytes of the day's feed.
    #[must_use]
    pub fn write(self) -> Vec<u8> {
        let mut exchange = Exchange::new(self.seed);
        exchange.open();
        for _ in 0..self.actions {
            exchange.act();
        }
        exchange.close();
        exchange.feed
    }
}

struct Exchange {
    feed: Vec<u8>,
    chance: Chance,
    now: u64,
    stocks: Vec<Stock>,
    last_order: u64,
    last_match: u64,
}

impl Exchange {
    fn new(seed: u64) -> Self {
        let stock = |(symbol, fair): (&str, u32)| Stock {
            symbol: Symbol::new(symbol),
            fair,
            eager: Side::Buy,
            live: Vec::new(),
        };
        Self {
            feed: Vec::new(),
            chance: Chance(seed),
            now: 3 * HOUR,
            stocks: STOCKS.into_iter().map(stock).collect(),
            last_order: 0,
            last_match: 0,
        }
    }

    /// The morning: who is traded, the first orders, the opening auction.
    fn open(&mut self) {
        self.event(Event::StartOfMessages);
        for stock in 0..self.stocks.len() {
            self.directory(stock);
            self.skipped(b'H', 25, stock);
            self.skipped(b'Y', 20, stock);
            self.skipped(b'L', 26, stock);
        }
        self.now = 4 * HOUR;
        self.event(Event::StartOfSystemHours);
        for _ in 0..20 {
            for stock in 0..self.stocks.len() {
                self.now += self.chance.below(60 * SECOND);
                let side = self.chance.side();
                self.add(stock, side);
            }
        }
        self.now = self.now.max(9 * HOUR + HOUR / 2);
        for stock in 0..self.stocks.len() {
            self.skipped(b'I', 50, stock);
        }
        self.event(Event::StartOfMarketHours);
        self.auctions(b'O');
    }

    /// The evening: the closing auction, and the end.
    fn close(&mut self) {
        self.now = self.now.max(16 * HOUR);
        self.event(Event::EndOfMarketHours);
        self.auctions(b'C');
        self.now = self.now.max(20 * HOUR);
        self.event(Event::EndOfSystemHours);
        self.now += 5 * SECOND;
        self.event(Event::EndOfMessages);
        self.feed.extend([0, 0]);
    }

    /// One thing happens. Most come in bursts, with pauses between them.
    fn act(&mut self) {
        self.now += match self.chance.below(100) {
            0..75 => self.chance.below(SECOND / 5000),
            75..95 => self.chance.below(SECOND / 50),
            _ => self.chance.below(60 * SECOND),
        };
        // The first stocks of the list are the busy ones.
        let stocks = self.stocks.len() as u64;
        let stock = self.chance.below(stocks).min(self.chance.below(stocks)) as usize;
        self.wander(stock);
        let side = self.chance.side();
        let crowd = self.stocks[stock].live.len();
        match self.chance.below(100) {
            0..45 if crowd < 60 => self.add(stock, side),
            45..64 => self.delete(stock),
            64..69 => self.cancel(stock),
            69..85 => self.execute(stock, side),
            85..88 => self.execute_at(stock, side),
            88..96 => self.replace(stock),
            96..99 => self.hidden_trade(stock),
            99.. => self.skipped(b'I', 50, stock),
            _ => self.delete(stock),
        }
    }

    fn wander(&mut self, stock: usize) {
        let roll = self.chance.below(64);
        let stock = &mut self.stocks[stock];
        match roll {
            0 | 1 => stock.fair += 1,
            2 | 3 => stock.fair = (stock.fair - 1).max(50),
            4 => {
                stock.eager = if stock.eager == Side::Buy {
                    Side::Sell
                } else {
                    Side::Buy
                }
            }
            _ => {}
        }
    }

    fn add(&mut self, stock: usize, side: Side) {
        let cents = 1 + self.chance.small(5).min(self.chance.small(9));
        let lots = 1 + self.chance.small(if side == self.stocks[stock].eager {
            9
        } else {
            3
        });
        let price = self.stocks[stock].price(side, cents);
        let live = Live {
            order: self.new_order(),
            side,
            shares: lots * 100,
            price,
        };
        self.stocks[stock].live.push(live);
        let add = AddOrder {
            header: self.header(AddOrder::KIND, stock),
            order: U64::new(live.order),
            side,
            shares: U32::new(live.shares),
            stock: self.stocks[stock].symbol,
            price: U32::new(price),
        };
        if self.chance.below(8) != 0 {
            return self.record(&add);
        }
        let AddOrder {
            header,
            order,
            side,
            shares,
            stock,
            price,
        } = add;
        let header = Header {
            kind: AddOrderAttributed::KIND,
            ..header
        };
        let attribution = *b"TEST";
        self.record(&AddOrderAttributed {
            header,
            order,
            side,
            shares,
            stock,
            price,
            attribution,
        });
    }

    fn delete(&mut self, stock: usize) {
        if let Some(place) = self.any(stock) {
            let live = self.stocks[stock].live.remove(place);
            let header = self.header(OrderDelete::KIND, stock);
            self.record(&OrderDelete {
                header,
                order: U64::new(live.order),
            });
        }
    }

    fn cancel(&mut self, stock: usize) {
        let Some(place) = self.any(stock) else { return };
        let live = self.stocks[stock].live[place];
        if live.shares > 100 {
            let shares = 100 * (1 + self.chance.small(live.shares / 100 - 1));
            self.shrink(stock, place, shares);
            let header = self.header(OrderCancel::KIND, stock);
            let (order, shares) = (U64::new(live.order), U32::new(shares));
            self.record(&OrderCancel {
                header,
                order,
                shares,
            });
        }
    }

    fn execute(&mut self, stock: usize, side: Side) {
        if let Some((order, shares)) = self.trade_with_best(stock, side) {
            let header = self.header(OrderExecuted::KIND, stock);
            let match_number = self.new_match();
            self.record(&OrderExecuted {
                header,
                order,
                shares,
                match_number,
            });
        }
    }

    fn execute_at(&mut self, stock: usize, side: Side) {
        let price = self.stocks[stock].fair * CENT + CENT / 2;
        if let Some((order, shares)) = self.trade_with_best(stock, side) {
            let hidden = self.chance.below(4) == 0;
            let printable = if hidden {
                Printable::No
            } else {
                Printable::Yes
            };
            let record = OrderExecutedAt {
                header: self.header(OrderExecutedAt::KIND, stock),
                order,
                shares,
                match_number: self.new_match(),
                printable,
                price: U32::new(price),
            };
            self.record(&record);
        }
    }

    fn replace(&mut self, stock: usize) {
        let Some(place) = self.any(stock) else { return };
        let old = self.stocks[stock].live.remove(place);
        let cents = 1 + self.chance.small(4);
        let price = self.stocks[stock].price(old.side, cents);
        let shares = 100 * (1 + self.chance.small(6));
        let live = Live {
            order: self.new_order(),
            shares,
            price,
            ..old
        };
        self.stocks[stock].live.push(live);
        let record = OrderReplace {
            header: self.header(OrderReplace::KIND, stock),
            order: U64::new(old.order),
            new_order: U64::new(live.order),
            shares: U32::new(shares),
            price: U32::new(price),
        };
        self.record(&record);
    }

    fn hidden_trade(&mut self, stock: usize) {
        let record = Trade {
            header: self.header(Trade::KIND, stock),
            order: U64::new(0),
            side: Side::Buy,
            shares: U32::new(100 + self.chance.small(400)),
            stock: self.stocks[stock].symbol,
            price: U32::new(self.stocks[stock].fair * CENT),
            match_number: self.new_match(),
        };
        self.record(&record);
    }

    fn auctions(&mut self, cross: u8) {
        for stock in 0..self.stocks.len() {
            let record = CrossTrade {
                header: self.header(CrossTrade::KIND, stock),
                shares: U64::new(1000 + self.chance.below(9000)),
                stock: self.stocks[stock].symbol,
                price: U32::new(self.stocks[stock].fair * CENT),
                match_number: self.new_match(),
                cross,
            };
            self.record(&record);
        }
    }

    fn directory(&mut self, stock: usize) {
        let record = StockDirectory {
            header: self.header(StockDirectory::KIND, stock),
            stock: self.stocks[stock].symbol,
            market_category: b'Q',
            financial_status: b'N',
            round_lot: U32::new(100),
            round_lots_only: b'N',
            classification: b'C',
            subtype: *b"Z ",
            authenticity: b'T',
            short_sale_threshold: b'N',
            ipo: b'N',
            luld_tier: b'1',
            etp: b'N',
            etp_leverage: U32::new(0),
            inverse: b'N',
        };
        self.record(&record);
    }

    fn event(&mut self, event: Event) {
        let mut header = self.header(SystemEvent::KIND, 0);
        header.instrument = U16::new(0);
        self.record(&SystemEvent { header, event });
    }

    /// A record that no order book reads: its type and time, and else nothing.
    fn skipped(&mut self, kind: u8, length: usize, stock: usize) {
        let mut record = vec![0; length];
        let header = self.header(kind, stock);
        record[..size_of::<Header>()].copy_from_slice(zero_copy::bytes_of(&header));
        self.frame(&record);
    }

    /// Takes a part or all of the best order: its number and the shares.
    fn trade_with_best(&mut self, stock: usize, side: Side) -> Option<(U64, U32)> {
        let place = self.stocks[stock].best(side)?;
        let live = self.stocks[stock].live[place];
        let shares = live.shares.min(100 * (1 + self.chance.small(4)));
        self.shrink(stock, place, shares);
        Some((U64::new(live.order), U32::new(shares)))
    }

    fn shrink(&mut self, stock: usize, place: usize, shares: u32) {
        let live = &mut self.stocks[stock].live;
        live[place].shares -= shares;
        if live[place].shares == 0 {
            live.remove(place);
        }
    }

    fn any(&mut self, stock: usize) -> Option<usize> {
        let count = self.stocks[stock].live.len() as u64;
        (count > 0).then(|| self.chance.below(count) as usize)
    }

    fn new_order(&mut self) -> u64 {
        self.last_order += 1 + self.chance.below(20);
        self.last_order
    }

    fn new_match(&mut self) -> U64 {
        self.last_match += 1;
        U64::new(self.last_match)
    }

    fn header(&self, kind: u8, stock: usize) -> Header {
        let (instrument, tracking) = (U16::new(stock as u16 + 1), U16::new(0));
        Header {
            kind,
            instrument,
            tracking,
            at: U48::new(self.now),
        }
    }

    fn record<T: Wire>(&mut self, record: &T) {
        self.frame(zero_copy::bytes_of(record));
    }

    fn frame(&mut self, record: &[u8]) {
        self.feed.extend((record.len() as u16).to_be_bytes());
        self.feed.extend(record);
    }
}

#[cfg(test)]
mod tests;
