//! The sample is what the generator writes, and what it writes makes sense.

use super::Day;
use crate::market_data::book::{BookError, Books};
use crate::market_data::itch::{Reader, Record};

#[test]
fn the_sample_is_what_the_generator_writes() {
    let shipped = include_bytes!("../sample.itch");
    assert!(
        Day::sample().write() == shipped,
        "sample.itch is out of date: cargo run --example market_data_gen -- \
         examples/market_data/sample.itch"
    );
    assert!(shipped.len() < 200 << 10);
}

/// Every record is right, every order that is named exists, and no book is ever crossed.
#[test]
fn days_make_sense() {
    let (days, actions) = if cfg!(miri) { (1, 20) } else { (20, 2000) };
    for seed in 0..days {
        let feed = Day { seed, actions }.write();
        let mut reader = Reader::new(&feed[..]);
        let mut books = Books::default();
        while let Some(record) = reader.read().unwrap() {
            apply(&mut books, record).unwrap();
            for instrument in 1..=5 {
                let top = books.top(instrument);
                let empty = top.bid.shares == 0 || top.ask.shares == 0;
                assert!(empty || top.bid.price < top.ask.price, "crossed: {top:?}");
            }
        }
    }
}

fn apply(books: &mut Books, record: Record<'_>) -> Result<(), BookError> {
    match record {
        Record::AddOrder(m) => books.add(m.order.get(), m.into()),
        Record::AddOrderAttributed(m) => books.add(m.order.get(), m.into()),
        Record::OrderExecuted(m) => books.take(m.order.get(), m.shares.get()).map(drop),
        Record::OrderExecutedAt(m) => books.take(m.order.get(), m.shares.get()).map(drop),
        Record::OrderCancel(m) => books.take(m.order.get(), m.shares.get()).map(drop),
        Record::OrderDelete(m) => books.delete(m.order.get()).map(drop),
        Record::OrderReplace(m) => books
            .replace(
                m.order.get(),
                m.new_order.get(),
                m.shares.get(),
                m.price.get(),
            )
            .map(drop),
        _ => Ok(()),
    }
}
