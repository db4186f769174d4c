//! Lets no order pass that would break a limit.

use super::Hid;
use crate::market_data::messages::{Approved, Batch, Breach, Order, Rejected};
use messenger::{Handle, Handler, Outbox, Result};
use std::collections::HashMap;

/// What may be risked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// Shares of one order.
    pub size: u32,
    /// Approved orders in one second of the exchange's clock.
    pub rate: u32,
    /// Shares of one instrument, held or owed.
    pub position: i64,
    /// What all positions together are worth, in ten-thousandths of a dollar, each at the price
    /// of its last approved order.
    pub exposure: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            size: 300,
            rate: 2,
            position: 1500,
            exposure: 150_000 * 10_000,
        }
    }
}

/// The risk handler. It takes every approved order for filled.
#[derive(Handler)]
#[handler(id = Hid::Risk, sends(Approved, Rejected, Batch))]
pub struct Risk {
    limits: Limits,
    /// By instrument: the position, and the price of the last order.
    held: HashMap<u16, (i64, u32)>,
    second: u64,
    in_second: u32,
}

impl Risk {
    /// Nothing held, nothing risked.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            held: HashMap::new(),
            second: 0,
            in_second: 0,
        }
    }

    fn check(&mut self, order: &Order) -> Result<(), Breach> {
        let Limits {
            size,
            rate,
            position,
            exposure,
        } = self.limits;
        if order.shares > size {
            return Err(Breach::Size {
                shares: order.shares,
                limit: size,
            });
        }
        let second = order.at / 1_000_000_000;
        let in_second = if second == self.second {
            self.in_second
        } else {
            0
        };
        if in_second >= rate {
            return Err(Breach::Rate { limit: rate });
        }
        let (held, _) = self
            .held
            .get(&order.instrument)
            .copied()
            .unwrap_or_default();
        let wanted = held + order.quantity();
        if wanted.abs() > position {
            return Err(Breach::Position {
                position: wanted,
                limit: position,
            });
        }
        let others = self
            .held
            .iter()
            .filter(|(instrument, _)| **instrument != order.instrument);
        let worth = others
            .map(|(_, &(held, price))| held.abs() * i64::from(price))
            .sum::<i64>()
            + wanted.abs() * i64::from(order.price);
        if worth > exposure {
            return Err(Breach::Exposure {
                exposure: worth,
                limit: exposure,
            });
        }
        self.held.insert(order.instrument, (wanted, order.price));
        (self.second, self.in_second) = (second, in_second + 1);
        Ok(())
    }
}

impl Handle<Order> for Risk {
    fn handle(&mut self, m: &Order, out: &mut Outbox<'_, Self>) -> Result {
        match self.check(m) {
            Ok(()) => out.send(&Approved { order: *m }),
            Err(breach) => out.send(&Rejected { order: *m, breach }),
        }
    }
}

impl Handle<Batch> for Risk {
    fn handle(&mut self, m: &Batch, out: &mut Outbox<'_, Self>) -> Result {
        out.send(m)
    }
}

#[cfg(test)]
mod tests {
    use super::{Limits, Risk};
    use crate::market_data::itch::wire::Side;
    use crate::market_data::messages::{Breach, Order};

    fn order(second: u64, instrument: u16, side: Side, shares: u32) -> Order {
        let at = second * 1_000_000_000;
        Order {
            id: 1,
            at,
            instrument,
            side,
            shares,
            price: 10_000,
        }
    }

    #[test]
    fn each_limit_holds_and_says_by_how_much() {
        let limits = Limits {
            size: 100,
            rate: 2,
            position: 250,
            exposure: 300 * 10_000,
        };
        let mut risk = Risk::new(limits);
        let mut check =
            |second, instrument, side, shares| risk.check(&order(second, instrument, side, shares));
        assert_eq!(
            check(1, 1, Side::Buy, 101),
            Err(Breach::Size {
                shares: 101,
                limit: 100
            })
        );
        assert_eq!(check(1, 1, Side::Buy, 100), Ok(()));
        assert_eq!(check(1, 1, Side::Buy, 100), Ok(()));
        assert_eq!(check(1, 1, Side::Buy, 1), Err(Breach::Rate { limit: 2 }));
        assert_eq!(
            check(2, 1, Side::Buy, 51),
            Err(Breach::Position {
                position: 251,
                limit: 250
            }),
            "a new second"
        );
        assert_eq!(
            check(2, 2, Side::Sell, 101 - 1).and(check(2, 3, Side::Buy, 1)),
            Err(Breach::Exposure {
                exposure: 301 * 10_000,
                limit: 300 * 10_000
            }),
            "what is owed counts like what is held"
        );
        assert_eq!(
            check(3, 1, Side::Sell, 100),
            Ok(()),
            "less is always possible"
        );
        assert_eq!(check(3, 3, Side::Buy, 1), Ok(()));
    }

    #[test]
    fn breaches_read_as_sentences() {
        let breaches = [
            (
                Breach::Size {
                    shares: 5,
                    limit: 4,
                },
                "5 shares, at most 4",
            ),
            (Breach::Rate { limit: 2 }, "2 orders in this second already"),
            (
                Breach::Position {
                    position: -9,
                    limit: 8,
                },
                "a position of -9 shares, at most 8",
            ),
            (
                Breach::Exposure {
                    exposure: 20_000,
                    limit: 10_000,
                },
                "an exposure of 2 dollars, at most 1",
            ),
        ];
        for (breach, text) in breaches {
            assert_eq!(breach.to_string(), text);
        }
    }
}
