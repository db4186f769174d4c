//! The books against a model so simple that it can't be wrong: a list of orders.

use super::{BookError, Books, Level, Resting, Top};
use crate::market_data::itch::wire::Side;
use proptest::prelude::*;
use std::collections::BTreeSet;

const SIDES: [Side; 2] = [Side::Buy, Side::Sell];

fn order(instrument: u16, side: Side, shares: u32, price: u32) -> Resting {
    Resting {
        instrument,
        side,
        shares,
        price,
    }
}

#[test]
fn levels_add_up_and_empty_ones_go() {
    let mut books = Books::default();
    books.add(1, order(7, Side::Buy, 100, 10_0000)).unwrap();
    books.add(2, order(7, Side::Buy, 200, 10_0000)).unwrap();
    books.add(3, order(7, Side::Buy, 50, 9_9900)).unwrap();
    books.add(4, order(7, Side::Sell, 70, 10_0100)).unwrap();
    let best_bid = Level {
        shares: 300,
        price: 10_0000,
        orders: 2,
    };
    let next_bid = Level {
        shares: 50,
        price: 9_9900,
        orders: 1,
    };
    let ask = Level {
        shares: 70,
        price: 10_0100,
        orders: 1,
    };
    assert_eq!(books.top(7), Top { bid: best_bid, ask });
    assert_eq!(
        books.levels(7, Side::Buy).collect::<Vec<_>>(),
        [best_bid, next_bid]
    );
    assert_eq!(
        books.top(8),
        Top::default(),
        "another instrument is untouched"
    );

    assert_eq!(
        books.take(1, 40).unwrap(),
        order(7, Side::Buy, 100, 10_0000)
    );
    assert_eq!(
        books.top(7).bid,
        Level {
            shares: 260,
            price: 10_0000,
            orders: 2
        }
    );
    assert_eq!(books.take(1, 60).unwrap().shares, 60, "what was left of it");
    books.delete(2).unwrap();
    assert_eq!(books.top(7).bid, next_bid);
    assert_eq!(books.replace(3, 5, 80, 9_9800).unwrap().price, 9_9900);
    assert_eq!(
        books.top(7).bid,
        Level {
            shares: 80,
            price: 9_9800,
            orders: 1
        }
    );
    books.delete(5).unwrap();
    assert_eq!(
        books.top(7),
        Top {
            bid: Level::default(),
            ask
        }
    );
}

#[test]
fn a_replacement_may_keep_its_number() {
    let mut books = Books::default();
    books.add(1, order(1, Side::Sell, 100, 5)).unwrap();
    books.replace(1, 1, 30, 6).unwrap();
    assert_eq!(books.order(1), Ok(&order(1, Side::Sell, 30, 6)));
}

#[test]
fn mistakes_are_errors_with_values_and_change_nothing() {
    let mut books = Books::default();
    books.add(1, order(1, Side::Buy, 10, 5)).unwrap();
    books.add(2, order(1, Side::Buy, 20, 5)).unwrap();
    let before = books.top(1);
    let mistakes = [
        (
            books.add(1, order(2, Side::Sell, 1, 1)).unwrap_err(),
            BookError::Duplicate { order: 1 },
        ),
        (
            books.add(3, order(1, Side::Buy, 0, 5)).unwrap_err(),
            BookError::NoShares { order: 3 },
        ),
        (
            books.take(9, 1).unwrap_err(),
            BookError::Unknown { order: 9 },
        ),
        (
            books.take(1, 11).unwrap_err(),
            BookError::TooManyShares {
                order: 1,
                shares: 11,
                left: 10,
            },
        ),
        (
            books.delete(9).unwrap_err(),
            BookError::Unknown { order: 9 },
        ),
        (
            books.replace(9, 10, 1, 1).unwrap_err(),
            BookError::Unknown { order: 9 },
        ),
        (
            books.replace(1, 2, 1, 1).unwrap_err(),
            BookError::Duplicate { order: 2 },
        ),
        (
            books.replace(1, 3, 0, 1).unwrap_err(),
            BookError::NoShares { order: 3 },
        ),
    ];
    for (found, expected) in mistakes {
        assert_eq!(found, expected);
        assert!(found.to_string().starts_with("order "), "{found}");
    }
    assert_eq!(books.top(1), before);
    assert_eq!(books.top(2), Top::default());
}

