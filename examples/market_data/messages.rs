//! What the handlers say to each other, besides the exchange's own records.
//!
//! What is sent for every record of the feed is plain data that receivers read in place. What
//! is rare goes through serde, and may hold texts, lists and enums.

use crate::market_data::book::Top;
use crate::market_data::itch::wire::Side;
use core::fmt;
use messenger::{Message, messenger_id_enum};
use serde::{Deserialize, Serialize};

messenger_id_enum! {
    /// The ids of all messages of the example.
    #[expect(missing_docs, reason = "each is the id of the message of that name")]
    pub enum Mid {
        SystemEvent = 1,
        StockDirectory = 2,
        AddOrder = 3,
        AddOrderAttributed = 4,
        OrderExecuted = 5,
        OrderExecutedAt = 6,
        OrderCancel = 7,
        OrderDelete = 8,
        OrderReplace = 9,
        Trade = 10,
        CrossTrade = 11,
        Open = 20,
        Batch = 21,
        Tally = 22,
        Quote = 30,
        Execution = 31,
        Order = 40,
        Approved = 41,
        Rejected = 42,
        Report = 50,
    }
}

/// Go: the feed is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = Mid::Open, codec = zero_copy)]
#[repr(C)]
pub struct Open {}

/// The end of a batch of records. It follows them from handler to handler, and so says at each
/// that everything before it has been seen; when the desk has, the feed reads the next batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(id = Mid::Batch, codec = bincode)]
pub struct Batch {
    /// Counts the batches, from 1.
    pub number: u64,
    /// Whether no other follows.
    pub last: bool,
}

/// What the feed found in the file.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, Message)]
#[message(id = Mid::Tally, codec = bincode)]
pub struct Tally {
    /// Records that were right.
    pub records: u64,
    /// Those of them which nobody here needs.
    pub skipped: u64,
    /// Records that were wrong.
    pub malformed: u64,
    /// What was wrong with the first of them.
    pub first_error: Option<String>,
}

/// The best prices of an instrument have changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = Mid::Quote, codec = zero_copy)]
#[repr(C)]
pub struct Quote {
    /// The best level of each side.
    pub top: Top,
    /// Nanoseconds since midnight.
    pub at: u64,
    /// The instrument's number.
    pub instrument: u32,
    /// How many quotes there were before this one.
    pub number: u32,
}

/// An order of the book traded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
#[message(id = Mid::Execution, codec = zero_copy)]
#[repr(C)]
pub struct Execution {
    /// Nanoseconds since midnight.
    pub at: u64,
    /// The shares that traded.
    pub shares: u64,
    /// The price, in ten-thousandths of a dollar.
    pub price: u32,
    /// The instrument's number.
    pub instrument: u32,
}

/// The signal wants to trade.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(id = Mid::Order, codec = bincode)]
pub struct Order {
    /// Counts the signal's orders, from 1.
    pub id: u64,
    /// Nanoseconds since midnight.
    pub at: u64,
    /// The instrument's number.
    pub instrument: u16,
    /// Whether it buys or sells.
    pub side: Side,
    /// Its shares.
    pub shares: u32,
    /// Its price, in ten-thousandths of a dollar.
    pub price: u32,
}

impl Order {
    /// Its shares, below zero if it sells.
    #[must_use]
    pub fn quantity(&self) -> i64 {
        match self.side {
            Side::Buy => i64::from(self.shares),
            Side::Sell => -i64::from(self.shares),
        }
    }
}

/// An order that keeps within all limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(id = Mid::Approved, codec = bincode)]
pub struct Approved {
    /// The order.
    pub order: Order,
}

/// An order that would break a limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, Message)]
#[message(id = Mid::Rejected, codec = bincode)]
pub struct Rejected {
    /// The order.
    pub order: Order,
    /// Which limit, and by how much.
    pub breach: Breach,
}

/// The limit that an order would break.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Breach {
    /// It is too large.
    Size {
        /// Its shares.
        shares: u32,
        /// The most an order may have.
        limit: u32,
    },
    /// Too many orders in one second.
    Rate {
        /// Approved in this second already, which is all that may be.
        limit: u32,
    },
    /// The position in its instrument would be too large.
    Position {
        /// The position it would lead to, in shares.
        position: i64,
        /// The largest that may be, of either sign.
        limit: i64,
    },
    /// All positions together would be worth too much.
    Exposure {
        /// What they would be worth, in ten-thousandths of a dollar.
        exposure: i64,
        /// The most they may be worth.
        limit: i64,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { shares, limit } => write!(f, "{shares} shares, at most {limit}"),
            Self::Rate { limit } => write!(f, "{limit} orders in this second already"),
            Self::Position { position, limit } => {
                write!(f, "a position of {position} shares, at most {limit}")
            }
            Self::Exposure { exposure, limit } => {
                write!(
                    f,
                    "an exposure of {} dollars, at most {}",
                    exposure / 10_000,
                    limit / 10_000
                )
            }
        }
    }
}
