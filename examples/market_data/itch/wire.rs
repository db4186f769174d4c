//! The records of NASDAQ TotalView-ITCH 5.0 as they stand on the wire.
//!
//! Each struct *is* the record: the same fields in the same order, big-endian, every type of
//! alignment 1, so that no record has padding and `size_of` is the length the specification
//! gives. That makes them plain data which can be viewed in place in a file, and also messages
//! which can be put on the bus as they are.

use crate::market_data::messages::Mid;
use core::fmt;
use core::mem::offset_of;
use messenger::{Message, Plain};
use serde::{Deserialize, Serialize};

macro_rules! big_endian {
    ($($(#[$doc:meta])* $name:ident: $number:ty, $bytes:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Plain)]
        #[repr(transparent)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Writes the number, of which the lowest bytes stand on the wire.
            #[must_use]
            pub const fn new(number: $number) -> Self {
                let wide = number.to_be_bytes();
                let mut bytes = [0; $bytes];
                let mut i = 0;
                while i < $bytes {
                    bytes[i] = wide[wide.len() - $bytes + i];
                    i += 1;
                }
                Self(bytes)
            }

            /// Reads the number.
            #[must_use]
            pub const fn get(self) -> $number {
                let mut number: $number = 0;
                let mut i = 0;
                while i < $bytes {
                    number = number << 8 | self.0[i] as $number;
                    i += 1;
                }
                number
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.get().fmt(f)
            }
        }
    )*};
}

big_endian! {
    /// A two-byte number.
    U16: u16, 2;
    /// A four-byte number.
    U32: u32, 4;
    /// A six-byte number: nanoseconds since midnight.
    U48: u64, 6;
    /// An eight-byte number.
    U64: u64, 8;
}

/// A stock symbol: up to eight letters, filled up with spaces.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Plain)]
#[repr(transparent)]
pub struct Symbol(pub [u8; 8]);

impl Symbol {
    /// Makes a symbol from the first eight bytes of a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut symbol = [b' '; 8];
        for (to, from) in symbol.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(symbol)
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = |&b: &u8| if b.is_ascii_graphic() { b as char } else { '?' };
        let text: String = self.0.trim_ascii_end().iter().map(printable).collect();
        f.pad(&text)
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Which side of the book an order is on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Plain, Serialize, Deserialize)]
#[repr(u8)]
pub enum Side {
    /// The order buys.
    Buy = b'B',
    /// The order sells.
    Sell = b'S',
}

/// Where in its day the market is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Plain)]
#[repr(u8)]
pub enum Event {
    /// The first message of the day.
    StartOfMessages = b'O',
    /// Orders are accepted.
    StartOfSystemHours = b'S',
    /// The regular session opens.
    StartOfMarketHours = b'Q',
    /// The regular session closes.
    EndOfMarketHours = b'M',
    /// Orders are accepted no more.
    EndOfSystemHours = b'E',
    /// The last message of the day.
    EndOfMessages = b'C',
}

/// Whether an execution counts in the day's statistics.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Plain)]
#[repr(u8)]
pub enum Printable {
    /// It is reported elsewhere, and would count twice.
    No = b'N',
    /// It counts.
    Yes = b'Y',
}

/// What every record begins with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Plain)]
#[repr(C)]
pub struct Header {
    /// The record's type, a letter.
    pub kind: u8,
    /// The day's number of the instrument; 0 where the record is of none.
    pub instrument: U16,
    /// The exchange's own tracking number.
    pub tracking: U16,
    /// Nanoseconds since midnight.
    pub at: U48,
}

