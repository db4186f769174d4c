//! Looks for an instrument about to move, and wants to trade before it does.

use super::Hid;
use crate::market_data::book::Top;
use crate::market_data::itch::wire::{Event, Side, SystemEvent};
use crate::market_data::messages::{Batch, Order, Quote};
use messenger::{Handle, Handler, Outbox, Result};
use std::collections::HashMap;

/// The most shares that the signal wants at once.
pub const CLIP: u32 = 400;

/// The signal handler.
///
/// Where many shares want to buy and few to sell, the next price is likely the higher one. The
/// *microprice* says so in dollars: the middle between the best prices, weighted by the shares
/// of the *other* side. When it comes within a quarter of the spread of a price, that price is
/// about to go, and the signal takes it: once, until the book has leant another way.
#[derive(Handler, Default)]
#[handler(id = Hid::Signal, sends(Order, Batch))]
pub struct Signal {
    open: bool,
    leaning: HashMap<u32, Side>,
    orders: u64,
}

impl Signal {
    /// What to do about a quote.
    fn consider(&mut self, quote: &Quote) -> Option<Order> {
        let side = lean(&quote.top);
        let before = match side {
            Some(side) => self.leaning.insert(quote.instrument, side),
            None => self.leaning.remove(&quote.instrument),
        };
        if !self.open || side == before {
            return None;
        }
        let side = side?;
        let level = match side {
            Side::Buy => quote.top.ask,
            Side::Sell => quote.top.bid,
        };
        self.orders += 1;
        Some(Order {
            id: self.orders,
            at: quote.at,
            instrument: quote.instrument as u16,
            side,
            shares: level.shares.min(u64::from(CLIP)) as u32,
            price: level.price,
        })
    }
}

/// Where the microprice leans, if it does.
fn lean(Top { bid, ask }: &Top) -> Option<Side> {
    if bid.shares == 0 || ask.shares == 0 || bid.price >= ask.price {
        return None;
    }
    let wide = |x: u64| u128::from(x);
    let (low, high) = (u128::from(bid.price), u128::from(ask.price));
    let total = wide(bid.shares) + wide(ask.shares);
    let micro = (low * wide(ask.shares) + high * wide(bid.shares)) / total;
    let quarter = (high - low) / 4;
    if micro >= high - quarter {
        Some(Side::Buy)
    } else if micro <= low + quarter {
        Some(Side::Sell)
    } else {
        None
    }
}

impl Handle<Quote> for Signal {
    fn handle(&mut self, m: &Quote, out: &mut Outbox<'_, Self>) -> Result {
        match self.consider(m) {
            Some(order) => out.send(&order),
            None => Ok(()),
        }
    }
}

impl Handle<SystemEvent> for Signal {
    fn handle(&mut self, m: &SystemEvent, _: &mut Outbox<'_, Self>) -> Result {
        match m.event {
            Event::StartOfMarketHours => self.open = true,
            Event::EndOfMarketHours => self.open = false,
            _ => {}
        }
        Ok(())
    }
}

impl Handle<Batch> for Signal {
    fn handle(&mut self, m: &Batch, out: &mut Outbox<'_, Self>) -> Result {
        out.send(m)
    }
}

#[cfg(test)]
mod tests {
    use super::{Signal, lean};
    use crate::market_data::book::{Level, Top};
    use crate::market_data::itch::wire::Side;
    use crate::market_data::messages::Quote;

    fn top(buying: u64, selling: u64) -> Top {
        let level = |shares, price| Level {
            shares,
            price,
            orders: 1,
        };
        Top {
            bid: level(buying, 10_0000),
            ask: level(selling, 10_0400),
        }
    }

    fn quote(buying: u64, selling: u64) -> Quote {
        Quote {
            top: top(buying, selling),
            at: 5,
            instrument: 1,
            number: 0,
        }
    }

    #[test]
    fn it_leans_to_where_few_shares_stand_in_the_way() {
        assert_eq!(lean(&top(300, 100)), Some(Side::Buy));
        assert_eq!(lean(&top(299, 100)), None);
        assert_eq!(lean(&top(100, 300)), Some(Side::Sell));
        assert_eq!(lean(&top(0, 300)), None);
        assert_eq!(lean(&Top::default()), None);
        let huge = Level {
            shares: u64::MAX,
            price: u32::MAX,
            orders: 1,
        };
        let low = Level { price: 1, ..huge };
        assert_eq!(
            lean(&Top {
                bid: low,
                ask: huge
            }),
            None
        );
        assert_eq!(
            lean(&Top {
                bid: huge,
                ask: low
            }),
            None,
            "crossed"
        );
    }

    #[test]
    fn it_trades_once_per_lean_and_only_while_the_market_is_open() {
        let mut signal = Signal::default();
        assert_eq!(signal.consider(&quote(100, 900)), None);
        signal.open = true;
        assert_eq!(
            signal.consider(&quote(100, 900)),
            None,
            "it leant there already"
        );
        assert_eq!(signal.consider(&quote(500, 500)), None);
        let order = signal.consider(&quote(900, 100)).unwrap();
        assert_eq!(
            (order.side, order.shares, order.price),
            (Side::Buy, 100, 10_0400)
        );
        assert_eq!(signal.consider(&quote(950, 100)), None);
        let order = signal.consider(&quote(500, 9000)).unwrap();
        assert_eq!(
            (order.side, order.shares, order.price),
            (Side::Sell, 400, 10_0000)
        );
    }
}
