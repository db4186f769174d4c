//! Chance, and the orders of one stock as the exchange knows them.

use super::CENT;
use crate::market_data::itch::wire::{Side, Symbol};

/// Chance: the generator known as splitmix64.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `bound`.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }

    pub(super) fn small(&mut self, bound: u32) -> u32 {
        self.below(u64::from(bound)) as u32
    }

    pub(super) fn side(&mut self) -> Side {
        if self.below(2) == 0 {
            Side::Buy
        } else {
            Side::Sell
        }
    }
}

/// A resting order.
#[derive(Clone, Copy)]
pub(super) struct Live {
    pub(super) order: u64,
    pub(super) side: Side,
    pub(super) shares: u32,
    pub(super) price: u32,
}

/// One instrument of the day.
pub(super) struct Stock {
    pub(super) symbol: Symbol,
    /// What it is worth just now, in cents.
    pub(super) fair: u32,
    /// Which side is eager just now: its orders are larger.
    pub(super) eager: Side,
    /// Oldest first.
    pub(super) live: Vec<Live>,
}

impl Stock {
    /// Where the best order of a side is: the best price, and of those the oldest.
    pub(super) fn best(&self, side: Side) -> Option<usize> {
        let rank = |order: &Live| match side {
            Side::Buy => u32::MAX - order.price,
            Side::Sell => order.price,
        };
        let of_side = self.live.iter().enumerate().filter(|(_, o)| o.side == side);
        of_side.min_by_key(|(_, o)| rank(o)).map(|(place, _)| place)
    }

    /// A price off the fair one that does not meet the other side.
    pub(super) fn price(&self, side: Side, cents: u32) -> u32 {
        let best = |side| self.best(side).map(|place| self.live[place].price);
        match side {
            Side::Buy => {
                let wanted = (self.fair - cents) * CENT;
                best(Side::Sell).map_or(wanted, |ask| wanted.min(ask - CENT))
            }
            Side::Sell => {
                let wanted = (self.fair + cents) * CENT;
                best(Side::Buy).map_or(wanted, |bid| wanted.max(bid + CENT))
            }
        }
    }
}
