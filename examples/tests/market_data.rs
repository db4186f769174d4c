//! Runs the tests that lie beside the example `market_data`, which as an example is run and not tested.

#[expect(dead_code, reason = "its `main` is run by `run.rs`")]
#[path = "../market_data/main.rs"]
mod market_data;
