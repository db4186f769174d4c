//! Order books: every resting order, and what they add up to at each price.

use crate::market_data::itch::wire::{AddOrder, AddOrderAttributed, Side};
use core::fmt;
use messenger::Plain;
use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::hash_map::{self, HashMap};

/// What rests at one price of one side. No shares: nothing does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Plain)]
#[repr(C)]
pub struct Level {
    /// The shares of all orders together.
    pub shares: u64,
    /// The price, in ten-thousandths of a dollar.
    pub price: u32,
    /// How many orders.
    pub orders: u32,
}

/// The best level of each side.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Plain)]
#[repr(C)]
pub struct Top {
    /// The highest price that buys.
    pub bid: Level,
    /// The lowest price that sells.
    pub ask: Level,
}

/// A resting order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Resting {
    /// The instrument's number.
    pub instrument: u16,
    /// Whether it buys or sells.
    pub side: Side,
    /// The shares that are left; never zero.
    pub shares: u32,
    /// Its price, in ten-thousandths of a dollar.
    pub price: u32,
}

impl From<&AddOrder> for Resting {
    fn from(m: &AddOrder) -> Self {
        Self {
            instrument: m.header.instrument.get(),
            side: m.side,
            shares: m.shares.get(),
            price: m.price.get(),
        }
    }
}

impl From<&AddOrderAttributed> for Resting {
    fn from(m: &AddOrderAttributed) -> Self {
        Self {
            instrument: m.header.instrument.get(),
            side: m.side,
            shares: m.shares.get(),
            price: m.price.get(),
        }
    }
}

/// The books of all instruments. An operation that fails changes nothing.
#[derive(Debug, Default)]
pub struct Books {
    orders: HashMap<u64, Resting>,
    ladders: HashMap<u16, Ladder>,
}

impl Books {
    /// Adds an order.
    ///
    /// # Errors
    /// The order has no shares, or its number is already in the book.
    pub fn add(&mut self, order: u64, resting: Resting) -> Result<(), BookError> {
        if resting.shares == 0 {
            return Err(BookError::NoShares { order });
        }
        match self.orders.entry(order) {
            hash_map::Entry::Occupied(_) => return Err(BookError::Duplicate { order }),
            hash_map::Entry::Vacant(place) => place.insert(resting),
        };
        self.ladders
            .entry(resting.instrument)
            .or_default()
            .add(&resting);
        Ok(())
    }

    /// Takes shares from an order, which goes when none are left: an execution or a partial
    /// cancel. Returns the order as it was.
    ///
    /// # Errors
    /// The order isn't in the book, or has fewer shares.
    pub fn take(&mut self, order: u64, shares: u32) -> Result<Resting, BookError> {
        let hash_map::Entry::Occupied(mut place) = self.orders.entry(order) else {
            return Err(BookError::Unknown { order });
        };
        let before = *place.get();
        if shares > before.shares {
            return Err(BookError::TooManyShares {
                order,
                shares,
                left: before.shares,
            });
        }
        let gone = shares == before.shares;
        if gone {
            place.remove();
        } else {
            place.get_mut().shares -= shares;
        }
        if let Some(ladder) = self.ladders.get_mut(&before.instrument) {
            ladder.take(&before, shares, gone);
        }
        Ok(before)
    }

    /// Removes an order and returns it.
    ///
    /// # Errors
    /// The order isn't in the book.
    pub fn delete(&mut self, order: u64) -> Result<Resting, BookError> {
        let shares = self.order(order)?.shares;
        self.take(order, shares)
    }

    /// Puts a new order of the same side and instrument in the place of an order, which it
    /// returns.
    ///
    /// # Errors
    /// The order isn't in the book, the new one has no shares, or its number is already there.
    pub fn replace(
        &mut self,
        order: u64,
        new_order: u64,
        shares: u32,
        price: u32,
    ) -> Result<Resting, BookError> {
        let old = *self.order(order)?;
        if shares == 0 {
            return Err(BookError::NoShares { order: new_order });
        }
        if order != new_order && self.orders.contains_key(&new_order) {
            return Err(BookError::Duplicate { order: new_order });
        }
        self.delete(order)?;
        self.add(
            new_order,
            Resting {
                shares,
                price,
                ..old
            },
        )?;
        Ok(old)
    }

    /// An order of the book.
    ///
    /// # Errors
    /// The order isn't in the book.
    pub fn order(&self, order: u64) -> Result<&Resting, BookError> {
        self.orders.get(&order).ok_or(BookError::Unknown { order })
    }

    /// The best prices of an instrument.
    #[must_use]
    pub fn top(&self, instrument: u16) -> Top {
        self.ladders
            .get(&instrument)
            .map_or_else(Top::default, Ladder::top)
    }

    /// The levels of one side of an instrument, best price first.
    pub fn levels(&self, instrument: u16, side: Side) -> impl Iterator<Item = Level> {
        let depths = self.ladders.get(&instrument).map(|ladder| match side {
            Side::Buy => &ladder.bids,
            Side::Sell => &ladder.asks,
        });
        let (up, down) = match side {
            Side::Buy => (None, depths.map(|d| d.values().rev())),
            Side::Sell => (depths.map(BTreeMap::values), None),
        };
        up.into_iter()
            .flatten()
            .chain(down.into_iter().flatten())
            .copied()
    }
}

/// One instrument's levels, by price.
#[derive(Debug, Default)]
struct Ladder {
    bids: BTreeMap<u32, Level>,
    asks: BTreeMap<u32, Level>,
}

impl Ladder {
    fn side(&mut self, side: Side) -> &mut BTreeMap<u32, Level> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    fn add(&mut self, order: &Resting) {
        let price = order.price;
        let level = self.side(order.side).entry(price).or_insert(Level {
            price,
            ..Level::default()
        });
        level.shares += u64::from(order.shares);
        level.orders += 1;
    }

    fn take(&mut self, order: &Resting, shares: u32, gone: bool) {
        if let Entry::Occupied(mut place) = self.side(order.side).entry(order.price) {
            let level = place.get_mut();
            level.shares -= u64::from(shares);
            level.orders -= u32::from(gone);
            if level.orders == 0 {
                place.remove();
            }
        }
    }

    fn top(&self) -> Top {
        let best = |level: Option<&Level>| level.copied().unwrap_or_default();
        Top {
            bid: best(self.bids.values().next_back()),
            ask: best(self.asks.values().next()),
        }
    }
}

/// Why an operation can't be done: the feed and the book have parted company.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BookError {
    /// The order isn't in the book.
    Unknown {
        /// The order's number.
        order: u64,
    },
    /// An order of this number is already in the book.
    Duplicate {
        /// The order's number.
        order: u64,
    },
    /// A new order has no shares.
    NoShares {
        /// The order's number.
        order: u64,
    },
    /// More shares are to go than the order has.
    TooManyShares {
        /// The order's number.
        order: u64,
        /// The shares that are to go.
        shares: u32,
        /// The shares it has.
        left: u32,
    },
}

impl fmt::Display for BookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { order } => write!(f, "order {order} isn't in the book"),
            Self::Duplicate { order } => write!(f, "order {order} is already in the book"),
            Self::NoShares { order } => write!(f, "order {order} is new and has no shares"),
            Self::TooManyShares {
                order,
                shares,
                left,
            } => write!(
                f,
                "order {order} has {left} shares left, and {shares} are to go"
            ),
        }
    }
}

impl std::error::Error for BookError {}

#[cfg(test)]
mod tests;
