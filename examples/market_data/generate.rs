//! Writes the day of market data that the `market_data` example reads, or a longer one.
//!
//! ```text
//! cargo run --example market_data_gen                     check the sample that is shipped
//! cargo run --example market_data_gen -- FILE             write it anew
//! cargo run --example market_data_gen -- FILE 1000000 7   write a long day, from seed 7
//! ```

use messenger_examples::market_data::day::Day;
use messenger_examples::market_data::itch::Reader;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next();
    let mut day = Day::sample();
    if let Some(actions) = arguments.next() {
        day.actions = actions.parse()?;
    }
    if let Some(seed) = arguments.next() {
        day.seed = seed.parse()?;
    }

    let feed = day.write();
    let mut reader = Reader::new(&feed[..]);
    let mut records = 0;
    while reader.read()?.is_some() {
        records += 1;
    }
    println!("{records} records, {} bytes, from {day:?}", feed.len());

    match path {
        Some(path) => {
            std::fs::write(&path, &feed)?;
            println!("written to {path}");
        }
        None => {
            assert!(
                feed == include_bytes!("sample.itch"),
                "the shipped sample is another"
            );
            println!("the shipped sample is the same, byte for byte");
        }
    }
    Ok(())
}
