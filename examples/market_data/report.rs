//! The day in a few lines.

use crate::market_data::messages::{Mid, Tally};
use core::fmt;
use messenger::Message;
use serde::{Deserialize, Serialize};

/// What the desk knows at the end of the day.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, Message)]
#[message(id = Mid::Report, codec = bincode)]
pub struct Report {
    /// What was in the file.
    pub feed: Tally,
    /// How often a best price changed.
    pub quotes: u64,
    /// Orders that kept within the limits.
    pub approved: u64,
    /// Orders that did not.
    pub rejected: Rejections,
    /// One line for each instrument, by its number.
    pub stocks: Vec<Stock>,
}

/// How many orders broke which limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Rejections {
    /// Too large.
    pub size: u64,
    /// Too many in a second.
    pub rate: u64,
    /// Too much of one instrument.
    pub position: u64,
    /// Too much of everything.
    pub exposure: u64,
}

/// The day of one instrument. Prices are in ten-thousandths of a dollar, 0 where there was none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Stock {
    /// Its symbol.
    pub symbol: String,
    /// Trades.
    pub trades: u64,
    /// Shares traded.
    pub volume: u64,
    /// Shares times price, over all trades.
    pub turnover: u128,
    /// The lowest price.
    pub low: u32,
    /// The highest price.
    pub high: u32,
    /// The last best price to buy.
    pub bid: u32,
    /// The last best price to sell.
    pub ask: u32,
    /// Shares bought less shares sold by our orders, were each filled at its price.
    pub position: i64,
    /// What they won or lost, valued in the middle of the last prices.
    pub profit: i64,
}

impl Stock {
    /// Counts a trade.
    pub fn trade(&mut self, shares: u64, price: u32) {
        self.low = if self.trades == 0 {
            price
        } else {
            self.low.min(price)
        };
        self.high = self.high.max(price);
        self.trades += 1;
        self.volume = self.volume.saturating_add(shares);
        self.turnover += u128::from(shares) * u128::from(price);
    }
}

/// An amount in ten-thousandths of a dollar, shown in dollars.
struct Dollars(i128);

impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, amount) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        f.pad_integral(
            true,
            "",
            &format!("{sign}{}.{:04}", amount / 10_000, amount % 10_000),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            records,
            skipped,
            malformed,
            first_error,
        } = &self.feed;
        writeln!(
            f,
            "records  {records}, of which {skipped} skipped; malformed {malformed}"
        )?;
        if let Some(error) = first_error {
            writeln!(f, "         {error}")?;
        }
        let Rejections {
            size,
            rate,
            position,
            exposure,
        } = self.rejected;
        writeln!(f, "quotes   {}", self.quotes)?;
        writeln!(f, "orders   {} approved", self.approved)?;
        writeln!(
            f,
            "         rejected: {size} for size, {rate} for rate, {position} for position, \
             {exposure} for exposure"
        )?;
        writeln!(
            f,
            "\n{:8} {:>6} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8} {:>12}",
            "stock", "trades", "volume", "vwap", "low", "high", "bid", "ask", "position", "profit"
        )?;
        for stock in &self.stocks {
            let price = |price: u32| Dollars(i128::from(price));
            let vwap = stock
                .turnover
                .checked_div(u128::from(stock.volume))
                .unwrap_or(0);
            writeln!(
                f,
                "{:8} {:>6} {:>8} {:>10} {:>10} {:>10} {:>10} {:>10} {:>8} {:>12}",
                stock.symbol,
                stock.trades,
                stock.volume,
                Dollars(vwap as i128),
                price(stock.low),
                price(stock.high),
                price(stock.bid),
                price(stock.ask),
                stock.position,
                Dollars(i128::from(stock.profit)),
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Dollars, Report, Stock};

    #[test]
    fn amounts_read_as_dollars() {
        assert_eq!(format!("{:>9}", Dollars(12_3400)), "  12.3400");
        assert_eq!(Dollars(-5).to_string(), "-0.0005");
        assert_eq!(Dollars(-12_3400).to_string(), "-12.3400");
    }

    #[test]
    fn a_stock_that_never_traded_has_no_prices() {
        let mut report = Report::default();
        report.stocks.push(Stock {
            symbol: "ZVZZT".into(),
            ..Stock::default()
        });
        assert!(
            report
                .to_string()
                .contains("ZVZZT         0        0     0.0000")
        );
        report.stocks[0].trade(100, 10_0000);
        report.stocks[0].trade(300, 14_0000);
        assert!(
            report
                .to_string()
                .contains("ZVZZT         2      400    13.0000    10.0000")
        );
    }
}