/// One type of record.
pub trait Wire: Plain {
    /// The letter that stands first in the record.
    const KIND: u8;
    /// The name and place of the field of which only some values are allowed, if there is one.
    const CHOICE: Option<(&'static str, usize)> = None;
}

macro_rules! records {
    ($(
        $(#[$doc:meta])*
        $kind:literal $name:ident: $length:literal $(, choice $choice:ident)? {
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
        }
    )*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Message)]
        #[message(id = Mid::$name, codec = zero_copy)]
        #[repr(C)]
        pub struct $name {
            /// Type, instrument and time.
            pub header: Header,
            $($(#[$field_doc])* pub $field: $type,)*
        }

        impl Wire for $name {
            const KIND: u8 = $kind;
            $(const CHOICE: Option<(&'static str, usize)> =
                Some((stringify!($choice), offset_of!($name, $choice)));)?
        }

        const _: () = assert!(size_of::<$name>() == $length);
    )*};
}

records! {
    /// The market enters a part of its day.
    b'S' SystemEvent: 12, choice event {
        /// Which part.
        event: Event,
    }

    /// An instrument of this day, with the number that stands for it.
    b'R' StockDirectory: 39 {
        /// Its symbol.
        stock: Symbol,
        /// The market tier it is listed in.
        market_category: u8,
        /// Whether its issuer is in arrears with filings.
        financial_status: u8,
        /// Shares in a round lot.
        round_lot: U32,
        /// Whether only round lots trade.
        round_lots_only: u8,
        /// The kind of security.
        classification: u8,
        /// The kind within the kind.
        subtype: [u8; 2],
        /// `P`: live; `T`: a test symbol.
        authenticity: u8,
        /// Whether short sales are restricted.
        short_sale_threshold: u8,
        /// Whether it is newly listed.
        ipo: u8,
        /// The tier of its price bands.
        luld_tier: u8,
        /// Whether it is an exchange-traded product.
        etp: u8,
        /// That product's leverage.
        etp_leverage: U32,
        /// Whether that product is inverse.
        inverse: u8,
    }

    /// A new order rests in the book.
    b'A' AddOrder: 36, choice side {
        /// The order's number of this day.
        order: U64,
        /// Whether it buys or sells.
        side: Side,
        /// Its shares.
        shares: U32,
        /// Its instrument.
        stock: Symbol,
        /// Its price, in ten-thousandths of a dollar.
        price: U32,
    }

    /// A new order rests in the book, and its owner is named.
    b'F' AddOrderAttributed: 40, choice side {
        /// The order's number of this day.
        order: U64,
        /// Whether it buys or sells.
        side: Side,
        /// Its shares.
        shares: U32,
        /// Its instrument.
        stock: Symbol,
        /// Its price, in ten-thousandths of a dollar.
        price: U32,
        /// The market participant behind it.
        attribution: [u8; 4],
    }

    /// A resting order traded at its own price, in whole or in part.
    b'E' OrderExecuted: 31 {
        /// The resting order.
        order: U64,
        /// The shares that traded.
        shares: U32,
        /// The trade's number of this day.
        match_number: U64,
    }

    /// A resting order traded at another price than its own.
    b'C' OrderExecutedAt: 36, choice printable {
        /// The resting order.
        order: U64,
        /// The shares that traded.
        shares: U32,
        /// The trade's number of this day.
        match_number: U64,
        /// Whether it counts in the day's statistics.
        printable: Printable,
        /// The price, in ten-thousandths of a dollar.
        price: U32,
    }

    /// A part of a resting order is withdrawn.
    b'X' OrderCancel: 23 {
        /// The resting order.
        order: U64,
        /// The shares withdrawn.
        shares: U32,
    }

    /// A resting order is withdrawn.
    b'D' OrderDelete: 19 {
        /// The resting order.
        order: U64,
    }

    /// A resting order makes way for a new one of the same side and instrument.
    b'U' OrderReplace: 35 {
        /// The order that goes.
        order: U64,
        /// The number of the order that comes.
        new_order: U64,
        /// Its shares.
        shares: U32,
        /// Its price, in ten-thousandths of a dollar.
        price: U32,
    }

    /// A trade with an order that was never shown; it leaves the book as it was.
    b'P' Trade: 44, choice side {
        /// Zero.
        order: U64,
        /// Whether the hidden order buys; always `Buy` since 2014.
        side: Side,
        /// The shares that traded.
        shares: U32,
        /// The instrument.
        stock: Symbol,
        /// The price, in ten-thousandths of a dollar.
        price: U32,
        /// The trade's number of this day.
        match_number: U64,
    }

    /// The trades of an opening, closing or halt auction, in one record.
    b'Q' CrossTrade: 40 {
        /// The shares that traded.
        shares: U64,
        /// The instrument.
        stock: Symbol,
        /// The price, in ten-thousandths of a dollar.
        price: U32,
        /// The trade's number of this day.
        match_number: U64,
        /// `O`: opening; `C`: closing; `H`: halt.
        cross: u8,
    }
}
