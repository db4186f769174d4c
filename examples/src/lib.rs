//! What the examples share, and where it is tested. The examples themselves lie in the files
//! beside `Cargo.toml`.

#[path = "../market_data/mod.rs"]
pub mod market_data;
