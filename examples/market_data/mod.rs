//! The parts of the `market_data` example. Its table and its `main` are in `main.rs` beside
//! this file.

pub mod book;
pub mod day;
pub mod fold;
pub mod handlers;
pub mod itch;
pub mod messages;
pub mod report;