/// What one can do to a book. Few orders, prices and instruments, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    Add(u64, Resting),
    Take(u64, u32),
    Delete(u64),
    Replace(u64, u64, u32, u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let number = || 0..24_u64;
    let resting = (0..2_u16, any::<bool>(), 0..5_u32, 1..6_u32).prop_map(|(i, buys, s, p)| {
        let side = if buys { Side::Buy } else { Side::Sell };
        order(i, side, s * 100, p)
    });
    let step = prop_oneof![
        4 => (number(), resting).prop_map(|(n, o)| Step::Add(n, o)),
        3 => (number(), 0..500_u32).prop_map(|(n, s)| Step::Take(n, s)),
        1 => number().prop_map(Step::Delete),
        2 => (number(), number(), 0..500_u32, 1..6_u32)
            .prop_map(|(o, n, s, p)| Step::Replace(o, n, s, p)),
    ];
    prop::collection::vec(step, 0..if cfg!(miri) { 20 } else { 200 })
}

/// A list of orders, in which everything is looked for from the start.
#[derive(Default)]
struct Model(Vec<(u64, Resting)>);

impl Model {
    fn place(&self, number: u64) -> Result<usize, BookError> {
        let found = self.0.iter().position(|(n, _)| *n == number);
        found.ok_or(BookError::Unknown { order: number })
    }

    fn step(&mut self, step: &Step) -> Result<(), BookError> {
        match *step {
            Step::Add(order, resting) => {
                if resting.shares == 0 {
                    return Err(BookError::NoShares { order });
                }
                if self.place(order).is_ok() {
                    return Err(BookError::Duplicate { order });
                }
                self.0.push((order, resting));
            }
            Step::Take(order, shares) => {
                let place = self.place(order)?;
                let left = self.0[place].1.shares;
                if shares > left {
                    return Err(BookError::TooManyShares {
                        order,
                        shares,
                        left,
                    });
                }
                self.0[place].1.shares -= shares;
                self.0.retain(|(_, o)| o.shares > 0);
            }
            Step::Delete(order) => {
                let place = self.place(order)?;
                self.0.remove(place);
            }
            Step::Replace(order, new_order, shares, price) => {
                let place = self.place(order)?;
                if shares == 0 {
                    return Err(BookError::NoShares { order: new_order });
                }
                if order != new_order && self.place(new_order).is_ok() {
                    return Err(BookError::Duplicate { order: new_order });
                }
                let old = self.0[place].1;
                self.0[place] = (
                    new_order,
                    Resting {
                        shares,
                        price,
                        ..old
                    },
                );
            }
        }
        Ok(())
    }

    fn levels(&self, instrument: u16, side: Side) -> Vec<Level> {
        let here = |o: &Resting| o.instrument == instrument && o.side == side;
        let orders: Vec<_> = self.0.iter().map(|(_, o)| o).filter(|o| here(o)).collect();
        let prices: BTreeSet<u32> = orders.iter().map(|o| o.price).collect();
        let mut levels: Vec<Level> = prices
            .into_iter()
            .map(|price| {
                let at = orders.iter().filter(|o| o.price == price);
                let shares = at.clone().map(|o| u64::from(o.shares)).sum();
                Level {
                    shares,
                    price,
                    orders: at.count() as u32,
                }
            })
            .collect();
        if side == Side::Buy {
            levels.reverse();
        }
        levels
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: if cfg!(miri) { 4 } else { 256 },
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn books_agree_with_the_model(steps in steps()) {
        let mut books = Books::default();
        let mut model = Model::default();
        for step in &steps {
            let found = match *step {
                Step::Add(order, resting) => books.add(order, resting),
                Step::Take(order, shares) => books.take(order, shares).map(drop),
                Step::Delete(order) => books.delete(order).map(drop),
                Step::Replace(o, n, s, p) => books.replace(o, n, s, p).map(drop),
            };
            prop_assert_eq!(found, model.step(step), "{:?}", step);
            for instrument in 0..2 {
                for side in SIDES {
                    let levels: Vec<_> = books.levels(instrument, side).collect();
                    prop_assert_eq!(&levels, &model.levels(instrument, side));
                    let top = books.top(instrument);
                    let best = if side == Side::Buy { top.bid } else { top.ask };
                    prop_assert_eq!(best, levels.first().copied().unwrap_or_default());
                }
            }
        }
    }
}
